/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages: finding, checking, decompressing and decoding them.
 */
#include "parquet/chunk-reader.h"

#include <isa-l/crc.h>
#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"
#include "parquet/hybrid.h"
#include "parquet/page-codec.h"
#include "parquet/value-decoder.h"

/* Page headers hold statistics, and those hold values; what is larger than this is no header. */
#define HEADER_MAX (16 * 1024 * 1024)
#define HEADER_TRY (16 * 1024)

/* The page that is decoded. */
typedef struct {
    guint64 first_row;
    gsize rows;      /* 0: none */
    gsize count;     /* values */
    gboolean nulls;  /* `validity` counts */
    gboolean lookup; /* byte arrays: `indexes` point into the dictionary; else they are in `run` */
} Page;

struct ChunkReader {
    const ParquetSource *source;
    const ParquetColumn *column;
    const ChunkLimits *limits;
    const ParquetChunk *chunk;
    const ParquetPageIndex *index;
    guint64 start, end; /* of the chunk in the file */
    guint64 at;         /* the next page's header */
    guint64 next_row;   /* its first row */
    guint next_page;    /* its number among the chunk's data pages, from 0; for errors */
    guint page_number;  /* that of the page which was read last, */
    guint64 page_at;    /* and where it begins */
    gboolean has_dictionary;
    gsize dictionary_entries;
    ValueRun dictionary;
    Block dictionary_bytes; /* the decompressed dictionary page, which values may point into */
    Page page;
    guint64 row; /* where it was sought to */
    ValueRun run;
    const guint8 *values;   /* of the page, a slot a row: fixed width */
    const guint32 *offsets; /* of the page: byte arrays without lookup */
    Block window;           /* stored bytes of the file */
    guint64 window_at;
    gsize window_length;
    Block plain, validity, indexes, slots, spread;
    Block batch_validity, batch_offsets, batch_bytes;
};

ChunkReader *chunk_reader_new(const ParquetSource *source, const ParquetColumn *column,
                              const ChunkLimits *limits, Budget *budget)
{
    ChunkReader *reader = g_new0(ChunkReader, 1);
    Block *blocks[] = {&reader->dictionary_bytes, &reader->window,         &reader->plain,
                       &reader->validity,         &reader->indexes,        &reader->slots,
                       &reader->spread,           &reader->batch_validity, &reader->batch_offsets,
                       &reader->batch_bytes};

    reader->source = source;
    reader->column = column;
    reader->limits = limits;
    for (guint i = 0; i < G_N_ELEMENTS(blocks); i++)
        blocks[i]->budget = budget;
    value_run_init(&reader->dictionary, column, budget);
    value_run_init(&reader->run, column, budget);
    return reader;
}

void chunk_reader_free(ChunkReader *reader)
{
    if (reader == NULL)
        return;
    value_run_clear(&reader->dictionary);
    value_run_clear(&reader->run);
    block_clear(&reader->dictionary_bytes);
    block_clear(&reader->window);
    block_clear(&reader->plain);
    block_clear(&reader->validity);
    block_clear(&reader->indexes);
    block_clear(&reader->slots);
    block_clear(&reader->spread);
    block_clear(&reader->batch_validity);
    block_clear(&reader->batch_offsets);
    block_clear(&reader->batch_bytes);
    g_free(reader);
}

void chunk_reader_begin(ChunkReader *reader, const ParquetChunk *chunk,
                        const ParquetPageIndex *index)
{
    reader->chunk = chunk;
    reader->index = index;
    reader->start =
        (guint64)(chunk->dictionary_offset != 0 ? chunk->dictionary_offset : chunk->data_offset);
    reader->end = reader->start + (guint64)chunk->stored_bytes;
    reader->at = reader->start;
    reader->next_row = 0;
    reader->next_page = 0;
    reader->has_dictionary = FALSE;
    reader->page = (Page){0};
    reader->window_length = 0;
}

/* Gives a pointer to `length` bytes of the file from `offset` on, reading more at once where pages
 * are small. */
static gboolean peek(ChunkReader *reader, guint64 offset, gsize length, const guint8 **ret_bytes,
                     GError **error)
{
    gsize wanted = (gsize)MIN(MAX(length, reader->limits->read_ahead), reader->end - offset);

    if (offset < reader->window_at || offset + length > reader->window_at + reader->window_length) {
        reader->window_length = 0;
        if (!block_reserve(&reader->window, wanted, error) ||
            !reader->source->read(reader->source->data, offset, reader->window.data, wanted, error))
            return FALSE;
        reader->window_at = offset;
        reader->window_length = wanted;
    }
    *ret_bytes = reader->window.data + (offset - reader->window_at);
    return TRUE;
}

/* Reads the header at reader->at. A header is nearly always short; a long one is tried again with
 * more bytes. */
static gboolean read_header(ChunkReader *reader, ParquetPageHeader *header, gsize *ret_length,
                            GError **error)
{
    gsize left = (gsize)MIN(reader->end - reader->at, HEADER_MAX);
    gsize size = MIN(left, HEADER_TRY);
    const guint8 *bytes;

    for (;;) {
        g_autoptr(GError) failure = NULL;

        if (!peek(reader, reader->at, size, &bytes, error))
            return FALSE;
        if (parquet_page_header_read(bytes, size, header, ret_length, &failure))
            return TRUE;
        if (size == left) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return FALSE;
        }
        size = MIN(left, size * 16);
    }
}

static gboolean check_header(const ChunkReader *reader, const ParquetPageHeader *header,
                             gsize header_length, GError **error)
{
    gsize limit = reader->limits->page_bytes;

    if ((guint64)header->stored_bytes > reader->end - reader->at - header_length) {
        error_set(error, ERROR_FORMAT, "page of %d bytes runs behind the end of its column chunk",
                  header->stored_bytes);
        return FALSE;
    }
    if ((gsize)header->stored_bytes > limit || (gsize)header->plain_bytes > limit) {
        error_set(error, ERROR_LIMIT, "page of %d bytes is above the limit of %" G_GSIZE_FORMAT,
                  MAX(header->stored_bytes, header->plain_bytes), limit);
        return FALSE;
    }
    return TRUE;
}

/* Gives the stored bytes of the page whose header was read, their checksum compared. */
static gboolean read_stored(ChunkReader *reader, const ParquetPageHeader *header,
                            gsize header_length, const guint8 **ret_bytes, GError **error)
{
    gsize length = (gsize)header->stored_bytes;

    if (!peek(reader, reader->at + header_length, length, ret_bytes, error))
        return FALSE;
    if (header->has_crc && crc32_gzip_refl(0, *ret_bytes, length) != header->crc) {
        error_set(error, ERROR_DAMAGED, "page does not match its checksum");
        return FALSE;
    }
    return TRUE;
}

static gboolean decompress(const ChunkReader *reader, gboolean compressed, const guint8 *stored,
                           gsize stored_length, gsize length, Block *block,
                           const guint8 **ret_plain, GError **error)
{
    ParquetCodec codec = compressed ? reader->chunk->codec : PARQUET_CODEC_NONE;

    if (codec == PARQUET_CODEC_NONE && stored_length == length) {
        *ret_plain = stored;
        return TRUE;
    }
    if (!block_reserve(block, length, error))
        return FALSE;
    *ret_plain = block->data;
    /* Some writers give no bytes at all for a page without values. */
    if (length == 0 && stored_length == 0)
        return TRUE;
    return page_codec_decompress(codec, stored, stored_length, block->data, length, error);
}

static gboolean read_dictionary(ChunkReader *reader, const ParquetPageHeader *header,
                                const guint8 *stored, GError **error)
{
    gsize length = (gsize)header->plain_bytes;
    const guint8 *plain;

    if (reader->has_dictionary || reader->next_row > 0) {
        error_set(error, ERROR_FORMAT, "dictionary page where none can be");
        return FALSE;
    }
    if (header->encoding != PARQUET_PLAIN && header->encoding != PARQUET_PLAIN_DICTIONARY) {
        error_set(error, ERROR_UNSUPPORTED, "dictionary in encoding %s",
                  parquet_encoding_name(header->encoding));
        return FALSE;
    }
    if (!decompress(reader, TRUE, stored, (gsize)header->stored_bytes, length,
                    &reader->dictionary_bytes, &plain, error))
        return FALSE;
    if (plain == stored) {
        /* The window moves on, the dictionary stays. */
        if (!block_reserve(&reader->dictionary_bytes, length, error))
            return FALSE;
        memcpy(reader->dictionary_bytes.data, plain, length);
        plain = reader->dictionary_bytes.data;
    }
    if (!value_decoder_run(&reader->dictionary, PARQUET_PLAIN, plain, length, (gsize)header->values,
                           error))
        return FALSE;
    reader->dictionary_entries = (gsize)header->values;
    reader->has_dictionary = TRUE;
    return TRUE;
}

/* Definition levels to the page's bitmap. */
static gboolean read_levels(ChunkReader *reader, const guint8 *levels, gsize length, gsize rows,
                            GError **error)
{
    gsize size = (rows + 7) / 8;

    if (!block_reserve(&reader->validity, size, error))
        return FALSE;
    memset(reader->validity.data, 0, size);
    if (!hybrid_decode_bitmap(levels, length, reader->validity.data, rows, error)) {
        g_prefix_error(error, "definition levels: ");
        return FALSE;
    }
    reader->page.count = bitmap_count(reader->validity.data, 0, rows);
    reader->page.nulls = reader->page.count < rows;
    return TRUE;
}

/* Offsets for every row from those of the values that are there. */
static gboolean spread_offsets(ChunkReader *reader, GError **error)
{
    const guint32 *dense = string_run_offsets(&reader->run.strings);
    gsize rows = reader->page.rows;
    guint32 *offsets;
    gsize value = 0;

    if (!block_reserve_array(&reader->spread, rows + 1, sizeof(guint32), error))
        return FALSE;
    offsets = (guint32 *)(gpointer)reader->spread.data;
    for (gsize i = 0; i < rows; i++) {
        offsets[i] = dense[value];
        value += bitmap_get(reader->validity.data, i);
    }
    offsets[rows] = dense[value];
    reader->offsets = offsets;
    return TRUE;
}

/* Brings values to their rows where some are missing. */
static gboolean spread_values(ChunkReader *reader, const guint8 *dense, gsize width, Block *block,
                              const guint8 **ret_slots, GError **error)
{
    *ret_slots = dense;
    if (!reader->page.nulls)
        return TRUE;
    if (!block_reserve_array(block, reader->page.rows, width, error))
        return FALSE;
    bitmap_expand(reader->validity.data, reader->page.rows, dense, width, block->data);
    *ret_slots = block->data;
    return TRUE;
}

static gboolean read_indexed(ChunkReader *reader, const guint8 *in, gsize length, GError **error)
{
    gsize count = reader->page.count, width = reader->run.width;
    const guint8 *slots;
    guint32 *indexes;

    if (!reader->has_dictionary) {
        error_set(error, ERROR_FORMAT, "dictionary indexes without a dictionary");
        return FALSE;
    }
    if (!block_reserve_array(&reader->indexes, count, sizeof(guint32), error))
        return FALSE;
    indexes = (guint32 *)(gpointer)reader->indexes.data;
    if (!index_decoder_run(in, length, count, reader->dictionary_entries, indexes, error))
        return FALSE;
    if (width == 0) {
        reader->page.lookup = TRUE;
        return spread_values(reader, reader->indexes.data, sizeof(guint32), &reader->spread, &slots,
                             error);
    }
    if (!block_reserve_array(&reader->run.block, count, width, error))
        return FALSE;
    gather_values(reader->dictionary.values, width, indexes, count, reader->run.block.data);
    return spread_values(reader, reader->run.block.data, width, &reader->slots, &reader->values,
                         error);
}

static gboolean read_values(ChunkReader *reader, ParquetEncoding encoding, const guint8 *in,
                            gsize length, GError **error)
{
    gsize count = reader->page.count;

    /* Where no row has a value it does not matter how none are encoded. */
    if (count == 0) {
        encoding = PARQUET_PLAIN;
        length = 0;
    }
    if (encoding == PARQUET_RLE_DICTIONARY || encoding == PARQUET_PLAIN_DICTIONARY)
        return read_indexed(reader, in, length, error);
    if (!value_decoder_run(&reader->run, encoding, in, length, count, error))
        return FALSE;
    if (reader->run.width > 0)
        return spread_values(reader, reader->run.values, reader->run.width, &reader->slots,
                             &reader->values, error);
    if (reader->page.nulls)
        return spread_offsets(reader, error);
    reader->offsets = string_run_offsets(&reader->run.strings);
    return TRUE;
}

static gboolean read_data_v1(ChunkReader *reader, const ParquetPageHeader *header,
                             const guint8 *stored, GError **error)
{
    gsize length = (gsize)header->plain_bytes;
    const guint8 *plain;
    guint32 levels;

    if (!decompress(reader, TRUE, stored, (gsize)header->stored_bytes, length, &reader->plain,
                    &plain, error))
        return FALSE;
    if (reader->column->optional) {
        if (header->level_encoding != PARQUET_RLE) {
            error_set(error, ERROR_UNSUPPORTED, "definition levels in encoding %s",
                      parquet_encoding_name(header->level_encoding));
            return FALSE;
        }
        if (length < 4) {
            error_set(error, ERROR_FORMAT, "page without definition levels");
            return FALSE;
        }
        memcpy(&levels, plain, 4);
        if (levels > length - 4) {
            error_set(error, ERROR_FORMAT, "definition levels run behind the page's end");
            return FALSE;
        }
        if (!read_levels(reader, plain + 4, levels, reader->page.rows, error))
            return FALSE;
        plain += 4 + levels;
        length -= 4 + levels;
    }
    return read_values(reader, header->encoding, plain, length, error);
}

static gboolean read_data_v2(ChunkReader *reader, const ParquetPageHeader *header,
                             const guint8 *stored, GError **error)
{
    gsize stored_length = (gsize)header->stored_bytes, length = (gsize)header->plain_bytes;
    gsize levels = (gsize)header->definition_bytes;
    const guint8 *plain;

    if (header->rows != header->values || header->repetition_bytes != 0 || levels > stored_length ||
        levels > length || (levels > 0 && !reader->column->optional)) {
        error_set(error, ERROR_FORMAT, "page header does not fit a flat column");
        return FALSE;
    }
    if (reader->column->optional && !read_levels(reader, stored, levels, reader->page.rows, error))
        return FALSE;
    if (reader->page.rows - reader->page.count != (gsize)header->nulls) {
        error_set(error, ERROR_FORMAT, "page header and levels differ in the number of nulls");
        return FALSE;
    }
    if (!decompress(reader, header->compressed, stored + levels, stored_length - levels,
                    length - levels, &reader->plain, &plain, error))
        return FALSE;
    return read_values(reader, header->encoding, plain, length - levels, error);
}

/* Reads the page whose header was read. */
static gboolean read_page(ChunkReader *reader, const ParquetPageHeader *header, gsize header_length,
                          GError **error)
{
    const guint8 *stored;
    gboolean done;

    if (!read_stored(reader, header, header_length, &stored, error))
        return FALSE;
    if (header->type == PARQUET_PAGE_DICTIONARY)
        return read_dictionary(reader, header, stored, error);
    reader->page = (Page){reader->next_row, (gsize)header->values, (gsize)header->values};
    if (header->type == PARQUET_PAGE_DATA)
        done = read_data_v1(reader, header, stored, error);
    else
        done = read_data_v2(reader, header, stored, error);
    if (!done)
        reader->page = (Page){0};
    return done;
}

static gboolean is_data(const ParquetPageHeader *header)
{
    return header->type == PARQUET_PAGE_DATA || header->type == PARQUET_PAGE_DATA_V2;
}

/* Reads or passes the page at reader->at; a data page is only decoded where it holds `row`. */
static gboolean next_page(ChunkReader *reader, guint64 row, GError **error)
{
    ParquetPageHeader header = {0};
    gsize length = 0;
    guint64 rows;

    if (reader->at >= reader->end) {
        error_set(error, ERROR_FORMAT,
                  "column chunk ends before row %" G_GUINT64_FORMAT " of its row group", row);
        return FALSE;
    }
    if (!read_header(reader, &header, &length, error) ||
        !check_header(reader, &header, length, error))
        return FALSE;
    rows = is_data(&header) ? (guint64)header.values : 0;
    if ((is_data(&header) && rows == 0) ||
        rows > (guint64)reader->chunk->values - reader->next_row) {
        error_set(error, ERROR_FORMAT, "page of %d rows in a row group of %" G_GINT64_FORMAT,
                  header.values, reader->chunk->values);
        return FALSE;
    }
    if ((header.type == PARQUET_PAGE_DICTIONARY || (rows > 0 && row < reader->next_row + rows)) &&
        !read_page(reader, &header, length, error))
        return FALSE;
    reader->at += length + (gsize)header.stored_bytes;
    reader->next_row += rows;
    reader->next_page += is_data(&header);
    return TRUE;
}

/* The page of a row, by the offset index. */
static guint find_page(const ParquetPageIndex *index, guint64 row)
{
    guint low = 0, high = index->locations->len;

    while (high - low > 1) {
        guint middle = low + (high - low) / 2;

        if ((guint64)parquet_page_location(index, middle)->first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Jumps over pages that are not needed, once the dictionary is read. */
static void jump(ChunkReader *reader, guint64 row)
{
    const ParquetPageLocation *page;
    guint number;

    if (reader->index == NULL || reader->index->locations->len == 0)
        return;
    number = find_page(reader->index, row);
    page = parquet_page_location(reader->index, number);
    if ((guint64)page->offset <= reader->at || (guint64)page->offset >= reader->end ||
        (guint64)page->first_row < reader->next_row)
        return;
    /* What stands before the first data page is the dictionary. */
    if (reader->at == reader->start &&
        (guint64)parquet_page_location(reader->index, 0)->offset > reader->start)
        return;
    reader->at = (guint64)page->offset;
    reader->next_row = (guint64)page->first_row;
    reader->next_page = number;
}

static gboolean holds(const Page *page, guint64 row)
{
    return page->rows > 0 && row >= page->first_row && row - page->first_row < page->rows;
}

/* Rows from `from` on whose values stay within the limit: at least one. */
static gsize rows_of_lookup(const ChunkReader *reader, gsize from, gsize rows)
{
    const guint32 *lengths = string_run_offsets(&reader->dictionary.strings);
    const guint32 *indexes =
        (const guint32 *)(gconstpointer)(reader->page.nulls ? reader->spread.data
                                                            : reader->indexes.data);
    gsize total = 0;

    for (gsize i = 0; i < rows; i++) {
        guint32 index = indexes[from + i];

        total += lengths[index + 1] - lengths[index];
        if (total > reader->limits->string_bytes)
            return MAX(i, 1);
    }
    return rows;
}

static gsize rows_of_strings(const ChunkReader *reader, gsize from, gsize rows)
{
    const guint32 *offsets = reader->offsets + from;

    while (rows > 1 && offsets[rows] - offsets[0] > reader->limits->string_bytes)
        rows /= 2;
    return rows;
}

static void add_place(const ChunkReader *reader, GError **error)
{
    g_prefix_error(error, "%s: column %s, page %u at byte %" G_GUINT64_FORMAT ": ",
                   reader->source->name, reader->column->name, reader->page_number,
                   reader->page_at);
}

gboolean chunk_reader_seek(ChunkReader *reader, guint64 row, gsize rows, gsize *ret_rows,
                           GError **error)
{
    gsize from;

    while (!holds(&reader->page, row)) {
        jump(reader, row);
        reader->page_number = reader->next_page;
        reader->page_at = reader->at;
        if (!next_page(reader, row, error)) {
            add_place(reader, error);
            return FALSE;
        }
    }
    reader->row = row;
    from = (gsize)(row - reader->page.first_row);
    rows = MIN(rows, reader->page.rows - from);
    if (reader->page.lookup)
        rows = rows_of_lookup(reader, from, rows);
    else if (reader->run.width == 0)
        rows = rows_of_strings(reader, from, rows);
    *ret_rows = rows;
    return TRUE;
}

/* Copies values of the dictionary one behind the other. Short ones are copied as whole words: the
 * blocks have slack. */
static gboolean look_up(ChunkReader *reader, gsize from, gsize rows, ParquetArray *array,
                        GError **error)
{
    const guint32 *starts = string_run_offsets(&reader->dictionary.strings);
    const guint8 *entries = reader->dictionary.strings.bytes.data;
    const guint32 *indexes =
        (const guint32 *)(gconstpointer)(reader->page.nulls ? reader->spread.data
                                                            : reader->indexes.data);
    guint32 *offsets;
    guint8 *bytes;
    gsize total = 0;

    if (!block_reserve_array(&reader->batch_offsets, rows + 1, sizeof(guint32), error))
        return FALSE;
    offsets = (guint32 *)(gpointer)reader->batch_offsets.data;
    for (gsize i = 0; i < rows; i++) {
        guint32 index = indexes[from + i];
        gboolean there = !reader->page.nulls || bitmap_get(reader->validity.data, from + i);

        offsets[i] = (guint32)total;
        total += there ? starts[index + 1] - starts[index] : 0;
    }
    offsets[rows] = (guint32)total;
    if (total > G_MAXINT32) {
        error_set(error, ERROR_LIMIT, "a value of more than 2 GiB");
        return FALSE;
    }
    if (!block_reserve(&reader->batch_bytes, total, error))
        return FALSE;
    bytes = reader->batch_bytes.data;
    for (gsize i = 0; i < rows; i++) {
        const guint8 *entry = entries + starts[indexes[from + i]];
        guint32 length = offsets[i + 1] - offsets[i];

        if (length <= 16)
            memcpy(bytes + offsets[i], entry, 16);
        else
            memcpy(bytes + offsets[i], entry, length);
    }
    array->offsets = offsets;
    array->bytes = bytes;
    return TRUE;
}

static gboolean get_validity(ChunkReader *reader, gsize from, gsize rows, ParquetArray *array,
                             GError **error)
{
    if (!reader->page.nulls)
        return TRUE;
    if ((from & 7) == 0) {
        array->validity = reader->validity.data + from / 8;
        return TRUE;
    }
    if (!block_reserve(&reader->batch_validity, (rows + 7) / 8, error))
        return FALSE;
    bitmap_copy(reader->batch_validity.data, 0, reader->validity.data, from, rows);
    array->validity = reader->batch_validity.data;
    return TRUE;
}

static gboolean get(ChunkReader *reader, gsize from, gsize rows, ParquetArray *array,
                    GError **error)
{
    if (!get_validity(reader, from, rows, array, error))
        return FALSE;
    if (reader->run.width > 0) {
        array->values = reader->values + from * reader->run.width;
    } else if (reader->page.lookup) {
        return look_up(reader, from, rows, array, error);
    } else {
        array->offsets = reader->offsets + from;
        array->bytes = reader->run.strings.bytes.data;
    }
    return TRUE;
}

gboolean chunk_reader_get(ChunkReader *reader, gsize rows, ParquetArray *ret_array, GError **error)
{
    gsize from = (gsize)(reader->row - reader->page.first_row);
    ParquetArray array = {0};

    if (!get(reader, from, rows, &array, error)) {
        add_place(reader, error);
        return FALSE;
    }
    *ret_array = array;
    return TRUE;
}

/* --- without decoding ------------------------------------------------------------------------- */

gboolean chunk_reader_check(ChunkReader *reader, guint64 *ret_pages, guint64 *ret_bare,
                            GError **error)
{
    guint64 pages = 0, bare = 0;

    while (reader->at < reader->end) {
        ParquetPageHeader header;
        gsize header_length;
        const guint8 *stored;

        if (!read_header(reader, &header, &header_length, error) ||
            !check_header(reader, &header, header_length, error) ||
            !read_stored(reader, &header, header_length, &stored, error)) {
            g_prefix_error(error,
                           "%s: column %s, page %" G_GUINT64_FORMAT " at byte %" G_GUINT64_FORMAT
                           ": ",
                           reader->source->name, reader->column->name, pages, reader->at);
            return FALSE;
        }
        pages++;
        bare += !header.has_crc;
        reader->at += header_length + (guint64)header.stored_bytes;
    }
    *ret_pages = pages;
    *ret_bare = bare;
    return TRUE;
}
