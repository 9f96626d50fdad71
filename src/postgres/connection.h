/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to PostgreSQL over libpq. Errors carry the server's text and SQLSTATE; passwords
 * never get into an error, a log or an argument of a child program.
 *
 * Threads: a connection is used by one thread at a time.
 */
#ifndef HOLDFAST_POSTGRES_CONNECTION_H
#define HOLDFAST_POSTGRES_CONNECTION_H

#include <gio/gio.h>
#include <libpq-fe.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGresult, PQclear)

typedef struct PgConnection PgConnection;

/* Connects with a libpq connection string (may be ""); `database` (or NULL: the string's own) takes
 * the place of its dbname. Sessions are set up for long work: no statement, lock or idle timeouts,
 * UTF-8, ISO dates, search_path empty, row_security off (so that a policy is an error and never a
 * silent loss of rows). ERROR_UNREACHABLE names host and port. A cancel interrupts running
 * statements; a connection attempt ends by its own time limit (conninfo's connect_timeout, else 10
 * s). `cancellable` may be NULL. */
PgConnection *pg_connect(const char *conninfo, const char *database, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Connects for the replication protocol (physical), which knows its own commands only: none of the
 * settings above. The role needs REPLICATION, and pg_hba.conf a line for the database
 * "replication". */
PgConnection *pg_connect_replication(const char *conninfo, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

void pg_connection_free(PgConnection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgConnection, pg_connection_free)

/* "host:port" or "socket directory:port", for messages. */
const char *pg_connection_server(const PgConnection *connection);
const char *pg_connection_database(const PgConnection *connection);
/* 150020 for 15.20. */
int pg_connection_version(const PgConnection *connection);
/* FALSE once the server has gone. */
gboolean pg_connection_alive(PgConnection *connection);
PGconn *pg_connection_handle(PgConnection *connection);

/* Runs one statement with text parameters ($1 …). Results are text. ERROR_SERVER, or
 * ERROR_PRIVILEGE (42501), ERROR_NO_SPACE (53100), ERROR_EXISTS (42P04, 42P07, …), ERROR_NOT_FOUND
 * (3D000, 42P01, …), ERROR_TIMEOUT (55P03), ERROR_UNREACHABLE when the connection broke,
 * ERROR_CANCELLED. */
PGresult *pg_query(PgConnection *connection, const char *sql, int parameter_count,
                   const char *const *parameters, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets the error that pg_query() would set for a result that is none of those expected, or for NULL
 * and a broken connection; for callers that speak to libpq themselves. */
void pg_set_result_error(PgConnection *connection, const PGresult *result, GError **error);

/* Runs statements that give no rows. */
gboolean pg_execute(PgConnection *connection, const char *sql,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_execute_format(PgConnection *connection, GError **error, const char *format, ...)
    G_GNUC_PRINTF(3, 4) G_GNUC_WARN_UNUSED_RESULT;

/* One value of one row; NULL in *ret_value for SQL NULL. ERROR_NOT_FOUND when there is no row. */
gboolean pg_query_value(PgConnection *connection, const char *sql, char **ret_value,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Streams a large result row by row (single row mode). func gets a result of one row; FALSE stops
 * with its error. */
typedef gboolean (*PgRowFunc)(const PGresult *row, gpointer data, GError **error);
gboolean pg_query_each(PgConnection *connection, const char *sql, PgRowFunc func, gpointer data,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fields of a result as C values. Text belongs to the result; NULL for SQL NULL. Numbers: 0 for SQL
 * NULL. */
const char *pg_text(const PGresult *result, int row, int column);
guint64 pg_uint(const PGresult *result, int row, int column);
gint64 pg_int(const PGresult *result, int row, int column);
gboolean pg_bool(const PGresult *result, int row, int column);

/* "public" -> "\"public\"", always quoted; 'it''s' with E'' where needed. Free with g_free(). */
char *pg_quote_identifier(const char *name);
char *pg_quote_qualified(const char *schema, const char *name);
char *pg_quote_literal(const char *text);

#endif
