/* SPDX-License-Identifier: Apache-2.0
 *
 * A logical backup from end to end: server, globals, one database after the other, details.
 */
#include "postgres/logical.h"

#include "base/error.h"
#include "base/suggest.h"
#include "postgres/client.h"
#include "postgres/dump.h"
#include "postgres/maintenance.h"
#include "postgres/pattern.h"
#include "postgres/session.h"

#include <string.h>

/* How long a lock may be waited for. Behind a waiting ALTER TABLE every reader of that table
 * queues: better to give up. */
#define LOCK_WAIT_SECONDS 60

typedef struct {
    const EngineBackup *request;
    PgConnection *connection; /* to the maintenance database */
    PgDetails *details;
    char *pg_dump, *pg_dumpall;
} LogicalBackup;

static void logical_backup_clear(LogicalBackup *run)
{
    g_clear_pointer(&run->connection, pg_connection_free);
    g_clear_pointer(&run->details, pg_details_free);
    g_clear_pointer(&run->pg_dump, g_free);
    g_clear_pointer(&run->pg_dumpall, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LogicalBackup, logical_backup_clear)

/* --- server and globals ----------------------------------------------------------------------- */

static gboolean open_server(LogicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    int server;

    run->connection =
        pg_connect_maintenance(request->source->conninfo, request->cancellable, error);
    if (run->connection == NULL)
        return FALSE;
    server = pg_connection_version(run->connection);
    if (server < PG_VERSION_OLDEST) {
        error_set(error, ERROR_UNSUPPORTED, "postgresql at %s is version %d, older than 13",
                  pg_connection_server(run->connection), server / 10000);
        return FALSE;
    }
    if (!pg_server_read(run->connection, &run->details->server, error) ||
        !pg_client_program("pg_dump", server, &run->pg_dump, &run->details->archive_version_num,
                           error) ||
        !pg_client_program("pg_dumpall", server, &run->pg_dumpall, NULL, error))
        return FALSE;
    run->details->pg_dump_version =
        g_strdup_printf("%d.%d", run->details->archive_version_num / 10000,
                        run->details->archive_version_num % 10000);
    manifest_set_server_version(request->manifest, run->details->server.version);
    return TRUE;
}

static gboolean read_roles(LogicalBackup *run, GError **error)
{
    g_autoptr(PGresult) roles =
        pg_query(run->connection,
                 "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname",
                 0, NULL, error);
    g_autoptr(PGresult) spaces = NULL;

    if (roles == NULL)
        return FALSE;
    spaces = pg_query(run->connection,
                      "SELECT spcname || E'\\t' || pg_catalog.pg_tablespace_location(oid) "
                      "FROM pg_catalog.pg_tablespace WHERE spcname !~ '^pg_' ORDER BY spcname",
                      0, NULL, error);
    if (spaces == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(roles); row++)
        g_ptr_array_add(run->details->roles, g_strdup(pg_text(roles, row, 0)));
    for (int row = 0; row < PQntuples(spaces); row++)
        g_ptr_array_add(run->details->tablespaces, g_strdup(pg_text(spaces, row, 0)));
    return TRUE;
}

/* Roles and tablespaces. Only a superuser may read the roles' password hashes; without them the
 * roles can still be made. */
static gboolean dump_globals(LogicalBackup *run, GError **error)
{
    const EngineBackup *request = run->request;
    g_auto(GStrv) environment = pg_child_environment(run->connection, NULL);
    g_autofree char *conninfo = NULL, *dbname = NULL, *maintenance = NULL;
    const char *argv[8] = {run->pg_dumpall, "--globals-only", "--no-password"};
    guint count = 3;

    if (!pg_child_conninfo(run->connection, pg_connection_database(run->connection), &conninfo,
                           error))
        return FALSE;
    dbname = g_strconcat("--dbname=", conninfo, NULL);
    maintenance = g_strconcat("--database=", pg_connection_database(run->connection), NULL);
    argv[count++] = dbname;
    argv[count++] = maintenance;
    run->details->globals_passwords = run->details->server.superuser;
    if (!run->details->server.superuser) {
        argv[count++] = "--no-role-passwords";
        manifest_add_warning(
            request->manifest,
            "roles are backed up without their passwords: only a superuser may read them");
    }
    return pg_dump_stream(request, argv, environment, "data/globals.sql", &run->details->globals,
                          request->cancellable, error);
}

/* --- databases -------------------------------------------------------------------------------- */

static gboolean check_names(const GPtrArray *present, const char *const *wanted, const char *server,
                            GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (guint i = 0; i < present->len; i++)
        g_ptr_array_add(words, g_ptr_array_index(present, i));
    g_ptr_array_add(words, NULL);
    for (guint i = 0; wanted[i] != NULL; i++) {
        const char *nearest;

        if (g_strv_contains((const char *const *)words->pdata, wanted[i]))
            continue;
        nearest = suggest_nearest(wanted[i], (const char *const *)words->pdata);
        error_set(error, ERROR_NOT_FOUND, "there is no database %s at %s", wanted[i], server);
        if (nearest != NULL)
            error_add_hint(error, "did you mean %s?", nearest);
        return FALSE;
    }
    return TRUE;
}

/* The databases to take, and whether they are fewer than the source's configuration says. */
static gboolean choose_databases(LogicalBackup *run, GPtrArray **ret_names, GError **error)
{
    const EngineBackup *request = run->request;
    const char *const *configured = (const char *const *)request->source->databases;
    const char *const *wanted = request->databases != NULL ? request->databases : configured;
    g_autoptr(GPtrArray) present = NULL;
    g_autoptr(GPtrArray) names = NULL;

    if (!pg_database_names(run->connection, &present, error))
        return FALSE;
    if (wanted == NULL) {
        *ret_names = g_steal_pointer(&present);
        return TRUE;
    }
    if (!check_names(present, wanted, pg_connection_server(run->connection), error))
        return FALSE;
    names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; wanted[i] != NULL; i++)
        if (!g_ptr_array_find_with_equal_func(names, wanted[i], g_str_equal, NULL))
            g_ptr_array_add(names, g_strdup(wanted[i]));
    if (request->databases != NULL) {
        gboolean partial = FALSE;

        for (guint i = 0; configured == NULL ? i < present->len : configured[i] != NULL; i++) {
            const char *name = configured == NULL ? g_ptr_array_index(present, i) : configured[i];

            partial = partial || !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL);
        }
        manifest_set_partial(request->manifest, partial);
    }
    *ret_names = g_steal_pointer(&names);
    return TRUE;
}

/* The tables whose rows are wanted, with their partitions; NULL: all. */
static gboolean choose_rows(const EngineBackup *request, const PgDatabase *database,
                            const GPtrArray *tables, GHashTable **ret_chosen, GError **error)
{
    g_autoptr(GHashTable) chosen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) patterns = NULL;

    if (request->tables == NULL)
        return TRUE;
    if (!pg_patterns_parse(request->tables, &patterns, error))
        return FALSE;
    for (guint i = 0; i < tables->len; i++) {
        const PgTable *table = g_ptr_array_index(tables, i);

        if (pg_patterns_match(patterns, database->name, table->schema, table->name, NULL))
            g_hash_table_add(chosen, GUINT_TO_POINTER(table->oid));
    }
    pg_tables_add_partitions(tables, database->oid, chosen);
    *ret_chosen = g_steal_pointer(&chosen);
    return TRUE;
}

static gboolean backup_database(LogicalBackup *run, const char *name, GError **error)
{
    const EngineBackup *request = run->request;
    g_autoptr(PgSession) session = pg_session_open(request->source->conninfo, name,
                                                   LOCK_WAIT_SECONDS, request->cancellable, error);
    g_autoptr(GPtrArray) tables = NULL;
    g_autoptr(GHashTable) chosen = NULL;
    PgDump dump = {.backup = request,
                   .session = session,
                   .pg_dump = run->pg_dump,
                   .lock_wait = LOCK_WAIT_SECONDS};

    if (session == NULL)
        return FALSE;
    dump.database = pg_session_take_database(session);
    g_ptr_array_add(run->details->databases, dump.database);
    dump.tables = tables = pg_session_take_tables(session);
    if (!choose_rows(request, dump.database, tables, &chosen, error))
        return FALSE;
    dump.chosen = chosen;
    if (!pg_dump_database(&dump, error))
        return FALSE;
    g_ptr_array_extend_and_steal(run->details->tables, g_steal_pointer(&tables));
    return TRUE;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void fill_manifest(const LogicalBackup *run)
{
    Manifest *manifest = run->request->manifest;
    guint64 rows = 0, tables = 0;

    for (guint i = 0; i < run->details->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(run->details->tables, i);

        rows += table->rows;
        tables += table->kind != PG_TABLE_VIEW && table->kind != PG_TABLE_FOREIGN;
    }
    manifest_set_method(manifest, "logical");
    manifest_set_counts(manifest, tables, rows);
    if (run->details->server.system_identifier != NULL)
        manifest_set_field(manifest, "system_identifier",
                           json_string(run->details->server.system_identifier));
    manifest_set_field(manifest, "databases", json_integer(run->details->databases->len));
    manifest_set_field(manifest, "pg_dump_version", json_text(run->details->pg_dump_version));
}

gboolean pg_logical_backup(const EngineBackup *request, GError **error)
{
    g_auto(LogicalBackup) run = {.request = request, .details = pg_details_new()};
    g_autoptr(GPtrArray) names = NULL;

    if (request->type != BACKUP_FULL) {
        error_set(error, ERROR_UNSUPPORTED, "a logical backup is always full");
        error_add_hint(error, "run `holdfast backup postgresql full`");
        return FALSE;
    }
    progress_begin(request->progress, "preparing", 0, 0);
    if (!open_server(&run, error) || !choose_databases(&run, &names, error) ||
        !read_roles(&run, error) || !dump_globals(&run, error))
        return FALSE;
    for (guint i = 0; i < names->len; i++)
        if (!backup_database(&run, g_ptr_array_index(names, i), error))
            return FALSE;
    progress_begin(request->progress, "writing details", 0, 0);
    if (!pg_details_write(run.details, request->writer, request->compression, error))
        return FALSE;
    fill_manifest(&run);
    return TRUE;
}
