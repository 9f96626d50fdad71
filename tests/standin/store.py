# SPDX-License-Identifier: Apache-2.0
"""Databases, tables and rows in memory."""
import bisect
import operator
import re
import time
import zlib

import errors
import meta
import values
from columns import BIGINT, Column, Field, VARCHAR

DEFAULTS = {
    "buffer": "256", "cachesize": "1", "cachemodel": "'none'", "comp": "2", "duration": "10d", "wal_fsync_period": "3000",
    "maxrows": "4096", "minrows": "100", "stt_trigger": "2", "keep": "3650d,3650d,3650d", "pages": "256", "pagesize": "4",
    "precision": "'ms'", "replica": "1", "wal_level": "1", "vgroups": "2", "single_stable": "0", "table_prefix": "0",
    "table_suffix": "0", "tsdb_pagesize": "4", "wal_retention_period": "3600", "wal_retention_size": "0",
    "keep_time_offset": "0", "encrypt_algorithm": "'none'", "ss_chunkpages": "131072", "ss_keeplocal": "525600m",
    "ss_compact": "1", "compact_interval": "0d", "compact_time_range": "0d,0d", "compact_time_offset": "0h"}
UNITS = {"m": 60, "h": 3600, "d": 86400}
TBNAME = Field("tbname", VARCHAR, 270)
ROWS, META = 1, 2  # of the log
LOG_ENTRIES = 20000  # of a vgroup


def now_ms():
    return time.time_ns() // 1_000_000


class Table:
    """A child or normal table: the one that has rows."""

    def __init__(self, name, columns, stable=None, tags=None):
        self.name, self.stable, self.tags = name, stable, tags
        self.fields = columns if stable is None else None
        self.columns = [Column(field) for field in self.schema()]
        self.created = now_ms()
        self.ttl, self.comment, self.uid, self.vgroup, self.database = 0, None, 0, 0, None

    def kind_text(self):
        return f"{'VIRTUAL_' if hasattr(self, 'sources') else ''}{'CHILD' if self.stable else 'NORMAL'}_TABLE"

    def schema(self):
        return self.stable.fields if self.stable is not None else self.fields

    def __len__(self):
        return len(self.columns[0])

    def key_column(self):
        """Where the second key stands, or None."""
        fields = self.schema()
        return 1 if len(fields) > 1 and fields[1].key else None

    def find(self, time_value):
        """The first row at or after a time."""
        with memoryview(self.columns[0].data).cast("B") as raw, raw.cast("q") as times:
            return bisect.bisect_left(times, time_value)

    def time_at(self, row):
        return int.from_bytes(self.columns[0].data[8 * row:8 * row + 8], "little", signed=True)

    def check_times(self, times):
        if times and (self.database.store.refuse_rows or min(times) < self.database.oldest()):
            raise errors.out_of_range()

    def write(self, given):
        """Writes rows: `given` has a Column for each column that is written, by its place."""
        times = given[0].times()
        self.check_times(times)
        rows = len(times)
        if rows == 0:
            return
        rising = all(map(operator.lt, times, times[1:])) if rows > 1 else True
        if rising and self.key_column() is None and (len(self) == 0 or times[0] > self.time_at(len(self) - 1)):
            for index, column in enumerate(self.columns):
                if index in given:
                    column.extend(given[index])
                else:
                    column.append_nulls(rows)
        else:
            self.merge(given, times)
        fields = self.schema()
        self.database.touch(self.vgroup, ROWS, (self, [fields[index] for index in sorted(given)],
                                                [given[index] for index in sorted(given)]))

    def keys(self, columns, times):
        second = self.key_column()
        if second is None:
            return [(at,) for at in times]
        field = self.schema()[second]
        return [(at, field_key(field, columns[second].get(row))) for row, at in enumerate(times)]

    def merge(self, given, times):
        """Rows of a time that is there are updated; columns that are not given keep their values."""
        picks = {}
        for row, key in enumerate(self.keys(self.columns, self.columns[0].times())):
            picks[key] = [row] * len(self.columns)
        for row, key in enumerate(self.keys(given, times)):
            pick = picks.setdefault(key, [None] * len(self.columns))
            for index in given:
                pick[index] = ~row
        order = [picks[key] for key in sorted(picks)]
        fresh = []
        for index, (field, old) in enumerate(zip(self.schema(), self.columns)):
            column = Column(field)
            for pick in order:
                at = pick[index]
                column.append(None if at is None else old.get(at) if at >= 0 else given[index].get(~at))
            fresh.append(column)
        self.columns = fresh

    def delete(self, first, last):
        """Removes the rows of a range of row numbers; the times of the first and the last of them, None where there are none."""
        if first >= last:
            return None
        fresh = []
        for field, old in zip(self.schema(), self.columns):
            column = Column(field)
            for row in range(len(old)):
                if not first <= row < last:
                    column.append(old.get(row))
            fresh.append(column)
        span = self.time_at(first), self.time_at(last - 1)
        self.columns = fresh
        return span


def field_key(field, value):
    """The second key in its order."""
    if field.width:
        return int.from_bytes(value, "little", signed=field.type <= BIGINT)
    return value


class SuperTable:
    def __init__(self, name, columns, tags):
        self.name, self.fields, self.tags = name, columns, tags
        self.children = {}
        self.created = self.updated = now_ms()
        self.comment, self.keep, self.sma, self.uid = None, None, None, 0
        self.database, self.virtual = None, 0


class Database:
    def __init__(self, name, options, store):
        self.name, self.store = name, store
        self.options = dict(DEFAULTS, **options)
        self.stables, self.tables = {}, {}
        self.indexes = []
        self.created = now_ms()
        self.versions = {store.next_vgroup(): 0 for _ in range(int(self.options["vgroups"]))}
        self.logs = {vgroup: [] for vgroup in self.versions}
        self.begins = dict.fromkeys(self.versions, 0)
        self.set_keep(self.options["keep"])

    def set_keep(self, text):
        parts = text.split(",")
        self.options["keep"] = ",".join((parts * 3)[:3] if len(parts) == 1 else parts)
        self.keep_seconds = max(duration_seconds(part) for part in parts)

    @property
    def precision(self):
        return self.options["precision"].strip("'")

    @property
    def ticks(self):
        return values.PRECISIONS[self.precision]

    def oldest(self):
        """The oldest time that is taken and shown, in the database's unit."""
        return (time.time_ns() // 10 ** 9 - self.keep_seconds) * self.ticks

    def touch(self, vgroup, kind=None, content=None):
        """Something was done in a vgroup: its version moves, and what a topic shows of it stands in the log."""
        self.versions[vgroup] += 1
        if kind is None:
            return
        log = self.logs[vgroup]
        log.append((self.versions[vgroup], kind, content))
        if len(log) > LOG_ENTRIES:
            self.begins[vgroup] = log[LOG_ENTRIES // 2][0]
            del log[:LOG_ENTRIES // 2]

    def log_from(self, vgroup, version):
        log = self.logs[vgroup]
        return log[bisect.bisect_left(log, version, key=lambda entry: entry[0]):]

    def flush(self):
        """A log that is not to be kept for more than a moment begins anew."""
        self.touch_all()
        if int(self.options["wal_retention_period"]) < 60:
            for vgroup, version in self.versions.items():
                self.logs[vgroup].clear()
                self.begins[vgroup] = version

    def touch_all(self, kind=None, content=None):
        for vgroup in self.versions:
            self.touch(vgroup, kind, content)

    def split(self, vgroup):
        """Two new vgroups take the tables of an old one."""
        del self.versions[vgroup]
        fresh = [self.store.next_vgroup() for _ in range(2)]
        self.versions.update(dict.fromkeys(fresh, 1))
        for table in self.tables.values():
            if table.vgroup == vgroup:
                table.vgroup = fresh[zlib.crc32(table.name.encode("utf-8", "surrogateescape")) % 2]

    def find(self, name):
        return self.stables.get(name) or self.tables.get(name)

    def add_table(self, table):
        if table.name in self.tables or table.name in self.stables:
            raise errors.ServerError(1539, "Table already exists")
        groups = sorted(self.versions)
        table.database = self
        table.uid = self.store.next_uid()
        table.vgroup = groups[zlib.crc32(table.name.encode("utf-8", "surrogateescape")) % len(groups)]
        self.tables[table.name] = table
        if table.stable is not None:
            table.stable.children[table.name] = table
        self.touch(table.vgroup, META, meta.create_table(table))

    def add_stable(self, stable):
        if stable.name in self.stables:
            raise errors.ServerError(864, "STable already exists")
        if stable.name in self.tables:
            raise errors.ServerError(1539, "Table already exists")
        stable.database, stable.uid = self, self.store.next_uid()
        self.stables[stable.name] = stable
        self.indexes.append((f"{stable.tags[0].name}_{stable.name}", stable.name, stable.tags[0].name, stable.created))
        self.touch_all(META, meta.create_super(stable))

    def drop_table(self, table):
        del self.tables[table.name]
        if table.stable is not None:
            del table.stable.children[table.name]
        self.touch(table.vgroup, META, meta.drop_table(table))

    def drop_stable(self, stable):
        """Its tables go with it; of them nothing is told."""
        for table in stable.children.values():
            del self.tables[table.name]
        del self.stables[stable.name]
        self.indexes = [index for index in self.indexes if index[1] != stable.name]
        self.touch_all(META, meta.drop_super(stable))


def duration_seconds(text):
    found = re.fullmatch(r"(\d+)([mhd]?)", text)
    if found is None:
        raise errors.ServerError(9753, f"Invalid option keep unit: {text[-1:]}, only m, h, d allowed")
    return int(found[1]) * UNITS[found[2] or "d"]


class Store:
    def __init__(self):
        self.databases, self.topics = {}, {}
        self.groups = {}  # (topic, group): topics.Group
        self.uid, self.vgroup = 7561860651808718000, 1
        self.started = now_ms()
        self.refuse_rows = self.lose_rows = self.old = False
        self.refuse_alter = None

    def next_uid(self):
        self.uid += 1
        return self.uid

    def next_vgroup(self):
        self.vgroup += 1
        return self.vgroup

    def database(self, name):
        if name not in self.databases:
            raise errors.no_database()
        return self.databases[name]

