# SPDX-License-Identifier: Apache-2.0
"""Rows that no SQL literal can say (NaN, infinities, -0.0, denormals, NUL bytes), written into a TDengine server as
raw column blocks over WebSocket: a client of the tests' own, so that nothing of Holdfast's has a hand in it."""
import base64
import json
import os
import socket
import struct
import urllib.parse

FIXED = {"BOOL": (1, "<b"), "TINYINT": (2, "<b"), "SMALLINT": (3, "<h"), "INT": (4, "<i"), "BIGINT": (5, "<q"),
         "FLOAT": (6, None), "DOUBLE": (7, None), "TIMESTAMP": (9, "<q"), "TINYINT UNSIGNED": (11, "<B"),
         "SMALLINT UNSIGNED": (12, "<H"), "INT UNSIGNED": (13, "<I"), "BIGINT UNSIGNED": (14, "<Q")}
WIDTH = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 4, 7: 8, 9: 8, 11: 1, 12: 2, 13: 4, 14: 8, 17: 16, 21: 8}
VARIABLE = {"VARCHAR": 8, "NCHAR": 10, "VARBINARY": 16}


def column(kind, values, length=0, precision=0, scale=0):
    """One column: (type, schema bytes, data length, bytes). FLOAT, DOUBLE and DECIMAL values are bytes already."""
    rows = len(values)
    if kind in VARIABLE:
        number, data, offsets = VARIABLE[kind], b"", []
        for value in values:
            offsets.append(-1 if value is None else len(data))
            if value is not None:
                data += struct.pack("<H", len(value)) + value
        schema = length * 4 + 2 if kind == "NCHAR" else length + 2
        return number, schema, len(data), struct.pack(f"<{rows}i", *offsets) + data
    if kind == "DECIMAL":
        number = 17 if precision > 18 else 21
        schema = WIDTH[number] << 24 | precision << 8 | scale
    else:
        number = FIXED[kind][0]
        schema = WIDTH[number]
    width = WIDTH[number]
    bitmap, data = bytearray((rows + 7) // 8), b""
    for row, value in enumerate(values):
        if value is None:
            bitmap[row // 8] |= 0x80 >> row % 8
            data += b"\xee" * width  # the bytes of a NULL mean nothing
        else:
            data += value if isinstance(value, bytes) else struct.pack(FIXED[kind][1], value)
    return number, schema, len(data), bytes(bitmap) + data


def block(columns, rows):
    body = b"".join(struct.pack("<bi", number, schema) for number, schema, _, _ in columns)
    body += b"".join(struct.pack("<i", length) for _, _, length, _ in columns)
    body += b"".join(data for *_, data in columns) + b"\0"
    return struct.pack("<iiiiIQ", 1, 28 + len(body), rows, len(columns), 0x80000000, 0) + body


class Socket:
    def __init__(self, url, database):
        place = urllib.parse.urlparse(url)
        self.socket = socket.create_connection((place.hostname, place.port), 30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /ws HTTP/1.1\r\nHost: {place.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        self.buffer = self.buffer.split(b"\r\n\r\n", 1)[1]
        self.send(1, json.dumps({"action": "conn", "args": {"req_id": 1, "user": "root", "password": "taosdata",
                                                            "db": database}}).encode())
        self.check()

    def send(self, opcode, payload):
        length = len(payload)
        head = bytes([0x80 | opcode]) + (bytes([0x80 | length]) if length < 126 else
                                         b"\xfe" + struct.pack(">H", length) if length < 65536 else
                                         b"\xff" + struct.pack(">Q", length))
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def take(self, count):
        while len(self.buffer) < count:
            self.buffer += self.socket.recv(65536)
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def check(self):
        _, length = self.take(2)
        length = struct.unpack(">H", self.take(2))[0] if length == 126 else length
        answer = json.loads(self.take(length))
        assert answer["code"] == 0, answer

    def write(self, table, columns, rows):
        name = table.encode()
        self.send(2, struct.pack("<QQQiH", 2, 0, 4, rows, len(name)) + name + block(columns, rows))
        self.check()

    def close(self):
        self.socket.close()
