/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of blocks as Parquet has them.
 */
#include "tdengine/columns.h"

#include <string.h>

#include "parquet/bits.h"

/* --- Types ------------------------------------------------------------------------------------ */

static void integer_column(ParquetColumn *column, guint bits, gboolean is_signed)
{
    column->type = bits == 64 ? PARQUET_INT64 : PARQUET_INT32;
    column->logical = PARQUET_INTEGER;
    column->bits = bits;
    column->is_signed = is_signed;
}

static void decimal_column(ParquetColumn *column, const TdField *field)
{
    column->type = field->type == TD_DECIMAL ? PARQUET_FIXED : PARQUET_INT64;
    column->length = field->type == TD_DECIMAL ? 16 : 0;
    column->logical = PARQUET_DECIMAL;
    column->precision = (gint)field->precision;
    column->scale = (gint)field->scale;
}

static gboolean is_text(TdType type)
{
    return type == TD_VARCHAR || type == TD_NCHAR || type == TD_JSON;
}

void td_parquet_column(const TdField *field, TdPrecision precision, gboolean optional,
                       ParquetColumn *ret_column)
{
    static const ParquetUnit units[] = {PARQUET_MILLIS, PARQUET_MICROS, PARQUET_NANOS};
    ParquetColumn column = {.name = field->name, .optional = optional};

    switch (field->type) {
    case TD_BOOL:
        column.type = PARQUET_BOOLEAN;
        break;
    case TD_TINYINT:
    case TD_UTINYINT:
        integer_column(&column, 8, field->type == TD_TINYINT);
        break;
    case TD_SMALLINT:
    case TD_USMALLINT:
        integer_column(&column, 16, field->type == TD_SMALLINT);
        break;
    case TD_INT:
    case TD_UINT:
        integer_column(&column, 32, field->type == TD_INT);
        break;
    case TD_BIGINT:
    case TD_UBIGINT:
        integer_column(&column, 64, field->type == TD_BIGINT);
        break;
    case TD_FLOAT:
        column.type = PARQUET_FLOAT;
        break;
    case TD_DOUBLE:
        column.type = PARQUET_DOUBLE;
        break;
    case TD_TIMESTAMP:
        column.type = PARQUET_INT64;
        column.logical = PARQUET_TIMESTAMP;
        column.unit = units[precision];
        column.utc = TRUE;
        break;
    case TD_DECIMAL:
    case TD_DECIMAL64:
        decimal_column(&column, field);
        break;
    default:
        column.type = PARQUET_BYTE_ARRAY;
        if (is_text(field->type) && !field->binary)
            column.logical = field->type == TD_JSON ? PARQUET_JSON : PARQUET_STRING;
        break;
    }
    *ret_column = column;
}

/* --- Gathering -------------------------------------------------------------------------------- */

void td_gather_init(TdGather *gather, const ParquetColumn *column)
{
    const guint32 zero = 0;

    memset(gather, 0, sizeof *gather);
    gather->column = *column;
    gather->width = parquet_column_width(column);
    gather->values = g_byte_array_new();
    gather->offsets = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_val(gather->offsets, zero);
    gather->bytes = g_string_new(NULL);
    gather->validity = g_byte_array_new();
}

void td_gather_init_field(TdGather *gather, const TdField *field, TdPrecision precision,
                          gboolean optional)
{
    ParquetColumn column;

    td_parquet_column(field, precision, optional, &column);
    td_gather_init(gather, &column);
    gather->type = field->type;
    gather->text = is_text(field->type) && !field->binary;
    gather->ucs4 = gather->text && field->type == TD_NCHAR;
}

void td_gather_clear(TdGather *gather)
{
    g_clear_pointer(&gather->values, g_byte_array_unref);
    g_clear_pointer(&gather->offsets, g_array_unref);
    if (gather->bytes != NULL)
        g_string_free(g_steal_pointer(&gather->bytes), TRUE);
    g_clear_pointer(&gather->validity, g_byte_array_unref);
}

void td_gather_reset(TdGather *gather)
{
    gather->rows = 0;
    g_byte_array_set_size(gather->values, 0);
    g_array_set_size(gather->offsets, 1);
    g_string_truncate(gather->bytes, 0);
    g_byte_array_set_size(gather->validity, 0);
    gather->has_nulls = FALSE;
}

/* The bitmap is made at the first NULL: most columns have none. */
static void add_validity(TdGather *gather, gsize count, gboolean nulls)
{
    if (!nulls && !gather->has_nulls)
        return;
    g_byte_array_set_size(gather->validity, (guint)((gather->rows + count + 7) / 8));
    if (!gather->has_nulls)
        bitmap_fill(gather->validity->data, 0, gather->rows, TRUE);
    bitmap_fill(gather->validity->data, gather->rows, count, TRUE);
    gather->has_nulls = TRUE;
}

static void clear_valid(TdGather *gather, gsize row)
{
    gather->validity->data[row >> 3] &= (guint8) ~(1u << (row & 7));
}

static gboolean has_nulls(const TdBlockColumn *column, guint32 from, guint32 count)
{
    for (guint32 row = from; row < from + count; row++)
        if (td_block_is_null(column, row))
            return TRUE;
    return FALSE;
}

#define WIDEN(from_type_, to_type_)                                                                \
    for (guint32 i = 0; i < count; i++) {                                                          \
        from_type_ narrow;                                                                         \
        to_type_ wide;                                                                             \
        memcpy(&narrow, values + i * sizeof narrow, sizeof narrow);                                \
        wide = narrow;                                                                             \
        memcpy(to + i * sizeof wide, &wide, sizeof wide);                                          \
    }

/* Decimals are big endian in Parquet. */
static void reverse_decimals(const guint8 *values, guint8 *to, guint32 count)
{
    for (guint32 i = 0; i < count; i++)
        for (guint j = 0; j < 16; j++)
            to[i * 16 + j] = values[i * 16 + 15 - j];
}

static void add_fixed(TdGather *gather, const TdBlockColumn *column, guint32 from, guint32 count)
{
    const guint8 *values = column->values + (gsize)from * column->width;
    gsize start = gather->rows * gather->width;
    guint8 *to;

    g_byte_array_set_size(gather->values, (guint)(start + count * gather->width));
    to = gather->values->data + start;
    switch (column->type) {
    case TD_TINYINT:
        WIDEN(gint8, gint32)
        break;
    case TD_UTINYINT:
        WIDEN(guint8, guint32)
        break;
    case TD_SMALLINT:
        WIDEN(gint16, gint32)
        break;
    case TD_USMALLINT:
        WIDEN(guint16, guint32)
        break;
    case TD_DECIMAL:
        reverse_decimals(values, to, count);
        break;
    default:
        memcpy(to, values, count * gather->width);
        break;
    }
}

/* UTF-8 with NUL allowed: g_utf8_validate() refuses it, TDengine and Parquet do not. */
static gboolean is_utf8(const guint8 *bytes, gsize length)
{
    const char *at = (const char *)bytes, *end = at + length;

    while (at < end && !g_utf8_validate(at, end - at, &at)) {
        if (at < end && *at != '\0')
            return FALSE;
        at++;
    }
    return TRUE;
}

static gboolean is_ascii(const guint8 *bytes, gsize length)
{
    guint8 all = 0;

    for (gsize i = 0; i < length; i++)
        all |= bytes[i];
    return all < 0x80;
}

static gboolean add_bytes(TdGather *gather, const guint8 *value, guint32 length)
{
    if (gather->ucs4)
        return td_nchar_to_utf8(value, length, gather->bytes, NULL);
    if (gather->text && !is_ascii(value, length) && !is_utf8(value, length))
        return FALSE;
    g_string_append_len(gather->bytes, (const char *)value, length);
    return TRUE;
}

static gboolean add_variable(TdGather *gather, const TdBlockColumn *column, guint32 from,
                             guint32 count)
{
    g_array_set_size(gather->offsets, (guint)(gather->rows + count + 1));
    for (guint32 i = 0; i < count; i++) {
        if (!td_block_is_null(column, from + i)) {
            guint32 length;
            const guint8 *value = td_block_value(column, from + i, &length);

            if (!add_bytes(gather, value, length))
                return FALSE;
        }
        g_array_index(gather->offsets, guint32, gather->rows + i + 1) = (guint32)gather->bytes->len;
    }
    return TRUE;
}

gboolean td_gather_add(TdGather *gather, const TdBlockColumn *column, guint32 from, guint32 count)
{
    gboolean nulls = has_nulls(column, from, count);

    if (gather->width == 0) {
        if (!add_variable(gather, column, from, count))
            return FALSE;
    } else {
        add_fixed(gather, column, from, count);
    }
    add_validity(gather, count, nulls);
    for (guint32 i = 0; nulls && i < count; i++)
        if (td_block_is_null(column, from + i))
            clear_valid(gather, gather->rows + i);
    gather->rows += count;
    return TRUE;
}

void td_gather_add_text(TdGather *gather, const char *text, gsize length, guint32 count)
{
    g_array_set_size(gather->offsets, (guint)(gather->rows + count + 1));
    for (guint32 i = 0; i < count; i++) {
        if (text != NULL)
            g_string_append_len(gather->bytes, text, (gssize)length);
        g_array_index(gather->offsets, guint32, gather->rows + i + 1) = (guint32)gather->bytes->len;
    }
    add_validity(gather, count, text == NULL);
    for (guint32 i = 0; text == NULL && i < count; i++)
        clear_valid(gather, gather->rows + i);
    gather->rows += count;
}

void td_gather_add_value(TdGather *gather, const void *value)
{
    gsize start = gather->rows * gather->width;

    g_byte_array_set_size(gather->values, (guint)(start + gather->width));
    if (value != NULL)
        memcpy(gather->values->data + start, value, gather->width);
    add_validity(gather, 1, value == NULL);
    if (value == NULL)
        clear_valid(gather, gather->rows);
    gather->rows++;
}

void td_gather_array(const TdGather *gather, ParquetArray *ret_array)
{
    *ret_array =
        (ParquetArray){.values = gather->width != 0 ? gather->values->data : NULL,
                       .offsets = gather->width == 0
                                      ? (const guint32 *)(gpointer)gather->offsets->data
                                      : NULL,
                       .bytes = gather->width == 0 ? (const guint8 *)gather->bytes->str : NULL,
                       .validity = gather->has_nulls ? gather->validity->data : NULL};
}

gsize td_gather_bytes(const TdGather *gather)
{
    return gather->width != 0 ? gather->rows * gather->width
                              : gather->bytes->len + gather->rows * sizeof(guint32);
}
