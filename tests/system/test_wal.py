# SPDX-License-Identifier: Apache-2.0
"""The WAL archive, with real servers: archive_command, restore_command, streaming, and what goes wrong with them."""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import pgcluster
from pgcluster import wait_until
from conftest import missing
from physical import program_of

SEGMENT = 16 << 20


class WalCluster(pgcluster.Cluster):
    """A server whose archive_command is the program under test; repository and configuration belong to its user."""

    def __init__(self, segment_megabytes=16, archive=True, extra="", settings=()):
        super().__init__(settings=["wal_level=replica", "archive_mode=on", "max_wal_senders=5", *settings],
                         initdb=[f"--wal-segsize={segment_megabytes}"])
        self.size = segment_megabytes << 20
        self.repository = self.root / "repo"
        self.config = self.root / "holdfast.conf"
        self.config.write_text(
            f"[general]\nstate_directory = {self.root}/state\nruntime_directory = {self.root}/run\n"
            f"[repository]\npath = {self.repository}\n"
            f"[source main]\nengine = postgresql\nconninfo = {self.conninfo}\n{extra}")
        self.config.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(self.config, "postgres", "postgres")
        assert self.holdfast("init").returncode == 0
        if archive:
            self.archive()

    def archive(self, config=None):
        self.sql("postgres", "ALTER SYSTEM SET archive_command = %s",
                 (f"{pgcluster.PROGRAM} --config {config or self.config} wal push %p --source main",))
        self.sql("postgres", "SELECT pg_reload_conf()")

    def as_user(self, command):
        return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command

    def command(self, *arguments):
        return self.as_user([str(pgcluster.PROGRAM), "--config", str(self.config), *map(str, arguments)])

    def holdfast(self, *arguments, cwd=None, timeout=120):
        return subprocess.run(self.command(*arguments), cwd=cwd or self.data, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def status(self, *arguments, **options):
        return self.holdfast(*arguments, **options).returncode

    def list(self):
        return json.loads(self.holdfast("wal", "list", "--json").stdout)

    def files(self, pattern="*"):
        return sorted(path.name for path in (self.repository / "wal").rglob(pattern) if path.is_file())

    def fill(self, segments=1):
        """Fills and closes so many segments; the name of the last one."""
        for _ in range(segments):
            self.sql("postgres", "CREATE TABLE IF NOT EXISTS filler (i int); INSERT INTO filler VALUES (1)")
            name = self.value("postgres", "SELECT pg_walfile_name(pg_switch_wal())")
        return name

    def archived(self, name, seconds=90):
        return wait_until(lambda: name in self.files(name), seconds)

    def copy_segment(self, name):
        """A copy of a segment out of pg_wal that the server does not touch."""
        path = self.root / name
        shutil.copy(self.data / "pg_wal" / name, path)
        if os.geteuid() == 0:
            shutil.chown(path, "postgres", "postgres")
        return path

    def backup(self, name):
        """A copy of the data directory by pg_basebackup, without WAL."""
        directory = self.root / name
        self.run("pg_basebackup", "-D", str(directory), "-X", "none", "-c", "fast", "--no-sync", "-h",
                 str(self.root), "-p", str(self.port), "-U", "postgres")
        return directory


class Copy:
    """A second server over a copied data directory."""

    def __init__(self, origin, data, settings, standby=False):
        self.origin, self.data = origin, data
        self.port = origin.port + 1
        settings = {"archive_mode": "on", **settings}
        lines = "".join(f"{key} = '{value}'\n" for key, value in settings.items())
        with open(data / "postgresql.auto.conf", "a") as file:
            file.write(lines)
        signal_file = data / ("standby.signal" if standby else "recovery.signal")
        signal_file.touch()
        if os.geteuid() == 0:
            shutil.chown(signal_file, "postgres", "postgres")

    def start(self, wait=True):
        options = (f"-c fsync=off -c listen_addresses= -c unix_socket_directories={self.origin.root} "
                   f"-c port={self.port}")
        self.origin.run("pg_ctl", "-D", str(self.data), "-o", options, "-l",
                        str(self.origin.root / f"log{self.port}"), "-w" if wait else "-W", "start")

    def stop(self):
        if (self.data / "postmaster.pid").exists():
            self.origin.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")

    def value(self, text):
        done = self.origin.as_user([str(self.origin.bin / "psql"), "-h", str(self.origin.root), "-p",
                                    str(self.port), "-U", "postgres", "-Atqc", text, "postgres"])
        return subprocess.run(done, check=True, stdout=subprocess.PIPE, text=True, cwd="/").stdout.strip()

    def log(self):
        return (self.origin.root / f"log{self.port}").read_text()


@pytest.fixture
def make():
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    made = []

    def factory(*arguments, **options):
        made.append(WalCluster(*arguments, **options))
        return made[-1]
    yield factory
    for cluster in made:
        cluster.remove()


@pytest.fixture
def server(make):
    return make()


@pytest.mark.parametrize("megabytes", [1, 16, 64])
def test_a_server_recovers_from_what_it_archived(make, megabytes):
    server = make(megabytes)
    data = server.backup("copy")
    server.sql("postgres", "CREATE TABLE t AS SELECT generate_series(1, 50000) AS i")
    last = server.fill(3)
    assert server.archived(last)
    copy = Copy(server, data, {"restore_command": f"{pgcluster.PROGRAM} --config {server.config} wal get %f %p",
                               "archive_command": f"{pgcluster.PROGRAM} --config {server.config} wal push %p"})
    try:
        copy.start()
        assert wait_until(lambda: copy.value("SELECT pg_is_in_recovery()") == "f")
        assert copy.value("SELECT count(*), sum(i) FROM t") == "50000|1250025000"
        # The new timeline's history is archived, and the last part of the old one under a name of its own.
        assert server.archived("00000002.history")
        assert wait_until(lambda: server.files("*.backup"))
    finally:
        copy.stop()
    stored = next(path for path in (server.repository / "wal").rglob(last))
    plain = subprocess.run(["zstd", "-dc", str(stored)], check=True, stdout=subprocess.PIPE).stdout
    assert len(plain) == megabytes << 20


def test_the_same_again_is_fine_and_other_content_is_refused(server):
    name = server.fill()
    assert server.archived(name)
    path = server.copy_segment(name)
    assert server.status("wal", "push", path) == 0
    before = next((server.repository / "wal").rglob(name)).read_bytes()
    with open(path, "r+b") as file:
        file.seek(server.size - 1)
        file.write(b"x")
    result = server.holdfast("wal", "push", path)
    assert 0 < result.returncode <= 125 and "other content" in result.stderr
    assert next((server.repository / "wal").rglob(name)).read_bytes() == before


def test_a_foreign_server_is_refused_until_check_accepts_it(make):
    server, other = make(), make(archive=False)
    assert server.archived(server.fill())
    other.config.write_text(server.config.read_text().replace(server.conninfo, other.conninfo))
    name = other.fill()
    result = other.holdfast("wal", "push", f"pg_wal/{name}")
    assert 0 < result.returncode <= 125 and "system identifier" in result.stderr
    # Out of its own directory the segment itself tells.
    foreign = other.copy_segment(name)
    target = server.root / name
    shutil.copy(foreign, target)
    target.chmod(0o644)
    assert 0 < server.status("wal", "push", target) <= 125
    assert len(list((server.repository / "wal" / "main").iterdir())) == 1
    # After an upgrade the user says that the server is meant.
    other.holdfast("check", "main", timeout=200)
    assert other.status("wal", "push", f"pg_wal/{name}") == 0
    assert len(list((server.repository / "wal" / "main").iterdir())) == 2


def test_wrong_names_and_files(server):
    name = server.fill()
    assert server.archived(name)
    path = server.copy_segment(name)
    for wrong in ["0000000100000000000000FF", "0000000100000000000000FE.partial", "junk", "00000001000000000000000g"]:
        moved = server.root / wrong
        shutil.copy(path, moved)
        moved.chmod(0o644)
        assert 0 < server.status("wal", "push", moved) <= 125, wrong
    with open(path, "r+b") as file:
        file.truncate(server.size // 2)
    short = server.root / server.fill()
    shutil.copy(path, short)
    short.chmod(0o644)
    assert 0 < server.status("wal", "push", short) <= 125


def test_exit_statuses_of_get(server):
    name = server.fill()
    assert server.archived(name)
    target = server.root / "target"
    assert server.status("wal", "get", name, target) == 0
    assert target.read_bytes() == (server.data / "pg_wal" / name).read_bytes()
    assert server.status("wal", "get", "0000000100000000000000FF", target) == 1
    assert server.status("wal", "get", "00000009.history", target) == 1
    for arguments in [["junk", target], [name], [name, target, "--bogus"], [name, target, "--source", "none"],
                      [name, server.root / "no" / "place"], [name, target, "--config", "/nowhere"]]:
        assert server.status("wal", "get", *arguments) >= 126, arguments
    # Damage is no absence.
    stored = next((server.repository / "wal").rglob(name))
    bytes_ = bytearray(stored.read_bytes())
    bytes_[len(bytes_) // 2] ^= 1
    stored.chmod(0o600)
    stored.write_bytes(bytes_)
    assert server.status("wal", "get", name, target) >= 126
    # An outage is none either, but for a standby.
    server.repository.rename(server.root / "away")
    assert server.status("wal", "get", name, target) >= 126
    assert server.status("wal", "get", name, target, "--standby") == 1
    assert server.status("wal", "get", name, target, "--standby", "--bogus") >= 126
    assert 0 < server.status("wal", "push", f"pg_wal/{name}") <= 125


def test_get_needs_no_configuration(server):
    name = server.fill()
    assert server.archived(name)
    target = server.root / "target"
    done = subprocess.run(server.as_user([str(pgcluster.PROGRAM), "wal", "get", "--repository",
                                          str(server.repository), name, str(target)]), cwd="/")
    assert done.returncode == 0 and target.stat().st_size == server.size


def test_a_lost_repository_does_not_promote(server):
    data = server.backup("copy")
    assert server.archived(server.fill(2))
    server.stop("fast")
    server.repository.rename(server.root / "away")
    copy = Copy(server, data, {"restore_command": f"{pgcluster.PROGRAM} --config {server.config} wal get %f %p"})
    try:
        with pytest.raises(subprocess.CalledProcessError):
            copy.start()
        assert "selected new timeline" not in copy.log()
        (server.root / "away").rename(server.repository)
        copy.start()
        assert wait_until(lambda: copy.value("SELECT pg_is_in_recovery()") == "f")
    finally:
        copy.stop()


def test_gaps_are_named(server):
    names = [server.fill() for _ in range(6)]
    assert server.archived(names[-1])
    for name in names[2:4]:
        next((server.repository / "wal").rglob(name)).unlink()
    (entry,) = server.list()
    assert entry["timeline"] == 1
    assert [(gap["first"], gap["last"]) for gap in entry["gaps"]] == [(names[2], names[3])]
    assert entry["ranges"][-1]["last"] == names[-1]
    assert names[2] in server.holdfast("wal", "list").stdout


def test_killed_pushes_and_gets_leave_nothing_wrong(server):
    names = [server.fill() for _ in range(3)]
    assert server.archived(names[-1])
    path = server.copy_segment(names[-1])
    stored = next((server.repository / "wal").rglob(names[-1]))
    target = server.root / "target"
    for step in range(12):
        stored.unlink(missing_ok=True)
        for arguments in [("wal", "push", path), ("wal", "get", names[0], target)]:
            process = subprocess.Popen(server.command(*arguments), cwd=server.data, start_new_session=True,
                                       stderr=subprocess.DEVNULL)
            time.sleep(0.006 * step)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert not target.exists() or target.stat().st_size == server.size
        # What is in place is whole.
        if stored.exists():
            assert server.status("wal", "get", names[-1], target) == 0
        target.unlink(missing_ok=True)
        assert server.status("wal", "push", path) == 0
        assert server.status("wal", "get", names[-1], target) == 0
        assert target.read_bytes() == path.read_bytes()
        target.unlink()


def test_asynchronous_pushes_take_all_that_is_ready(make):
    server = make(1, archive=False, extra="archive_async = on\njobs = 2\n")
    names = [server.fill() for _ in range(12)]
    assert server.status("wal", "push", f"pg_wal/{names[0]}") == 0
    assert set(names) <= set(server.files())
    tickets = {path.name for path in (server.root / "state" / "spool").rglob("*.ok")}
    assert {f"{name}.ok" for name in names[1:]} <= tickets
    # A ticket is for that very file, once.
    assert server.status("wal", "push", f"pg_wal/{names[1]}") == 0
    assert f"{names[1]}.ok" not in {path.name for path in (server.root / "state" / "spool").rglob("*.ok")}
    os.utime(server.data / "pg_wal" / names[2], (1, 1))
    assert server.status("wal", "push", f"pg_wal/{names[2]}") == 0
    # The server itself, with it.
    server.archive()
    last = server.fill(5)
    assert server.archived(last)
    assert wait_until(lambda: server.value("postgres", "SELECT last_archived_wal FROM pg_stat_archiver") == last)
    (entry,) = server.list()
    assert entry["gaps"] == []


def test_a_full_queue_drops_and_shouts(make):
    server = make(1, archive=False, extra="archive_queue_max = 3M\n")
    names = [server.fill() for _ in range(3)]
    server.repository.rename(server.root / "away")
    assert server.status("wal", "push", f"pg_wal/{names[0]}") == 5
    names += [server.fill() for _ in range(3)]
    result = server.holdfast("wal", "push", f"pg_wal/{names[0]}")
    assert result.returncode == 0 and "DROPPED" in result.stderr
    (server.root / "away").rename(server.repository)
    server.archive()
    checked = server.holdfast("check", "main", "--json", timeout=200)
    facts = {fact["subject"]: fact for fact in json.loads(checked.stdout)}
    assert facts["dropped WAL"]["state"] == "failed" and names[0] in facts["dropped WAL"]["text"]


def test_check_proves_archiving_and_says_what_to_write(make):
    server = make(archive=False)
    result = server.holdfast("check", "main", timeout=200)
    assert result.returncode == 1
    for line in ["wal_level = replica", "archive_mode = on", "archive_timeout = 300"]:
        assert line in result.stdout.splitlines()
    command = next(line for line in result.stdout.splitlines() if line.startswith("archive_command = "))
    server.sql("postgres", "ALTER SYSTEM SET archive_command = %s", (command.split("'")[1],))
    server.sql("postgres", "SELECT pg_reload_conf()")
    result = server.holdfast("check", "main", "--json", timeout=200)
    facts = {fact["subject"]: fact["state"] for fact in json.loads(result.stdout)}
    assert facts["WAL archive"] == "ok" and result.returncode == 0, result.stdout


def test_check_tells_what_slots_keep(make):
    """They fill the disk without a limit, and lose what they need with one."""
    server = make(1, archive=False)

    def told():
        facts = json.loads(server.holdfast("check", "main", "--json", timeout=200).stdout)
        (slot,) = [fact for fact in facts if fact["subject"] == "slot forgotten"]
        return slot["state"], slot["text"]

    server.sql("postgres", "SELECT pg_create_physical_replication_slot('forgotten', true)")
    state, text = told()
    assert state == "warning" and "fill the disk" in text
    server.sql("postgres", "ALTER SYSTEM SET max_slot_wal_keep_size = '3MB'")
    server.sql("postgres", "SELECT pg_reload_conf()")
    state, text = told()
    assert state == "ok" and "wal_status reserved" in text and "max_slot_wal_keep_size 3MB" in text
    server.fill(6)
    state, text = told()
    assert state == "warning" and "wal_status unreserved" in text and "3MB" in text
    server.sql("postgres", "CHECKPOINT")
    state, text = told()
    assert state == "failed" and "wal_status lost" in text and "3MB" in text


class Receiver:
    def __init__(self, server):
        self.process = subprocess.Popen(server.command("wal", "receive", "main", "--verbose"), cwd="/",
                                        stdout=subprocess.DEVNULL, stderr=open(server.root / "receive.log", "w"))
        self.server = server

    def wait_for_stream(self):
        assert wait_until(lambda: "streaming from" in (self.server.root / "receive.log").read_text())

    def stop(self):
        # Not runuser in front of it, which hands its status on.
        with contextlib.suppress(ProcessLookupError):
            os.kill(program_of(self.process), signal.SIGTERM)
        return self.process.wait(timeout=90)


def recover(server, data):
    """What a recovery from the archive finds; the copy is running."""
    copy = Copy(server, data, {"restore_command": f"{pgcluster.PROGRAM} --config {server.config} wal get %f %p",
                               "archive_mode": "off"})
    copy.start()
    assert wait_until(lambda: copy.value("SELECT pg_is_in_recovery()") == "f")
    return copy


def test_receiving_loses_two_seconds_at_most(make):
    server = make(archive=False, settings=["archive_mode=off"])
    receiver = Receiver(server)
    try:
        receiver.wait_for_stream()
        server.sql("postgres", "CREATE TABLE t (i int, at timestamptz DEFAULT clock_timestamp())")
        data = server.backup("copy")
        server.fill(2)
        connection = server.connect()
        last = 0
        begin = before = time.monotonic()
        halt = 0.0  # the longest time for which this program was held up: the receiver is then, too
        with connection.cursor() as cursor:
            while time.monotonic() - begin < 5:
                last += 1
                halt, before = max(halt, time.monotonic() - before), time.monotonic()
                cursor.execute("INSERT INTO t (i) VALUES (%s)", (last,))
                cursor.execute("SELECT extract(epoch FROM max(at)) FROM t")
                crash = float(cursor.fetchone()[0])
                time.sleep(0.01)
        os.kill(int((server.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        (server.data / "postmaster.pid").unlink()
        connection.close()
        assert wait_until(lambda: "trying again" in (server.root / "receive.log").read_text())
    finally:
        assert receiver.stop() == 0
    copy = recover(server, data)
    try:
        assert crash - float(copy.value("SELECT extract(epoch FROM max(at)) FROM t")) <= 2.0 + 5 * halt
        assert copy.value("SELECT count(*) = max(i) FROM t") == "t"
    finally:
        copy.stop()


def test_receiving_begins_where_the_slot_does(make):
    server = make(1, archive=False, settings=["archive_mode=off"])
    server.sql("postgres", "SELECT pg_create_physical_replication_slot('holdfast_main', true)")
    kept = server.value("postgres", "SELECT pg_walfile_name(restart_lsn) FROM pg_replication_slots")
    names = [server.fill() for _ in range(4)]
    receiver = Receiver(server)
    try:
        assert server.archived(names[-1])
    finally:
        assert receiver.stop() == 0
    assert kept in server.files() and all(name in server.files() for name in names)
    (entry,) = server.list()
    assert entry["gaps"] == [] and entry["ranges"][0]["first"] == kept


def test_receiving_goes_on_after_a_restart(make):
    server = make(1, archive=False, settings=["archive_mode=off"])
    receiver = Receiver(server)
    try:
        receiver.wait_for_stream()
        server.sql("postgres", "CREATE TABLE t AS SELECT generate_series(1, 100) AS i")
        assert wait_until(lambda: server.files("*.part"))
        server.stop("fast")
        server.start()
        name = server.fill()
        assert server.archived(name)
    finally:
        assert receiver.stop() == 0
    # Again, in the middle of a segment.
    server.sql("postgres", "INSERT INTO t SELECT generate_series(1, 100)")
    receiver = Receiver(server)
    try:
        receiver.wait_for_stream()
        name = server.fill(3)
        assert server.archived(name)
    finally:
        assert receiver.stop() == 0
    (entry,) = server.list()
    assert entry["gaps"] == []
    stored = server.root / "target"
    assert server.status("wal", "get", name, stored) == 0
    assert stored.read_bytes() == (server.data / "pg_wal" / name).read_bytes()
    assert server.status("wal", "receive", "main", "--drop-slot") == 0
    assert server.value("postgres", "SELECT count(*) FROM pg_replication_slots") == 0


def test_receiving_follows_a_new_timeline(make):
    server = make(1, archive=False, settings=["archive_mode=off"])
    server.sql("postgres", "CREATE TABLE t AS SELECT generate_series(1, 1000) AS i")
    data = server.backup("copy")
    standby = Copy(server, data, {"primary_conninfo": server.conninfo}, standby=True)
    shutil.copytree(server.data / "pg_wal", data / "pg_wal", dirs_exist_ok=True)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "postgres:postgres", str(data / "pg_wal")], check=True)
    receiver = None
    try:
        standby.start()
        server.config.write_text(server.config.read_text().replace(f"port={server.port}", f"port={standby.port}"))
        receiver = Receiver(server)
        receiver.wait_for_stream()
        server.fill(2)
        server.sql("postgres", "INSERT INTO t SELECT generate_series(1, 1000)")
        assert wait_until(lambda: standby.value("SELECT count(*) FROM t") == "2000")
        assert standby.value("SELECT pg_promote()") == "t"
        standby.value("INSERT INTO t SELECT generate_series(1, 500)")
        last = standby.value("SELECT pg_walfile_name(pg_switch_wal())")
        assert last.startswith("00000002")
        assert server.archived("00000002.history")
        assert server.archived(last)
    finally:
        status = receiver.stop() if receiver else None
        standby.stop()
    assert status == 0
    assert [(entry["timeline"], entry["gaps"]) for entry in server.list()] == [(1, []), (2, [])]
