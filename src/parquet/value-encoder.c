/* SPDX-License-Identifier: Apache-2.0
 *
 * One place that knows which function writes which type in which encoding.
 */
#include "parquet/value-encoder.h"

#include <string.h>

#include "parquet/bits.h"
#include "parquet/delta.h"
#include "parquet/hybrid.h"
#include "parquet/split.h"
#include "parquet/strings.h"

/* A run of booleans in RLE stands behind its length. */
#define RLE_LENGTH_SIZE 4

gsize value_encoder_bound(const ColumnBuffer *buffer, ParquetEncoding encoding, gsize from,
                          gsize count)
{
    switch (encoding) {
    case PARQUET_DELTA_BINARY_PACKED:
        return delta_bound(count);
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return strings_delta_bound(buffer->offsets + from, count);
    case PARQUET_RLE:
        /* Room for the bitmap as well, which is made behind the encoded run. */
        return RLE_LENGTH_SIZE + hybrid_bitmap_bound(count) + (count + 7) / 8;
    default:
        break;
    }
    if (buffer->width == 0)
        return strings_plain_bound(buffer->offsets + from, count);
    return count * buffer->width;
}

static gsize encode_plain(const ColumnBuffer *buffer, gsize from, gsize count, guint8 *out)
{
    if (buffer->width == 0)
        return strings_plain_encode(buffer->offsets + from, buffer->bytes, count, out);
    if (buffer->column->type == PARQUET_BOOLEAN) {
        bitmap_from_bytes(buffer->values + from, count, out);
        return (count + 7) / 8;
    }
    memcpy(out, buffer->values + from * buffer->width, count * buffer->width);
    return count * buffer->width;
}

static gsize encode_booleans(const guint8 *values, gsize count, guint8 *out)
{
    guint8 *bitmap = out + RLE_LENGTH_SIZE + hybrid_bitmap_bound(count);
    guint32 length;

    bitmap_from_bytes(values, count, bitmap);
    length = (guint32)hybrid_encode_bitmap(bitmap, 0, count, out + RLE_LENGTH_SIZE);
    memcpy(out, &length, RLE_LENGTH_SIZE);
    return RLE_LENGTH_SIZE + length;
}

gsize value_encoder_run(const ColumnBuffer *buffer, ParquetEncoding encoding, gsize from,
                        gsize count, guint8 *out)
{
    const guint8 *values = buffer->values + from * buffer->width;

    /* A column whose values are all missing has no memory for them. */
    if (count == 0 && encoding == PARQUET_PLAIN)
        return 0;
    switch (encoding) {
    case PARQUET_DELTA_BINARY_PACKED:
        if (buffer->width == 4)
            return delta_encode_32((const gint32 *)(gconstpointer)values, count, out);
        return delta_encode_64((const gint64 *)(gconstpointer)values, count, out);
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return strings_delta_encode(buffer->offsets + from, buffer->bytes, count, out);
    case PARQUET_BYTE_STREAM_SPLIT:
        split_encode(values, count, buffer->width, out);
        return count * buffer->width;
    case PARQUET_RLE:
        return encode_booleans(values, count, out);
    default:
        return encode_plain(buffer, from, count, out);
    }
}

guint index_width(gsize entries, gboolean aligned)
{
    /* Width 0 is allowed for a single entry, but not every reader knows. */
    guint width = MAX(bits_needed(entries == 0 ? 0 : entries - 1), 1);

    return aligned ? (width + 7) / 8 * 8 : width;
}

gsize index_encoder_bound(gsize count)
{
    return 1 + hybrid_bound(count, 32);
}

gsize index_encoder_run(const guint32 *indexes, gsize count, guint width, guint8 *out)
{
    out[0] = (guint8)width;
    return 1 + hybrid_encode(indexes, count, width, out + 1);
}
