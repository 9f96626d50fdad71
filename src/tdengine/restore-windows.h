/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rows are written together. A slice holds a step of time of many child tables; where these
 * are small, a server takes the few rows that each has there badly: what it costs is a table in a
 * bind, more than its rows. So slices of small tables are read side by side, and the rows of a table are
 * bound together.
 *
 * The server scanned all slices in the same order of tables, or nearly, and a row group holds what came
 * of a stretch of that scan. So the row groups that stand at about the same place of their slices
 * hold the same tables: these make a window, as many as memory allows.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_WINDOWS_H
#define HOLDFAST_TDENGINE_RESTORE_WINDOWS_H

#include "tdengine/restore-tags.h"

#define TD_EVERY_GROUP G_MAXUINT

/* A row group of a slice, or all of them one behind the other. */
typedef struct {
    const TdSlice *slice;
    guint group;
} TdWindowPart;

/* A window is an array of TdWindowPart, those of a slice side by side. This one is a whole slice. */
GArray *td_window_new(const TdSlice *slice);

/* The windows (GArray) of a table's slices (TdSlice *, by time): every row group is in exactly one. `set`: the
 * child tables; NULL of a normal table. `jobs` windows are written at the same time, each of about `bytes`
 * in memory at most. Looks into the slices: ERROR_DAMAGED where one holds other rows than the details say. */
GPtrArray *td_restore_windows(Backup *backup, const TdTagSet *set, const GPtrArray *slices,
                              guint jobs, gsize bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
