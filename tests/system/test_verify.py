# SPDX-License-Identifier: Apache-2.0
"""Levels of verify: damage of each kind is found at the level that should find it, and told truly."""
import hashlib
import json
import os
import subprocess

import pytest

import pgcluster
import physical
import tdserver
from conftest import missing


def flip(path, offset):
    """Flips a bit; a negative offset counts from the end."""
    mode = path.stat().st_mode
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(offset, os.SEEK_END if offset < 0 else os.SEEK_SET)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x10]))
    path.chmod(mode)


class Forged:
    """An object with a flipped bit whose checksum is right: nothing but a look inside can tell."""

    def __init__(self, folder, path, offset, content=None):
        self.path, self.sums = folder / path, folder / "SHA256SUMS"
        self.saved = self.path.read_bytes(), self.sums.read_bytes()
        if content is None:
            flip(self.path, offset)
        else:
            self.put(self.path, content)
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        lines = [f"{digest}  {path}" if line.endswith("  " + path) else line
                 for line in self.saved[1].decode().splitlines()]
        self.put(self.sums, "\n".join(lines).encode() + b"\n")

    @staticmethod
    def put(path, content):
        path.chmod(0o600)
        path.write_bytes(content)

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.put(self.path, self.saved[0])
        self.put(self.sums, self.saved[1])


def listed(folder, prefix):
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    return [line[66:] for line in lines if line[66:].startswith(prefix)]


def report(result):
    return json.loads(result.stdout if isinstance(result.stdout, str) else result.stdout.decode())


# --- PostgreSQL --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    if missing() is not None:
        pytest.skip(missing())
    made = physical.PhysicalCluster()
    made.psql("CREATE TABLE trades AS SELECT i AS id, md5(i::text) AS text FROM generate_series(1, 40000) i;"
              "CHECKPOINT")
    yield made
    made.remove()


@pytest.fixture
def site(server):
    made = physical.Site(server)
    yield made
    server.set("archive_command", "/bin/true")
    subprocess.run(["rm", "-rf", str(made.directory)], check=True)


def verify(site, backup, level, status=0, *arguments):
    run = site.run("verify", backup["id"], f"--{level}", "--json", *arguments)
    assert run.status == status, (level, run)
    return run.json


def test_physical_levels(site):
    backup = site.backup()
    # The verify after the backup says what it was, and that it was no more.
    assert backup["verify"]["level"] == "structure" and backup["verify"]["scope"] == "written"
    assert backup["verify"]["result"] == "good" and backup["verify"]["counts"]["packs"] > 0
    folder = site.path(backup)
    pack = max(listed(folder, "../../pool/"), key=lambda path: (folder / path).stat().st_size)
    objects = verify(site, backup, "objects")
    assert objects["level"] == "objects" and objects["counts"] == {} and objects["inside"] == 0
    structure = verify(site, backup, "structure")
    assert structure["level"] == "structure" and "pages" not in structure["counts"]
    deep = verify(site, backup, "deep")
    assert deep["level"] == "deep" and deep["counts"]["pages"] > 100
    assert deep["counts"]["files_read"] == deep["counts"]["files"] == structure["counts"]["files"]
    assert deep["counts"]["wal_read"] == deep["counts"]["wal_segments"] > 0
    middle = (folder / pack).stat().st_size // 3
    for offset, found in ((0, "structure"), (-1, "structure"), (middle, "deep")):
        with Forged(folder, pack, offset):
            levels = ["objects", "structure", "deep"]
            for level in levels:
                status = 3 if levels.index(level) >= levels.index(found) else 0
                told = verify(site, backup, level, status)
                assert told["result"] == ("damaged" if status else "good"), (offset, level)
                assert not status or [one["object"] for one in told["damage"]] == [pack]
    with Forged(folder, pack, middle):
        [damage] = verify(site, backup, "deep", 3)["damage"]
        assert "files:" in damage["belongs_to"]
        # A light look does not take a close look's finding back.
        verify(site, backup, "objects")
        assert site.ok("list", "backups", "--status", "damaged", "--json").json[0]["id"] == backup["id"]
    verify(site, backup, "structure")
    assert site.ok("list", "backups", "--status", "damaged", "--json").json != []
    verify(site, backup, "deep")
    assert site.ok("list", "backups", "--status", "damaged", "--json").json == []


def test_which_backups_are_affected(site, server):
    full = site.backup()
    server.psql("UPDATE trades SET text = 'x' WHERE id < 100")
    increment = site.backup("incremental")
    assert increment["verify"]["present"] > 0
    other = site.backup()
    pack = max(set(listed(site.path(full), "../../pool/")) & set(listed(site.path(increment), "../../pool/")),
               key=lambda path: (site.path(full) / path).stat().st_size)
    os.unlink(site.path(full) / pack)
    told = verify(site, full, "objects", 3)
    assert told["affected"] == [increment["id"]] and told["unaffected"] == [other["id"]]
    printed = site.fails(3, "verify", full["id"])
    assert "needs it as well: " + increment["id"] in printed.out
    assert "not known to be damaged: " + other["id"] in printed.out


def test_what_is_affected_counts_as_damaged(site, server):
    """Found in one backup, held against the others that need it: nothing is built on them, nothing makes way for them."""
    good = site.backup()
    shared = site.backup()
    server.psql("UPDATE trades SET text = 'y' WHERE id < 100")
    increment = site.backup("incremental")
    pack = max(set(listed(site.path(shared), "../../pool/")) & set(listed(site.path(increment), "../../pool/")),
               key=lambda path: (site.path(shared) / path).stat().st_size)
    saved = (site.path(shared) / pack).read_bytes()
    Forged.put(site.path(shared) / pack, saved[:-1])
    assert verify(site, increment, "objects", 3)["affected"] == [shared["id"]]

    def damaged():
        return {one["id"]: one["problem"] for one in site.ok("list", "backups", "--status", "damaged", "--json").json}

    assert damaged().keys() == {shared["id"], increment["id"]}
    assert damaged()[shared["id"]] == f"it needs an object that verify found damaged in {increment['id']}"
    assert site.run("objectives", "--json").json[0]["last"]["backup"]["id"] == good["id"]
    drill = site.ok("drill", "main", "--json").json["record"]
    assert json.loads((site.repository / "records" / f"{drill}.json").read_text())["backup"] == good["id"]
    # The newest good full: not let go without a word, and kept whatever the rules say.
    assert "newest good full" in site.fails(1, "delete", good["id"]).err
    site.config.write_text(site.config.read_text() + "\n[retention]\nkeep_days = 0\nkeep_full = 1\n")
    plan = site.ok("cleanup", "--dry-run", "--json").json
    assert {one["id"]: one["action"] for one in plan["backups"]}[good["id"]] == "keep"
    assert site.backup("incremental")["base"] == good["id"]
    # What it was found in is gone: it is known still, until the backup is found good itself.
    site.run("delete", increment["id"], "--yes")
    assert damaged().keys() == {shared["id"]}
    verify(site, shared, "objects", 3)
    Forged.put(site.path(shared) / pack, saved)
    verify(site, shared, "objects")
    assert damaged() == {}


def test_damage_is_told_whatever_is_asked_for(site, server):
    """Also by --quiet, and with what the damaged archive of small tables holds."""
    server.psql("CREATE TABLE small AS SELECT g AS id FROM generate_series(1, 100) g")
    backup = site.backup("full", "--method", "logical")
    folder = site.path(backup)
    rest = next(path for path in listed(folder, "data/") if "/rest." in path)
    flip(folder / rest, 200)
    [damage] = verify(site, backup, "objects", 3)["damage"]
    assert damage["object"] == rest and damage["problem"].startswith("it has another checksum")
    assert "sequences, large objects and small tables of database postgres" in damage["belongs_to"]
    assert "public.small" in damage["belongs_to"]
    quiet = site.fails(3, "verify", backup["id"], "--quiet")
    assert quiet.out == "" and rest in quiet.err and "public.small" in quiet.err
    # Where commit and manifest do not agree and the manifest is whole, it is the commit.
    sums = folder / "SHA256SUMS"
    lines = sums.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith("details.json.zst"))
    lines[at] = "0" * 64 + lines[at][64:]
    Forged.put(sums, "\n".join(lines).encode() + b"\n")
    assert [one["object"] for one in verify(site, backup, "objects", 3)["damage"]] == ["SHA256SUMS"]


def test_missing_wal_and_sample(site):
    backup = site.backup()
    folder = site.path(backup)
    wal = [path for path in listed(folder, "../../wal/") if not path.endswith((".backup", ".history"))]
    sums = folder / "SHA256SUMS"
    saved = sums.read_bytes()
    # A list that is whole by its own count, without a segment that the backup needs.
    lines = [line for line in saved.decode().splitlines() if not line.endswith(wal[0])]
    lines[-1] = f"# end {len(lines) - 1} objects"
    Forged.put(sums, "\n".join(lines).encode() + b"\n")
    assert verify(site, backup, "objects")["result"] == "good"
    [damage] = verify(site, backup, "structure", 3)["damage"]
    assert damage["object"] == wal[0] and "consistent" in damage["problem"]
    Forged.put(sums, saved)
    sampled = verify(site, backup, "deep", 0, "--sample", "1%")
    assert sampled["sample"] == 0.01
    assert sampled["present"] > 0 and sampled["objects"] + sampled["present"] == verify(site, backup, "objects")["objects"]
    for wrong in ("0", "101%", "x", "-1%", "nan"):
        site.fails(2, "verify", backup["id"], "--sample", wrong)
    site.fails(2, "verify", backup["id"], "--deep", "--objects")
    site.fails(2, "verify", backup["id"], "--source", "main")
    reports = site.ok("verify", "--all", "--source", "main", "--json").json
    assert [one.get("backup", one.get("archive")) for one in reports] == [backup["id"], "wal/main"]
    assert [one["level"] for one in reports] == ["structure", "structure"]
    [*_, archive] = site.ok("verify", "--all", "--deep", "--json").json
    assert (archive["archive"], archive["level"], archive["inside"]) == ("wal/main", "deep", archive["objects"])
    [*_, archive] = site.ok("verify", "--all", "--objects", "--json").json
    assert (archive["level"], archive["inside"]) == ("objects", 0) and archive["objects"] > 0


def test_verify_off_is_told(server):
    site = physical.Site(server, "verify = off\n", source="quiet")
    try:
        assert site.backup()["verify"] is None
        assert "not verified" in site.ok("backup", "postgresql", "full").out
    finally:
        server.set("archive_command", "/bin/true")
        subprocess.run(["rm", "-rf", str(site.directory)], check=True)


def test_logical_levels(site):
    backup = site.backup("full", "--method", "logical")
    folder = site.path(backup)
    archive = max((path for path in listed(folder, "data/") if ".dump" in path),
                  key=lambda path: (folder / path).stat().st_size)
    deep = verify(site, backup, "deep")
    assert deep["counts"]["archives"] == deep["counts"]["archives_read"] > 0
    assert {table["result"] for table in deep["tables"]} == {"not counted"}
    plain = subprocess.run(["zstd", "-dc", str(folder / archive)], check=True, stdout=subprocess.PIPE).stdout
    broken = plain.replace(b"PGDMP", b"PGDMQ", 1)
    packed = subprocess.run(["zstd", "-c"], input=broken, check=True, stdout=subprocess.PIPE).stdout
    with Forged(folder, archive, 0, packed):
        # The manifest knows the stored size: one of another is found by the first look already.
        verify(site, backup, "structure", 3)


# --- TDengine ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tdengine():
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    made = tdserver.Server()
    yield made
    made.remove()


@pytest.fixture
def market(tdengine, tmp_path):
    made = tdserver.Holdfast(tmp_path, tdengine, pgcluster.PROGRAM)
    tdengine.sql("CREATE DATABASE market VGROUPS 1 BUFFER 8 KEEP 36500d")
    tdengine.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, size SMALLINT, note NCHAR(20), "
                 "raw VARBINARY(20), fine BOOL) TAGS (symbol VARCHAR(10))")
    for table in range(5):
        rows = " ".join(f"({1700000000000 + row}, {row / 7 if row % 3 else 'NULL'}, {row - 50}, "
                        f"{'NULL' if row % 5 == 0 else chr(39) + '号' * (row % 7) + chr(39)}, '\\x{row:04x}', "
                        f"{'true' if row % 2 else 'false'})" for row in range(100))
        tdengine.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('s{table}') VALUES {rows}")
    tdengine.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    tdengine.sql("INSERT INTO market.plain VALUES (1700000000000, 1) (1700000000001, NULL)")
    yield made
    tdengine.drop_all()


def td_verify(holdfast, backup, level, status=0):
    return report(holdfast.run("verify", backup["id"], f"--{level}", "--json", status=status))


def test_tdengine_levels(market):
    backup = market.backup()
    assert backup["verify"]["result"] == "good" and backup["verify"]["counts"]["parquet_pages"] > 0
    folder = market.folder(backup)
    deep = td_verify(market, backup, "deep")
    slices = [one for one in market.slices(backup) if one["rows"] > 0]
    assert deep["counts"]["rows_decoded"] == 502 and deep["counts"]["fingerprints"] == deep["counts"]["slices"]
    assert {(one["table"], one["rows"], one["found"], one["result"]) for one in deep["tables"]} == {
        ("market.ticks", 500, 500, "good"), ("market.plain", 2, 2, "good")}
    assert {one["result"] for one in td_verify(market, backup, "structure")["tables"]} == {"not read"}
    digest = next(one["data"]["sha256"] for one in slices if one["table"] == "ticks")
    path = f"../../pool/{digest[:2]}/{digest}"
    # A page's bytes, the footer's last: both are structure.
    for offset in (60, -1):
        with Forged(folder, path, offset):
            td_verify(market, backup, "objects")
            [damage] = td_verify(market, backup, "structure", 3)["damage"]
            assert damage["object"] == path and "market.ticks" in damage["belongs_to"]
            td_verify(market, backup, "deep", 3)


def test_tdengine_fingerprints(market):
    """Rows that are whole by every checksum and are not those that were backed up."""
    backup = market.backup()
    folder = market.folder(backup)
    slices = market.slices(backup)
    one = next(one for one in slices if one["table"] == "ticks")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    name = "details-slices.jsonl.zst"
    text = subprocess.check_output(["zstd", "-dcq", folder / name])
    wrong = one["fingerprint"][:-1] + ("0" if one["fingerprint"][-1] != "0" else "1")
    text = text.replace(one["fingerprint"].encode(), wrong.encode())
    packed = subprocess.run(["zstd", "-cq"], input=text, check=True, stdout=subprocess.PIPE).stdout
    for entry in manifest["objects"]:
        if entry["path"] == name:
            entry["size"], entry["sha256"] = len(packed), hashlib.sha256(packed).hexdigest()
    with Forged(folder, name, 0, packed), Forged(folder, "manifest.json", 0, json.dumps(manifest).encode()):
        td_verify(market, backup, "structure")
        told = td_verify(market, backup, "deep", 3)
        assert any("fingerprint" in damage["problem"] for damage in told["damage"])
        assert {one["table"]: one["result"] for one in told["tables"]} == {
            "market.ticks": "damaged", "market.plain": "good"}
