# SPDX-License-Identifier: Apache-2.0
"""One statement: words to what does it."""
import errors
import query
import statements
import virtual
from lexer import Words

CHANGES = {
    ("create", "database"): statements.create_database, ("alter", "database"): statements.alter_database,
    ("drop", "database"): statements.drop_database, ("create", "stable"): statements.create_stable,
    ("create", "table"): statements.create_table, ("drop", "table"): statements.drop_table,
    ("drop", "stable"): statements.drop_stable, ("alter", "table"): statements.alter_table,
    ("alter", "stable"): statements.alter_table, ("create", "index"): statements.create_index,
    ("create", "topic"): statements.create_topic, ("drop", "topic"): statements.drop_topic,
    ("drop", "consumer", "group"): statements.drop_group,
    ("create", "vtable"): virtual.create_vtable, ("create", "view"): virtual.create_view,
    ("create", "stream"): virtual.create_stream, ("create", "tsma"): virtual.create_tsma,
    ("insert", "into"): statements.insert, ("delete", "from"): statements.delete,
}
QUESTIONS = {"select": query.select, "show": query.show, "describe": query.describe}
LIMIT = 1048576


def use(session, words):
    name = words.name()
    words.end()
    session.database = session.store.database(name).name
    return 0


def nothing_to_do(session, words, *expected):
    words.expect(*expected)
    words.end()
    return 0


def execute(session, sql):
    """A Result, or the number of rows that were written."""
    if len(sql) > LIMIT:
        raise errors.ServerError(537, "SQL statement too long")
    if not sql.strip():
        raise errors.incomplete()
    words = Words(sql)
    words.old = session.store.old
    for verb, run in CHANGES.items():
        if words.accept(*verb):
            return run(session, words)
    for verb, run in QUESTIONS.items():
        if words.accept(verb):
            return run(session, words)
    if words.accept("use"):
        return use(session, words)
    if words.peek("reset"):
        return nothing_to_do(session, words, "reset", "query", "cache")
    if words.accept("split", "vgroup"):
        return statements.split_vgroup(session, words)
    if words.accept("flush", "database"):
        session.store.database(words.name()).flush()
        return nothing_to_do(session, words)
    return words.refuse()
