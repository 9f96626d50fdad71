/* SPDX-License-Identifier: Apache-2.0
 *
 * What an incremental backup takes from its base: whether the base fits at all, the plan of slices,
 * and the slices themselves where they hold what the server holds now.
 */
#ifndef HOLDFAST_TDENGINE_INCREMENTAL_H
#define HOLDFAST_TDENGINE_INCREMENTAL_H

#include "config/config.h"
#include "tdengine/details.h"

/* The engine's base_fits: a base whose objects are not all there, or of another incarnation of a
 * database, does not fit. */
gboolean td_base_fits(const ConfigSource *source, Backup *base, char **ret_reason,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The base's slices of one table (an array of TdSlice, sorted by time and shard) and its plan.
 * NULL: the base does not have the table, or its file sets are others; it is read as in a full. */
typedef struct {
    GArray *slices;
    const TdPlan *plan; /* the base's */
} TdBaseTable;

/* Marks the columns of `table` that the base holds as bytes, too. Free with td_base_table_free(). The details must outlive it. */
TdBaseTable *td_base_table_new(const TdDetails *base, TdTable *table);
void td_base_table_free(TdBaseTable *table);

/* The stretches of a plan that the base's slices are in, rising, each once: an array of TdStretch. */
GArray *td_base_stretches(const TdBaseTable *base, const TdPlan *plan);

/* Whether the tags of `before`, the table in the base, add up to `sum` under the same columns; then
 * `table` gets its objects. */
gboolean td_base_tags(const TdTable *before, TdFingerprint sum, TdTable *table);

/* The slice of the base that holds just what `fresh` does, under the same schema; NULL: none. */
const TdSlice *td_base_slice(const GArray *slices, const TdSlice *fresh);

#endif
