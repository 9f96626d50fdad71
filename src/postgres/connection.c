/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections over libpq, with its errors turned into ours.
 */
#include "postgres/connection.h"

#include "base/error.h"
#include "base/log.h"

#include <string.h>

#define CONNECT_TIMEOUT "10"

struct PgConnection {
    PGconn *handle;
    PGcancel *cancel;
    GCancellable *cancellable; /* or NULL */
    gulong cancel_handler;
    char *server;
};

/* --- opening ---------------------------------------------------------------------------------- */

/* Notices are no errors and libpq would print them: they go to the log instead. */
static void take_notice(void *data, const char *message)
{
    g_autofree char *text = g_strchomp(g_strdup(message));

    log_write(LOG_DEBUG, "postgresql: %s", text);
}

static void on_cancelled(GCancellable *cancellable, gpointer data)
{
    PgConnection *connection = data;
    char reason[256];

    if (connection->cancel != NULL && PQcancel(connection->cancel, reason, sizeof reason) == 0)
        log_write(LOG_DEBUG, "cannot cancel a statement at %s: %s", connection->server, reason);
}

static char *describe_server(PGconn *handle)
{
    const char *host = PQhost(handle);
    const char *port = PQport(handle);

    return g_strdup_printf("%s:%s", host != NULL && host[0] != '\0' ? host : "the default socket",
                           port != NULL && port[0] != '\0' ? port : "5432");
}

/* libpq's text may span lines and ends with a line feed; ours are one line. It is in the session's
 * encoding, which an archive may have changed. */
static char *tidy_message(const char *message)
{
    char *text = g_strstrip(g_utf8_make_valid(message != NULL ? message : "", -1));

    g_strdelimit(text, "\n\r\t", ' ');
    return text;
}

/* Splits a connection string into libpq's keyword arrays, with our own settings behind. */
static gboolean build_keywords(const char *conninfo, const char *database, gboolean replication,
                               GPtrArray *keywords, GPtrArray *values, GError **error)
{
    char *problem = NULL;
    PQconninfoOption *options = PQconninfoParse(conninfo, &problem);
    gboolean has_timeout = g_getenv("PGCONNECT_TIMEOUT") != NULL;

    if (options == NULL) {
        /* The text could quote a part of the string, and that part could be a password. */
        PQfreemem(problem);
        error_set(error, ERROR_CONFIG, "conninfo is no valid libpq connection string");
        error_add_hint(
            error, "write it as keyword=value pairs (host=… port=… user=…) or as postgresql://…");
        return FALSE;
    }
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (option->val == NULL || (database != NULL && strcmp(option->keyword, "dbname") == 0))
            continue;
        has_timeout = has_timeout || strcmp(option->keyword, "connect_timeout") == 0;
        g_ptr_array_add(keywords, g_strdup(option->keyword));
        g_ptr_array_add(values, g_strdup(option->val));
    }
    PQconninfoFree(options);
    if (database != NULL) {
        g_ptr_array_add(keywords, g_strdup("dbname"));
        g_ptr_array_add(values, g_strdup(database));
    }
    if (!has_timeout) {
        g_ptr_array_add(keywords, g_strdup("connect_timeout"));
        g_ptr_array_add(values, g_strdup(CONNECT_TIMEOUT));
    }
    if (replication) {
        g_ptr_array_add(keywords, g_strdup("replication"));
        g_ptr_array_add(values, g_strdup("true"));
    }
    g_ptr_array_add(keywords, g_strdup("fallback_application_name"));
    g_ptr_array_add(values, g_strdup("holdfast"));
    g_ptr_array_add(keywords, g_strdup("client_encoding"));
    g_ptr_array_add(values, g_strdup("UTF8"));
    g_ptr_array_add(keywords, NULL);
    g_ptr_array_add(values, NULL);
    return TRUE;
}

/* row_security=off makes a policy that would hide rows an error instead of a loss. */
static gboolean prepare_session(PgConnection *connection, GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("SET statement_timeout = 0; SET lock_timeout = 0;"
                     "SET idle_in_transaction_session_timeout = 0;"
                     "SET DateStyle = ISO; SET standard_conforming_strings = on;"
                     "SET row_security = off;"
                     "SELECT pg_catalog.set_config('search_path', '', false);");
    g_autoptr(PGresult) result = NULL;

    if (pg_connection_version(connection) >= 140000)
        g_string_append(sql, "SET idle_session_timeout = 0;");
    if (pg_connection_version(connection) >= 170000)
        g_string_append(sql, "SET transaction_timeout = 0;");
    result = PQexec(connection->handle, sql->str);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        g_autofree char *text = tidy_message(PQerrorMessage(connection->handle));

        error_set(error, ERROR_UNREACHABLE, "cannot set up a session at %s: %s", connection->server,
                  text);
        return FALSE;
    }
    return TRUE;
}

/* On a unix socket PostgreSQL commonly believes the account, and lets nobody in under another name. */
static gboolean is_of_other_account(PGconn *handle)
{
    const char *host = PQhost(handle);
    const char *user = PQuser(handle);

    return host != NULL && host[0] == '/' && user != NULL && strcmp(user, g_get_user_name()) != 0;
}

static void set_connect_error(PgConnection *connection, const char *database, GError **error)
{
    g_autofree char *text = tidy_message(PQerrorMessage(connection->handle));

    error_set(error, ERROR_UNREACHABLE, "cannot connect to postgresql%s%s at %s: %s",
              database != NULL ? " database " : "", database != NULL ? database : "",
              connection->server, text);
    if (PQconnectionNeedsPassword(connection->handle))
        error_add_hint(
            error, "put the password into ~/.pgpass (mode 0600) or into conninfo of the source");
    else if (is_of_other_account(connection->handle))
        error_add_hint(error,
                       "is the server running there, and does pg_hba.conf let this user in? With "
                       "peer authentication, Debian's default, run: sudo -u %s holdfast",
                       PQuser(connection->handle));
    else
        error_add_hint(error, "is the server running there, and does pg_hba.conf let this user in? "
                              "conninfo of the source "
                              "names host, port and user");
}

/* Opens the connection itself, without any setting. */
static PgConnection *open_connection(const char *conninfo, const char *database,
                                     gboolean replication, GCancellable *cancellable,
                                     GError **error)
{
    g_autoptr(PgConnection) connection = g_new0(PgConnection, 1);
    g_autoptr(GPtrArray) keywords = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func(g_free);

    if (!build_keywords(conninfo != NULL ? conninfo : "", database, replication, keywords, values,
                        error))
        return NULL;
    connection->handle = PQconnectdbParams((const char *const *)keywords->pdata,
                                           (const char *const *)values->pdata, 0);
    connection->server = describe_server(connection->handle);
    if (PQstatus(connection->handle) != CONNECTION_OK) {
        set_connect_error(connection, database, error);
        return NULL;
    }
    PQsetNoticeProcessor(connection->handle, take_notice, NULL);
    connection->cancel = PQgetCancel(connection->handle);
    if (cancellable != NULL) {
        connection->cancellable = g_object_ref(cancellable);
        connection->cancel_handler =
            g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), connection, NULL);
    }
    return g_steal_pointer(&connection);
}

PgConnection *pg_connect(const char *conninfo, const char *database, GCancellable *cancellable,
                         GError **error)
{
    g_autoptr(PgConnection) connection =
        open_connection(conninfo, database, FALSE, cancellable, error);

    if (connection == NULL || !prepare_session(connection, error))
        return NULL;
    return g_steal_pointer(&connection);
}

PgConnection *pg_connect_replication(const char *conninfo, GCancellable *cancellable,
                                     GError **error)
{
    PgConnection *connection = open_connection(conninfo, NULL, TRUE, cancellable, error);

    if (connection == NULL)
        error_add_hint(error, "the role needs REPLICATION, and pg_hba.conf a line for the database "
                              "replication");
    return connection;
}

void pg_connection_free(PgConnection *connection)
{
    if (connection == NULL)
        return;
    if (connection->cancel_handler != 0)
        g_cancellable_disconnect(connection->cancellable, connection->cancel_handler);
    g_clear_object(&connection->cancellable);
    PQfreeCancel(connection->cancel);
    PQfinish(connection->handle);
    g_free(connection->server);
    g_free(connection);
}

const char *pg_connection_server(const PgConnection *connection)
{
    return connection->server;
}

const char *pg_connection_database(const PgConnection *connection)
{
    return PQdb(connection->handle);
}

int pg_connection_version(const PgConnection *connection)
{
    return PQserverVersion(connection->handle);
}

PGconn *pg_connection_handle(PgConnection *connection)
{
    return connection->handle;
}

gboolean pg_connection_alive(PgConnection *connection)
{
    g_autoptr(PGresult) result = NULL;

    if (PQstatus(connection->handle) != CONNECTION_OK)
        return FALSE;
    /* An empty statement is answered even in a failed transaction. */
    result = PQexec(connection->handle, "");
    return PQresultStatus(result) == PGRES_EMPTY_QUERY;
}

/* --- statements ------------------------------------------------------------------------------- */

typedef struct {
    const char *sqlstate; /* a class ("53") or a code ("42P04") */
    ErrorCode code;
    const char *hint;
} StateRow;

/* The SQLSTATEs that lead to an answer of their own; the first row that is a prefix counts. */
static const StateRow states[] = {
    {"42501", ERROR_PRIVILEGE,
     "grant the role what it lacks: pg_read_all_data for backups, CREATEDB for restores"},
    {"28", ERROR_PRIVILEGE, NULL},
    {"53100", ERROR_NO_SPACE, "free some space at the server, then run the command again"},
    {"53200", ERROR_SERVER,
     "raise max_locks_per_transaction at the server: every table takes a lock"},
    {"53300", ERROR_BUSY, "raise max_connections at the server, or lower jobs of the source"},
    {"42P04", ERROR_EXISTS, NULL},
    {"42P06", ERROR_EXISTS, NULL},
    {"42P07", ERROR_EXISTS, NULL},
    {"42710", ERROR_EXISTS, NULL},
    {"3D000", ERROR_NOT_FOUND, NULL},
    {"3F000", ERROR_NOT_FOUND, NULL},
    {"42P01", ERROR_NOT_FOUND, NULL},
    {"42704", ERROR_NOT_FOUND, NULL},
    {"55P03", ERROR_TIMEOUT, "another session holds a lock in the way; see pg_locks"},
    {"55006", ERROR_BUSY, "sessions still use it; see pg_stat_activity"},
    {"57P", ERROR_UNREACHABLE,
     "the server is shutting down or has crashed; run the command again when it is back"},
};

void pg_set_result_error(PgConnection *connection, const PGresult *result, GError **error)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    g_autofree char *text =
        tidy_message(primary != NULL ? primary : PQerrorMessage(connection->handle));

    if (!error_unless_cancelled(connection->cancellable, error))
        return;
    if (PQstatus(connection->handle) != CONNECTION_OK) {
        error_set(error, ERROR_UNREACHABLE, "lost the connection to postgresql at %s: %s",
                  connection->server, text);
        error_add_hint(error, "look into the server's log; run the command again when it is back");
        return;
    }
    for (guint i = 0; sqlstate != NULL && i < G_N_ELEMENTS(states); i++) {
        if (!g_str_has_prefix(sqlstate, states[i].sqlstate))
            continue;
        error_set(error, states[i].code, "postgresql at %s, database %s: %s (%s)",
                  connection->server, pg_connection_database(connection), text, sqlstate);
        if (states[i].hint != NULL)
            error_add_hint(error, "%s", states[i].hint);
        return;
    }
    error_set(error, ERROR_SERVER, "postgresql at %s, database %s: %s%s%s%s", connection->server,
              pg_connection_database(connection), text, sqlstate != NULL ? " (" : "",
              sqlstate != NULL ? sqlstate : "", sqlstate != NULL ? ")" : "");
}

static gboolean result_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

PGresult *pg_query(PgConnection *connection, const char *sql, int parameter_count,
                   const char *const *parameters, GError **error)
{
    g_autoptr(PGresult) result = NULL;

    if (!error_unless_cancelled(connection->cancellable, error))
        return NULL;
    result =
        PQexecParams(connection->handle, sql, parameter_count, NULL, parameters, NULL, NULL, 0);
    if (!result_good(result)) {
        pg_set_result_error(connection, result, error);
        return NULL;
    }
    return g_steal_pointer(&result);
}

gboolean pg_execute(PgConnection *connection, const char *sql, GError **error)
{
    g_autoptr(PGresult) result = NULL;

    if (!error_unless_cancelled(connection->cancellable, error))
        return FALSE;
    result = PQexec(connection->handle, sql);
    if (!result_good(result)) {
        pg_set_result_error(connection, result, error);
        return FALSE;
    }
    return TRUE;
}

gboolean pg_execute_format(PgConnection *connection, GError **error, const char *format, ...)
{
    g_autofree char *sql = NULL;
    va_list args;

    va_start(args, format);
    sql = g_strdup_vprintf(format, args);
    va_end(args);
    return pg_execute(connection, sql, error);
}

gboolean pg_query_value(PgConnection *connection, const char *sql, char **ret_value, GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, sql, 0, NULL, error);

    if (result == NULL)
        return FALSE;
    if (PQntuples(result) < 1 || PQnfields(result) < 1) {
        error_set(error, ERROR_NOT_FOUND, "postgresql at %s gave no row for: %s",
                  connection->server, sql);
        return FALSE;
    }
    *ret_value = g_strdup(pg_text(result, 0, 0));
    return TRUE;
}

/* After an early stop the rest of the rows must be read away before the connection can be used
 * again. */
static void drain(PgConnection *connection)
{
    PGresult *result;

    while ((result = PQgetResult(connection->handle)) != NULL)
        PQclear(result);
}

gboolean pg_query_each(PgConnection *connection, const char *sql, PgRowFunc func, gpointer data,
                       GError **error)
{
    if (!error_unless_cancelled(connection->cancellable, error))
        return FALSE;
    if (PQsendQueryParams(connection->handle, sql, 0, NULL, NULL, NULL, NULL, 0) == 0 ||
        PQsetSingleRowMode(connection->handle) == 0) {
        pg_set_result_error(connection, NULL, error);
        return FALSE;
    }
    for (;;) {
        g_autoptr(PGresult) result = PQgetResult(connection->handle);

        if (result == NULL)
            return TRUE;
        if (PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
            if (!func(result, data, error)) {
                drain(connection);
                return FALSE;
            }
        } else if (!result_good(result)) {
            pg_set_result_error(connection, result, error);
            drain(connection);
            return FALSE;
        }
    }
}

/* --- values ----------------------------------------------------------------------------------- */

const char *pg_text(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

guint64 pg_uint(const PGresult *result, int row, int column)
{
    const char *text = pg_text(result, row, column);

    return text != NULL ? g_ascii_strtoull(text, NULL, 10) : 0;
}

gint64 pg_int(const PGresult *result, int row, int column)
{
    const char *text = pg_text(result, row, column);

    return text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
}

gboolean pg_bool(const PGresult *result, int row, int column)
{
    const char *text = pg_text(result, row, column);

    return text != NULL && text[0] == 't';
}

static void append_doubled(GString *out, const char *text, char quote)
{
    g_string_append_c(out, quote);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == quote)
            g_string_append_c(out, quote);
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, quote);
}

char *pg_quote_identifier(const char *name)
{
    GString *out = g_string_new(NULL);

    append_doubled(out, name, '"');
    return g_string_free(out, FALSE);
}

char *pg_quote_qualified(const char *schema, const char *name)
{
    GString *out = g_string_new(NULL);

    append_doubled(out, schema, '"');
    g_string_append_c(out, '.');
    append_doubled(out, name, '"');
    return g_string_free(out, FALSE);
}

char *pg_quote_literal(const char *text)
{
    GString *out = g_string_new(NULL);

    if (strchr(text, '\\') == NULL) {
        append_doubled(out, text, '\'');
        return g_string_free(out, FALSE);
    }
    /* E'' reads the same whatever standard_conforming_strings is. */
    g_string_append(out, " E'");
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\')
            g_string_append_c(out, *c);
        g_string_append_c(out, *c);
    }
    g_string_append_c(out, '\'');
    return g_string_free(out, FALSE);
}
