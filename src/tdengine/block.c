/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding of raw column blocks: all sizes in 64 bits, every offset and length checked against the
 * bytes that are there.
 */
#include "tdengine/block.h"

#include <string.h>

#define HEADER_SIZE 28u
#define SCHEMA_SIZE 5u /* a column's type and bytes */
#define LENGTH_SIZE 4u /* a column's length */
#define HAS_SCHEMA  0x80000000u

static guint16 get16(const guint8 *bytes)
{
    guint16 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT16_FROM_LE(value);
}

static guint32 get32(const guint8 *bytes)
{
    guint32 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

static guint64 get64(const guint8 *bytes)
{
    guint64 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT64_FROM_LE(value);
}

/* Bytes of the length before a value of variable length. */
static guint prefix_size(TdType type)
{
    return type == TD_BLOB || type == TD_MEDIUMBLOB ? 4 : 2;
}

static gboolean read_header(const guint8 *bytes, gsize length, guint32 *ret_rows,
                            guint32 *ret_columns, GError **error)
{
    guint32 version, columns;

    if (length < HEADER_SIZE + 1 || length > TD_BLOCK_MAX_BYTES) {
        error_set(error, ERROR_FORMAT, "a block of %zu bytes is none", length);
        return FALSE;
    }
    version = get32(bytes);
    if (version != 1 && version != 2) {
        error_set(error, ERROR_FORMAT, "block of version %u, which is not known", version);
        return FALSE;
    }
    if (get32(bytes + 4) != length) {
        error_set(error, ERROR_FORMAT, "block of %u bytes came with %zu", get32(bytes + 4), length);
        return FALSE;
    }
    columns = get32(bytes + 12);
    if (columns == 0 || columns > TD_BLOCK_MAX_COLUMNS) {
        error_set(error, ERROR_FORMAT, "block of %u columns", columns);
        return FALSE;
    }
    if ((get32(bytes + 16) & HAS_SCHEMA) == 0) {
        error_set(error, ERROR_FORMAT, "block without the types of its columns");
        return FALSE;
    }
    if (length < HEADER_SIZE + columns * (gsize)(SCHEMA_SIZE + LENGTH_SIZE) + 1) {
        error_set(error, ERROR_FORMAT, "block of %zu bytes is too short for %u columns", length,
                  columns);
        return FALSE;
    }
    *ret_rows = get32(bytes + 8);
    *ret_columns = columns;
    return TRUE;
}

static gboolean read_schema(TdBlockColumn *column, const guint8 *schema, guint32 number,
                            GError **error)
{
    guint32 bytes = get32(schema + 1);

    if (!td_type_is_known(schema[0])) {
        error_set(error, ERROR_FORMAT, "block column %u has the type %u, which is not known",
                  number, schema[0]);
        return FALSE;
    }
    column->type = (TdType)schema[0];
    column->width = td_type_width(column->type);
    column->precision = 0;
    column->scale = 0;
    if (column->type == TD_DECIMAL || column->type == TD_DECIMAL64) {
        column->precision = bytes >> 8 & 0xff;
        column->scale = bytes & 0xff;
    }
    return TRUE;
}

/* The one pass over all offsets and lengths of a column. Offsets do not have to rise: a server that
 * shared equal values would be read just as well. */
static gboolean check_values(const TdBlockColumn *column, guint32 rows, guint32 *ret_bad)
{
    const guint prefix = prefix_size(column->type);
    const guint64 end = column->length;

    for (guint32 row = 0; row < rows; row++) {
        const guint32 offset = get32(column->offsets + 4 * (gsize)row);
        guint64 at = (guint64)offset + prefix;

        if (offset == G_MAXUINT32) /* NULL */
            continue;
        if (at <= end)
            at += prefix == 2 ? get16(column->values + offset) : get32(column->values + offset);
        if (at > end || offset > G_MAXINT32) {
            *ret_bad = row;
            return FALSE;
        }
    }
    return TRUE;
}

/* Places a column's parts at *at, which is moved behind it. */
static gboolean read_column(TdBlockColumn *column, guint32 rows, const guint8 *bytes, gsize end,
                            gsize *at, guint32 number, GError **error)
{
    const guint64 head = column->width != 0 ? ((guint64)rows + 7) / 8 : 4 * (guint64)rows;
    guint32 bad;

    if (head + column->length > end - *at) {
        error_set(error, ERROR_FORMAT, "block column %u passes the block's end", number);
        return FALSE;
    }
    column->bitmap = column->width != 0 ? bytes + *at : NULL;
    column->offsets = column->width != 0 ? NULL : bytes + *at;
    column->values = bytes + *at + head;
    *at += head + column->length;
    if (column->width != 0 && column->length != (guint64)rows * column->width) {
        error_set(error, ERROR_FORMAT, "block column %u has %u bytes for %u values of %u", number,
                  column->length, rows, column->width);
        return FALSE;
    }
    if (column->width == 0 && !check_values(column, rows, &bad)) {
        error_set(error, ERROR_FORMAT, "value %u of block column %u lies outside the column", bad,
                  number);
        return FALSE;
    }
    return TRUE;
}

gboolean td_block_decode(TdBlock *block, const guint8 *bytes, gsize length, GError **error)
{
    guint32 rows, n_columns;
    const guint8 *schema = bytes + HEADER_SIZE;
    gsize at;

    if (!read_header(bytes, length, &rows, &n_columns, error))
        return FALSE;
    if (block->capacity < n_columns) {
        block->columns = g_renew(TdBlockColumn, block->columns, n_columns);
        block->capacity = n_columns;
    }
    block->n_columns = n_columns;
    block->rows = rows;
    block->group = get64(bytes + 20);
    at = HEADER_SIZE + n_columns * (gsize)(SCHEMA_SIZE + LENGTH_SIZE);
    for (guint32 i = 0; i < n_columns; i++) {
        TdBlockColumn *column = &block->columns[i];

        if (!read_schema(column, schema + i * (gsize)SCHEMA_SIZE, i, error))
            return FALSE;
        column->length = get32(schema + n_columns * (gsize)SCHEMA_SIZE + i * (gsize)LENGTH_SIZE);
        if (!read_column(column, rows, bytes, length - 1, &at, i, error))
            return FALSE;
    }
    if (at != length - 1) { /* the trailing byte */
        error_set(error, ERROR_FORMAT, "block with %zu bytes behind its columns", length - at);
        return FALSE;
    }
    return TRUE;
}

void td_block_clear(TdBlock *block)
{
    g_clear_pointer(&block->columns, g_free);
    memset(block, 0, sizeof *block);
}

const guint8 *td_block_value(const TdBlockColumn *column, guint32 row, guint32 *ret_length)
{
    const guint8 *value;
    guint prefix;

    if (column->width != 0) {
        *ret_length = column->width;
        return column->values + (gsize)row * column->width;
    }
    prefix = prefix_size(column->type);
    value = column->values + get32(column->offsets + 4 * (gsize)row);
    *ret_length = prefix == 2 ? get16(value) : get32(value);
    return value + prefix;
}

gboolean td_nchar_to_utf8(const guint8 *bytes, guint32 length, GString *text, GError **error)
{
    if (length % 4 != 0) {
        error_set(error, ERROR_FORMAT, "NCHAR value of %u bytes", length);
        return FALSE;
    }
    for (guint32 at = 0; at < length; at += 4) {
        const guint32 character = get32(bytes + at);

        if (character < 0x80) {
            g_string_append_c(text, (char)character);
            continue;
        }
        /* Not g_unichar_validate(): that refuses U+FFFE and its like, which text may hold. */
        if (character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff)) {
            error_set(error, ERROR_FORMAT, "NCHAR value holds U+%X, which is no character",
                      character);
            return FALSE;
        }
        g_string_append_unichar(text, character);
    }
    return TRUE;
}
