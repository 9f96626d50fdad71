/* SPDX-License-Identifier: Apache-2.0
 *
 * A physical backup over the replication protocol, for data directories that cannot be read here:
 * BASE_BACKUP, its tar streams taken apart and written into the pool. The server starts and stops
 * the backup itself. Every byte is sent, whatever the base has; what did not change is recognised
 * by its hash.
 *
 * Threads: one call at a time; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_COPY_STREAM_H
#define HOLDFAST_POSTGRES_COPY_STREAM_H

#include "postgres/backup-session.h"
#include "postgres/backup-wal.h"
#include "postgres/page-check.h"

typedef struct {
    const ConfigSource *source;
    const char *backup_id;
    PgBackupSession *session; /* an ordinary one, for questions */
    const PgBackupWal *wal;
    const char *probe;    /* the segment that proves archiving, or NULL */
    PgPhysical *physical; /* receives files, position and tablespaces */
    PoolWriter *pool;
    Backup *base;                /* or NULL */
    const PgPhysical *base_head; /* or NULL */
    PgPageCheck *pages;          /* or NULL */
    guint jobs;
    guint64 rate;
    gboolean nice;
    Progress *progress;
    GCancellable *cancellable;
} PgCopyStream;

/* *ret_label and *ret_map are backup_label and tablespace_map as the server sent them (the second
 * "" where it sent none). */
gboolean pg_copy_stream(const PgCopyStream *copy, char **ret_label, char **ret_map,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
