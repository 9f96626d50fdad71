# SPDX-License-Identifier: Apache-2.0
"""The WebSocket conversation at /ws: text requests and binary ones, as a real gateway answers them."""
import json
import os
import struct
import time

import bind
import errors
import information
import statements
from execute import execute
from query import Result

ALL_ONES = b"\xff" * 8
INFO = f"ver:{information.SERVER_VERSION}\nbuild:{information.ABOUT}\ngitinfo:none"
GATEWAY = 65535
BINARY = {4: "write_raw_block", 5: "write_raw_block_with_fields", 6: "binary_query", 7: "fetch_raw_block", 9: "stmt2_bind"}


class Cut(Exception):
    """The connection ends here, on demand."""


class Open:
    """A result that is being fetched."""

    def __init__(self, result):
        self.result, self.blocks, self.block, self.rows = result, result.blocks(), None, 0


class Conversation:
    """One connection. `send` takes (is_text, bytes)."""

    def __init__(self, server, send):
        self.server, self.send = server, send
        self.session = None
        self.results, self.statements = {}, {}
        self.last_result = self.last_statement = self.sent_blocks = 0
        self.begun = 0

    # --- answers

    def reply(self, action, request, code=0, message="", **more):
        answer = {"code": code, "message": message, "action": action, "req_id": request,
                  "timing": time.perf_counter_ns() - self.begun, **more}
        self.send(True, json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape"))

    def end(self):
        """The connection is gone."""

    def begin(self):
        self.begun = time.perf_counter_ns()
        if self.server.trouble.get("delay"):
            time.sleep(self.server.trouble.get("delay"))

    def text(self, data):
        """A text message."""
        self.begin()
        try:
            request = json.loads(data)
            action, args = request.get("action", ""), request.get("args") or {}
            number = args.get("req_id", 0)
        except (ValueError, AttributeError):
            self.reply("", 0, GATEWAY, "unmarshal request error")
            return
        if not action:
            self.reply("", number, GATEWAY, "request no action")
            return
        handler = getattr(self, "do_" + action, None)
        if handler is None:
            self.reply(action, number, GATEWAY, f"unknown action {action}")
        elif self.session is None and action not in ("conn", "version"):
            self.reply(action, number, GATEWAY, "server not connected")
        else:
            self.guard(action, number, lambda: handler(action, number, args))

    def guard(self, action, number, run, **more):
        try:
            with self.server.lock:
                run()
        except errors.ServerError as problem:
            self.reply(action, number, problem.code, problem.text, **more)
        except bind.GatewayError as problem:
            self.reply(action, number, GATEWAY, str(problem), **more)

    # --- connection

    def do_version(self, action, number, _):
        self.reply(action, number, version=information.SERVER_VERSION)

    def do_conn(self, action, number, args):
        if self.session is not None:
            raise bind.GatewayError("duplicate connections")
        self.server.login(args.get("user", ""), args.get("password", ""))
        database = args.get("db") or None
        if database is not None:
            database = self.server.store.database(database).name
        self.session = statements.Session(self.server.store, database)
        self.reply(action, number, version=information.SERVER_VERSION)

    def do_get_current_db(self, action, number, _):
        self.reply(action, number, db=self.session.database or "")

    def do_get_server_info(self, action, number, _):
        self.reply(action, number, info=INFO)

    def do_check_server_status(self, action, number, _):
        self.reply(action, number, status=2, details="")

    # --- queries

    def do_query(self, action, number, args):
        self.query(action, number, args.get("sql", ""))

    def query(self, action, number, sql):
        answer = execute(self.session, sql)
        if not isinstance(answer, Result):
            self.reply(action, number, id=0, is_update=True, affected_rows=answer, fields_count=0, fields_names=None,
                       fields_types=None, fields_lengths=None, precision=0, fields_precisions=None, fields_scales=None)
            return
        self.last_result += 1
        self.results[self.last_result] = Open(answer)
        fields = answer.fields
        self.reply(action, number, id=self.last_result, is_update=False, affected_rows=0, fields_count=len(fields),
                   fields_names=[field.name for field in fields], fields_types=[field.type for field in fields],
                   fields_lengths=[field.length for field in fields],
                   precision=("ms", "us", "ns").index(answer.precision),
                   fields_precisions=[field.precision for field in fields], fields_scales=[field.scale for field in fields])

    def find_result(self, number):
        if number not in self.results:
            raise bind.GatewayError("result is nil")
        return self.results[number]

    def do_fetch(self, action, number, args):
        result = args.get("id", 0)
        opened = self.find_result(result)
        opened.block = next(opened.blocks, None)
        if opened.block is None:
            del self.results[result]
            self.reply(action, number, id=result, completed=True, lengths=None, rows=0)
            return
        rows = struct.unpack_from("<i", opened.block, 8)[0]
        lengths = [field.length + 2 if field.type == 8 else field.block_bytes for field in opened.result.fields]
        self.reply(action, number, id=result, completed=False, lengths=lengths, rows=rows)

    def do_fetch_block(self, action, number, args):
        result = args.get("id", 0)
        opened = self.find_result(result)
        timing = struct.pack("<QQ", time.perf_counter_ns() - self.begun, result)
        self.send(False, timing + opened.block)

    def do_free_result(self, action, number, args):
        """Never answered."""
        self.results.pop(args.get("id"), None)

    def fetch_raw(self, number, result):
        """Action 7."""
        if result not in self.results:
            self.raw_reply(number, result, GATEWAY, "result is nil")
            return
        if self.server.trouble.due("error_after_blocks", self.sent_blocks):
            del self.results[result]
            self.raw_reply(number, result, self.server.trouble.get("error_code", 24), "Conn is broken")
            return
        self.end_when_due("end_after_blocks")
        block = next(self.results[result].blocks, None)
        if block is None:
            del self.results[result]
        else:
            self.sent_blocks += 1
            self.server.trouble.count("end_after_blocks")
        cut = block is not None and self.server.trouble.due("cut_after_blocks", self.sent_blocks - 1)
        self.raw_reply(number, result, block=block, cut=cut)

    def raw_reply(self, number, result, code=0, message="", block=None, cut=False):
        text = message.encode()
        head = (ALL_ONES + struct.pack("<QHQQII", 7, 1, time.perf_counter_ns() - self.begun, number, code, len(text)) +
                text + struct.pack("<QB", result, block is None))
        if block is not None:
            head += struct.pack("<I", len(block)) + block
        if cut:
            raise Cut(head)
        self.send(False, head)

    # --- prepared statements

    def do_stmt2_init(self, action, number, _):
        self.last_statement += 1
        self.statements[self.last_statement] = bind.Statement()
        self.reply(action, number, stmt_id=self.last_statement)

    def with_statement(self, action, number, statement, run):
        """Runs with a statement; errors name it too."""
        def guarded():
            if statement not in self.statements:
                raise bind.GatewayError("stmt2 is nil")
            run(self.statements[statement])
        self.guard(action, number, guarded, stmt_id=statement)

    def do_stmt2_prepare(self, action, number, args):
        def run(statement):
            fields = statement.prepare(self.session, args.get("sql", ""), bool(args.get("get_fields")))
            self.reply(action, number, stmt_id=args["stmt_id"], is_insert=True, fields=fields,
                       fields_count=len(fields or ()))
        self.with_statement(action, number, args.get("stmt_id", 0), run)

    def end_when_due(self, name):
        if self.server.trouble.due(name, self.server.trouble.counted(name)):
            os._exit(0)

    def do_stmt2_exec(self, action, number, args):
        self.end_when_due("end_after_writes")
        self.server.trouble.count("end_after_writes")
        def run(statement):
            self.reply(action, number, stmt_id=args["stmt_id"], affected=statement.execute())
        self.with_statement(action, number, args.get("stmt_id", 0), run)

    def do_stmt2_close(self, action, number, args):
        def run(_):
            del self.statements[args["stmt_id"]]
            self.reply(action, number, stmt_id=args["stmt_id"])
        self.with_statement(action, number, args.get("stmt_id", 0), run)

    # --- binary requests

    def binary(self, data):
        self.begin()
        if len(data) < 24:
            return
        number, resource, action = struct.unpack_from("<QQQ", data)
        name = BINARY.get(action)
        if name is None:
            self.reply("unknown", number, GATEWAY, f"unknown binary action {action}")
        elif self.session is None:
            self.reply(name, number, GATEWAY, "server not connected")
        elif action == 9:
            self.stmt2_bind(number, resource, data[24:])
        else:
            self.guard(name, number, lambda: self.plain_binary(action, name, number, resource, data[24:]))

    def plain_binary(self, action, name, number, resource, data):
        if action == 6:
            self.binary_query(name, number, data)
        elif action == 7:
            if data[:2] != b"\1\0":
                raise bind.GatewayError("unknown fetch raw block version")
            self.fetch_raw(number, resource)
        else:
            bind.write_block(self.session, data, action == 5)
            self.reply(name, number)

    def binary_query(self, name, number, data):
        if len(data) <= 6:
            raise bind.GatewayError("message length is too short")
        version, length = struct.unpack_from("<HI", data)
        if version != 1:
            raise bind.GatewayError(f"unknown binary query version:{version}")
        if length > len(data) - 6:
            raise bind.GatewayError(f"uncompleted message, sql length:{length}, remainMessageLength:{len(data) - 6}")
        self.query(name, number, data[6:6 + length].decode("utf-8", "surrogateescape"))

    def stmt2_bind(self, number, resource, data):
        def run(statement):
            if data[:2] != b"\1\0":
                raise bind.GatewayError("unknown stmt2 bind version")
            statement.bind(self.session, data[6:])
            self.reply("stmt2_bind", number, stmt_id=resource)
        self.with_statement("stmt2_bind", number, resource, run)
