# SPDX-License-Identifier: Apache-2.0
"""Types, columns in memory, and the raw block that carries them: the layout of a real server's blocks.

A column keeps its values as they stand in a block (NCHAR as UCS-4, variable values behind their length), so that a
block is made by cutting and joining. NULL flags are the characters 0 and 1: a bitmap is a number in base 2.
"""
import array
import struct

(BOOL, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, VARCHAR, TIMESTAMP, NCHAR, UTINYINT, USMALLINT, UINT, UBIGINT,
 JSON, VARBINARY, DECIMAL, BLOB, MEDIUMBLOB, GEOMETRY, DECIMAL64) = range(1, 22)

NAMES = dict(enumerate(
    ("BOOL", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "TIMESTAMP", "NCHAR",
     "TINYINT UNSIGNED", "SMALLINT UNSIGNED", "INT UNSIGNED", "BIGINT UNSIGNED", "JSON", "VARBINARY", "DECIMAL", "BLOB",
     "MEDIUMBLOB", "GEOMETRY", "DECIMAL"), 1))
WIDTHS = {BOOL: 1, TINYINT: 1, UTINYINT: 1, SMALLINT: 2, USMALLINT: 2, INT: 4, UINT: 4, BIGINT: 8, UBIGINT: 8, FLOAT: 4,
          DOUBLE: 8, TIMESTAMP: 8, DECIMAL: 16, DECIMAL64: 8}
FORMATS = {BOOL: "<B", TINYINT: "<b", UTINYINT: "<B", SMALLINT: "<h", USMALLINT: "<H", INT: "<i", UINT: "<I",
           BIGINT: "<q", UBIGINT: "<Q", FLOAT: "<f", DOUBLE: "<d", TIMESTAMP: "<q"}
INTEGERS = {TINYINT, SMALLINT, INT, BIGINT, UTINYINT, USMALLINT, UINT, UBIGINT}
UNSIGNED = {UTINYINT, USMALLINT, UINT, UBIGINT}
DECIMALS = {DECIMAL, DECIMAL64}
BLOBS = {BLOB, MEDIUMBLOB}
BLOB_LENGTH = 4194304

BLOCK_ROWS = 4096
TO_FLAGS = bytes.maketrans(b"\0\1", b"01")


class Field:
    """A column or tag of a table, or of an answer."""

    def __init__(self, name, kind, length, precision=0, scale=0):
        self.name, self.type, self.length, self.precision, self.scale = name, kind, length, precision, scale
        self.key = False
        self.encode = self.compress = self.level = None

    @property
    def width(self):
        """Bytes of a value, 0 where they vary."""
        return WIDTHS.get(self.type, 0)

    @property
    def block_bytes(self):
        """The schema number in a block."""
        if self.type in DECIMALS:
            return self.width << 24 | self.precision << 8 | self.scale
        if self.type in (VARCHAR, VARBINARY, GEOMETRY):
            return self.length + 2
        if self.type == NCHAR:
            return 4 * self.length + 2
        if self.type == JSON:
            return 16384
        return 5 if self.type in BLOBS else self.length

    def type_text(self, blank=""):
        """As SHOW CREATE and REST tell it; DESCRIBE puts a blank into decimals."""
        name = NAMES[self.type]
        return f"{name}({self.precision},{blank}{self.scale})" if self.type in DECIMALS else name

    def same_type(self, other):
        return (self.type, self.block_bytes) == (other.type, other.block_bytes)

    def copy(self):
        twin = Field(self.name, self.type, self.length, self.precision, self.scale)
        twin.key, twin.encode, twin.compress, twin.level = self.key, self.encode, self.compress, self.level
        return twin


class Column:
    """Values of one column, in row order. What was once written is never changed in place, only added to: a result
    that is being read keeps its view."""

    def __init__(self, field):
        self.width, self.prefix = field.width, "<I" if field.type in BLOBS else "<H"
        self.flags = bytearray()
        self.data = bytearray()
        self.ends = None if self.width else array.array("Q")

    def __len__(self):
        return len(self.flags)

    def append(self, value):
        """`value` is the bytes of the block without a length, or None."""
        self.flags += b"1" if value is None else b"0"
        if self.width:
            self.data += bytes(self.width) if value is None else value
            return
        if value is not None:
            self.data += struct.pack(self.prefix, len(value)) + value
        self.ends.append(len(self.data))

    def append_nulls(self, count):
        self.flags += b"1" * count
        if self.width:
            self.data += bytes(self.width * count)
        else:
            self.ends.extend([len(self.data)] * count)

    def extend(self, other):
        base = len(self.data)
        self.flags += other.flags
        self.data += other.data
        if not self.width:
            self.ends.extend([base + end for end in other.ends] if base else other.ends)

    def get(self, row):
        if self.flags[row] == 49:
            return None
        if self.width:
            return bytes(self.data[row * self.width:(row + 1) * self.width])
        start = self.ends[row - 1] if row else 0
        return bytes(self.data[start + struct.calcsize(self.prefix):self.ends[row]])

    def times(self):
        """The values as 64-bit numbers."""
        numbers = array.array("q")
        numbers.frombytes(bytes(self.data))
        return numbers


def encode_flags(flags):
    """The bitmap: the first row is the highest bit."""
    spare = -len(flags) % 8
    return int(flags + b"0" * spare, 2).to_bytes((len(flags) + spare) // 8, "big")


class Constant:
    """One value in all rows, such as tbname or a tag in a run of one table's rows."""

    def __init__(self, field, value):
        self.column = Column(field)
        self.column.append(value)


def cut_fixed(runs):
    flags, data = bytearray(), bytearray()
    for source, start, end in runs:
        if isinstance(source, Constant):
            flags += source.column.flags * (end - start)
            data += source.column.data * (end - start)
        else:
            flags += source.flags[start:end]
            data += source.data[start * source.width:end * source.width]
    return encode_flags(flags), bytes(data)


def cut_variable(runs):
    offsets, data = array.array("i"), bytearray()
    for source, start, end in runs:
        base = len(data)
        if isinstance(source, Constant):
            size = len(source.column.data)
            if source.column.flags == b"1":
                offsets.extend([-1] * (end - start))
            else:
                offsets.extend(range(base, base + size * (end - start), size))
                data += source.column.data * (end - start)
            continue
        first = source.ends[start - 1] if start else 0
        shift = base - first
        starts = [first + shift] + [at + shift for at in source.ends[start:end - 1]]
        flags = source.flags[start:end]
        if 49 in flags:
            starts = [-1 if flag == 49 else at for at, flag in zip(starts, flags)]
        offsets.extend(starts)
        data += source.data[first:source.ends[end - 1]]
    return offsets.tobytes(), bytes(data)


def encode_block(fields, runs, group=0, version=1):
    """A raw block. `runs` is, for each run of rows, the sources (one a field) and the first and last+1 row."""
    rows = sum(end - start for _, start, end in runs)
    lengths, body = [], []
    for index, field in enumerate(fields):
        part = [(sources[index], start, end) for sources, start, end in runs]
        head, data = cut_fixed(part) if field.width else cut_variable(part)
        lengths.append(len(data))
        body += head, data
    schema = b"".join(struct.pack("<bi", field.type, field.block_bytes) for field in fields)
    middle = schema + struct.pack(f"<{len(fields)}i", *lengths) + b"".join(body) + b"\0"
    return struct.pack("<iiiiIQ", version, 28 + len(middle), rows, len(fields), 0x80000000, group) + middle


class BadBlock(Exception):
    pass


def decode_block(block):
    """Fields (without names) and columns of a raw block."""
    try:
        _, length, rows, count = struct.unpack_from("<iiii", block)
        if length != len(block) or rows < 0 or not 0 < count <= 4096:
            raise BadBlock
        fields, at = [], 28
        for _ in range(count):
            kind, size = struct.unpack_from("<bi", block, at)
            fields.append(block_field(kind, size))
            at += 5
        lengths = struct.unpack_from(f"<{count}i", block, at)
        at += 4 * count
        columns = []
        for field, size in zip(fields, lengths):
            column = Column(field)
            at = (decode_fixed if field.width else decode_variable)(column, block, at, rows, size)
            columns.append(column)
        return fields, columns
    except (struct.error, KeyError, IndexError) as problem:
        raise BadBlock from problem


def block_field(kind, size):
    if kind in DECIMALS:
        return Field("", kind, WIDTHS[kind], size >> 8 & 0xff, size & 0xff)
    if kind == NCHAR:
        return Field("", kind, (size - 2) // 4)
    if kind in (VARCHAR, VARBINARY, GEOMETRY):
        return Field("", kind, size - 2)
    if kind in BLOBS:
        return Field("", kind, BLOB_LENGTH)
    return Field("", kind, 4095 if kind == JSON else WIDTHS[kind])


def decode_fixed(column, block, at, rows, size):
    bits = (rows + 7) // 8
    if size != rows * column.width or at + bits + size > len(block):
        raise BadBlock
    flags = bin(int.from_bytes(b"\1" + block[at:at + bits], "big"))[3:3 + rows]
    column.flags += flags.encode()
    at += bits
    data = bytearray(block[at:at + size])
    for row, flag in enumerate(flags if "1" in flags else ""):
        if flag == "1":
            data[row * column.width:(row + 1) * column.width] = bytes(column.width)
    column.data += data
    return at + size


def decode_variable(column, block, at, rows, size):
    offsets = struct.unpack_from(f"<{rows}i", block, at)
    at += 4 * rows
    if at + size > len(block):
        raise BadBlock
    head = struct.calcsize(column.prefix)
    for offset in offsets:
        if offset < 0:
            column.append(None)
            continue
        [length] = struct.unpack_from(column.prefix, block, at + offset)
        if offset + head + length > size:
            raise BadBlock
        column.append(bytes(block[at + offset + head:at + offset + head + length]))
    return at + size
