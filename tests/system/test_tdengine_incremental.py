# SPDX-License-Identifier: Apache-2.0
"""Incremental backups of TDengine: a seeded random workload, its increments restored and compared with what the server
said at that moment; nothing changed; bases that go."""
import hashlib
import json
import os
import random
import subprocess
import threading
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
    fill(server)


@pytest.fixture
def days(server, holdfast):
    """A market whose first backup, which makes the plan, has seen no rows: every day is a slice of its own."""
    server.sql("CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 1d")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, note VARCHAR(20), flag BOOL, at TIMESTAMP, "
               "size BIGINT UNSIGNED) TAGS (symbol NCHAR(10))")
    server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    wait_for_leaders(server)
    first = holdfast.backup()
    fill(server)
    return first


def wait_for_leaders(server):
    """A new vgroup tells no version before that."""
    for _ in range(600):
        states = {row[0] for row in server.sql("SELECT v1_status FROM information_schema.ins_vgroups")}
        if states == {"leader"}:
            return
        time.sleep(0.1)
    raise AssertionError(f"the vgroups have no leaders: {states}")


def fill(server):
    server.sql(f"INSERT INTO market.plain VALUES ({START}, 1) ({START + 1}, NULL)")
    for table in range(8):
        rows = " ".join(f"({START + day * DAY + table}, {table + day / 4}, 'n{day}')" for day in range(40))
        server.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('号{table}') (ts, price, note) VALUES {rows}")


def increment(holdfast, *arguments):
    return json.loads(holdfast.run("backup", "tdengine", "incremental", "--json", *arguments).stdout)


def versions(server):
    return sorted(map(str, server.sql("SELECT vgroup_id, `v1_applied/committed` FROM information_schema.ins_vgroups")))


class Told:
    """Does not leave before the server tells that something was written: it reports its versions up to two seconds late."""

    def __init__(self, server):
        self.server = server

    def __enter__(self):
        if self.server.real:
            time.sleep(2.5)  # what was written before is not to be taken for what is written now
        self.before = versions(self.server)

    def __exit__(self, *_):
        for _ in range(600):
            if versions(self.server) != self.before:
                return
            time.sleep(0.1)
        raise AssertionError("the versions of the vgroups do not move")


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


def run_workload(server, holdfast, mode, steps, keep):
    """Increments after random changes; at some moments what is there is kept, and compared with what is restored."""
    work = Workload(server, 7)
    kept, backups = [], []
    for step in range(steps):
        with Told(server):
            work.step()
        backups.append(increment(holdfast, "--mode", mode))
        if step % keep == keep - 1:
            kept.append((backups[-1], dump(server, "market")))
    assert all(one["type"] == "incremental" for one in backups)
    for manifest, state in kept:
        assert restored(server, holdfast, manifest) == state
    return kept, backups


def test_random_workload(server, holdfast, days):
    kept, backups = run_workload(server, holdfast, "scan", 8, 4)
    # Any backup may go: what it wrote for others stays.
    last = {manifest["id"] for manifest, _ in kept}
    for manifest in [days] + backups:
        if manifest["id"] not in last:
            holdfast.run("delete", manifest["id"], "--yes")
    holdfast.config.write_text(holdfast.config.read_text() + "[retention]\ngrace = 0s\n")
    holdfast.run("cleanup")
    holdfast.run("verify", "--all")
    for manifest, state in kept:
        assert restored(server, holdfast, manifest) == state


def test_small_tables_of_many_slices(server, holdfast):
    """What a small table has in many slices is written together: composite keys, names that begin alike, tables that are in
    some slices only, tables and a stretch of time that were chosen."""
    server.sql("CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 1d")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, k INT COMPOSITE KEY, note VARCHAR(20)) TAGS (symbol NCHAR(10))")
    wait_for_leaders(server)
    holdfast.backup()  # makes the plan: every day is a slice
    for number, name in enumerate(("a", "ab", "abc", "b", "ba")):
        rows = " ".join(f"({START + day * DAY}, {key}, {'NULL' if key else repr(name + str(day))})"
                        for day in range(number, 30, number + 1) for key in range(3))
        server.sql(f"INSERT INTO market.{name} USING market.ticks TAGS ('号{name}') VALUES {rows}")
    manifest = increment(holdfast, "--mode", "scan")
    assert len(holdfast.slices(manifest)) >= 30
    read = lambda database, which="": sorted(server.sql(f"SELECT tbname, ts, k, note FROM {database}.ticks {which}"), key=str)
    holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], "--to-database", "copy", "--deep")
    assert read("copy") == read("market")
    holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], "--to-database", "part", "--tables", "ab",
                 "--tables", "ba", "--start", "2023-11-20T00:00:00Z", "--end", "2023-11-30T00:00:00Z")
    chosen = read("market", "WHERE tbname IN ('ab', 'ba') AND ts >= '2023-11-20T00:00:00Z' "
                  "AND ts < '2023-11-30T00:00:00Z'")
    assert chosen != [] and read("part") == chosen


def test_random_workload_quick(server, holdfast, days):
    """Each of its changes moves a count, a sum or a uid."""
    run_workload(server, holdfast, "quick", 8, 4)


@pytest.mark.skipif("HOLDFAST_LONG_TESTS" not in os.environ, reason="takes many minutes: HOLDFAST_LONG_TESTS=1")
@pytest.mark.parametrize("mode", ["scan", "quick"])
def test_long_workload(server, holdfast, days, mode):
    """A hundred increments, written to by several clients meanwhile and killed now and then; twenty of them compared."""
    work, kept = Workload(server, 11), []
    others = [Workload(server, 20 + number) for number in range(3)]
    for step in range(100):
        with Told(server):
            threads = [threading.Thread(target=lambda one=one: [one.insert() for _ in range(5)]) for one in others]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            work.step()
            for one in others:
                one.tables, one.columns = list(work.tables), work.columns
        if step % 10 == 3:
            kill_increment(holdfast, mode, work.random.random() / 5)
        manifest = increment(holdfast, "--mode", "scan" if step % 25 == 24 else mode)
        if step % 5 == 4:
            kept.append((manifest, dump(server, "market")))
    for manifest, state in kept:
        assert restored(server, holdfast, manifest) == state
    holdfast.run("verify", "--all")


def kill_increment(holdfast, mode, wait):
    process = subprocess.Popen([holdfast.program, "backup", "tdengine", "incremental", "--mode", mode, "--config",
                                str(holdfast.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(wait)
    process.kill()
    process.wait()


def fresh_slices(holdfast, manifest, base):
    """The slices that a backup does not share with its base."""
    old = {one["data"]["sha256"] for one in holdfast.slices(base)}
    return [one for one in holdfast.slices(manifest) if one["data"]["sha256"] not in old]


def quick(server, holdfast, *statements):
    """A quick increment after some statements, once the server has told of them."""
    with Told(server):
        for statement in statements:
            server.sql(statement)
    return increment(holdfast, "--mode", "quick")


def test_quick_reads_what_its_evidence_points_at(server, holdfast, days):
    base = increment(holdfast, "--mode", "scan")
    at = START + 5 * DAY + 3
    manifest = quick(server, holdfast, f"INSERT INTO market.t3 (ts, price) VALUES ({at}, 77.5)")
    assert manifest["evidence"]["used"] == ["schema", "tags", "sums", "recent"]
    assert manifest["evidence"]["reason"] == "the version of a vgroup moved"
    shown = holdfast.run("show", manifest["id"]).stdout.decode()
    assert "schema, tags, sums, recent: the version of a vgroup moved" in shown and "cannot see" in shown
    [fresh] = fresh_slices(holdfast, manifest, base)
    assert fresh["from"] <= at < fresh["to"] and len(holdfast.slices(manifest)) == 41
    assert restored(server, holdfast, manifest) == dump(server, "market")
    # Sums of each kind, and a row that went for another.
    for value in ("flag) VALUES ({}, true)", "at) VALUES ({}, 5)", "size) VALUES ({}, 18446744073709551615)"):
        before = manifest
        manifest = quick(server, holdfast, f"INSERT INTO market.t3 (ts, {value.format(at)}")
        assert len(fresh_slices(holdfast, manifest, before)) == 1
    before = manifest
    manifest = quick(server, holdfast, f"DELETE FROM market.t3 WHERE ts = {at}",
                     f"INSERT INTO market.t3 (ts, price) VALUES ({at + 9}, 77.5)")
    assert len(fresh_slices(holdfast, manifest, before)) == 1
    assert restored(server, holdfast, manifest) == dump(server, "market")


@pytest.mark.parametrize("mode", ["quick", "scan"])
def test_rows_where_the_base_has_none(server, holdfast, days, mode):
    """Before all that the base has, behind it, and in gaps of it: few gaps are counted one by one, many all at once."""
    base = increment(holdfast, "--mode", "scan")
    gone = []
    for round_ in range(3):
        places = [START - (100 + round_) * DAY, START + (100 + round_) * DAY, *(START + day * DAY for day in gone)]
        with Told(server):
            for number, at in enumerate(places):
                server.sql(f"INSERT INTO market.t{number % 8} (ts, price) VALUES ({at}, {round_}) ({at + 1}, {number})")
                server.sql(f"INSERT INTO market.plain VALUES ({at}, {number + 10 * round_})")
        manifest = increment(holdfast, "--mode", mode)
        fresh = fresh_slices(holdfast, manifest, base)
        assert len(fresh) == 2 * len(places)
        assert all(any(one["from"] <= at < one["to"] for at in places) for one in fresh)
        assert restored(server, holdfast, manifest) == dump(server, "market")
        # Days that lose all their rows: gaps of the next round's base.
        gone = [5 + 4 * number for number in range(1 + 4 * round_)]
        with Told(server):
            for day in gone:
                server.sql(f"DELETE FROM market.ticks WHERE ts >= {START + day * DAY - DAY // 2} "
                           f"AND ts < {START + day * DAY + DAY // 2}")
        base = increment(holdfast, "--mode", mode)
        assert restored(server, holdfast, base) == dump(server, "market")


def test_sums_that_say_nothing_hide_one_place_only(server, holdfast, days):
    """A sum beyond all numbers hides what else changes in its day, which is read each time; the others keep theirs."""
    server.sql(f"INSERT INTO market.t3 (ts, price) VALUES ({START + 5 * DAY + 50}, 1.7e308) ({START + 5 * DAY + 51}, 1.7e308)")
    base = increment(holdfast, "--mode", "scan")
    manifest = quick(server, holdfast, *(f"INSERT INTO market.t3 (ts, note) VALUES ({START + day * DAY + 3}, 'unseen')"
                                         for day in (5, 9)))
    [fresh] = fresh_slices(holdfast, manifest, base)
    assert fresh["from"] <= START + 5 * DAY + 3 < fresh["to"]


def test_a_question_that_is_refused_is_asked_in_parts(server, holdfast, days):
    """Sums of decimals that are too large refuse the answer for all that is asked with them. The stand-in sums no decimals
    at all: everything is read there."""
    server.sql("CREATE STABLE market.exact (ts TIMESTAMP, d DECIMAL(38, 0), note VARCHAR(20)) TAGS (g INT)")
    increment(holdfast, "--mode", "scan")  # plans it without rows: a slice each day
    rows = " ".join(f"({START + day * DAY}, '{day}', 'n{day}')" for day in range(40))
    large = " ".join(f"({START + 5 * DAY + more}, '9{'0' * 37}', 'large')" for more in (1, 2, 3))
    server.sql(f"INSERT INTO market.e1 USING market.exact TAGS (1) VALUES {rows} {large}")
    increment(holdfast, "--mode", "scan")  # knows of no parts yet
    base = increment(holdfast, "--mode", "scan")
    # Rows where the base has none, before and behind it, are only counted when the whole was refused.
    far = [START - 200 * DAY, START + 200 * DAY]
    manifest = quick(server, holdfast, *(f"INSERT INTO market.e1 (ts, note) VALUES ({START + day * DAY}, 'unseen')"
                                         for day in (5, 9)),
                     *(f"INSERT INTO market.e1 VALUES ({at}, '1', 'far')" for at in far))
    fresh = fresh_slices(holdfast, manifest, base)
    days_ = [START + 5 * DAY, *far] + ([] if server.real else [START + 9 * DAY])
    assert len(fresh) == len(days_)
    assert all(any(one["from"] <= at < one["to"] for one in fresh) for at in days_)
    holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], "--to-database", "copy", "--deep")
    [[count]] = server.sql("SELECT COUNT(*) FROM copy.exact")
    assert int(count) == 45
    [[note]] = server.sql(f"SELECT note FROM copy.exact WHERE ts = {START + 5 * DAY}")
    assert note == "unseen"
    server.sql("DROP DATABASE copy")


def test_quick_says_what_it_cannot_see(server, holdfast, days):
    base = increment(holdfast, "--mode", "scan")
    assert base["evidence"]["cannot_see"] == []
    missed = quick(server, holdfast, f"INSERT INTO market.t3 (ts, note) VALUES ({START + 5 * DAY + 3}, 'unseen')")
    assert fresh_slices(holdfast, missed, base) == []
    exchanged, texts = missed["evidence"]["cannot_see"]
    assert "exchanged" in exchanged and "text" in texts
    assert missed["evidence"]["scanned"]["at"] == base["start"]
    # Whoever equals it knows no more, until a scan; auto makes one as soon as it costs little.
    for _ in range(600):
        same = increment(holdfast, "--mode", "quick")
        if same["evidence"]["used"] == ["versions"]:
            break
    assert same["evidence"]["cannot_see"] == missed["evidence"]["cannot_see"]
    healed = increment(holdfast)
    assert healed["evidence"]["used"] == ["scan"] and healed["evidence"]["cannot_see"] == []
    assert len(fresh_slices(holdfast, healed, same)) == 1
    assert restored(server, holdfast, healed) == dump(server, "market")


def test_quick_sees_columns_of_texts_that_were_made_again(server, holdfast, days):
    """They are empty then, though no sum looks at texts: of a super table the server says that it was altered, those of a
    normal one are counted."""
    server.sql("CREATE TABLE market.words (ts TIMESTAMP, word NCHAR(10), v INT)")
    server.sql(f"INSERT INTO market.words VALUES ({START}, 'one', 1) ({START + 9 * DAY}, 'two', 2)")
    base = increment(holdfast, "--mode", "scan")
    manifest = quick(server, holdfast, "ALTER TABLE market.words DROP COLUMN word",
                     "ALTER TABLE market.words ADD COLUMN word NCHAR(10)")
    assert manifest["evidence"]["used"] == ["schema", "tags", "sums", "recent"]
    assert restored(server, holdfast, manifest) == dump(server, "market")
    for statement in ("ALTER STABLE market.ticks DROP COLUMN note", "ALTER STABLE market.ticks ADD COLUMN note VARCHAR(20)"):
        manifest = quick(server, holdfast, statement)
        assert manifest["evidence"]["used"] == ["schema", "tags", "sums", "recent"]
    assert len(fresh_slices(holdfast, manifest, base)) > 30
    assert restored(server, holdfast, manifest) == dump(server, "market")
    # Both at once: the columns are what they were.
    server.sql(f"INSERT INTO market.t3 (ts, note) VALUES ({START + 5 * DAY + 3}, 'gone') ({START + 6 * DAY + 3}, 'gone')")
    increment(holdfast, "--mode", "scan")
    manifest = quick(server, holdfast, "ALTER STABLE market.ticks DROP COLUMN note",
                     "ALTER STABLE market.ticks ADD COLUMN note VARCHAR(20)")
    assert restored(server, holdfast, manifest) == dump(server, "market")


def test_quick_sees_tables_that_were_made_again(server, holdfast, days):
    """With the same times and numbers: only the uid and a text are others."""
    increment(holdfast, "--mode", "scan")
    rows = " ".join(f"({START + day * DAY + 2}, {2 + day / 4}, 'm{day}')" for day in range(40))
    manifest = quick(server, holdfast, "DROP TABLE market.t2",
                     f"INSERT INTO market.t2 USING market.ticks TAGS ('号2') (ts, price, note) VALUES {rows}")
    assert restored(server, holdfast, manifest) == dump(server, "market")
    increment(holdfast, "--mode", "scan")
    manifest = quick(server, holdfast, "DROP TABLE market.plain", "CREATE TABLE market.plain (ts TIMESTAMP, v INT)",
                     f"INSERT INTO market.plain VALUES ({START}, NULL) ({START + 1}, 1)")
    assert restored(server, holdfast, manifest) == dump(server, "market")


def test_tags_that_did_not_change_are_the_base_s(server, holdfast, days):
    base = increment(holdfast, "--mode", "scan")
    same = quick(server, holdfast, f"INSERT INTO market.t3 (ts, price) VALUES ({START}, 1)")
    other = quick(server, holdfast, "ALTER TABLE market.t3 SET TAG symbol = 'other'")
    objects = [next(one["tag_objects"] for one in holdfast.details(manifest)["tables"] if one["name"] == "ticks")
               for manifest in (base, same, other)]
    assert objects[0] == objects[1] != objects[2]
    assert restored(server, holdfast, other) == dump(server, "market")


def test_several_databases(server, holdfast, days):
    server.sql("CREATE DATABASE other VGROUPS 1 BUFFER 8 KEEP 36500d")
    wait_for_leaders(server)
    server.sql("CREATE TABLE other.plain (ts TIMESTAMP, v INT)")
    server.sql(f"INSERT INTO other.plain VALUES ({START}, 1)")
    base = quick(server, holdfast, f"INSERT INTO market.t3 (ts, price) VALUES ({START}, 1)")
    assert base["row_count"] == 324
    manifest = quick(server, holdfast, f"INSERT INTO other.plain VALUES ({START}, 2)")
    assert [one["database"] for one in fresh_slices(holdfast, manifest, base)] == ["other"]
    server.sql("DROP DATABASE other")
    assert increment(holdfast, "--mode", "quick")["row_count"] == 323


def test_auto_chooses(server, holdfast, days):
    """What makes it scan, beside what the unit tests show of versions."""
    write = f"INSERT INTO market.t3 (ts, price) VALUES ({START}, "
    with Told(server):
        server.sql(write + "1)")
    assert "takes less than scan_below" in increment(holdfast)["evidence"]["reason"]
    holdfast.config.write_text(holdfast.config.read_text() + "scan_below = 0s\n")
    with Told(server):
        server.sql(write + "2)")
    base = increment(holdfast)
    assert base["evidence"]["used"][0] == "schema"
    age(holdfast, base)
    with Told(server):
        server.sql(write + "3)")
    manifest = increment(holdfast, "--since", base["id"])
    assert manifest["evidence"]["used"] == ["scan"] and "over a day old" in manifest["evidence"]["reason"]


def rewrite(holdfast, manifest, old, new):
    """Puts another moment into a backup's manifest, and its checksum into the list."""
    path, sums = holdfast.folder(manifest) / "manifest.json", holdfast.folder(manifest) / "SHA256SUMS"
    before = path.read_bytes()
    after = before.replace(old.encode(), new.encode())
    assert after != before
    listed = sums.read_bytes()
    old, new = (hashlib.sha256(data).hexdigest().encode() for data in (before, after))
    assert old in listed
    for file, data in ((path, after), (sums, listed.replace(old, new))):
        file.chmod(0o600)
        file.write_bytes(data)


def age(holdfast, manifest):
    """Makes a backup say that what it stands upon was scanned long ago."""
    rewrite(holdfast, manifest, manifest["evidence"]["scanned"]["at"], "2020-01-01T00:00:00.000000Z")


def test_a_clock_that_went_back(server, holdfast, days):
    """What the base says of its end is later than now: nothing that goes by clocks can be believed."""
    holdfast.config.write_text(holdfast.config.read_text() + "scan_below = 0s\n")
    base = increment(holdfast, "--mode", "scan")
    rewrite(holdfast, base, f'"stop": "{base["stop"]}"', '"stop": "2099-01-01T00:00:00.000000Z"')
    with Told(server):
        server.sql(f"INSERT INTO market.t3 (ts, price) VALUES ({START}, 1)")
    manifest = increment(holdfast, "--since", base["id"])
    assert manifest["evidence"]["used"] == ["scan"] and manifest["evidence"]["reason"] == "the clock went back"


def test_increments_go_on_while_a_full_runs(server, holdfast, days):
    with Told(server):
        server.sql(f"INSERT INTO market.t3 (ts, price) VALUES ({START}, 1)")
    holdfast.config.write_text(holdfast.config.read_text() + "rate = 16K\n")
    with holdfast.begin() as full:
        manifest = increment(holdfast, "--mode", "quick", "--rate", "1G")
        assert manifest["type"] == "incremental"
        full.kill()
    assert restored(server, holdfast, manifest) == dump(server, "market")


def recoverable(holdfast):
    """What objectives say of the newest moment; other findings do not count here."""
    done = subprocess.run([holdfast.program, "objectives", "--json", "--config", str(holdfast.config)],
                          capture_output=True, check=False, timeout=300)
    return json.loads(done.stdout)[0]["rpo"]


def test_objectives_ask_whether_anything_was_written(server, holdfast, days):
    for _ in range(600):
        base = increment(holdfast)
        if base["evidence"]["used"] == ["versions"]:
            break
    idle = recoverable(holdfast)
    assert idle["complete"] and idle["newest"] > base["evidence"]["state"]
    with Told(server):
        server.sql(f"INSERT INTO market.t3 (ts, price) VALUES ({START}, 1)")
    written = recoverable(holdfast)
    # The scan before it read all that was there when it began; what equals it tells of two seconds before it looked.
    assert not written["complete"] and base["evidence"]["state"] <= written["newest"] < base["start"]
    scan = increment(holdfast, "--mode", "scan")
    holdfast.config.write_text(holdfast.config.read_text().replace(server.url, f"http://127.0.0.1:{tdserver.free_port()}"))
    away = recoverable(holdfast)
    assert not away["complete"] and away["newest"] == scan["start"]


def only_real(server):
    if not server.real:
        pytest.skip("the stand-in loses its data when it ends")


def test_a_server_that_was_killed_between_increments(server, holdfast, days):
    only_real(server)
    increment(holdfast, "--mode", "scan")
    server.sql(f"INSERT INTO market.t3 (ts, price) VALUES ({START + 5 * DAY}, 99.5)")
    server.kill_taosd()
    server.spawn_taosd()
    server.wait()
    wait_for_leaders(server)
    assert server.sql(f"SELECT price FROM market.t3 WHERE ts = {START + 5 * DAY}") == [[99.5]]
    manifest = increment(holdfast, "--mode", "scan")
    assert restored(server, holdfast, manifest) == dump(server, "market")
    manifest = quick(server, holdfast, f"INSERT INTO market.t3 (ts, price) VALUES ({START + 6 * DAY}, 98.5)")
    assert manifest["type"] == "incremental"
    assert restored(server, holdfast, manifest) == dump(server, "market")


def use_files(holdfast, directory):
    """The server's own files as evidence."""
    holdfast.config.write_text(holdfast.config.read_text() + f"data_directory = {directory}\n")


def test_files_of_the_server_show_what_sums_cannot(server, holdfast, days):
    only_real(server)
    use_files(holdfast, server.root / "data")
    base = increment(holdfast, "--mode", "scan")
    manifest = quick(server, holdfast, f"INSERT INTO market.t3 (ts, note) VALUES ({START + 5 * DAY + 3}, 'seen')",
                     f"INSERT INTO market.t2 (ts, price) VALUES ({START + 9 * DAY + 2}, {2 + 9 / 4}) "
                     f"({START + 9 * DAY + 77}, 1)",
                     f"DELETE FROM market.t2 WHERE ts = {START + 9 * DAY + 77}")
    assert manifest["evidence"]["used"] == ["schema", "tags", "sums", "recent", "files"]
    assert manifest["evidence"]["cannot_see"] == []
    [fresh] = fresh_slices(holdfast, manifest, base)  # the other place was read, and is what it was
    assert fresh["from"] <= START + 5 * DAY + 3 < fresh["to"]
    assert restored(server, holdfast, manifest) == dump(server, "market")
    # Two values of a column that were exchanged: every sum is what it was.
    before = manifest
    manifest = quick(server, holdfast, f"INSERT INTO market.t4 (ts, price) VALUES ({START + 4}, 5)",
                     f"INSERT INTO market.t5 (ts, price) VALUES ({START + 5}, 4)")
    assert [one["from"] <= START < one["to"] for one in fresh_slices(holdfast, manifest, before)] == [True]
    # A column that was dropped and added again is empty, and no file tells it.
    manifest = quick(server, holdfast, "ALTER STABLE market.ticks DROP COLUMN note",
                     "ALTER STABLE market.ticks ADD COLUMN note VARCHAR(20)")
    assert restored(server, holdfast, manifest) == dump(server, "market")


def test_a_flush_is_no_write(server, holdfast, days):
    """Each increment that looks at files has the server flush; the next one finds nothing written all the same."""
    only_real(server)
    use_files(holdfast, server.root / "data")
    increment(holdfast, "--mode", "scan")
    quick(server, holdfast, f"INSERT INTO market.t3 (ts, price) VALUES ({START + 5 * DAY}, 99.5)")
    for _ in range(20):
        manifest = increment(holdfast, "--mode", "quick")
        if manifest["evidence"]["used"] == ["versions"]:
            break
    assert manifest["evidence"]["used"] == ["versions"]


def test_files_that_are_not_the_server_s(server, holdfast, days, tmp_path):
    use_files(holdfast, tmp_path / "elsewhere")
    increment(holdfast, "--mode", "scan")
    manifest = quick(server, holdfast, f"INSERT INTO market.t3 (ts, price) VALUES ({START + 5 * DAY}, 99.5)")
    assert manifest["evidence"]["used"] == ["schema", "tags", "sums", "recent"] and manifest["evidence"]["cannot_see"]
    assert [text for text in manifest["warnings"] if text.startswith("data_directory: ") and "elsewhere" in text], \
        manifest["warnings"]
    assert restored(server, holdfast, manifest) == dump(server, "market")


def vgroups(server):
    return sorted(row[0] for row in server.sql("SELECT vgroup_id FROM information_schema.ins_vgroups"))


def test_a_vgroup_that_was_split(server, holdfast, days):
    """Versions of vgroups that are no more tell nothing. The community server takes the statement and splits nothing."""
    holdfast.config.write_text(holdfast.config.read_text() + "scan_below = 0s\n")
    increment(holdfast, "--mode", "scan")
    before = vgroups(server)
    with Told(server):
        server.sql(f"SPLIT VGROUP {before[0]}")
        server.sql(f"INSERT INTO market.t3 (ts, note) VALUES ({START + 5 * DAY + 3}, 'split')")
    wait_for_leaders(server)
    manifest = increment(holdfast)
    if vgroups(server) == before:
        assert server.real and manifest["evidence"]["used"][0] == "schema"
        return
    assert manifest["evidence"]["used"] == ["scan"]
    assert manifest["evidence"]["reason"] == "vgroups were split or merged"
    assert restored(server, holdfast, manifest) == dump(server, "market")


def test_options_that_were_changed(server, holdfast, days):
    base = increment(holdfast, "--mode", "scan")
    with Told(server):
        server.sql("ALTER DATABASE market KEEP 30000d")
        server.sql("ALTER DATABASE market CACHEMODEL 'both'")
    for mode in ("quick", "scan"):
        manifest = increment(holdfast, "--mode", mode)
        assert fresh_slices(holdfast, manifest, base) == []
        holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], "--to-database", "copy", "--deep")
        options = [server.sql(f"SELECT `keep`, `cachemodel`, `duration` FROM information_schema.ins_databases "
                              f"WHERE name = '{name}'")
                   for name in ("market", "copy")]
        assert options[0] == options[1] and options[0][0][1] == "both" and options[0][0][0].startswith("30000d")
        server.sql("DROP DATABASE copy")


def test_two_increments_at_once(server, holdfast, days):
    """Of two databases, as two sources of one repository."""
    server.sql("CREATE DATABASE other VGROUPS 1 BUFFER 8 KEEP 36500d")
    wait_for_leaders(server)
    server.sql("CREATE TABLE other.plain (ts TIMESTAMP, v INT)")
    holdfast.config.write_text(holdfast.config.read_text() + "databases = market\n"
                               f"[source second]\nengine = tdengine\nurl = {server.url}\ndatabases = other\n")
    fulls = {name: holdfast.backup("--source", name) for name in ("market", "second")}
    with Told(server):
        server.sql(f"INSERT INTO other.plain VALUES ({START}, 1)")
        server.sql(f"INSERT INTO market.t3 (ts, price) VALUES ({START}, 77.5)")
    running = [subprocess.Popen([holdfast.program, "backup", "tdengine", "incremental", "--mode", "scan", "--json", "--source",
                                 name, "--config", str(holdfast.config)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
               for name in fulls]
    manifests = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert [one["base"] for one in manifests] == [one["id"] for one in fulls.values()]
    assert [one["row_count"] for one in manifests] == [323, 1]
    assert restored(server, holdfast, manifests[0]) == dump(server, "market")


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
    shown = holdfast.run("show", manifest["id"]).stdout.decode()
    assert f"versions: nothing was written since the base, up to {manifest['evidence']['state'][:19]}Z" in shown
    state = dump(server, "market")
    holdfast.run("delete", base["id"], "--yes")
    assert restored(server, holdfast, manifest) == state


def test_bases_that_do_not_fit(server, holdfast, market):
    first = increment(holdfast)
    assert first["type"] == "full" and "no good earlier backup" in first["warnings"][0]
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
    for mode, wait in (("scan", 0.0), ("scan", 0.01), ("quick", 0.03), ("quick", 0.06), ("scan", 0.1)):
        kill_increment(holdfast, mode, wait)
        holdfast.run("verify", full["id"])
    manifest = increment(holdfast, "--since", full["id"], "--mode", "scan")
    assert restored(server, holdfast, manifest) == dump(server, "market")
