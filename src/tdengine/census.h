/* SPDX-License-Identifier: Apache-2.0
 *
 * Before rows are read: how many a server says there are and what their sums are (sums.h), place by
 * place of each table, and the plan of slices that follows. A place is a stretch of the plan
 * (td_plan_stretch()), or a step of the newest: one slice, its shards, or all slices of a file set.
 *
 * A table whose base's plan is kept is asked at once, in a question or two: the windows of the plan's
 * file sets and steps count rows and tell sums together, wherever rows are. One that has no plan is
 * counted by file set first. Windows that the server refuses to sum (a sum that is too large) are only
 * counted: their places have no sums to compare.
 */
#ifndef HOLDFAST_TDENGINE_CENSUS_H
#define HOLDFAST_TDENGINE_CENSUS_H

#include "tdengine/scan.h"

typedef struct {
    gint64 from, to; /* microseconds; G_MININT64 and G_MAXINT64: open */
    gboolean sums;   /* else rows are counted, and nothing is asked of places */
    guint64 key;     /* of the sums' fingerprints */
} TdCensusOptions;

/* Counts (scan->counts), plans (table->plan) and asks for sums (scan->sums) of tables (an array of
 * TdScanTable). One that is gone says so. Sums are asked of all time. */
gboolean td_census_take(TdScanner *scanner, GPtrArray *scans, const TdCensusOptions *options,
                        GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
