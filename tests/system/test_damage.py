# SPDX-License-Identifier: Apache-2.0
"""Damage of every kind in every kind of object: the level that should find it does, names the object, what it holds and which backups
need it; what it calls unaffected is whole; and what nobody could see is told by none as good."""
import os
import pathlib
import re

import pytest

import pgcluster
import tdserver
from conftest import missing
from physical import PhysicalCluster, Site, archive_now

KEY = b"a key of the tests, long enough to be one"


class Object:
    """A file of a repository that is damaged and mended."""

    def __init__(self, path, other=None):
        """`other`: a file to swap it with."""
        self.path, self.other = path, other
        self.saved = path.read_bytes()
        self.state = path.stat()

    @staticmethod
    def put(path, content, state):
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            path.chmod(0o600)
        path.write_bytes(content)
        path.chmod(state.st_mode)
        os.chown(path, state.st_uid, state.st_gid)

    def flip(self):
        middle = len(self.saved) // 2
        self.put(self.path, self.saved[:middle] + bytes([self.saved[middle] ^ 0x10]) + self.saved[middle + 1:], self.state)

    def cut(self):
        self.put(self.path, self.saved[:len(self.saved) * 2 // 3], self.state)

    def empty(self):
        self.put(self.path, b"", self.state)

    def remove(self):
        self.path.unlink()

    def swap(self):
        content, self.kept = self.other.read_bytes(), (self.other.read_bytes(), self.other.stat())
        self.put(self.other, self.saved, self.kept[1])
        self.put(self.path, content, self.state)

    def mend(self):
        self.put(self.path, self.saved, self.state)
        if getattr(self, "kept", None) is not None:
            self.put(self.other, *self.kept)


def damages(path, other=None):
    """Each kind of damage in turn, mended behind it."""
    for kind in ("flip", "cut", "empty", "remove", *(["swap"] if other is not None else [])):
        one = Object(path, other)
        getattr(one, kind)()
        try:
            yield kind
        finally:
            one.mend()


def listed(folder):
    """The paths in SHA256SUMS."""
    return [line[66:] for line in (folder / "SHA256SUMS").read_text().splitlines() if line[:1] != "#"]


def kind_of(path):
    """Objects of the same kind have the same one."""
    name = re.sub(r"\d+", "N", path.split("/")[-1])
    return path.split("/")[2] if path.startswith("../../") else name


def one_of_each(folder, paths):
    """kind -> (an object of it, another of the same kind or of any)."""
    found = {}
    for path in sorted(paths, key=lambda path: -(folder / path).stat().st_size):
        found.setdefault(kind_of(path), []).append(path)
    everything = [path for path in paths if path != "manifest.json"]
    return {kind: (own[0], next(path for path in [*own[1:], *everything] if path != own[0])) for kind, own in found.items()}


def told_by(run, backup, status, *arguments):
    return run(status, "verify", backup, "--json", *arguments)


def check_listed(run, repository, backup, others):
    """Everything that SHA256SUMS lists, at the lightest level."""
    folder = repository / "backups" / backup
    needs = {other: set(listed(repository / "backups" / other)) for other in others}
    known = set()  # affected once, they count as damaged until they, or this one, are found good
    kinds = one_of_each(folder, listed(folder))
    for kind, (path, other) in kinds.items():
        for damage in damages(folder / path, None if kind == "manifest.json" else folder / other):
            told = told_by(run, backup, 3, "--objects")
            wrong = {path, other} if damage == "swap" else {path}
            assert {one["object"] for one in told["damage"]} == wrong, (kind, damage, told)
            assert told["result"] == "damaged" and told["level"] == "objects"
            shared = {one for one in wrong if one.startswith("../../")}
            affected = {one for one in others if needs[one] & shared}
            assert set(told["affected"]) == affected, (kind, damage, told)
            known |= affected
            assert set(told["unaffected"]) == set(others) - known, (kind, damage, told)
    # What it says needs none of the damaged objects is whole.
    for damage in damages(folder / kinds.get("pool", kinds["manifest.json"])[0]):
        for one in told_by(run, backup, 3, "--objects")["unaffected"]:
            assert told_by(run, one, 0, "--structure")["result"] == "good"
        break
    assert told_by(run, backup, 0, "--deep")["result"] == "good"
    return kinds


def check_commit(run, repository, backup):
    """SHA256SUMS, which all the others stand in."""
    sums = repository / "backups" / backup / "SHA256SUMS"
    for damage in damages(sums):
        if damage == "remove":
            # It is in no list any more: nobody shall take the silence for an answer, nor the rest away.
            reports = run(3, "verify", "--all", "--json")
            [wrong] = [one for report in reports if report["result"] == "damaged" for one in report["damage"]]
            assert wrong["object"] == f"backups/{backup}/SHA256SUMS" and backup in wrong["belongs_to"]
            run(1, "verify", backup)
            run(1, "cleanup", "--dry-run")
            run(0, "cleanup", "--dry-run", "--unreadable", backup, "--json")
            continue
        told = told_by(run, backup, 3, "--objects")
        assert told["damage"] != [], (damage, told)
        if damage != "flip":
            assert [one["object"] for one in told["damage"]] == ["SHA256SUMS"]
            run(1, "cleanup", "--dry-run")
    assert told_by(run, backup, 0, "--structure")["result"] == "good"


def check_rest(run, path, found=("flip", "cut", "empty"), object_name=None):
    """What no SHA256SUMS lists, by --all: `found` are the damages that must be seen. Nobody can miss what is removed."""
    for damage in damages(path):
        if damage not in (*found, "remove"):
            continue
        reports = run(3 if damage in found else 0, "verify", "--all", "--objects", "--json")
        wrong = [one["object"] for report in reports for one in report["damage"]]
        assert bool(wrong) == (damage in found), (path, damage, reports)
        assert damage not in found or object_name is None or any(object_name in one for one in wrong), (damage, wrong)


# --- PostgreSQL --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server():
    if missing() is not None:
        pytest.skip(missing())
    made = PhysicalCluster()
    made.psql("CREATE TABLE trades AS SELECT i AS id, md5(i::text) AS text FROM generate_series(1, 3000) i; CHECKPOINT")
    yield made
    made.remove()


class Repository:
    """A physical full, an incremental of it, a full of its own, and two logical ones."""

    def __init__(self, server, key):
        self.site = Site(server, source="sealed" if key else "main", key=key)
        self.path = self.site.repository
        self.full = self.site.backup()["id"]
        server.psql("UPDATE trades SET text = 'x' WHERE id < 10")
        self.increment = self.site.backup("incremental")["id"]
        self.other = self.site.backup()["id"]
        self.logical = self.site.backup("full", "--method", "logical")["id"]
        self.second = self.site.backup("full", "--method", "logical")["id"]
        archive_now(self.site)

    def run(self, status, *arguments):
        done = self.site.fails(status, *arguments)
        return done.json if "--json" in arguments else done

    def others(self, backup):
        return [one for one in self.site.backups() if one != backup]

    def remove(self):
        self.site.cluster.set("archive_command", "/bin/true")
        pgcluster.remove_tree(self.site.directory)


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "sealed"])
def repository(server, request):
    made = Repository(server, request.param)
    yield made
    made.remove()


def test_physical(repository):
    kinds = check_listed(repository.run, repository.path, repository.full, repository.others(repository.full))
    assert {"pool", "wal", "manifest.json", "backup_label", "details.json.zst", "details-files.jsonl.zst"} <= set(kinds)
    check_commit(repository.run, repository.path, repository.full)


def test_logical(repository):
    kinds = check_listed(repository.run, repository.path, repository.logical, repository.others(repository.logical))
    assert {"schema.dump.zst", "rest.dump.zst", "globals.sql.zst"} <= set(kinds)
    check_commit(repository.run, repository.path, repository.logical)


def objectives_tell_of_logs(repository):
    """Whatever else they say: that depends on the time."""
    [source] = repository.site.run("objectives", "--json").json
    return any(one["objective"] == "proof" and "archived logs" in one["reason"] for one in source["findings"])


def test_archive(repository):
    """WAL that no backup lists, and what lies beside it."""
    needed = {path[6:] for one in repository.site.backups() for path in listed(repository.path / "backups" / one)}
    segments = [path for path in repository.path.glob("wal/*/*/*/*/*") if re.fullmatch(r"[0-9A-F]{24}", path.name)
                and str(path.relative_to(repository.path)) not in needed]
    check_rest(repository.run, max(segments), object_name=max(segments).name)
    backup_file = max(repository.path.glob("wal/*/*/*/*/*.backup"))
    check_rest(repository.run, backup_file, object_name=backup_file.name)
    history = pathlib.Path(repository.site.directory) / "00000002.history"
    history.write_text("1\t0/3000000\tno recovery target specified\n")
    history.chmod(0o644)
    repository.run(0, "wal", "push", str(history), "--source", repository.site.directory.name[5:])
    [kept] = repository.path.glob("wal/*/*/*/00000002.history*")
    check_rest(repository.run, kept, object_name=kept.name)
    kept.unlink()
    [system] = repository.path.glob("wal/*/*/system.json")
    check_rest(repository.run, system, object_name="system.json")
    # What verify has seen the objectives say too, until it is well again.
    one = Object(backup_file)
    one.flip()
    repository.run(3, "verify", "--all", "--objects", "--json")
    assert objectives_tell_of_logs(repository)
    one.mend()
    repository.run(0, "verify", "--all", "--objects", "--json")
    assert not objectives_tell_of_logs(repository)


def test_records_and_pins(repository):
    repository.run(0, "restore", "postgresql", "full", "--backup-id", repository.full, "--target-directory",
                   str(repository.path.parent / "elsewhere"), "--dry-run")
    repository.run(0, "pin", repository.second)
    repository.run(0, "unpin", repository.second)
    kinds = {path.name.split("-")[1]: path for path in repository.path.glob("records/*.json")}
    assert {"verify", "restore", "unpin"} <= set(kinds)
    for record in kinds.values():
        if "-pin-" not in record.name:
            check_rest(repository.run, record, object_name=record.name)
    for pin in repository.path.glob("records/*pin-*.json"):
        pin.unlink()
    repository.run(0, "pin", repository.other)
    [pin] = repository.path.glob("records/*-pin-*.json")
    check_rest(repository.run, pin, object_name=pin.name)
    for damage in damages(pin):
        if damage == "remove":
            continue
        # A pin that cannot be read may be any backup's.
        repository.run(0, "catalog", "rebuild")
        assert "pin" in repository.run(1, "cleanup", "--dry-run").err
        repository.run(0, "cleanup", "--dry-run", "--unreadable", pin.stem)
        assert "pin" in repository.run(1, "delete", repository.full).err
    repository.run(0, "catalog", "rebuild")
    repository.run(0, "cleanup", "--dry-run")
    repository.run(1, "delete", repository.other)


def test_leases_tombstones_and_keys(repository):
    """Made by hand: those that the program makes live only while it runs."""
    state = repository.path.stat()
    for name, wrong in (("leases/abcdefgh.00000001", b"{"), ("tombstones/abcdefgh.json", b'{"format_version": 1}')):
        path = repository.path / name
        fresh = not path.parent.exists()
        path.parent.mkdir(exist_ok=True)
        os.chown(path.parent, state.st_uid, state.st_gid)
        path.write_bytes(wrong)
        os.chown(path, state.st_uid, state.st_gid)
        reports = repository.run(3, "verify", "--all", "--objects", "--json")
        assert [one["object"].split("/")[0] for report in reports for one in report["damage"]] == [name.split("/")[0]]
        path.unlink()
        if fresh:
            path.parent.rmdir()
    for key in sorted(repository.path.glob("keys/*.json")):
        for damage in damages(key):
            # Nothing can be looked into, or only data of that key: in any case it is not good.
            done = repository.site.run("verify", "--all", "--structure", "--json")
            assert done.status != 0, (key, damage, done)
    header = repository.path / "repository.json"
    for damage in damages(header):
        assert repository.site.run("verify", "--all").status in (3, 5), damage
    repository.run(0, "verify", "--all", "--json")


# --- TDengine ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tdengine():
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    made = tdserver.Server()
    made.sql("CREATE DATABASE market VGROUPS 1 BUFFER 8 KEEP 36500d")
    made.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE) TAGS (symbol VARCHAR(10))")
    for table in range(3):
        rows = " ".join(f"({1700000000000 + row}, {row / 7})" for row in range(200))
        made.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('s{table}') VALUES {rows}")
    yield made
    made.remove()


def test_tdengine(tdengine, tmp_path):
    market = tdserver.Holdfast(tmp_path, tdengine, pgcluster.PROGRAM)

    def run(status, *arguments):
        done = market.run(*arguments, status=status)
        return pgcluster.Result(done).json if "--json" in arguments else pgcluster.Result(done)

    first, second = market.backup()["id"], market.backup()["id"]
    kinds = check_listed(run, market.repository, first, [second])
    assert {"pool", "manifest.json", "details.json.zst", "details-slices.jsonl.zst"} <= set(kinds)
    # Slices, tags and counts of tables are all in the pool: each of them.
    folder = market.repository / "backups" / first
    for path in listed(folder):
        if path.startswith(("../../pool/", "schema/")):
            one = Object(folder / path)
            one.flip()
            [wrong] = told_by(run, first, 3, "--objects")["damage"]
            owner = "market.ticks" if "pool" in path else "for reading, which no restore needs"
            assert wrong["object"] == path and owner in wrong["belongs_to"]
            one.mend()
    check_commit(run, market.repository, first)
