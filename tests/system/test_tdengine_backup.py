# SPDX-License-Identifier: Apache-2.0
"""Full backups of TDengine: what is in them, told by the documented formats and by the server itself."""
import hashlib
import json
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

import pgcluster
import tdserver


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
def meters(server):
    """60 child tables with rows in several file sets, one before 1970; one without rows; a normal table."""
    server.sql("CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 10d")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, size INT, note VARCHAR(20)) "
               "TAGS (symbol NCHAR(10), kind TINYINT)")
    for table in range(60):
        rows = " ".join(f"({1700000000000 + day * 86400000 + table}, {table + day / 4}, "
                        f"{'NULL' if day % 5 == 0 else day}, 'n{day}')" for day in range(0, 40))
        server.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('号{table}', {table % 7}) VALUES {rows}")
    server.sql("CREATE TABLE market.empty USING market.ticks TAGS ('', NULL)")
    server.sql("INSERT INTO market.t3 VALUES (-1000, -1, -1, 'before 1970')")
    server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    server.sql("INSERT INTO market.plain VALUES (1700000000000, 1) (1700000000001, NULL)")


def key(row):
    return row["tbname"], row["ts"]


def from_server(server, sql):
    """Rows as `parquet cat --json` has them: only what these tests compare."""
    return [dict(zip(("tbname", "ts", "price", "size", "note"), row)) for row in server.sql(sql)]


def test_rows_tags_and_counts(server, holdfast, meters):
    manifest = holdfast.backup()
    details = holdfast.details(manifest)
    assert manifest["row_count"] == 2403 and manifest["table_count"] == 62
    assert manifest["partial"] is False
    rows = holdfast.rows(manifest, "ticks")
    # Sorted by table and time within a slice, slices by time: each row group is one slice here.
    for one in holdfast.slices(manifest):
        inside = holdfast.cat(one["data"])
        if one["table"] == "ticks":
            assert inside == sorted(inside, key=key)
        assert len(inside) == one["rows"] == one["data"]["rows"]
    expected = from_server(server, "SELECT tbname, ts, price, size, note FROM market.ticks")
    assert sorted(rows, key=key) == sorted(expected, key=key)
    tags = {row["tbname"]: row for row in holdfast.tags(manifest, "ticks")}
    assert len(tags) == 61
    assert tags["t5"]["symbol"] == "号5" and tags["t5"]["kind"] == 5
    assert tags["empty"]["symbol"] == "" and tags["empty"]["kind"] is None
    uids = dict(server.sql("SELECT table_name, uid FROM information_schema.ins_tables WHERE db_name = 'market'"))
    assert {name: row["uid"] for name, row in tags.items()} == {name: uids[name] for name in tags}
    [database] = details["databases"]
    assert database["rows"] == 2403 and database["first"] == -1000
    # Reported late by the server: at worst too old, and nothing before it shows who leads.
    assert len(database["vgroups"]) == 2
    for _ in range(60):
        if all(group["applied"] >= 0 for group in database["vgroups"]):
            break
        time.sleep(0.5)
        [database] = holdfast.details(holdfast.backup())["databases"]
    assert all(group["applied"] >= 0 for group in database["vgroups"])
    assert holdfast.run("verify", manifest["id"])


def test_counts_of_child_tables_add_up(holdfast, meters):
    manifest = holdfast.backup()
    [table] = [one for one in holdfast.details(manifest)["tables"] if one["name"] == "ticks"]
    total, counts = 0, {}
    for one in holdfast.slices(manifest):
        if one["table"] != "ticks":
            assert one["tables"] is None
            continue
        inside = 0
        for row in holdfast.cat(one["tables"]):
            inside = (inside + int(row["fingerprint"], 16)) % 2 ** 128
            counts[row["tbname"]] = counts.get(row["tbname"], 0) + row["rows"]
        assert inside == int(one["fingerprint"], 16)
        total = (total + inside) % 2 ** 128
    assert total == int(table["fingerprint"], 16)
    assert counts == {f"t{number}": 41 if number == 3 else 40 for number in range(60)}


def test_schema_is_sql_that_runs(server, holdfast):
    server.sql("CREATE DATABASE `Gs Mixed-Näme` VGROUPS 1 BUFFER 8 PRECISION 'us' KEEP 3650d")
    create = ["CREATE STABLE %s.`st able` (`t s` TIMESTAMP ENCODE 'delta-i' COMPRESS 'zstd' LEVEL 'high', `v``x` INT "
              "ENCODE 'disabled' COMPRESS 'xz' LEVEL 'low', s VARCHAR(30), d DECIMAL(20,4), g GEOMETRY(64)) "
              "TAGS (`tag one` INT, `群` NCHAR(8)) COMMENT 'it''s \"quoted\"' SMA(`v``x`)",
              "CREATE STABLE %s.pk (ts TIMESTAMP, k INT PRIMARY KEY, v INT) TAGS (g INT) KEEP 400d",
              "CREATE TABLE %s.`select` (`ts` TIMESTAMP, `from` INT) TTL 7 COMMENT 'c'",
              "CREATE STABLE %s.js (ts TIMESTAMP, v INT) TAGS (j JSON)"]
    for statement in create:
        server.sql(statement % "`Gs Mixed-Näme`")
    server.sql("CREATE INDEX idx ON `Gs Mixed-Näme`.`st able` (`群`)")
    describe = ["DESCRIBE `Gs Mixed-Näme`.`st able`", "DESCRIBE `Gs Mixed-Näme`.pk", "DESCRIBE `Gs Mixed-Näme`.`select`",
                "SHOW CREATE STABLE `Gs Mixed-Näme`.`st able`", "SHOW CREATE STABLE `Gs Mixed-Näme`.pk",
                "SHOW CREATE TABLE `Gs Mixed-Näme`.`select`", "SHOW CREATE STABLE `Gs Mixed-Näme`.js",
                "SHOW CREATE DATABASE `Gs Mixed-Näme`",
                "SELECT index_name, table_name, column_name FROM information_schema.ins_indexes "
                "WHERE db_name = 'Gs Mixed-Näme' ORDER BY index_name"]
    before = [server.sql(statement) for statement in describe]
    manifest = holdfast.backup()
    text = (holdfast.folder(manifest) / "schema" / "database-0.sql").read_text()
    server.drop_all()
    for statement in text.split(";\n"):
        if statement.strip() and not statement.startswith("-- ") or "\n" in statement.strip():
            server.sql(re.sub(r"^-- [^\n]*\n", "", statement))
    assert [server.sql(statement) for statement in describe] == before


def test_everything_of_the_schema_table(server, holdfast):
    server.sql("CREATE DATABASE o VGROUPS 1 BUFFER 8")
    server.sql("CREATE STABLE o.st (ts TIMESTAMP, a INT, b DOUBLE) TAGS (g INT, h VARCHAR(8))")
    server.sql("CREATE TABLE o.`c` USING o.st TAGS (1, 'x') TTL 30 COMMENT 'child ''c'''")
    server.sql("CREATE TABLE o.src (ts TIMESTAMP, a INT)")
    server.sql("CREATE STABLE o.vst (ts TIMESTAMP, a INT) TAGS (g INT) VIRTUAL 1")
    server.sql("CREATE VTABLE vc (src.a) USING vst TAGS (1)", "o")
    server.sql("CREATE TOPIC o_topic AS DATABASE o")
    manifest = holdfast.backup()
    details = holdfast.details(manifest)
    objects = {(one["kind"], one["name"]): one for one in details["objects"]}
    assert "FROM `o`.`src`.`a`" in objects["virtual table", "vc"]["sql"]
    assert objects["topic", "o_topic"]["sql"].lower() == "create topic o_topic as database o"
    assert objects["user", "root"]["sql"] is None
    [row] = holdfast.tags(manifest, "st")
    assert (row["ttl"], row["comment"]) == (30, "child ''c''")
    kinds = {one["name"]: one["kind"] for one in details["tables"]}
    assert kinds == {"st": "super", "vst": "virtual super", "src": "normal"}


def test_precisions(server, holdfast):
    for precision, stamp in (("us", 1700000000000001), ("ns", 1700000000000000001)):
        server.sql(f"CREATE DATABASE p{precision} VGROUPS 1 BUFFER 8 PRECISION '{precision}'  KEEP 36500d")
        server.sql(f"CREATE TABLE p{precision}.n{precision} (ts TIMESTAMP, other TIMESTAMP)")
        server.sql(f"INSERT INTO p{precision}.n{precision} VALUES ({stamp}, {stamp + 1})")
    manifest = holdfast.backup()
    assert holdfast.rows(manifest, "nus") == [{"ts": "2023-11-14T22:13:20.000001Z", "other": "2023-11-14T22:13:20.000002Z"}]
    assert holdfast.rows(manifest, "nns") == [{"ts": "2023-11-14T22:13:20.000000001Z",
                                               "other": "2023-11-14T22:13:20.000000002Z"}]


def test_bytes_that_are_no_text(server, holdfast):
    """A column with one value that is no UTF-8 is bytes in all slices; its neighbours stay text."""
    server.sql("CREATE DATABASE b VGROUPS 1 BUFFER 8 KEEP 36500d DURATION 1d")
    server.sql("CREATE STABLE b.st (ts TIMESTAMP, s VARCHAR(10), n NCHAR(10)) TAGS (g VARCHAR(8))")
    server.sql("INSERT INTO b.c USING b.st TAGS ('a') VALUES (1700000000000, 'text', '雪😀') (1700500000000, '', '')")
    server.sql(b"INSERT INTO b.c VALUES (1701000000000, '\xff\xfe', NULL)")
    manifest = holdfast.backup()
    rows = {row["ts"]: row for row in holdfast.rows(manifest, "st")}
    assert [row["s"] for _, row in sorted(rows.items())] == [b"text".hex(), "", "fffe"]
    assert rows["2023-11-14T22:13:20.000Z"]["n"] == "雪😀"
    [table] = holdfast.details(manifest)["tables"]
    assert [column.get("binary", False) for column in table["columns"]] == [False, True, False]


def test_names_that_meet(server, holdfast):
    """Columns and tags that are called as columns of ours are."""
    if not server.real:
        pytest.skip("the stand-in knows tbname as the table's name only")
    server.sql("CREATE DATABASE odd VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql("CREATE STABLE odd.st (ts TIMESTAMP, `tbname` INT, `rows` INT) "
               "TAGS (`uid` INT, `comment` VARCHAR(5), `ttl` INT, `TTL` INT)")
    server.sql("INSERT INTO odd.c USING odd.st TAGS (1, 'x', 3, 4) VALUES (1700000000000, 5, 6)")
    manifest = holdfast.backup()
    assert holdfast.rows(manifest, "st") == [{"tbname": "c", "ts": "2023-11-14T22:13:20.000Z", "tbname_": 5, "rows": 6}]
    [row] = holdfast.tags(manifest, "st")
    assert (row["uid"], row["comment"], row["ttl"], row["TTL"], row["ttl_"], row["comment_"]) == (1, "x", 3, 4, 0, None)


def test_partial_backups(server, holdfast, meters):
    manifest = holdfast.backup("--tables", "t7,market.t1*")
    wanted = {"t7", "t1"} | {f"t{number}" for number in range(10, 20)}
    assert manifest["partial"] is True
    assert {row["tbname"] for row in holdfast.rows(manifest, "ticks")} == wanted
    assert {row["tbname"] for row in holdfast.tags(manifest, "ticks")} == wanted
    manifest = holdfast.backup("--tables", "plain")
    assert manifest["row_count"] == 2 and manifest["partial"] is True
    assert b"matches no table" in holdfast.run("backup", "tdengine", "full", "--tables", "nosuch", status=2).stderr
    manifest = holdfast.backup("--start", "2023-11-20T00:00:00Z", "--end", "2023-11-22")
    [[count]] = server.sql("SELECT COUNT(*) FROM market.ticks WHERE ts >= '2023-11-20T00:00:00Z' "
                           "AND ts < '2023-11-22T00:00:00Z'")
    assert manifest["partial"] is True and manifest["row_count"] == count == 120
    holdfast.run("backup", "tdengine", "full", "--start", "2023-11-22", "--end", "2023-11-20", status=2)
    assert holdfast.backup("--databases", "market")["partial"] is False
    holdfast.run("backup", "tdengine", "full", "--databases", "markt", status=1)


def test_codecs(holdfast, meters):
    for codec in ("gzip:1", "lz4", "none", "zstd:3"):
        manifest = holdfast.backup("--compression", codec, "--databases", "market")
        assert holdfast.run("verify", manifest["id"])


@pytest.mark.parametrize("encrypted", (False, True))
def test_export(holdfast, meters, tmp_path, encrypted):
    """A backup as plain files: Parquet that parquet cat reads, the schema as SQL, nothing sealed."""
    if encrypted:
        secret = tmp_path / "key"
        secret.write_text("an export needs it: a key of many letters\n")
        secret.chmod(0o600)
        shutil.rmtree(holdfast.repository)
        holdfast.run("init", "--encryption", f"key-file={secret}")
    manifest = holdfast.backup()
    target = tmp_path / "plain"
    report = json.loads(holdfast.run("export", manifest["id"], "--to", str(target), "--json").stdout)
    files = [path for path in target.rglob("*") if path.is_file()]
    assert (report["kind"], report["files"]) == ("files", len(files))
    cat = lambda reference: [json.loads(line) for line in subprocess.check_output(
        [holdfast.program, "parquet", "cat", "--json", str(target / "pool" / f"{reference['sha256']}.parquet")]).splitlines()]
    slices = [json.loads(line) for line in (target / "details-slices.jsonl").read_text().splitlines()]
    details = json.loads((target / "details.json").read_text())
    rows = {table["name"]: [row for one in slices if one["table"] == table["name"] for row in cat(one["data"])]
            for table in details["tables"]}
    assert len(rows["ticks"]) == 2401 and sorted(row["v"] or 0 for row in rows["plain"]) == [0, 1]
    assert {row["price"] for row in rows["ticks"] if row["tbname"] == "t9"} == {9 + day / 4 for day in range(40)}
    [tags] = [table["tag_objects"] for table in details["tables"] if table["name"] == "ticks"]
    assert {row["tbname"]: row["symbol"] for one in tags for row in cat(one)}["t5"] == "号5"
    schema = (target / "schema" / "database-0.sql").read_text()
    assert "CREATE DATABASE `market`" in schema and "CREATE STABLE `market`.`ticks`" in schema
    # The same out of the repository, where a sealed object is not taken for a damaged one.
    digest = next(one["data"]["sha256"] for one in slices if one["table"] == "plain")
    named = f"../../pool/{digest[:2]}/{digest}"
    stored = holdfast.repository / "pool" / digest[:2] / digest
    key = ["--key", f"key-file={secret}"] if encrypted else []
    for argument in (named, str(stored)):
        shown = json.loads(holdfast.run("parquet", "show", argument, "--repository", str(holdfast.repository), *key, "--json").stdout)
        assert shown["rows"] == 2
    alone = holdfast.run("parquet", "cat", str(stored), status=2 if encrypted else 0)
    assert not encrypted or b"is sealed" in alone.stderr and b"holdfast export" in alone.stderr
    holdfast.run("parquet", "cat", "manifest.json", "--repository", str(holdfast.repository), *key, status=2)
    # Whoever has one already is not written over.
    before = {path: path.read_bytes() for path in files}
    assert b"is not empty" in holdfast.run("export", manifest["id"], "--to", str(target), status=1).stderr
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before


def test_two_fulls_share_nothing(holdfast, meters):
    first, second = holdfast.backup(), holdfast.backup()
    names = [{line.split()[1] for line in (holdfast.folder(one) / "SHA256SUMS").read_text().splitlines()
              if "pool" in line} for one in (first, second)]
    assert len(names[0]) == len(names[1]) > 0 and not names[0] & names[1]
    for one in (first, second):
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=holdfast.folder(one), check=True)


def test_damage_in_each_object_is_found(holdfast, meters):
    manifest = holdfast.backup()
    for path in sorted((holdfast.repository / "pool").glob("*/*")):
        before = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(before[:len(before) // 2] + bytes([before[len(before) // 2] ^ 1]) + before[len(before) // 2 + 1:])
        assert path.name.encode() in holdfast.run("verify", manifest["id"], status=3).stdout
        path.write_bytes(before)
        assert hashlib.sha256(before).hexdigest() == path.name
    holdfast.run("verify", manifest["id"])


def test_tables_made_and_dropped_meanwhile(server, holdfast, meters):
    """Whatever the moment: no row in a slice whose table has no tags, but for tables that are named as dropped."""
    stop = threading.Event()
    problems = []

    def disturb():
        number = 0
        while not stop.is_set():
            try:
                server.sql(f"INSERT INTO market.new{number} USING market.ticks TAGS ('x', 1) VALUES (NOW, 1, 1, 'x')")
                if number % 3 == 0:
                    server.sql(f"DROP TABLE market.new{number}")
            except tdserver.SqlError as problem:
                problems.append(problem)
            number += 1

    worker = threading.Thread(target=disturb)
    worker.start()
    try:
        manifests = [holdfast.backup() for _ in range(3)]
    finally:
        stop.set()
        worker.join()
    assert not problems
    for manifest in manifests:
        [database] = holdfast.details(manifest)["databases"]
        tagged = {row["tbname"] for row in holdfast.tags(manifest, "ticks")}
        with_rows = {row["tbname"] for row in holdfast.rows(manifest, "ticks")}
        gone = with_rows - tagged
        assert all(name.startswith("new") and int(name[3:]) % 3 == 0 for name in gone)
        assert {f"t{number}" for number in range(60)} <= with_rows
        assert set(database["changed_during"]) == {"created", "dropped", "recreated", "altered", "recounted"}


@pytest.fixture
def slow(server):
    """A first table that takes a second or two at 1 MB a second, and others behind it."""
    server.sql("CREATE DATABASE slow VGROUPS 1 BUFFER 16 KEEP 36500d")
    server.sql("CREATE STABLE slow.a (ts TIMESTAMP, v INT, s VARCHAR(100)) TAGS (g INT)")
    for start in range(0, 30000, 5000):
        rows = " ".join(f"({1700000000000 + row}, {row}, '{'x' * 60}')" for row in range(start, start + 5000))
        server.sql(f"INSERT INTO slow.a1 USING slow.a TAGS (1) VALUES {rows}")
    for name in ("b", "c"):
        server.sql(f"CREATE STABLE slow.{name} (ts TIMESTAMP, v INT, w INT) TAGS (g INT)")
        server.sql(f"INSERT INTO slow.{name}1 USING slow.{name} TAGS (1) VALUES (1700000000000, 1, 2)")
    return ("--rate", "1M", "--jobs", "1")


def test_altered_and_dropped_while_it_is_read(server, holdfast, slow):
    process = holdfast.begin(*slow)
    # It stands still meanwhile: however long the statements take, they come between the tables.
    process.send_signal(signal.SIGSTOP)
    server.sql("ALTER STABLE slow.b DROP COLUMN w")
    server.sql("ALTER STABLE slow.b ADD COLUMN x BIGINT")
    server.sql("DROP STABLE slow.c")
    server.sql("INSERT INTO slow.a2 USING slow.a TAGS (2) VALUES (1500000000000, 7, 'late')")
    process.send_signal(signal.SIGCONT)
    manifest = json.loads(process.communicate()[0])
    assert process.returncode == 0
    [database] = holdfast.details(manifest)["databases"]
    tables = {one["name"]: one for one in holdfast.details(manifest)["tables"]}
    if database["changed_during"]["altered"] == []:
        pytest.skip("the machine was too slow: everything was read before the tables were changed")
    assert set(tables) == {"a", "b"}
    assert [column["name"] for column in tables["b"]["columns"]] == ["ts", "v", "x"]
    assert holdfast.rows(manifest, "b") == [{"tbname": "b1", "ts": "2023-11-14T22:13:20.000Z", "v": 1, "x": None}]
    assert database["changed_during"]["altered"] == ["b"]
    assert "c" in database["changed_during"]["dropped"] and "a2" in database["changed_during"]["created"]
    assert any("changed during the backup" in warning for warning in manifest["warnings"])
    assert tables["a"]["rows"] >= 30000


def test_killed_at_twenty_points(holdfast, slow):
    """What was committed before the kill is whole, nothing else is seen, and the next run is not in its way."""
    for step in range(20):
        process = subprocess.Popen([holdfast.program, "backup", "tdengine", "full", "--config", str(holdfast.config)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.03 * step)
        process.kill()
        process.wait()
    manifest = holdfast.backup()
    assert manifest["row_count"] == 30002
    for entry in json.loads(holdfast.run("list", "backups", "--json").stdout):
        assert entry["rows"] == 30002
    holdfast.run("verify", "--all", "--deep")


def test_kill(holdfast, slow):
    process = holdfast.begin("--rate", "100k", "--jobs", "1")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert json.loads(holdfast.run("list", "backups", "--json").stdout) == []
    manifest = holdfast.backup()
    assert manifest["row_count"] == 30002
    assert holdfast.run("verify", "--all")


def test_server_that_comes_back(holdfast, server, slow):
    if not server.real:
        pytest.skip("the stand-in cannot be started again")
    process = holdfast.begin(*slow)
    server.kill_taosd()
    server.spawn_taosd()
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    manifest = json.loads(output)
    server.wait()
    assert manifest["row_count"] == 30002
    assert holdfast.run("verify", "--all")


def test_server_that_ends(holdfast, slow):
    lost = tdserver.Server()
    try:
        lost.sql("CREATE DATABASE slow VGROUPS 1 BUFFER 16 KEEP 36500d")
        lost.sql("CREATE TABLE slow.a (ts TIMESTAMP, v INT, s VARCHAR(100))")
        for start in range(0, 60000, 5000):
            lost.sql("INSERT INTO slow.a VALUES " + " ".join(f"({1700000000000 + row}, {row}, '{'x' * 60}')"
                                                             for row in range(start, start + 5000)))
        other = tdserver.Holdfast(holdfast.root / "lost", lost, pgcluster.PROGRAM, "timeout = 1s\n")
        process = other.begin("--rate", "100k")
        lost.remove()
        process.communicate()
        assert process.returncode in (1, 5)
        assert json.loads(other.run("list", "backups", "--json").stdout) == []
    finally:
        lost.remove()


def test_many_child_tables(server, holdfast):
    server.sql("CREATE DATABASE many VGROUPS 2 BUFFER 16")
    server.sql("CREATE STABLE many.st (ts TIMESTAMP, v INT) TAGS (g INT)")
    for start in range(0, 3000, 500):
        server.sql("INSERT INTO " + " ".join(f"many.c{number} USING many.st TAGS ({number}) VALUES (NOW, {number})"
                                             for number in range(start, start + 500)))
    manifest = holdfast.backup()
    rows = holdfast.rows(manifest, "st")
    assert sorted((row["tbname"], row["v"]) for row in rows) == sorted((f"c{number}", number) for number in range(3000))
    assert len(holdfast.tags(manifest, "st")) == 3000
    assert len(holdfast.slices(manifest)) <= 2


def test_user_who_may_not_see_everything(server, tmp_path, meters):
    """What the server refuses is named; the rows come all the same."""
    if not server.real:
        pytest.skip("the stand-in has one user")
    server.sql("CREATE USER looker PASS 'Abcd@1234' SYSINFO 0")
    server.sql("GRANT READ ON market.* TO looker")
    secret = tmp_path / "password"
    secret.write_text("Abcd@1234\n")
    secret.chmod(0o600)
    try:
        limited = tdserver.Holdfast(tmp_path / "limited", server, pgcluster.PROGRAM,
                                    f"user = looker\npassword_file = {secret}\ndatabases = market\n")
        manifest = limited.backup()
    finally:
        server.sql("DROP USER looker")
        server.drop_all()
    text = json.dumps(manifest["warnings"])
    assert "vgroups" in text and "users are not in the backup" in text and "127.0.0.1" not in text
    assert manifest["row_count"] == 2403 and manifest["partial"] is False
    assert len(limited.tags(manifest, "ticks")) == 61


def test_refusals(server, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    (tmp_path / "a").mkdir()
    refused = tdserver.Holdfast(tmp_path / "a", server, pgcluster.PROGRAM, f"password_file = {secret}\n")
    done = refused.run("backup", "tdengine", "full", status=1)
    assert b"wrong" not in done.stderr
    secret.chmod(0o644)
    refused.run("backup", "tdengine", "full", status=2)

    class Nowhere:
        url = f"http://127.0.0.1:{tdserver.free_port()}"

    (tmp_path / "b").mkdir()
    lost = tdserver.Holdfast(tmp_path / "b", Nowhere, pgcluster.PROGRAM, "timeout = 1s\n")
    lost.run("backup", "tdengine", "full", status=5)
    assert b"unreachable" in lost.run("check", status=5).stdout
