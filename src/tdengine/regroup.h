/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking the rows of a plain scan apart: blocks come with the rows of many tables, a table in runs
 * with rising times (seen, not promised: a run ends where a time falls). The runs are sorted by
 * table and time and handed to the slices that they belong to.
 *
 * Memory is bounded: when the blocks that are kept reach the limit, every slice gets what there is
 * of it as a row group, and the blocks go. Values are not touched before that: a run is a view.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_REGROUP_H
#define HOLDFAST_TDENGINE_REGROUP_H

#include "tdengine/names.h"
#include "tdengine/slice.h"

typedef struct TdRegroup TdRegroup;

/* Called for each child table at its first row; FALSE: its rows are not wanted. */
typedef gboolean (*TdNameFunc)(const char *name, gsize length, gpointer data);

typedef struct {
    const TdTable *table;
    const TdPlan *plan;
    gint64 from, to; /* of the backup: slices are cut to it; G_MININT64 and G_MAXINT64: open */
    TdSliceShape *shape;
    gsize memory;    /* bytes of blocks that are kept */
    TdNameFunc name; /* NULL: all are wanted */
    gpointer name_data;
} TdRegroupOptions;

TdRegroup *td_regroup_new(const TdRegroupOptions *options);
void td_regroup_free(TdRegroup *regroup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdRegroup, td_regroup_free)

/* Takes a block: of a super table tbname and the table's columns, of a normal one the columns; it
 * is copied. *ret_binary is as in td_slice_writer_add(). ERROR_FORMAT where the columns are
 * others. */
gboolean td_regroup_add(TdRegroup *regroup, const TdBlock *block, gint *ret_binary,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Rows that came without the name of their table, as those of a table do that was dropped while it
 * was read: they were left out. */
guint64 td_regroup_nameless(const TdRegroup *regroup);

/* Writes what is left and finishes the slices: appended to an array of TdSlice, `table` left 0. */
gboolean td_regroup_finish(TdRegroup *regroup, GArray *slices, gint *ret_binary,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
