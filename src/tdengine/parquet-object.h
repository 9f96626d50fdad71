/* SPDX-License-Identifier: Apache-2.0
 *
 * A Parquet file that becomes an object of the pool: slices, tags, counts of child tables. Its
 * metadata says what it is, so that it can be understood without the backup:
 *
 *     holdfast.backup    id of the backup that wrote it (which also makes the object's name unique)
 *     holdfast.object    "slice", "tags" or "tables"
 *     holdfast.database, holdfast.table
 *     holdfast.precision "ms", "us", "ns"
 *     holdfast.columns   see columns.h
 *     holdfast.slice     {"from", "to", "shard", "shards"}, where it belongs to a slice
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_PARQUET_OBJECT_H
#define HOLDFAST_TDENGINE_PARQUET_OBJECT_H

#include "codec/compress.h"
#include "repo/repository.h"
#include "tdengine/columns.h"

typedef struct {
    ParquetColumn column; /* its name is TDengine's, or ours; made unique in the file */
    const char *role;
    char *type; /* in TDengine's words, or NULL: a column of our own */
} TdParquetColumn;

typedef struct {
    Repository *repository;
    const char *backup_id;
    const char *object; /* "slice" … */
    const char *database, *table;
    TdPrecision precision;
    const TdSlicePlace *slice; /* or NULL */
    CompressSpec compression;
    gboolean sorted; /* by the first two columns */
    GCancellable *cancellable;
} TdParquetSpec;

/* What all objects of a backup's database have in common. */
typedef struct {
    Repository *repository;
    const char *backup_id;
    CompressSpec compression;
    guint64 fingerprint_key;
    TdPrecision precision;
    GCancellable *cancellable;
} TdSliceOptions;

typedef struct TdParquet TdParquet;

TdParquet *td_parquet_new(const TdParquetSpec *spec, const TdParquetColumn *columns,
                          guint n_columns, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Adds the gathered rows, one gather a column, and empties the gathers. */
gboolean td_parquet_add(TdParquet *parquet, TdGather *gathers,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean td_parquet_end_group(TdParquet *parquet, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Makes the object durable. Once. */
gboolean td_parquet_finish(TdParquet *parquet, TdObjectRef *ret_object,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Frees; what was not finished is forgotten. */
void td_parquet_free(TdParquet *parquet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdParquet, td_parquet_free)

#endif
