# SPDX-License-Identifier: Apache-2.0
"""Reports: what was done and what was not; a record that was changed."""
import json
from html.parser import HTMLParser

from test_verify import market, server, site, tdengine  # noqa: F401  (fixtures)


def test_what_was_not_done_is_told(site):
    backup = site.backup("full", "--method", "logical")
    report = site.ok("report", backup["id"], "--json").json
    assert report["conclusion"]["drilled"] is None and report["conclusion"]["restored"] is None
    assert [one["level"] for one in report["verifications"]] == ["structure"]
    text = site.ok("report", backup["id"]).out
    assert "never with success" in text and "archives:" in text and "not counted" in text
    site.ok("drill", "main", "--backup-id", backup["id"])
    site.ok("verify", backup["id"], "--deep")
    report = site.ok("report", backup["id"], "--format", "json").json
    assert [one["level"] for one in report["verifications"]] == ["deep", "structure"]
    assert report["conclusion"]["drilled"] == report["drills"][0]["time"]
    assert {one["record_checksum"] for one in report["verifications"] + report["drills"]} == {"good"}
    text = site.ok("report", backup["id"]).out
    assert "postgres.public.trades: expected 40000 rows, found 40000 rows" in text


def test_a_restore(site, server):
    """Every table with what was expected and what was found, not only those that differ."""
    backup = site.backup("full", "--method", "logical")
    site.ok("restore", "postgresql", "full", "--backup-id", backup["id"], "--databases", "postgres", "--to-database", "copied")
    server.psql("DROP DATABASE copied")
    [restore] = site.ok("report", backup["id"], "--json").json["restores"]
    assert {"table": "postgres.public.trades", "expected": 40000, "found": 40000} in restore["summary"]["checked"]
    assert restore["tolerance"] == 0 and restore["seconds"] > 0
    text = site.ok("report", backup["id"]).out
    assert "postgres.public.trades: expected 40000 rows, found 40000 rows" in text and "were not compared" not in text


def test_checksums(site):
    backup = site.backup("full", "--method", "logical")
    [path] = (site.repository / "records").glob("*-verify-*")
    record = json.loads(path.read_text())
    assert record["checksum"] and len(record["checksum"]) == 64
    path.chmod(0o600)
    path.write_text(path.read_text().replace('"structure"', '"deep"'))
    # The catalog has what was written, the repository has not: a report tells of what is there.
    report = site.ok("report", backup["id"], "--json").json
    assert report["verifications"][0]["record_checksum"] == "wrong"
    # Elsewhere it proves nothing.
    assert site.ok("list", "backups", "--json").json[0]["verified"]
    site.ok("catalog", "rebuild")
    report = site.ok("report", backup["id"], "--json").json
    assert report["verifications"][0]["record_checksum"] == "wrong"
    assert not site.ok("list", "backups", "--json").json[0]["verified"]
    assert "checksum: wrong" in site.ok("report", backup["id"]).out


def test_html(site, server):
    server.psql('DROP TABLE IF EXISTS "<b>&"; CREATE TABLE "<b>&" (i int)')
    backup = site.backup("full", "--method", "logical")
    page = site.ok("report", backup["id"], "--format", "html").out
    server.psql('DROP TABLE "<b>&"')
    assert "&lt;b&gt;&amp;" in page and "<b>" not in page

    class Balanced(HTMLParser):
        open_tags = []

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    parser = Balanced()
    parser.feed(page)
    assert parser.open_tags == []
    site.fails(2, "report", backup["id"], "--format", "pdf")
    site.fails(1, "report", "nothing")


def test_tdengine(market):
    backup = market.backup()
    market.run("restore", "tdengine", "full", "--backup-id", backup["id"], "--to-database", "copied", "--deep")
    market.run("verify", backup["id"], "--deep")
    market.run("drill", "market")
    report = json.loads(market.run("report", backup["id"], "--json").stdout)
    assert report["drills"][0]["summary"]["fingerprints"] == "compared"
    summary = report["restores"][0]["summary"]
    assert summary["fingerprints"] == "compared"
    assert sorted((one["table"], one["expected"], one["found"]) for one in summary["checked"]) == \
        [("market.plain", 2, 2), ("market.ticks", 500, 500)]
    text = market.run("report", backup["id"]).stdout.decode()
    assert "market.ticks: expected 500 rows, found 500 rows: good" in text
