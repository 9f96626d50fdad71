# SPDX-License-Identifier: Apache-2.0
"""The WebSocket conversation at /rest/tmq: consumers of topics over a database's log of writes.

What a real server was recorded doing is done here too: subscribing and leaving move the versions of all vgroups; rows
of tables that were dropped do not come; a group that was there when a child table's tag was changed never gets that
table's rows again; a log that begins anew says nothing of it. Raw data and committing by offset are not there: Holdfast
does not ask for them.
"""
import json
import time

import errors
import information
from bind import GatewayError
from columns import encode_block
from gateway import GATEWAY, Conversation

NOTHING = -2147467247  # an offset of nothing committed, nothing read
EMPTY = {"have_message": False, "topic": "", "database": "", "vgroup_id": 0, "message_type": 0, "message_id": 0,
         "offset": 0}
ROWS, META = 1, 2


class Group:
    """What the server keeps of a consumer group."""

    def __init__(self):
        self.committed, self.lost, self.consumers = {}, set(), 0


class Message:
    def __init__(self, number, kind, vgroup, offset, content):
        self.number, self.kind, self.vgroup, self.offset, self.content = number, kind, vgroup, offset, content
        self.block = None


class TopicConversation(Conversation):
    """One consumer, which it becomes by subscribing."""

    def __init__(self, server, send):
        super().__init__(server, send)
        self.database = self.group = self.topic = self.message = None
        self.numbers, self.starts, self.next, self.fetch = 0, {}, {}, 0

    def text(self, data):
        self.begin()
        try:
            request = json.loads(data)
            action, args = request["action"], request["args"]
            number = args["req_id"]
        except (ValueError, KeyError, TypeError):
            return  # a real gateway does not answer either
        handler = getattr(self, "tmq_" + action, None)
        if action in ("version", "subscribe"):
            self.guard(action, number, lambda: handler(action, number, args))
        elif handler is not None and self.group is None:
            if action != "poll":
                more = {"message_id": args.get("message_id", 0)} if action.startswith("fetch") else {}
                self.reply(action, number, GATEWAY, "tmq not init", **more)
        elif handler is not None:
            more = {"message_id": args.get("message_id", 0)} if action.startswith("fetch") else {}
            self.guard(action, number, lambda: handler(action, number, args), **more)

    def binary(self, data):
        pass

    def end(self):
        """The connection is gone; a real server takes its consumer for alive a while longer."""
        with self.server.lock:
            if self.group is not None:
                self.leave()

    def leave(self):
        self.group.consumers -= 1
        self.database.touch_all()
        self.group = None

    # --- consumers

    def tmq_version(self, action, number, _):
        self.reply(action, number, version=information.SERVER_VERSION)

    def tmq_subscribe(self, action, number, args):
        if self.group is not None:
            raise GatewayError("tmq should have unsubscribed first")
        if args.get("config"):
            raise errors.ServerError(65534, "Unknown error 65534")
        if not args.get("group_id"):
            raise GatewayError("malloc tmq element failed or group is empty")
        try:
            self.server.login(args.get("user", ""), args.get("password", ""))
        except errors.ServerError:
            raise GatewayError("init tscObj failed") from None
        if self.server.trouble.get("refuse_consumers"):
            raise GatewayError("subscribe topic failed")
        [name] = args["topics"]
        store = self.server.store
        if name not in store.topics:
            raise errors.ServerError(993, "Topic not exist")
        self.topic, self.database = name, store.database(store.topics[name][0])
        self.group = store.groups.setdefault((name, args["group_id"]), Group())
        self.group.consumers += 1
        self.database.touch_all()
        latest = args.get("offset_reset") != "earliest"
        for vgroup, version in self.database.versions.items():
            start = version + 1 if latest else self.database.begins.get(vgroup, 0)
            self.starts[vgroup] = self.group.committed.get(vgroup, start)
            self.next[vgroup] = NOTHING
        self.reply(action, number, version=information.SERVER_VERSION)

    def tmq_unsubscribe(self, action, number, _):
        self.leave()
        self.reply(action, number)

    def tmq_list_topics(self, action, number, _):
        self.reply(action, number, topics=[self.topic])

    # --- messages

    def tmq_poll(self, action, number, _):
        for vgroup in sorted(self.database.versions):
            if self.read(vgroup):
                message = self.message
                self.reply(action, number, have_message=True, topic=self.topic, database=self.database.name,
                           vgroup_id=vgroup, message_type=message.kind, message_id=message.number, offset=message.offset)
                return
        time.sleep(0.01)
        self.reply(action, number, **EMPTY)

    def read(self, vgroup):
        """The next message of a vgroup: one of meta, or the rows up to the next one of meta."""
        at = self.starts[vgroup] if self.next[vgroup] < 0 else self.next[vgroup]
        at = max(at, self.database.begins.get(vgroup, 0))
        offset, blocks = at, []
        for version, kind, content in self.database.log_from(vgroup, at):
            if kind == META:
                if blocks:
                    break
                self.next[vgroup] = version + 1
                self.keep(META, vgroup, version + 1, content)
                return True
            table, _, _ = content
            self.next[vgroup] = version + 1
            if self.database.tables.get(table.name) is table and table.name not in self.group.lost:
                blocks.append(content)
        else:
            self.next[vgroup] = self.database.versions[vgroup] + 1
        if blocks:
            self.keep(ROWS, vgroup, offset, blocks)
        return bool(blocks)

    def keep(self, kind, vgroup, offset, content):
        self.numbers += 1
        self.message = Message(self.numbers, kind, vgroup, offset, content)

    def need(self, args):
        if self.message is None or self.message.number != args.get("message_id"):
            raise GatewayError("message ID are not equal")
        return self.message

    def tmq_fetch_json_meta(self, action, number, args):
        message = self.need(args)
        if message.kind != META:
            raise GatewayError(f"message type can not get meta, type: {message.kind}")
        self.reply(action, number, message_id=message.number, data=message.content)

    def tmq_fetch(self, action, number, args):
        message = self.need(args)
        self.fetch = number
        if message.kind != ROWS or not message.content:
            self.reply(action, number, message_id=message.number, completed=True, table_name="", rows=0, fields_count=0,
                       fields_names=None, fields_types=None, fields_lengths=None, precision=0)
            return
        table, fields, columns = message.content.pop(0)
        rows = len(columns[0])
        message.block = encode_block(fields, [(columns, 0, rows)], version=2)
        self.reply(action, number, message_id=message.number, completed=False, table_name=table.name, rows=rows,
                   fields_count=len(fields), fields_names=[field.name for field in fields],
                   fields_types=[field.type for field in fields], fields_lengths=[field.length for field in fields],
                   precision=("ms", "us", "ns").index(self.database.precision))

    def tmq_fetch_block(self, _action, _number, args):
        message = self.need(args)
        if message.block is None:
            raise GatewayError("no fetch data")
        head = b"".join(part.to_bytes(8, "little") for part in (1, self.fetch, message.number))
        self.send(False, head + message.block)
        message.block = None

    # --- positions

    def tmq_assignment(self, action, number, args):
        if args.get("topic") != self.topic:
            raise errors.ServerError(16393, "Topic does not belong to this consumer")
        self.reply(action, number, assignment=[
            {"vgroup_id": vgroup, "offset": self.starts[vgroup] if self.next[vgroup] < 0 else self.next[vgroup],
             "begin": self.database.begins.get(vgroup, 0), "end": version + 1}
            for vgroup, version in self.database.versions.items()])

    def tmq_seek(self, action, number, args):
        vgroup, offset = args["vgroup_id"], args["offset"]
        if not self.database.begins.get(vgroup, 0) <= offset <= self.database.versions[vgroup] + 1:
            raise errors.ServerError(16391, "Offset out of range")
        self.starts[vgroup], self.next[vgroup] = offset, NOTHING
        self.reply(action, number)

    def tmq_position(self, action, number, args):
        self.reply(action, number, position=[self.next[one["vgroup_id"]] for one in args["topic_vgroup_ids"]])

    def tmq_commit(self, action, number, args):
        self.group.committed.update((vgroup, at) for vgroup, at in self.next.items() if at >= 0)
        self.reply(action, number, message_id=args.get("message_id", 0))

    def tmq_committed(self, action, number, args):
        self.reply(action, number, committed=[self.group.committed.get(one["vgroup_id"], NOTHING)
                                              for one in args["topic_vgroup_ids"]])
