/* SPDX-License-Identifier: Apache-2.0
 *
 * Drills of PostgreSQL.
 */
#include "postgres/drill.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"
#include "base/time.h"
#include "postgres/connection.h"
#include "postgres/inventory.h"
#include "postgres/logical.h"
#include "postgres/physical-plan.h"
#include "postgres/scratch-folder.h"
#include "postgres/scratch-server.h"

#define SPACE_RESERVE  (256u << 20)
#define SECONDS(micro) ((double)(micro) / (double)TIME_SECOND)

/* --- counts of a recovered server ------------------------------------------------------------- */

static const char tables_sql[] =
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    " ORDER BY 1, 2";

static gboolean count_table(PgConnection *connection, const char *database, const char *schema,
                            const char *name, json_t *tables, GError **error)
{
    g_autofree char *quoted = pg_quote_qualified(schema, name);
    g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM ONLY %s", quoted);
    g_autofree char *full = g_strdup_printf("%s.%s.%s", database, schema, name);
    g_autoptr(PGresult) result = pg_query(connection, sql, 0, NULL, error);

    if (result == NULL) {
        g_prefix_error(error, "counting %s: ", full);
        return FALSE;
    }
    json_array_append_new(tables, json_pack("{s:o, s:n, s:I}", "table", json_text(full), "expected",
                                            "found", (json_int_t)pg_uint(result, 0, 0)));
    return TRUE;
}

static gboolean count_database(const PgScratch *scratch, const char *database, json_t *tables,
                               GCancellable *cancellable, GError **error)
{
    g_autoptr(PgConnection) connection =
        pg_connect(pg_scratch_conninfo(scratch), database, cancellable, error);
    g_autoptr(PGresult) names = NULL;

    if (connection == NULL)
        return FALSE;
    names = pg_query(connection, tables_sql, 0, NULL, error);
    if (names == NULL)
        return FALSE;
    for (int i = 0; i < PQntuples(names); i++) {
        if (!count_table(connection, database, pg_text(names, i, 0), pg_text(names, i, 1), tables,
                         error))
            return FALSE;
    }
    return TRUE;
}

static gboolean count_all(const PgScratch *scratch, const EngineRestore *request,
                          EngineResult *result, GError **error)
{
    g_autoptr(PgConnection) connection =
        pg_connect(pg_scratch_conninfo(scratch), "template1", request->cancellable, error);
    g_autoptr(PGresult) databases = NULL;
    json_t *tables = json_array();

    json_object_set_new(result->summary, "tables", tables);
    if (connection == NULL)
        return FALSE;
    databases = pg_query(connection,
                         "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn ORDER BY 1",
                         0, NULL, error);
    if (databases == NULL)
        return FALSE;
    progress_begin(request->progress, "counting", 0, 0);
    for (int i = 0; i < PQntuples(databases); i++) {
        if (!count_database(scratch, pg_text(databases, i, 0), tables, request->cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* --- physical --------------------------------------------------------------------------------- */

static gboolean recover_and_look(PgPhysicalPlan *plan, EngineResult *result, GError **error)
{
    const EngineRestore *request = plan->request;
    g_auto(PgScratchFolder) folder = {0};
    g_autoptr(PgScratch) scratch = NULL;
    gint64 ready;

    if (!pg_scratch_folder_make(plan->place, request->scratch_directory, &folder, error) ||
        !pg_physical_restore_directory(plan, result, error) ||
        !pg_scratch_promote(plan, &scratch, error))
        return FALSE;
    ready = time_monotonic();
    if (!pg_scratch_amcheck(scratch, result, error) || !count_all(scratch, request, result, error))
        return FALSE;
    json_object_set_new(result->summary, "check_seconds",
                        json_real(SECONDS(time_monotonic() - ready)));
    return pg_scratch_stop(scratch, error);
}

static void take_warnings(EngineResult *result, const GPtrArray *warnings)
{
    for (guint i = 0; warnings != NULL && i < warnings->len; i++)
        g_ptr_array_add(result->warnings, g_strdup(g_ptr_array_index(warnings, i)));
}

static gboolean drill_physical(const EngineRestore *request, EngineResult *result, GError **error)
{
    const EnginePlace place = {.wal_get = request->place->wal_get};
    EngineTarget target = *request->recovery;
    EngineRestore work = *request;
    EnginePlan *plan;
    gboolean done;

    target.action = "promote";
    work.recovery = &target;
    work.place = &place;
    work.drill = TRUE;
    plan = pg_physical_plan(&work, error);
    if (plan == NULL)
        return FALSE;
    take_warnings(result, plan->warnings);
    json_object_update(result->summary, plan->summary);
    done = plan->problems->len > 0
               ? engine_plan_fail(plan, error)
               : recover_and_look((PgPhysicalPlan *)(void *)plan, result, error);
    pg_physical_plan_free(plan);
    return done;
}

/* --- logical ---------------------------------------------------------------------------------- */

static gboolean check_space(const EngineRestore *request, const char *folder, GError **error)
{
    guint64 wanted = manifest_plain_size(backup_manifest(request->backup)) * 2, present;
    g_autofree char *need = NULL, *have = NULL, *reserve = NULL;

    if (!file_free_space(folder, &present, error))
        return FALSE;
    if (present >= wanted + SPACE_RESERVE)
        return TRUE;
    need = size_format(wanted);
    have = size_format(present);
    reserve = size_format(SPACE_RESERVE);
    error_set(error, ERROR_NO_SPACE,
              "%s may need %s with its indexes, %s are to stay, and %s are free", folder, need,
              reserve, have);
    error_add_hint(error, "free some space there, or set state_directory to a larger place");
    return FALSE;
}

static gboolean make_cluster(const EngineRestore *request, const PgPlace *place, int major,
                             GError **error)
{
    g_autofree char *initdb = pg_server_program("initdb", major, request->cancellable, error);
    const char *const words[] = {initdb,  "-D",         place->directory, "-A",
                                 "trust", "-U",         "postgres",       "-E",
                                 "UTF8",  "--locale=C", "--no-sync",      NULL};

    progress_begin(request->progress, "making a cluster", 0, 0);
    return initdb != NULL && pg_run_as(place->user, words, NULL, request->cancellable, error);
}

static gboolean load(const EngineRestore *request, const PgScratch *scratch, EngineResult *result,
                     GError **error)
{
    ConfigSource target = *request->target;
    EngineRestore work = *request;
    EngineResult inner = {0};
    EnginePlan *plan;
    gboolean done;

    target.conninfo = (char *)pg_scratch_conninfo(scratch);
    work.target = &target;
    /* One that every cluster has is made anew. Roles and tablespaces belong to the source's host:
     * locations of tablespaces must not be touched. */
    work.replace = TRUE;
    work.no_owner = TRUE;
    plan = pg_logical_plan(&work, error);
    if (plan == NULL)
        return FALSE;
    take_warnings(result, plan->warnings);
    done = plan->problems->len > 0 ? engine_plan_fail(plan, error)
                                   : pg_logical_restore(plan, &inner, error);
    take_warnings(result, inner.warnings);
    if (inner.summary != NULL)
        json_object_update(result->summary, inner.summary);
    engine_result_clear(&inner);
    pg_logical_plan_free(plan);
    return done;
}

/* The restore has counted every table. */
static void list_tables(EngineResult *result)
{
    json_object_set(result->summary, "tables", json_object_get(result->summary, "checked"));
    json_object_del(result->summary, "checked");
}

static void add_tablespace(GPtrArray *names, const char *name)
{
    if (name != NULL && !g_str_has_prefix(name, "pg_") &&
        !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, (char *)name);
}

/* Those that the databases name, inside the scratch cluster: their places belong to the source's host.
 * Where the server is too old for such ones, the plan says which is missing. */
static gboolean make_tablespaces(const EngineRestore *request, const PgScratch *scratch,
                                 const PgDetails *details, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(PgConnection) connection = NULL;

    for (guint i = 0; i < details->databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(details->databases, i);

        add_tablespace(names, database->tablespace);
        for (guint j = 0; j < database->tablespaces->len; j++)
            add_tablespace(names, g_ptr_array_index(database->tablespaces, j));
    }
    if (names->len == 0)
        return TRUE;
    connection = pg_connect(pg_scratch_conninfo(scratch), "postgres", request->cancellable, error);
    if (connection == NULL)
        return FALSE;
    if (!pg_execute(connection, "SET allow_in_place_tablespaces = on", NULL))
        return TRUE;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *name = pg_quote_identifier(g_ptr_array_index(names, i));

        if (!pg_execute_format(connection, error, "CREATE TABLESPACE %s LOCATION ''", name))
            return FALSE;
    }
    return TRUE;
}

static gboolean load_cluster(const EngineRestore *request, const PgPlace *place,
                             const PgDetails *details, EngineResult *result, GError **error)
{
    g_autoptr(PgPhysical) bare = pg_physical_new();
    const PgScratchRequest wanted = {.directory = place->directory,
                                     .user = place->user,
                                     .run_directory = request->scratch_directory,
                                     .physical = bare,
                                     .progress = request->progress,
                                     .cancellable = request->cancellable};
    g_autoptr(PgScratch) scratch = NULL;
    g_autofree char *lsn = NULL;
    PgScratchState state;
    gint64 ready;

    bare->server.version_num = details->server.version_num;
    scratch = pg_scratch_start(&wanted, error);
    if (scratch == NULL || !pg_scratch_wait(scratch, &state, &lsn, error) ||
        !make_tablespaces(request, scratch, details, error) ||
        !load(request, scratch, result, error))
        return FALSE;
    list_tables(result);
    ready = time_monotonic();
    if (!pg_scratch_amcheck(scratch, result, error))
        return FALSE;
    json_object_set_new(result->summary, "check_seconds",
                        json_real(SECONDS(time_monotonic() - ready)));
    return pg_scratch_stop(scratch, error);
}

static gboolean drill_logical(const EngineRestore *request, EngineResult *result, GError **error)
{
    g_autofree char *path = pg_scratch_folder_path(request->scratch_directory);
    g_autofree char *data = g_build_filename(path, "data", NULL);
    g_autoptr(PgPlace) place = pg_place_new(data);
    g_autoptr(PgDetails) details = NULL;
    g_auto(PgScratchFolder) folder = {0};

    return pg_details_read(request->backup, &details, error) && check_space(request, path, error) &&
           pg_place_find_owner(place, error) &&
           pg_scratch_folder_make(place, request->scratch_directory, &folder, error) &&
           make_cluster(request, place, details->server.version_num / 10000, error) &&
           load_cluster(request, place, details, result, error);
}

gboolean pg_drill(const EngineRestore *request, EngineResult *ret_result, GError **error)
{
    const char *method = manifest_method(backup_manifest(request->backup));

    ret_result->summary = json_object();
    ret_result->warnings = g_ptr_array_new_with_free_func(g_free);
    return g_strcmp0(method, "physical") == 0 ? drill_physical(request, ret_result, error)
                                              : drill_logical(request, ret_result, error);
}
