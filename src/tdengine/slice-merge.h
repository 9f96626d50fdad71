/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of several row groups of one table as one stream: sorted by child table, as each row group is
 * by itself, so that the rows which a table has in many slices come one behind the other.
 *
 * Memory: what the scans take, each a page of every column.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_SLICE_MERGE_H
#define HOLDFAST_TDENGINE_SLICE_MERGE_H

#include "parquet/reader.h"

typedef struct TdMerge TdMerge;

/* Rows [from, to) of one child table. */
typedef struct {
    guint source; /* of the scan, as it was added */
    const ParquetArray *arrays;
    gsize from, to; /* from == to: the end */
    const char *name;
    gsize name_length;
} TdMergeRows;

TdMerge *td_merge_new(void);
void td_merge_free(TdMerge *merge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdMerge, td_merge_free)

/* Takes a scan. `names` is the number of its array with the tables' names, -1: it has none, and its rows
 * are of one table without a name. Rows of a table come scan by scan, in the order of adding.
 * ERROR_FORMAT, ERROR_DAMAGED of the file. */
gboolean td_merge_add(TdMerge *merge, ParquetScan *scan, gint names, guint source,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next rows, borrowed until the next call. Where a scan is not sorted, the stream is not: names go
 * back then. */
gboolean td_merge_next(TdMerge *merge, TdMergeRows *ret_rows,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
