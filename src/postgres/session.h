/* SPDX-License-Identifier: Apache-2.0
 *
 * The session that holds a database still while it is dumped: it takes ACCESS SHARE locks on all
 * tables first and its snapshot after that, so that no table can be dropped or truncated between
 * the snapshot and the dump (TRUNCATE does not respect older snapshots: rows would be missing
 * without an error). All archives and counts import the one snapshot.
 *
 * Threads: one thread at a time.
 */
#ifndef HOLDFAST_POSTGRES_SESSION_H
#define HOLDFAST_POSTGRES_SESSION_H

#include "postgres/connection.h"
#include "postgres/inventory.h"

typedef struct PgSession PgSession;

/* Connects, locks, exports the snapshot, reads database and tables in it. `lock_wait` bounds the
 * wait for a lock in seconds: ERROR_TIMEOUT then. ERROR_VANISHED when the database went away
 * meanwhile. */
PgSession *pg_session_open(const char *conninfo, const char *database, guint lock_wait,
                           GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends the transaction and with it the snapshot. NULL is fine. */
void pg_session_free(PgSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgSession, pg_session_free)

PgConnection *pg_session_connection(PgSession *session);

/* The exported snapshot's name, valid while the session lives. */
const char *pg_session_snapshot(const PgSession *session);

/* What the snapshot shows; handed over to the caller, once. */
PgDatabase *pg_session_take_database(PgSession *session);
GPtrArray *pg_session_take_tables(PgSession *session);

/* TRUE while the server keeps the snapshot. FALSE says why: the server is gone (ERROR_UNREACHABLE),
 * or the database was dropped under us (ERROR_VANISHED). */
gboolean pg_session_check(PgSession *session, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
