# SPDX-License-Identifier: Apache-2.0
"""Rows that come as bytes: prepared statements (stmt2) and raw blocks."""
import struct

import columns as c
import errors
import statements
import values
from columns import Column
from lexer import Words
from store import SuperTable, Table

TYPE_MISMATCH = "column type mis-match with buffer type"
ROWS_DIFFER = "row number in each bind param should be the same"
HEAD = 28


class GatewayError(Exception):
    """What the gateway itself refuses: its code is 65535."""


class GatewayEnds(Exception):
    """What ends the process of a real gateway."""


class Statement:
    """A prepared INSERT: what was prepared, what was bound and not yet executed."""

    def __init__(self):
        self.sql, self.stable, self.name = None, None, None
        self.tag_places, self.places = [], None
        self.names, self.marks = None, 0
        self.bound, self.problem = None, None

    def prepare(self, session, sql, get_fields):
        words = Words(sql)
        words.expect("insert", "into")
        self.stable, self.name, self.places, self.tag_places = None, None, None, []
        if not words.accept("?"):
            self.name = session.read_place(words)[1]
        if words.accept("using"):
            self.read_using(session, words)
        names = words.names() if words.peek("(") else None
        words.expect("values")
        marks = read_marks(words)
        words.end()
        self.read_places(session, names, marks)
        self.sql = sql
        # It can be bound all the same.
        if get_fields and self.stable is None and self.name is None:
            raise errors.ServerError(555, "Table does not exist")
        return self.told_fields() if get_fields else None

    def read_using(self, session, words):
        try:
            _, self.stable = session.read_table(words)
        except errors.ServerError as problem:
            raise errors.ServerError(555, "Table does not exist") from problem
        if not isinstance(self.stable, SuperTable):
            raise errors.ServerError(555, "Table does not exist")
        names = words.names() if words.peek("(") else [tag.name for tag in self.stable.tags]
        self.tag_places = [statements.find_field(self.stable.tags, name, "tag") for name in names]
        words.expect("tags")
        if read_marks(words) != len(self.tag_places):
            raise errors.ServerError(9741, "Tags number not matched")

    def read_places(self, session, names, marks):
        """Which columns are written; where no table is known yet, all of it."""
        table = self.stable
        if table is None and self.name is not None:
            table = session.current().find(self.name)
        self.names, self.marks = names, marks
        if table is not None:
            fields = table.fields if isinstance(table, SuperTable) else table.schema()
            self.places = places_of(fields, names, marks)

    def told_fields(self):
        if self.stable is None:
            return None
        told = [{"name": "tbname", "field_type": c.VARCHAR, "precision": 0, "scale": 0, "bytes": 271, "bind_type": 4}]
        told += [told_field(self.stable.tags[place], 2) for place in self.tag_places]
        return told + [told_field(self.stable.fields[place], 1) for place in self.places]

    def bind(self, session, data):
        """Remembers the rows; what is wrong with them is said again at the execution."""
        self.bound = None
        try:
            bound = self.read_bind(session, data)
        except errors.ServerError as problem:
            # Only the complaints of the bind itself are repeated with their text.
            self.problem = errors.ServerError(problem.code, problem.text if problem.code == 512 else "success")
            raise
        self.bound, self.problem = bound, None

    def read_bind(self, session, data):
        if self.sql is None:
            raise errors.ServerError(554, "Stmt API usage error")
        if len(data) < HEAD or struct.unpack_from("<I", data)[0] != len(data):
            told = struct.unpack_from("<I", data)[0] if len(data) >= 4 else 0
            raise GatewayError(f"total length not match, expect {len(data)}, but get {told}")
        _, tables, tags, columns, at_names, at_tags, at_columns = struct.unpack_from("<7I", data)
        database = session.current()
        bound = []
        names = read_names(data, at_names, tables) if at_names else [None] * tables
        at_tags += 4 * tables
        at_columns += 4 * tables
        for name in names:
            table, stable = self.find_table(database, name)
            fields = stable.fields if stable is not None else table.schema()
            places = self.places if self.places is not None else places_of(fields, self.names, self.marks)
            values_of_tags = [None] * len(stable.tags) if stable is not None else None
            for index in range(tags):
                place = self.tag_places[index]
                one, at_tags = read_field(data, at_tags, stable.tags[place])
                values_of_tags[place] = one.get(0)
            given = {}
            if columns != len(places):
                raise errors.ServerError(512, ROWS_DIFFER)
            for place in places:
                given[place], at_columns = read_field(data, at_columns, fields[place])
            check_rows(fields, given)
            bound.append((name, table, stable, values_of_tags, given))
        return database, bound

    def find_table(self, database, name):
        name = name if name is not None else self.name
        table = database.tables.get(name)
        if table is None and self.stable is None:
            raise errors.no_table()
        return table, self.stable

    def execute(self):
        """The number of rows."""
        if self.problem is not None:
            raise self.problem
        if self.bound is None:
            raise errors.ServerError(554, "Stmt API usage error")
        database, bound = self.bound
        self.bound = None
        for _, _, _, _, given in bound:
            times = given[0].times()
            # The message of this one reads "success".
            if database.store.refuse_rows or (times and min(times) < database.oldest()):
                raise errors.ServerError(1547, "success")
        rows = 0
        for name, table, stable, tags, given in bound:
            table = database.tables.get(name) or table
            if table is None:
                table = Table(name, None, stable, tags)
                database.add_table(table)
            table.write(given)
            if database.store.lose_rows:
                table.delete(len(table) - 1, len(table))
            rows += len(given[0])
        return rows


def read_marks(words):
    words.expect("(", "?")
    count = 1
    while words.accept(","):
        words.expect("?")
        count += 1
    words.expect(")")
    return count


def places_of(fields, names, marks):
    places = list(range(len(fields))) if names is None else [statements.find_field(fields, name) for name in names]
    if len(places) != marks:
        raise errors.ServerError(9791, "Illegal number of columns")
    return places


def told_field(field, role):
    size = field.length if field.width else field.block_bytes
    return {"name": field.name, "field_type": field.type, "precision": 0, "scale": 0, "bytes": size, "bind_type": role}


def read_names(data, at, tables):
    lengths = struct.unpack_from(f"<{tables}H", data, at)
    at += 2 * tables
    names = []
    for length in lengths:
        names.append(data[at:at + length - 1].decode("utf-8", "surrogateescape"))
        at += length
    return names


def read_field(data, at, field):
    """A Column of one bound field."""
    total, kind, rows = struct.unpack_from("<III", data, at)
    end = at + total
    if kind != field.type and not (kind in c.DECIMALS and field.type in c.DECIMALS):
        raise errors.ServerError(512, TYPE_MISMATCH)
    flags = data[at + 12:at + 12 + rows]
    at += 12 + rows
    has_lengths = data[at]
    at += 1
    column = Column(field)
    if has_lengths:
        lengths = struct.unpack_from(f"<{rows}I", data, at)
        at += 4 * rows
        read_variable(column, field, data[at + 4:end], flags, lengths)
    else:
        read_fixed(column, field, data[at + 4:end], flags, rows)
    return column, end


def read_fixed(column, field, buffer, flags, rows):
    if 1 not in flags:
        if len(buffer) != rows * field.width:
            raise errors.misfit()
        column.flags += flags.translate(c.TO_FLAGS)
        column.data += buffer
        return
    for row, flag in enumerate(flags):
        column.append(None if flag else bytes(buffer[row * field.width:(row + 1) * field.width]))


def read_variable(column, field, buffer, flags, lengths):
    at = 0
    limit = 4 * field.length if field.type == c.NCHAR else field.length
    if field.width:
        raise errors.ServerError(512, TYPE_MISMATCH)
    for flag, length in zip(flags, lengths):
        if flag:
            column.append(None)
            continue
        value = bytes(buffer[at:at + length])
        at += length
        if field.type == c.NCHAR:
            value = value.decode().encode("utf-32-le")
        elif field.type == c.JSON:
            value = values.json_tag(value.decode())
        if value is not None and len(value) > limit:
            raise errors.too_long()
        column.append(value)


def check_rows(fields, given):
    if len({len(column) for column in given.values()}) != 1:
        raise errors.ServerError(512, ROWS_DIFFER)
    for place, column in given.items():
        if (place == 0 or fields[place].key) and 49 in column.flags:
            raise errors.ServerError(9851, "Primary key column should not be null")


# --- Raw blocks -----------------------------------------------------------------------------------

def write_block(session, payload, with_fields):
    """Actions 4 and 5: i32 rows, u16 length of the name, name, block, and for 5 the names of the columns."""
    [length] = struct.unpack_from("<H", payload, 4)
    name = payload[6:6 + length].decode("utf-8", "surrogateescape")
    at = 6 + length
    [size] = struct.unpack_from("<i", payload, at + 4)
    try:
        fields, made = c.decode_block(payload[at:at + size])
    except c.BadBlock as problem:
        raise errors.misfit() from problem
    if session.database is None:
        raise errors.unspecified()
    if any(field.type in c.BLOBS for field in fields):
        raise GatewayEnds
    table = session.current().find(name)
    if table is None:
        raise errors.no_table()
    if isinstance(table, SuperTable):
        raise errors.ServerError(9479, "No valid epSet for data source node")
    if not made or not len(made[0]):
        raise errors.ServerError(1807, "invalid input")
    own = table.schema()
    places = list(range(min(len(own), len(made))))
    if with_fields:
        places = named_places(payload[at + size:], own, len(made))
    given = {}
    for place, field, column in zip(places, fields, made):
        if not fits(own[place], field, column):
            raise errors.misfit()
        given[place] = column
    if 0 not in given or 49 in given[0].flags:
        raise errors.misfit()
    table.write(given)


def fits(own, field, column):
    """Longer values may come in a wider column of the block, as long as they fit."""
    if own.type != field.type:
        return False
    if own.width:
        return own.block_bytes == field.block_bytes
    limit = own.block_bytes - 2
    return all(len(column.get(row) or b"") <= limit for row in range(len(column)))


def named_places(data, own, count):
    """72 bytes a column: name[65], type, padding, bytes. As on a real server a name that is not known is passed over, and
    the names behind it get the data of the columns before theirs."""
    if len(data) != 72 * count:
        raise errors.misfit()
    places = []
    for index in range(count):
        name = data[72 * index:72 * index + 65].split(b"\0")[0].decode("utf-8", "surrogateescape")
        place = next((at for at, field in enumerate(own) if field.name == name), None)
        if place is not None:
            places.append(place)
    return places
