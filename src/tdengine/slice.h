/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing one slice: the Parquet object with its rows, and the one with the counts of its child
 * tables. Runs of rows come in the order in which they are to stand; where memory asks for it a row
 * group is closed and the order begins anew.
 *
 * Threads: a shape and the slices made of it belong to one thread.
 */
#ifndef HOLDFAST_TDENGINE_SLICE_H
#define HOLDFAST_TDENGINE_SLICE_H

#include "tdengine/details.h"
#include "tdengine/parquet-object.h"

/* What all slices of one table have in common, and the memory that they use in turn. */
typedef struct TdSliceShape TdSliceShape;

/* The table must outlive the shape; its columns' `binary` says which are no text. `base` (an array of
 * TdSlice, or NULL) are the table's slices in the base: one that turns out to hold the same is
 * referred to, and nothing is made durable. `compare`: nothing is encoded at all, and a slice that
 * differs comes out without objects. */
TdSliceShape *td_slice_shape_new(const TdTable *table, const TdSliceOptions *options,
                                 const GArray *base, gboolean compare);
void td_slice_shape_free(TdSliceShape *shape);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdSliceShape, td_slice_shape_free)

/* Rows of one table that stand one behind the other in a block, times rising. */
typedef struct {
    const char *table;
    gsize table_length;
    const TdBlockColumn *columns; /* the table's, in order: without tbname */
    guint32 from, count;
    gint64 first, last; /* times */
} TdRun;

typedef struct TdSliceWriter TdSliceWriter;

TdSliceWriter *td_slice_writer_new(TdSliceShape *shape, const TdSlicePlace *place,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* *ret_binary is the number of a column that turned out to be no text, else -1; with TRUE and a
 * number the slice can only be freed. */
gboolean td_slice_writer_add(TdSliceWriter *writer, const TdRun *run, gint *ret_binary,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Ends the row group. */
gboolean td_slice_writer_end_group(TdSliceWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Makes the objects durable and fills in what is known of the slice but its table's number. */
gboolean td_slice_writer_finish(TdSliceWriter *writer, TdSlice *ret_slice,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_slice_writer_free(TdSliceWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdSliceWriter, td_slice_writer_free)

#endif
