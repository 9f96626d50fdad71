/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a running server has written its WAL, and whether the archive has all that matters of it.
 *
 * Threads: as the connection.
 */
#ifndef HOLDFAST_POSTGRES_SERVER_POSITION_H
#define HOLDFAST_POSTGRES_SERVER_POSITION_H

#include "postgres/connection.h"
#include "postgres/wal-name.h"

typedef struct {
    guint64 system_identifier;
    guint32 timeline; /* of its last checkpoint */
    PgLsn insert;     /* the end of its WAL */
    gint64 now;       /* by its clock */
} PgServerPosition;

/* ERROR_REFUSED for a server in recovery, which writes no WAL of its own. */
gboolean pg_server_position(PgConnection *connection, PgServerPosition *ret_position,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether nothing was committed behind `archived`, the end of the archived WAL. Where the server
 * has written more, that is read (with the right to; a superuser has it): an idle server has a
 * checkpoint there and no more, which is never archived by itself. What cannot be read counts as a
 * commit. */
gboolean pg_server_is_archived(PgConnection *connection, const PgServerPosition *position,
                               PgLsn archived, guint32 segment_size);

#endif
