# SPDX-License-Identifier: Apache-2.0
"""How tables and databases are declared: types and options read from a statement, and SHOW CREATE and DESCRIBE."""
import columns as c
import errors
import old
from columns import Field

TYPES = {"bool": c.BOOL, "tinyint": c.TINYINT, "smallint": c.SMALLINT, "int": c.INT, "integer": c.INT, "bigint": c.BIGINT,
         "float": c.FLOAT, "double": c.DOUBLE, "varchar": c.VARCHAR, "binary": c.VARCHAR, "timestamp": c.TIMESTAMP,
         "nchar": c.NCHAR, "json": c.JSON, "varbinary": c.VARBINARY, "decimal": c.DECIMAL, "blob": c.BLOB,
         "mediumblob": c.MEDIUMBLOB, "geometry": c.GEOMETRY}
UNSIGNED = {c.TINYINT: c.UTINYINT, c.SMALLINT: c.USMALLINT, c.INT: c.UINT, c.BIGINT: c.UBIGINT}
SIZED = (c.VARCHAR, c.NCHAR, c.VARBINARY, c.GEOMETRY)
ENCODINGS = {c.TIMESTAMP: "delta-i", c.BOOL: "bit-packing", c.FLOAT: "delta-d", c.DOUBLE: "delta-d"}
COMPRESSIONS = {c.BOOL: "zstd", c.TINYINT: "zlib", c.UTINYINT: "zlib", c.SMALLINT: "zlib", c.USMALLINT: "zlib",
                c.VARCHAR: "zstd", c.NCHAR: "zstd", c.VARBINARY: "zstd", c.DECIMAL: "zstd", c.DECIMAL64: "zstd"}
ORDER = ("buffer cachesize cachemodel comp duration wal_fsync_period maxrows minrows stt_trigger keep pages pagesize "
         "precision replica wal_level vgroups single_stable table_prefix table_suffix tsdb_pagesize wal_retention_period "
         "wal_retention_size keep_time_offset encrypt_algorithm ss_chunkpages ss_keeplocal ss_compact compact_interval "
         "compact_time_range compact_time_offset").split()


def quote(name):
    return "`" + name.replace("`", "``") + "`"


def read_type(words, name):
    kind = TYPES.get(words.text().lower()) if words.kind() == "word" else None
    if kind is None:
        words.refuse()
    words.next()
    if kind in UNSIGNED and words.accept("unsigned"):
        kind = UNSIGNED[kind]
    if kind in SIZED:
        words.expect("(")
        length = words.integer()
        words.expect(")")
        if not 0 < length <= 65517 // (4 if kind == c.NCHAR else 1):
            raise errors.ServerError(9794, "Invalid column length for var length type")
        return Field(name, kind, length)
    if kind == c.DECIMAL:
        return read_decimal(words, name)
    if kind in c.BLOBS:
        return Field(name, kind, c.BLOB_LENGTH)
    if kind == c.JSON:
        return Field(name, kind, 4095)
    return Field(name, kind, c.WIDTHS[kind])


def read_decimal(words, name):
    words.expect("(")
    precision = words.integer()
    scale = words.integer() if words.accept(",") else 0
    words.expect(")")
    if not 0 < precision <= 38 or not 0 <= scale <= precision:
        raise errors.ServerError(9730, f"Invalid column type DECIMAL({precision},{scale}) , invalid precision or scale")
    kind = c.DECIMAL if precision > 18 else c.DECIMAL64
    return Field(name, kind, c.WIDTHS[kind], precision, scale)


def read_column(words):
    field = read_type(words, words.name())
    field.encode = "disabled" if not field.width or field.type in c.DECIMALS else ENCODINGS.get(field.type, "simple8b")
    field.compress, field.level = COMPRESSIONS.get(field.type, "lz4"), "medium"
    while True:
        if words.accept("primary", "key") or words.accept("composite", "key"):
            field.key = True
        elif words.old:
            return field
        elif words.accept("encode"):
            field.encode = words.string()
        elif words.accept("compress"):
            field.compress = words.string()
        elif words.accept("level"):
            field.level = words.string()
        else:
            return field


def read_columns(words):
    words.expect("(")
    fields = [read_column(words)]
    while words.accept(","):
        fields.append(read_column(words))
    words.expect(")")
    if len({field.name for field in fields}) != len(fields):
        raise errors.ServerError(9788, "Duplicated column names")
    return fields


def check_columns(fields):
    if fields[0].type != c.TIMESTAMP:
        raise errors.ServerError(9793, "First column must be timestamp")
    if len(fields) < 2:
        raise errors.ServerError(9791, "Illegal number of columns")
    if any(field.type == c.JSON for field in fields):
        raise errors.ServerError(9810, "Only tag can be json type")
    if sum(field.type in c.BLOBS for field in fields) > 1:
        raise errors.ServerError(25350, "only one blob column allowed")


def check_tags(fields):
    for field in fields:
        if field.type in c.DECIMALS:
            raise errors.ServerError(9730, "Decimal type is not allowed for tag")
        if field.type in c.BLOBS:
            raise errors.ServerError(25345, "Blob type not support on tag")
    if len(fields) > 1 and any(field.type == c.JSON for field in fields):
        raise errors.ServerError(9779, "Only one tag if there is a json tag")


def declared(field):
    text = f"{quote(field.name)} {field.type_text()}"
    if field.type in SIZED:
        text += f"({field.length})"
    return text


def columns_text(fields):
    return "(" + ", ".join(declared(field) + (" COMPOSITE KEY" if field.key else "") for field in fields) + ")"


def create_stable(stable):
    text = (f"CREATE STABLE {quote(stable.name)} {columns_text(stable.fields)} TAGS "
            f"({', '.join(declared(field) for field in stable.tags)})")
    if stable.comment is not None:
        text += f" COMMENT '{stable.comment}'"
    if stable.sma:
        # A real server does not double a backtick in this place.
        text += " SMA(" + ", ".join(f"`{name}`" for name in stable.sma) + ")"
    return text + (f" KEEP {stable.keep}m" if stable.keep is not None else "") + (" VIRTUAL 1" if stable.virtual else "")


def create_normal(table):
    text = f"CREATE TABLE {quote(table.name)} {columns_text(table.fields)}"
    if table.comment is not None:
        text += f" COMMENT '{table.comment}'"
    return text + (f" TTL {table.ttl}" if table.ttl else "")


def create_database(database):
    text = f"CREATE DATABASE `{database.name}`"
    return text + "".join(f" {name.upper()} {database.options[name]}" for name in ORDER
                          if not (database.store.old and name in old.OPTIONS))


DESCRIBED = [Field("field", c.VARCHAR, 325), Field("type", c.VARCHAR, 20), Field("length", c.INT, 4),
             Field("note", c.VARCHAR, 16), Field("encode", c.VARCHAR, 12), Field("compress", c.VARCHAR, 12),
             Field("level", c.VARCHAR, 12)]


def describe(table, isa_old=False):
    rows = []
    stable = table if hasattr(table, "children") else table.stable
    fields = stable.fields if stable is not None else table.fields
    for field in fields:
        rows.append([field.name, field.type_text(" "), 5 if field.type in c.BLOBS else field.length,
                     "COMPOSITE KEY" if field.key else "", field.encode, field.compress, field.level])
    for field in stable.tags if stable is not None else ():
        rows.append([field.name, field.type_text(" "), field.length, "TAG"] + ["disabled"] * 3)
    return (DESCRIBED[:4], [row[:4] for row in rows]) if isa_old else (DESCRIBED, rows)


def describe_list(fields):
    """A table of information_schema."""
    return DESCRIBED[:4], [[field.name, field.type_text(" "), field.length, ""] for field in fields]
