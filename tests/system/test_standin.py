# SPDX-License-Identifier: Apache-2.0
"""The stand-in for TDengine answers as a real server did: every recording under tests/golden/tdengine is asked again,
and the answers compared: texts, codes, shapes, and the blocks byte for byte."""
import base64
import http.client
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import urllib.parse

import pytest

import pgcluster
import tdserver

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "tdengine"
sys.path.insert(0, str(ROOT / "tests" / "standin"))

import columns as c  # noqa: E402 - only to take recorded blocks apart for writing them
from schema import declared  # noqa: E402

PATIENCE = 60  # seconds for an answer: the machine may be busy
FREE = {"pipelined_requests", "stmt2_super_table", "seq_plain", "seq_partition", "seq_partition_no_tbname"}
# What is not asked again, and why.
BLOCKS_LEFT_OUT = {
    "meta_ins_tags": "Holdfast does not ask for ins_tags: its texts are lossy",
    "meta_show_create": "Holdfast does not ask for SHOW CREATE of a child table: it is lossy",
    "ws_reply_0_data": "a reply as in binary_query_multi_block", "ws_reply_1_data": "the same",
    "ws_reply_2_finished": "the same", "ws_reply_3_error": "the same as in free_result",
}
KILLED = "a server process is killed: `trouble` does what a client sees of it"
MINUTES = "takes minutes of silence"
TOPICS = "topics of queries and of one super table, and consumers of snapshots and raw data: Holdfast's are of databases, with meta"
RAW = "raw messages of a topic, written into a database: Holdfast writes rows by prepared statements, and takes none from topics"
TALKS_LEFT_OUT = {
    "gateway_killed_mid_fetch": KILLED, "gateway_stopped_mid_fetch": KILLED, "server_killed_mid_fetch": KILLED,
    "server_stopped_mid_fetch": KILLED, "idle_ping": MINUTES, "idle_no_pong": MINUTES, "write_tmq_raw": RAW,
    "tmq_variants": TOPICS,
}
REST_LEFT_OUT = {
    "auth_token": "Holdfast has no use for login tokens of the gateway", "login_token": "the same",
    "login_wrong_password": "the same", "ping": "not asked by Holdfast",
    "truncated_when_server_ends": "the end of a server", "tz": "Holdfast asks in UTC", "tz_bad": "the same",
    "nan_after_many_rows": "how much goes out before the NaN depends on the gateway's buffers",
    "mediumblob": "the real gateway's answer is no JSON",
    "varchar_odd": "no text: these bytes are compared in the blocks of ms_varchar",
}


# --- A client of the tests' own -------------------------------------------------------------------

class Talk:
    def __init__(self, url, path="/ws"):
        place = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((place.hostname, place.port), PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")
        while self.file.readline().strip():
            pass

    def send(self, text, data):
        head = bytes([0x81 if text else 0x82])
        head += bytes([0xfe]) + struct.pack(">H", len(data)) if len(data) < 65536 else b"\xff" + struct.pack(">Q", len(data))
        mask = b"\1\2\3\4"
        self.socket.sendall(head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def receive(self):
        """(is text, bytes), or None at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        length = head[1]
        if length >= 126:
            length = int.from_bytes(self.file.read(2 if length == 126 else 8), "big")
        data = self.file.read(length)
        return (head[0] & 15 == 1, data) if len(data) == length else None

    def ask(self, action, **args):
        self.send(True, json.dumps({"action": action, "args": dict(args, req_id=1)}).encode())
        return json.loads(self.receive()[1])

    def must(self, action, **args):
        answer = self.ask(action, **args)
        assert answer["code"] == 0, (args, answer)
        return answer

    def fetch(self, result):
        """The reply to one fetch, header cut off: (code, finished, block)."""
        self.send(False, struct.pack("<QQQH", 2, result, 7, 1))
        _, data = self.receive()
        code, size = struct.unpack_from("<II", data, 34)
        return code, data[50 + size], data[55 + size:]

    def blocks(self, sql):
        told = self.must("query", sql=sql)
        found = []
        while True:
            code, finished, block = self.fetch(told["id"])
            assert code == 0
            if finished:
                return told, found
            found.append(block)

    def bind(self, statement, name, fields, made, tags=(), values=()):
        """Binds the columns of one table, with tags where there are some."""
        names = struct.pack("<H", len(name.encode()) + 1) + name.encode() + b"\0"
        parts = [b"".join(bound(field, column) for field, column in zip(*pair)) for pair in ((tags, values), (fields, made))]
        lengths = [struct.pack("<I", len(part)) + part if part else b"" for part in parts]
        at_tags = 28 + len(names)
        body = names + lengths[0] + lengths[1]
        head = struct.pack("<7I", 28 + len(body), 1, len(tags), len(fields), 28, at_tags if tags else 0,
                           at_tags + len(lengths[0]))
        self.send(False, struct.pack("<QQQHi", 3, statement, 9, 1, -1) + head + body)
        answer = json.loads(self.receive()[1])
        assert answer["code"] == 0, answer
        return self.must("stmt2_exec", stmt_id=statement)["affected"]


def bound(field, column):
    """One field of a bind, from a column."""
    cells = [column.get(row) for row in range(len(column))]
    nulls = bytes(cell is None for cell in cells)
    if field.width:
        lengths, buffer = b"", b"".join(bytes(field.width) if cell is None else cell for cell in cells)
    else:
        cells = [b"" if cell is None else cell.decode("utf-32-le").encode() if field.type == c.NCHAR else cell
                 for cell in cells]
        lengths, buffer = struct.pack(f"<{len(cells)}I", *map(len, cells)), b"".join(cells)
    body = struct.pack("<II", field.type, len(cells)) + nulls + bytes([not field.width]) + lengths
    return struct.pack("<I", 4 + len(body) + 4 + len(buffer)) + body + struct.pack("<I", len(buffer)) + buffer


def insert(talk, name, fields, made, stable=None, tags=(), values=()):
    using = f" USING `{stable}` TAGS({','.join('?' * len(tags))})" if stable else ""
    statement = talk.must("stmt2_init", single_stb_insert=True, single_table_bind_once=False)["stmt_id"]
    talk.must("stmt2_prepare", stmt_id=statement, sql=f"INSERT INTO ?{using} VALUES({','.join('?' * len(fields))})",
              get_fields=False)
    assert talk.bind(statement, name, fields, made, tags, values) == len(made[0])
    talk.must("stmt2_close", stmt_id=statement)


def start(*arguments):
    process = subprocess.Popen([sys.executable, str(ROOT / "tests/standin/server.py"), *arguments], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.url = process.stdout.readline().decode().strip()
    return process


def stop(process):
    process.stdin.close()
    assert process.wait(PATIENCE) == 0


@pytest.fixture(scope="module")
def url():
    process = start()
    assert b"stand-in" in process.stderr.readline()
    yield process.url
    stop(process)


# --- Blocks ---------------------------------------------------------------------------------------

def load(name):
    return json.loads((GOLDEN / "blocks" / f"{name}.json").read_text())


def recorded_blocks(told):
    return [(GOLDEN / "blocks" / file).read_bytes() for file in told["files"]]


def recorded_columns(name):
    """Named fields and joined columns of a recording."""
    told = load(name)
    joined = None
    for block in recorded_blocks(told):
        fields, made = c.decode_block(block)
        for field, column in zip(fields, told["columns"]):
            field.name, field.length = column["name"], column["bytes"]
        if joined is None:
            joined = made
        else:
            for column, more in zip(joined, made):
                column.extend(more)
    return fields, joined


def without_null_bytes(block):
    """A block whose NULL cells are zero and whose group is 0: what they hold means nothing, or differs by server."""
    out = bytearray(block)
    rows, count = struct.unpack_from("<ii", block, 8)
    out[20:28] = bytes(8)
    at = 28 + 9 * count
    for index in range(count):
        [length] = struct.unpack_from("<i", block, 28 + 5 * count + 4 * index)
        width = c.WIDTHS.get(block[28 + 5 * index], 0)
        data = at + ((rows + 7) // 8 if width else 4 * rows)
        for row in range(rows if width else 0):
            if block[at + row // 8] & 0x80 >> row % 8:
                out[data + row * width:data + (row + 1) * width] = bytes(width)
        at = data + length
    return bytes(out)


def rows_of(block):
    _, made = c.decode_block(block)
    return [tuple(column.get(row) for column in made) for row in range(len(made[0]))]


def same_rows(found, expected):
    every = lambda blocks: sorted((repr(row) for block in blocks for row in rows_of(block)))
    assert every(found) == every(expected)


def make_normal(talk, name, recording):
    fields, made = recorded_columns(recording)
    talk.must("query", sql=f"CREATE TABLE `{name}` ({', '.join(declared(field) for field in fields)})")
    insert(talk, name, fields, made)


def row_of(column, field, row):
    one = c.Column(field)
    one.append(column.get(row))
    return one


def make_children(talk, stable, fields, made_of, tags, names, values):
    """Child tables with tags; those without rows are made by a row that goes again."""
    talk.must("query", sql=f"CREATE STABLE `{stable}` ({', '.join(declared(field) for field in fields)}) TAGS "
                           f"({', '.join(declared(tag) for tag in tags)})")
    for number, name in enumerate(names):
        own = [row_of(column, tag, number) for tag, column in zip(tags, values)]
        made = made_of(name)
        if made is not None:
            insert(talk, name, fields, made, stable, tags, own)
            continue
        one = [c.Column(field) for field in fields]
        one[0].append(struct.pack("<q", 1704067200000))
        for column in one[1:]:
            column.append(None)
        insert(talk, name, fields, one, stable, tags, own)
        talk.must("query", sql=f"DELETE FROM `{name}` WHERE `{fields[0].name}` = 1704067200000")


def text_column(field, cells):
    column = c.Column(field)
    for cell in cells:
        column.append(cell)
    return column


def rows_by_name(recording, at, skip):
    """Of a recording of a super table: for each table the columns, without the name and others."""
    fields, made = recorded_columns(recording)
    keep = [index for index in range(len(fields)) if index != at and index not in skip]
    tables = {}
    for row in range(len(made[0])):
        name = made[at].get(row).decode()
        if name not in tables:
            tables[name] = [c.Column(fields[index]) for index in keep]
        for column, index in zip(tables[name], keep):
            column.append(made[index].get(row))
    return [fields[index] for index in keep], tables


@pytest.fixture(scope="module")
def gold(url):
    """The tables of the recorded queries, filled with the recorded rows."""
    talk = Talk(url)
    talk.must("conn", user="root", password="taosdata")
    for precision in ("ms", "us", "ns"):
        talk.must("query", sql=f"CREATE DATABASE gold_{precision} PRECISION '{precision}' VGROUPS 1 KEEP 365000d"
                  if precision != "ns" else "CREATE DATABASE gold_ns PRECISION 'ns' VGROUPS 1 KEEP 106000d")
        talk.must("query", sql=f"USE gold_{precision}")
        make_normal(talk, "times", f"{precision}_timestamp")
        if precision != "ms":
            make_normal(talk, "a1", f"{precision}_all_types")
    talk.must("query", sql="USE gold_ms")
    for path in sorted((GOLDEN / "blocks").glob("*.json")):
        words = load(path.stem).get("sql", "").split()
        if words[:3] == ["SELECT", "ts,", "v"] and len(words) == 5 and words[4].startswith("gold_ms.") and \
                words[4] != "gold_ms.times" or path.stem in ("ms_decimal", "ms_decimal64"):
            make_normal(talk, words[-1].split(".")[1], path.stem)
    make_normal(talk, "many", "seq_many")
    talk.must("query", sql="CREATE TABLE empty (ts TIMESTAMP, v INT)")
    fields, rows = recorded_columns("ms_all_types")
    tags, values = recorded_columns("ms_select_tags")
    names = [values[0].get(row).decode() for row in range(3)]
    make_children(talk, "allt", fields, lambda name: rows if name == "a1" else None, tags[1:], names, values[1:])
    own, tables = rows_by_name("ms_json_tag", 0, (3,))
    told = {row[0]: row[3] for row in load("ms_json_tag")["rows"]}
    tag = c.Field("j", c.JSON, 4095)
    make_children(talk, "jst", own, tables.get, [tag], list(tables),
                  [text_column(tag, [told[name] and told[name].encode() for name in tables])])
    talk.must("query", sql="CREATE DATABASE gold_seq VGROUPS 1 KEEP 36500d")
    talk.must("query", sql="USE gold_seq")
    own, tables = rows_by_name("seq_partition", 3, ())
    tag = c.Field("g", c.INT, 4)
    make_children(talk, "st", own, tables.get, [tag], list(tables), [text_column(tag, [bytes(4)] * len(tables))])
    return talk


BLOCKS = sorted(path.stem for path in (GOLDEN / "blocks").glob("*.json"))


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in BLOCKS_LEFT_OUT])
def test_recorded_query(gold, name):
    told = load(name)
    answer, found = gold.blocks(told["sql"])
    expected = [without_null_bytes(block) for block in recorded_blocks(told)]
    assert [(column["name"], column["type"], column["bytes"], column["precision"], column["scale"])
            for column in told["columns"]] == \
        list(zip(*(answer[key] for key in ("fields_names", "fields_types", "fields_lengths", "fields_precisions",
                                           "fields_scales"))))
    assert answer["precision"] == told["precision"]
    found = [without_null_bytes(block) for block in found]
    if name in FREE:
        same_rows(found, expected)
    else:
        assert found == expected


def test_blocks_of_a_partition_hold_one_table(gold):
    """File set by file set, each table at most 1024 rows a block. (Table d stood in another vgroup, not yet in files.)"""
    _, found = gold.blocks(load("seq_partition")["sql"])
    expected = recorded_blocks(load("seq_partition"))
    others = lambda blocks: [without_null_bytes(block) for block in blocks if rows_of(block)[0][3] != b"d"]
    assert others(found) == others(expected)
    assert len({block[20:28] for block in found}) == 3


# --- Conversations --------------------------------------------------------------------------------

WS1 = ["CREATE DATABASE ws1 VGROUPS 1 KEEP 3650d", "CREATE STABLE ws1.st (ts TIMESTAMP, v INT, s VARCHAR(8)) "
       "TAGS (g INT, n NCHAR(8))",
       "INSERT INTO ws1.`c 1` USING ws1.st TAGS (1, 'x') VALUES (1704067200000, 1, 'a')(1704067200001, NULL, NULL)",
       "INSERT INTO ws1.c2 USING ws1.st TAGS (2, NULL) VALUES (1704067200000, 2, '')",
       "INSERT INTO ws1.c3 USING ws1.st TAGS (3, 'x') VALUES " +
       "".join(f"({1704067200000 + row}, {row}, 'r{row}')" for row in range(40))]
WRITTEN = WS1 + [f"CREATE TABLE ws1.{name} (ts TIMESTAMP, v INT, s VARCHAR(8))" for name in ("r1", "r2", "r3", "r4", "r5")] + \
    [f"CREATE TABLE ws1.q{number} (ts TIMESTAMP, a INT, b INT)" for number in range(4)] + \
    ["INSERT INTO ws1.q0 VALUES (1704067200000, 1, 20)(1704067200001, 2, NULL)"]
LIMITS = WS1 + ["CREATE TABLE ws1.l_a (ts TIMESTAMP, v INT, s VARCHAR(2))", "CREATE TABLE ws1.l_b (ts TIMESTAMP, v BIGINT, "
                "s VARCHAR(8))", "CREATE TABLE ws1.l_c (ts TIMESTAMP, v INT)", "CREATE TABLE ws1.l_d (ts TIMESTAMP, v INT, "
                "s VARCHAR(8), x INT)", "CREATE TABLE ws1.l_e (ts TIMESTAMP, v INT)", "CREATE TABLE ws1.l_f (ts TIMESTAMP, "
                "v INT)", "CREATE TABLE ws1.l_h (ts TIMESTAMP, d DECIMAL(10,4))", "CREATE TABLE ws1.l_i (ts TIMESTAMP, "
                "v INT)", "CREATE DATABASE lus VGROUPS 1 PRECISION 'us' KEEP 36500d", "CREATE TABLE lus.t (ts TIMESTAMP, "
                "v INT, s VARCHAR(8))"]
TALKS = {
    "conn_ok": WS1, "conn_refused": WS1, "free_result": WS1, "binary_query_multi_block": WS1, "insert_query": WS1,
    "query_errors": WS1, "query_fetch_json_style": WS1, "pipelined_requests": WS1, "stmt2_errors": WS1,
    "stmt2_super_table": WS1, "write_raw_block": WRITTEN, "write_raw_block_limits": LIMITS,
    "write_all_types_raw": ["CREATE DATABASE wrt VGROUPS 1 KEEP 36500d"],
}


def lines(name):
    return [json.loads(line) for line in (GOLDEN / "ws" / f"{name}.jsonl").read_text().splitlines()]


def turns(name):
    """What was sent, then what was answered: without what happened beside."""
    sent, answered = [], []
    for line in lines(name):
        if line["kind"] not in ("text", "binary", "close") or line["dir"] == "note":
            continue
        if line["dir"] == "c2s" and answered:
            yield sent, answered
            sent, answered = [], []
        (sent if line["dir"] == "c2s" else answered).append(line)
    yield sent, answered


def plain_text(text):
    """An answer without what differs from run to run."""
    answer = json.loads(text)
    for key in ("timing", "version", "info"):
        if key in answer:
            answer[key] = type(answer[key])()
    return answer


def plain_reply(data):
    """A binary reply: head without times and request, and block."""
    if data[:8] != b"\xff" * 8:
        return "fetch_block", data[8:16], without_null_bytes(data[16:])
    [size] = struct.unpack_from("<I", data, 38)
    block = data[55 + size:]
    return data[:18], data[26:51 + size], without_null_bytes(block) if block else b""


@pytest.mark.parametrize("name", TALKS)
def test_recorded_conversation(name):
    process = start()
    try:
        prepare = Talk(process.url)
        prepare.must("conn", user="root", password="taosdata")
        for statement in TALKS[name]:
            prepare.must("query", sql=statement)
        if name == "write_all_types_raw":
            fields = [field for field in recorded_columns("ms_all_types")[0] if field.type != c.BLOB]
            prepare.must("query", sql=f"CREATE TABLE wrt.a1 ({', '.join(declared(field) for field in fields)})")
        replay(process.url, name)
    finally:
        stop(process)


def replay(url, name):
    talk = Talk(url)
    for sent, answered in turns(name):
        for line in sent:
            if line["kind"] == "close":
                talk = Talk(url)  # what follows, if anything does, was another connection
                continue
            talk.send(line["kind"] == "text", line["text"].encode() if line["kind"] == "text" else
                      bytes.fromhex(line["hex"]))
        found = [talk.receive() for _ in answered]
        assert None not in found, (sent, answered)
        texts = [plain_text(data) for is_text, data in found if is_text]
        expected = [plain_text(line["text"]) for line in answered if line["kind"] == "text"]
        if name in FREE:
            # Answers may come in any order; what is told of a list's order and number is not compared.
            expected = [dict(one, id=0) for one in expected]
            texts = [dict(one, id=0) for one in texts]
            order = lambda one: one["req_id"]
            assert sorted(texts, key=order) == sorted(expected, key=order), sent
        else:
            assert texts == expected, sent
        replies = [plain_reply(data) for is_text, data in found if not is_text]
        wanted = [plain_reply(bytes.fromhex(line["hex"])) for line in answered if line["kind"] == "binary"]
        assert [reply[:2] for reply in replies] == [reply[:2] for reply in wanted], sent
        for reply, want in zip(replies, wanted):
            if name in FREE and want[2]:
                same_rows([reply[2]], [want[2]])
            else:
                assert reply[2] == want[2], sent


# --- Topics ---------------------------------------------------------------------------------------

ONE = "CREATE DATABASE {0} VGROUPS 1 KEEP 3650d"
TOPIC_TALKS = {
    "tmq_errors": [ONE.format("tmq1"), "CREATE TABLE tmq1.nt (ts TIMESTAMP, v INT, b BINARY(10))",
                   "INSERT INTO tmq1.nt VALUES (1704067200000, 1, 'x')", "CREATE TOPIC tm_all WITH META AS DATABASE tmq1"],
    "tmq_set_tag_loss": [ONE.format("tmql"), "CREATE STABLE tmql.st (ts TIMESTAMP, v INT) TAGS (g INT)",
                         "CREATE TABLE tmql.c1 USING tmql.st TAGS (1)", "CREATE TABLE tmql.c2 USING tmql.st TAGS (2)",
                         "INSERT INTO tmql.c1 VALUES (1704067200000, 1)",
                         "CREATE TOPIC tl_db WITH META AS DATABASE tmql"],
    "tmq_wal_gap": [ONE.format("tmqw"), "CREATE TABLE tmqw.t (ts TIMESTAMP, v INT, s VARCHAR(100))"] +
    [f"INSERT INTO tmqw.t VALUES ({1704067200000 + row}, {row}, 'x')" for row in range(5)] +
    ["CREATE TOPIC tw WITH META AS DATABASE tmqw"],
}
# Where what follows is not asked again: topics of one super table and of a query; a log of which what stands in between
# was not recorded (tests/system/test_tdengine_topic.py makes a gap).
TOPIC_ENDS = {"tmq_set_tag_loss": "group g3 on the super table topic", "tmq_wal_gap": "120 rows more"}


def topic_turns(name):
    """Each request for which answers were kept, and its answers; statements that were run beside are (None, text)."""
    sent, answered = None, []
    for line in lines(name):
        if line["dir"] == "note" and line["text"].startswith(TOPIC_ENDS.get(name, "no such note")):
            break
        if line["dir"] == "s2c" and line["kind"] in ("text", "binary", "nothing"):
            answered.append(line)
            continue
        if sent is not None:
            yield sent, answered
        sent, answered = None, []
        if line["dir"] == "c2s" or line["kind"] == "sql":
            sent = line
    if sent is not None:
        yield sent, answered


class Alike:
    """Numbers that a server chooses, in the order in which they come."""

    def __init__(self):
        self.messages, self.vgroups = {}, {}

    def request(self, text):
        request = json.loads(text)
        args = request["args"]
        if args.get("message_id"):
            args["message_id"] = self.messages.get(args["message_id"], 4711)
        for one in [args] + args.get("topic_vgroup_ids", []):
            if "vgroup_id" in one:
                one["vgroup_id"] = self.vgroups[one["vgroup_id"]]
        return json.dumps(request).encode()

    def same(self, name, found, wanted):
        found, wanted = plain_text(found), plain_text(wanted)
        if wanted.get("have_message") and found.get("have_message"):
            self.messages[wanted["message_id"]] = found["message_id"]
            self.vgroups[wanted["vgroup_id"]] = found["vgroup_id"]
        if name == "tmq_errors":
            wanted.pop("offset", None), found.pop("offset", None)
        for answer in (found, wanted):
            answer.pop("message_id", None)
            answer.pop("vgroup_id", None)
            for one in answer.get("assignment", []):
                # What the server counted when it was recorded; a consumer's offset is compared where it reads.
                one.clear()
        assert found == wanted


@pytest.mark.parametrize("name", TOPIC_TALKS)
def test_recorded_consumer(name):
    process = start()
    try:
        beside = Talk(process.url)
        beside.must("conn", user="root", password="taosdata")
        for statement in TOPIC_TALKS[name]:
            beside.must("query", sql=statement)
        consume(process.url, name, beside)
    finally:
        stop(process)


def consume(url, name, beside):
    talk, alike = Talk(url, "/rest/tmq"), Alike()
    for sent, answered in topic_turns(name):
        if sent["kind"] == "sql":
            beside.must("query", sql=sent["text"])
        elif sent["kind"] == "close":
            talk = Talk(url, "/rest/tmq")
        elif "fetch_raw_data" not in sent["text"]:
            talk.send(True, alike.request(sent["text"]))
            for line in answered:
                if line["kind"] == "nothing":
                    continue
                is_text, data = talk.receive()
                while name == "tmq_errors" and is_text and json.loads(data).get("message_type") == 2:
                    # What was read before the rows was not recorded.
                    talk.send(True, alike.request(sent["text"]))
                    is_text, data = talk.receive()
                assert is_text == (line["kind"] == "text"), (sent, data)
                if is_text:
                    alike.same(name, data, line["text"])
                else:
                    # The time and the message's number are another's.
                    assert (data[8:16], without_null_bytes(data[24:])) == \
                        (bytes.fromhex(line["hex"])[8:16], without_null_bytes(bytes.fromhex(line["hex"])[24:]))


TOLD = ["CREATE DATABASE tmq1 VGROUPS 2 KEEP 3650d",
        "CREATE STABLE tmq1.st (ts TIMESTAMP, v INT, s VARCHAR(8)) TAGS (g INT, n NCHAR(8))",
        "CREATE TABLE tmq1.c1 USING tmq1.st TAGS (1, 'é😀')", "CREATE TABLE tmq1.`c 2` USING tmq1.st TAGS (NULL, NULL)",
        "INSERT INTO tmq1.`c 2` VALUES (1704067200000, 2, '')",
        "INSERT INTO tmq1.c1 VALUES (1704067200000, 1, 'a')(1704067200001, NULL, NULL)",
        "CREATE TABLE tmq1.nt (ts TIMESTAMP, v INT, b BINARY(10))", "INSERT INTO tmq1.nt VALUES (1704067200000, 1, 'x')",
        "CREATE TOPIC tm_all WITH META AS DATABASE tmq1"]


def in_order(told):
    return json.dumps(told, sort_keys=True)


def messages_until(recording, note):
    """What a recorded consumer was told up to a note: changes, and rows with their blocks. Changes of a super table come once for
    each vgroup, and what one poll did not bring the next one does: a set, without the order of vgroups."""
    found, fetched = set(), None
    for line in recording:
        if line["dir"] == "note" and line["text"].startswith(note):
            break
        if line["dir"] != "s2c":
            continue
        answer = json.loads(line["text"]) if line["kind"] == "text" else None
        if answer is None and fetched is not None and bytes.fromhex(line["hex"])[:8] != b"\xff" * 8:
            found.add((in_order(fetched), without_null_bytes(bytes.fromhex(line["hex"])[24:])))
            fetched = None
        elif answer is not None and answer["action"] == "fetch_json_meta":
            found.add(in_order(answer["data"]))
        elif answer is not None and answer["action"] == "fetch" and not answer["completed"]:
            fetched = {key: value for key, value in answer.items() if key not in ("req_id", "timing", "message_id")}
    return found


def messages_now(talk):
    """What is there to be read."""
    while (told := talk.ask("poll", blocking_time=500))["have_message"]:
        number = told["message_id"]
        if told["message_type"] == 2:
            yield in_order(talk.ask("fetch_json_meta", message_id=number)["data"])
            continue
        while not (fetched := talk.ask("fetch", message_id=number))["completed"]:
            talk.send(True, json.dumps({"action": "fetch_block", "args": {"req_id": 1, "message_id": number}}).encode())
            block = talk.receive()[1][24:]
            yield (in_order({key: value for key, value in fetched.items() if key not in ("req_id", "timing", "message_id")}),
                   without_null_bytes(block))


def test_recorded_changes():
    """Everything that a consumer of a database was told: each kind of change, and the rows between them."""
    end = "INSERT INTO tmq1.c1 VALUES (1704067200020"  # read by another connection
    process = start()
    try:
        beside, talk = Talk(process.url), Talk(process.url, "/rest/tmq")
        beside.must("conn", user="root", password="taosdata")
        for statement in TOLD:
            beside.must("query", sql=statement)
        [subscription] = [json.loads(line["text"])["args"] for line in lines("tmq_topic_with_meta")[:1]]
        talk.must("subscribe", **dict(subscription, req_id=1))
        found = set(messages_now(talk))
        for line in lines("tmq_topic_with_meta"):
            if line["kind"] == "sql" and line["text"].startswith(end):
                break
            if line["kind"] == "sql":
                beside.must("query", sql=line["text"])
                found.update(messages_now(talk))
    finally:
        stop(process)
    wanted = messages_until(lines("tmq_topic_with_meta"), end)
    assert len(wanted) > 30
    assert found == wanted


def test_a_block_with_a_blob_ends_the_connection(url):
    """A real gateway's process ends."""
    talk = Talk(url)
    talk.must("conn", user="root", password="taosdata")
    talk.must("query", sql="CREATE DATABASE wrb KEEP 36500d")
    talk.must("query", sql="USE wrb")
    talk.must("query", sql="CREATE TABLE b2 (ts TIMESTAMP, v BLOB)")
    [request] = [line for line in lines("write_raw_block_blob") if line["kind"] == "binary" and
                 line["dir"] == "c2s" and line["hex"][32:34] == "04"]
    talk.send(False, bytes.fromhex(request["hex"]))
    assert talk.receive() is None


def test_handshake(url):
    place = urllib.parse.urlparse(url)
    for line, answer in zip(lines("handshake"), lines("handshake")[1:]):
        # permessage-deflate is offered by nobody here: the stand-in does not agree to it.
        if line["dir"] != "c2s" or line["kind"] != "http" or "Extensions" in line["text"] or "/tmq" in line["text"]:
            continue
        with socket.create_connection((place.hostname, place.port), PATIENCE) as raw:
            raw.sendall(line["text"].encode())
            got = raw.makefile("rb").readline().decode().strip()
        assert got == answer["text"].split("\r\n")[0]


# --- REST -----------------------------------------------------------------------------------------

def rest(url, told):
    request = told["request"]
    place = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=PATIENCE)
    body = request.get("body")
    connection.request(request["method"], request["path"], body.encode() if body is not None else None,
                       {key: value for key, value in request["headers"].items() if key != "Content-Length"})
    reply = connection.getresponse()
    return reply.status, reply.getheader("Content-Type"), reply.read().decode("utf-8", "surrogateescape")


def without_timing(text):
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    if isinstance(answer, dict):
        answer.pop("timing", None)
    return answer


# These build on each other; the others stand alone.
ORDER = ["create_table", "table_exists", "insert", "insert_meta_obj", "drop_table"]
REST = sorted({path.stem for path in (GOLDEN / "rest").glob("*.json")} - set(ORDER) - set(REST_LEFT_OUT))


@pytest.fixture(scope="module")
def recorded(url, gold):
    """A server on which the recorded conversations can begin, whichever of them is the first to be asked for."""
    for statement in WS1:
        gold.must("query", sql=statement)
    return url


def compare_rest(url, name):
    told = json.loads((GOLDEN / "rest" / f"{name}.json").read_text())
    for one in told if isinstance(told, list) else told.get("requests", [told]):
        status, kind, body = rest(url, one)
        response = one["response"]
        assert status == response["status"], name
        assert without_timing(body) == without_timing(response.get("body_text", "")), name
        assert kind == response["headers"].get("Content-Type", kind), name


def test_recorded_rest_in_order(recorded):
    for name in ORDER:
        compare_rest(recorded, name)


@pytest.mark.parametrize("name", REST)
def test_recorded_rest(recorded, name):
    compare_rest(recorded, name)


@pytest.mark.parametrize("name", [*BLOCKS_LEFT_OUT, *TALKS_LEFT_OUT, *REST_LEFT_OUT])
def test_left_out(name):
    pytest.skip({**BLOCKS_LEFT_OUT, **TALKS_LEFT_OUT, **REST_LEFT_OUT}[name])


# --- Trouble --------------------------------------------------------------------------------------

def trouble(url, **settings):
    place = urllib.parse.urlparse(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=PATIENCE)
    connection.request("POST", "/standin/trouble", json.dumps(settings))
    assert connection.getresponse().status == 200


def test_trouble():
    process = start("--trouble", '{"refuse_login": true}')
    try:
        assert Talk(process.url).ask("conn", user="root", password="taosdata")["code"] == 855
        trouble(process.url)
        talk = Talk(process.url)
        talk.must("conn", user="root", password="taosdata")
        for statement in WS1:
            talk.must("query", sql=statement)
        trouble(process.url, refuse_rows=True)
        assert talk.ask("query", sql="INSERT INTO ws1.c2 VALUES (NOW, 1, '')")["code"] == 1547
        sql = "SELECT ts FROM ws1.st PARTITION BY tbname"
        trouble(process.url, error_after_blocks=1, times=1)
        result = talk.must("query", sql=sql)["id"]
        assert talk.fetch(result)[:2] == (0, 0)
        assert talk.fetch(result)[:2] == (24, 1)
        assert len(talk.blocks(sql)[1]) == 3
        trouble(process.url, cut_after_blocks=5)
        result = talk.must("query", sql=sql)["id"]
        assert talk.fetch(result)[0] == 0
        talk.send(False, struct.pack("<QQQH", 2, result, 7, 1))
        assert talk.receive() is None
    finally:
        stop(process)


def test_virtual_tables(url):
    """Statements and answers of a real server, from its recorded schema."""
    talk = Talk(url)
    talk.must("conn", user="root", password="taosdata")
    for sql in ("CREATE DATABASE gs_ms KEEP 36500d", "USE gs_ms", "CREATE TABLE src1 (ts TIMESTAMP, a INT, b DOUBLE)",
                "INSERT INTO src1 VALUES (1, 2, 3.5)",
                "CREATE STABLE gs_ms.vst (ts TIMESTAMP, a INT, b DOUBLE) TAGS (g INT) VIRTUAL 1",
                "CREATE VTABLE gs_ms.vc1 (src1.a, src1.b) USING gs_ms.vst TAGS (1)",
                "CREATE VTABLE gs_ms.vn1 (ts TIMESTAMP, x INT FROM src1.a, y DOUBLE FROM src1.b)"):
        talk.must("query", sql=sql)
    told = {"STABLE gs_ms.vst": "CREATE STABLE `vst` (`ts` TIMESTAMP, `a` INT, `b` DOUBLE) TAGS (`g` INT) VIRTUAL 1",
            "VTABLE gs_ms.vc1": "CREATE VTABLE `vc1` (`a` FROM `gs_ms`.`src1`.`a`, `b` FROM `gs_ms`.`src1`.`b`) "
                                "USING `vst` (`g`) TAGS (1)",
            "VTABLE gs_ms.vn1": "CREATE VTABLE `vn1` (`ts` TIMESTAMP, `x` INT FROM `gs_ms`.`src1`.`a`, "
                                "`y` DOUBLE FROM `gs_ms`.`src1`.`b`)"}
    for name, text in told.items():
        [block] = talk.blocks(f"SHOW CREATE {name}")[1]
        assert block.endswith(text.encode() + b"\0"), name
    for table in ("vc1", "vn1"):
        assert rows_of(talk.blocks(f"SELECT * FROM gs_ms.{table}")[1][0]) == \
            rows_of(talk.blocks("SELECT * FROM gs_ms.src1")[1][0])
    kinds = b"".join(talk.blocks("SELECT table_name, `type` FROM information_schema.ins_tables WHERE db_name = 'gs_ms'")[1])
    assert b"VIRTUAL_CHILD_TABLE" in kinds and b"VIRTUAL_NORMAL_TABLE" in kinds
    # Refused by a community server, and by one without a stream node.
    for sql, code in (("CREATE VIEW gs_ms.v AS SELECT a FROM gs_ms.src1", 256), ("CREATE STREAM s INTO x AS SELECT 1", 1068),
                      ("CREATE TSMA t ON gs_ms.st FUNCTION (avg(a)) INTERVAL(1h)", 9728)):
        assert talk.ask("query", sql=sql)["code"] == code


def test_what_is_not_known_is_an_error(url):
    talk = Talk(url)
    talk.must("conn", user="root", password="taosdata")
    for sql in ("SELECT avg(v) FROM ws1.st", "SELECT v + 1 FROM ws1.c2", "SHOW TABLE DISTRIBUTED ws1.st", "KILL QUERY 1",
                "SELECT * FROM ws1.st JOIN ws1.st", "SELECT * FROM information_schema.ins_nosuch", "COMPACT DATABASE ws1",
                "SELECT count(*) FROM ws1.st GROUP BY v", "CREATE STREAM s", "SELECT 1; SELECT 2 FROM"):
        assert talk.ask("query", sql=sql)["code"] != 0 or sql.startswith("SELECT 1;"), sql


@pytest.mark.parametrize("settings, timeout, statuses", [
    ({"cut_after_blocks": 3, "times": 1}, "60s", (0,)), ({"cut_after_blocks": 0}, "2s", (1, 5)),
    ({"error_after_blocks": 3}, "2s", (1, 5)), ({"refuse_login": True}, "60s", (1,))])
def test_a_backup_in_trouble(tmp_path, settings, timeout, statuses):
    """A backup that goes through is whole; one that does not leaves none."""
    process = start()
    try:
        talk = Talk(process.url)
        talk.must("conn", user="root", password="taosdata")
        for statement in WS1:
            talk.must("query", sql=statement)

        class Server:
            url = process.url

        holdfast = tdserver.Holdfast(tmp_path, Server, pgcluster.PROGRAM, f"timeout = {timeout}\n")
        trouble(process.url, **settings)
        done = subprocess.run([pgcluster.PROGRAM, "backup", "tdengine", "full", "--config", str(holdfast.config)],
                              capture_output=True, timeout=120)
        assert done.returncode in statuses, done
        listed = json.loads(holdfast.run("list", "backups", "--json").stdout)
        assert [one["rows"] for one in listed] == ([43] if done.returncode == 0 else [])
    finally:
        stop(process)
