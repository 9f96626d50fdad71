/* SPDX-License-Identifier: Apache-2.0
 *
 * PostgreSQL's own backup_manifest, written into every restored directory, so that pg_verifybackup
 * can judge it. Format: PostgreSQL's documentation, "Backup Manifest Format": version 1, and 2 from
 * PostgreSQL 17 on.
 */
#ifndef HOLDFAST_POSTGRES_BACKUP_MANIFEST_H
#define HOLDFAST_POSTGRES_BACKUP_MANIFEST_H

#include "postgres/wal-name.h"

#define PG_MANIFEST_NAME "backup_manifest"

typedef struct PgManifestWriter PgManifestWriter;

/* Writes to a descriptor, which stays the caller's; `path` names it in errors. */
PgManifestWriter *pg_manifest_new(int fd, const char *path, int server_major,
                                  guint64 system_identifier);

/* A file below the data directory; not the WAL, and not the manifest itself. `modified` in
 * microseconds. */
gboolean pg_manifest_add(PgManifestWriter *writer, const char *path, guint64 size, gint64 modified,
                         guint32 crc, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The WAL that the backup needs, and the end. */
gboolean pg_manifest_finish(PgManifestWriter *writer, guint32 timeline, PgLsn start, PgLsn stop,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

void pg_manifest_free(PgManifestWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgManifestWriter, pg_manifest_free)

#endif
