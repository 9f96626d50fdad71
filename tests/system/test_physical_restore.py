# SPDX-License-Identifier: Apache-2.0
"""Physical restores of PostgreSQL on real servers, judged by pg_verifybackup, pg_amcheck and the server itself."""
import json
import os
import pathlib
import pwd
import re
import shlex
import shutil
import subprocess
import time

import pytest

from physical import SUM, Site, archive_now, as_server_user, fill, kill_program
from pgcluster import PROGRAM, Result, wait_until
from rest import Rest
from restored import Restored


@pytest.fixture
def restored(site, closing):
    return closing(Restored(site))


def now(cluster):
    """The server's clock, and a moment after it passes."""
    text = cluster.value("postgres", "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                         "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    time.sleep(0.05)
    return text


def owned_directory(path):
    path.mkdir()
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
    return path


# --- the backup's own state ------------------------------------------------------------------------------------------


def test_full_comes_up_without_the_repository(server, site, restored):
    fill(server)
    expected = server.value("postgres", SUM)
    backup = site.backup()
    server.psql("DELETE FROM trades WHERE id < 100")
    archive_now(site)
    result = restored.full(backup)
    assert str(restored.data) in result.out
    site.repository.rename(site.directory / "away")
    restored.verify().promoted()
    assert restored.value(SUM) == expected
    assert restored.value("SELECT timeline_id FROM pg_control_checkpoint()") in ("1", "2")
    assert restored.value("SELECT pg_walfile_name(pg_current_wal_lsn())")[:8] == "00000002"
    restored.amcheck()


def test_incremental_and_tablespaces(server, site, restored):
    place = owned_directory(server.root / "space")
    fill(server)
    server.psql(f"CREATE TABLESPACE fast LOCATION '{place}';"
                "CREATE TABLE elsewhere TABLESPACE fast AS SELECT * FROM trades;"
                "CREATE UNLOGGED TABLE forgetful AS SELECT * FROM trades;")
    oid = server.value("postgres", "SELECT oid FROM pg_tablespace WHERE spcname = 'fast'")
    site.backup()
    server.psql("UPDATE trades SET text = 'changed' WHERE id % 50 = 0")
    expected = server.value("postgres", SUM)
    backup = site.backup("incremental")
    refused = restored.full(backup, status=1)
    assert str(place) in refused.err and "--tablespace" in refused.err
    assert not restored.data.exists()
    new = restored.root / "space"
    result = restored.full(backup, "--tablespace", f"{place}={new}", "--tablespace", f"nothing={new}2")
    assert "nothing" in result.err
    assert os.readlink(restored.data / "pg_tblspc" / str(oid)) == str(new)
    restored.verify().promoted()
    assert restored.value(SUM) == expected
    assert restored.value("SELECT count(*) FROM elsewhere") == "20000"
    assert restored.value("SELECT count(*) FROM forgetful") == "0"
    restored.amcheck()


def test_symlinked_wal(server, site, restored):
    fill(server, 100)
    server.stop("fast")
    wal = server.root / "wal"
    (server.data / "pg_wal").rename(wal)
    (server.data / "pg_wal").symlink_to(wal)
    server.start()
    backup = site.backup()
    refused = restored.full(backup, status=1)
    assert "--wal-directory" in refused.err
    restored.full(backup, "--wal-directory", str(restored.root / "wal"))
    assert os.readlink(restored.data / "pg_wal") == str(restored.root / "wal")
    restored.verify().promoted()
    assert restored.value("SELECT count(*) FROM trades") == "100"


# --- points in time --------------------------------------------------------------------------------------------------


@pytest.fixture
def history(server, site):
    """A backup and what came after it: name -> target and the sum that belongs to it."""
    fill(server, 2000)
    points = {"backup": site.backup()}
    sums = {}
    for number in range(5):
        server.psql(f"UPDATE trades SET text = 'round {number}' WHERE id % 5 = {number}")
        if number == 2:
            server.psql("SELECT pg_create_restore_point('before it happened')")
            points["name"] = "before it happened"
            points["lsn"] = server.value("postgres", "SELECT pg_current_wal_lsn()")
        if number == 3:
            points["xid"] = str(server.sql("postgres", "DELETE FROM trades WHERE id = 1; "
                                           "SELECT 1")[0][0])
            connection = server.connect()
            connection.autocommit = False
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM trades WHERE id = 2")
                cursor.execute("SELECT txid_current()")
                points["xid"] = str(cursor.fetchone()[0])
            connection.commit()
            connection.close()
        points[f"time {number}"] = now(server)
        sums[number] = server.value("postgres", SUM)
    archive_now(site)
    return points, sums


def test_time(history, restored):
    points, sums = history
    result = restored.pitr("--target-time", points["time 1"], "--json").json
    assert result["summary"]["backup"] == points["backup"]["id"]
    assert "newest" in result["summary"]["reason"]
    restored.verify().paused()
    # The small executable, which starts fast, and not the whole program.
    assert shlex.split(restored.value("SHOW restore_command"))[0] == str(PROGRAM)
    assert restored.value(SUM) == sums[1]
    restored.value("SELECT pg_wal_replay_resume()")
    restored.wait(lambda: not restored.value("SELECT pg_is_in_recovery()"), 30)
    assert restored.value(SUM) == sums[1]
    restored.amcheck()


@pytest.mark.parametrize("kind, number", [("name", 2), ("lsn", 2), ("xid", 3)])
def test_other_targets(history, restored, kind, number):
    points, sums = history
    restored.pitr(f"--target-{kind}", points[kind], "--target-action", "promote")
    restored.verify().promoted()
    assert restored.value(SUM) == sums[number]


def test_exclusive(history, restored):
    points, sums = history
    restored.pitr("--target-xid", points["xid"], "--target-exclusive", "--target-action", "promote")
    restored.promoted()
    assert restored.value("SELECT count(*) FROM trades WHERE id = 2") == "1"


def test_immediate_and_latest(history, restored):
    points, sums = history
    restored.pitr("--target-immediate")
    restored.verify().paused()
    assert restored.value("SELECT count(*) FROM trades WHERE text LIKE 'round%'") == "0"
    restored.stop()
    restored.pitr("--target-latest", "--delta")
    restored.verify().promoted()
    assert restored.value(SUM) == sums[4]


def test_behind_the_last_commit(history, server, restored):
    """Where all WAL of the running server is archived, now is the latest state, and can be paused at."""
    points, sums = history
    result = restored.pitr("--target-time", points["time 4"], "--json").json
    assert any("latest state" in step for step in result["steps"])
    restored.paused()
    assert restored.value(SUM) == sums[4]
    restored.stop()
    server.psql("CREATE TABLE more AS SELECT 1")
    assert "last commit" in restored.pitr("--target-time", now(server), "--delta", status=1).err


def test_unreachable_targets(history, site, restored):
    points, _ = history
    before = restored.pitr("--target-time", "2020-01-01T00:00:00Z", status=1)
    assert "before the end of the backup" in before.err
    behind = restored.pitr("--target-time", "2099-01-01T00:00:00Z", status=1)
    assert "last commit" in behind.err
    # Both read the archive's end, and tell the same window.
    windows = [re.search(r"any moment from .* can be reached", each.err) for each in (before, behind)]
    assert windows[0] and windows[1] and windows[0][0] == windows[1][0], (before, behind)
    assert "restore point nowhere" in restored.pitr("--target-name", "nowhere", status=1).err
    assert "before the end" in restored.pitr("--target-lsn", "0/1", status=1).err
    restored.pitr("--target-lsn", "F/FF000000", status=1)
    restored.pitr("--target-xid", "1000000", status=1)
    restored.pitr(status=2)
    restored.pitr("--target-latest", "--target-immediate", status=2)
    restored.pitr("--target-latest", "--target-timeline", "7", status=1)
    assert not restored.data.exists()


def test_gap(server, site, restored):
    fill(server, 100)
    site.backup()
    server.psql("INSERT INTO trades VALUES (1001, 'one')")
    first = now(server)
    archive_now(site)
    server.psql("INSERT INTO trades VALUES (1002, 'two')")
    lost = server.value("postgres", "SELECT pg_walfile_name(pg_current_wal_lsn())")
    archive_now(site)
    server.psql("INSERT INTO trades VALUES (1003, 'three')")
    second = now(server)
    server.psql("INSERT INTO trades VALUES (1004, 'four')")
    archive_now(site)
    (path,) = site.repository.glob(f"wal/*/*/*/*/{lost}")
    path.unlink()
    refused = restored.pitr("--target-time", second, status=1)
    assert lost in refused.err and "lacks" in refused.err
    site.backup()
    server.psql("INSERT INTO trades VALUES (1005, 'five')")
    archive_now(site)
    restored.pitr("--target-latest").out
    restored.promoted()
    assert restored.value("SELECT count(*) FROM trades WHERE id > 1000") == "5"


def test_newest_backup_is_chosen(server, site, restored):
    fill(server, 100)
    first = site.backup()
    moment = now(server)
    server.psql("INSERT INTO trades VALUES (1001, 'one')")
    second = site.backup()
    later = now(server)
    server.psql("INSERT INTO trades VALUES (1002, 'two')")
    archive_now(site)
    plan = restored.pitr("--target-time", moment, "--dry-run", "--json").json
    assert plan["summary"]["backup"] == first["id"] and "passed over" in plan["summary"]["reason"]
    plan = restored.pitr("--target-time", later, "--dry-run", "--json").json
    assert plan["summary"]["backup"] == second["id"]
    assert plan["summary"]["bytes"] > 1000000 and plan["summary"]["packs"] > 0
    assert not restored.data.exists()
    named = restored.pitr("--target-time", moment, "--backup-id", second["id"], status=1)
    assert "before the end" in named.err


def test_the_expected_time_is_measured_or_said_to_be_assumed(server, site, restored):
    fill(server, 100)
    backup = site.backup()
    guess = restored.full(backup, "--dry-run", "--json").json
    assert guess["summary"]["expected"]["basis"] == "assumed" and "are assumed" in guess["steps"][-1]
    restored.full(backup)
    plan = restored.full(backup, "--delta", "--dry-run", "--json").json
    expected = plan["summary"]["expected"]
    assert (expected["basis"], expected["restores"]) == ("measured", 1)
    assert expected["seconds"] > 0 and expected["rate"] > 0 and "were measured" in plan["steps"][-1]


# --- timelines -------------------------------------------------------------------------------------------------------


def test_timelines(server, site, closing):
    fill(server, 100)
    site.backup()
    server.psql("INSERT INTO trades VALUES (1001, 'kept')")
    branch = now(server)
    server.psql("INSERT INTO trades VALUES (1002, 'left behind')")
    old = now(server)
    server.psql("INSERT INTO trades VALUES (1003, 'left behind')")
    archive_now(site)
    server.stop("fast")
    second = closing(Restored(site))
    second.pitr("--target-time", branch, "--target-action", "promote")
    second.start(archive=True)
    second.wait(lambda: not second.value("SELECT pg_is_in_recovery()"), 60)
    second.value("INSERT INTO trades VALUES (1004, 'new timeline')")
    time.sleep(0.05)
    moment = second.value("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', "
                          "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    time.sleep(0.05)
    second.value("INSERT INTO trades VALUES (1005, 'new timeline')")
    segment = second.value("SELECT pg_walfile_name(pg_switch_wal())")
    assert segment.startswith("00000002")
    assert wait_until(lambda: list(site.repository.glob(f"wal/*/*/*/*/{segment}")))
    second.stop()
    ids = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM trades WHERE id > 1000"
    behind = closing(Restored(site))
    behind.pitr("--target-time", moment, "--target-action", "promote")
    behind.verify().promoted()
    assert behind.value(ids) == "1001 1004"
    ancestor = closing(Restored(site))
    ancestor.pitr("--target-time", old, "--target-timeline", "1", "--target-action", "promote")
    ancestor.promoted()
    assert ancestor.value(ids) == "1001 1002"
    # A promotion takes a number that nobody has had.
    assert ancestor.value("SELECT pg_walfile_name(pg_current_wal_lsn())")[:8] == "00000003"
    latest = closing(Restored(site))
    result = latest.pitr("--target-latest")
    assert "--target-timeline 1 follows it" in result.err
    latest.promoted()
    assert latest.value(ids) == "1001 1004 1005"
    # The old server goes on beside the others: a backup of it is not on the way to the latest.
    latest.stop()
    server.start()
    site.backup()
    aside = closing(Restored(site))
    assert "hint: --target-timeline 1 follows the timeline of the backup" in aside.pitr(
        "--target-time", now(server), status=1).err
    aside.pitr("--target-latest", "--target-timeline", "1")
    aside.promoted()
    assert aside.value(ids) == "1001 1002 1003"


def test_an_archive_that_began_after_a_promotion(server, closing):
    """It has no history file of the server's timeline. And the server is as Debian has them, its configuration elsewhere."""
    server.stop("fast")
    (server.data / "standby.signal").touch()
    elsewhere = server.root / "elsewhere.conf"
    shutil.copy(server.data / "postgresql.conf", elsewhere)
    elsewhere.chmod(0o644)
    server.settings.append(f"config_file={elsewhere}")
    server.start()
    server.psql("SELECT pg_promote()")
    server.set("archive_command", "true")
    assert wait_until((server.data / "pg_wal/archive_status/00000002.history.done").exists)
    site = Site(server)
    restored = closing(Restored(site))
    fill(server, 100)
    site.backup()
    server.psql("DELETE FROM trades WHERE id < 10")
    archive_now(site)
    assert not list(site.repository.glob("wal/*/*/*/00000002.history*"))
    result = restored.pitr("--target-latest")
    assert f"-c config_file={elsewhere} -c data_directory={restored.data}" in result.out
    restored.verify().promoted()
    assert restored.value("SELECT count(*) FROM trades") == "91"


# --- over what is there ----------------------------------------------------------------------------------------------


def test_delta(server, site, restored):
    fill(server)
    expected = server.value("postgres", SUM)
    backup = site.backup()
    restored.full(backup)
    restored.promoted()
    restored.value("UPDATE trades SET text = 'wrong' WHERE id % 100 = 0")
    restored.value("CREATE TABLE extra AS SELECT * FROM trades")
    restored.value("CREATE DATABASE extra")
    refused = restored.full(backup, "--delta", status=1)
    assert "runs in" in refused.err
    restored.stop()
    (restored.data / "stray").write_text("x")
    (restored.data / "base" / "stray").mkdir()
    assert "--delta" in restored.full(backup, status=1).err
    summary = restored.full(backup, "--delta", "--json").json["summary"]
    assert 0 < summary["written"] < summary["bytes"] / 2 and summary["removed"] > 2
    assert not (restored.data / "stray").exists()
    restored.verify().promoted()
    assert restored.value(SUM) == expected
    assert restored.value("SELECT count(*) FROM pg_class WHERE relname = 'extra'") == "0"
    restored.amcheck()


def test_a_place_that_cannot_be_made_is_told_by_the_plan(server, site, restored):
    backup = site.backup()
    restored.data = pathlib.Path("/holdfast-is-not-let-in/data")
    result = restored.full(backup, "--dry-run", status=1)
    assert f"cannot make {restored.data}: permission denied in /\n" in result.err
    assert f"install -d -o {pwd.getpwuid(restored.site.directory.stat().st_uid).pw_name} {restored.data}" in result.err


def test_foreign_directories(server, site, restored):
    fill(server, 100)
    backup = site.backup()
    restored.data.mkdir()
    (restored.data / "precious").write_text("do not touch")
    shutil.chown(restored.data, "postgres", "postgres") if os.geteuid() == 0 else None
    assert "not empty" in restored.full(backup, status=1).err
    assert "no data directory" in restored.full(backup, "--delta", status=1).err
    assert (restored.data / "precious").read_text() == "do not touch"
    shutil.rmtree(restored.data)
    server.run("initdb", "-D", str(restored.data), "-U", "postgres", "-A", "trust", "-N")
    refused = restored.full(backup, "--delta", status=1)
    assert "system identifier" in refused.err
    live = site.fails(1, "restore", "postgresql", "full", "--backup-id", backup["id"], "--delta",
                      "--target-directory", str(server.data))
    assert "runs in" in live.err
    assert server.value("postgres", "SELECT count(*) FROM trades") == 100


def test_stale_settings_go(server, site, restored):
    fill(server, 100)
    server.sql("postgres", "ALTER SYSTEM SET recovery_target_xid = '77'")
    server.sql("postgres", "ALTER SYSTEM SET work_mem = '7MB'")
    backup = site.backup()
    restored.full(backup)
    text = (restored.data / "postgresql.auto.conf").read_text()
    assert "recovery_target_xid" not in text and "recovery_target = 'immediate'" in text
    restored.promoted()
    assert restored.value("SHOW work_mem") == "7MB"


@pytest.fixture
def small_disk(restored):
    """A file system of its own for the target; grows when it is called."""
    place = restored.root / "disk"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)],
                                           stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    shutil.chown(place, "postgres", "postgres")
    restored.data = place / "data"
    yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)
    if (restored.data / "postmaster.pid").exists():
        restored.stop()
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_leaves_an_unfinished_directory(server, site, restored, small_disk):
    fill(server, 50000)
    expected = server.value("postgres", SUM)
    backup = site.backup()
    refused = restored.full(backup, status=1)
    assert " needs " in refused.err and "are free" in refused.err and not restored.data.exists()
    # A delta cannot know beforehand how much it needs.
    full = restored.full(backup, "--delta", status=1)
    assert re.search(r"about [0-9.]+ MiB more are needed", full.err) and "no space left" in full.err
    assert "--delta" in full.err and "unfinished" in full.err
    assert (restored.data / "holdfast.restore").exists()
    assert not (restored.data / "global" / "pg_control").exists()
    assert restored.start(check=False) != 0
    small_disk("400m")
    restored.full(backup, "--delta")
    assert not (restored.data / "holdfast.restore").exists()
    restored.verify().promoted()
    assert restored.value(SUM) == expected


# --- kills and damage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delta", [False, True])
def test_killed_and_run_again(server, site, restored, delta):
    fill(server, 100000)
    expected = server.value("postgres", SUM)
    backup = site.backup()
    if delta:
        restored.full(backup)
        restored.promoted()
        restored.value("UPDATE trades SET text = 'wrong'")
        restored.stop()
    killed = 0
    for step in range(1, 8):
        process = site.start("restore", "postgresql", "full", "--backup-id", backup["id"], "--delta",
                             "--target-directory", str(restored.data))
        time.sleep(0.03 * step)
        if process.poll() is None:
            kill_program(process)
            killed += 1
            control = (restored.data / "global" / "pg_control").exists()
            marker = (restored.data / "holdfast.restore").exists()
            if marker and not control:
                assert restored.start(check=False) != 0
        process.wait()
        process.stdout.close()
    assert killed > 0
    restored.full(backup, "--delta")
    assert not (restored.data / "holdfast.restore").exists()
    restored.verify().promoted()
    assert restored.value(SUM) == expected


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("way", ["start", "tables"])
def test_killed_with_a_private_server(server, site, restored, way):
    fill(server, 1000)
    site.backup()
    archive_now(site)
    scratch = site.directory / "state" / "scratch"
    what = {"start": ["--target-directory", str(restored.data), "--start"],
            "tables": ["--tables", "postgres.public.trades", "--to-database", "postgres", "--replace"]}[way]
    arguments = ["restore", "postgresql", "pitr", "--target-latest", *what]
    process = site.start(*arguments)
    pid_files = []

    def started():
        pid_files[:] = [path for path in [restored.data / "postmaster.pid", *scratch.glob("*/data/postmaster.pid")]
                        if path.exists() and path.read_text().count("\n") > 1]
        return pid_files or process.poll() is not None
    assert wait_until(started) and pid_files, process.communicate()[0]
    postmaster = int(pid_files[0].read_text().split()[0])
    kill_program(process)
    process.wait()
    process.stdout.close()
    # Nobody else ends it.
    assert wait_until(lambda: not is_alive(postmaster), 60)
    left = [pathlib.Path(json.loads(path.read_text())["remove"]) for path in scratch.glob("private-*.run")]
    assert len(left) == {"start": 1, "tables": 2}[way] and all(path.exists() for path in left)
    again = [*arguments, "--delta"] if way == "start" else arguments
    site.ok(*again)
    assert not any(path.exists() for path in left)
    assert not list(scratch.glob("private-*.run")) and not list(scratch.glob("holdfast-scratch-*"))


def test_repository_gone_while_recovering(history, site, restored):
    points, sums = history
    restored.pitr("--target-time", points["time 3"], "--target-action", "promote")
    site.repository.rename(site.directory / "away")
    assert restored.start(check=False) != 0
    state = subprocess.run([str(restored.bin / "pg_controldata"), str(restored.data)], check=True,
                           stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C")).stdout.decode()
    assert re.search("TimeLineID: +1\n", state) and (restored.data / "recovery.signal").exists()
    (site.directory / "away").rename(site.repository)
    restored.promoted()
    assert restored.value(SUM) == sums[3]


def test_flipped_byte(server, site, restored):
    fill(server)
    backup = site.backup()
    packs = sorted(site.repository.glob("pool/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(packs[-1].read_bytes())
    for place in range(4096, len(data), 40000):
        data[place] ^= 0x40
    packs[-1].chmod(0o640)
    packs[-1].write_bytes(data)
    refused = restored.full(backup, status=3)
    # Two workers read at once, so which of the hurt files is named first is not for the test to say.
    place = re.search(r"^holdfast: (\S+): blocks \d+ to \d+: pool/../(\S+) at byte \d+: ", refused.err, re.MULTILINE)
    assert place and place[2] == packs[-1].name, refused
    assert (server.data / place[1]).is_file(), refused
    assert restored.start(check=False) != 0
    packs[-1].unlink()
    missing_pack = restored.full(backup, "--delta", "--dry-run", status=3)
    assert packs[-1].name in missing_pack.err


# --- tables and databases --------------------------------------------------------------------------------------------


def test_tables_out_of_a_backup(server, site):
    fill(server)
    server.psql("CREATE TABLE other AS SELECT 1 AS one")
    site.backup()
    expected = server.value("postgres", SUM)
    moment = now(server)
    server.psql("DELETE FROM trades WHERE id % 2 = 0; DROP TABLE other;")
    archive_now(site)
    server.create("rescue")
    result = site.ok("restore", "postgresql", "pitr", "--target-time", moment, "--tables",
                     "postgres.public.trades", "--databases", "postgres", "--to-database", "rescue", "--json").json
    assert result["summary"]["rows"] == 20000
    assert server.value("rescue", SUM) == expected
    assert server.value("rescue", "SELECT to_regclass('other')::text") is None
    site.ok("restore", "postgresql", "pitr", "--target-time", moment, "--databases", "postgres",
            "--to-database", "whole")
    assert server.value("whole", "SELECT count(*) FROM other") == 1
    site.fails(1, "restore", "postgresql", "pitr", "--target-time", moment, "--databases", "postgres",
               "--to-database", "whole")
    assert not list((site.directory / "state").glob("**/holdfast-scratch-*"))


def test_tables_out_of_a_backup_by_request(server):
    """The scratch place is the program's own: no directory for restores needs to be listed."""
    site = Site(server, extra="[server]\nlisten = 127.0.0.1:0\n", source="asked")
    fill(server)
    expected = server.value("postgres", SUM)
    backup = site.backup()
    archive_now(site)
    server.create("rescue")
    service = Rest(site).start()
    try:
        asked = {"backup_id": backup["id"], "tables": ["postgres.public.trades"], "to_database": "rescue"}
        done = service.job("recovery/postgresql/full", asked)
        assert done["result"]["summary"]["rows"] == 20000 and server.value("rescue", SUM) == expected
        for place in (f"{site.directory}/state/scratch/mine", f"{site.directory}/elsewhere"):
            refused = service.call("POST", "recovery/postgresql/full", {"backup_id": backup["id"], "target_directory": place})
            assert refused.status == 422 and "restore_roots" in refused.json["hint"], refused
    finally:
        service.stop()


def test_only_what_is_chosen_is_read(server, site):
    """Rows of other tables may be beyond reading; partitions come with their table, heirs of plain inheritance do not."""
    server.psql("CREATE TABLE hurt AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 20000) g;"
                "CREATE TABLE days (id int) PARTITION BY RANGE (id);"
                "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (10);"
                "CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM (10) TO (20);"
                "INSERT INTO days SELECT generate_series(0, 19);"
                "CREATE TABLE base (id int); CREATE TABLE heir (more int) INHERITS (base);"
                "INSERT INTO base VALUES (1); INSERT INTO heir VALUES (2, 3);"
                "CREATE SEQUENCE counter; SELECT setval('counter', 42);"
                "CREATE TABLE counted (id bigint DEFAULT nextval('counter'));")
    path = server.data / server.value("postgres", "SELECT pg_relation_filepath('hurt')")
    server.stop("fast")
    with open(path, "r+b") as file:
        file.write(b"\xde" * 8192)
    server.start()
    backup = site.backup()
    assert backup["page_checksum_failures"]
    server.create("rescue")
    wanted = ["restore", "postgresql", "full", "--backup-id", backup["id"], "--databases", "postgres",
              "--to-database", "rescue", "--tables"]
    result = site.ok(*wanted, "public.days,public.base,public.counted", "--json").json
    assert result["summary"]["rows"] == 21
    assert server.value("rescue", "SELECT count(*) FROM ONLY days_2") == 10
    assert server.value("rescue", "SELECT count(*) FROM base") == 1
    assert server.value("rescue", "SELECT to_regclass('heir') IS NULL AND to_regclass('hurt') IS NULL")
    assert server.value("rescue", "SELECT nextval('counter')") == 43
    assert "hurt" in site.fails(1, *wanted, "public.hurt").err


def test_start(history, restored):
    points, sums = history
    summary = restored.pitr("--target-time", points["time 1"], "--target-action", "promote", "--start",
                            "--json").json["summary"]
    assert summary["state"] == "promoted" and summary["amcheck"] == "passed"
    assert not (restored.data / "postmaster.pid").exists()
    restored.start(archive=True)
    assert restored.value(SUM) == sums[1]
    # What the private server did not archive comes into the archive now.
    assert wait_until(lambda: list(restored.site.repository.glob("wal/*/*/00000002/00000002.history")))
    restored.stop()
    summary = restored.pitr("--target-time", points["time 2"], "--target-timeline", "1", "--delta", "--start",
                            "--json").json["summary"]
    assert summary["state"] == "paused" and "/" in summary["replayed_to"]


def test_standby(history, restored):
    points, sums = history
    refused = restored.site.fails(2, "restore", "postgresql", "pitr", "--target-latest", "--standby", "--start",
                                  "--target-directory", str(restored.data))
    assert "reaches no target" in refused.err and not restored.data.exists()
    assert restored.pitr("--target-latest", "--standby", "--dry-run", "--json").json["summary"]["action"] == "go on as a standby"
    restored.pitr("--target-latest", "--standby")
    assert (restored.data / "standby.signal").exists()
    restored.start()
    restored.wait(lambda: restored.value(SUM) == sums[4], 90)
    assert restored.value("SELECT pg_is_in_recovery()")


def test_unknown_tables_are_told_before_anything_is_done(server, site):
    fill(server, 100)
    backup = site.backup()
    server.create("rescue")
    wanted = ["--databases", "postgres", "--to-database", "rescue", "--tables"]
    refused = site.fails(2, "restore", "postgresql", "full", "--backup-id", backup["id"], *wanted, "public.trade")
    assert "'public.trade'" in refused.err
    # Of a later moment the list cannot know all.
    server.psql("CREATE TABLE younger AS SELECT 1 AS one")
    archive_now(site)
    later = ["restore", "postgresql", "pitr", "--target-latest", *wanted, "public.younger"]
    assert "'public.younger'" in site.ok(*later, "--dry-run").err
    site.ok(*later)
    assert server.value("rescue", "SELECT count(*) FROM younger") == 1


def test_created_tablespaces(server, site, restored):
    fill(server, 100)
    site.backup()
    place = owned_directory(server.root / "later")
    server.psql(f"CREATE TABLESPACE later LOCATION '{place}'; INSERT INTO trades VALUES (1001, 'one')")
    archive_now(site)
    refused = restored.pitr("--target-latest", status=1)
    assert str(place) in refused.err and "--force" in refused.err
    assert restored.pitr("--target-latest", "--force", "--dry-run").status == 0


def test_bare_machine(server, site, closing):
    """As root, with nothing but a repository: files belong to the account that the directory belongs to."""
    fill(server, 100)
    backup = site.backup()
    moment = now(server)
    server.psql("DELETE FROM trades")
    archive_now(site)
    restored = closing(Restored(site))
    for mode, extra in (("full", ["--backup-id", backup["id"]]),
                        ("pitr", ["--backup-id", backup["id"], "--target-time", moment, "--delta", "--start",
                                  "--target-action", "promote"])):
        done = subprocess.run([str(PROGRAM), "restore", "postgresql", mode, "--repository", str(site.repository),
                               "--target-directory", str(restored.data), *extra], cwd="/",
                              env=dict(os.environ, XDG_STATE_HOME=str(restored.root / "state")),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout.decode()
        assert b"no configuration" not in done.stdout, "a restore into a directory asks no server"
    assert {path.owner() for path in restored.data.rglob("*")} == {restored.data.parent.owner()}
    restored.start()
    assert restored.value("SELECT count(*) FROM trades") == "100"


def test_the_only_source_of_a_repository(server, site, restored):
    """Without a configured source and without --source: that of the physical backups, as long as it is the only one."""
    bare = site.directory / "bare.conf"
    bare.write_text(f"[general]\nstate_directory = {site.directory}/state-bare\nruntime_directory = {site.directory}/run\n")
    with site.config.open("a") as config:
        for name, method in (("other", "physical"), ("rows", "logical")):
            config.write(f"[source {name}]\nengine = postgresql\nmethod = {method}\nconninfo = {server.conninfo}\n")
    server.set("archive_command", " && ".join(
        f"{PROGRAM} wal push %p --source {name} --config {site.config}" for name in ("main", "other")))

    def pitr(*arguments):
        command = [str(PROGRAM), "restore", "postgresql", "pitr", "--repository", str(site.repository), "--target-immediate",
                   "--target-directory", str(restored.data), "--dry-run", "--json", "--config", str(bare), *arguments]
        return Result(subprocess.run(as_server_user(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/"))

    bare.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(bare, "postgres", "postgres")
    site.ok("backup", "postgresql", "full", "--source", "rows")
    none = pitr()
    assert none.status == 1 and "no physical backup" in none.err, none
    backup = site.backup("full", "--source", "main")
    only = pitr()
    assert only.status == 0 and only.json["summary"]["backup"] == backup["id"], only
    other = site.backup("full", "--source", "other")
    several = pitr()
    assert several.status == 2 and "main" in several.err and "other" in several.err and "--source" in several.err, several
    for name, made in (("main", backup), ("other", other)):
        assert pitr("--source", name).json["summary"]["backup"] == made["id"]
    assert not restored.data.exists()
