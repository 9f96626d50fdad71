# SPDX-License-Identifier: Apache-2.0
"""Restores of TDengine: what comes back is what was there, bit for bit; what is in the way is refused; a restore that
was interrupted is run again."""
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import socket
import struct
import subprocess
import time
from random import Random

import pytest

import pgcluster
import tdblock
import tdserver
from tdgate import Gate
from test_standin import Talk, without_null_bytes

UNITS = (("ms", 10**3), ("us", 10**6), ("ns", 10**9))
MARKER = "holdfast_restore_in_progress"


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
    """A super table with 40 child tables, one of them empty, and two normal tables."""
    server.sql("CREATE DATABASE market VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 10d")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, price DOUBLE, size INT, note VARCHAR(20)) "
               "TAGS (symbol NCHAR(10), kind TINYINT)")
    for table in range(40):
        rows = " ".join(f"({1700000000000 + day * 86400000 + table}, {table + day / 4}, "
                        f"{'NULL' if day % 5 == 0 else day}, 'n{day}')" for day in range(30))
        server.sql(f"INSERT INTO market.t{table} USING market.ticks TAGS ('号{table}', {table % 7}) VALUES {rows}")
    server.sql("CREATE TABLE market.empty USING market.ticks TAGS ('', NULL)")
    server.sql("INSERT INTO market.t3 VALUES (-1000, -1, -1, 'before 1970')")
    server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    server.sql("INSERT INTO market.plain VALUES (1700000000000, 1) (1700000000001, NULL)")
    server.sql("CREATE TABLE market.bare (ts TIMESTAMP, v INT)")


def databases(server):
    return {row[0] for row in server.sql("SELECT name FROM information_schema.ins_databases")} - \
        {"information_schema", "performance_schema"}


def tables(server, database):
    return {row[0] for row in server.sql("SELECT table_name FROM information_schema.ins_tables "
                                         f"WHERE db_name = '{database}'")}


def ticks(server, database):
    return (sorted(server.sql(f"SELECT tbname, ts, price, size, note FROM `{database}`.ticks"), key=str),
            sorted(server.sql(f"SELECT TAGS tbname, symbol, kind FROM `{database}`.ticks"), key=str),
            sorted(server.sql(f"SELECT * FROM `{database}`.plain"), key=str))


def raw(server, sql):
    """The blocks of an answer as the server sends them: nothing of Holdfast's has a hand in it."""
    talk = Talk(server.url)
    talk.must("conn", user="root", password="taosdata")
    return [without_null_bytes(block) for block in talk.blocks(sql)[1]]


def restore(holdfast, manifest, *arguments, status=0):
    done = holdfast.run("restore", "tdengine", "full", "--backup-id", manifest["id"], "--json", *arguments,
                        status=status)
    return json.loads(done.stdout) if done.stdout else done.stderr.decode()


def same_backups(holdfast, one, other):
    """Two backups hold the same rows and tags, told by what stands in their Parquet files."""
    tables_of = lambda manifest: {table["name"]: table for table in holdfast.details(manifest)["tables"]}
    first, second = tables_of(one), tables_of(other)
    assert first.keys() == second.keys()
    order = lambda row: json.dumps(row, sort_keys=True)
    without_ids = lambda rows: sorted(({k: v for k, v in row.items() if k not in ("uid", "vgroup")} for row in rows),
                                      key=order)
    for name, table in first.items():
        assert table["columns"] == second[name]["columns"] and table["tags"] == second[name]["tags"], name
        assert sorted(holdfast.rows(one, name), key=order) == sorted(holdfast.rows(other, name), key=order), name
        assert without_ids(holdfast.tags(one, name)) == without_ids(holdfast.tags(other, name)), name


def test_another_name(server, holdfast, market):
    manifest = holdfast.backup()
    report = restore(holdfast, manifest, "--to-database", "copy", "--deep")
    assert report["summary"]["rows"] == 1203 and report["summary"]["differences"] == []
    assert ticks(server, "copy") == ticks(server, "market")
    assert tables(server, "copy") == tables(server, "market")
    assert server.sql("SHOW CREATE DATABASE copy")[0][1].replace("copy", "market") == \
        server.sql("SHOW CREATE DATABASE market")[0][1]


def test_every_type_and_precision(server, holdfast):
    columns = [("ts", "TIMESTAMP"), ("b", "BOOL"), ("i1", "TINYINT"), ("i2", "SMALLINT"), ("i4", "INT"),
               ("i8", "BIGINT"), ("u1", "TINYINT UNSIGNED"), ("u2", "SMALLINT UNSIGNED"), ("u4", "INT UNSIGNED"),
               ("u8", "BIGINT UNSIGNED"), ("f4", "FLOAT"), ("f8", "DOUBLE"), ("t", "TIMESTAMP"), ("s", "VARCHAR(20)"),
               ("n", "NCHAR(10)"), ("x", "VARBINARY(20)"), ("d9", "DECIMAL(18,4)"), ("d38", "DECIMAL(38,10)")]
    ucs4 = lambda text: text.encode("utf-32-le")
    decimal = lambda value, width: value.to_bytes(width, "little", signed=True)
    f4 = [struct.pack("<I", bits) for bits in (0x7fc00001, 0x7f800000, 0xff800000, 0x80000000, 1)]
    f8 = [struct.pack("<Q", bits) for bits in (0x7ff8000000000abc, 0x7ff0000000000000, 0xfff0000000000000, 1 << 63, 1)]
    f4 += [None, struct.pack("<I", 0x7f7fffff)]
    f8 += [None, struct.pack("<Q", 0x7fefffffffffffff)]
    for precision, unit in UNITS:
        name = f"all_{precision}"
        server.sql(f"CREATE DATABASE {name} VGROUPS 1 BUFFER 8 PRECISION '{precision}' KEEP 36500d")
        declared = ", ".join(f"{field} {kind}" for field, kind in columns)
        server.sql(f"CREATE TABLE {name}.plain ({declared})")
        server.sql(f"CREATE STABLE {name}.st ({declared}) TAGS (tf FLOAT, td DOUBLE, tn NCHAR(20), tx VARBINARY(8))")
        server.sql(f"CREATE TABLE {name}.`child` USING {name}.st TAGS (0.1, 1e300, '中😀', '\\x00ff')")
        times = [-5 * 365 * 86400 * unit + 1, -1, 0, 1700000000 * unit + 7, 1700000001 * unit, 1700000002 * unit,
                 1700000003 * unit]
        data = [tdblock.column("TIMESTAMP", times), tdblock.column("BOOL", [0, 1, None, 1, 0, None, 0])]
        for kind, bits, signed in (("TINYINT", 8, 1), ("SMALLINT", 16, 1), ("INT", 32, 1), ("BIGINT", 64, 1),
                                   ("TINYINT UNSIGNED", 8, 0), ("SMALLINT UNSIGNED", 16, 0),
                                   ("INT UNSIGNED", 32, 0), ("BIGINT UNSIGNED", 64, 0)):
            least, most = (-2**(bits - 1), 2**(bits - 1) - 1) if signed else (0, 2**bits - 1)
            data.append(tdblock.column(kind, [least, most, None, 0, 1, None, most - 1]))
        data += [tdblock.column("FLOAT", f4), tdblock.column("DOUBLE", f8),
                 tdblock.column("TIMESTAMP", [-2**63 + 1, 2**63 - 1, None, 0, -1, None, 1]),
                 tdblock.column("VARCHAR", [b"", b"a\0b", None, b"\xff\xfe", "é😀".encode(), None, b"x" * 20], 20),
                 tdblock.column("NCHAR", [b"", ucs4("a\0b"), None, ucs4("中文😀"), ucs4("x'\"\\`"), None, ucs4("😀" * 10)], 10),
                 tdblock.column("VARBINARY", [b"", b"\0\0", None, b"\xff" * 20, b"'", None, b"\0"], 20),
                 tdblock.column("DECIMAL", [decimal(v, 8) if v is not None else None for v in
                                            (-10**18 + 1, 10**18 - 1, None, 0, -1, None, 1)], precision=18, scale=4),
                 tdblock.column("DECIMAL", [decimal(v, 16) if v is not None else None for v in
                                            (-10**38 + 1, 10**38 - 1, None, 0, -1, None, 1)], precision=38, scale=10)]
        wire = tdblock.Socket(server.url, name)
        for table in ("plain", "child"):
            wire.write(table, data, len(times))
        wire.close()
    manifest = holdfast.backup()
    names = {f"all_{precision}": f"back_{precision}" for precision in ("ms", "us", "ns")}
    restore(holdfast, manifest, "--to-database", ",".join(f"{a}={b}" for a, b in names.items()), "--deep")
    for name, copy in names.items():
        same_backups(holdfast, holdfast.backup("--databases", name), holdfast.backup("--databases", copy))
        for sql in ("SELECT * FROM `%s`.plain ORDER BY ts", "SELECT * FROM `%s`.st ORDER BY ts",
                    "SELECT TAGS tbname, tf, td, tn, tx FROM `%s`.st"):
            assert raw(server, sql % copy) == raw(server, sql % name)


def test_hostile_names_keys_and_tables_without_rows(server, holdfast):
    server.sql("CREATE DATABASE `Ma rkét` VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql("CREATE STABLE `Ma rkét`.`st ``able` (`t s` TIMESTAMP, `k` INT COMPOSITE KEY, `select` VARCHAR(20)) "
               "TAGS (`tag 'one'` DOUBLE, `群` NCHAR(20), g GEOMETRY(100), x VARBINARY(8)) COMMENT 'it''s \"quoted\"'")
    server.sql("CREATE TABLE `Ma rkét`.`ch ild😀` USING `Ma rkét`.`st ``able` TAGS (0.1, 'a\\'b\\\\c', 'POINT(1 2)', '') "
               "TTL 30 COMMENT 'child ''c'''")
    server.sql("CREATE TABLE `Ma rkét`.`no``rows` USING `Ma rkét`.`st ``able` TAGS (1e-300, '中😀', 'POINT(3 4)', NULL) "
               "TTL 12")
    server.sql("CREATE TABLE `Ma rkét`.nothing USING `Ma rkét`.`st ``able` TAGS (-1.5, '\"', NULL, '\\x00ff') COMMENT 'x'")
    server.sql("CREATE TABLE `Ma rkét`.`select` (`from` TIMESTAMP, `order` VARCHAR(4) COMPOSITE KEY, v INT) TTL 7")
    server.sql("INSERT INTO `Ma rkét`.`ch ild😀` VALUES (1700000000000, 1, 'a')(1700000000000, 2, NULL)")
    server.sql("INSERT INTO `Ma rkét`.`select` VALUES (1700000000000, 'a', 1)(1700000000000, 'b', 2)")
    manifest = holdfast.backup()
    restore(holdfast, manifest, "--to-database", "Other Näme", "--deep")
    again = holdfast.backup("--databases", "Other Näme")
    same_backups(holdfast, manifest, again)
    options = lambda database: sorted(server.sql("SELECT table_name, `ttl`, table_comment FROM "
                                                 f"information_schema.ins_tables WHERE db_name = '{database}'"))
    assert options("Other Näme") == options("Ma rkét")


@pytest.mark.parametrize("units", UNITS, ids=lambda units: units[0])
def test_json_tags_blobs_and_encodings(server, holdfast, units):
    precision, unit = units
    second = 1700000000 * unit
    server.sql(f"CREATE DATABASE d VGROUPS 1 BUFFER 8 PRECISION '{precision}' KEEP 36500d")
    server.sql("CREATE STABLE d.j (ts TIMESTAMP ENCODE 'delta-i' COMPRESS 'zstd' LEVEL 'high', b BLOB, g GEOMETRY(60)) TAGS (j JSON)")
    server.sql("INSERT INTO d.j1 USING d.j TAGS ('{\"k\":\"中\\\\n\",\"n\":1.5}') VALUES "
               f"({second}, 'abc', 'POINT(1 -2.5)')({second + 1}, NULL, NULL)({second + 2}, '', 'POINT(1e300 0)')"
               f"({-1000000000 * unit}, '\\\\x00', 'POINT EMPTY')({-1}, '{'x' * 60000}', NULL)")
    server.sql("CREATE TABLE d.j2 USING d.j TAGS ('{\"a\":null}')")
    server.sql("CREATE TABLE d.j3 USING d.j TAGS (NULL)")
    manifest = holdfast.backup()
    restore(holdfast, manifest, "--to-database", "e", "--deep")
    same_backups(holdfast, manifest, holdfast.backup("--databases", "e"))
    assert server.sql("DESCRIBE e.j") == server.sql("DESCRIBE d.j")
    for sql in ("SELECT * FROM %s.j1 ORDER BY ts", "SELECT TAGS tbname, j FROM %s.j"):
        assert raw(server, sql % "e") == raw(server, sql % "d")


def test_names_as_long_as_can_be(server, holdfast):
    """The server cuts the name of the index that it makes of the first tag by itself."""
    database, table, child, tag = "d" * 64, "s" * 192, "中" * 63 + "``cc", "g" * 64
    server.sql(f"CREATE DATABASE {database} VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql(f"CREATE STABLE {database}.`{table}` (ts TIMESTAMP, {'c' * 64} INT) TAGS ({tag} INT, other INT)")
    server.sql(f"CREATE STABLE {database}.st (ts TIMESTAMP, v INT) TAGS (a INT, other INT)")
    server.sql(f"CREATE INDEX {'i' * 64} ON {database}.st (other)")
    server.sql(f"INSERT INTO {database}.`{child}` USING {database}.`{table}` TAGS (1, 2) VALUES (1700000000000, 1)")
    server.sql(f"CREATE TABLE {database}.`{'e' * 192}` USING {database}.`{table}` TAGS (3, 4)")
    server.sql(f"CREATE TABLE {database}.{'n' * 192} (ts TIMESTAMP, v INT)")
    manifest = holdfast.backup()
    restore(holdfast, manifest, "--to-database", "e" * 64, "--deep")
    same_backups(holdfast, manifest, holdfast.backup("--databases", "e" * 64))
    names = [row[0] for row in server.sql("SELECT index_name FROM information_schema.ins_indexes "
                                          f"WHERE db_name = '{'e' * 64}'")]
    assert "i" * 64 in names and len(names) == 3


def test_refused_and_replaced(server, holdfast, market):
    manifest = holdfast.backup()
    server.sql("INSERT INTO market.plain VALUES (1700000000002, 3)")
    before = ticks(server, "market")
    assert "exists" in restore(holdfast, manifest, status=1)["problems"][0]
    assert ticks(server, "market") == before
    report = restore(holdfast, manifest, "--replace", "--dry-run")
    assert any("cannot rename" in step for step in report["steps"])
    assert ticks(server, "market") == before and databases(server) == {"market"}
    restore(holdfast, manifest, "--replace", "--deep")
    assert server.sql("SELECT COUNT(*) FROM market.plain") == [[2]]
    assert ticks(server, "market")[0] == before[0]


def test_topics_stand_in_the_way(server, holdfast, market):
    manifest = holdfast.backup()
    server.sql("CREATE TOPIC theirs AS DATABASE market")
    server.sql("CREATE TOPIC holdfast_market AS DATABASE market")
    told = {fact["subject"]: fact for fact in json.loads(holdfast.run("check", "market", "--json").stdout)
            if fact["subject"].startswith("topic ")}
    assert set(told) == {"topic theirs", "topic holdfast_market"}
    assert told["topic theirs"]["state"] == told["topic holdfast_market"]["state"] == "warning"
    assert "not one of Holdfast's" in told["topic theirs"]["text"]
    assert "database market cannot be dropped" in told["topic holdfast_market"]["text"]
    assert "DROP TOPIC `holdfast_market`" in told["topic holdfast_market"]["hint"]
    assert "topic theirs" in restore(holdfast, manifest, "--replace", status=1)["problems"][0]
    server.sql("DROP TOPIC theirs")
    restore(holdfast, manifest, "--replace")
    assert server.sql("SELECT COUNT(*) FROM market.ticks") == [[1201]]


def test_chosen_tables(server, holdfast, market):
    manifest = holdfast.backup()
    everything = ticks(server, "market")
    restore(holdfast, manifest, "--tables", "nosuch*", status=2)
    # A dropped super table comes back beside the others.
    server.sql("DROP STABLE market.ticks")
    restore(holdfast, manifest, "--tables", "ticks", "--deep")
    assert ticks(server, "market") == everything
    # Single child tables, while the super table stays.
    server.sql("DROP TABLE market.t3")
    server.sql("DROP TABLE market.empty")
    restore(holdfast, manifest, "--tables", "t3,market.empt*")
    assert ticks(server, "market") == everything
    assert "t3 exists" in restore(holdfast, manifest, "--tables", "t3", status=1)["problems"][0]
    server.sql("INSERT INTO market.t3 VALUES (1, 1, 1, 'more')")
    restore(holdfast, manifest, "--tables", "t3", "--replace")
    assert ticks(server, "market") == everything
    # Into a database that is not there.
    restore(holdfast, manifest, "--tables", "plain", "--to-database", "only")
    assert tables(server, "only") == {"plain"}


def test_merge(server, holdfast, market):
    manifest = holdfast.backup()
    everything = ticks(server, "market")
    server.sql("DELETE FROM market.ticks WHERE ts > 1701000000000")
    server.sql("INSERT INTO market.plain VALUES (1700000000000, 5) (1800000000000, 6)")
    restore(holdfast, manifest, "--tables", "ticks,plain", "--merge")
    assert ticks(server, "market")[:2] == everything[:2]
    assert server.sql("SELECT v FROM market.plain ORDER BY ts") == [[1], [None], [6]]
    server.sql("ALTER STABLE market.ticks DROP COLUMN size")
    assert "ticks has 5 columns" in restore(holdfast, manifest, "--tables", "ticks", "--merge", status=1)["problems"][0]


def test_merge_where_columns_or_times_are_others(server, holdfast):
    """Values are bound by place: a table with the same columns in another order is not the same."""
    server.sql("CREATE DATABASE d VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql("CREATE TABLE d.t (ts TIMESTAMP, a INT, b INT)")
    server.sql("INSERT INTO d.t VALUES (1700000000000, 1, 2)")
    manifest = holdfast.backup()
    server.sql("CREATE DATABASE swapped VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql("CREATE TABLE swapped.t (ts TIMESTAMP, b INT, a INT)")
    report = restore(holdfast, manifest, "--tables", "t", "--to-database", "swapped", "--merge", status=1)
    assert "the column b where the backup has a" in report["problems"][0]
    server.sql("CREATE DATABASE finer VGROUPS 1 BUFFER 8 KEEP 36500d PRECISION 'us'")
    assert "times in us" in restore(holdfast, manifest, "--tables", "t", "--to-database", "finer", status=1)["problems"][0]
    assert server.sql("SELECT COUNT(*) FROM swapped.t") == [[0]] and tables(server, "finer") == set()


def test_a_range_of_time(server, holdfast, market):
    manifest = holdfast.backup()
    restore(holdfast, manifest, "--to-database", "part", "--start", "2023-11-20T00:00:00Z", "--end",
            "2023-11-30T00:00:00Z")
    condition = "ts >= '2023-11-20T00:00:00Z' AND ts < '2023-11-30T00:00:00Z'"
    expected = sorted(server.sql(f"SELECT tbname, ts, price FROM market.ticks WHERE {condition}"), key=str)
    assert len(expected) == 400
    assert sorted(server.sql("SELECT tbname, ts, price FROM part.ticks"), key=str) == expected
    assert tables(server, "part") == tables(server, "market")


def test_rows_older_than_keep(server, holdfast):
    server.sql("CREATE DATABASE old VGROUPS 1 BUFFER 8 KEEP 36500d DURATION 1d")
    server.sql("CREATE TABLE old.t (ts TIMESTAMP, v INT)")
    server.sql("INSERT INTO old.t VALUES (1000, 1) (NOW, 2)")
    manifest = holdfast.backup()
    # Into a database whose KEEP would refuse them.
    server.sql("CREATE DATABASE young VGROUPS 1 BUFFER 8 KEEP 10d DURATION 1d")
    report = restore(holdfast, manifest, "--tables", "t", "--to-database", "young")
    assert any("older than KEEP" in warning for warning in report["warnings"])
    [[keep]] = server.sql("SELECT `keep` FROM information_schema.ins_databases WHERE name = 'young'")
    assert keep == "10d,10d,10d"
    assert server.sql("SELECT v FROM young.t") == [[2]]
    assert tables(server, "young") == {"t"}
    # As it was: KEEP is widened for rows that it would take no more, or only just.
    back = lambda report: [step for step in report["steps"] if "set KEEP" in step]
    assert back(restore(holdfast, manifest, "--databases", "old", "--to-database", "same")) == []
    assert server.sql("SELECT v FROM same.t ORDER BY ts") == [[1], [2]]
    server.sql("INSERT INTO young.t VALUES (NOW - 5d, 3)")
    manifest = holdfast.backup("--databases", "young")
    report = restore(holdfast, manifest, "--to-database", "younger")
    assert back(report) == ["set KEEP of database younger back to 10d,10d,10d"]
    assert server.sql("SELECT v FROM younger.t ORDER BY ts") == [[3], [2]]
    assert server.sql("SELECT `keep` FROM information_schema.ins_databases WHERE name = 'younger'") == [["10d,10d,10d"]]


def test_damage_is_found_first(server, holdfast, market):
    manifest = holdfast.backup()
    before = ticks(server, "market")
    name = holdfast.slices(manifest)[-1]["data"]["sha256"]
    path = holdfast.repository / "pool" / name[:2] / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    assert "damaged" in restore(holdfast, manifest, "--replace", status=3)["problems"][0]
    assert ticks(server, "market") == before
    path.unlink()
    restore(holdfast, manifest, "--to-database", "copy", status=3)
    assert databases(server) == {"market"}


def start(holdfast, manifest, *arguments):
    return subprocess.Popen([holdfast.program, "restore", "tdengine", "full", "--backup-id", manifest["id"], "--config",
                             str(holdfast.config), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def is_whole(server, expected):
    return "copy" in databases(server) and MARKER not in tables(server, "copy") and ticks(server, "copy") == expected


def finish(server, holdfast, manifest, expected):
    """Runs an interrupted restore again. Where the other one was ended behind its last statement this one is refused."""
    done = start(holdfast, manifest, "--to-database", "copy", "--deep")
    _, problem = done.communicate(timeout=300)
    assert done.returncode == 0 or (done.returncode == 1 and b"database copy exists" in problem), problem
    assert is_whole(server, expected)


def test_killed_at_any_moment(server, holdfast, market):
    """kill -9: the database is whole, or the next run makes it so; nothing half made passes for whole."""
    manifest = holdfast.backup()
    expected = ticks(server, "market")
    for step in range(20):
        process = start(holdfast, manifest, "--to-database", "copy")
        time.sleep(0.02 * step)
        process.kill()
        process.communicate()
        # One of them may have got through, or was killed behind its last statement: then the others are refused, but
        # never because of what is half made.
        if process.returncode == 1:
            assert is_whole(server, expected)
    finish(server, holdfast, manifest, expected)


@pytest.mark.parametrize("left", ("nothing", "a mark without a word", "a mark of another"))
def test_killed_before_anything_was_made(server, holdfast, market, left):
    """Between CREATE DATABASE and the mark, and before there is a word in it; a database that holds nothing whatever
    is made anew whoever made it, and the plan says so."""
    manifest = holdfast.backup()
    server.sql("CREATE DATABASE copy VGROUPS 1 BUFFER 8" + (" KEEP 525599361m" if left != "nothing" else ""))
    if left != "nothing":
        server.sql(f"CREATE TABLE copy.{MARKER} (ts TIMESTAMP, kind VARCHAR(16), name VARCHAR(400), "
                   "backup VARCHAR(200), holder VARCHAR(400))")
    if left == "a mark of another":
        server.sql(f"INSERT INTO copy.{MARKER} VALUES (NOW, 'database', 'copy', 'x', 'elsewhere 1 1')")
        server.sql("CREATE STABLE copy.ticks (ts TIMESTAMP, other INT) TAGS (g INT)")
    steps = restore(holdfast, manifest, "--to-database", "copy", "--dry-run")["steps"]
    assert any(("holds nothing whatever" if left == "nothing" else "left half made") in step for step in steps)
    restore(holdfast, manifest, "--to-database", "copy", "--deep")
    assert is_whole(server, ticks(server, "market"))
    # With anything in it, it is somebody's.
    server.sql("DROP DATABASE copy")
    server.sql("CREATE DATABASE copy VGROUPS 1 BUFFER 8")
    server.sql("CREATE STABLE copy.theirs (ts TIMESTAMP, v INT) TAGS (g INT)")
    assert "copy exists" in restore(holdfast, manifest, "--to-database", "copy", status=1)["problems"][0]
    server.sql("DROP STABLE copy.theirs")
    server.sql("CREATE TOPIC theirs AS DATABASE copy")
    assert "copy exists" in restore(holdfast, manifest, "--to-database", "copy", status=1)["problems"][0]


def test_another_restore_is_writing(server, holdfast, market):
    """What a process that is alive makes is left alone, even where it has made nothing yet."""
    manifest = holdfast.backup()
    with subprocess.Popen(["sleep", "600"]) as other:
        began = pathlib.Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        server.sql("CREATE DATABASE copy VGROUPS 1 BUFFER 8")
        server.sql(f"CREATE TABLE copy.{MARKER} (ts TIMESTAMP, kind VARCHAR(16), name VARCHAR(400), "
                   "backup VARCHAR(200), holder VARCHAR(400))")
        server.sql(f"INSERT INTO copy.{MARKER} VALUES (NOW, 'database', 'copy', 'x', "
                   f"'{socket.gethostname()} {other.pid} {began}')")
        assert "another restore" in restore(holdfast, manifest, "--to-database", "copy", status=4)["problems"][0]
        assert tables(server, "copy") == {MARKER}
        other.kill()
        other.wait()
        restore(holdfast, manifest, "--to-database", "copy")
    assert is_whole(server, ticks(server, "market"))


@pytest.fixture
def small_tables(server, holdfast):
    """300 child tables with a few rows in each of four slices, which a restore therefore reads side by side: a full, and an
    increment with three file sets more. The first slice has several pages. Its manifest and its slices by time."""
    server.sql("CREATE DATABASE small VGROUPS 2 BUFFER 8 KEEP 36500d DURATION 10d")
    server.sql("CREATE STABLE small.st (ts TIMESTAMP, v INT, s VARCHAR(160)) TAGS (g INT)")
    fill_small(server, 0, 40, 75)
    holdfast.backup()
    for step in range(1, 4):
        fill_small(server, step, 10, 1)
    manifest = json.loads(holdfast.run("backup", "tdengine", "incremental", "--mode", "scan", "--json").stdout)
    slices = holdfast.slices(manifest)
    assert [one["rows"] for one in slices] == [300 * 40, 300 * 10, 300 * 10, 300 * 10]
    return manifest, slices


def fill_small(server, step, rows, width):
    """Texts that do not compress, in the file set `step`."""
    random = Random(step)
    for first in range(0, 300, 50):
        parts = [f"small.t{table} USING small.st TAGS ({table}) VALUES " +
                 "".join(f"({1700000000000 + step * 864000000 + row}, {row}, '{random.randbytes(width).hex()}')"
                         for row in range(rows)) for table in range(first, first + 50)]
        server.sql("INSERT INTO " + " ".join(parts))


def small_rows(server, database):
    return {tuple(row) for row in server.sql(f"SELECT tbname, ts, v, s FROM {database}.st")}


def flipped(holdfast, reference):
    """A bit of a pool object is turned round, among its values; its path, and its bytes as they were."""
    name = reference["sha256"]
    path = holdfast.repository / "pool" / name[:2] / name
    content = path.read_bytes()
    at = len(content) * 2 // 5  # in the very middle stands the head of a page
    path.chmod(0o600)
    path.write_bytes(content[:at] + bytes([content[at] ^ 0x40]) + content[at + 1:])
    return path, content


@contextlib.contextmanager
def held(holdfast, server, manifest, holds):
    """A restore into `copy` that stands still where `holds` says."""
    gate = Gate(server.url, holds)
    config = holdfast.config.read_text()
    holdfast.config.write_text(config.replace(server.url, gate.url))
    process = start(holdfast, manifest, "--to-database", "copy")
    try:
        assert gate.held.wait(60), process.poll()
        yield gate, process
    finally:
        process.kill()
        process.communicate()
        gate.close()
        holdfast.config.write_text(config)


def again(server, holdfast, manifest):
    """The half made database is told, is no hindrance, and becomes whole."""
    assert any("left half made" in step
               for step in restore(holdfast, manifest, "--to-database", "copy", "--dry-run")["steps"])
    assert restore(holdfast, manifest, "--to-database", "copy", "--deep")["summary"]["fingerprints"] == "compared"
    assert MARKER not in tables(server, "copy") and small_rows(server, "copy") == small_rows(server, "small")


def test_damage_in_slices_read_side_by_side(server, holdfast, small_tables):
    """Found before anything is made; and what happens to an object behind that look is found when it is read: it is told, rows
    that are there by then are right ones, and nobody takes them for all of them."""
    manifest, slices = small_tables
    for one in (slices[0], slices[-1]):
        path, content = flipped(holdfast, one["data"])
        assert path.name in restore(holdfast, manifest, "--to-database", "copy", status=3)["problems"][0]
        assert databases(server) == {"small"}
        path.write_bytes(content)
    for one in (slices[0], slices[-1]):
        with held(holdfast, server, manifest, lambda message: b"CREATE DATABASE" in message) as (gate, process):
            path, content = flipped(holdfast, one["data"])
            gate.open.set()
            told = process.communicate(timeout=300)[1].decode()
        assert process.returncode == 3 and f"pool/{path.name[:2]}/{path.name}" in told
        assert MARKER in tables(server, "copy") and small_rows(server, "copy") < small_rows(server, "small")
        path.write_bytes(content)
        again(server, holdfast, manifest)
        server.sql("DROP DATABASE copy")


def nth(number, part):
    """The message that is the `number`th with this part."""
    counter = itertools.count(1)
    return lambda message: part in message and next(counter) == number


@pytest.mark.parametrize("number, part", ((1, b"stmt2_exec"), (2, b"stmt2_exec"), (1, b"SELECT tbname, COUNT(*)"),
                                          (1, b"DROP TABLE IF EXISTS")),
                         ids=("before any rows", "among the rows", "before they are counted", "before the mark goes"))
def test_killed_while_slices_are_read_side_by_side(server, holdfast, small_tables, number, part):
    manifest, _ = small_tables
    with held(holdfast, server, manifest, nth(number, part)) as (_, process):
        process.kill()
        assert process.wait(60) == -9
    assert MARKER in tables(server, "copy")
    there, expected = small_rows(server, "copy"), small_rows(server, "small")
    assert there <= expected and (there == expected) == (part != b"stmt2_exec")
    again(server, holdfast, manifest)


def large_table():
    """Statements that make more bytes than the server holds in memory."""
    yield "CREATE DATABASE large VGROUPS 1 BUFFER 3 KEEP 36500d STT_TRIGGER 3"
    yield "CREATE TABLE large.t (ts TIMESTAMP, s VARCHAR(60000))"
    for first in range(0, 600, 15):
        yield "INSERT INTO large.t VALUES " + "".join(f"({1700000000000 + row}, '{row}{'x' * 59990}')"
                                                      for row in range(first, first + 15))


def test_files_are_merged_later(server, holdfast):
    """Where there are many bytes the server gathers more files before it merges them, until all is written; a restore that was
    killed meanwhile leaves no trace of that."""
    for statement in large_table():
        server.sql(statement)
    trigger = lambda name: server.sql("SELECT `stt_trigger` FROM information_schema.ins_databases "
                                      f"WHERE name = '{name}'")
    manifest = holdfast.backup()
    with held(holdfast, server, manifest, nth(1, b"stmt2_exec")) as (_, process):
        assert trigger("copy") == [[16]]
        process.kill()
        assert process.wait(60) == -9
    report = restore(holdfast, manifest, "--to-database", "copy", "--deep")
    assert "set STT_TRIGGER of database copy back to 3" in report["steps"]
    assert trigger("copy") == trigger("large") == [[3]] and report["summary"]["fingerprints"] == "compared"


def test_killed_while_tables_are_restored(server, holdfast, market):
    manifest = holdfast.backup()
    expected = ticks(server, "market")
    server.sql("DROP STABLE market.ticks")
    server.sql("DROP TABLE market.plain")
    # Just so far that the mark is there: a run that was killed then.
    server.sql(f"CREATE TABLE market.{MARKER} (ts TIMESTAMP, kind VARCHAR(16), name VARCHAR(400), backup VARCHAR(200), "
               "holder VARCHAR(400))")
    server.sql(f"INSERT INTO market.{MARKER} VALUES (NOW, 'table', 'ticks', 'x', 'elsewhere 1 1')"
               "(NOW + 1a, 'table', 'plain', 'x', 'elsewhere 1 1')")
    server.sql("CREATE STABLE market.ticks (ts TIMESTAMP, other INT) TAGS (g INT)")
    server.sql("CREATE TABLE market.t1 USING market.ticks TAGS (1)")
    server.sql("CREATE TABLE market.plain (ts TIMESTAMP, v INT)")
    assert "half made" in restore(holdfast, manifest, "--tables", "ticks", status=1)["problems"][0]
    restore(holdfast, manifest, "--tables", "ticks,plain")
    assert ticks(server, "market") == expected and MARKER not in tables(server, "market")


def test_server_killed_during_a_restore(holdfast, server, market):
    if not server.real:
        pytest.skip("the stand-in cannot be killed and come back with its rows")
    manifest = holdfast.backup()
    expected = ticks(server, "market")
    process = start(holdfast, manifest, "--to-database", "copy")
    while process.poll() is None and "copy" not in databases(server):
        time.sleep(0.01)
    server.kill_taosd()
    server.spawn_taosd()
    server.wait()
    _, problem = process.communicate(timeout=300)
    assert process.returncode in (0, 1, 5), problem
    if process.returncode != 0:
        finish(server, holdfast, manifest, expected)
    assert is_whole(server, expected)


def test_virtual_tables_follow_the_name(server, holdfast):
    server.sql("CREATE DATABASE d VGROUPS 1 BUFFER 8 KEEP 36500d")
    server.sql("CREATE TABLE d.src (ts TIMESTAMP, a INT, b DOUBLE)")
    server.sql("INSERT INTO d.src VALUES (1700000000000, 1, 1.5)")
    server.sql("CREATE STABLE d.vst (ts TIMESTAMP, a INT, b DOUBLE) TAGS (g INT) VIRTUAL 1")
    server.sql("CREATE VTABLE d.vc (d.src.a, d.src.b) USING d.vst TAGS (1)", "d")
    server.sql("CREATE VTABLE d.vn (ts TIMESTAMP, x INT FROM d.src.a)", "d")
    manifest = holdfast.backup()
    restore(holdfast, manifest, "--to-database", "e")
    server.sql("DROP DATABASE d")
    assert server.sql("SELECT a, b FROM e.vc") == [[1, 1.5]]
    assert [row[1] for row in server.sql("SELECT * FROM e.vn")] == [1]


def test_4096_columns(server, holdfast):
    """As many as a server takes, the tag counted: the statement that makes them is longer than what SHOW CREATE shows."""
    names = [f"a_column_with_a_name_that_takes_room_{number:04}" for number in range(4094)]
    server.sql("CREATE DATABASE wide VGROUPS 1 BUFFER 16 KEEP 36500d")
    server.sql(f"CREATE STABLE wide.st (ts TIMESTAMP, {', '.join(f'{name} INT' for name in names)}) TAGS (g INT)")
    for row in range(3):
        values = ", ".join("NULL" if number % 5 == row else str(number * 1000 + row) for number in range(4094))
        server.sql(f"INSERT INTO wide.c USING wide.st TAGS (1) VALUES ({1700000000000 + row}, {values})")
    manifest = holdfast.backup()
    restore(holdfast, manifest, "--to-database", "again", "--deep")
    for statement in ("DESCRIBE %s.st", "SELECT * FROM %s.c"):
        assert server.sql(statement % "again") == server.sql(statement % "wide")


def test_many_child_tables(server, holdfast):
    """The whole 100,000 where HOLDFAST_TEST_CHILD_TABLES says so."""
    count = int(os.environ.get("HOLDFAST_TEST_CHILD_TABLES", "6000")) // 2
    server.sql("CREATE DATABASE many VGROUPS 1 BUFFER 16 KEEP 36500d")
    server.sql("CREATE STABLE many.st (ts TIMESTAMP, v INT) TAGS (g INT)")
    for first in range(0, count, 1000):
        numbers = range(first, min(first + 1000, count))
        server.sql("CREATE TABLE " + " ".join(f"many.e{n} USING many.st TAGS ({n})" for n in numbers))
        server.sql("INSERT INTO " + " ".join(f"many.r{n} USING many.st TAGS ({n}) VALUES (1700000000000, {n})"
                                             for n in numbers))
    manifest = holdfast.backup()
    report = restore(holdfast, manifest, "--to-database", "again", "--deep")
    assert report["summary"]["child_tables"] == 2 * count and report["summary"]["rows"] == count
    assert server.sql("SELECT COUNT(*), SUM(v) FROM again.st") == [[count, count * (count - 1) // 2]]
    assert len(tables(server, "again")) == 2 * count


def pitr(holdfast, target, *arguments, status=0):
    done = holdfast.run("restore", "tdengine", "pitr", "--target-time", target, "--to-database", "earlier", "--json",
                        *arguments, status=status)
    return json.loads(done.stdout) if done.stdout else done.stderr.decode()


def iso(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"


def test_point_in_time(server, holdfast, market):
    """A state and, behind it, the rows of the next backup up to the target; what lies outside is refused."""
    first = holdfast.backup()
    before = ticks(server, "market")
    time.sleep(0.05)
    server.sql("INSERT INTO market.t1 VALUES (NOW, 100, 1, 'soon')")
    # Written while the first backup ran, too late for it.
    began = datetime.datetime.fromisoformat(first["start"].replace("Z", "+00:00")).timestamp()
    server.sql(f"INSERT INTO market.t1 VALUES ('{iso(began + 0.002)}', 102, 1, 'soon')")
    server.sql("INSERT INTO market.fresh USING market.ticks TAGS ('新', 1) VALUES (NOW, 101, 1, 'soon')")
    server.sql("CREATE TABLE market.later (ts TIMESTAMP, v INT)")
    server.sql("INSERT INTO market.later VALUES (NOW, 1)")
    time.sleep(0.05)
    target = time.time()
    time.sleep(0.05)
    server.sql("INSERT INTO market.t1 VALUES (NOW, 200, 1, 'late')")
    server.sql("DELETE FROM market.t2")
    second = holdfast.backup()
    plan = pitr(holdfast, iso(target), "--dry-run")
    assert any(first["id"] in step for step in plan["steps"]) and any(second["id"] in step for step in plan["steps"])
    assert "earlier" not in databases(server)
    report = pitr(holdfast, iso(target), "--deep")
    # The state is compared, the rows behind it are counted as they are written.
    assert report["summary"]["filled"] == 4 and report["summary"]["fingerprints"] == "compared in part"
    assert sorted(row[4] for row in ticks(server, "earlier")[0] if row[2] >= 100) == ["soon", "soon", "soon"]
    assert [row for row in ticks(server, "earlier")[0] if row[2] < 100] == before[0]
    assert server.sql("SELECT v FROM earlier.later") == [[1]]
    # The state alone, and another end of the fill.
    report = pitr(holdfast, iso(target), "--fill", "none", "--replace", "--deep")
    assert ticks(server, "earlier") == before and report["summary"]["fingerprints"] == "compared"
    assert pitr(holdfast, iso(target), "--event-until", iso(target + 3600), "--replace")["summary"]["filled"] == 5
    # Only one table.
    server.sql("DROP DATABASE earlier")
    pitr(holdfast, iso(target), "--tables", "plain,t1")
    assert tables(server, "earlier") == {"plain", "t1"}
    for outside in (iso(target - 3600), iso(target + 3600)):
        assert "outside of what can be restored" in pitr(holdfast, outside, status=1)
