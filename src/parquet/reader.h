/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads Parquet files: all that the writer writes, and what other writers commonly do, in flat
 * schemas. Values come in batches of columns. Rows can be chosen by what statistics and page index
 * say about them.
 *
 * Nothing in a file is trusted; limits bound what a file can make the reader take. Errors name the
 * file, the column, the page and the byte: ERROR_FORMAT and ERROR_DAMAGED for bytes that are wrong,
 * ERROR_UNSUPPORTED for what is right but not read here, ERROR_LIMIT.
 *
 * Threads: a reader does not change once it is open, so any number of threads may use it. A scan is
 * used by one thread at a time; several scans of one reader run side by side.
 */
#ifndef HOLDFAST_PARQUET_READER_H
#define HOLDFAST_PARQUET_READER_H

#include <gio/gio.h>

#include "parquet/array.h"
#include "parquet/metadata.h"
#include "parquet/source.h"

typedef struct {
    gsize footer_bytes; /* of the footer, or one page index */
    guint columns;      /* of a file */
    guint chunks;       /* row groups times columns */
    gsize page_bytes;   /* of one page, stored or plain */
    gsize string_bytes; /* of one column in one batch; a single value may be larger */
    gsize memory;       /* of one scan */
} ParquetReaderLimits;

/* 64 MiB of footer, 16,384 columns, 1,048,576 chunks, pages of 256 MiB, 64 MiB of strings, 1 GiB of
 * memory. */
void parquet_reader_limits_init(ParquetReaderLimits *limits);

typedef struct ParquetReader ParquetReader;

/* Reads the footer. The source's data must outlive the reader. `limits` may be NULL: those of
 * parquet_reader_limits_init(). */
ParquetReader *parquet_reader_open(const ParquetSource *source, const ParquetReaderLimits *limits,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
void parquet_reader_free(ParquetReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetReader, parquet_reader_free)

/* Belongs to the reader. */
const ParquetMetadata *parquet_reader_metadata(const ParquetReader *reader);

/* The page index of a chunk. *ret_index is NULL where the file has none; its `bounds` is NULL
 * without a column index. Free with parquet_page_index_free(). */
gboolean parquet_reader_page_index(const ParquetReader *reader, guint group, guint column,
                                   ParquetPageIndex **ret_index,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads every page of every column without decoding one: headers, lengths, checksums, and the page
 * indexes. *ret_pages is how many pages there are, *ret_bare how many of them carry no checksum,
 * and so prove nothing. */
gboolean parquet_reader_check(const ParquetReader *reader, GCancellable *cancellable,
                              guint64 *ret_pages, guint64 *ret_bare,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Rows [first, first + count) of a row group. */
typedef struct {
    guint group;
    guint64 first, count;
} ParquetRows;

/* "The column's value lies between low and high", both included. A missing value never does. Bounds
 * are values in PLAIN form, byte arrays without a length; NULL leaves that side open. */
typedef struct {
    guint column;
    const void *low, *high;
    gsize low_length, high_length;
} ParquetCondition;

/* The rows for which all conditions may hold, in the file's order, as an array of ParquetRows,
 * judging by statistics of row groups and pages. No row that meets the conditions is left out;
 * others may be among them, and the caller looks at the values. ERROR_USAGE for bounds of a wrong
 * length. */
GArray *parquet_reader_find(const ParquetReader *reader, const ParquetCondition *conditions,
                            guint count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    guint group;
    guint64 first_row;    /* in the row group */
    gsize rows;           /* 0: the end */
    ParquetArray *arrays; /* one a column that was asked for, in that order */
} ParquetBatch;

typedef struct ParquetScan ParquetScan;

/* Begins to read some columns. `rows` is an array of ParquetRows in the order of the file that do
 * not overlap, as parquet_reader_find() gives it, and is copied; NULL: all rows. The reader must
 * outlive the scan. */
ParquetScan *parquet_scan_new(const ParquetReader *reader, const guint *columns, guint column_count,
                              const GArray *rows, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives the next rows, at most `max_rows`, never across row groups; often fewer, as pages end. The
 * batch is valid until the next call. After a failure the scan can only be freed. */
gboolean parquet_scan_next(ParquetScan *scan, gsize max_rows, ParquetBatch *ret_batch,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void parquet_scan_free(ParquetScan *scan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetScan, parquet_scan_free)

#endif
