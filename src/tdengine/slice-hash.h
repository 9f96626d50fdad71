/* SPDX-License-Identifier: Apache-2.0
 *
 * The fingerprint of a slice out of its Parquet object: the values as they stood in the server's
 * blocks are made anew from the file, and hashed as the backup hashed them.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_TDENGINE_SLICE_HASH_H
#define HOLDFAST_TDENGINE_SLICE_HASH_H

#include "tdengine/details.h"

typedef struct {
    guint64 rows;
    gint64 first, last; /* ticks; meaningless without rows */
    TdFingerprint fingerprint;
} TdSliceSum;

/* Decodes every value. `table` is the slice's; names and types of the columns are taken from the
 * file. `children` (or NULL) gets what the rows of each child table add up to: names (char *) to
 * TdTableCount, freed with g_free(). ERROR_DAMAGED, ERROR_FORMAT. */
gboolean td_slice_sum(Backup *backup, const TdDetails *details, const TdSlice *slice,
                      GHashTable *children, TdSliceSum *ret_sum, GCancellable *cancellable,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
