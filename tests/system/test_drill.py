# SPDX-License-Identifier: Apache-2.0
"""Drills: restored, looked at, timed, and gone without a trace; and one that fails says so."""
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import physical
from test_physical_restore import now
from test_tdengine_restore import iso
from test_verify import flip, listed, market, server, site, tdengine  # noqa: F401  (fixtures)


def scratch(site):
    """What a drill could leave: it runs as the server's account, so its folder is in the state directory."""
    place = site.directory / "state" / "scratch"
    return set(place.iterdir()) if place.exists() else set()


def records(site):
    return [json.loads(path.read_text()) for path in sorted((site.repository / "records").glob("*-drill-*"))]


def test_physical(site, server):
    site.backup()
    server.psql("DROP TABLE IF EXISTS late; CREATE TABLE late AS SELECT 1 AS one")
    physical.archive_now(site)
    before = scratch(site)
    told = site.ok("drill", "main", "--json").json
    assert told["result"] == "succeeded" and told["summary"]["amcheck"] == "passed"
    found = {one["table"]: one["found"] for one in told["summary"]["tables"]}
    assert found["postgres.public.trades"] == 40000 and found["postgres.public.late"] == 1
    assert 0 < told["seconds"] < told["total_seconds"]
    assert scratch(site) == before
    [record] = records(site)
    assert record["result"] == "succeeded" and record["id"] == told["record"]
    objective = site.run("objectives", "--json").json[0]
    assert objective["last"]["drill"]["result"] == "succeeded"
    assert objective["rto"]["measured_by"] == "drill"


def test_a_moment(site, server):
    """What came behind the moment is not there: the drill has gone to it, and no further."""
    site.backup()
    server.psql("DROP TABLE IF EXISTS early, late; CREATE TABLE early AS SELECT 1 AS one")
    moment = now(server)
    server.psql("CREATE TABLE late AS SELECT 1 AS one; DELETE FROM trades")
    physical.archive_now(site)
    before = scratch(site)
    told = site.ok("drill", "main", "--target-time", moment, "--json").json
    assert told["result"] == "succeeded" and told["summary"]["amcheck"] == "passed"
    found = {one["table"]: one["found"] for one in told["summary"]["tables"]}
    assert found["postgres.public.trades"] == 40000 and found["postgres.public.early"] == 1
    assert "postgres.public.late" not in found
    assert scratch(site) == before
    assert records(site)[-1]["result"] == "succeeded"
    site.fails(1, "drill", "main", "--target-time", "2001-01-01 00:00:00Z")
    site.fails(2, "drill", "main", "--target-time", "soon")
    server.psql("DROP TABLE early, late; INSERT INTO trades SELECT g, md5(g::text) FROM generate_series(1, 40000) g")


def test_a_damaged_backup_fails_the_drill(site):
    backup = site.backup()
    folder = site.path(backup)
    for pack in listed(folder, "../../pool/"):
        flip(folder / pack, os.path.getsize(folder / pack) // 3)
    before = scratch(site)
    result = site.fails(3, "drill", "main", "--backup-id", backup["id"])
    assert "restored in" not in result.out
    assert scratch(site) == before
    assert records(site)[-1]["result"] == "failed"
    assert site.run("objectives", "--json").json[0]["last"]["drill"]["result"] == "failed"
    site.fails(1, "drill", "nowhere")
    site.fails(2, "drill")


ORDER = """CREATE OR REPLACE FUNCTION ordered(a int, b int) RETURNS int LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN %s END $$;"""


@pytest.fixture
def ordered(server):
    """A table whose index is ordered by a function that the test can change, so that pg_amcheck gets to see what it wants."""
    server.psql(ORDER % "RETURN btint4cmp(a, b);" + """
        CREATE OPERATOR CLASS ordered_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =,
            OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 ordered(int, int);
        CREATE TABLE shelf AS SELECT g AS id FROM generate_series(1, 300) g; CREATE INDEX shelf_order ON shelf (id ordered_ops);""")
    yield server
    server.psql("DROP TABLE shelf; DROP OPERATOR FAMILY ordered_ops USING btree; DROP FUNCTION ordered(int, int)")


def rto(site):
    objective = site.run("objectives", "--json").json[0]
    return objective["last"]["drill"]["result"], objective["rto"]["state"], [
        one["reason"] for one in objective["findings"] if "the last drill" in one["reason"]]


def test_what_pg_amcheck_finds(site, ordered):
    """An index that is not in the order of its function, and so was in the source: damage, in the words of the program."""
    ordered.psql(ORDER % "RETURN btint4cmp(b, a);")
    backup = site.backup()
    failed = site.fails(3, "drill", "main", "--backup-id", backup["id"])
    assert "pg_amcheck found damage" in failed.err and "shelf_order" in failed.err
    assert records(site)[-1]["result"] == "failed" and records(site)[-1]["code"] == "damaged"
    result, state, [reason] = rto(site)
    assert (result, state) == ("failed", "missed") and "shelf_order" in reason


def test_stopped_while_it_is_checked(site, ordered):
    """pg_amcheck that was stopped has found nothing."""
    ordered.psql(ORDER % "PERFORM pg_sleep(1); RETURN btint4cmp(a, b);")
    site.backup()
    drill = subprocess.Popen(site.command("drill", "main"), stderr=subprocess.PIPE, text=True, cwd="/")
    while subprocess.run(["pgrep", "-P", str(physical.program_of(drill)), "-x", "pg_amcheck"],
                         stdout=subprocess.DEVNULL).returncode:
        assert drill.poll() is None
        time.sleep(0.05)
    os.kill(physical.program_of(drill), signal.SIGTERM)
    _, err = drill.communicate(timeout=60)
    assert drill.returncode == 1, err
    assert "cancelled" in err and "damage" not in err
    assert records(site)[-1]["result"] == "cancelled"
    result, state, reasons = rto(site)
    assert result == "cancelled" and reasons == []


CLOSED_TMP = """
place=$(mktemp -d /var/tmp/hf-saved-XXXXXX)
mount --make-rprivate / && mount --bind "$1" "$place" && mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp &&
    mount --bind "$place" "$1" || exit 77
umount "$place" && rmdir "$place"
shift
exec "$@"
"""


def test_the_common_place_of_sockets_is_closed(site, server):
    """Nobody can write to /tmp: the private server has its socket elsewhere."""
    if os.geteuid() != 0:
        pytest.skip("only root can close /tmp")
    site.backup()
    physical.archive_now(site)
    command = site.command("drill", "main", "--json")
    done = subprocess.run(["unshare", "-m", "sh", "-c", CLOSED_TMP, "sh", str(server.root), *command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, cwd="/")
    if done.returncode == 77:
        pytest.skip("nothing can be mounted here")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == "succeeded"


def test_logical_with_tablespaces(site, server):
    """They are made inside the scratch cluster: the places of the source's host are not touched."""
    place = server.root / "fast \"one\""
    place.mkdir()
    if os.geteuid() == 0:
        shutil.chown(place, "postgres", "postgres")
    server.psql(f"CREATE TABLESPACE \"Fast one\" LOCATION '{place}';"
                "CREATE TABLE on_fast TABLESPACE \"Fast one\" AS SELECT 1 AS a;"
                "CREATE DATABASE all_fast TABLESPACE \"Fast one\"")
    backup = site.backup("full", "--method", "logical")
    there = sorted(path.name for path in place.rglob("*"))
    told = site.ok("drill", "main", "--backup-id", backup["id"], "--json").json
    tables = {one["table"]: (one["expected"], one["found"]) for one in told["summary"]["tables"]}
    assert tables["postgres.public.on_fast"] == (1, 1)
    assert sorted(path.name for path in place.rglob("*")) == there


def test_logical(site):
    backup = site.backup("full", "--method", "logical")
    before = scratch(site)
    told = site.ok("drill", "main", "--backup-id", backup["id"], "--json").json
    assert told["summary"]["amcheck"] == "passed"
    tables = {one["table"]: (one["expected"], one["found"]) for one in told["summary"]["tables"]}
    assert tables["postgres.public.trades"] == (40000, 40000)
    assert scratch(site) == before


@pytest.fixture
def small():
    """A disk of 20 MB, where the server's account gets to."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="hf-small-", dir="/tmp"))
    place.chmod(0o755)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)],
                                           stderr=subprocess.DEVNULL).returncode:
        place.rmdir()
        pytest.skip("no tmpfs can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)
    place.rmdir()


def test_space_is_checked_before(site, small):
    """Nothing is unpacked, and no server is made, where it would not fit."""
    shutil.chown(small, "postgres", "postgres")
    site.config.write_text(site.config.read_text().replace(f"state_directory = {site.directory}/state",
                                                           f"state_directory = {small}"))
    for method in ("physical", "logical"):
        backup = site.backup("full", "--method", method)
        refused = site.fails(1, "drill", "main", "--backup-id", backup["id"])
        assert "are free" in refused.err and str(small) in refused.err
        assert list((small / "scratch").iterdir()) == []
        assert records(site)[-1]["result"] == "failed" and records(site)[-1]["code"] == "no-space"
        # That says nothing of a recovery.
        result, state, [reason] = rto(site)
        assert (result, state) == ("failed", "at risk") and reason.startswith("the last drill was not carried out: ")


def test_space_of_tdengine_is_checked_before(tdengine, market, small):
    backup = market.backup()
    text = market.config.read_text()
    try:
        market.config.write_text(text.replace("engine = tdengine\n", f"engine = tdengine\ndata_directory = {small}\n"))
        refused = market.run("drill", "market", "--backup-id", backup["id"], status=1)
        assert b"are free" in refused.stderr and str(small).encode() in refused.stderr
        names = {row[0] for row in tdengine.sql("SELECT name FROM information_schema.ins_databases")}
        assert not any(name.startswith("holdfast_drill_") for name in names)
    finally:
        market.config.write_text(text)


def test_tdengine(tdengine, market):
    market.backup()
    told = json.loads(market.run("drill", "market", "--json").stdout)
    assert told["result"] == "succeeded" and told["summary"]["fingerprints"] == "compared"
    assert {one["table"]: (one["expected"], one["found"]) for one in told["summary"]["tables"]} == {
        "market.ticks": (500, 500), "market.plain": (2, 2)}
    assert any("free space is not known" in text for text in told["warnings"])
    names = {row[0] for row in tdengine.sql("SELECT name FROM information_schema.ins_databases")}
    assert "market" in names and not any(name.startswith("holdfast_drill_") for name in names)


def test_a_moment_of_tdengine(tdengine, market):
    """A state, and behind it rows of the next backup: those are told, and nothing is said to be compared that was not."""
    state = market.backup()["stop"]
    told = json.loads(market.run("drill", "market", "--target-time", state, "--json").stdout)
    assert told["result"] == "succeeded" and told["summary"]["fingerprints"] == "compared"
    assert {one["table"]: one["found"] for one in told["summary"]["tables"]} == {"market.ticks": 500, "market.plain": 2}
    tdengine.sql("INSERT INTO market.plain VALUES (NOW, 7)")
    time.sleep(0.05)
    target = time.time()
    time.sleep(0.05)
    tdengine.sql("INSERT INTO market.plain VALUES (NOW, 8)")
    market.backup()
    told = json.loads(market.run("drill", "market", "--target-time", iso(target), "--json").stdout)
    assert told["result"] == "succeeded" and told["summary"]["filled"] == 1
    # Counted and compared was the state; what came behind it was counted only.
    assert told["summary"]["fingerprints"] == "compared in part" and "checked" not in told["summary"]
    assert {one["table"]: (one["expected"], one["found"]) for one in told["summary"]["tables"]} == {
        "market.ticks": (500, 500), "market.plain": (2, 2)}
    assert 0 < told["seconds"] < told["total_seconds"]
    assert not any(row[0].startswith("holdfast_drill_")
                   for row in tdengine.sql("SELECT name FROM information_schema.ins_databases"))


def test_a_killed_drill_of_tdengine(tdengine, market):
    """What it left is no data, and goes with the next drill; what one that is alive makes stays."""
    host = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
    names = lambda: {row[0] for row in tdengine.sql("SELECT name FROM information_schema.ins_databases")
                     if row[0].startswith("holdfast_drill_")}
    market.backup()
    with subprocess.Popen(["sleep", "600"]) as alive:
        began = pathlib.Path(f"/proc/{alive.pid}/stat").read_text().rpartition(")")[2].split()[19]
        busy = f"holdfast_drill_{host}_{alive.pid}_{began}_abcd_0"
        others = f"holdfast_drill_00000000_{alive.pid}_{began}_abcd_0"
        for name in (busy, others):
            tdengine.sql(f"CREATE DATABASE {name} VGROUPS 1 BUFFER 8")
            tdengine.sql(f"CREATE TABLE {name}.t (ts TIMESTAMP, v INT)")
        told = json.loads(market.run("drill", "market", "--json").stdout)
        assert names() == {busy, others} and not any("left it" in text for text in told["warnings"])
        assert [one["name"] for one in market.details(market.backup())["databases"]] == ["market"]
        alive.kill()
    told = json.loads(market.run("drill", "market", "--json").stdout)
    assert names() == {others} and any(f"{busy} was dropped" in text for text in told["warnings"])
    # Real ones, killed when theirs is there.
    for _ in range(2):
        drill = subprocess.Popen([market.program, "drill", "market", "--config", str(market.config)],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while drill.poll() is None and not any(f"_{drill.pid}_" in name for name in names()):
            pass
        drill.kill()
        drill.wait()
    # A server may still be busy with the making when the next one looks: then the one after that finds it.
    for _ in range(10):
        market.run("drill", "market")
        if names() == {others}:
            break
    assert names() == {others}
