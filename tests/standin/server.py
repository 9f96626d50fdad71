#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a TDengine server and its gateway, for tests and the demo on machines that have none.

usage: server.py [--port N] [--trouble JSON]

It keeps rows in memory, executes the statements that Holdfast and its tests send, and refuses every other one. Its
first line on standard output is its URL; it ends with its standard input. POST /standin/trouble with a JSON object
makes it misbehave (see trouble.py); an empty object ends that. It is never installed.
"""
import argparse
import base64
import binascii
import gc
import hashlib
import json
import os
import socket
import socketserver
import struct
import sys
import threading
import time
import urllib.parse

import errors
import information
import statements
import values
from bind import GatewayEnds
from execute import execute
from gateway import Conversation, Cut
from query import Result
from topics import TopicConversation
from store import Store
from trouble import Trouble

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LARGEST = 256 << 20
USERS = {"root": "taosdata"}


class StandIn(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, port, trouble):
        super().__init__(("127.0.0.1", port), Connection)
        self.store, self.lock = Store(), threading.RLock()
        self.trouble = Trouble()
        self.set_trouble(trouble)

    def set_trouble(self, settings):
        self.trouble.set(settings)
        self.store.refuse_rows = bool(settings.get("refuse_rows"))
        self.store.lose_rows = bool(settings.get("lose_rows"))
        self.store.refuse_alter = settings.get("refuse_alter")
        self.store.old = bool(settings.get("old"))

    def login(self, user, word):
        if not user:
            raise errors.ServerError(519, "Invalid user name")
        if user not in USERS:
            raise errors.ServerError(849, "Invalid user")
        if USERS[user] != word or self.trouble.get("refuse_login"):
            raise errors.ServerError(855, "Authentication failure")

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Connection(socketserver.StreamRequestHandler):
    """One TCP connection: HTTP requests, or a WebSocket after the first."""

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        while self.one_request():
            pass

    def one_request(self):
        line = self.rfile.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return False
        headers = {}
        while (head := self.rfile.readline(65536).decode("latin-1").strip()):
            name, _, value = head.partition(":")
            headers[name.strip().lower()] = value.strip()
        method, path = line[0], urllib.parse.urlsplit(line[1])
        if path.path in ("/ws", "/rest/ws", "/rest/tmq"):
            if "token" in urllib.parse.parse_qs(path.query) and self.server.trouble.get("refuse_token"):
                self.plain(401, "Unauthorized", "")
            elif headers.get("upgrade", "").lower() == "websocket":
                self.web_socket(headers, TopicConversation if path.path == "/rest/tmq" else Conversation)
            else:
                self.plain(400, "Bad Request", "Bad Request\n", "text/plain; charset=utf-8", "Sec-Websocket-Version: 13")
            return False
        body = self.rfile.read(int(headers.get("content-length", "0")))
        if method == "POST" and path.path == "/standin/trouble":
            self.set_trouble(body)
        elif method == "POST" and path.path.split("/")[1:3] == ["rest", "sql"]:
            Rest(self, path, headers, body).answer()
        else:
            self.plain(404, "Not Found", "404 page not found", "text/plain")
            return False
        return headers.get("connection", "").lower() != "close"

    def plain(self, status, reason, text, kind="application/json; charset=utf-8", *more):
        body = text.encode("utf-8", "surrogateescape")
        head = [f"HTTP/1.1 {status} {reason}", f"Content-Type: {kind}", *more, f"Content-Length: {len(body)}"]
        self.wfile.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)

    def set_trouble(self, body):
        try:
            self.server.set_trouble(json.loads(body or "{}"))
        except (ValueError, AttributeError) as problem:
            self.plain(400, "Bad Request", json.dumps({"error": str(problem)}))
            return
        self.plain(200, "OK", "{}")

    # --- WebSocket

    def web_socket(self, headers, kind_of_talk):
        key = headers.get("sec-websocket-key", "").encode()
        accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
        self.wfile.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        talk = kind_of_talk(self.server, lambda is_text, data: self.send_frame(TEXT if is_text else BINARY, data))
        try:
            while (message := self.receive()) is not None:
                kind, data = message
                if kind == TEXT:
                    talk.text(data)
                else:
                    talk.binary(data)
        except GatewayEnds:
            return
        except Cut as cut:
            whole = frame(BINARY, cut.args[0])
            self.wfile.write(whole[:len(whole) // 2])
        finally:
            talk.end()

    def send_frame(self, kind, data):
        self.wfile.write(frame(kind, data))

    def receive(self):
        """The next message, joined and unmasked; None at the end."""
        kind, parts = None, []
        while (received := self.receive_frame()) is not None:
            final, code, data = received
            if code == CLOSE:
                return None
            if code == PING:
                self.send_frame(PONG, data)
            elif code != PONG:
                kind = code or kind
                parts.append(data)
                if final:
                    return kind, b"".join(parts)
        return None

    def receive_frame(self):
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        length = head[1] & 0x7f
        if length == 126:
            [length] = struct.unpack(">H", self.rfile.read(2))
        elif length == 127:
            [length] = struct.unpack(">Q", self.rfile.read(8))
        if length > LARGEST or not head[1] & 0x80:
            return None
        mask = self.rfile.read(4)
        data = self.rfile.read(length)
        if len(data) < length:
            return None
        return head[0] & 0x80, head[0] & 15, unmask(data, mask)


def unmask(data, mask):
    if mask == b"\0\0\0\0":
        return data
    long_mask = (mask * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(long_mask, "big")).to_bytes(len(data), "big")


def frame(kind, data):
    if len(data) < 126:
        head = struct.pack(">BB", 0x80 | kind, len(data))
    elif len(data) < 65536:
        head = struct.pack(">BBH", 0x80 | kind, 126, len(data))
    else:
        head = struct.pack(">BBQ", 0x80 | kind, 127, len(data))
    return head + data


class Rest:
    """One request to /rest/sql."""

    def __init__(self, connection, path, headers, body):
        self.connection, self.server = connection, connection.server
        self.parts = [urllib.parse.unquote(part) for part in path.path.split("/")[3:]]
        self.query = urllib.parse.parse_qs(path.query)
        self.headers, self.body, self.begun = headers, body, time.perf_counter_ns()

    def refuse(self, code, text, status=200, reason="OK"):
        words = json.dumps(text, ensure_ascii=False)
        timing = time.perf_counter_ns() - self.begun
        self.connection.plain(status, reason, f'{{"code":{code},"desc":{words},"timing":{timing}}}')

    def credentials(self):
        """User and password, or None after a refusal."""
        header = self.headers.get("authorization")
        if header is None:
            self.refuse(4357, "no auth info input", 401, "Unauthorized")
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "basic":
            self.refuse(4386, "invalid type of Authorization", 401, "Unauthorized")
            return None
        try:
            user, _, word = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            self.refuse(4388, "invalid basic Authorization", 401, "Unauthorized")
            return None
        return user, word

    def answer(self):
        who = self.credentials()
        if who is None:
            return
        if not self.body:
            self.refuse(4358, "request is empty", 400, "Bad Request")
            return
        sql = self.body.decode("utf-8", "surrogateescape")
        if not sql.strip():
            self.refuse(4359, "no sql input", 400, "Bad Request")
            return
        try:
            with self.server.lock:
                self.server.login(*who)
                database = self.parts[0] if self.parts and self.parts[0] else None
                answer = execute(statements.Session(self.server.store, database), sql)
                text = self.rows(answer) if isinstance(answer, Result) else self.affected(answer)
        except errors.ServerError as problem:
            self.refuse(problem.code, problem.text)
            return
        except values.Unfit:
            text = ""
        self.send_chunked(text)

    def affected(self, count):
        row = f'{{"affected_rows":{count}}}' if self.with_names() else f"[{count}]"
        return f'{{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[{row}],"rows":1}}'

    def with_names(self):
        return self.query.get("row_with_meta") == ["true"]

    def rows(self, result):
        meta = json.dumps([[field.name, field.type_text(), field.length] for field in result.fields],
                          separators=(",", ":"), ensure_ascii=False)
        rows = list(result.json_rows())
        if self.with_names():
            names = [json.dumps(field.name, ensure_ascii=False) for field in result.fields]
            data = ",".join("{" + ",".join(f"{name}:{value}" for name, value in zip(names, row)) + "}" for row in rows)
        else:
            data = ",".join("[" + ",".join(row) + "]" for row in rows)
        return f'{{"code":0,"column_meta":{meta},"data":[{data}],"rows":{len(rows)}}}'

    def send_chunked(self, text):
        body = text.encode("utf-8", "surrogateescape")
        if not body:
            self.connection.plain(200, "OK", "")
            return
        self.connection.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
                                    b"Transfer-Encoding: chunked\r\n\r\n" +
                                    b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))


def main():
    parser = argparse.ArgumentParser(description="A stand-in for TDengine, for tests.")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--trouble", type=json.loads, default={}, help="a JSON object: see trouble.py")
    options = parser.parse_args()
    gc.freeze()
    server = StandIn(options.port, options.trouble)
    print(f"ws://127.0.0.1:{server.server_address[1]}", flush=True)
    print(f"this is {information.ABOUT}; it calls itself {information.SERVER_VERSION}", file=sys.stderr, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while os.read(0, 4096):
        pass


if __name__ == "__main__":
    main()
