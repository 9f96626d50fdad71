/* SPDX-License-Identifier: Apache-2.0
 *
 * The details of a TDengine backup (docs/formats.md):
 *
 *   details.json           one object: "server", "fingerprint_key", "databases", "tables", "objects"
 *   details-slices.jsonl   a line a slice, sorted by table, time and shard
 *
 * and in the pool, referred to from there: a Parquet object with the rows of each slice, one with
 * the counts of its child tables, and for each super table one with the exact tags.
 */
#ifndef HOLDFAST_TDENGINE_DETAILS_H
#define HOLDFAST_TDENGINE_DETAILS_H

#include "pool/names.h"
#include "repo/backup.h"
#include "repo/stored-parquet.h"
#include "repo/writer.h"
#include "tdengine/schema.h"

typedef struct {
    guint32 table;   /* index into the details' tables */
    gint64 from, to; /* ticks: from <= time < to; a partial backup's range is cut to its times */
    guint32 shard, shards;
    guint64 rows;
    gint64 first, last;
    TdFingerprint fingerprint;
    char schema[33];  /* td_fields_hash() when it was written: differs from the table's now where
                           columns changed since; the Parquet file has its own columns' types */
    TdObjectRef data; /* the rows */
    TdObjectRef
        tables; /* rows, first, last, fingerprint of each child table; none of a normal one */
    char sums[TD_FINGERPRINT_HEX_SIZE]; /* what the server said of its place before it was read
                                           (TdSums, shared by all slices there); "": not known */
    gboolean reused;                    /* the objects are those of the base; not recorded */
} TdSlice;

typedef struct {
    char *server_version;
    char *cluster_id; /* NULL: not told */
    char *transport;
    guint64 fingerprint_key;
    gint64 start, end;    /* --start and --end in microseconds; G_MININT64 and G_MAXINT64: open */
    GPtrArray *databases; /* TdDatabase */
    GPtrArray *tables;    /* TdTable, by database, super tables before normal ones */
    GPtrArray *objects;   /* TdObject, in the order of a restore */
    GArray *slices;       /* TdSlice, sorted */
    GPtrArray *answers;   /* char *: what the server said where it refused; may hold names */
} TdDetails;

TdDetails *td_details_new(void);
void td_details_free(TdDetails *details);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdDetails, td_details_free)

TdDatabase *td_details_find_database(const TdDetails *details, const char *name);
/* NULL where there is none. */
TdTable *td_details_find_table(const TdDetails *details, const char *database, const char *name,
                               guint32 *ret_index);

gboolean td_details_write(TdDetails *details, BackupWriter *writer, CompressSpec spec,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Everything, the slices too. ERROR_DAMAGED, ERROR_FORMAT, ERROR_NEWER_FORMAT. */
gboolean td_details_read(Backup *backup, TdDetails **ret_details,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* See Engine: documents that name pool objects, and giving them others. */
extern const char *const td_pool_documents[];
gboolean td_rename_pool(const char *stem, json_t *document, PoolNames *names,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The path of a pool object as SHA256SUMS names it: "../../pool/aa/…". Free with g_free(). */
char *td_object_path(const TdObjectRef *object);

/* A pool object of a backup, by its path, for a Parquet reader. */
StoredParquet *td_object_open(Backup *backup, const char *path,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
