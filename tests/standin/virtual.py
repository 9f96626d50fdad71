# SPDX-License-Identifier: Apache-2.0
"""Virtual tables: columns that are those of other tables, joined by time."""
import errors
import schema
import statements
import values
from columns import Column
from store import SuperTable, Table

CODE_SNODE, CODE_UNSUPPORTED = 1068, 256


class VirtualTable(Table):
    """Its sources: by the place of each column, (database, table, column)."""

    def __init__(self, store, name, fields, stable, tags, sources):
        self.store, self.sources = store, sources
        super().__init__(name, fields, stable, tags)
        self.ttl = None

    def source(self, place):
        """The rows of a column, by time."""
        database, name, column = self.sources[place]
        table = self.store.database(database).tables[name]
        at = statements.find_field(table.schema(), column)
        return {time: table.columns[at].get(row) for row, time in enumerate(table.columns[0].times())}

    @property
    def columns(self):
        given = {place: self.source(place) for place in self.sources}
        times = sorted(set().union(*given.values()))
        made = [Column(field) for field in self.schema()]
        for time in times:
            made[0].append(time.to_bytes(8, "little", signed=True))
            for place, column in enumerate(made[1:], 1):
                column.append(given.get(place, {}).get(time))
        return made

    @columns.setter
    def columns(self, _):
        """There are none of its own."""

    def write(self, given):
        raise errors.syntax("a virtual table")

    def reference(self, place):
        return ".".join(schema.quote(part) for part in self.sources[place])

    def create_text(self):
        fields = self.schema()
        if self.stable is None:
            parts = [schema.declared(field) + (f" FROM {self.reference(place)}" if place in self.sources else "")
                     for place, field in enumerate(fields)]
            return f"CREATE VTABLE {schema.quote(self.name)} ({', '.join(parts)})"
        parts = [f"{schema.quote(fields[place].name)} FROM {self.reference(place)}" for place in sorted(self.sources)]
        names = ", ".join(schema.quote(tag.name) for tag in self.stable.tags)
        tags = ", ".join(tag_text(tag, value) for tag, value in zip(self.stable.tags, self.tags))
        return (f"CREATE VTABLE {schema.quote(self.name)} ({', '.join(parts)}) USING {schema.quote(self.stable.name)} "
                f"({names}) TAGS ({tags})")


def tag_text(tag, value):
    if value is None:
        return "NULL"
    told = values.to_python(tag, value)
    return str(told) if tag.width else f'"{told}"'


def read_source(session, words):
    """[`database`.]`table`.`column`."""
    parts = [words.name()]
    while words.accept("."):
        parts.append(words.name())
    if len(parts) == 2:
        parts.insert(0, session.current().name)
    if len(parts) != 3:
        words.refuse()
    table = session.store.database(parts[0]).find(parts[1])
    if table is None or isinstance(table, SuperTable):
        raise errors.no_table()
    statements.find_field(table.schema(), parts[2])
    return tuple(parts)


def names_a_column(words):
    """Whether `column` FROM … comes, not a source alone."""
    start = words.at
    words.name()
    found = words.peek("from")
    words.at = start
    return found


def read_child(session, words):
    """The sources of a child's columns, by their names; those without follow the order of the columns."""
    named, plain = {}, []
    while True:
        if names_a_column(words):
            column = words.name()
            words.expect("from")
            named[column] = read_source(session, words)
        else:
            plain.append(read_source(session, words))
        if not words.accept(","):
            words.expect(")")
            return named, plain


def read_normal(session, words):
    fields, sources = [], {}
    while True:
        fields.append(schema.read_column(words))
        if words.accept("from"):
            sources[len(fields) - 1] = read_source(session, words)
        if not words.accept(","):
            words.expect(")")
            return fields, sources


def is_child(words):
    start, depth = words.at, 1
    while depth > 0 and words.kind() != "end":
        depth += words.peek("(") - words.peek(")")
        words.next()
    found = words.peek("using")
    words.at = start
    return found


def create_vtable(session, words):
    absent = words.accept("if", "not", "exists")
    database, name = session.read_place(words)
    words.expect("(")
    fields, stable, tags = None, None, None
    if is_child(words):
        named, plain = read_child(session, words)
        words.expect("using")
        stable, tags = statements.read_using(session, words)
        sources = {place: source for place, source in enumerate(plain, 1)}
        sources.update({statements.find_field(stable.fields, column): source for column, source in named.items()})
    else:
        fields, sources = read_normal(session, words)
    words.end()
    if not (absent and database.find(name) is not None):
        database.add_table(VirtualTable(session.store, name, fields, stable, tags, sources))
    return 0


# --- What a community server, or one without a stream node, refuses -------------------------------

def create_view(_session, _words):
    raise errors.ServerError(CODE_UNSUPPORTED, "Operation not supported")


def create_stream(_session, _words):
    raise errors.ServerError(CODE_SNODE, "No Snode is available")


def create_tsma(_session, _words):
    raise errors.ServerError(9728, "TSMA not support yet")
