# SPDX-License-Identifier: Apache-2.0
"""Physical backups of PostgreSQL on real servers: what they hold, what they refuse, and what a server makes of their files."""
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import missing
from pgcluster import wait_until
from physical import SUM, PhysicalCluster, Revived, Site, archive_now, fill, kill_program, wait_for_copying, wake


def both_ways(test):
    return pytest.mark.parametrize("access", ["local", "stream"])(test)


# --- round trips -------------------------------------------------------------------------------------------------


@both_ways
def test_full_and_incremental_come_up(server, site, closing, access):
    place = server.root / "space"
    place.mkdir()
    if os.geteuid() == 0:
        shutil.chown(place, "postgres", "postgres")
    fill(server)
    server.psql(f"CREATE TABLESPACE fast LOCATION '{place}';"
                "CREATE TABLE elsewhere TABLESPACE fast AS SELECT * FROM trades;"
                "CREATE UNLOGGED TABLE forgetful AS SELECT * FROM trades; CREATE DATABASE other;")
    oid = server.value("postgres", "SELECT oid FROM pg_tablespace WHERE spcname = 'fast'")
    full = site.backup("full", "--access", access)
    assert (full["type"], full["method"], full["access"]) == ("full", "physical", access)
    assert full["page_checksum_failures"] == [] and full["warnings"] == []
    assert site.details(full)["tablespaces"] == [{"oid": oid, "name": "fast", "location": str(place)}]
    server.psql("UPDATE trades SET text = 'changed' WHERE id % 100 = 0; DROP TABLE elsewhere;"
                "CREATE TABLE elsewhere TABLESPACE fast AS SELECT id FROM trades; VACUUM trades;")
    expected = server.value("postgres", SUM)
    increment = site.backup("incremental", "--access", access)
    assert (increment["type"], increment["base"]) == ("incremental", full["id"])
    site.check_sums(full)
    site.check_sums(increment)
    revived = closing(Revived(site, increment))
    assert revived.value(SUM) == expected
    assert revived.value("SELECT count(*) FROM elsewhere") == "20000"
    assert revived.value("SELECT count(*) FROM forgetful") == "0"
    assert revived.value("SELECT 1", "other") == "1"
    revived.check()
    first = closing(Revived(site, full))
    assert first.value("SELECT count(*) FROM trades WHERE text = 'changed'") == "0"


def test_a_chain_lives_without_its_middle(server, site, closing):
    """Thirty increments, any of which may go."""
    fill(server)
    chain = [site.backup()]
    for number in range(30):
        server.psql(f"UPDATE trades SET text = 'round {number}' WHERE id % 30 = {number}")
        chain.append(site.backup("incremental"))
        assert chain[-1]["base"] == chain[-2]["id"]
    expected = server.value("postgres", SUM)
    chosen = random.Random(os.environ.get("HOLDFAST_SEED", "chain"))
    kept = sorted(chosen.sample(range(30), 10)) + [30]
    for number in set(range(31)) - set(kept):
        site.ok("delete", chain[number]["id"], "--yes")
    site.ok("verify", "--all")
    last = closing(Revived(site, chain[30]))
    assert last.value(SUM) == expected
    last.check()
    for number in chosen.sample(kept[:-1], 2):
        middle = closing(Revived(site, chain[number]))
        assert middle.value("SELECT count(DISTINCT text) FROM trades WHERE text LIKE 'round%'") == str(number)
        middle.remove()


# --- what is in it -----------------------------------------------------------------------------------------------


@both_ways
def test_the_checkpoint_is_a_fast_one(server, site, access):
    """Spread out, it would take minutes; the server logs what it was asked for ("fast" since PostgreSQL 18)."""
    fill(server)
    server.set("log_checkpoints", "on")
    log = server.root / "log"
    before = len(log.read_text())
    site.backup("full", "--access", access)
    assert re.search("checkpoint starting: (immediate|fast) force wait", log.read_text()[before:])


def test_what_is_left_out(server, site):
    fill(server, 100)
    server.psql("CREATE UNLOGGED TABLE forgetful (id int)")
    session = server.connect()
    session.cursor().execute("CREATE TEMPORARY TABLE fleeting AS SELECT 1")
    server.sql("postgres", "SELECT pg_create_physical_replication_slot('slot', true)")
    unlogged = server.value("postgres", "SELECT pg_relation_filepath('forgetful')")
    (server.data / "backup_label.old").write_text("stale")
    files = site.files(site.backup())
    session.close()
    for path, line in files.items():
        name = path.rsplit("/", 1)[-1]
        assert not re.match(r"t\d+_|pgsql_tmp|pg_internal\.init|postmaster|backup_label", name), path
        for emptied in ("pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_subtrans",
                        "pg_stat_tmp"):
            assert not path.startswith(emptied + "/"), path
        assert not (path.startswith("pg_wal/") and line["type"] == "file"), path
    for path in ("pg_replslot", "pg_notify", "pg_wal", "pg_tblspc", "pg_wal/archive_status"):
        assert files[path]["type"] == "directory"
    assert unlogged + "_init" in files and unlogged not in files
    assert "global/pg_control" in files and "PG_VERSION" in files


def test_label_is_kept_out_of_the_live_directory(server, site):
    backup = site.backup()
    label = (site.path(backup) / "data" / "backup_label").read_text()
    assert label.startswith("START WAL LOCATION: " + backup["start_lsn"])
    assert "CHECKPOINT LOCATION: " + backup["checkpoint_lsn"] in label
    assert not (server.data / "backup_label").exists()
    sums = (site.path(backup) / "SHA256SUMS").read_text()
    first = int(backup["start_lsn"].split("/")[1], 16) // (16 << 20)
    assert f"000000010000000000{first:06X}" in sums
    assert (server.data / "postgresql.conf").exists()


def test_tables_are_listed_with_estimates(server, site):
    fill(server)
    server.psql("ANALYZE trades; CREATE TABLE never_analyzed (id int)")
    tables = {line["name"]: line for line in site.ok(
        "show", site.backup()["id"], "--json").json["tables"]}
    assert tables["public.trades"]["rows"] == 20000 and tables["public.trades"]["estimated"] is True
    assert "rows" not in tables["public.never_analyzed"]


def test_linked_wal_and_configuration(server, site, closing):
    server.stop("fast")
    moved = server.root / "wal"
    (server.data / "pg_wal").rename(moved)
    (server.data / "pg_wal").symlink_to(moved)
    (server.data / "pg_ident.conf").rename(server.root / "ident.conf")
    (server.data / "pg_ident.conf").symlink_to(server.root / "ident.conf")
    server.start()
    fill(server, 100)
    backup = site.backup()
    files = site.files(backup)
    assert (files["pg_wal"]["type"], files["pg_wal"]["target"]) == ("link", str(moved))
    assert files["pg_ident.conf"]["type"] == "file"
    assert any("pg_ident.conf is a link" in warning for warning in backup["warnings"])
    assert closing(Revived(site, backup)).value("SELECT count(*) FROM trades") == "100"


@pytest.mark.parametrize("size", ["1", "64"])
def test_other_segment_sizes(closing, size):
    if missing() is not None:
        pytest.skip(missing())
    server = closing(PhysicalCluster(initdb=("-k", f"--wal-segsize={size}")))
    site = Site(server)
    fill(server)
    backup = site.backup()
    assert backup["segment_size"] == int(size) << 20
    site.check_sums(backup)
    assert closing(Revived(site, backup)).value("SELECT count(*) FROM trades") == "20000"


def test_in_place_tablespace(server, site, closing):
    server.psql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE inside LOCATION '';"
                "CREATE TABLE t TABLESPACE inside AS SELECT generate_series(1, 10)")
    backup = site.backup()
    (space,) = site.details(backup)["tablespaces"]
    assert space["name"] == "inside" and space["location"] is None
    revived = closing(Revived(site, backup, settings=("allow_in_place_tablespaces=on",)))
    assert revived.value("SELECT count(*) FROM t") == "10"


# --- unchanged files ---------------------------------------------------------------------------------------------


def relation(server, name):
    return server.data / server.value("postgres", "SELECT pg_relation_filepath(%s)", (name,))


def test_nothing_changed(server, site):
    fill(server)
    site.backup()
    site.backup("incremental")
    time.sleep(1.2)  # what the first ones wrote themselves settles
    before = site.backup("incremental")
    after = site.backup("incremental")
    assert after["pool"]["written_bytes"] < 200000
    assert after["pool"]["plain_bytes"] >= before["pool"]["plain_bytes"] - 100000
    everything = site.backup("incremental", "--checksum")
    assert everything["pool"]["written_bytes"] < 200000


def test_only_changed_extents_are_written(server, site):
    fill(server, 300000)
    server.psql("VACUUM trades")
    full = site.backup()
    server.psql("UPDATE trades SET text = upper(text) WHERE id = 150000")
    increment = site.backup("incremental")
    assert increment["pool"]["written_bytes"] < full["pool"]["written_bytes"] / 4


@pytest.mark.parametrize("arguments", [(), ("--checksum",)])
def test_times_cannot_hide_a_change(server, site, closing, arguments):
    """The same size and modification time as in the base, and other content."""
    fill(server)
    server.psql("CHECKPOINT")
    time.sleep(1.2)
    site.backup()
    path = relation(server, "trades")
    times = path.stat()
    server.psql("UPDATE trades SET text = 'hidden!' || substr(text, 8) WHERE id <= 50; CHECKPOINT")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    expected = server.value("postgres", SUM)
    increment = site.backup("incremental", *arguments)
    assert closing(Revived(site, increment)).value(SUM) == expected


def test_a_clock_that_was_set_back(server, site):
    """The clock of the boot runs ahead in a name space of its own: seen from there, the time of day was set back."""
    ahead = ["unshare", "--time", "--fork", "--boottime", "3600"]
    if os.geteuid() != 0 or subprocess.run([*ahead, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("a name space for time needs root, and a kernel that has it")
    fill(server)
    site.backup()
    words = site.command("backup", "postgresql", "incremental", "--verbose")
    reason = "every file is read: the clock was set back since the base"
    for prefix, expected in (([], False), (ahead, True)):
        done = subprocess.run([*prefix, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", timeout=180)
        assert done.returncode == 0, done.stderr
        assert (reason in done.stderr) == expected, done.stderr


def test_changes_within_the_second_of_the_backup(server, site, closing):
    fill(server, 2000)
    server.psql("CHECKPOINT")
    for number in range(5):
        site.backup("full" if number == 0 else "incremental")
        server.psql(f"UPDATE trades SET text = 'r{number}' WHERE id = {number + 1}; CHECKPOINT")
    expected = server.value("postgres", SUM)
    assert closing(Revived(site, site.backup("incremental"))).value(SUM) == expected


def holders(path):
    """Processes that have the file open."""
    found = set()
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == str(path):
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return found


def test_files_that_move_while_they_are_copied(server, site):
    """Grown: as much as it had at the start; cut: what is there; gone: no error. Of relations the WAL has the rest."""
    files = {name: server.data / name for name in ("first", "grown", "cut", "gone")}
    for name, path in files.items():
        path.write_bytes(os.urandom((16 << 20) if name == "first" else 6000))
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")
    before = {name: path.read_bytes() for name, path in files.items()}
    time.sleep(1.2)  # the biggest of those that have settled is read first
    running = site.start("backup", "postgresql", "full", "--access", "local", "--jobs", "1", "--rate", "8M")
    assert wait_until(lambda: running.poll() is not None or holders(files["first"]))
    copying = holders(files["first"])
    assert copying, running.communicate()[0]
    for pid in copying:
        os.kill(pid, signal.SIGSTOP)
    with open(files["grown"], "ab") as file:
        file.write(b"more" * 5000)
    os.truncate(files["cut"], 2500)
    files["gone"].unlink()
    output = wake(running, copying)[0].decode()
    assert running.returncode == 0, output
    backup = site.ok("show", site.backups()[0], "--json").json
    assert "gone" not in site.files(backup)
    target = server.root / "again"
    site.ok("restore", "postgresql", "full", "--backup-id", backup["id"], "--target-directory", str(target))
    subprocess.run([str(server.bin / "pg_verifybackup"), str(target)], check=True, stdout=subprocess.DEVNULL)
    assert {name: (target / name).read_bytes() for name in ("first", "grown", "cut")} == {
        "first": before["first"], "grown": before["grown"], "cut": before["cut"][:2500]}


def test_without_a_base_it_is_a_full(server, site, closing):
    first = site.backup("incremental")
    assert first["type"] == "full" and first["base"] is None and "-full-" in first["id"]
    assert any("there is no good earlier backup" in warning for warning in first["warnings"])
    other = closing(PhysicalCluster())
    text = site.config.read_text().replace(server.conninfo, other.conninfo)
    site.config.write_text(text)
    other.set("archive_command", server.value("postgres", "SHOW archive_command"))
    second = site.backup("incremental")
    assert second["type"] == "full"
    assert any("another cluster" in warning for warning in second["warnings"])


# --- refusals ----------------------------------------------------------------------------------------------------


def test_without_archiving_nothing_begins(closing):
    if missing() is not None:
        pytest.skip(missing())
    server = closing(PhysicalCluster(settings=["archive_mode=off"]))
    site = Site(server, archive=False)
    result = site.fails(1, "backup", "postgresql", "full")
    assert "no WAL is archived" in result.err and "holdfast check" in result.err
    assert site.backups() == [] and not (site.repository / "pool").exists()


def test_failing_archive_command(server, site):
    server.set("archive_command", "false")
    result = site.fails(1, "backup", "postgresql", "full")
    assert "archive_command failed on" in result.err
    assert site.backups() == []


def test_archiving_that_ends_during_the_backup(server, site):
    """Archiving works at the start and not at the stop: the backup does not count."""
    fill(server, 200000)
    ended = site.directory / "ended"
    server.set("archive_command", f"test ! -e {ended} && {server.value('postgres', 'SHOW archive_command')}")
    running = site.start("backup", "postgresql", "full", "--rate", "5M")
    wait_for_copying(lambda sql: server.value("postgres", sql), running)
    ended.touch()
    output = running.communicate(timeout=180)[0].decode()
    assert running.returncode == 1 and "does not come into the archive" in output
    assert site.backups() == []


def test_single_databases_are_refused(site):
    assert "whole server" in site.fails(2, "backup", "postgresql", "full", "--databases", "postgres").err


def test_local_access_that_cannot_be(server):
    site = Site(server, extra="data_directory = /nonexistent\n")
    assert "stream" in site.fails(1, "backup", "postgresql", "full", "--access", "local").err
    assert site.backup()["access"] == "stream"


# --- corrupt pages -----------------------------------------------------------------------------------------------


@both_ways
def test_corrupt_pages_are_named(server, site, access):
    fill(server)
    path = relation(server, "trades")
    server.stop("fast")
    with open(path, "r+b") as file:
        for block in (3, 7):
            file.seek(block * 8192 + 5000)
            file.write(b"\xde\xad\xbe\xef")
    server.start()
    expected = [{"file": str(path.relative_to(server.data)), "block": block} for block in (3, 7)]
    backup = site.backup("full", "--access", access)
    assert backup["page_checksum_failures"] == expected
    assert any(expected[0]["file"] in warning for warning in backup["warnings"])
    assert site.details(backup)["page_checksum_failures"] == expected


def test_unreadable_file_is_an_error(server, site):
    if os.geteuid() != 0:
        pytest.skip("needs root to take a file away from the server's user")
    (server.data / "foreign").write_text("not for the server")
    (server.data / "foreign").chmod(0o600)
    result = site.fails(1, "backup", "postgresql", "full", "--access", "local")
    assert str(server.data / "foreign") in result.err and "ermission denied" in result.err
    assert site.backups() == []


# --- standby -----------------------------------------------------------------------------------------------------


class Standby(Revived):
    """A standby of the site's server, from a backup of it."""

    def __init__(self, site, backup):
        self.conninfo = None
        super().__init__(site, backup, settings=("recovery_target=", "hot_standby=on",
                                                 f"primary_conninfo={site.cluster.conninfo}"))

    def pg_ctl(self, action, *arguments):
        if action == "start":
            (self.data / "standby.signal").touch()
            (self.data / "recovery.signal").unlink(missing_ok=True)
        super().pg_ctl(action, *arguments)

    def wait_promoted(self):
        self.conninfo = f"host={self.root} port={self.port} user=postgres"


@pytest.fixture
def standby(server, site, closing):
    fill(server)
    made = closing(Standby(site, site.backup()))
    text = site.config.read_text().replace(server.conninfo, made.conninfo)
    site.config.write_text(text)
    return made


class Pulse(threading.Thread):
    """Lets the primary write and end segments, as archive_timeout would."""

    def __init__(self, cluster, seconds=0.5):
        super().__init__()
        self.cluster, self.seconds = cluster, seconds
        self.ended = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()

    def run(self):
        while not self.ended.wait(self.seconds):
            self.cluster.sql("postgres", "SELECT pg_create_restore_point('pulse'), pg_switch_wal()")


@both_ways
def test_backup_from_a_standby(server, site, standby, closing, access):
    server.psql("UPDATE trades SET text = 'late' WHERE id <= 10; CHECKPOINT")
    expected = server.value("postgres", SUM)
    assert wait_until(lambda: standby.value(SUM) == expected)
    with Pulse(server):
        backup = site.backup("full", "--access", access)
        increment = site.backup("incremental", "--access", access)
    assert backup["from_standby"] is True and increment["base"] == backup["id"]
    assert "BACKUP FROM: standby" in (site.path(backup) / "data" / "backup_label").read_text()
    assert not any(path.endswith(".signal") for path in site.files(backup))
    revived = closing(Revived(site, increment))
    assert revived.value(SUM) == expected
    revived.check()


def test_a_stop_at_the_border_of_a_segment(server, site, standby, closing):
    """It needs nothing of the segment that begins there, which nobody has archived yet."""
    for _ in range(20):
        server.psql("UPDATE trades SET text = text || '.' WHERE id <= 10; CHECKPOINT")
        server.psql("SELECT pg_switch_wal()")
        place = server.value("postgres", "SELECT pg_current_wal_lsn()")
        assert wait_until(lambda: standby.value(f"SELECT pg_last_wal_replay_lsn() >= '{place}'"))
        expected = server.value("postgres", SUM)
        with Pulse(server, 5):  # the server itself may have written into the new segment meanwhile
            backup = site.backup("full", "--access", "local")
        within = int(backup["stop_lsn"].split("/")[1], 16) % backup["segment_size"]
        if within == 0:
            break
    assert within == 0, backup["stop_lsn"]
    revived = closing(Revived(site, backup))
    assert revived.value(SUM) == expected
    revived.check()


def test_standby_of_a_primary_without_full_pages(server, site, standby):
    server.set("full_page_writes", "off")
    assert wait_until(lambda: server.psql("CHECKPOINT") or
                      not server.value("postgres", "SELECT full_page_writes FROM pg_control_checkpoint()"))
    server.psql("SELECT pg_switch_wal()")
    place = server.value("postgres", "SELECT pg_current_wal_lsn()")
    with Pulse(server):
        assert wait_until(lambda: standby.value(f"SELECT pg_last_wal_replay_lsn() >= '{place}'"))
        assert "full_page_writes" in site.fails(1, "backup", "postgresql", "full").err
    assert len(site.backups()) == 1


def test_promotion_during_the_backup(server, site, standby):
    with Pulse(server):
        running = site.start("backup", "postgresql", "full", "--rate", "3M")
        wait_for_copying(standby.value, running)
        assert standby.value("SELECT pg_promote()")
        output = running.communicate(timeout=180)[0].decode()
    assert running.returncode == 1, output
    assert "promoted" in output
    assert len(site.backups()) == 1


# --- the archive beside the backups ------------------------------------------------------------------------------


def segment(site, name):
    (path,) = (site.repository / "wal").rglob(name)
    return path


def more_wal(server, site):
    """Two more segments with commits; the names."""
    names = []
    for _ in range(2):
        server.psql("CREATE TABLE IF NOT EXISTS more (i int); INSERT INTO more VALUES (1)")
        names.append(server.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())"))
    assert wait_until(lambda: list((site.repository / "wal").rglob(names[-1])), 30)
    return names


def archive_report(result):
    (report,) = [entry for entry in result.json if entry.get("archive", "").startswith("wal/")]
    assert report["archive"] == "wal/main" and report["objects"] > 0
    return report


def test_verify_reads_the_whole_archive(server, site):
    fill(server)
    site.backup()
    between = more_wal(server, site)
    newest = site.backup()
    behind = more_wal(server, site)
    report = archive_report(site.ok("verify", "--all", "--json"))
    assert report["result"] == "good" and report["warnings"] == [] and report["damage"] == []

    # No backup's SHA256SUMS names it, and it is read all the same.
    path = segment(site, between[1])
    good = path.read_bytes()
    path.write_bytes(good[:-9] + bytes([good[-9] ^ 1]) + good[-8:])
    (damage,) = archive_report(site.fails(3, "verify", "--all", "--json"))["damage"]
    assert damage["object"].endswith(between[1])

    # An old hole costs a window, and no more.
    path.unlink()
    result = site.ok("verify", "--all", "--json")
    (warning,) = archive_report(result)["warnings"]
    assert between[1] in warning and "no moment between " in warning
    assert "warning" in site.ok("verify", "--all").err

    # On the way on from the newest backup it is damage.
    kept = segment(site, behind[0]).read_bytes()
    segment(site, behind[0]).unlink()
    (damage,) = archive_report(site.fails(3, "verify", "--all", "--json"))["damage"]
    assert behind[0] in damage["problem"]
    (segment(site, behind[1]).parent / behind[0]).write_bytes(kept)
    site.ok("verify", "--all")

    # What a backup needs to be consistent.
    number = int(newest["start_lsn"].split("/")[1], 16) // newest["segment_size"]
    segment(site, f"{newest['timeline']:08X}{0:08X}{number:08X}").unlink()
    reports = site.fails(3, "verify", "--all", "--json").json
    assert any(newest["id"] in damage["problem"] for entry in reports if "archive" in entry
               for damage in entry["damage"])
    assert [entry["result"] for entry in reports if entry.get("backup") == newest["id"]] == ["damaged"]


# --- interruptions and limits ------------------------------------------------------------------------------------


@both_ways
def test_killed_and_run_again(server, site, closing, access):
    fill(server, 200000)
    for delay in (0.2, 0.8, 1.5):
        # So slow that it is not done, however late the signal comes.
        running = site.start("backup", "postgresql", "full", "--rate", "2M", "--access", access)
        time.sleep(delay)
        kill_program(running)
        running.wait()
        assert site.backups() == []
    expected = server.value("postgres", SUM)
    assert closing(Revived(site, site.backup("full", "--access", access))).value(SUM) == expected


def interrupt_when_noted(site, how):
    """Starts a full and ends it when it has noted a first durable pack. Says which run it was."""
    known = {path.name for path in (site.repository / "backups").glob("*")}
    running = site.start("backup", "postgresql", "full", "--jobs", "1", "--rate", "20M")
    noted = []

    def has_noted():
        noted[:] = [path for path in (site.repository / "backups").glob("*/notes/*.json")
                    if path.parent.parent.name not in known]
        return noted or running.poll() is not None
    assert wait_until(has_noted) and noted, running.communicate()[0]
    if how == signal.SIGKILL:
        kill_program(running)
    else:
        running.send_signal(how)
    running.communicate(timeout=60)
    assert running.returncode != 0 and site.backups() == []
    return noted[0].parent.parent.name


def test_an_interrupted_backup_is_taken_over(server, site):
    size = 160 * 1024 * 1024
    junk = server.data / "junk"
    junk.write_bytes(os.urandom(size))
    if os.geteuid() == 0:
        shutil.chown(junk, "postgres", "postgres")
    fill(server)
    interrupt_when_noted(site, signal.SIGTERM)
    last = interrupt_when_noted(site, signal.SIGKILL)
    # What changed meanwhile is in no pack of theirs.
    server.psql("UPDATE trades SET text = 'changed' WHERE id % 10 = 0")
    with open(junk, "r+b") as file:
        file.write(b"changed")
    told = site.ok("backup", "postgresql", "full").out
    backup = site.ok("show", site.backups()[0], "--json").json
    resumed = backup["resumed"]
    assert resumed["run"] == last and 60 << 20 < resumed["bytes"] < size < resumed["of"]
    assert "resumed: " in told and last in told
    assert not (site.path(backup) / "notes").exists()
    site.check_sums(backup)
    site.ok("verify", backup["id"])
    target = server.root / "again"
    site.ok("restore", "postgresql", "full", "--backup-id", backup["id"], "--target-directory", str(target))
    subprocess.run([str(server.bin / "pg_verifybackup"), str(target)], check=True, stdout=subprocess.DEVNULL)
    assert (target / "junk").read_bytes() == junk.read_bytes()


@pytest.fixture
def small_disk(site):
    """Puts a directory on a file system of its own; what it returns gives that another size."""
    mounted = []

    def mount(place):
        # Over what is there: the server's archiver may be writing to it.
        place.mkdir(exist_ok=True)
        if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(place)],
                                               stderr=subprocess.DEVNULL, check=False).returncode != 0:
            pytest.skip("a small file system cannot be mounted here")
        mounted.append(place)
        shutil.chown(place, "postgres", "postgres")
        return lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)

    yield mount
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(server, site, small_disk):
    """Nothing half done counts, and with more room the next run goes on with what is there."""
    fill(server, 100000)
    resize = small_disk(site.repository)
    site.ok("init")
    archive_now(site)
    resize(shutil.disk_usage(site.repository).used + (2 << 20))
    full = site.fails(1, "backup", "postgresql", "full")
    assert "no space left" in full.err and "hint:" in full.err
    assert site.backups() == []
    resize(200 << 20)
    backup = site.backup()
    site.ok("verify", backup["id"], "--deep")
    assert len(site.backups()) == 1


@both_ways
def test_cancelled(server, site, access):
    fill(server, 200000)
    running = site.start("backup", "postgresql", "full", "--rate", "2M", "--access", access)
    time.sleep(1)
    running.send_signal(signal.SIGINT if os.geteuid() != 0 else signal.SIGTERM)
    running.communicate(timeout=60)
    assert running.returncode != 0 and site.backups() == []
    # The server is in no backup any more.
    assert wait_until(lambda: server.value("postgres", "SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                                                       "'%backup_start%' AND pid <> pg_backend_pid()") == 0)


def test_rate_and_a_server_that_ends_idle_sessions(server, site):
    """The session of the start call has nothing to do while files are read, and must be there for the stop call."""
    fill(server, 200000)
    server.psql("ALTER ROLE postgres SET idle_session_timeout = '1s';"
                "ALTER ROLE postgres SET idle_in_transaction_session_timeout = '1s'")
    size = server.value("postgres", "SELECT sum(pg_database_size(oid)) FROM pg_database")
    began = time.monotonic()
    site.backup("full", "--rate", str(size // 4), "--nice")
    assert time.monotonic() - began > 3


def test_a_role_with_few_rights(server, site):
    server.psql("CREATE ROLE keeper LOGIN; GRANT pg_read_all_settings, pg_monitor TO keeper;"
                "GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean), pg_switch_wal(),"
                "pg_create_restore_point(text) TO keeper")
    site.config.write_text(site.config.read_text().replace("user=postgres", "user=keeper"))
    assert site.backup()["access"] == "local"
    server.psql("REVOKE EXECUTE ON FUNCTION pg_switch_wal() FROM keeper")
    assert "pg_switch_wal" in site.fails(1, "backup", "postgresql", "full").err
