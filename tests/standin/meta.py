# SPDX-License-Identifier: Apache-2.0
"""What a topic tells of changes of tables, as JSON: the shapes that a real server was recorded giving."""
import struct

import columns as c

KINDS_WITH_LENGTH = (c.VARCHAR, c.NCHAR, c.VARBINARY, c.GEOMETRY)
TEXTS = (c.VARCHAR, c.NCHAR)


def column(field):
    told = {"name": field.name, "type": field.type}
    if field.type in KINDS_WITH_LENGTH:
        told["length"] = field.length
    return told


def full_column(field):
    return {**column(field), "isPrimarykey": field.key, "encode": field.encode, "compress": field.compress,
            "level": field.level}


def tag_value(field, value):
    """Numbers as they are, texts between quotes, JSON as it is."""
    if field.type in c.FORMATS:
        return struct.unpack(c.FORMATS[field.type], value)[0]
    text = value.decode("utf-32-le" if field.type == c.NCHAR else "utf-8", "replace")
    if field.type == c.JSON:
        return text
    return f'"{text}"' if field.type in TEXTS else value.hex()


def create_super(stable):
    return {"type": "create", "tableType": "super", "tableName": stable.name,
            "columns": [full_column(field) for field in stable.fields], "tags": [column(tag) for tag in stable.tags]}


def create_table(table):
    if table.stable is None:
        return {"type": "create", "tableType": "normal", "tableName": table.name,
                "columns": [full_column(field) for field in table.fields], "tags": []}
    tags = [{"name": tag.name, "type": tag.type, "value": tag_value(tag, value)}
            for tag, value in zip(table.stable.tags, table.tags) if value is not None]
    return {"type": "create", "tableType": "child", "tableName": table.name, "using": table.stable.name,
            "tagNum": len(table.stable.tags), "tags": tags, "createList": []}


def set_tag(table, tag, value):
    told = {"type": "alter", "tableType": "child", "tableName": table.name, "alterType": 4, "colName": tag.name}
    if value is None:
        return {**told, "colValueNull": True}
    return {**told, "colValue": str(tag_value(tag, value)), "colValueNull": False}


def delete(table, first, last):
    """Of a super table the rows of one vgroup."""
    name = (table.fields if hasattr(table, "children") else table.schema())[0].name
    return {"type": "delete", "sql": f"delete from `{table.name}` where `{name}` >= {first} and `{name}` <= {last}"}


def drop_table(table):
    return {"type": "drop", "tableNameList": [table.name]}


def drop_super(stable):
    return {"type": "drop", "tableType": "super", "tableName": stable.name}


# alterType of a tag and of a column.
ALTERED = {"add": (1, 5), "drop": (2, 6), "rename": (3, 10), "modify": (None, 7)}
OPTIONS = 9


def alter(table, number, **more):
    kind = "super" if hasattr(table, "children") else "normal" if table.stable is None else "child"
    return {"type": "alter", "tableType": kind, "tableName": table.name, "alterType": number, **more}


def alter_field(table, what, tag, name, field, renamed=None):
    """`field`: as it is now; None where it was dropped."""
    more = {"colName": name}
    if renamed is not None:
        more["colNewName"] = renamed
    elif field is not None:
        more["colType"] = field.type
        if field.type in KINDS_WITH_LENGTH:
            more["colLength"] = field.length
    return alter(table, ALTERED[what][0 if tag else 1], **more)
