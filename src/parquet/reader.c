/* SPDX-License-Identifier: Apache-2.0
 *
 * The footer of a file, and scans over its row groups.
 */
#include "parquet/reader.h"

#include <string.h>

#include "base/error.h"
#include "parquet/chunk-reader.h"

/* The footer is followed by its length and the magic number. */
#define TAIL_SIZE 8
/* All columns of a scan together read ahead so much, each within bounds. */
#define READ_AHEAD_TOTAL (64 * 1024 * 1024)
#define READ_AHEAD_MIN   (64 * 1024)
#define READ_AHEAD_MAX   (4 * 1024 * 1024)

struct ParquetReader {
    ParquetSource source;
    char *name;
    ParquetReaderLimits limits;
    ParquetMetadata *metadata;
};

/* A column of a scan. */
typedef struct {
    guint column;
    ChunkReader *reader;
    ParquetPageIndex *index; /* of the current row group; NULL: none, or not needed */
} ScanColumn;

struct ParquetScan {
    const ParquetReader *reader;
    Budget budget;
    ChunkLimits limits;
    guint column_count;
    ScanColumn *columns;
    ParquetArray *arrays;
    ParquetRows *rows;
    guint rows_count;
    guint part;     /* of `rows`, that is read now */
    guint64 done;   /* rows of that part */
    gboolean begun; /* the part's row group is the one that the chunk readers are in */
    guint group;
};

void parquet_reader_limits_init(ParquetReaderLimits *limits)
{
    *limits = (ParquetReaderLimits){
        .footer_bytes = 64 * 1024 * 1024,
        .columns = 16384,
        .chunks = 1024 * 1024,
        .page_bytes = 256 * 1024 * 1024,
        .string_bytes = 64 * 1024 * 1024,
        .memory = 1024 * 1024 * 1024,
    };
}

static gboolean read_range(const ParquetReader *reader, guint64 offset, gsize length,
                           guint8 **ret_bytes, GError **error)
{
    g_autofree guint8 *bytes =
        length <= reader->limits.footer_bytes ? g_try_malloc(MAX(length, 1)) : NULL;

    if (bytes == NULL) {
        error_set(error, ERROR_LIMIT,
                  "%s: metadata of %" G_GSIZE_FORMAT
                  " bytes is above the limit of %" G_GSIZE_FORMAT,
                  reader->name, length, reader->limits.footer_bytes);
        return FALSE;
    }
    if (!reader->source.read(reader->source.data, offset, bytes, length, error))
        return FALSE;
    *ret_bytes = g_steal_pointer(&bytes);
    return TRUE;
}

static gboolean fail_no_parquet(const ParquetReader *reader, const char *why, GError **error)
{
    error_set(error, ERROR_FORMAT, "%s is not a whole Parquet file: %s", reader->name, why);
    return FALSE;
}

static gboolean read_footer(ParquetReader *reader, GError **error)
{
    ParquetMetadataLimits limits = {reader->limits.columns, reader->limits.chunks};
    guint64 size = reader->source.size;
    g_autofree guint8 *footer = NULL;
    g_autofree char *what = NULL;
    guint8 tail[TAIL_SIZE];
    guint32 length;

    if (size < TAIL_SIZE + strlen(PARQUET_MAGIC))
        return fail_no_parquet(reader, "it is too short", error);
    if (!reader->source.read(reader->source.data, size - TAIL_SIZE, tail, TAIL_SIZE, error))
        return FALSE;
    if (memcmp(tail + 4, "PARE", 4) == 0) {
        error_set(error, ERROR_UNSUPPORTED, "%s has an encrypted footer", reader->name);
        return FALSE;
    }
    if (memcmp(tail + 4, PARQUET_MAGIC, 4) != 0)
        return fail_no_parquet(reader, "its last four bytes are not PAR1", error);
    memcpy(&length, tail, sizeof length);
    if (length > size - TAIL_SIZE - strlen(PARQUET_MAGIC))
        return fail_no_parquet(reader, "its footer would begin before it", error);
    if (length > reader->limits.footer_bytes) {
        error_set(error, ERROR_LIMIT,
                  "%s: footer of %u bytes is above the limit of %" G_GSIZE_FORMAT, reader->name,
                  length, reader->limits.footer_bytes);
        return FALSE;
    }
    if (!read_range(reader, size - TAIL_SIZE - length, length, &footer, error))
        return FALSE;
    what = g_strdup_printf("%s: footer at byte %" G_GUINT64_FORMAT, reader->name,
                           size - TAIL_SIZE - length);
    reader->metadata = parquet_metadata_read(footer, length, size, &limits, what, error);
    return reader->metadata != NULL;
}

ParquetReader *parquet_reader_open(const ParquetSource *source, const ParquetReaderLimits *limits,
                                   GError **error)
{
    g_autoptr(ParquetReader) reader = g_new0(ParquetReader, 1);

    reader->source = *source;
    reader->name = g_strdup(source->name);
    reader->source.name = reader->name;
    if (limits != NULL)
        reader->limits = *limits;
    else
        parquet_reader_limits_init(&reader->limits);
    if (!read_footer(reader, error))
        return NULL;
    return g_steal_pointer(&reader);
}

void parquet_reader_free(ParquetReader *reader)
{
    if (reader == NULL)
        return;
    parquet_metadata_free(reader->metadata);
    g_free(reader->name);
    g_free(reader);
}

const ParquetMetadata *parquet_reader_metadata(const ParquetReader *reader)
{
    return reader->metadata;
}

gboolean parquet_reader_page_index(const ParquetReader *reader, guint group, guint column,
                                   ParquetPageIndex **ret_index, GError **error)
{
    const ParquetRowGroup *info = parquet_metadata_group(reader->metadata, group);
    const ParquetChunk *chunk = &info->chunks[column];
    g_autofree guint8 *offsets = NULL;
    g_autofree guint8 *bounds = NULL;
    ParquetPageIndex *index;

    if (chunk->offset_index_offset == 0 || info->rows == 0) {
        *ret_index = NULL;
        return TRUE;
    }
    if (!read_range(reader, (guint64)chunk->offset_index_offset, (gsize)chunk->offset_index_length,
                    &offsets, error))
        return FALSE;
    if (chunk->column_index_offset != 0 &&
        !read_range(reader, (guint64)chunk->column_index_offset, (gsize)chunk->column_index_length,
                    &bounds, error))
        return FALSE;
    index = parquet_page_index_read(offsets, (gsize)chunk->offset_index_length, bounds,
                                    (gsize)chunk->column_index_length, reader->source.size,
                                    info->rows, error);
    if (index == NULL) {
        g_prefix_error(error,
                       "%s: column %s, row group %u, page index at byte %" G_GINT64_FORMAT ": ",
                       reader->name, parquet_schema_column(reader->metadata->schema, column)->name,
                       group, chunk->offset_index_offset);
        return FALSE;
    }
    *ret_index = index;
    return TRUE;
}

/* Every row of every row group that has any. */
static void take_all_rows(ParquetScan *scan)
{
    const ParquetMetadata *metadata = scan->reader->metadata;

    scan->rows = g_new0(ParquetRows, metadata->row_groups->len);
    for (guint i = 0; i < metadata->row_groups->len; i++) {
        guint64 rows = (guint64)parquet_metadata_group(metadata, i)->rows;

        if (rows > 0)
            scan->rows[scan->rows_count++] = (ParquetRows){i, 0, rows};
    }
}

static gboolean check_rows(const ParquetScan *scan, const GArray *rows, GError **error)
{
    const ParquetMetadata *metadata = scan->reader->metadata;

    for (guint i = 0; i < rows->len; i++) {
        const ParquetRows *part = &g_array_index(rows, ParquetRows, i);
        const ParquetRows *last = i == 0 ? NULL : part - 1;
        guint64 total = part->group >= metadata->row_groups->len
                            ? 0
                            : (guint64)parquet_metadata_group(metadata, part->group)->rows;

        if (part->first > total || part->count > total - part->first ||
            (last != NULL &&
             (part->group < last->group ||
              (part->group == last->group && part->first < last->first + last->count)))) {
            error_set(error, ERROR_USAGE, "%s: chosen rows are out of range or order",
                      scan->reader->name);
            return FALSE;
        }
    }
    return TRUE;
}

static gsize read_ahead_for(guint columns)
{
    return CLAMP(READ_AHEAD_TOTAL / MAX(columns, 1), READ_AHEAD_MIN, READ_AHEAD_MAX);
}

ParquetScan *parquet_scan_new(const ParquetReader *reader, const guint *columns, guint column_count,
                              const GArray *rows, GError **error)
{
    g_autoptr(ParquetScan) scan = g_new0(ParquetScan, 1);
    guint known = parquet_schema_count(reader->metadata->schema);

    scan->reader = reader;
    scan->budget.limit = reader->limits.memory;
    scan->limits = (ChunkLimits){reader->limits.page_bytes, reader->limits.string_bytes,
                                 read_ahead_for(column_count)};
    if (rows == NULL) {
        take_all_rows(scan);
    } else {
        if (!check_rows(scan, rows, error))
            return NULL;
        scan->rows = g_memdup2(rows->data, rows->len * sizeof(ParquetRows));
        scan->rows_count = rows->len;
    }
    scan->columns = g_new0(ScanColumn, column_count);
    scan->arrays = g_new0(ParquetArray, column_count);
    for (guint i = 0; i < column_count; i++) {
        if (columns[i] >= known) {
            error_set(error, ERROR_USAGE, "%s has no column %u", reader->name, columns[i]);
            return NULL;
        }
        scan->columns[i].column = columns[i];
        scan->columns[i].reader =
            chunk_reader_new(&reader->source,
                             parquet_schema_column(reader->metadata->schema, columns[i]),
                             &scan->limits, &scan->budget);
        scan->column_count++;
    }
    return g_steal_pointer(&scan);
}

/* Enters a row group. The page index is only fetched where not all of its rows are wanted. */
static gboolean begin_group(ParquetScan *scan, const ParquetRows *part, GError **error)
{
    const ParquetRowGroup *group = parquet_metadata_group(scan->reader->metadata, part->group);

    if (scan->begun && scan->group == part->group)
        return TRUE;
    for (guint i = 0; i < scan->column_count; i++) {
        ScanColumn *column = &scan->columns[i];

        g_clear_pointer(&column->index, parquet_page_index_free);
        if (part->count < (guint64)group->rows &&
            !parquet_reader_page_index(scan->reader, part->group, column->column, &column->index,
                                       error))
            return FALSE;
        chunk_reader_begin(column->reader, &group->chunks[column->column], column->index);
    }
    scan->group = part->group;
    scan->begun = TRUE;
    return TRUE;
}

gboolean parquet_scan_next(ParquetScan *scan, gsize max_rows, ParquetBatch *ret_batch,
                           GError **error)
{
    const ParquetRows *part;
    guint64 row;
    gsize rows;

    while (scan->part < scan->rows_count && scan->done == scan->rows[scan->part].count) {
        scan->part++;
        scan->done = 0;
    }
    *ret_batch = (ParquetBatch){0};
    if (scan->part == scan->rows_count)
        return TRUE;
    part = &scan->rows[scan->part];
    if (!begin_group(scan, part, error))
        return FALSE;
    row = part->first + scan->done;
    rows = (gsize)MIN((guint64)MAX(max_rows, 1), part->count - scan->done);
    for (guint i = 0; i < scan->column_count; i++) {
        if (!chunk_reader_seek(scan->columns[i].reader, row, rows, &rows, error))
            return FALSE;
    }
    for (guint i = 0; i < scan->column_count; i++) {
        if (!chunk_reader_get(scan->columns[i].reader, rows, &scan->arrays[i], error))
            return FALSE;
    }
    scan->done += rows;
    *ret_batch = (ParquetBatch){part->group, row, rows, scan->arrays};
    return TRUE;
}

void parquet_scan_free(ParquetScan *scan)
{
    if (scan == NULL)
        return;
    for (guint i = 0; i < scan->column_count; i++) {
        chunk_reader_free(scan->columns[i].reader);
        parquet_page_index_free(scan->columns[i].index);
    }
    g_free(scan->columns);
    g_free(scan->arrays);
    g_free(scan->rows);
    g_free(scan);
}

/* --- without decoding ------------------------------------------------------------------------- */

typedef struct {
    const ParquetReader *reader;
    ChunkLimits limits;
    Budget budget;
    guint64 pages, bare;
} Checking;

static gboolean check_chunk(Checking *checking, guint group, guint column, GError **error)
{
    const ParquetReader *reader = checking->reader;
    const ParquetRowGroup *info = parquet_metadata_group(reader->metadata, group);
    g_autoptr(ParquetPageIndex) index = NULL;
    g_autoptr(ChunkReader) chunk =
        chunk_reader_new(&reader->source, parquet_schema_column(reader->metadata->schema, column),
                         &checking->limits, &checking->budget);
    guint64 pages, bare;

    if (info->rows == 0)
        return TRUE;
    if (!parquet_reader_page_index(reader, group, column, &index, error))
        return FALSE;
    chunk_reader_begin(chunk, &info->chunks[column], NULL);
    if (!chunk_reader_check(chunk, &pages, &bare, error))
        return FALSE;
    checking->pages += pages;
    checking->bare += bare;
    return TRUE;
}

gboolean parquet_reader_check(const ParquetReader *reader, GCancellable *cancellable,
                              guint64 *ret_pages, guint64 *ret_bare, GError **error)
{
    guint columns = parquet_schema_count(reader->metadata->schema);
    Checking checking = {.reader = reader,
                         .limits = {reader->limits.page_bytes, reader->limits.string_bytes,
                                    READ_AHEAD_MAX},
                         .budget = {.limit = reader->limits.memory}};

    for (guint group = 0; group < reader->metadata->row_groups->len; group++) {
        for (guint column = 0; column < columns; column++) {
            if (!error_unless_cancelled(cancellable, error))
                return FALSE;
            if (!check_chunk(&checking, group, column, error))
                return FALSE;
        }
    }
    *ret_pages = checking.pages;
    *ret_bare = checking.bare;
    return TRUE;
}
