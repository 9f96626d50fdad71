/* SPDX-License-Identifier: Apache-2.0
 *
 * The Parquet objects beside the rows: the exact tags of a super table's child tables, and the
 * counts of the child tables in a slice.
 *
 * tags, one row a child table, in no order:
 *
 *     tbname · every tag under its own name · uid INT64 · ttl INT64 (days) · comment (as the
 *     literal was written, missing: none) · vgroup INT32
 *
 * tables, one or more rows a child table that has rows in the slice: rows of the same table are to
 * be added up:
 *
 *     tbname · rows INT64 · first, last TIMESTAMP · fingerprint FIXED(16), big endian
 *
 * Columns are found by the "role" in the metadata (columns.h), since a tag may have any name.
 */
#ifndef HOLDFAST_TDENGINE_TAGS_H
#define HOLDFAST_TDENGINE_TAGS_H

#include "tdengine/children.h"
#include "tdengine/details.h"
#include "tdengine/parquet-object.h"

/* Adds up what td_tags_write() would write, in *ret_sum: order-free, under the backup's key. */
gboolean td_tags_sum(TdClient *client, TdTable *table, const TdChildren *children,
                     const TdSliceOptions *options, TdFingerprint *ret_sum,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes the tags of a super table's child tables, and adds them to table->tags_sum. `only` (or NULL:
 * all) are the names to take. A tag whose values are no text becomes `binary` on the way. *ret_object
 * has no rows and no name where there is no child table. */
gboolean td_tags_write(TdClient *client, TdTable *table, const TdChildren *children,
                       const TdNames *only, const TdSliceOptions *options, TdObjectRef *ret_object,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the objects of a slice say of one child table. */
typedef struct {
    guint64 rows;
    gint64 first, last;
    TdFingerprint fingerprint;
} TdTableCount;

/* Adds the counts of a slice's `tables` object to a table from names (char *) to TdTableCount. The
 * strings and counts belong to the hash table, which frees them with g_free(). */
gboolean td_table_counts_read(Backup *backup, const TdSlice *slice, GHashTable *counts,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
