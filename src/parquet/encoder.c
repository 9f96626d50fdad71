/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of one column chunk.
 */
#include "parquet/encoder.h"

#include <isa-l/crc.h>
#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"
#include "parquet/choose.h"
#include "parquet/dictionary.h"
#include "parquet/hybrid.h"
#include "parquet/page-codec.h"
#include "parquet/statistics.h"
#include "parquet/value-encoder.h"

/* Definition levels of a v1 page stand behind their length. */
#define LEVELS_LENGTH_SIZE 4

/* One chunk being encoded. */
typedef struct {
    const ColumnBuffer *buffer;
    const EncoderSettings *settings;
    EncodedChunk *encoded;
    Choice choice;
    Order order;
    gboolean text;
    gboolean bounded;       /* every page so far has bounds, or no values */
    Range range;            /* of the chunk */
    gsize row, value;       /* where the next page starts */
    Dictionary *dictionary; /* NULL: none, or it is full */
    guint32 *indexes;       /* of the page's values */
    GByteArray *seen;       /* strings in a dictionary: which entries the page has */
    GByteArray *plain, *stored;
} Encoder;

void encoded_chunk_init(EncodedChunk *encoded)
{
    memset(encoded, 0, sizeof *encoded);
    encoded->dictionary = g_byte_array_new();
    encoded->pages = g_byte_array_new();
}

void encoded_chunk_clear(EncodedChunk *encoded)
{
    g_clear_pointer(&encoded->dictionary, g_byte_array_unref);
    g_clear_pointer(&encoded->pages, g_byte_array_unref);
    g_clear_pointer(&encoded->index, parquet_page_index_free);
    parquet_statistics_clear(&encoded->chunk.statistics);
}

gboolean encoder_can_encode(const ParquetColumn *column, ParquetEncoding encoding)
{
    ParquetType type = column->type;

    switch (encoding) {
    case PARQUET_ENCODING_AUTO:
    case PARQUET_PLAIN:
        return TRUE;
    case PARQUET_RLE_DICTIONARY:
        return type != PARQUET_BOOLEAN;
    case PARQUET_RLE:
        return type == PARQUET_BOOLEAN;
    case PARQUET_DELTA_BINARY_PACKED:
        return type == PARQUET_INT32 || type == PARQUET_INT64;
    case PARQUET_DELTA_LENGTH_BYTE_ARRAY:
        return type == PARQUET_BYTE_ARRAY;
    case PARQUET_BYTE_STREAM_SPLIT:
        /* Since 2.11 the format has it for integers and FIXED too, which few readers know. */
        return type == PARQUET_FLOAT || type == PARQUET_DOUBLE;
    default:
        return FALSE;
    }
}

static gboolean fail_page_size(const Encoder *encoder, gsize size, GError **error)
{
    error_set(error, ERROR_LIMIT,
              "column %s: a page of %" G_GSIZE_FORMAT " bytes is more than the format can hold",
              encoder->buffer->column->name, size);
    return FALSE;
}

/* Compresses a page that stands in encoder->plain, and appends it with its header. */
static gboolean put_page(Encoder *encoder, ParquetPageHeader *header, GByteArray *out,
                         GError **error)
{
    ParquetCodec codec = encoder->choice.codec;
    gint level = encoder->settings->level;
    gsize length = encoder->plain->len, stored_length = length, start = out->len;
    const guint8 *stored = encoder->plain->data;

    if (codec != PARQUET_CODEC_NONE) {
        g_byte_array_set_size(encoder->stored, (guint)page_codec_bound(codec, level, length));
        if (!page_codec_compress(codec, level, encoder->plain->data, length, encoder->stored->data,
                                 &stored_length, error))
            return FALSE;
        stored = encoder->stored->data;
    }
    if (MAX(length, stored_length) > G_MAXINT32 || stored_length > G_MAXUINT32 / 2 - start)
        return fail_page_size(encoder, MAX(length, stored_length), error);
    header->plain_bytes = (gint32)length;
    header->stored_bytes = (gint32)stored_length;
    header->has_crc = TRUE;
    header->crc = crc32_gzip_refl(0, (const unsigned char *)stored, stored_length);
    parquet_page_header_write(header, out);
    encoder->encoded->chunk.plain_bytes += (gint64)(out->len - start) + (gint64)length;
    g_byte_array_append(out, stored, (guint)stored_length);
    encoder->encoded->chunk.encodings |= 1u << header->encoding;
    return TRUE;
}

/* Bytes that values [from, from + count) have, as far as page sizes are concerned. */
static gsize size_of_values(const ColumnBuffer *buffer, gsize from, gsize count)
{
    if (buffer->width > 0)
        return count * buffer->width;
    return 4 * count +
           (buffer->offsets == NULL ? 0 : buffer->offsets[from + count] - buffer->offsets[from]);
}

/* Rows of the next page: as many as the settings allow. Dictionary pages are small whatever their
 * values are. */
static gsize page_row_count(const Encoder *encoder)
{
    const ColumnBuffer *buffer = encoder->buffer;
    gsize rows = MIN(encoder->settings->page_rows, buffer->rows - encoder->row);

    while (rows > 1 && encoder->dictionary == NULL) {
        gsize count = column_buffer_count(buffer, encoder->row, rows);

        if (size_of_values(buffer, encoder->value, count) <= encoder->settings->page_bytes)
            break;
        /* Whole bytes of the bitmap, where there are that many rows. */
        rows = rows >= 16 ? rows / 2 & ~(gsize)7 : rows / 2;
    }
    return rows;
}

/* The page's definition levels: its piece of the bitmap, run-length encoded. */
static void put_levels(Encoder *encoder, gsize rows)
{
    const guint8 *bitmap = encoder->buffer->validity;
    gsize bound = hybrid_bitmap_bound(rows);
    g_autofree guint8 *moved = NULL;
    gsize from = encoder->row;
    guint32 length;

    if (bitmap != NULL && (from & 7) != 0) {
        moved = g_malloc((rows + 7) / 8);
        bitmap_copy(moved, 0, bitmap, from, rows);
        bitmap = moved;
        from = 0;
    }
    g_byte_array_set_size(encoder->plain, (guint)(LEVELS_LENGTH_SIZE + bound));
    length = (guint32)hybrid_encode_bitmap(bitmap, from, rows,
                                           encoder->plain->data + LEVELS_LENGTH_SIZE);
    memcpy(encoder->plain->data, &length, LEVELS_LENGTH_SIZE);
    g_byte_array_set_size(encoder->plain, LEVELS_LENGTH_SIZE + length);
}

/* Looks the page's values up. FALSE where the dictionary has no room for them. */
static gboolean find_indexes(Encoder *encoder, gsize count)
{
    const ColumnBuffer *buffer = encoder->buffer;

    if (buffer->width > 0)
        return dictionary_add(encoder->dictionary, buffer->values + encoder->value * buffer->width,
                              count, encoder->indexes) == count;
    return dictionary_add_strings(encoder->dictionary, buffer->offsets + encoder->value,
                                  buffer->bytes, count, encoder->indexes) == count;
}

/* Strings of a dictionary are compared once each, not once a row. */
static void range_of_indexes(Encoder *encoder, gsize count, Range *range)
{
    guint entries = dictionary_count(encoder->dictionary);
    guint8 *seen;

    g_byte_array_set_size(encoder->seen, entries);
    seen = encoder->seen->data;
    memset(seen, 0, entries);
    for (gsize i = 0; i < count; i++)
        seen[encoder->indexes[i]] = 1;
    for (guint i = 0; i < entries; i++) {
        gsize length;
        const guint8 *value;

        if (seen[i] == 0)
            continue;
        value = dictionary_value(encoder->dictionary, i, &length);
        range_add(range, encoder->order, value, length);
    }
}

static void range_of_page(Encoder *encoder, gsize count, gboolean indexed, Range *range)
{
    const ColumnBuffer *buffer = encoder->buffer;

    if (encoder->order == ORDER_NONE || count == 0)
        return;
    if (buffer->width > 0) {
        range_of_values(range, encoder->order, buffer->values + encoder->value * buffer->width,
                        count, buffer->width);
    } else if (indexed) {
        range_of_indexes(encoder, count, range);
    } else {
        const guint32 *offsets = buffer->offsets + encoder->value;

        for (gsize i = 0; i < count; i++)
            range_add(range, encoder->order, buffer->bytes + offsets[i],
                      offsets[i + 1] - offsets[i]);
    }
}

/* Widens the chunk's range by a page's. Values of fixed width may stand in `page` itself, which
 * goes away, so the copy in the page's bounds is taken for them. */
static void widen_chunk(Encoder *encoder, const Range *page, const ParquetPageBounds *bounds)
{
    gsize width = order_width(encoder->order);

    if (!page->any)
        return;
    if (width > 0) {
        range_add(&encoder->range, encoder->order, g_bytes_get_data(bounds->min, NULL), width);
        range_add(&encoder->range, encoder->order, g_bytes_get_data(bounds->max, NULL), width);
        return;
    }
    range_add(&encoder->range, encoder->order, page->min, page->min_length);
    range_add(&encoder->range, encoder->order, page->max, page->max_length);
}

static void note_page(Encoder *encoder, gsize start, gsize rows, gsize count, gboolean indexed)
{
    EncodedChunk *encoded = encoder->encoded;
    ParquetPageLocation location = {(gint64)start, (gint32)(encoded->pages->len - start),
                                    (gint64)encoder->row};
    ParquetPageBounds bounds = {count == 0, NULL, NULL, (gint64)(rows - count)};
    Range range = {0};
    gboolean exact;

    range_of_page(encoder, count, indexed, &range);
    bounds.min = range_min_bytes(&range, encoder->order, encoder->text, &exact);
    bounds.max = range_max_bytes(&range, encoder->order, encoder->text, &exact);
    widen_chunk(encoder, &range, &bounds);
    /* A page of nothing but NaN has values and no bounds, for which a column index has no word. */
    if (count > 0 && bounds.min == NULL)
        encoder->bounded = FALSE;
    g_array_append_val(encoded->index->locations, location);
    g_array_append_val(encoded->index->bounds, bounds);
}

/* Puts the page's values behind its levels. Gives the encoding that they have in the page. */
static ParquetEncoding put_values(Encoder *encoder, gsize count)
{
    gsize length = encoder->plain->len;
    ParquetEncoding encoding = encoder->choice.encoding;

    if (encoder->dictionary != NULL) {
        g_byte_array_set_size(encoder->plain, (guint)(length + index_encoder_bound(count)));
        length += index_encoder_run(encoder->indexes, count,
                                    index_width(dictionary_count(encoder->dictionary),
                                                encoder->choice.aligned),
                                    encoder->plain->data + length);
        encoding = PARQUET_RLE_DICTIONARY;
    } else if (count > 0 || encoding != PARQUET_PLAIN) {
        gsize bound = value_encoder_bound(encoder->buffer, encoding, encoder->value, count);

        g_byte_array_set_size(encoder->plain, (guint)(length + bound));
        length += value_encoder_run(encoder->buffer, encoding, encoder->value, count,
                                    encoder->plain->data + length);
    }
    g_byte_array_set_size(encoder->plain, (guint)length);
    return encoding;
}

static gboolean encode_page(Encoder *encoder, GError **error)
{
    const ColumnBuffer *buffer = encoder->buffer;
    gsize rows = page_row_count(encoder);
    gsize count = column_buffer_count(buffer, encoder->row, rows);
    gsize start = encoder->encoded->pages->len;
    ParquetPageHeader header = {.type = PARQUET_PAGE_DATA};

    if (size_of_values(buffer, encoder->value, count) > G_MAXINT32 / 2)
        return fail_page_size(encoder, size_of_values(buffer, encoder->value, count), error);
    g_byte_array_set_size(encoder->plain, 0);
    if (buffer->column->optional)
        put_levels(encoder, rows);
    header.values = (gint32)rows;
    header.encoding = put_values(encoder, count);
    if (!put_page(encoder, &header, encoder->encoded->pages, error))
        return FALSE;
    note_page(encoder, start, rows, count, header.encoding == PARQUET_RLE_DICTIONARY);
    encoder->row += rows;
    encoder->value += count;
    return TRUE;
}

static gboolean put_dictionary(Encoder *encoder, GError **error)
{
    ParquetPageHeader header = {.type = PARQUET_PAGE_DICTIONARY, .encoding = PARQUET_PLAIN};

    header.values = (gint32)dictionary_count(encoder->dictionary);
    g_byte_array_set_size(encoder->plain, (guint)dictionary_plain_size(encoder->dictionary));
    dictionary_plain_encode(encoder->dictionary, encoder->plain->data);
    return put_page(encoder, &header, encoder->encoded->dictionary, error);
}

/* The dictionary is full: it is written where pages use it, and the rest is encoded otherwise. */
static gboolean leave_dictionary(Encoder *encoder, GError **error)
{
    gboolean done = encoder->row == 0 || put_dictionary(encoder, error);

    g_clear_pointer(&encoder->dictionary, dictionary_free);
    encoder->choice.encoding = encoder->choice.fallback;
    return done;
}

static gboolean encode_pages(Encoder *encoder, GError **error)
{
    const ColumnBuffer *buffer = encoder->buffer;

    while (encoder->row < buffer->rows) {
        if (encoder->dictionary != NULL) {
            gsize rows = page_row_count(encoder);

            if (!find_indexes(encoder, column_buffer_count(buffer, encoder->row, rows)) &&
                !leave_dictionary(encoder, error))
                return FALSE;
        }
        if (!encode_page(encoder, error))
            return FALSE;
    }
    return encoder->dictionary == NULL || leave_dictionary(encoder, error);
}

/* Whether the bounds of all pages rise or fall, so that a reader can search among them. */
static ParquetBoundaryOrder boundary_order(const ParquetPageIndex *index, Order order)
{
    const ParquetPageBounds *last = NULL;
    gboolean rising = TRUE, falling = TRUE;

    for (guint i = 0; i < index->bounds->len; i++) {
        const ParquetPageBounds *page = parquet_page_bounds(index, i);
        gint low, high;
        gsize a, b;
        const guint8 *x, *y;

        if (page->null_page)
            continue;
        if (last != NULL) {
            x = g_bytes_get_data(last->min, &a);
            y = g_bytes_get_data(page->min, &b);
            low = order_compare(order, x, a, y, b);
            x = g_bytes_get_data(last->max, &a);
            y = g_bytes_get_data(page->max, &b);
            high = order_compare(order, x, a, y, b);
            rising = rising && low <= 0 && high <= 0;
            falling = falling && low >= 0 && high >= 0;
        }
        last = page;
    }
    return rising ? PARQUET_ASCENDING : falling ? PARQUET_DESCENDING : PARQUET_UNORDERED;
}

static void finish_chunk(Encoder *encoder)
{
    EncodedChunk *encoded = encoder->encoded;
    ParquetChunk *chunk = &encoded->chunk;
    ParquetStatistics *statistics = &chunk->statistics;
    gsize before = encoded->dictionary->len;

    chunk->type = encoder->buffer->column->type;
    chunk->codec = encoder->choice.codec;
    chunk->values = (gint64)encoder->buffer->rows;
    chunk->stored_bytes = (gint64)(before + encoded->pages->len);
    chunk->data_offset = (gint64)before;
    if (encoder->buffer->column->optional)
        chunk->encodings |= 1u << PARQUET_RLE;
    statistics->null_count = (gint64)(encoder->buffer->rows - encoder->buffer->count);
    statistics->min =
        range_min_bytes(&encoder->range, encoder->order, encoder->text, &statistics->min_exact);
    statistics->max =
        range_max_bytes(&encoder->range, encoder->order, encoder->text, &statistics->max_exact);
    for (guint i = 0; i < encoded->index->locations->len; i++)
        parquet_page_location(encoded->index, i)->offset += (gint64)before;
    if (encoder->bounded)
        encoded->index->order = boundary_order(encoded->index, encoder->order);
    else
        g_clear_pointer(&encoded->index->bounds, g_array_unref);
}

static gboolean encode_chunk(Encoder *encoder, GError **error)
{
    const ColumnBuffer *buffer = encoder->buffer;
    const EncoderSettings *settings = encoder->settings;

    if (!choose_encoding(buffer, settings, &encoder->choice, error))
        return FALSE;
    /* A dictionary of nothing is a page of no bytes, on which some readers stumble. */
    if (encoder->choice.encoding == PARQUET_RLE_DICTIONARY && buffer->count == 0)
        encoder->choice.encoding = PARQUET_PLAIN;
    if (encoder->choice.encoding == PARQUET_RLE_DICTIONARY) {
        encoder->dictionary = dictionary_new(buffer->width, settings->dictionary_bytes);
        encoder->indexes = g_new(guint32, MIN(settings->page_rows, buffer->rows));
    }
    if (!encode_pages(encoder, error))
        return FALSE;
    finish_chunk(encoder);
    return TRUE;
}

gboolean encoder_run(const ColumnBuffer *buffer, const EncoderSettings *settings,
                     EncodedChunk *encoded, GError **error)
{
    Encoder encoder = {buffer, settings, encoded};
    gboolean done;

    parquet_statistics_clear(&encoded->chunk.statistics);
    memset(&encoded->chunk, 0, sizeof encoded->chunk);
    g_clear_pointer(&encoded->index, parquet_page_index_free);
    encoded->index = parquet_page_index_new();
    g_byte_array_set_size(encoded->dictionary, 0);
    g_byte_array_set_size(encoded->pages, 0);
    encoder.order = order_of(buffer->column);
    encoder.text = parquet_column_is_text(buffer->column);
    encoder.bounded = TRUE;
    encoder.seen = g_byte_array_new();
    encoder.plain = g_byte_array_new();
    encoder.stored = g_byte_array_new();
    done = encode_chunk(&encoder, error);
    dictionary_free(encoder.dictionary);
    g_free(encoder.indexes);
    g_byte_array_unref(encoder.seen);
    g_byte_array_unref(encoder.plain);
    g_byte_array_unref(encoder.stored);
    return done;
}
