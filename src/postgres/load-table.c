/* SPDX-License-Identifier: Apache-2.0
 *
 * One table's archive through COPY.
 */
#include "postgres/load-table.h"

#include "base/error.h"
#include "postgres/archive-stream.h"

typedef struct {
    PgConnection *connection;
    PgArchiveStream *stream;
    Progress *progress;
    gboolean begun; /* the server has been asked for something */
} Loading;

/* --- the server's side ------------------------------------------------------------------------ */

/* As pg_restore has them for its own sessions, where they matter to rows. pg_dump writes intervals
 * in PostgreSQL's own style, and not every style reads that alike. */
static const char session_sql[] = "SET xmloption = content; SET client_min_messages = warning; "
                                  "SET IntervalStyle = postgres";

/* Rows may come in frozen where no transaction can have seen the table without them: it has to be
 * truncated in the same transaction. A table that has rows by now (an extension brought them) must
 * keep them, and only plain tables can be frozen. */
static gboolean prepare_table(PgConnection *connection, const PgArchiveTable *table,
                              gboolean *ret_freeze, GError **error)
{
    g_autofree char *name = pg_quote_qualified(table->schema, table->table);
    g_autofree char *sql =
        g_strdup_printf("SELECT relkind = 'r' AND pg_catalog.has_table_privilege(oid, 'TRUNCATE') "
                        "AND NOT EXISTS (SELECT FROM ONLY %s) "
                        "FROM pg_catalog.pg_class WHERE oid = $1::pg_catalog.regclass",
                        name);
    const char *parameter = name;
    g_autoptr(PGresult) result = pg_query(connection, sql, 1, &parameter, error);

    if (result == NULL)
        return FALSE;
    *ret_freeze = PQntuples(result) == 1 && pg_bool(result, 0, 0);
    return !*ret_freeze || pg_execute_format(connection, error, "TRUNCATE ONLY %s", name);
}

static gboolean start_copy(PgConnection *connection, const PgArchiveTable *table, gboolean freeze,
                           GError **error)
{
    g_autofree char *sql = g_strconcat(table->copy, freeze ? " WITH (FREEZE)" : "", NULL);
    g_autoptr(PGresult) result = PQexec(pg_connection_handle(connection), sql);

    if (PQresultStatus(result) == PGRES_COPY_IN)
        return TRUE;
    pg_set_result_error(connection, result, error);
    return FALSE;
}

static gboolean begin_table(const PgArchiveTable *table, gpointer data, GError **error)
{
    Loading *loading = data;
    PgConnection *connection = loading->connection;
    gboolean freeze;

    loading->begun = TRUE;
    if (!pg_execute(connection, session_sql, error))
        return FALSE;
    for (guint i = 0; i < table->settings->len; i++)
        if (!pg_execute(connection, g_ptr_array_index(table->settings, i), error))
            return FALSE;
    return pg_execute(connection, "BEGIN", error) &&
           prepare_table(connection, table, &freeze, error) &&
           start_copy(connection, table, freeze, error);
}

static gboolean send_rows(const void *bytes, gsize length, gpointer data, GError **error)
{
    Loading *loading = data;

    if (PQputCopyData(pg_connection_handle(loading->connection), bytes, (int)length) != 1) {
        pg_set_result_error(loading->connection, NULL, error);
        return FALSE;
    }
    return TRUE;
}

/* The server tells at the end what it thought of the rows. */
static gboolean end_copy(PgConnection *connection, GError **error)
{
    PGconn *handle = pg_connection_handle(connection);
    gboolean good = FALSE;
    PGresult *result;

    if (PQputCopyEnd(handle, NULL) != 1) {
        pg_set_result_error(connection, NULL, error);
        return FALSE;
    }
    while ((result = PQgetResult(handle)) != NULL) {
        good = PQresultStatus(result) == PGRES_COMMAND_OK;
        if (!good && (error == NULL || *error == NULL))
            pg_set_result_error(connection, result, error);
        PQclear(result);
        if (PQstatus(handle) != CONNECTION_OK)
            break;
    }
    return good;
}

static gboolean finish_table(PgConnection *connection, const PgArchiveTable *table, GError **error)
{
    if (!end_copy(connection, error))
        return FALSE;
    for (guint i = 0; i < table->sequences->len; i++) {
        g_autoptr(PGresult) result =
            pg_query(connection, g_ptr_array_index(table->sequences, i), 0, NULL, error);

        if (result == NULL)
            return FALSE;
    }
    return pg_execute(connection, "COMMIT", error) &&
           pg_execute(connection, "RESET client_encoding", error);
}

/* --- the whole -------------------------------------------------------------------------------- */

static gboolean take_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    Loading *loading = data;

    if (!pg_archive_stream_write(bytes, length, loading->stream, error))
        return FALSE;
    progress_add(loading->progress, length, 0);
    return TRUE;
}

gboolean pg_load_table(Backup *backup, const char *path, PgConnection *connection,
                       Progress *progress, gboolean *ret_loaded, GCancellable *cancellable,
                       GError **error)
{
    Loading loading = {.connection = connection, .progress = progress};
    g_autoptr(PgArchiveStream) stream = pg_archive_stream_new(begin_table, send_rows, &loading);
    g_autoptr(GError) problem = NULL;

    loading.stream = stream;
    if (backup_read_object(backup, path, take_bytes, &loading, cancellable, &problem) &&
        pg_archive_stream_finish(stream, &problem) &&
        finish_table(connection, pg_archive_stream_table(stream), &problem)) {
        *ret_loaded = TRUE;
        return TRUE;
    }
    if (!loading.begun &&
        (error_is(problem, ERROR_UNSUPPORTED) || error_is(problem, ERROR_FORMAT))) {
        *ret_loaded = FALSE;
        return TRUE;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&problem), "restoring %s: ", path);
    return FALSE;
}
