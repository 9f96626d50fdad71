# SPDX-License-Identifier: Apache-2.0
"""SELECT, SHOW and DESCRIBE: what the program and its tests ask."""
import re

import aggregate as aggregates
import columns as c
import errors
import information
import old
import schema
import values
from columns import Column, Constant, Field
from lexer import unquote
from store import SuperTable, TBNAME, duration_seconds

EVERYTHING = 1 << 62
COMPARE = {"=": lambda a, b: a == b, "<>": lambda a, b: a != b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b,
           "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}


class Result:
    """An answer: its fields, and runs of rows: (sources, first, last + 1). Groups are told where a block must not hold
    rows of two tables."""

    def __init__(self, fields, runs, precision="ms", grouped=False):
        self.fields, self.runs, self.precision, self.grouped = fields, runs, precision, grouped

    @property
    def ticks(self):
        return values.PRECISIONS[self.precision]

    def batches(self):
        """Runs of at most a block's rows: (group, runs)."""
        limit = 1024 if self.grouped else c.BLOCK_ROWS
        batch, rows, group = [], 0, 0
        for run_group, sources, start, end in self.runs:
            if self.grouped and batch and run_group != group:
                yield group, batch
                batch, rows = [], 0
            group = run_group if self.grouped else 0
            while start < end:
                count = min(end - start, limit - rows)
                batch.append((sources, start, start + count))
                start, rows = start + count, rows + count
                if rows == limit:
                    yield group, batch
                    batch, rows = [], 0
        if batch:
            yield group, batch

    def blocks(self):
        for group, batch in self.batches():
            yield c.encode_block(self.fields, batch, group)

    def json_rows(self):
        """Each row's values as JSON text."""
        for _, batch in self.batches():
            for sources, start, end in batch:
                for row in range(start, end):
                    yield [values.to_json(field, cell(source, row), self.ticks)
                           for field, source in zip(self.fields, sources)]


def cell(source, row):
    return source.column.get(0) if isinstance(source, Constant) else source.get(row)


def made_of(fields, rows, precision="ms"):
    """An answer of Python values."""
    made = [Column(field) for field in fields]
    for row in rows:
        for column, field, value in zip(made, fields, row):
            column.append(value if isinstance(value, bytes) or value is None else information.encode(field, value))
    return Result(fields, [(0, made, 0, len(rows))] if rows else [], precision)


# --- WHERE ----------------------------------------------------------------------------------------

class Where:
    """Conditions joined by AND: on the time (a range), on the table's name and tags, on other columns."""

    def __init__(self, session, words, table, database):
        self.database = database
        self.first, self.last = -EVERYTHING * 2, EVERYTHING * 2
        self.tables, self.rows = [], []
        self.fields = table.schema() if not isinstance(table, SuperTable) else table.fields
        stable = table if isinstance(table, SuperTable) else table.stable
        self.tags = stable.tags if stable is not None else []
        self.store = session.store
        if words.accept("where"):
            self.condition(words)
            while words.accept("and"):
                self.condition(words)

    def condition(self, words):
        if words.kind() == "end":
            raise errors.incomplete()
        isa_table_name = words.kind() == "word" and words.text().lower() == "tbname"
        name = words.name()
        if isa_table_name:
            self.tables.append((None, read_test(words, TBNAME, self.database.ticks)))
            return
        index = next((at for at, field in enumerate(self.fields) if field.name == name), None)
        if index == 0:
            self.time_condition(words)
            return
        if index is not None:
            self.rows.append((index, read_test(words, self.fields[index], self.database.ticks)))
            return
        tag = next((at for at, field in enumerate(self.tags) if field.name == name), None)
        if tag is None:
            raise errors.no_column(name)
        self.tables.append((tag, read_test(words, self.tags[tag], self.database.ticks)))

    def time_condition(self, words):
        operator = words.next()[1]
        at = read_plain(words, self.fields[0], self.database.ticks)
        if operator in (">", ">=", "="):
            self.first = max(self.first, at + (operator == ">"))
        if operator in ("<", "<=", "="):
            self.last = min(self.last, at + (operator != "<"))
        if operator not in ("<", "<=", ">", ">=", "="):
            words.at -= 1
            words.refuse()

    def has_table(self, table):
        for tag, test in self.tables:
            value = table.name if tag is None else values.to_python(self.tags[tag], table.tags[tag])
            if not test(value):
                return False
        return True

    def range_of(self, table):
        # Rows older than KEEP are there, but nobody gets to see them.
        first = table.find(min(max(self.first, self.database.oldest(), -2 ** 63), 2 ** 63 - 1))
        last = table.find(max(self.last, -2 ** 63)) if self.last < 2 ** 63 else len(table)
        return first, max(first, last)

    def runs_of(self, table):
        """Runs of row numbers of a table."""
        start, end = self.range_of(table)
        if not self.rows:
            return [(start, end)] if start < end else []
        runs = []
        for row in range(start, end):
            if all(test(values.to_python(self.fields[index], table.columns[index].get(row))) for index, test in self.rows):
                if runs and runs[-1][1] == row:
                    runs[-1] = (runs[-1][0], row + 1)
                else:
                    runs.append((row, row + 1))
        return runs


def read_plain(words, field, ticks):
    """A literal of a condition, as a Python value of the column's kind."""
    kind, text = words.next()
    if kind == "string":
        text = unquote(text)
    elif kind == "number" or (kind == "word" and text.lower() in ("true", "false")):
        pass
    elif text == "-" and words.kind() == "number":
        text = "-" + words.next()[1]
    else:
        words.at -= 1
        words.refuse()
    if field.type in (c.VARCHAR, c.NCHAR, c.JSON):
        return text
    return values.to_python(field, values.from_text(field, text, ticks))


def read_test(words, field, ticks):
    if words.accept("is"):
        wanted = not words.accept("not")
        words.expect("null")
        return lambda value: (value is None) == wanted
    if words.accept("in"):
        words.expect("(")
        chosen = {read_plain(words, field, ticks)}
        while words.accept(","):
            chosen.add(read_plain(words, field, ticks))
        words.expect(")")
        return lambda value: value in chosen
    if words.accept("like"):
        pattern = re.escape(words.string()).replace("%", ".*").replace("_", ".")
        return lambda value: value is not None and re.fullmatch(pattern, value, re.DOTALL) is not None
    if words.text() not in COMPARE:
        words.refuse()
    compare = COMPARE[words.next()[1]]
    wanted = read_plain(words, field, ticks)
    return lambda value: value is not None and compare(value, wanted)


# --- What is asked --------------------------------------------------------------------------------

class Item:
    """One thing behind SELECT: a name, or a function of a name; `*` is a name too."""

    def __init__(self, words):
        self.function, self.cast, start = None, False, words.places[words.at]
        # Between backticks it is a column like any other.
        self.isa_table_name = words.kind() == "word" and words.text().lower() == "tbname"
        if words.accept("*"):
            self.name = self.title = "*"
            return
        quoted = words.kind() == "name"
        self.name = words.name()
        if not quoted and words.accept("("):
            self.function = self.name
            self.cast = words.accept("cast", "(")
            self.name = "*" if words.accept("*") else words.name()
            if self.cast:
                words.expect("as", "bigint", ")")
            words.expect(")")
        self.title = words.sql[start:words.places[words.at]].strip() if self.function else self.name
        if words.accept("as"):
            self.title = words.name()


def select(session, words):
    if words.kind() in ("number", "string") or words.peek("-") or words.peek("null") or words.peek("true"):
        return constants(words)
    special = functions(session, words)
    if special is not None:
        return special
    tags_only = words.accept("tags")
    distinct = words.accept("distinct")
    items = [Item(words)]
    while words.accept(","):
        items.append(Item(words))
    words.expect("from")
    if words.peek("information_schema", "."):
        words.at += 2
        return from_information(session, words, items)
    database, table = session.read_table(words)
    where = Where(session, words, table, database)
    if tags_only or distinct:
        words.end()
        return select_tags(where, table, items)
    return select_rows(where, database, table, items, words)


def children_of(table, where):
    if not isinstance(table, SuperTable):
        return [table]
    return [child for child in table.children.values() if where.has_table(child)]


def constants(words):
    """SELECT 1, 'x', 1.5, null, true"""
    fields, row = [], []
    while True:
        kind, text = words.next()
        if kind == "number" and text.isdigit():
            field, value = Field(text, c.BIGINT, 8), int(text)
        elif kind == "number":
            field, value = Field(text, c.DOUBLE, 8), float(text)
        elif kind == "string":
            value = unquote(text)
            field = Field(text, c.VARCHAR, len(values.raw_bytes(value)))
        elif text.lower() in ("true", "false"):
            field, value = Field(text, c.BOOL, 1), text.lower()
        elif text.lower() == "null":
            field, value = Field(text, c.VARCHAR, 0), None
        else:
            words.at -= 1
            words.refuse()
        fields.append(field)
        row.append(value)
        if not words.accept(","):
            words.end()
            return made_of(fields, [row])


def functions(session, words):
    """Functions without a table, or None."""
    if words.peek("server_version", "(") or words.peek("client_version", "("):
        name = words.name()
        words.expect("(", ")")
        words.end()
        text = old.SERVER_VERSION if session.store.old else information.SERVER_VERSION
        return made_of([Field(name + "()", c.VARCHAR, len(text))], [[text]])
    if words.accept("server_status", "(", ")"):
        words.end()
        return made_of([Field("server_status()", c.INT, 4)], [[1]])
    if words.accept("cast", "(", "now"):
        if words.accept("("):
            words.expect(")")
        words.expect("as", "bigint", ")")
        words.end()
        return made_of([Field("cast(now() as bigint)", c.BIGINT, 8)], [[values.now(1000)]])
    return None


# --- information_schema ---------------------------------------------------------------------------

def from_information(session, words, items):
    name = words.name()
    if name not in information.LAYOUTS or not old.has_list(session.store, name):
        raise errors.no_table()
    fields, rows = old.cut(session.store, name, information.fields_of(name), information.make_rows(session.store, name))
    places = {field.name: index for index, field in enumerate(fields)}

    def place(column):
        if column not in places:
            raise errors.no_column(column)
        return places[column]

    more = words.accept("where")
    while more:
        index = place(words.name())
        test = read_test(words, fields[index], 1000)
        rows = [row for row in rows if test(row[index])]
        more = words.accept("and")
    if words.accept("order", "by"):
        index = place(words.name())
        rows.sort(key=lambda row: (row[index] is not None, row[index]), reverse=words.accept("desc"))
    if words.accept("limit"):
        rows = rows[:words.integer()]
    words.end()
    if len(items) == 1 and items[0].function == "count":
        return made_of([Field(items[0].title.lower(), c.BIGINT, 8)], [[len(rows)]])
    chosen = []
    for item in items:
        if item.function:
            words.refuse()
        chosen += range(len(fields)) if item.name == "*" else [place(item.name)]
    return made_of([fields[index] for index in chosen], [[row[index] for index in chosen] for row in rows])


# --- Rows -----------------------------------------------------------------------------------------

def select_tags(where, table, items):
    if not isinstance(table, SuperTable):
        raise errors.no_column(items[0].name)
    places = []
    for item in items:
        found = None if item.isa_table_name else next((at for at, tag in enumerate(table.tags) if tag.name == item.name),
                                                      None)
        if found is None and not item.isa_table_name:
            raise errors.no_column(item.name)
        places.append(found)
    fields = [TBNAME if place is None else table.tags[place] for place in places]
    rows = [[values.raw_bytes(child.name) if place is None else child.tags[place] for place in places]
            for child in by_vgroup(children_of(table, where))]
    return made_of(fields, rows, where.database.precision)


def by_vgroup(tables):
    return sorted(tables, key=lambda table: table.vgroup)


def select_rows(where, database, table, items, words):
    partition = words.accept("partition", "by")
    if partition:
        words.expect("tbname")
    if any(item.function for item in items) or words.peek("interval"):
        return aggregate(where, database, table, items, words, partition)
    fields, pick = chosen_columns(table, items)
    order = read_order(words, table)
    limit = words.integer() if words.accept("limit") else None
    words.end()
    children = by_vgroup(children_of(table, where))
    length = duration_seconds(database.options["duration"]) * database.ticks
    pieces = []
    for child in children:
        sources = pick(child)
        for start, end in where.runs_of(child):
            pieces += [((child.vgroup, file_set), (child.uid, sources, first, last))
                       for file_set, first, last in file_sets(child, start, end, length)]
    pieces.sort(key=lambda piece: piece[0])
    runs = [run for _, run in pieces]
    if order is not None:
        runs = sorted_runs(runs, children, order)
    return Result(fields, runs if limit is None else first_rows(runs, limit), database.precision, partition)


def chosen_columns(table, items):
    """The fields of an answer, and what brings their sources of one table."""
    isa_super = isinstance(table, SuperTable)
    stable = table if isa_super else table.stable
    own = table.fields if isa_super else table.schema()
    tags = stable.tags if stable is not None else []
    places = []
    for item in items:
        if item.name == "*":
            places += [("column", at) for at in range(len(own))]
            places += [("tag", at) for at in range(len(tags))] if isa_super else []
        elif item.isa_table_name:
            places.append(("name", 0))
        else:
            places.append(find_place(own, tags, item.name))
    fields = [TBNAME if kind == "name" else (own if kind == "column" else tags)[at] for kind, at in places]

    def pick(child):
        return [child.columns[at] if kind == "column" else
                Constant(field, values.raw_bytes(child.name) if kind == "name" else child.tags[at])
                for (kind, at), field in zip(places, fields)]
    return [field.copy() for field in fields], pick


def find_place(own, tags, name):
    for kind, fields in (("column", own), ("tag", tags)):
        for at, field in enumerate(fields):
            if field.name == name:
                return kind, at
    raise errors.no_column(name)


def file_sets(child, start, end, length):
    """A run of rows, cut where the server's file sets are: tables come back in each."""
    with memoryview(child.columns[0].data) as raw, raw.cast("q") as times:
        while start < end:
            file_set = times[start] // length
            stop = end if times[end - 1] // length == file_set else cut(times, (file_set + 1) * length, start, end)
            yield file_set, start, stop
            start = stop


def cut(numbers, border, start, end):
    while start < end:
        middle = (start + end) // 2
        if numbers[middle] < border:
            start = middle + 1
        else:
            end = middle
    return start


def first_rows(runs, limit):
    for group, sources, start, end in runs:
        if limit <= 0:
            return
        yield group, sources, start, min(end, start + limit)
        limit -= end - start


def read_order(words, table):
    """ORDER BY the time, or None: whether downwards."""
    if not words.accept("order", "by"):
        return None
    fields = table.fields if isinstance(table, SuperTable) else table.schema()
    names = [words.name()]
    while words.accept(","):
        names.append(words.name())
    if names not in ([fields[0].name], ["tbname", fields[0].name], ["tbname"]):
        words.at -= 1
        words.refuse()
    down = words.accept("desc")
    if not down:
        words.accept("asc")
    return names, down


def sorted_runs(runs, children, order):
    names, down = order
    of_uid = {child.uid: child for child in children}
    rows = [(uid, sources, row) for uid, sources, start, end in runs for row in range(start, end)]

    def key(entry):
        child = of_uid[entry[0]]
        return tuple(child.name if name == "tbname" else child.time_at(entry[2]) for name in names)
    return [(uid, sources, row, row + 1) for uid, sources, row in sorted(rows, key=key, reverse=down)]


# --- Aggregates -----------------------------------------------------------------------------------

def aggregate(where, database, table, items, words, partition):
    children = children_of(table, where)
    if words.accept("interval"):
        return made_of(*aggregates.windows(where, database, table, items, words, children), database.precision)
    words.end()
    groups = [[child] for child in children] if partition else [children]
    fields = [aggregates.result_field(item, table) for item in items]
    rows = []
    for group in groups:
        runs = [(child, start, end) for child in group for start, end in where.runs_of(child)]
        rows.append([values.raw_bytes(group[0].name) if item.isa_table_name else
                     aggregates.one_value(item, table, runs, field) for item, field in zip(items, fields)])
    return made_of(fields, rows, database.precision)


# --- SHOW -----------------------------------------------------------------------------------------

CREATED = [Field("Table", c.VARCHAR, 193), Field("Create Table", c.VARCHAR, 3145726)]
VIRTUAL_CREATED = [Field("Virtual Table", c.VARCHAR, 193), Field("Create Virtual Table", c.VARCHAR, 3145726)]


def show(session, words):
    if words.accept("create"):
        return show_create(session, words)
    if words.accept("databases"):
        words.end()
        return made_of([Field("name", c.VARCHAR, 64)],
                       [[row[0]] for row in information.make_rows(session.store, "ins_databases")])
    if words.accept("topics"):
        words.end()
        return made_of([Field("topic_name", c.VARCHAR, 192)], [[name] for name in sorted(session.store.topics)])
    database = session.current() if words.peek("tables") or words.peek("stables") else None
    if database is None:
        name = words.name()
        words.expect(".")
        database = session.store.database(name)
    if words.one_of("tables", "stables") == "stables":
        return made_of([Field("stable_name", c.VARCHAR, 192)], [[name] for name in database.stables])
    return made_of([Field("table_name", c.VARCHAR, 192)], [[name] for name in database.tables])


def show_create(session, words):
    what = words.one_of("database", "stable", "table", "vtable")
    if what == "database":
        database = session.store.database(words.name())
        words.end()
        return made_of([Field("Database", c.VARCHAR, 63), Field("Create Database", c.VARCHAR, 65517)],
                       [[database.name, schema.create_database(database)]])
    _, table = session.read_table(words)
    words.end()
    if what == "vtable":
        if not hasattr(table, "create_text"):
            raise errors.no_table()
        return made_of(VIRTUAL_CREATED, [[table.name, table.create_text()]])
    if isinstance(table, SuperTable):
        text = schema.create_stable(table)
    elif what == "stable":
        raise errors.ServerError(559, "Table is not a super table")
    elif table.stable is not None:
        raise errors.syntax("show create table of a child table: not in the stand-in")
    else:
        text = schema.create_normal(table)
    return made_of(CREATED, [[table.name, text[:65535]]])


def describe(session, words):
    if words.accept("information_schema", "."):
        name = words.name()
        words.end()
        if name not in information.LAYOUTS:
            raise errors.no_table()
        return made_of(*schema.describe_list(information.fields_of(name)))
    _, table = session.read_table(words)
    words.end()
    return made_of(*schema.describe(table, session.store.old))
