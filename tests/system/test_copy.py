# SPDX-License-Identifier: Apache-2.0
"""Copies of backups in a second repository: what is restored from there is what was there; damage stays behind; what was broken off
goes on."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import pgcluster
import tdserver
from physical import Site, archive_now, as_server_user, kill_program, program_of, wake
from pgcluster import PROGRAM, wait_until
from restored import Restored
from test_physical_restore import SUM, fill, now

KEY = bytes(range(40))


@pytest.fixture
def restored(site, closing):
    return closing(Restored(site))


class Second:
    """Another repository; `run` is how its owner runs things."""

    def __init__(self, site, name="second", key=None):
        self.site = site
        self.path = site.directory / name
        self.key_file = site.directory / f"{name}-key"
        if key is not None:
            self.key_file.write_bytes(key)
            self.key_file.chmod(0o600)
            if os.geteuid() == 0:
                shutil.chown(self.key_file, "postgres", "postgres")
        self.form = [] if key is None else ["--to-key", f"key-file={self.key_file}"]
        self.read = ["--repository", str(self.path)] + ([] if key is None else ["--key", f"key-file={self.key_file}"])
        self.program("init", "--config", str(site.directory / f"{name}.conf"), *self.read[:2],
                     *([] if key is None else ["--encryption", f"key-file={self.key_file}"]))

    @staticmethod
    def program(*arguments, status=0):
        done = subprocess.run(as_server_user([str(PROGRAM), *arguments]), cwd="/", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=180)
        assert done.returncode == status, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    def copy(self, *arguments, status=0):
        """The items, by backup or archive."""
        done = self.site.fails(status, "copy", *arguments, "--to", str(self.path), *self.form, "--json")
        return {item["backup"] or item["archive"]: item for item in done.json}

    def verify(self, status=0):
        return json.loads(self.program("verify", "--all", "--json", *self.read, status=status))

    def backups(self):
        folder = self.path / "backups"
        return sorted(path.parent.name for path in folder.glob("*/SHA256SUMS"))


def objects(repository, *folders):
    """name -> bytes of the objects below these folders; what a killed writer left begun is none."""
    repository = pathlib.Path(repository)
    return {str(path.relative_to(repository)): path.read_bytes() for folder in folders
            for path in (repository / folder).rglob("*") if path.is_file() and not path.name.startswith(".tmp-")}


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o640)
    path.write_bytes(content)


@pytest.fixture
def history(server, site):
    """Two backups with a pool in common, and a moment behind them."""
    fill(server, 3000)
    first = site.backup()
    server.psql("UPDATE trades SET text = 'second' WHERE id < 100")
    second = site.backup("incremental")
    server.psql("UPDATE trades SET text = 'third' WHERE id < 50")
    moment, expected = now(server), server.value("postgres", SUM)
    server.psql("DELETE FROM trades")
    archive_now(site)
    return first, second, moment, expected


def test_a_point_in_time_from_the_copy(site, restored, history):
    first, second, moment, expected = history
    copy = Second(site)
    items = copy.copy("--all")
    assert {name: item["result"] for name, item in items.items()} == \
        {first["id"]: "copied", second["id"]: "copied", "wal/main": "copied"}
    assert items[second["id"]]["present"] > 0
    # What belongs to both is byte for byte the same, and everything has come.
    assert objects(copy.path, "backups", "pool", "wal") == objects(site.repository, "backups", "pool", "wal")
    assert all(report["result"] == "good" for report in copy.verify())
    site.repository.rename(site.directory / "away")
    restored.pitr("--target-time", moment, "--target-action", "promote", *copy.read)
    restored.verify().promoted()
    assert restored.value(SUM) == expected
    restored.amcheck()


def test_one_backup_brings_what_it_needs(site, restored, history):
    first, second, _, _ = history
    copy = Second(site)
    assert copy.copy(second["id"])[second["id"]]["result"] == "copied"
    assert copy.backups() == [second["id"]]
    site.repository.rename(site.directory / "away")
    restored.full(second, *copy.read)
    restored.verify().promoted()
    assert restored.value("SELECT count(*) FROM trades WHERE text = 'second'") == "99"


def test_again_and_broken_off(site, history):
    first, second, _, _ = history
    copy = Second(site)
    copy.copy("--all")
    whole = objects(copy.path, "backups", "pool", "wal")
    again = copy.copy("--all")
    assert {again[first["id"]]["result"], again[second["id"]]["result"]} == {"present"}
    assert again["wal/main"]["objects"] == 0 and again["wal/main"]["present"] > 0
    # As a copy leaves it that was killed: no commit, an object missing; and another one in the place of one of its own.
    folder = copy.path / "backups" / first["id"]
    (folder / "SHA256SUMS").unlink()
    flip(next(folder.glob("details-files*")))
    next(path for path in (copy.path / "pool").rglob("*") if path.is_file()).unlink()
    (copy.path / "backups" / second["id"] / "SHA256SUMS").unlink()
    items = copy.copy("--all")
    assert items[first["id"]]["result"] == items[second["id"]]["result"] == "copied"
    assert items[first["id"]]["objects"] > 0 and items[first["id"]]["present"] > 0
    assert objects(copy.path, "backups", "pool", "wal") == whole


def test_killed_and_run_again(site, history):
    copy = Second(site)
    process = site.start("copy", "--all", "--to", str(copy.path))
    wait_until(lambda: process.poll() is not None or list((copy.path / "pool").rglob("*")))
    kill_program(process)
    process.communicate()
    for backup in copy.backups():
        assert subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=copy.path / "backups" / backup).returncode == 0
    copy.copy("--all")
    assert objects(copy.path, "backups", "pool", "wal") == objects(site.repository, "backups", "pool", "wal")


def test_damage_stays_behind(site, history):
    first, second, _, _ = history
    mine = {line.split()[1] for line in (site.path(first) / "SHA256SUMS").read_text().splitlines() if "/pool/" in line}
    others = {line.split()[1] for line in (site.path(second) / "SHA256SUMS").read_text().splitlines() if "/pool/" in line}
    flip(site.path(second) / sorted(others - mine)[0])
    copy = Second(site)
    items = copy.copy("--all", status=3)
    assert items[first["id"]]["result"] == "copied" and items[second["id"]]["result"] == "damaged"
    assert "pool/" in items[second["id"]]["damage"][0] and "checksum" in items[second["id"]]["damage"][0]
    assert copy.backups() == [first["id"]]
    assert copy.copy(second["id"], status=3)[second["id"]]["result"] == "damaged"


def test_what_was_copied_is_looked_for_again(site, history):
    """By presence and size: one that has lost an object is no copy, though it was committed."""
    first, second, _, _ = history
    copy = Second(site)
    copy.copy("--all")
    mine = {line.split()[1] for line in (site.path(first) / "SHA256SUMS").read_text().splitlines() if "/pool/" in line}
    others = {line.split()[1] for line in (site.path(second) / "SHA256SUMS").read_text().splitlines() if "/pool/" in line}
    lost = sorted(others - mine)[0]
    (copy.path / "backups" / second["id"] / lost).unlink()
    items = copy.copy("--all", status=3)
    assert items[first["id"]]["result"] == "present" and items[second["id"]]["result"] == "damaged"
    assert items[second["id"]]["damage"] == [f"{lost}: the copy has lost it"]
    (copy.path / "backups" / second["id"] / "SHA256SUMS").unlink()
    assert copy.copy("--all")[second["id"]]["result"] == "copied"
    copy.verify()


def test_two_copies_at_once(site, history):
    """Into one repository: what the other one brings is there, or in its hands."""
    first, second, _, _ = history
    for turn in range(3):
        copy = Second(site, f"both{turn}")
        running = [site.start("copy", "--all", "--to", str(copy.path)) for _ in range(2)]
        said = [process.communicate(timeout=120)[0].decode() for process in running]
        ended = sorted(process.returncode for process in running)
        assert ended in ([0, 0], [0, 4]), said
        assert copy.backups() == sorted([first["id"], second["id"]])
        copy.verify()


def test_damaged_wal_stays_behind(site, history):
    segment = sorted(path for path in site.repository.glob("wal/main/*/*/*/*") if len(path.name) == 24)[-1]
    flip(segment)
    copy = Second(site)
    item = copy.copy("--all", status=3)["wal/main"]
    assert item["result"] == "damaged" and any(segment.name in line for line in item["damage"])
    assert not list(copy.path.glob(f"wal/*/*/*/*/{segment.name}"))


def test_a_damaged_object_in_the_copy_is_no_part_of_it(site, history):
    first, second, _, _ = history
    copy = Second(site)
    copy.copy(first["id"])
    shared = {line.split()[1] for line in (site.path(second) / "SHA256SUMS").read_text().splitlines() if "/pool/" in line}
    flip(next(copy.path / "backups" / first["id"] / path for path in sorted(shared)
              if (copy.path / "backups" / first["id"] / path).exists()))
    item = copy.copy(second["id"], status=3)[second["id"]]
    assert item["result"] == "damaged" and "another object" in item["damage"][0]
    assert copy.backups() == [first["id"]]


def leases(repository):
    """Those that are there, whole."""
    return [path for path in (repository / "leases").glob("*") if not path.name.startswith(".tmp-")]


def used(repository):
    """The backups that somebody says to use. Nobody may be running who takes leases away."""
    return {backup for path in leases(repository) for backup in json.loads(path.read_text())["uses"]}


def state_of(pid):
    """The letter of /proc; none where the process has ended and was waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def stop(pid):
    """False where the process has ended."""
    try:
        os.kill(pid, signal.SIGSTOP)
    except ProcessLookupError:
        return False
    assert wait_until(lambda: state_of(pid) in ("T", "Z", "X", ""), 60)
    return state_of(pid) == "T"


def stopped_copy(site, name):
    """A copy that stands still while it holds its leases, its target, and the id of the process to be woken. One that was done before
    it was seen is tried again."""
    for attempt in range(50):
        copy = Second(site, f"{name}-{attempt}")
        process = site.start("copy", "--all", "--to", str(copy.path))
        worker = process.pid
        while process.poll() is None and not (leases(site.repository) and leases(copy.path)):
            pass
        if process.poll() is None:
            worker = program_of(process)
        if stop(worker) and used(site.repository) and leases(copy.path):
            return copy, process, worker
        wake(process, [worker])
    raise AssertionError("no copy was seen while it ran")


def test_a_copy_keeps_deletions_away(site, history):
    """What is being copied is not deleted, and what has arrived of it is not swept from the pool there."""
    first, second, _, _ = history
    copy, process, worker = stopped_copy(site, "held")
    try:
        [busy] = used(site.repository)
        assert busy in (first["id"], second["id"])
        assert "in use by a copy" in site.fails(4, "delete", busy, "--yes").err
        config = site.directory / "there.conf"
        config.write_text(site.config.read_text().replace(f"path = {site.repository}", f"path = {copy.path}") +
                          "[retention]\ngrace = 0s\n")
        config.chmod(0o600)
        if os.geteuid() == 0:
            shutil.chown(config, "postgres", "postgres")
        there = objects(copy.path, "backups", "pool")
        copy.program("cleanup", "--config", str(config))
        assert objects(copy.path, "backups", "pool") == there
    finally:
        wake(process, [worker])
    assert process.returncode == 0
    assert objects(copy.path, "backups", "pool") == objects(site.repository, "backups", "pool")
    assert all(report["result"] == "good" for report in copy.verify())


def test_wrong_ways(site, server):
    fill(server, 10)
    backup = site.backup()
    copy = Second(site)
    assert "same repository" in site.fails(2, "copy", "--all", "--to", str(site.repository)).err
    assert "--to" in site.fails(2, "copy", "--all").err
    site.fails(2, "copy", "--to", str(copy.path))
    site.fails(2, "copy", backup["id"], "--all", "--to", str(copy.path))
    site.fails(5, "copy", "--all", "--to", str(site.directory))
    site.fails(1, "copy", "20200101T000000Z-main-full-aaaa", "--to", str(copy.path))
    assert "no backup of a source" in site.fails(2, "copy", "--all", "--source", "mian", "--to", str(copy.path)).err
    assert "not encrypted" in site.fails(2, "copy", "--all", "--to", str(copy.path), "--to-key",
                                         "command=echo secret").err
    assert copy.backups() == []
    sealed = Second(site, "sealed", KEY)
    assert "--to-key" in site.fails(2, "copy", "--all", "--to", str(sealed.path)).err
    assert sealed.backups() == []


def test_a_full_disk(site, server):
    fill(server, 10)
    site.backup()
    place = site.directory / "small"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)],
                                           stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        shutil.chown(place, "postgres", "postgres")
        copy = Second(site, "small/second")
        done = site.fails(1, "copy", "--all", "--to", str(copy.path))
        assert "space" in done.err and copy.backups() == []
        subprocess.run(["mount", "-o", "remount,size=200m", str(place)], check=True)
        copy.copy("--all")
        assert copy.backups() == site.backups()
        copy.verify()
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("way", ["plain to sealed", "sealed to sealed", "sealed to plain"])
def test_logical_backups_are_sealed_anew(server, closing, way):
    server.psql("CREATE DATABASE market")
    server.psql("CREATE TABLE zanzibar AS SELECT g AS id, 'a secret ' || g AS text FROM generate_series(1, 2000) g",
                database="market")
    site = Site(server, "method = logical\n", archive=False, key=KEY if way.startswith("sealed") else None)
    backup = site.backup()
    copy = Second(site, key=bytes(reversed(KEY)) if way.endswith("sealed") else None)
    assert copy.copy("--all")[backup["id"]]["result"] == "copied"
    assert copy.copy("--all")[backup["id"]]["result"] == "present"
    folder = copy.path / "backups" / backup["id"]
    sums = (folder / "SHA256SUMS").read_bytes()
    (folder / "SHA256SUMS").unlink()
    again = copy.copy("--all")[backup["id"]]
    assert again["objects"] == 0 and again["present"] > 0 and (folder / "SHA256SUMS").read_bytes() == sums
    assert all(report["result"] == "good" for report in copy.verify())
    sealed = [name for name, content in objects(folder, "data").items() if content.startswith(b"HFSEAL\r\n")]
    assert bool(sealed) == way.endswith("sealed")
    shutil.rmtree(site.repository)
    site.ok("restore", "postgresql", "full", "--backup-id", backup["id"], "--databases", "market", "--to-database",
            "again", *copy.read)
    assert server.value("again", "SELECT sum(id) || max(text) FROM zanzibar") == "2001000a secret 999"


def test_tdengine(tmp_path):
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    server = tdserver.Server()
    try:
        holdfast = tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM)
        server.sql("CREATE DATABASE market VGROUPS 1 BUFFER 8 KEEP 36500d")
        server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE) TAGS (symbol NCHAR(10))")
        for table in range(5):
            rows = " ".join(f"({1700000000000 + row}, {row})" for row in range(100))
            server.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('s{table}') VALUES {rows}")
        backup = holdfast.backup()["id"]
        second = tmp_path / "second"
        subprocess.run([str(PROGRAM), "init", "--repository", str(second), "--config", str(tmp_path / "other.conf")],
                       check=True, stdout=subprocess.DEVNULL)
        holdfast.run("copy", "--all", "--to", str(second))
        holdfast.run("verify", "--all", "--repository", str(second))
        holdfast.run("restore", "tdengine", "full", "--backup-id", backup, "--to-database", "again", "--deep",
                     "--repository", str(second))
        assert server.sql("SELECT count(*), sum(price) FROM again.ticks") == \
            server.sql("SELECT count(*), sum(price) FROM market.ticks")
    finally:
        server.remove()
