/* SPDX-License-Identifier: Apache-2.0
 *
 * One place that knows which function reads which type in which encoding.
 */
#include "parquet/value-decoder.h"

#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"
#include "parquet/delta.h"
#include "parquet/hybrid.h"
#include "parquet/split.h"

void value_run_init(ValueRun *run, const ParquetColumn *column, Budget *budget)
{
    memset(run, 0, sizeof *run);
    run->column = column;
    run->width = parquet_column_width(column);
    run->block.budget = budget;
    string_run_init(&run->strings, budget);
}

void value_run_clear(ValueRun *run)
{
    block_clear(&run->block);
    string_run_clear(&run->strings);
}

static gboolean fail_length(gsize length, gsize count, GError **error)
{
    error_set(error, ERROR_FORMAT,
              "%" G_GSIZE_FORMAT " bytes are not those of %" G_GSIZE_FORMAT " values", length,
              count);
    return FALSE;
}

static gboolean reserve(ValueRun *run, gsize count, GError **error)
{
    if (!block_reserve_array(&run->block, count, run->width, error))
        return FALSE;
    run->values = run->block.data;
    return TRUE;
}

static gboolean decode_booleans(ValueRun *run, const guint8 *bitmap, gsize length, gsize count,
                                GError **error)
{
    if (length != (count + 7) / 8)
        return fail_length(length, count, error);
    if (!reserve(run, count, error))
        return FALSE;
    bitmap_to_bytes(bitmap, count, run->block.data);
    return TRUE;
}

/* Booleans in RLE stand behind the length of the run. */
static gboolean decode_rle(ValueRun *run, const guint8 *in, gsize length, gsize count,
                           GError **error)
{
    guint32 size;
    guint8 *bitmap;
    gsize bitmap_size = (count + 7) / 8;

    if (length < 4)
        return fail_length(length, count, error);
    memcpy(&size, in, 4);
    if (size != length - 4)
        return fail_length(length, count, error);
    /* The bitmap stands behind the bytes that are made of it. */
    if (!block_reserve(&run->block, count + bitmap_size, error))
        return FALSE;
    run->values = run->block.data;
    bitmap = run->block.data + count;
    memset(bitmap, 0, bitmap_size);
    if (!hybrid_decode_bitmap(in + 4, size, bitmap, count, error))
        return FALSE;
    bitmap_to_bytes(bitmap, count, run->block.data);
    return TRUE;
}

static gboolean decode_plain(ValueRun *run, const guint8 *in, gsize length, gsize count,
                             GError **error)
{
    if (run->width == 0)
        return strings_plain_decode(in, length, count, &run->strings, error);
    if (run->column->type == PARQUET_BOOLEAN)
        return decode_booleans(run, in, length, count, error);
    if (length / run->width != count || length % run->width != 0)
        return fail_length(length, count, error);
    run->values = in;
    /* Numbers are handed up where they are only if the machine can read them there. */
    if ((run->width == 4 || run->width == 8) && (gsize)in % run->width != 0) {
        if (!reserve(run, count, error))
            return FALSE;
        memcpy(run->block.data, in, count * run->width);
    }
    return TRUE;
}

static gboolean decode_delta(ValueRun *run, const guint8 *in, gsize length, gsize count,
                             GError **error)
{
    gsize used;

    if (!reserve(run, count, error))
        return FALSE;
    if (run->width == 4)
        return delta_decode_32(in, length, (gint32 *)(gpointer)run->block.data, count, &used,
                               error);
    return delta_decode_64(in, length, (gint64 *)(gpointer)run->block.data, count, &used, error);
}

static gboolean decode_split(ValueRun *run, const guint8 *in, gsize length, gsize count,
                             GError **error)
{
    if (length / run->width != count || length % run->width != 0)
        return fail_length(length, count, error);
    if (!reserve(run, count, error))
        return FALSE;
    split_decode(in, count, run->width, run->block.data);
    return TRUE;
}

/* FIXED values may be written as byte arrays are; each must have the column's length then. */
static gboolean strings_to_fixed(ValueRun *run, gsize count, GError **error)
{
    const guint32 *offsets = string_run_offsets(&run->strings);

    for (gsize i = 0; i < count; i++) {
        if (offsets[i + 1] - offsets[i] != run->width) {
            error_set(error, ERROR_FORMAT, "a value has %u bytes where %" G_GSIZE_FORMAT " are due",
                      offsets[i + 1] - offsets[i], run->width);
            return FALSE;
        }
    }
    run->values = run->strings.bytes.data;
    return TRUE;
}

static gboolean is_allowed(const ParquetColumn *column, ParquetEncoding encoding)
{
    ParquetType type = column->type;

    switch (encoding) {
    case PARQUET_PLAIN:
        return TRUE;
    case PARQUET_RLE:
        return type == PARQUET_BOOLEAN;
    case PARQUET_DELTA_BINARY_PACKED:
        return type == PARQUET_INT32 || type == PARQUET_INT64;
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return type == PARQUET_BYTE_ARRAY;
    case PARQUET_DELTA_BYTE_ARRAY:
        return type == PARQUET_BYTE_ARRAY || type == PARQUET_FIXED;
    case PARQUET_BYTE_STREAM_SPLIT:
        return type != PARQUET_BOOLEAN && type != PARQUET_BYTE_ARRAY && type != PARQUET_INT96;
    default:
        return FALSE;
    }
}

gboolean value_decoder_run(ValueRun *run, ParquetEncoding encoding, const guint8 *in, gsize length,
                           gsize count, GError **error)
{
    if (!is_allowed(run->column, encoding)) {
        error_set(error, ERROR_UNSUPPORTED, "%s values in encoding %s (%d) cannot be read",
                  parquet_type_name(run->column->type), parquet_encoding_name(encoding),
                  (int)encoding);
        return FALSE;
    }
    switch (encoding) {
    case PARQUET_RLE:
        return decode_rle(run, in, length, count, error);
    case PARQUET_DELTA_BINARY_PACKED:
        return decode_delta(run, in, length, count, error);
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return strings_delta_decode(in, length, count, &run->strings, error);
    case PARQUET_DELTA_BYTE_ARRAY:
        return strings_front_coded_decode(in, length, count, &run->strings, error) &&
               (run->width == 0 || strings_to_fixed(run, count, error));
    case PARQUET_BYTE_STREAM_SPLIT:
        return decode_split(run, in, length, count, error);
    default:
        return decode_plain(run, in, length, count, error);
    }
}

gboolean index_decoder_run(const guint8 *in, gsize length, gsize count, gsize entries,
                           guint32 *indexes, GError **error)
{
    guint32 largest = 0;

    if (count == 0)
        return TRUE;
    if (length == 0)
        return fail_length(length, count, error);
    if (!hybrid_decode(in + 1, length - 1, in[0], indexes, count, error))
        return FALSE;
    for (gsize i = 0; i < count; i++)
        largest = MAX(largest, indexes[i]);
    if (largest >= entries) {
        error_set(error, ERROR_FORMAT,
                  "dictionary index %u, and the dictionary has %" G_GSIZE_FORMAT " entries",
                  largest, entries);
        return FALSE;
    }
    return TRUE;
}

void gather_values(const guint8 *values, gsize width, const guint32 *indexes, gsize count,
                   guint8 *out)
{
    switch (width) {
    case 4:
        for (gsize i = 0; i < count; i++)
            memcpy(out + 4 * i, values + 4 * (gsize)indexes[i], 4);
        return;
    case 8:
        for (gsize i = 0; i < count; i++)
            memcpy(out + 8 * i, values + 8 * (gsize)indexes[i], 8);
        return;
    default:
        for (gsize i = 0; i < count; i++)
            memcpy(out + width * i, values + width * (gsize)indexes[i], width);
    }
}
