# SPDX-License-Identifier: Apache-2.0
"""Statements that change something: databases, tables, rows. What no statement of the program's or of its tests has
is an error."""
import errors
import meta
import old
import query
import schema
import values
from columns import Column, TIMESTAMP
from store import DEFAULTS, META, Database, SuperTable, Table, duration_seconds, now_ms

SHOWN = {"precision", "cachemodel", "encrypt_algorithm"}


class Session:
    """What a connection remembers."""

    def __init__(self, store, database=None):
        self.store, self.database = store, database

    def current(self):
        if self.database is None:
            raise errors.unspecified()
        return self.store.database(self.database)

    def read_place(self, words):
        """`database`.`table` or `table`: the database and the name."""
        first = words.name()
        if words.accept("."):
            return self.store.database(first), words.name()
        return self.current(), first

    def read_table(self, words):
        database, name = self.read_place(words)
        table = database.find(name)
        if table is None:
            raise errors.no_table()
        return database, table


# --- Databases ------------------------------------------------------------------------------------

def read_options(words):
    options = {}
    while words.kind() == "word":
        start = words.at
        name = words.name()
        if name not in DEFAULTS or (words.old and name in old.OPTIONS):
            words.at = start
            words.refuse()
        if words.kind() == "string":
            text = words.string()
            options[name] = f"'{text}'" if name in SHOWN else text
            continue
        parts = [words.next()[1]]
        while words.accept(","):
            parts.append(words.next()[1])
        options[name] = ",".join(parts)
    words.end()
    return options


def check_options(options):
    precision = options.get("precision", "'ms'").strip("'")
    if precision not in ("ms", "us", "ns"):
        raise errors.ServerError(9753, f"Invalid option precision: {precision}")
    for name in ("duration", "keep"):
        if name in options:
            options[name] = ",".join(part if part[-1:].isalpha() else part + "d" for part in options[name].split(","))
    duration = duration_seconds(options.get("duration", DEFAULTS["duration"]))
    keeps = [duration_seconds(part) for part in options.get("keep", DEFAULTS["keep"]).split(",")]
    if min(keeps) < 3 * duration:
        raise errors.ServerError(9753, "Invalid duration value, should be keep2 >= keep1 >= keep0 >= 3 * duration")
    if int(options.get("replica", "1")) > 1:
        raise errors.ServerError(820, "Out of dnodes")


def create_database(session, words):
    absent = words.accept("if", "not", "exists")
    name = words.name()
    options = read_options(words)
    if len(values.raw_bytes(name)) > 64:
        raise errors.ServerError(9751, f"Invalid identifier name: {name}")
    check_options(options)
    if name in session.store.databases:
        if absent:
            return 0
        raise errors.ServerError(897, "Database already exists")
    session.store.databases[name] = Database(name, options, session.store)
    return 0


def alter_database(session, words):
    database = session.store.database(words.name())
    start = words.at
    options = read_options(words)
    for name in options:
        if name in ("precision", "vgroups", "duration", session.store.refuse_alter):
            words.at = start
            words.refuse()
    whole = dict(database.options, **options)
    check_options(whole)
    database.set_keep(whole["keep"])
    options.pop("keep", None)
    database.options.update(options)
    database.touch_all()
    return 0


def split_vgroup(session, words):
    group = int(words.next()[1])
    words.end()
    for database in session.store.databases.values():
        if group in database.versions:
            database.split(group)
            return 0
    raise errors.ServerError(0x0340, "Vgroup does not exist")


def drop_database(session, words):
    present = words.accept("if", "exists")
    name = words.name()
    words.end()
    if name not in session.store.databases:
        if present:
            return 0
        raise errors.no_database()
    if any(topic[0] == name for topic in session.store.topics.values()):
        raise errors.ServerError(1005, "Topic must be dropped first")
    del session.store.databases[name]
    return 0


# --- Tables ---------------------------------------------------------------------------------------

def check_name(name):
    if "." in name:
        raise errors.ServerError(9751, "The table name cannot contain '.'")
    if len(values.raw_bytes(name)) > 192:
        raise errors.ServerError(9751, f"Invalid identifier name: {name}")


def read_table_options(words, allowed):
    options = {}
    while words.kind() == "word":
        name = words.one_of(*allowed)
        if name == "comment":
            options[name] = words.literal()
        elif name == "sma":
            options[name] = words.names()
        elif name == "keep":
            options[name] = duration_seconds(words.next()[1]) // 60
        else:
            options[name] = words.integer()
    return options


def apply_options(table, options):
    for name, value in options.items():
        setattr(table, name, value)


def create_stable(session, words):
    absent = words.accept("if", "not", "exists")
    database, name = session.read_place(words)
    return finish_stable(words, database, name, schema.read_columns(words), absent)


def finish_stable(words, database, name, fields, absent):
    check_name(name)
    schema.check_columns(fields)
    words.expect("tags")
    tags = schema.read_columns(words)
    schema.check_tags(tags)
    options = read_table_options(words, ("comment", "sma", "keep", "virtual"))
    words.end()
    if {field.name for field in fields} & {field.name for field in tags}:
        raise errors.ServerError(9788, "Duplicated column names")
    if absent and database.find(name) is not None:
        return 0
    stable = SuperTable(name, fields, tags)
    apply_options(stable, options)
    database.add_stable(stable)
    return 0


def create_table(session, words):
    """One normal or super table, or any number of child tables."""
    while True:
        absent = words.accept("if", "not", "exists")
        database, name = session.read_place(words)
        check_name(name)
        if not words.accept("using"):
            break
        create_child(session, words, database, name, absent)
        if words.kind() != "word" and words.kind() != "name":
            words.end()
            return 0
    fields = schema.read_columns(words)
    if words.peek("tags"):
        return finish_stable(words, database, name, fields, absent)
    schema.check_columns(fields)
    options = read_table_options(words, ("comment", "ttl"))
    words.end()
    if absent and database.find(name) is not None:
        return 0
    table = Table(name, fields)
    apply_options(table, options)
    database.add_table(table)
    return 0


def read_using(session, words):
    """`st` [(tags)] TAGS (…): the super table and its tags' values."""
    database, stable = session.read_table(words)
    if not isinstance(stable, SuperTable):
        raise errors.no_table()
    names = words.names() if words.peek("(") else [tag.name for tag in stable.tags]
    places = [find_field(stable.tags, name, "tag") for name in names]
    words.expect("tags", "(")
    tags, count = [None] * len(stable.tags), 0
    while True:
        if count == len(places):
            raise errors.ServerError(9741, "Tags number not matched")
        tags[places[count]] = read_value(words, stable.tags[places[count]], database.ticks)
        count += 1
        if not words.accept(","):
            break
    if count != len(places):
        raise errors.ServerError(9741, "Tags number not matched")
    words.expect(")")
    return stable, tags


def create_child(session, words, database, name, absent):
    stable, tags = read_using(session, words)
    options = {}
    while words.peek("ttl") or words.peek("comment"):
        if words.accept("ttl"):
            options["ttl"] = words.integer()
        else:
            words.expect("comment")
            options["comment"] = words.literal()
    if absent and database.find(name) is not None:
        return
    table = Table(name, None, stable, tags)
    apply_options(table, options)
    database.add_table(table)


def drop_table(session, words):
    while True:
        present = words.accept("if", "exists")
        database, name = session.read_place(words)
        table = database.find(name)
        if table is None and not present:
            raise errors.no_table()
        if isinstance(table, SuperTable):
            database.drop_stable(table)
        elif table is not None:
            database.drop_table(table)
        if not words.accept(","):
            words.end()
            return 0


def drop_stable(session, words):
    present = words.accept("if", "exists")
    database, name = session.read_place(words)
    words.end()
    if name in database.stables:
        database.drop_stable(database.stables[name])
    elif not present:
        raise errors.ServerError(866, "STable not exist")
    return 0


def create_index(session, words):
    name = words.name()
    words.expect("on")
    database, stable = session.read_table(words)
    [tag] = words.names()
    words.end()
    find_field(stable.tags, tag, "tag")
    database.indexes.append((name, stable.name, tag, now_ms()))
    database.touch_all()
    return 0


def create_topic(session, words):
    text = words.sql.strip()
    absent = words.accept("if", "not", "exists")
    name = words.name()
    meta = words.accept("with", "meta")
    words.expect("as")
    kind = words.one_of("database", "stable")
    if kind == "database":
        database = session.store.database(words.name())
    else:
        database, _ = session.read_table(words)
    words.end()
    if database.options["wal_retention_period"] == "0":
        raise errors.ServerError(908, "WAL retention period is zero")
    if name in session.store.topics:
        if absent:
            return 0
        raise errors.ServerError(992, "Topic already exists")
    session.store.topics[name] = [database.name, now_ms(), text.lower(), "NULL", "yes" if meta else "no",
                                  "db" if kind == "database" else "stable"]
    return 0


def drop_topic(session, words):
    present = words.accept("if", "exists")
    name = words.name()
    words.end()
    if name not in session.store.topics:
        if present:
            return 0
        raise errors.ServerError(993, "Topic not exist")
    groups = {key: group for key, group in session.store.groups.items() if key[0] == name}
    if any(group.consumers for group in groups.values()):
        raise errors.ServerError(1003, "Topic subscribed cannot be dropped")
    del session.store.topics[name]
    for key in groups:
        del session.store.groups[key]
    return 0


def drop_group(session, words):
    words.accept("if", "exists")
    group = words.name()
    words.expect("on")
    key = (words.name(), group)
    words.end()
    if key in session.store.groups:
        if session.store.groups[key].consumers:
            raise errors.ServerError(1004, "Consumer group being used by some consumer")
        del session.store.groups[key]
    return 0


# --- Alter ----------------------------------------------------------------------------------------

def find_field(fields, name, what="column"):
    for index, field in enumerate(fields):
        if field.name == name:
            return index
    raise errors.ServerError(9801, f"Invalid tag name: {name}") if what == "tag" else errors.no_column(name)


def tables_of(table):
    return table.children.values() if isinstance(table, SuperTable) else [table]


def alter_table(session, words):
    database, table = session.read_table(words)
    isa_child = not isinstance(table, SuperTable) and table.stable is not None
    if words.peek("comment") or words.peek("ttl"):
        apply_options(table, read_table_options(words, ("comment", "ttl")))
        told = meta.alter(table, meta.OPTIONS)
    elif isa_child:
        if not words.accept("set", "tag"):
            raise errors.ServerError(9801, "Invalid alter table statement")
        set_tags(session, words, database, table)
        words.end()
        return 0
    else:
        told = alter_fields(words, table)
    words.end()
    if isinstance(table, SuperTable):
        database.touch_all(META, told)
    else:
        database.touch(table.vgroup, META, told)
    return 0


def set_tags(session, words, database, table):
    tags, changed = list(table.tags), []
    while True:
        at = find_field(table.stable.tags, words.name(), "tag")
        words.expect("=")
        tags[at] = read_value(words, table.stable.tags[at], database.ticks)
        changed.append(at)
        if not words.accept(","):
            break
    table.tags = tags
    for (topic, _), group in session.store.groups.items():
        if session.store.topics[topic][0] == database.name:
            group.lost.add(table.name)
    for at in changed:
        database.touch(table.vgroup, META, meta.set_tag(table, table.stable.tags[at], tags[at]))


def alter_fields(words, table):
    """What a topic tells of it."""
    renamed = None
    what = words.one_of("add", "drop", "modify", "rename")
    tag = words.one_of("column", "tag") == "tag"
    fields = table.tags if tag else table.fields
    if what == "add":
        field = schema.read_column(words)
        name = field.name
        if any(field.name == other.name for other in table.fields):
            raise errors.ServerError(9788, "Duplicated column names")
        fields.append(field)
        for child in tables_of(table):
            if tag:
                child.tags = child.tags + [None]
            else:
                column = Column(field)
                column.append_nulls(len(child))
                child.columns = child.columns + [column]
    elif what == "drop":
        name, field = words.name(), None
        at = find_field(fields, name)
        if not tag and (at == 0 or fields[at].key):
            raise errors.ServerError(962, "Invalid stable alter options")
        del fields[at]
        for child in tables_of(table):
            part = child.tags if tag else child.columns
            part = part[:at] + part[at + 1:]
            child.tags, child.columns = (part, child.columns) if tag else (child.tags, part)
    elif what == "modify":
        name = words.name()
        field = fields[find_field(fields, name)]
        wanted = schema.read_type(words, name)
        if wanted.type != field.type or wanted.length <= field.length:
            raise errors.ServerError(9803, "Only varbinary/binary/nchar/geometry column length could be modified, and the "
                                           "length can only be increased, not decreased")
        field.length = wanted.length
    else:
        name = words.name()
        field = fields[find_field(fields, name)]
        field.name = renamed = words.name()
    if isinstance(table, SuperTable):
        table.updated = now_ms()
    return meta.alter_field(table, what, tag, name, field, renamed)


# --- Rows -----------------------------------------------------------------------------------------

def read_value(words, field, ticks):
    """One value of an INSERT, as the bytes of the column."""
    kind, text = words.next()
    if kind == "number":
        return values.from_text(field, text, ticks) if not field.width else values.from_number(field, text, ticks)
    if kind == "string":
        return read_text(field, text, ticks)
    lowered = text.lower()
    if lowered == "null":
        return None
    if lowered == "now" and field.type == TIMESTAMP:
        return now_value(words, field, ticks)
    if lowered in ("true", "false", "nan", "inf"):
        return values.from_number(field, lowered, ticks)
    if text in ("-", "+") and words.kind() == "number":
        return values.from_number(field, text + words.next()[1], ticks)
    words.at -= 1
    raise errors.bad_value(words.rest()[:100], f"invalid {field.type_text().lower()} data")


def read_text(field, literal, ticks):
    if field.type in (query.c.VARBINARY, query.c.BLOB, query.c.MEDIUMBLOB) and literal[1:3] in ("\\x", "\\X"):
        return values.from_text(field, literal[1:-1], ticks)
    return values.from_text(field, query.unquote(literal), ticks)


def now_value(words, field, ticks):
    if words.accept("("):
        words.expect(")")
    at = values.now(ticks)
    while words.peek("+") or words.peek("-"):
        sign = 1 if words.next()[1] == "+" else -1
        shift = values.SHIFT.fullmatch(words.next()[1])
        if shift is None:
            words.refuse()
        at += sign * int(shift[1]) * values.SHIFTS[shift[2]] * ticks // 10 ** 9
    return values.from_number(field, str(at), ticks)


def read_rows(words, table, places, ticks):
    """The rows behind VALUES: a Column for each place."""
    fields = [table.schema()[place] for place in places]
    given = [Column(field) for field in fields]
    last = len(fields) - 1
    rows = 0
    while words.accept("(") or (rows > 0 and words.accept(",", "(")):
        for index, field in enumerate(fields):
            value = read_value(words, field, ticks)
            if value is None and (places[index] == 0 or field.key):
                raise errors.bad_value("null", "Primary timestamp column should not be null")
            given[index].append(value)
            if index == last and words.peek(","):
                raise errors.ServerError(9791, "Illegal number of columns")
            if index < last and not words.accept(","):
                raise errors.bad_value(words.rest()[:20], ", expected")
        words.expect(")")
        rows += 1
    if rows == 0:
        words.refuse()
    return dict(zip(places, given))


def read_target(session, words):
    """The table of an INSERT; with USING it is made where it is not there."""
    database, name = session.read_place(words)
    table = database.find(name)
    if words.accept("using"):
        stable, tags = read_using(session, words)
        if table is None:
            table = Table(name, None, stable, tags)
            return database, table, True
    if table is None:
        raise errors.no_table()
    if isinstance(table, SuperTable):
        raise errors.bad_value(" " + words.rest()[:60], "(...tbname, ts...) bounded cols is expected for supertable "
                                                        "insertion")
    return database, table, False


def insert(session, words):
    writes = []
    fresh = {}
    while True:
        database, table, isa_new = read_target(session, words)
        if isa_new:
            table = fresh.setdefault((database.name, table.name), (database, table))[1]
        fields = table.schema()
        places = list(range(len(fields)))
        if words.peek("("):
            places = [find_field(fields, name) for name in words.names()]
            if 0 not in places:
                raise errors.ServerError(512, "Primary timestamp column should not be null")
        words.expect("values")
        writes.append((database, table, read_rows(words, table, places, database.ticks)))
        if words.kind() not in ("word", "name"):
            words.end()
            break
    for database, table, given in writes:
        table.database = database
        table.check_times(given[0].times())
    for database, table in fresh.values():
        database.add_table(table)
    rows = 0
    for _, table, given in writes:
        table.write(given)
        rows += len(set(table.keys(given, given[0].times())))
    return rows


def delete(session, words):
    database, table = session.read_table(words)
    where = query.Where(session, words, table, database)
    words.end()
    if where.rows or where.tables:
        raise errors.ServerError(9813, "The DELETE statement must only have a definite time window range")
    count, spans = 0, {}
    for child in tables_of(table):
        first, last = where.range_of(child)
        span = child.delete(first, last)
        if span is not None:
            count += last - first
            spans.setdefault(child.vgroup, []).extend(span)
    for vgroup, times in spans.items():
        database.touch(vgroup, META, meta.delete(table, min(times), max(times)))
    return count
