/* SPDX-License-Identifier: Apache-2.0
 *
 * Where physical backups stand in the WAL, and by that their order: ids sort by the second in which
 * a backup began, and say nothing about two of one second, or about a long one and what was made
 * beside it.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_POSITION_H
#define HOLDFAST_POSTGRES_WAL_POSITION_H

#include "postgres/wal-name.h"
#include "repo/manifest.h"
#include "repo/repository.h"

/* Clear fields of a manifest. */
typedef struct {
    guint64 system_identifier;
    guint32 timeline, segment_size;
    PgLsn start, stop;
} WalPosition;
/* FALSE for a backup without such fields (a logical one). ERROR_DAMAGED where they make no
 * sense. */
gboolean wal_position_read(const Manifest *manifest, gboolean *ret_present,
                           WalPosition *ret_position, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    char *id;
    gint64 start, stop; /* microseconds */
    WalPosition position;
    gboolean partial;
    GError *problem; /* why it cannot be read, or NULL; its place in the order is that of its id */
} WalBackup;

/* The physical backups of a source, and those of it that cannot be read, oldest first: by the time
 * at which they stopped, where that is the same by the LSN. An array of WalBackup. */
gboolean wal_backups(Repository *repository, const char *source, GPtrArray **ret_backups,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
