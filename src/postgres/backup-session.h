/* SPDX-License-Identifier: Apache-2.0
 *
 * The session of a physical backup: what the server says of itself, and the start and stop of a
 * non-exclusive backup, which must come from one and the same session. The names of the functions
 * changed with version 15.
 *
 * Threads: one thread at a time.
 */
#ifndef HOLDFAST_POSTGRES_BACKUP_SESSION_H
#define HOLDFAST_POSTGRES_BACKUP_SESSION_H

#include "postgres/connection.h"
#include "postgres/physical.h"

typedef struct PgBackupSession PgBackupSession;

PgBackupSession *pg_backup_session_open(const char *conninfo, GCancellable *cancellable,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A backup that was started and not stopped is given up by the server. NULL is fine. */
void pg_backup_session_free(PgBackupSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgBackupSession, pg_backup_session_free)

PgConnection *pg_backup_session_connection(PgBackupSession *session);

/* Fills in what does not change: server, identifier, timeline, sizes, standby or not, settings,
 * databases. The timeline is that of the last checkpoint. */
gboolean pg_backup_session_describe(PgBackupSession *session, PgPhysical *physical,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The tablespaces that there are now, but for the two that are the data directory's own. */
gboolean pg_backup_session_tablespaces(PgBackupSession *session, PgPhysical *physical,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The server's data directory as it names it itself; NULL where the role may not ask. Free with
 * g_free(). */
char *pg_backup_session_data_directory(PgBackupSession *session);

/* The server's clock, in microseconds. */
gboolean pg_backup_session_now(PgBackupSession *session, gint64 *ret_now,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Starts with a fast checkpoint (on a standby: a restartpoint). Sets physical->start and
 * start_time. */
gboolean pg_backup_session_start(PgBackupSession *session, const char *label, PgPhysical *physical,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stops; does not wait for the archive. Sets stop and stop_time. The two texts belong into the
 * restored data directory, byte for byte; *ret_map is "" where there are no tablespaces. A standby
 * that was promoted since the start, or that has changed its timeline, is an error. */
gboolean pg_backup_session_stop(PgBackupSession *session, PgPhysical *physical, char **ret_label,
                                char **ret_map, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes start, checkpoint and timeline out of a backup_label. ERROR_FORMAT. */
gboolean pg_backup_label_parse(const char *label, PgPhysical *physical,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The oids in a tablespace_map, as a set of GUINT_TO_POINTER. */
GHashTable *pg_tablespace_map_oids(const char *map);

#endif
