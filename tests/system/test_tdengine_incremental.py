# SPDX-License-Identifier: Apache-2.0
"""Incremental backups of TDengine: a seeded random workload, its increments restored and compared with what the server
said at that moment; nothing changed; bases that go."""
import json
import random
import subprocess
import time

import pytest

import pgcluster
import tdserver

DAY = 86400000
START = 1700000000000


@pytest.fixture(scope="module")
def server():
    if tdserver.missing():
        pytest.skip(tdserver.missing())
    made = tdserver.Server()
    if not made.real:
        made.remove()
        pytest.skip("the workload needs a real server")
    yield made
    made.remove()


@pytest.fixture
def holdfast(server, tmp_path):
    yield tdserver.Holdfast(tmp_path, server, pgcluster.PROGRAM)
    server.drop_all()


@pytest.fixture
def market(server):
    server.sql("CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 10d")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, note VARCHAR(20)) TAGS (symbol NCHAR(10))")
    server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    server.sql(f"INSERT INTO market.plain VALUES ({START}, 1) ({START + 1}, NULL)")
    for table in range(8):
        rows = " ".join(f"({START + day * DAY + table}, {table + day / 4}, 'n{day}')" for day in range(40))
        server.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('号{table}') VALUES {rows}")


def increment(holdfast, *arguments):
    return json.loads(holdfast.run("backup", "tdengine", "incremental", "--json", *arguments).stdout)


def dump(server, database):
    """All that there is, in words of the server's own."""
    columns = [row[:3] for row in server.sql(f"DESCRIBE `{database}`.ticks")]
    names = ", ".join(f"`{name}`" for name, *_ in columns if _[-1] is not None)
    tables = sorted(row[0] for row in server.sql("SELECT table_name FROM information_schema.ins_tables "
                                                 f"WHERE db_name = '{database}'"))
    return (columns, tables, sorted(server.sql(f"SELECT tbname, {names} FROM `{database}`.ticks"), key=str),
            sorted(server.sql(f"SELECT TAGS tbname, symbol FROM `{database}`.ticks"), key=str),
            sorted(server.sql(f"SELECT * FROM `{database}`.plain"), key=str))


def restored(server, holdfast, manifest):
    holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], "--to-database", "copy", "--deep")
    found = dump(server, "copy")
    server.sql("DROP DATABASE copy")
    return found


class Workload:
    def __init__(self, server, seed):
        self.server, self.random = server, random.Random(seed)
        self.tables, self.made, self.columns = list(range(8)), 8, 0

    def sql(self, text):
        self.server.sql(text)

    def when(self):
        return START + self.random.randrange(40) * DAY

    def insert(self):
        table = self.random.choice(self.tables)
        self.sql(f"INSERT INTO market.t{table} (ts, price, note) VALUES "
                 f"({self.when() + self.random.randrange(1000)}, {self.random.random()}, 'x')")

    def update(self):
        table = self.random.choice(self.tables)
        self.sql(f"INSERT INTO market.t{table} (ts, price) VALUES ({self.when() + table}, {self.random.random()})")

    def delete(self):
        since = self.when()
        self.sql(f"DELETE FROM market.t{self.random.choice(self.tables)} WHERE ts >= {since} AND ts < {since + DAY}")

    def create(self):
        self.tables.append(self.made)
        self.sql(f"INSERT INTO market.t{self.made} USING market.ticks TAGS ('new') (ts, price, note) "
                 f"VALUES ({self.when()}, 1, NULL)")
        self.made += 1

    def drop(self):
        if len(self.tables) > 3:
            self.sql(f"DROP TABLE market.t{self.tables.pop(self.random.randrange(len(self.tables)))}")

    def recreate(self):
        table = self.random.choice(self.tables)
        self.sql(f"DROP TABLE market.t{table}")
        self.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('again') (ts, price) VALUES ({self.when()}, 2)")

    def tag(self):
        self.sql(f"ALTER TABLE market.t{self.random.choice(self.tables)} SET TAG symbol = 's{self.random.random():.3f}'")

    def column(self):
        self.columns += 1
        if self.columns % 3 == 0:
            self.sql(f"ALTER STABLE market.ticks DROP COLUMN c{self.columns - 1}")
        elif self.columns % 3 == 1:
            self.sql(f"ALTER STABLE market.ticks MODIFY COLUMN note VARCHAR({20 + self.columns})")
        else:
            self.sql(f"ALTER STABLE market.ticks ADD COLUMN c{self.columns} INT")

    def normal(self):
        self.sql(f"INSERT INTO market.plain VALUES ({self.when()}, {self.random.randrange(100)})")

    def step(self):
        ways = [self.insert] * 4 + [self.update] * 4 + [self.delete] * 2 + \
            [self.create, self.drop, self.recreate, self.tag, self.column, self.normal]
        for _ in range(self.random.randrange(1, 6)):
            self.random.choice(ways)()


def test_random_workload(server, holdfast, market):
    work = Workload(server, 7)
    full = holdfast.backup()
    kept = [(full, dump(server, "market"))]
    backups = [full]
    for step in range(24):
        work.step()
        backups.append(increment(holdfast, "--mode", "scan"))
        if step % 6 == 5:
            kept.append((backups[-1], dump(server, "market")))
    assert all(one["type"] == "incremental" for one in backups[1:])
    for manifest, state in kept[1:]:
        assert restored(server, holdfast, manifest) == state
    # Any backup may go: what it wrote for others stays.
    last = {id(manifest) for manifest, _ in kept[1:]}
    for manifest in backups:
        if id(manifest) not in last:
            holdfast.run("delete", manifest["id"], "--yes")
    holdfast.config.write_text(holdfast.config.read_text() + "[retention]\ngrace = 0s\n")
    holdfast.run("cleanup")
    holdfast.run("verify", "--all")
    for manifest, state in kept[1:]:
        assert restored(server, holdfast, manifest) == state


def test_only_what_differs_is_written(server, holdfast, market):
    full = holdfast.backup()
    server.sql(f"INSERT INTO market.t3 VALUES ({START + 3}, 77, 'updated')")
    manifest = increment(holdfast, "--mode", "scan")
    old = {one["data"]["sha256"]: one for one in holdfast.slices(full)}
    fresh = [one for one in holdfast.slices(manifest) if one["data"]["sha256"] not in old]
    assert [one["table"] for one in fresh] == ["ticks"] and fresh[0]["from"] <= START + 3 < fresh[0]["to"]
    assert manifest["base"] == full["id"] and manifest["evidence"]["used"] == ["scan"]


def test_nothing_changed(server, holdfast, market):
    base = holdfast.backup()
    # The server reports its versions late: the full's may be older than its rows. A scan notes the true ones.
    for _ in range(20):
        manifest = increment(holdfast)
        if manifest["evidence"]["used"] == ["versions"]:
            break
        time.sleep(0.5)
    assert manifest["evidence"]["used"] == ["versions"] and manifest["evidence"]["cannot_see"] == []
    assert manifest["evidence"]["state"] < manifest["start"]
    assert manifest["pool"]["written_bytes"] == 0
    size = sum(path.stat().st_size for path in holdfast.folder(manifest).rglob("*") if path.is_file())
    assert size < 100000
    state = dump(server, "market")
    holdfast.run("delete", base["id"], "--yes")
    assert restored(server, holdfast, manifest) == state


def test_bases_that_do_not_fit(server, holdfast, market):
    first = increment(holdfast)
    assert first["type"] == "full" and "no earlier backup" in first["warnings"][0]
    holdfast.backup("--databases", "market")
    victim = holdfast.slices(first)[0]["data"]["sha256"]
    named = increment(holdfast, "--since", first["id"], "--mode", "scan")
    assert named["base"] == first["id"]
    (holdfast.repository / "pool" / victim[:2] / victim).unlink()
    again = increment(holdfast, "--since", first["id"])
    assert again["type"] == "full" and "damaged" in again["warnings"][0]
    server.sql("DROP DATABASE market")
    server.sql("CREATE DATABASE market VGROUPS 1 BUFFER 8")
    renewed = increment(holdfast, "--since", again["id"])
    assert renewed["type"] == "full" and "made anew" in renewed["warnings"][0]
    holdfast.run("backup", "tdengine", "incremental", "--mode", "other", status=2)


def test_killed(server, holdfast, market):
    full = holdfast.backup()
    server.sql(f"INSERT INTO market.t3 VALUES ({START + 3}, 77, 'updated')")
    for wait in (0.0, 0.01, 0.03, 0.06, 0.1):
        process = subprocess.Popen([holdfast.program, "backup", "tdengine", "incremental", "--mode", "scan", "--config",
                                    str(holdfast.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.kill()
        process.wait()
        holdfast.run("verify", full["id"])
    manifest = increment(holdfast, "--since", full["id"], "--mode", "scan")
    assert restored(server, holdfast, manifest) == dump(server, "market")
