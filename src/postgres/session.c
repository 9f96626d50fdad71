/* SPDX-License-Identifier: Apache-2.0
 *
 * Locks first, snapshot second.
 */
#include "postgres/session.h"

#include "base/error.h"

/* Tables a LOCK statement: few round trips, no endless statements. */
#define LOCK_BATCH 200

struct PgSession {
    char *conninfo;
    char *name;
    PgConnection *connection;
    char *snapshot;
    PgDatabase *database;
    GPtrArray *tables;
};

static gboolean is_lockable(const PgTable *table)
{
    return table->kind == PG_TABLE || table->kind == PG_TABLE_PARTITIONED;
}

/* LOCK TABLE ONLY a, b, …: a partitioned table's partitions are in the list themselves. */
static gboolean lock_tables(PgConnection *connection, const GPtrArray *tables, GHashTable *locked,
                            GError **error)
{
    g_autoptr(GString) sql = g_string_new(NULL);
    guint in_batch = 0;

    for (guint i = 0; i < tables->len; i++) {
        const PgTable *table = g_ptr_array_index(tables, i);
        g_autofree char *name = NULL;

        if (is_lockable(table) && g_hash_table_add(locked, GUINT_TO_POINTER(table->oid))) {
            name = pg_quote_qualified(table->schema, table->name);
            g_string_append_printf(sql, "%s ONLY %s", in_batch == 0 ? "LOCK TABLE" : ",", name);
            in_batch++;
        }
        if (in_batch == 0 || (in_batch < LOCK_BATCH && i + 1 < tables->len))
            continue;
        g_string_append(sql, " IN ACCESS SHARE MODE");
        if (!pg_execute(connection, sql->str, error))
            return FALSE;
        g_string_truncate(sql, 0);
        in_batch = 0;
    }
    return TRUE;
}

static gboolean export_snapshot(PgSession *session, GError **error)
{
    g_autofree char *now = NULL;

    if (!pg_query_value(session->connection, "SELECT pg_catalog.pg_export_snapshot()",
                        &session->snapshot, error) ||
        !pg_query_value(
            session->connection,
            "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint", &now,
            error) ||
        !pg_database_read(session->connection, &session->database, error))
        return FALSE;
    session->database->snapshot = g_strdup(session->snapshot);
    session->database->snapshot_time = g_ascii_strtoll(now, NULL, 10);
    return TRUE;
}

/* LOCK TABLE takes no snapshot: in a transaction that has only locked, the first query sees all
 * that was committed before the locks were granted. Tables that came in between are locked after
 * it. */
static gboolean begin(PgSession *session, guint lock_wait, GError **error)
{
    g_autoptr(GHashTable) locked = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) before = NULL;

    if (!pg_execute_format(session->connection, error, "SET lock_timeout = '%us'", lock_wait) ||
        !pg_tables_read(session->connection, 0, &before, error) ||
        !pg_execute(session->connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                    error) ||
        !lock_tables(session->connection, before, locked, error) ||
        !export_snapshot(session, error) ||
        !pg_tables_read(session->connection, session->database->oid, &session->tables, error))
        return FALSE;
    return lock_tables(session->connection, session->tables, locked, error);
}

PgSession *pg_session_open(const char *conninfo, const char *database, guint lock_wait,
                           GCancellable *cancellable, GError **error)
{
    g_autoptr(PgSession) session = g_new0(PgSession, 1);
    g_autoptr(GError) problem = NULL;

    session->conninfo = g_strdup(conninfo);
    session->name = g_strdup(database);
    session->connection = pg_connect(conninfo, database, cancellable, error);
    if (session->connection == NULL)
        return NULL;
    if (!begin(session, lock_wait, &problem)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                                   "cannot take a snapshot of database %s: ", database);
        return NULL;
    }
    return g_steal_pointer(&session);
}

void pg_session_free(PgSession *session)
{
    if (session == NULL)
        return;
    pg_connection_free(session->connection);
    pg_database_free(session->database);
    g_clear_pointer(&session->tables, g_ptr_array_unref);
    g_free(session->snapshot);
    g_free(session->conninfo);
    g_free(session->name);
    g_free(session);
}

PgConnection *pg_session_connection(PgSession *session)
{
    return session->connection;
}

const char *pg_session_snapshot(const PgSession *session)
{
    return session->snapshot;
}

PgDatabase *pg_session_take_database(PgSession *session)
{
    return g_steal_pointer(&session->database);
}

GPtrArray *pg_session_take_tables(PgSession *session)
{
    return g_steal_pointer(&session->tables);
}

/* After the connection broke: does the server still stand, and only the database is gone? */
static gboolean database_exists(PgSession *session, gboolean *ret_exists)
{
    /* Connecting to the database itself waits until a DROP of it that is under way is done. */
    const char *const candidates[] = {session->name, "postgres", "template1"};

    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        g_autoptr(PgConnection) connection =
            pg_connect(session->conninfo, candidates[i], NULL, NULL);
        const char *parameters[] = {session->name};
        g_autoptr(PGresult) result = NULL;

        if (connection == NULL)
            continue;
        result = pg_query(connection, "SELECT FROM pg_catalog.pg_database WHERE datname = $1", 1,
                          parameters, NULL);
        if (result == NULL)
            continue;
        *ret_exists = PQntuples(result) > 0;
        return TRUE;
    }
    return FALSE;
}

gboolean pg_session_check(PgSession *session, GError **error)
{
    gboolean exists = FALSE;

    if (pg_connection_alive(session->connection) &&
        PQtransactionStatus(pg_connection_handle(session->connection)) == PQTRANS_INTRANS)
        return TRUE;
    if (database_exists(session, &exists) && !exists) {
        error_set(error, ERROR_VANISHED, "database %s was dropped while it was backed up",
                  session->name);
        error_add_hint(error, "take it out of `databases` of the source, or create it again; then "
                              "run the backup again");
        return FALSE;
    }
    error_set(error, ERROR_UNREACHABLE,
              "lost the connection to database %s at %s while it was backed up", session->name,
              pg_connection_server(session->connection));
    error_add_hint(error,
                   "look into the server's log; run the backup again when the server is back");
    return FALSE;
}
