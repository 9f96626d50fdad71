/* SPDX-License-Identifier: Apache-2.0
 *
 * Copying the files of a running server from its data directory into the pool, by several workers,
 * biggest files first, page checksums verified on the way. Files move while they are copied: what
 * vanished is left out, what grew is cut at the size that the list has, what shrank is taken as it
 * is; the WAL brings the rest. Any other failure to read ends the backup.
 *
 * Threads: one call at a time; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_COPY_LOCAL_H
#define HOLDFAST_POSTGRES_COPY_LOCAL_H

#include "base/progress.h"
#include "base/throttle.h"
#include "postgres/page-check.h"
#include "postgres/physical.h"

/* One regular file of the list. A server may have millions: only what has changed carries more than
 * its entry in the list. */
typedef struct {
    PgFile *
        file; /* content.size is its size in the list; receives content, checksum and whether it has settled */
    PoolFile *
        base; /* the content of the same path in the base backup, or NULL; freed when it is not needed any more */
    gboolean
        same; /* as its times say, the content is the base's: it is in file->content already, with the base's handles, and is not read */
    gboolean vanished; /* set here */
} PgCopyItem;
void pg_copy_item_clear(PgCopyItem *item);

typedef struct {
    const char *data_directory;
    GArray *items; /* PgCopyItem; its order is changed */
    PoolWriter *pool;
    PoolReader *base_reader; /* or NULL */
    PgPageCheck *pages;      /* or NULL: the cluster has no page checksums */
    guint jobs;
    Throttle *throttle; /* or NULL */
    gboolean nice;      /* workers give way to other processes */
    Progress *progress;
    GCancellable *cancellable;
} PgCopyLocal;

gboolean pg_copy_local(const PgCopyLocal *copy, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Lets the calling thread give way to others, in CPU time and reading. A refusal is no failure. */
void pg_copy_give_way(void);

/* A file whose bytes are at hand: pg_control, which comes last. */
gboolean pg_copy_bytes(PoolWriter *pool, PgFile *file, GBytes *bytes,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
