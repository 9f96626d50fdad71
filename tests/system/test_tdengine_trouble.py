# SPDX-License-Identifier: Apache-2.0
"""Holdfast and a TDengine that misbehaves on demand, or is old: always the stand-in, whatever else is there."""
import json

import pytest

import pgcluster
import tdserver
from test_standin import Talk, start, stop, trouble
from test_tdengine_restore import large_table

ROWS = [f"INSERT INTO d.c{table} USING d.st TAGS ({table}) VALUES " +
        "".join(f"({1700000000000 + row}, {row}, 's{row}')" for row in range(50)) for table in range(4)]
STATEMENTS = ["CREATE DATABASE d VGROUPS 1 KEEP 36500d", "CREATE STABLE d.st (ts TIMESTAMP, v INT, s VARCHAR(8)) TAGS (g INT)",
              *ROWS, "CREATE TABLE d.plain (ts TIMESTAMP, v INT)", "INSERT INTO d.plain VALUES (1700000000000, 1)(1, 2)"]


class Server:
    """A stand-in with some rows."""

    def __init__(self):
        self.process = start()
        self.url = self.process.url
        self.talk = Talk(self.url)
        self.talk.must("conn", user="root", password="taosdata")
        for statement in STATEMENTS:
            self.talk.must("query", sql=statement)

    def trouble(self, **settings):
        trouble(self.url, **settings)


@pytest.fixture
def server():
    made = Server()
    yield made
    stop(made.process)


@pytest.fixture
def holdfast(server, tmp_path):
    return tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM)


def restore(holdfast, manifest, *arguments, status=0):
    return holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], *arguments, status=status)


def test_rows_that_are_lost(server, holdfast):
    """The server says that it took every row: only counting tells. The status is 3, the tables are named, and what came
    of it is never taken for whole."""
    manifest = holdfast.backup()
    server.trouble(lose_rows=True)
    told = restore(holdfast, manifest, "--to-database", "copy", status=3).stderr.decode()
    assert "c0 has 49 rows instead of 50" in told and "holdfast_restore_in_progress" in told
    # A difference that is allowed is told all the same.
    report = json.loads(restore(holdfast, manifest, "--to-database", "near", "--databases", "d", "--tables", "st",
                                "--tolerance", "5%", "--json").stdout)
    assert len(report["summary"]["differences"]) == 4
    server.trouble()
    plan = json.loads(restore(holdfast, manifest, "--to-database", "copy", "--dry-run", "--json").stdout)
    assert any("left half made" in step for step in plan["steps"])
    restore(holdfast, manifest, "--to-database", "copy", "--deep")


def test_rows_that_are_refused(server, holdfast):
    manifest = holdfast.backup()
    server.trouble(refuse_rows=True)
    told = restore(holdfast, manifest, "--to-database", "copy", status=1).stderr.decode()
    assert "0x060B" in told and "cannot mark database copy" in told
    server.trouble()
    restore(holdfast, manifest, "--to-database", "copy", "--deep")


def test_an_option_that_cannot_be_set_back(server, holdfast):
    """All rows are there, and one option is another: a warning."""
    for statement in large_table():
        server.talk.must("query", sql=statement)
    manifest = holdfast.backup("--databases", "large")
    server.trouble(refuse_alter="stt_trigger")
    report = json.loads(restore(holdfast, manifest, "--to-database", "copy", "--json").stdout)
    [told] = [text for text in report["warnings"] if "STT_TRIGGER" in text]
    assert "of database copy could not be set back to 3" in told and report["summary"]["rows"] == 600


def ends(server, tmp_path, timeout, **settings):
    """A server that ends at a point, and does not come back within the source's timeout."""
    holdfast = tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM, f"timeout = {timeout}\n")
    manifest = holdfast.backup()
    server.trouble(**settings)
    return holdfast, manifest


@pytest.mark.parametrize("blocks", (0, 1, 3))
def test_a_server_that_ends_during_a_backup(server, tmp_path, blocks):
    holdfast, manifest = ends(server, tmp_path, "1s", end_after_blocks=blocks)
    assert server.url.rpartition("/")[2].encode() in holdfast.run("backup", "tdengine", "full", status=5).stderr
    assert server.process.wait(60) == 0
    assert [one["id"] for one in json.loads(holdfast.run("list", "backups", "--json").stdout)] == [manifest["id"]]
    holdfast.run("verify", "--all")


@pytest.mark.parametrize("writes", (0, 1))
def test_a_server_that_ends_during_a_restore(server, tmp_path, writes):
    holdfast, manifest = ends(server, tmp_path, "1s", end_after_writes=writes)
    restore(holdfast, manifest, "--to-database", "copy", status=5)
    assert server.process.wait(60) == 0


def test_a_drill_that_loses_rows(server, holdfast):
    holdfast.backup()
    server.trouble(lose_rows=True)
    holdfast.run("drill", "market", status=3)
    server.trouble()
    answer = server.talk.blocks("SELECT name FROM information_schema.ins_databases")
    assert b"holdfast_drill" not in b"".join(answer[1])


def test_an_expired_token(server, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret-token\n")
    secret.chmod(0o600)
    holdfast = tdserver.Holdfast(tmp_path / "cloud", server, pgcluster.PROGRAM, f"token_file = {secret}\n")
    assert holdfast.backup()["row_count"] == 202
    server.trouble(refuse_token=True)
    for command in (("backup", "tdengine", "full"), ("backup", "tdengine", "incremental")):
        done = holdfast.run(*command, status=1)
        assert b"HTTP status 401" in done.stderr and b"it may have expired" in done.stderr
        assert b"s3cret" not in done.stderr + done.stdout
    assert b"it may have expired" in holdfast.run("check", status=1).stdout


def test_an_old_server(server, holdfast):
    """What it lacks is told or left out; everything else is as ever, also from a newer server and back."""
    newer = holdfast.backup()
    server.trouble(old=True)
    assert b"3.0.7.1" in holdfast.run("check").stdout
    manifest = holdfast.backup()
    assert manifest["row_count"] == 202 and holdfast.details(manifest)["server"]["version"].startswith("3.0.7.1")
    assert any("views are not in the backup" in warning for warning in manifest["warnings"])
    [database] = holdfast.details(manifest)["databases"]
    assert [group["applied"] for group in database["vgroups"]] == [-1]
    restore(holdfast, manifest, "--to-database", "copy", "--deep")
    report = json.loads(restore(holdfast, newer, "--to-database", "older", "--deep", "--json").stdout)
    assert any("ss_compact" in text.lower() for text in report["warnings"])
    assert any("ENCODE, COMPRESS and LEVEL" in text for text in report["warnings"])
    server.trouble()
    restore(holdfast, manifest, "--to-database", "newer", "--deep")
