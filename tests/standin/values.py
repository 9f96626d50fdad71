# SPDX-License-Identifier: Apache-2.0
"""From literals to the bytes of a column, and from there to the JSON of REST."""
import decimal
import json
import math
import re
import struct
import time

import columns as c
import errors

PRECISIONS = {"ms": 1000, "us": 10 ** 6, "ns": 10 ** 9}

RANGES = {c.TINYINT: (-128, 127), c.UTINYINT: (0, 255), c.SMALLINT: (-32768, 32767), c.USMALLINT: (0, 65535),
          c.INT: (-2 ** 31, 2 ** 31 - 1), c.UINT: (0, 2 ** 32 - 1), c.BIGINT: (-2 ** 63, 2 ** 63 - 1),
          c.UBIGINT: (0, 2 ** 64 - 1)}
DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?")
SHIFT = re.compile(r"(\d+)([buasmhdw])")
SHIFTS = {"b": 1, "u": 1000, "a": 10 ** 6, "s": 10 ** 9, "m": 60 * 10 ** 9, "h": 3600 * 10 ** 9, "d": 86400 * 10 ** 9,
          "w": 7 * 86400 * 10 ** 9}
MAXIMUM = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_UP)


def days_from_civil(year, month, day):
    """Days since 1970 of a date of the proleptic Gregorian calendar."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def parse_time(text, ticks):
    found = DATE.fullmatch(text.strip())
    if found is None:
        raise errors.bad_value(text, "invalid timestamp")
    year, month, day = (int(found[i]) for i in (1, 2, 3))
    seconds = days_from_civil(year, month, day) * 86400
    seconds += int(found[4] or 0) * 3600 + int(found[5] or 0) * 60 + int(found[6] or 0)
    zone = found[8]
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        seconds -= minutes * 60 * (1 if zone[0] == "+" else -1)
    fraction = int((found[7] or "0").ljust(9, "0"))
    return seconds * ticks + fraction * ticks // 10 ** 9


def now(ticks):
    return time.time_ns() * ticks // 10 ** 9


def format_time(value, ticks):
    seconds, fraction = divmod(value, ticks)
    days, inside = divmod(seconds, 86400)
    # Civil from days: the inverse of the above.
    days += 719468
    era, of_era = divmod(days, 146097)
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year = year_of_era + era * 400 + (month <= 2)
    digits = {1000: 3, 10 ** 6: 6, 10 ** 9: 9}[ticks]
    return (f"{year:04}-{month:02}-{day:02}T{inside // 3600:02}:{inside // 60 % 60:02}:{inside % 60:02}"
            f".{fraction:0{digits}}Z")


def raw_bytes(text):
    return text.encode("utf-8", "surrogateescape")


def binary(text):
    if text[:2] in ("\\x", "\\X"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError as problem:
            raise errors.bad_value(text, "invalid hex") from problem
    return raw_bytes(text)


def point(text):
    """WKB of POINT and POINT EMPTY: the only geometry that the stand-in reads."""
    found = re.fullmatch(r"POINT\s*(?:EMPTY|\(\s*([-+.\deE]+)\s+([-+.\deE]+)\s*\))", text.strip(), re.IGNORECASE)
    if found is None:
        raise errors.bad_value(text, "invalid geometry")
    numbers = (float(found[1]), float(found[2])) if found[1] else (math.nan, math.nan)
    return struct.pack("<BIdd", 1, 1, *numbers)


def json_tag(text):
    """Stored again from what was read: keys sorted, blanks gone; nothing in it is NULL."""
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except ValueError as problem:
        raise errors.bad_value(text, "json parse error") from problem
    if value is None or value == {}:
        return None
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def from_text(field, text, ticks):
    kind = field.type
    if kind == c.NCHAR:
        value = text.encode("utf-32-le", "surrogateescape" if text.isascii() else "strict")
        return check_length(field, value, 4 * field.length)
    if kind == c.VARCHAR:
        return check_length(field, raw_bytes(text), field.length)
    if kind == c.VARBINARY:
        return check_length(field, binary(text), field.length)
    if kind == c.GEOMETRY:
        return check_length(field, point(text), field.length)
    if kind in c.BLOBS:
        return binary(text)
    if kind == c.JSON:
        return json_tag(text)
    if kind == c.TIMESTAMP:
        return struct.pack("<q", int(text) if re.fullmatch(r"-?\d+", text) else parse_time(text, ticks))
    return from_number(field, text, ticks)


def check_length(field, value, limit):
    if len(value) > limit:
        raise errors.too_long(field.name)
    return value


def from_number(field, text, ticks):
    kind = field.type
    lowered = text.strip().lower()
    if kind in c.BLOBS or not field.width:
        return from_text(field, text, ticks)
    try:
        if kind == c.BOOL:
            return bytes([1 if lowered == "true" else 0 if lowered == "false" else int(float(lowered) != 0)])
        if kind in c.DECIMALS:
            return from_decimal(field, lowered)
        if lowered in ("true", "false"):
            lowered = str(int(lowered == "true"))
        if kind in (c.FLOAT, c.DOUBLE):
            return struct.pack(c.FORMATS[kind], float(lowered))
        number = int(lowered) if re.fullmatch(r"[-+]?\d+", lowered) else round(float(lowered))
    except (ValueError, OverflowError, decimal.InvalidOperation) as problem:
        raise errors.bad_value(text, f"invalid {c.NAMES[kind].lower()} data") from problem
    if kind != c.TIMESTAMP:
        least, most = RANGES[kind]
        if not least <= number <= most:
            raise errors.bad_value(text, f"{c.NAMES[kind].lower()} data overflow")
    return struct.pack(c.FORMATS[kind], number)


def from_decimal(field, text):
    number = decimal.Decimal(text).scaleb(field.scale, MAXIMUM).to_integral_value(decimal.ROUND_HALF_UP)
    if abs(number) >= 10 ** field.precision:
        raise errors.ServerError(317, "Decimal value overflow")
    return int(number).to_bytes(field.width, "little", signed=True)


def decimal_text(field, value):
    number = int.from_bytes(value, "little", signed=True)
    digits = str(abs(number)).rjust(field.scale + 1, "0")
    text = digits[:-field.scale] + "." + digits[-field.scale:] if field.scale else digits
    return "-" + text if number < 0 else text


def shortest_float(number):
    """The shortest decimal that gives the same 4 bytes."""
    for digits in range(1, 10):
        text = f"{number:.{digits}g}"
        if abs(float(text)) < 3.402823567e38 and struct.pack("<f", float(text)) == struct.pack("<f", number):
            return text
    return repr(number)


class Unfit(Exception):
    """A value that JSON has no word for: the real gateway sends nothing then."""


def to_python(field, value):
    """A value of a column as a number, text or bytes."""
    if value is None:
        return None
    if field.type == c.BOOL:
        return value != b"\0"
    if field.type in c.FORMATS:
        return struct.unpack(c.FORMATS[field.type], value)[0]
    if field.type == c.NCHAR:
        return value.decode("utf-32-le", "replace")
    if field.type in (c.VARCHAR, c.JSON):
        return value.decode("utf-8", "surrogateescape")
    if field.type in c.DECIMALS:
        return decimal.Decimal(decimal_text(field, value))
    return value


def to_json(field, value, ticks):
    """The text of a value in a REST answer."""
    if value is None:
        return "null"
    plain = to_python(field, value)
    if field.type == c.TIMESTAMP:
        return f'"{format_time(plain, ticks)}"'
    if field.type in (c.FLOAT, c.DOUBLE):
        if not math.isfinite(plain):
            raise Unfit
        text = shortest_float(plain) if field.type == c.FLOAT else repr(plain)
        return text[:-2] if text.endswith(".0") else text
    if field.type in c.DECIMALS:
        return f'"{decimal_text(field, value)}"'
    if field.type == c.BOOL:
        return "true" if plain else "false"
    if field.type == c.JSON:
        return plain
    if isinstance(plain, bytes):
        return f'"{plain.hex()}"'
    if isinstance(plain, int):
        return str(plain)
    return json.dumps(plain, ensure_ascii=False)
