/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a Parquet file from columns of values. The bytes go out in order through a callback, so
 * that they stream into anything; nothing is written twice.
 *
 * What is written: data pages v1 with CRC-32, statistics, column and offset index, key-value
 * metadata. Rows are gathered to row groups; a row group's columns are encoded in parallel, then
 * written.
 *
 * Threads: one thread at a time uses a writer. It has workers of its own for the columns.
 */
#ifndef HOLDFAST_PARQUET_WRITER_H
#define HOLDFAST_PARQUET_WRITER_H

#include <gio/gio.h>

#include "parquet/array.h"
#include "parquet/metadata.h"
#include "parquet/schema.h"

typedef struct {
    ParquetCodec codec; /* ZSTD, GZIP, SNAPPY, LZ4_RAW, NONE; not used where it gains nothing */
    gint level;         /* ZSTD and GZIP, as in CompressSpec */
    guint threads;      /* that encode; 1: the caller waits for the only one */
    gsize memory_limit; /* bytes that the writer may hold; row groups are closed early to keep it */
    gsize row_group_rows;   /* a row group is closed with so many rows, */
    gsize row_group_bytes;  /* or about so many bytes of values */
    gsize page_rows;        /* at most, in a page */
    gsize page_bytes;       /* about, in a page */
    gsize dictionary_bytes; /* at most, in the dictionary of a column chunk */
    const ParquetSorting
        *sorting; /* how the caller has sorted the rows of each row group: recorded, not checked */
    guint sorting_count;
    const char *created_by; /* NULL: "holdfast version VERSION" */
} ParquetWriterOptions;

/* zstd 1, one thread, 192 MiB, row groups of 1,048,576 rows or 64 MiB, pages of 65,536 rows or 1
 * MiB, dictionaries of 1 MiB. */
void parquet_writer_options_init(ParquetWriterOptions *options);

/* Takes bytes of the file, in order. They are valid during the call only. */
typedef gboolean (*ParquetSink)(const void *bytes, gsize length, gpointer data, GError **error);

typedef struct ParquetWriter ParquetWriter;

/* ERROR_USAGE for options that cannot be. The schema is referenced, options are copied.
 * `cancellable` may be NULL; when it fires, calls fail with ERROR_CANCELLED. */
ParquetWriter *parquet_writer_new(ParquetSchema *schema, const ParquetWriterOptions *options,
                                  ParquetSink sink, gpointer data, GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fixes the encoding of a column instead of looking at the data; before the first rows. The codec
 * is used whatever it gains then. ERROR_USAGE where the type cannot be encoded so. */
gboolean parquet_writer_set_encoding(ParquetWriter *writer, guint column, ParquetEncoding encoding,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A pair for the file's metadata, in UTF-8; any time before the end. `value` may be NULL. */
void parquet_writer_add_metadata(ParquetWriter *writer, const char *key, const char *value);

/* Adds rows: one array a column of the schema. They are copied, so the caller's memory is free
 * again. */
gboolean parquet_writer_add(ParquetWriter *writer, const ParquetArray *arrays, gsize rows,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes the row group here. Does nothing where it has no rows. */
gboolean parquet_writer_end_row_group(ParquetWriter *writer,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes what is left, the page index and the footer. Once; the writer can only be freed then. */
gboolean parquet_writer_finish(ParquetWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Bytes given to the sink, and rows added, so far. */
guint64 parquet_writer_bytes(const ParquetWriter *writer);
guint64 parquet_writer_rows(const ParquetWriter *writer);

/* Frees a writer at any stage. A file that was not finished is no Parquet file. NULL is fine. */
void parquet_writer_free(ParquetWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetWriter, parquet_writer_free)

#endif
