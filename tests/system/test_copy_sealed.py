# SPDX-License-Identifier: Apache-2.0
"""Copies where a repository is encrypted: everything is sealed anew, pool objects get other names, and what is restored from the copy
is what was there."""
import hashlib
import json
import os
import shutil
import subprocess

import pytest

import pgcluster
import tdserver
import unseal
from conftest import missing
from physical import PhysicalCluster, Site, archive_now, kill_program
from pgcluster import remove_tree, wait_until
from restored import Restored
from test_copy import KEY, Second, flip, objects
from test_physical_restore import SUM, fill, now

SEAL = b"HFSEAL\r\n"
WAYS = ["plain to sealed", "sealed to sealed", "sealed to plain"]


@pytest.fixture(scope="module")
def cluster_of_all():
    if missing() is not None:
        pytest.skip(missing())
    made = PhysicalCluster()
    yield made
    made.remove()


@pytest.fixture
def server(cluster_of_all):
    """One server serves these tests one after the other: each makes its tables and its repositories anew."""
    yield cluster_of_all
    cluster_of_all.set("archive_command", "true")
    cluster_of_all.psql("DROP TABLE IF EXISTS trades, other")
    remove_tree(cluster_of_all.root / "site-main")


def make(server, way):
    """The site and the copy's repository, not copied to yet."""
    site = Site(server, key=KEY if way.startswith("sealed") else None)
    return site, Second(site, key=bytes(reversed(KEY)) if way.endswith("sealed") else None)


def history(server, site):
    """Two backups with a pool and maps in common, and a moment behind them."""
    fill(server, 3000)
    first = site.backup()
    server.psql("CREATE TABLE other AS SELECT 1 AS one; UPDATE trades SET text = 'second' WHERE id < 100")
    second = site.backup("incremental")
    server.psql("UPDATE trades SET text = 'third' WHERE id < 50")
    moment, expected = now(server), server.value("postgres", SUM)
    server.psql("DELETE FROM trades")
    archive_now(site)
    return first, second, moment, expected


def pool(repository):
    return objects(repository, "pool")


def plain_pool(path, key):
    """Digests of what is in the pool, read by the documentation alone."""
    read = unseal.Repository(path, secret=key).read if key is not None else lambda name: (path / name).read_bytes()
    return sorted(hashlib.sha256(read(name)).hexdigest() for name in pool(path))


def own_config(site, copy):
    """The site's configuration, with the copy for its repository."""
    text = site.config.read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("path = ", "key = "))]
    lines.insert(lines.index("[repository]") + 1, f"path = {copy.path}\nkey = key-file={copy.key_file}")
    config = site.directory / "moved.conf"
    config.write_text("\n".join(lines) + "\n")
    config.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(config, "postgres", "postgres")
    return config


@pytest.mark.parametrize("way", WAYS)
def test_physical(server, closing, way):
    site, copy = make(server, way)
    first, second, moment, expected = history(server, site)
    items = copy.copy("--all")
    assert {name: item["result"] for name, item in items.items()} == \
        {first["id"]: "copied", second["id"]: "copied", "wal/main": "copied"}
    assert items[second["id"]]["present"] > 0
    there = pool(copy.path)
    assert len(there) == len(pool(site.repository)) and not set(there) & set(pool(site.repository))
    assert all(content.startswith(SEAL) == way.endswith("sealed") for content in there.values())
    mine, theirs = (repository.key_file.read_bytes() if repository.key_file.exists() else None for repository in (site, copy))
    assert plain_pool(copy.path, theirs) == plain_pool(site.repository, mine)
    # Copied once: another run finds what it needs, although nothing tells it.
    (copy.path / "backups" / second["id"] / "SHA256SUMS").unlink()
    again = copy.copy("--all")
    assert (again[first["id"]]["result"], again[second["id"]]["result"]) == ("present", "copied")
    assert again[second["id"]]["objects"] == 1 and pool(copy.path) == there
    reports = json.loads(copy.program("verify", "--all", "--deep", "--json", *copy.read))
    assert len([report for report in reports if report.get("archive") != "repository"]) == 3
    assert all(report["result"] == "good" for report in reports)
    site.repository.rename(site.directory / "away")
    restored = closing(Restored(site))
    restored.pitr("--target-time", moment, "--target-action", "promote", *copy.read)
    restored.verify().promoted()
    assert restored.value(SUM) == expected


def test_the_copy_is_gone_on_with(server, closing):
    """An incremental in the copy refers to what was copied, maps included; and a copy of that comes home."""
    site, copy = make(server, "plain to sealed")
    history(server, site)
    copy.copy("--all")
    config = own_config(site, copy)
    server.set("archive_command", f"{pgcluster.PROGRAM} wal push %p --source main --config {config}")
    site.config = config
    server.psql("INSERT INTO trades SELECT g, 'fourth' FROM generate_series(1, 5) g")
    third = json.loads(site.ok("backup", "postgresql", "incremental", "--json").out)
    assert third["type"] == "incremental" and third["pool"]["written_bytes"] < third["pool"]["bytes"] / 2
    home = Second(site, "home")
    site.ok("copy", third["id"], "--to", str(home.path))
    for repository in (copy.read, home.read):
        copy.program("verify", third["id"], "--deep", *repository)
    # A map names packs as they were called where they were written: what came home has those names again.
    names = set(pool(home.path))
    assert names & set(pool(site.repository)) and all(not content.startswith(SEAL) for content in pool(home.path).values())
    restored = closing(Restored(site))
    restored.full(third, *home.read)
    restored.verify().promoted()
    assert restored.value("SELECT count(*), max(text) FROM trades") == "5|fourth"


def test_killed_two_at_once_and_damage(server):
    site, copy = make(server, "plain to sealed")
    first, second, _, _ = history(server, site)
    process = site.start("copy", "--all", "--to", str(copy.path), *copy.form)
    wait_until(lambda: process.poll() is not None or pool(copy.path), 60)
    kill_program(process)
    process.communicate()
    for backup in copy.backups():
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=copy.path / "backups" / backup, check=True)
    # Two at once make the same objects.
    both = [site.start("copy", backup["id"], "--to", str(copy.path), *copy.form) for backup in (first, second)]
    assert [one.communicate()[0] and one.returncode for one in both] == [0, 0]
    assert copy.backups() == sorted([first["id"], second["id"]])
    assert len(pool(copy.path)) == len(pool(site.repository))
    copy.verify()
    # What is damaged in the source is told; the backup that does not need it comes.
    sums = [(site.path(backup) / "SHA256SUMS").read_text() for backup in (first, second)]
    [pack, *_] = [line.split()[1] for line in sums[1].splitlines() if "/pool/" in line and line not in sums[0].splitlines()]
    flip(site.path(second) / pack)
    other = Second(site, "other", KEY)
    items = other.copy("--all", status=3)
    assert (items[first["id"]]["result"], items[second["id"]]["result"]) == ("copied", "damaged")
    assert pack in items[second["id"]]["damage"][0] and "checksum" in items[second["id"]]["damage"][0]
    assert other.backups() == [first["id"]]


@pytest.mark.parametrize("way", WAYS)
def test_tdengine(tmp_path, way):
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    server = tdserver.Server()
    try:
        holdfast = tdserver.Holdfast(tmp_path / "here", server, pgcluster.PROGRAM)
        server.sql("CREATE DATABASE market VGROUPS 1 BUFFER 8 KEEP 36500d")
        server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE) TAGS (symbol NCHAR(10))")
        server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
        server.sql("INSERT INTO market.plain VALUES (1700000000000, 7)")
        for table in range(5):
            rows = " ".join(f"({1700000000000 + row}, {row})" for row in range(100))
            server.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('s{table}') VALUES {rows}")
        keys = {}
        for name in ("one", "two"):
            keys[name] = tmp_path / name
            keys[name].write_bytes(KEY + name.encode())
            keys[name].chmod(0o600)

        def repository(name, key):
            path = tmp_path / f"repository-{name}"
            form = [f"key-file={keys[key]}"] if key else []
            subprocess.run([str(pgcluster.PROGRAM), "init", "--repository", str(path), "--config", str(tmp_path / f"{name}.conf"),
                            *(["--encryption", *form] if key else [])], check=True, stdout=subprocess.DEVNULL)
            return path, ["--to", str(path), *(["--to-key", *form] if key else [])], \
                ["--repository", str(path), *(["--key", *form] if key else [])]

        backup = holdfast.backup()["id"]
        server.sql("INSERT INTO market.plain VALUES (1700000000001, 8)")
        second = json.loads(holdfast.run("backup", "tdengine", "incremental", "--json").stdout)["id"]
        # Made clear; on from where it is sealed.
        from_where = []
        if way.startswith("sealed"):
            _, to, from_where = repository("start", "one")
            holdfast.run("copy", "--all", *to)
        path, to, read = repository("end", "two" if way.endswith("sealed") else None)
        items = json.loads(holdfast.run("copy", "--all", *to, *from_where, "--json").stdout)
        assert [(item["backup"], item["result"]) for item in items] == [(backup, "copied"), (second, "copied")]
        assert len(pool(path)) == len(pool(holdfast.repository))
        assert (set(pool(path)) == set(pool(holdfast.repository))) == way.endswith("plain")
        holdfast.run("verify", "--all", "--deep", *read)
        holdfast.run("restore", "tdengine", "full", "--backup-id", second, "--to-database", "again", "--deep", *read)
        assert server.sql("SELECT count(*), sum(price) FROM again.ticks") == \
            server.sql("SELECT count(*), sum(price) FROM market.ticks")
        assert server.sql("SELECT count(*), sum(v) FROM again.plain") == [[2, 15]]
    finally:
        server.remove()
