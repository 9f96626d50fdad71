/* SPDX-License-Identifier: Apache-2.0
 *
 * The WAL of a physical backup: that archiving works is proved before anything is copied, and every
 * segment from start to stop is in the archive, read and checked, before the backup counts. It does
 * not matter who archives: archive_command or `holdfast wal receive`.
 *
 * Threads: one thread at a time.
 */
#ifndef HOLDFAST_POSTGRES_BACKUP_WAL_H
#define HOLDFAST_POSTGRES_BACKUP_WAL_H

#include "base/progress.h"
#include "postgres/connection.h"
#include "postgres/physical.h"
#include "postgres/wal-archive.h"
#include "repo/writer.h"

typedef struct {
    PgConnection *connection;
    WalArchive archive;
    gboolean standby;
    GCancellable *cancellable;
} PgBackupWal;

/* Before the start: refuses where archiving is switched off, else has the server end its segment;
 * *ret_segment is what must come into the archive (NULL on a standby, which cannot do that). Free
 * with g_free(). */
gboolean pg_backup_wal_probe(const PgBackupWal *wal, char **ret_segment,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits, not for ever, until the segment is in the archive: ERROR_TIMEOUT, with what the server's
 * archiver says. On a standby (segment NULL) the last segment before `start`, or the one that holds
 * it, has to be there. */
gboolean pg_backup_wal_prove(const PgBackupWal *wal, const char *segment,
                             const PgPhysical *physical, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* After the stop: waits for all segments that the backup needs, reads each through and makes it a
 * part of the backup. */
gboolean pg_backup_wal_collect(const PgBackupWal *wal, const PgPhysical *physical,
                               BackupWriter *writer, Progress *progress,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The numbers of the first and the last segment that the backup needs. A stop on a segment's border
 * needs the one before. */
void pg_backup_wal_range(const PgPhysical *physical, guint64 *ret_first, guint64 *ret_last);

#endif
