#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The TDengine server of the demo, and its made-up market.

usage: tdengine.py serve          starts a server, prints its URL and what it is on two lines; ends with its input
       tdengine.py fill URL       makes the database market_data and fills it
       tdengine.py sql URL SQL    runs a statement and prints its rows

The server is a private taosd with its gateway where both are on the PATH, else the stand-in of the tests.
"""
import array
import base64
import itertools
import json
import os
import pathlib
import random
import signal
import socket
import struct
import sys
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "system"))

import tdserver  # noqa: E402

INSTRUMENTS = 2000
SECOND = 1000
START = 1_790_000_000_000  # 2026-09-21, in milliseconds
TIMESTAMP, INT, BIGINT, DOUBLE, NCHAR, VARCHAR = 9, 4, 5, 7, 10, 8
STEPS = [(value > 85) + (value > 170) + (value > 250) - 1 - (value < 5) for value in range(256)]
EXCHANGES = ("XNYS", "XNAS", "XETR", "XTKS")


def serve():
    server = tdserver.Server()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        print(server.url)
        print("a TDengine server of its own" if server.real else
              "the stand-in of the tests, for there is no taosd with taosadapter on the PATH", flush=True)
        while os.read(0, 4096):
            pass
    finally:
        server.remove()


def sql(url, statement):
    request = urllib.request.Request(f"{url}/rest/sql", data=statement.encode())
    request.add_header("Authorization", "Basic " + base64.b64encode(b"root:taosdata").decode())
    with urllib.request.urlopen(request, timeout=120) as reply:
        answer = json.loads(reply.read())
    if answer["code"] != 0:
        sys.exit(f"tdengine.py: {answer.get('desc')}: {statement[:200]}")
    return answer


def show(answer):
    names = [column[0] for column in answer["column_meta"]]
    rows = [names] + [["" if value is None else str(value) for value in row] for row in answer["data"]]
    widths = [max(len(row[at]) for row in rows) for at in range(len(names))]
    for row in rows:
        print("  ".join(value.rjust(width) for value, width in zip(row, widths)).rstrip())


class Writer:
    """Rows through prepared statements (stmt2): many tables a message."""

    def __init__(self, url, database, statement):
        place = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((place.hostname, place.port), 120)
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /ws HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        while self.file.readline().strip():
            pass
        self.ask("conn", user="root", password="taosdata", db=database)
        self.statement = self.ask("stmt2_init", single_stb_insert=True, single_table_bind_once=True)["stmt_id"]
        self.ask("stmt2_prepare", stmt_id=self.statement, sql=statement, get_fields=False)

    def send(self, opcode, data):
        size = len(data)
        head = bytes([0x80 | opcode]) + (bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
                                         if size < 65536 else b"\xff" + struct.pack(">Q", size))
        # A mask of zeros leaves the bytes as they are.
        self.socket.sendall(head + bytes(4) + data)

    def answer(self):
        _, size = self.file.read(2)
        if size >= 126:
            size = int.from_bytes(self.file.read(2 if size == 126 else 8), "big")
        answer = json.loads(self.file.read(size))
        if answer["code"] != 0:
            sys.exit(f"tdengine.py: {answer}")
        return answer

    def ask(self, action, **args):
        self.send(1, json.dumps({"action": action, "args": dict(args, req_id=1)}).encode())
        return self.answer()

    def write(self, tables):
        """`tables` is a list of (name, fields of the tags, fields of the columns)."""
        names = [name.encode() + b"\0" for name, _, _ in tables]
        head = b"".join(struct.pack("<H", len(name)) for name in names) + b"".join(names)
        tags = [b"".join(fields) for _, fields, _ in tables]
        rows = [b"".join(fields) for _, _, fields in tables]
        tags_part = b"".join(struct.pack("<I", len(part)) for part in tags) + b"".join(tags)
        rows_part = b"".join(struct.pack("<I", len(part)) for part in rows) + b"".join(rows)
        size = 28 + len(head) + len(tags_part) + len(rows_part)
        data = struct.pack("<7I", size, len(tables), len(tables[0][1]), len(tables[0][2]), 28, 28 + len(head),
                           28 + len(head) + len(tags_part)) + head + tags_part + rows_part
        self.send(2, struct.pack("<QQQHi", 2, self.statement, 9, 1, -1) + data)
        self.answer()
        self.ask("stmt2_exec", stmt_id=self.statement)


def field(kind, count, data, lengths=b""):
    body = struct.pack("<II", kind, count) + bytes(count) + bytes([bool(lengths)]) + lengths
    return struct.pack("<I", 8 + len(body) + len(data)) + body + struct.pack("<I", len(data)) + data


def fixed(kind, numbers):
    return field(kind, len(numbers), numbers.tobytes())


def text(kind, value):
    data = value.encode()
    return field(kind, 1, data, struct.pack("<I", len(data)))


def tags_of(number):
    return [text(NCHAR, f"INS{number:04}"), text(VARCHAR, EXCHANGES[number % len(EXCHANGES)])]


def walk(source, number, count):
    """A price that wanders, a cent or a few at a time."""
    cents = itertools.accumulate(map(STEPS.__getitem__, source.randbytes(count)), initial=2000 + number * 13)
    return array.array("d", [value / 100 for value in itertools.islice(cents, count)])


def volumes(source, kind, count):
    return array.array(kind, iter(source.randbytes(count)))


def fill(url):
    real = "standin" not in sql(url, "SELECT SERVER_VERSION()")["data"][0][0]
    ticks, bars = (2250, 250) if real else (150, 20)
    sql(url, "CREATE DATABASE market_data VGROUPS 2 KEEP 3650d DURATION 10d")
    sql(url, "CREATE STABLE market_data.ticks (ts TIMESTAMP, price DOUBLE, volume INT, trade BIGINT) "
             "TAGS (symbol NCHAR(12), exchange VARCHAR(8)) COMMENT 'every trade'")
    sql(url, "CREATE STABLE market_data.bars_1m (ts TIMESTAMP, open DOUBLE, high DOUBLE, low DOUBLE, close DOUBLE, "
             "volume BIGINT) TAGS (symbol NCHAR(12), exchange VARCHAR(8)) COMMENT 'bars of a minute'")
    source = random.Random(1)
    write_ticks(url, ticks, source)
    write_bars(url, bars, source)
    print(f"{INSTRUMENTS} instruments, {INSTRUMENTS * ticks} ticks, {INSTRUMENTS * bars} minute bars")


def write_ticks(url, count, source):
    times = fixed(TIMESTAMP, array.array("q", (START + row * 1700 for row in range(count))))
    trades = fixed(BIGINT, array.array("q", range(count)))
    writer = Writer(url, "market_data", "INSERT INTO ? USING ticks TAGS(?,?) VALUES(?,?,?,?)")
    for first in range(0, INSTRUMENTS, 50):
        writer.write([(f"tick_{number}", tags_of(number), [
            times, fixed(DOUBLE, walk(source, number, count)), fixed(INT, volumes(source, "i", count)), trades])
            for number in range(first, first + 50)])


def write_bars(url, count, source):
    times = fixed(TIMESTAMP, array.array("q", (START + row * 60 * SECOND for row in range(count))))
    writer = Writer(url, "market_data", "INSERT INTO ? USING bars_1m TAGS(?,?) VALUES(?,?,?,?,?,?)")
    for first in range(0, INSTRUMENTS, 100):
        tables = []
        for number in range(first, first + 100):
            close = walk(source, number, count)
            opened = array.array("d", [close[0], *close[:-1]])
            tables.append((f"bar_{number}", tags_of(number), [
                times, fixed(DOUBLE, opened), fixed(DOUBLE, array.array("d", map(max, opened, close))),
                fixed(DOUBLE, array.array("d", map(min, opened, close))), fixed(DOUBLE, close),
                fixed(BIGINT, volumes(source, "q", count))]))
        writer.write(tables)


def main(arguments):
    if arguments == ["serve"]:
        serve()
    elif len(arguments) == 2 and arguments[0] == "fill":
        fill(arguments[1])
    elif len(arguments) == 3 and arguments[0] == "sql":
        show(sql(arguments[1], arguments[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
