# SPDX-License-Identifier: Apache-2.0
"""Functions over many rows: of a whole answer, of each table, of windows of time."""
import array
import math

import columns as c
import errors
import values
from columns import Field
from store import SuperTable, TBNAME

WRAP = 1 << 64


def fields_of(table):
    return table.fields if isinstance(table, SuperTable) else table.schema()


def column_of(table, name):
    return next((at for at, field in enumerate(fields_of(table)) if field.name == name), None)


def sum_field(item, field, title):
    if item.cast and field.type in c.INTEGERS | {c.BOOL, c.TIMESTAMP}:
        return Field(title, c.BIGINT, 8)
    if field.type not in c.INTEGERS | {c.FLOAT, c.DOUBLE}:
        raise errors.ServerError(10242, "Invalid parameter data type : sum")
    kind = c.UBIGINT if field.type in c.UNSIGNED else c.BIGINT if field.type in c.INTEGERS else c.DOUBLE
    return Field(title, kind, 8)


def result_field(item, table):
    if item.isa_table_name:
        return TBNAME
    if item.name == "_wstart":
        return Field(item.title, c.TIMESTAMP, 8)
    at = 0 if item.name == "*" else column_of(table, item.name)
    if at is None:
        raise errors.no_column(item.name)
    title = item.title.lower()
    field = fields_of(table)[at]
    if item.function == "count":
        return Field(title, c.BIGINT, 8)
    if item.function == "sum":
        return sum_field(item, field, title)
    if item.function == "spread":
        return Field(title, c.DOUBLE, 8)
    if item.function in ("min", "max", "first", "last"):
        made = field.copy()
        made.name = title
        return made
    raise errors.syntax(title)


def numbers(field, at, runs):
    """The values of a column of numbers that are not NULL."""
    code = c.FORMATS[field.type][1]
    for child, start, end in runs:
        column = child.columns[at]
        part = array.array(code)
        part.frombytes(bytes(column.data[start * column.width:end * column.width]))
        flags = column.flags[start:end]
        yield from part if 49 not in flags else (value for value, flag in zip(part, flags) if flag != 49)


def total(field, made, at, runs):
    """A sum as a real server gives it: integers wrap around, one NaN makes it NULL."""
    if made.type == c.DOUBLE:
        result = sum(numbers(field, at, runs), 0.0)
        return None if math.isnan(result) else result
    result = sum(numbers(field, at, runs)) % WRAP
    return result - WRAP if made.type == c.BIGINT and result >= WRAP // 2 else result


def one_value(item, table, runs, made):
    if item.function == "count" and item.name == "*":
        return sum(end - start for _, start, end in runs)
    at = column_of(table, item.name)
    field = fields_of(table)[at]
    filled = sum(end - start - child.columns[at].flags.count(b"1", start, end) for child, start, end in runs)
    if item.function == "count":
        return filled
    if filled == 0:
        return None
    if item.function == "sum":
        return total(field, made, at, runs)
    if item.function == "spread":
        found = list(numbers(field, at, runs))
        return float(max(found) - min(found))
    cells = [(child.time_at(row), child.columns[at].get(row)) for child, start, end in runs for row in range(start, end)]
    cells = [entry for entry in cells if entry[1] is not None]
    if item.function in ("first", "last"):
        return (min if item.function == "first" else max)(cells, key=lambda entry: entry[0])[1]
    plain = [values.to_python(field, value) for _, value in cells]
    return values.from_text(made, str((min if item.function == "min" else max)(plain)), values.PRECISIONS["ms"])


def read_shift(words, database):
    """A length of time, in the database's unit."""
    found = values.SHIFT.fullmatch(words.next()[1])
    if found is None:
        words.refuse()
    return int(found[1]) * values.SHIFTS[found[2]] * database.ticks // 10 ** 9


def windows(where, database, table, items, words, children):
    """The fields and rows of windows of time, which begin at multiples of their length, or behind them by an offset."""
    words.expect("(")
    length, offset = read_shift(words, database), 0
    if words.accept(","):
        offset = read_shift(words, database)
    words.expect(")")
    words.end()
    runs = {}
    for child in children:
        for start, end in where.runs_of(child):
            while start < end:
                window = (child.time_at(start) - offset) // length
                stop = min(end, child.find((window + 1) * length + offset))
                runs.setdefault(window, []).append((child, start, stop))
                start = stop
    made = [result_field(item, table) for item in items]
    return made, [[window * length + offset if item.name == "_wstart" else one_value(item, table, runs[window], field)
                   for item, field in zip(items, made)] for window in sorted(runs)]
