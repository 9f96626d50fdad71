/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as text.
 */
#include "parquet/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_SECONDS 86400
/* Of 1970-01-01, counted as INT96 times do. */
#define JULIAN_EPOCH 2440588
/* Longer decimals are shown as hexadecimal digits. */
#define DECIMAL_BYTES_MAX 64

static void append_hex(GString *text, const guint8 *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++)
        g_string_append_printf(text, "%02x", bytes[i]);
}

/* The proleptic Gregorian date of a day since 1970-01-01, by eras of 400 years that start in
 * March. */
static void append_date(GString *text, gint64 days)
{
    gint64 shifted = days + 719468;
    gint64 era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    gint64 of_era = shifted - era * 146097;
    gint64 year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    gint64 of_year = of_era - (365 * year + year / 4 - year / 100);
    gint64 month = (5 * of_year + 2) / 153;
    gint64 day = of_year - (153 * month + 2) / 5 + 1;

    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    g_string_append_printf(text,
                           "%s%04" G_GINT64_FORMAT "-%02" G_GINT64_FORMAT "-%02" G_GINT64_FORMAT,
                           year > 9999 ? "+" : "", year, month, day);
}

static gint64 units_a_second(ParquetUnit unit)
{
    return unit == PARQUET_MILLIS ? 1000 : unit == PARQUET_MICROS ? 1000000 : 1000000000;
}

/* A time of day, given in units of which `scale` make a second. */
static void append_clock(GString *text, gint64 of_day, gint64 scale)
{
    gint64 seconds = of_day / scale;
    gint digits = scale == 1000 ? 3 : scale == 1000000 ? 6 : 9;

    g_string_append_printf(text,
                           "%02" G_GINT64_FORMAT ":%02" G_GINT64_FORMAT ":%02" G_GINT64_FORMAT
                           ".%0*" G_GINT64_FORMAT,
                           seconds / 3600, seconds / 60 % 60, seconds % 60, digits, of_day % scale);
}

static void append_timestamp(GString *text, const ParquetColumn *column, gint64 value)
{
    gint64 scale = units_a_second(column->unit), day = scale * DAY_SECONDS;
    gint64 days = value / day - (value % day < 0);

    append_date(text, days);
    g_string_append_c(text, 'T');
    append_clock(text, value % day < 0 ? value % day + day : value % day, scale);
    if (column->utc)
        g_string_append_c(text, 'Z');
}

static void append_time(GString *text, const ParquetColumn *column, gint64 value)
{
    gint64 scale = units_a_second(column->unit);

    if (value < 0 || value >= scale * DAY_SECONDS)
        g_string_append_printf(text, "%" G_GINT64_FORMAT, value);
    else
        append_clock(text, value, scale);
}

/* Nanoseconds of the day, then the Julian day. */
static void append_int96(GString *text, const guint8 *value)
{
    guint64 nanos;
    guint32 day;

    memcpy(&nanos, value, sizeof nanos);
    memcpy(&day, value + sizeof nanos, sizeof day);
    if (nanos >= G_GUINT64_CONSTANT(1000000000) * DAY_SECONDS) {
        append_hex(text, value, 12);
        return;
    }
    append_date(text, (gint64)day - JULIAN_EPOCH);
    g_string_append_c(text, 'T');
    append_clock(text, (gint64)nanos, 1000000000);
}

/* Puts the decimal point into a row of digits, with zeros in front where there are too few. */
static void append_point(GString *text, gboolean negative, const char *digits, gint scale)
{
    gint length = (gint)strlen(digits), whole = length - scale;

    if (negative)
        g_string_append_c(text, '-');
    if (whole <= 0)
        g_string_append_c(text, '0');
    else
        g_string_append_len(text, digits, whole);
    if (scale == 0)
        return;
    g_string_append_c(text, '.');
    for (gint i = whole; i < 0; i++)
        g_string_append_c(text, '0');
    g_string_append(text, digits + MAX(whole, 0));
}

/* Big-endian two's complement of any length, by long division. */
static void append_decimal(GString *text, const guint8 *value, gsize length, gint scale)
{
    guint8 number[DECIMAL_BYTES_MAX];
    char digits[DECIMAL_BYTES_MAX * 3];
    gboolean negative = length > 0 && (value[0] & 0x80) != 0;
    guint carry = negative;
    gsize at = sizeof digits - 1;

    for (gsize i = length; i-- > 0;) {
        carry += negative ? (guint8)~value[i] : value[i];
        number[i] = (guint8)carry;
        carry >>= 8;
    }
    digits[at] = '\0';
    for (gboolean more = TRUE; more;) {
        guint rest = 0;

        more = FALSE;
        for (gsize i = 0; i < length; i++) {
            rest = rest << 8 | number[i];
            number[i] = (guint8)(rest / 10);
            rest %= 10;
            more = more || number[i] != 0;
        }
        digits[--at] = (char)('0' + rest);
    }
    append_point(text, negative, digits + at, scale);
}

static gboolean append_double(GString *text, double value, gboolean single)
{
    char digits[40];

    if (!isfinite(value)) {
        g_string_append(text, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return FALSE;
    }
    /* The fewest digits that give the value back. */
    for (gint precision = single ? 6 : 15; precision <= 17; precision++) {
        char format[8];

        g_snprintf(format, sizeof format, "%%.%dg", precision);
        g_ascii_formatd(digits, sizeof digits, format, value);
        if (single ? (float)g_ascii_strtod(digits, NULL) == (float)value
                   : g_ascii_strtod(digits, NULL) == value)
            break;
    }
    g_string_append(text, digits);
    return TRUE;
}

static gboolean append_integer(GString *text, const ParquetColumn *column, gint64 value)
{
    guint64 big;

    switch (column->logical) {
    case PARQUET_DECIMAL:
        big = GUINT64_TO_BE((guint64)value);
        append_decimal(text, (const guint8 *)&big, sizeof big, column->scale);
        return FALSE;
    case PARQUET_DATE:
        append_date(text, value);
        return FALSE;
    case PARQUET_TIME:
        append_time(text, column, value);
        return FALSE;
    case PARQUET_TIMESTAMP:
        append_timestamp(text, column, value);
        return FALSE;
    case PARQUET_INTEGER:
        if (!column->is_signed) {
            big = column->type == PARQUET_INT32 ? (guint32)value : (guint64)value;
            g_string_append_printf(text, "%" G_GUINT64_FORMAT, big);
            return TRUE;
        }
        break;
    default:
        break;
    }
    g_string_append_printf(text, "%" G_GINT64_FORMAT, value);
    return TRUE;
}

static void append_bytes(GString *text, const ParquetColumn *column, const guint8 *value,
                         gsize length)
{
    if (parquet_column_is_text(column)) {
        g_string_append_len(text, (const char *)value, (gssize)length);
    } else if (column->logical == PARQUET_DECIMAL && length <= DECIMAL_BYTES_MAX) {
        append_decimal(text, value, length, column->scale);
    } else if (column->logical == PARQUET_UUID && length == 16) {
        for (gsize i = 0; i < length; i++)
            g_string_append_printf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                                   value[i]);
    } else {
        append_hex(text, value, length);
    }
}

gboolean parquet_text_append(GString *text, const ParquetColumn *column, const guint8 *value,
                             gsize length)
{
    gint32 narrow;
    gint64 wide;
    float single;
    double real;

    switch (column->type) {
    case PARQUET_BOOLEAN:
        g_string_append(text, value[0] != 0 ? "true" : "false");
        return TRUE;
    case PARQUET_INT32:
        memcpy(&narrow, value, sizeof narrow);
        return append_integer(text, column, narrow);
    case PARQUET_INT64:
        memcpy(&wide, value, sizeof wide);
        return append_integer(text, column, wide);
    case PARQUET_FLOAT:
        memcpy(&single, value, sizeof single);
        return append_double(text, (double)single, TRUE);
    case PARQUET_DOUBLE:
        memcpy(&real, value, sizeof real);
        return append_double(text, real, FALSE);
    case PARQUET_INT96:
        append_int96(text, value);
        return FALSE;
    case PARQUET_FIXED:
    case PARQUET_BYTE_ARRAY:
        append_bytes(text, column, value, length);
        return FALSE;
    }
    return FALSE;
}

gboolean parquet_text_append_row(GString *text, const ParquetColumn *column,
                                 const ParquetArray *array, gsize row)
{
    gsize width = parquet_column_width(column);

    if (width > 0)
        return parquet_text_append(text, column, (const guint8 *)array->values + row * width,
                                   width);
    return parquet_text_append(text, column, array->bytes + array->offsets[row],
                               array->offsets[row + 1] - array->offsets[row]);
}
