/* SPDX-License-Identifier: Apache-2.0
 *
 * Row groups: gathering them, having their columns encoded, writing them and the footer.
 */
#include "parquet/writer.h"

#include <string.h>

#include "base/error.h"
#include "base/workers.h"
#include "parquet/column-buffer.h"
#include "parquet/encoder.h"
#include "parquet/page-codec.h"

/* From so many bytes on a batch is copied by the workers, a column each. */
#define PARALLEL_COPY_MIN (1024 * 1024)

/* A column of the writer: what it gathers and what comes of it. */
typedef struct {
    ColumnBuffer buffer;
    EncoderSettings settings;
    EncodedChunk encoded;
} Column;

/* Rows that are being copied in, for the workers. */
typedef struct {
    const ParquetArray *arrays;
    gsize from, count;
} Batch;

struct ParquetWriter {
    ParquetWriterOptions options;
    ParquetSink sink;
    gpointer sink_data;
    guint columns;
    Column *column;
    ParquetMetadata *metadata;
    GPtrArray *indexes; /* of ParquetPageIndex, row group by row group */
    Workers *workers;
    GCancellable *cancellable;
    const Batch *batch; /* NULL: the workers encode */
    gsize group_rows, group_bytes;
    gsize group_bytes_max;
    guint64 offset, rows;
    gboolean started, failed, finished;
};

void parquet_writer_options_init(ParquetWriterOptions *options)
{
    *options = (ParquetWriterOptions){
        .codec = PARQUET_CODEC_ZSTD,
        .level = 1,
        .threads = 1,
        .memory_limit = 192 * 1024 * 1024,
        .row_group_rows = 1024 * 1024,
        .row_group_bytes = 64 * 1024 * 1024,
        .page_rows = 65536,
        .page_bytes = 1024 * 1024,
        .dictionary_bytes = 1024 * 1024,
    };
}

static gboolean check_options(const ParquetSchema *schema, const ParquetWriterOptions *options,
                              GError **error)
{
    gsize page_max = 256 * 1024 * 1024;

    if (parquet_schema_count(schema) == 0 || !page_codec_can_write(options->codec) ||
        options->threads == 0 || options->memory_limit < 1024 * 1024 ||
        options->row_group_rows == 0 || options->row_group_bytes == 0 || options->page_rows < 8 ||
        options->page_rows > page_max || options->page_bytes == 0 ||
        options->page_bytes > page_max || options->dictionary_bytes > page_max) {
        error_set(error, ERROR_USAGE, "parquet writer: an option or the schema cannot be used");
        return FALSE;
    }
    for (guint i = 0; i < parquet_schema_count(schema); i++) {
        const ParquetColumn *column = parquet_schema_column(schema, i);

        if (column->type == PARQUET_INT96 || column->logical == PARQUET_OTHER) {
            error_set(error, ERROR_UNSUPPORTED, "column %s: %s is not written", column->name,
                      column->type == PARQUET_INT96 ? "INT96" : "an unknown logical type");
            return FALSE;
        }
    }
    for (guint i = 0; i < options->sorting_count; i++) {
        if (options->sorting[i].column >= parquet_schema_count(schema)) {
            error_set(error, ERROR_USAGE, "parquet writer: sorted by a column that is none");
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean work_on_column(gpointer task, gpointer data, GCancellable *cancellable,
                               GError **error)
{
    ParquetWriter *writer = data;
    Column *column = task;
    const Batch *batch = writer->batch;

    if (batch == NULL)
        return encoder_run(&column->buffer, &column->settings, &column->encoded, error);
    return column_buffer_append(&column->buffer, &batch->arrays[column - writer->column],
                                batch->from, batch->count, error);
}

/* Values of a row group stay in memory twice: as they came, and encoded, where they are hardly ever
 * larger. Beside them each worker has a few pages and a dictionary. */
static gsize group_bytes_limit(const ParquetWriterOptions *options)
{
    gsize pages = options->threads * (4 * options->page_bytes + 2 * options->dictionary_bytes);
    gsize room = options->memory_limit > 2 * pages ? options->memory_limit - pages
                                                   : options->memory_limit / 2;

    return MAX(MIN(options->row_group_bytes, room * 2 / 5), 1);
}

ParquetWriter *parquet_writer_new(ParquetSchema *schema, const ParquetWriterOptions *options,
                                  ParquetSink sink, gpointer data, GCancellable *cancellable,
                                  GError **error)
{
    ParquetWriter *writer;

    if (!check_options(schema, options, error))
        return NULL;
    writer = g_new0(ParquetWriter, 1);
    writer->options = *options;
    writer->options.sorting =
        g_memdup2(options->sorting, options->sorting_count * sizeof *options->sorting);
    writer->sink = sink;
    writer->sink_data = data;
    writer->metadata = parquet_metadata_new(schema);
    writer->metadata->version = 2;
    writer->metadata->created_by = g_strdup(
        options->created_by != NULL ? options->created_by : "holdfast version " HOLDFAST_VERSION);
    writer->indexes = g_ptr_array_new_with_free_func((GDestroyNotify)parquet_page_index_free);
    writer->columns = parquet_schema_count(schema);
    writer->column = g_new0(Column, writer->columns);
    for (guint i = 0; i < writer->columns; i++) {
        Column *column = &writer->column[i];

        column_buffer_init(&column->buffer, parquet_schema_column(schema, i));
        encoded_chunk_init(&column->encoded);
        column->settings = (EncoderSettings){PARQUET_ENCODING_AUTO, options->codec,
                                             options->level,        options->page_rows,
                                             options->page_bytes,   options->dictionary_bytes};
    }
    writer->group_bytes_max = group_bytes_limit(options);
    writer->cancellable = cancellable != NULL ? g_object_ref(cancellable) : NULL;
    writer->workers = workers_new(options->threads, 0, work_on_column, writer, NULL, cancellable);
    return writer;
}

gboolean parquet_writer_set_encoding(ParquetWriter *writer, guint column, ParquetEncoding encoding,
                                     GError **error)
{
    g_return_val_if_fail(column < writer->columns && writer->rows == 0, FALSE);

    if (!encoder_can_encode(writer->column[column].buffer.column, encoding)) {
        error_set(error, ERROR_USAGE, "column %s: %s values are not encoded as %s",
                  writer->column[column].buffer.column->name,
                  parquet_type_name(writer->column[column].buffer.column->type),
                  parquet_encoding_name(encoding));
        return FALSE;
    }
    writer->column[column].settings.encoding = encoding;
    return TRUE;
}

void parquet_writer_add_metadata(ParquetWriter *writer, const char *key, const char *value)
{
    ParquetKeyValue pair = {g_strdup(key), g_strdup(value)};

    g_array_append_val(writer->metadata->key_values, pair);
}

static gboolean put(ParquetWriter *writer, const void *bytes, gsize length, GError **error)
{
    if (length > 0 && !writer->sink(bytes, length, writer->sink_data, error))
        return FALSE;
    writer->offset += length;
    return TRUE;
}

static gboolean put_magic_once(ParquetWriter *writer, GError **error)
{
    if (writer->started)
        return TRUE;
    writer->started = TRUE;
    return put(writer, PARQUET_MAGIC, strlen(PARQUET_MAGIC), error);
}

/* Has every column worked on: copied to, or encoded. */
static gboolean work_on_all(ParquetWriter *writer, const Batch *batch, GError **error)
{
    writer->batch = batch;
    for (guint i = 0; i < writer->columns; i++) {
        if (!workers_push(writer->workers, &writer->column[i]))
            break;
    }
    return workers_wait(writer->workers, error);
}

/* Writes an encoded chunk and takes its description over, with offsets from the file's start. */
static gboolean put_chunk(ParquetWriter *writer, EncodedChunk *encoded, ParquetRowGroup *group,
                          guint column, GError **error)
{
    ParquetChunk *chunk = &group->chunks[column];
    gint64 start = (gint64)writer->offset;

    *chunk = encoded->chunk;
    memset(&encoded->chunk.statistics, 0, sizeof encoded->chunk.statistics);
    if (encoded->dictionary->len > 0)
        chunk->dictionary_offset = start;
    chunk->data_offset += start;
    for (guint i = 0; i < encoded->index->locations->len; i++)
        parquet_page_location(encoded->index, i)->offset += start;
    g_ptr_array_add(writer->indexes, g_steal_pointer(&encoded->index));
    group->plain_bytes += chunk->plain_bytes;
    group->stored_bytes += chunk->stored_bytes;
    return put(writer, encoded->dictionary->data, encoded->dictionary->len, error) &&
           put(writer, encoded->pages->data, encoded->pages->len, error);
}

static gboolean end_row_group(ParquetWriter *writer, GError **error)
{
    ParquetRowGroup fresh = {0};
    ParquetRowGroup *group;

    if (writer->group_rows == 0)
        return TRUE;
    if (!put_magic_once(writer, error) || !work_on_all(writer, NULL, error))
        return FALSE;
    fresh.rows = (gint64)writer->group_rows;
    fresh.chunks = g_new0(ParquetChunk, writer->columns);
    fresh.sorting_count = writer->options.sorting_count;
    fresh.sorting =
        g_memdup2(writer->options.sorting, fresh.sorting_count * sizeof *writer->options.sorting);
    g_array_append_val(writer->metadata->row_groups, fresh);
    group = parquet_metadata_group(writer->metadata, writer->metadata->row_groups->len - 1);
    for (guint i = 0; i < writer->columns; i++) {
        if (!put_chunk(writer, &writer->column[i].encoded, group, i, error))
            return FALSE;
        column_buffer_reset(&writer->column[i].buffer);
    }
    writer->metadata->rows += group->rows;
    writer->group_rows = writer->group_bytes = 0;
    return TRUE;
}

static gsize bytes_of_rows(const ParquetWriter *writer, const ParquetArray *arrays, gsize from,
                           gsize count)
{
    gsize bytes = 0;

    for (guint i = 0; i < writer->columns; i++)
        bytes += column_array_bytes(writer->column[i].buffer.column, &arrays[i], from, count);
    return bytes;
}

/* How many of `left` rows the row group still takes: one at least where it is empty. */
static gsize rows_that_fit(const ParquetWriter *writer, const ParquetArray *arrays, gsize from,
                           gsize left)
{
    gsize low = 0, high = MIN(left, writer->options.row_group_rows - writer->group_rows);
    gsize room = writer->group_bytes_max - MIN(writer->group_bytes, writer->group_bytes_max);

    if (bytes_of_rows(writer, arrays, from, high) <= room)
        return high;
    while (low < high) {
        gsize middle = high - (high - low) / 2;

        if (bytes_of_rows(writer, arrays, from, middle) <= room)
            low = middle;
        else
            high = middle - 1;
    }
    return low == 0 && writer->group_rows == 0 ? 1 : low;
}

/* Of the memory, the share of a row: beside the row group, which is held as it came and as it is
 * written, one is held in the sample that encodings are chosen by, encoded and compressed there. */
#define ROW_SHARE 8

static gboolean copy_rows(ParquetWriter *writer, const ParquetArray *arrays, gsize from,
                          gsize count, GError **error)
{
    gsize bytes = bytes_of_rows(writer, arrays, from, count);
    Batch batch = {arrays, from, count};

    if (count == 1 && bytes > writer->options.memory_limit / ROW_SHARE) {
        error_set(error, ERROR_LIMIT,
                  "a row of %" G_GSIZE_FORMAT " bytes does not fit the parquet writer's memory",
                  bytes);
        return FALSE;
    }
    if (bytes >= PARALLEL_COPY_MIN) {
        if (!work_on_all(writer, &batch, error))
            return FALSE;
    } else {
        for (guint i = 0; i < writer->columns; i++) {
            if (!column_buffer_append(&writer->column[i].buffer, &arrays[i], from, count, error))
                return FALSE;
        }
    }
    writer->group_rows += count;
    writer->group_bytes += bytes;
    writer->rows += count;
    return TRUE;
}

static gboolean add_rows(ParquetWriter *writer, const ParquetArray *arrays, gsize rows,
                         GError **error)
{
    gsize from = 0;

    while (from < rows) {
        gsize count = rows_that_fit(writer, arrays, from, rows - from);

        if (count == 0 || writer->group_rows == writer->options.row_group_rows) {
            if (!end_row_group(writer, error))
                return FALSE;
            continue;
        }
        if (!copy_rows(writer, arrays, from, count, error))
            return FALSE;
        from += count;
    }
    if (writer->group_rows == writer->options.row_group_rows)
        return end_row_group(writer, error);
    return TRUE;
}

/* After a failure the columns differ in length and the sink has part of a row group: nothing can
 * follow. */
static gboolean check_usable(const ParquetWriter *writer, GError **error)
{
    if (writer->failed || writer->finished) {
        error_set(error, ERROR_INTERNAL, "parquet writer is used after its end or a failure");
        return FALSE;
    }
    if (writer->cancellable != NULL && g_cancellable_is_cancelled(writer->cancellable)) {
        error_set(error, ERROR_CANCELLED, "writing a parquet file was cancelled");
        return FALSE;
    }
    return TRUE;
}

gboolean parquet_writer_add(ParquetWriter *writer, const ParquetArray *arrays, gsize rows,
                            GError **error)
{
    if (!check_usable(writer, error))
        return FALSE;
    writer->failed = !add_rows(writer, arrays, rows, error);
    return !writer->failed;
}

gboolean parquet_writer_end_row_group(ParquetWriter *writer, GError **error)
{
    if (!check_usable(writer, error))
        return FALSE;
    writer->failed = !end_row_group(writer, error);
    return !writer->failed;
}

/* The column indexes of all chunks, then the offset indexes, then the footer. */
static gboolean put_indexes(ParquetWriter *writer, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    for (guint i = 0; i < writer->indexes->len; i++) {
        ParquetRowGroup *group = parquet_metadata_group(writer->metadata, i / writer->columns);
        ParquetChunk *chunk = &group->chunks[i % writer->columns];
        const ParquetPageIndex *index = writer->indexes->pdata[i];
        guint start = bytes->len;

        if (index->bounds == NULL)
            continue;
        parquet_column_index_write(index, bytes);
        chunk->column_index_offset = (gint64)(writer->offset + start);
        chunk->column_index_length = (gint32)(bytes->len - start);
    }
    for (guint i = 0; i < writer->indexes->len; i++) {
        ParquetRowGroup *group = parquet_metadata_group(writer->metadata, i / writer->columns);
        ParquetChunk *chunk = &group->chunks[i % writer->columns];
        guint start = bytes->len;

        parquet_offset_index_write(writer->indexes->pdata[i], bytes);
        chunk->offset_index_offset = (gint64)(writer->offset + start);
        chunk->offset_index_length = (gint32)(bytes->len - start);
    }
    return put(writer, bytes->data, bytes->len, error);
}

static gboolean put_footer(ParquetWriter *writer, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint32 length;

    parquet_metadata_write(writer->metadata, bytes);
    length = bytes->len;
    g_byte_array_append(bytes, (const guint8 *)&length, sizeof length);
    g_byte_array_append(bytes, (const guint8 *)PARQUET_MAGIC, strlen(PARQUET_MAGIC));
    return put(writer, bytes->data, bytes->len, error);
}

gboolean parquet_writer_finish(ParquetWriter *writer, GError **error)
{
    if (!check_usable(writer, error))
        return FALSE;
    writer->failed = !put_magic_once(writer, error) || !end_row_group(writer, error) ||
                     !put_indexes(writer, error) || !put_footer(writer, error);
    writer->finished = !writer->failed;
    return writer->finished;
}

guint64 parquet_writer_bytes(const ParquetWriter *writer)
{
    return writer->offset;
}

guint64 parquet_writer_rows(const ParquetWriter *writer)
{
    return writer->rows;
}

void parquet_writer_free(ParquetWriter *writer)
{
    if (writer == NULL)
        return;
    workers_free(writer->workers);
    for (guint i = 0; i < writer->columns; i++) {
        column_buffer_clear(&writer->column[i].buffer);
        encoded_chunk_clear(&writer->column[i].encoded);
    }
    g_free(writer->column);
    g_ptr_array_unref(writer->indexes);
    parquet_metadata_free(writer->metadata);
    g_clear_object(&writer->cancellable);
    g_free((gpointer)writer->options.sorting);
    g_free(writer);
}
