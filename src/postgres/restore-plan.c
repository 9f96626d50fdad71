/* SPDX-License-Identifier: Apache-2.0
 *
 * Planning a logical restore: what becomes what, and the order of things. What could go wrong with
 * the server is looked for in restore-checks.c.
 */
#include "postgres/restore-plan.h"

#include "base/error.h"
#include "base/size.h"
#include "engine/restore-names.h"
#include "postgres/client.h"
#include "postgres/globals.h"
#include "postgres/logical.h"
#include "postgres/maintenance.h"
#include "postgres/pattern.h"
#include "postgres/restore-checks.h"
#include "postgres/restore-objects.h"

#include <string.h>

#define GLOBALS_LIMIT (64u << 20)
/* Building an index in less memory than this sorts on disk; the jobs share it. */
#define INDEX_MEMORY_KIB 262144

static void archive_free(gpointer data)
{
    g_free(data);
}

static void database_plan_free(gpointer data)
{
    PgDatabasePlan *database = data;

    g_free(database->target);
    pg_selection_free(database->selection);
    g_ptr_array_unref(database->tables);
    g_ptr_array_unref(database->archives);
    g_free(database);
}

static void restore_plan_free(PgRestorePlan *plan)
{
    if (plan == NULL)
        return;
    engine_plan_clear(&plan->base);
    g_ptr_array_unref(plan->databases);
    g_clear_pointer(&plan->globals, g_ptr_array_unref);
    g_clear_pointer(&plan->roles, g_hash_table_unref);
    g_clear_pointer(&plan->tablespaces, g_hash_table_unref);
    pg_details_free(plan->details);
    pg_connection_free(plan->connection);
    pg_server_clear(&plan->server);
    g_free(plan->pg_restore);
    g_free(plan->psql);
    g_strfreev(plan->environment);
    g_free(plan);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgRestorePlan, restore_plan_free)

void pg_logical_plan_free(EnginePlan *plan)
{
    restore_plan_free((PgRestorePlan *)(void *)plan);
}

PgLoad pg_restore_load(const PgRestorePlan *plan, const char *conninfo)
{
    static const char *const no_owner[] = {"--no-owner", "--no-privileges", NULL};

    return (PgLoad){.backup = plan->request->backup,
                    .pg_restore = plan->pg_restore,
                    .environment = plan->environment,
                    .conninfo = conninfo,
                    .options = plan->request->no_owner ? no_owner : NULL,
                    .progress = plan->request->progress};
}

/* --- databases -------------------------------------------------------------------------------- */

static gboolean has_tables(const PgDetails *details, const PgDatabase *database)
{
    for (guint i = 0; i < details->tables->len; i++)
        if (((const PgTable *)g_ptr_array_index(details->tables, i))->database == database->oid)
            return TRUE;
    return FALSE;
}

/* The names that there are; initdb's own database counts only when something is in it or when it is
 * all there is, so that "the one database of this backup" means what people mean by it. */
static char **known_databases(const PgRestorePlan *plan, gboolean without_empty)
{
    const PgDetails *details = plan->details;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    for (guint i = 0; i < details->databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(details->databases, i);

        if (without_empty && details->databases->len > 1 &&
            strcmp(database->name, "postgres") == 0 && !has_tables(details, database))
            continue;
        g_strv_builder_add(names, database->name);
    }
    return g_strv_builder_end(names);
}

static void add_database(PgRestorePlan *plan, const PgDatabase *source, const char *target)
{
    PgDatabasePlan *database = g_new0(PgDatabasePlan, 1);

    database->source = source;
    database->target = g_strdup(target);
    database->tables = g_ptr_array_new();
    database->archives = g_ptr_array_new_with_free_func(archive_free);
    g_ptr_array_add(plan->databases, database);
}

static gboolean choose_databases(PgRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    const char *to = request->to_database;
    gboolean one = request->tables != NULL || (to != NULL && strchr(to, '=') == NULL);
    g_auto(GStrv) known = known_databases(plan, one && request->databases == NULL);
    g_autoptr(GPtrArray) pairs = NULL;

    if (!engine_restore_names((const char *const *)known, request->databases, to,
                              request->tables != NULL, &pairs, error))
        return FALSE;
    for (guint i = 0; i < pairs->len; i++) {
        const EngineRestoreName *pair = g_ptr_array_index(pairs, i);

        if (strcmp(pair->target, "template0") == 0) {
            error_set(error, ERROR_REFUSED, "nothing is restored into template0");
            return FALSE;
        }
        add_database(plan, pg_details_find_database(plan->details, pair->source), pair->target);
    }
    return TRUE;
}

/* --- the target server ------------------------------------------------------------------------ */

static gboolean is_target(const PgRestorePlan *plan, const char *name)
{
    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (strcmp(database->target, name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* A database cannot be renamed while we are in it, so that initdb's own may have to do without
 * us. */
static gboolean connect_server(PgRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    const char *conninfo = request->target->conninfo;

    plan->connection = pg_connect_maintenance(conninfo, request->cancellable, error);
    if (plan->connection == NULL)
        return FALSE;
    if (is_target(plan, pg_connection_database(plan->connection))) {
        g_clear_pointer(&plan->connection, pg_connection_free);
        plan->connection = pg_connect(conninfo, "template1", request->cancellable, error);
    }
    return plan->connection != NULL && pg_server_read(plan->connection, &plan->server, error);
}

static gboolean read_set(PgConnection *connection, const char *sql, GHashTable **ret_set,
                         GError **error)
{
    g_autoptr(GHashTable) set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(PGresult) result = pg_query(connection, sql, 0, NULL, error);

    if (result == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(result); row++)
        g_hash_table_add(set, g_strdup(pg_text(result, row, 0)));
    *ret_set = g_steal_pointer(&set);
    return TRUE;
}

static gboolean read_globals(PgRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *sql = NULL;

    if (!request->globals)
        return TRUE;
    if (plan->details->globals == NULL) {
        error_set(error, ERROR_NOT_FOUND, "backup %s holds no roles and tablespaces",
                  backup_id(request->backup));
        return FALSE;
    }
    bytes = backup_get_object(request->backup, plan->details->globals, GLOBALS_LIMIT, error);
    if (bytes == NULL)
        return FALSE;
    sql = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    return pg_globals_parse(sql, &plan->globals, error);
}

/* The children write without waiting for the disk: one commit at the end makes all of it
 * durable. */
static gboolean make_environment(PgRestorePlan *plan, GError **error)
{
    g_autofree char *options = NULL;
    g_autofree char *memory = NULL;
    guint64 kib;

    if (!pg_query_value(plan->connection,
                        "SELECT setting FROM pg_catalog.pg_settings "
                        "WHERE name = 'maintenance_work_mem'",
                        &memory, error))
        return FALSE;
    kib = memory != NULL ? g_ascii_strtoull(memory, NULL, 10) : 0;
    kib = MAX(kib, INDEX_MEMORY_KIB / MAX(plan->request->jobs, 1));
    options =
        g_strdup_printf("-c synchronous_commit=off -c maintenance_work_mem=%" G_GUINT64_FORMAT "kB",
                        kib);
    plan->environment = pg_child_environment(plan->connection, options);
    return TRUE;
}

/* Programs that are missing are problems like others: the plan goes on as far as it can. */
static void find_programs(PgRestorePlan *plan)
{
    GError *problem = NULL;
    int version = plan->details->archive_version_num;

    if (!pg_client_program("pg_restore", version, &plan->pg_restore, NULL, &problem) ||
        (plan->request->tables != NULL &&
         !pg_client_program("psql", version, &plan->psql, NULL, &problem)))
        engine_plan_problem(&plan->base, problem);
}

static gboolean look_at_server(PgRestorePlan *plan, GError **error)
{
    if (!connect_server(plan, error) ||
        !read_set(plan->connection, "SELECT rolname FROM pg_catalog.pg_roles", &plan->roles,
                  error) ||
        !read_set(plan->connection, "SELECT spcname FROM pg_catalog.pg_tablespace",
                  &plan->tablespaces, error) ||
        !read_globals(plan, error) || !make_environment(plan, error))
        return FALSE;
    find_programs(plan);
    return TRUE;
}

/* --- one database ----------------------------------------------------------------------------- */

static gboolean look_inside(const PgRestorePlan *plan, PgDatabasePlan *database, GError **error)
{
    g_autoptr(PgConnection) inside = pg_connect(plan->request->target->conninfo, database->target,
                                                plan->request->cancellable, error);
    g_autoptr(GHashTable) present = NULL;

    if (inside == NULL || !pg_present_read(inside, &present, error))
        return FALSE;
    database->disposable = g_hash_table_size(present) == 0;
    return TRUE;
}

static gboolean find_target(PgRestorePlan *plan, PgDatabasePlan *database, GError **error)
{
    const char *target = database->target;
    g_autoptr(PGresult) result = pg_query(
        plan->connection,
        "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity a "
        "        WHERE a.datid = d.oid), d.oid FROM pg_catalog.pg_database d WHERE d.datname = $1",
        1, &target, error);

    if (result == NULL)
        return FALSE;
    database->exists = PQntuples(result) > 0;
    if (!database->exists)
        return TRUE;
    database->sessions = pg_uint(result, 0, 0);
    database->target_oid = (guint32)pg_uint(result, 0, 1);
    database->merge = plan->request->tables != NULL;
    if (!database->merge && !plan->request->replace && strcmp(target, "postgres") == 0 &&
        !look_inside(plan, database, error))
        return FALSE;
    if (!database->merge && !plan->request->replace && !database->disposable) {
        GError *problem = NULL;

        error_set(&problem, ERROR_EXISTS, "database %s exists at %s", target,
                  pg_connection_server(plan->connection));
        error_add_hint(&problem, "--replace puts the restored database in its place; --to-database "
                                 "restores under another name");
        engine_plan_problem(&plan->base, problem);
    }
    return TRUE;
}

static gboolean select_tables(PgRestorePlan *plan, PgDatabasePlan *database,
                              const GPtrArray *tables, GError **error)
{
    PgLoad load = pg_restore_load(plan, NULL);
    g_autoptr(PgConnection) target = NULL;
    PgSelectionRequest request = {.request = plan->request,
                                  .details = plan->details,
                                  .database = database->source,
                                  .load = &load,
                                  .plan = &plan->base};

    if (plan->pg_restore == NULL)
        return TRUE;
    if (database->merge) {
        target = pg_connect(plan->request->target->conninfo, database->target,
                            plan->request->cancellable, error);
        if (target == NULL)
            return FALSE;
    }
    request.target = target;
    return pg_selection_make(&request, tables, &database->selection, error);
}

/* Without --tables everything of a database comes. A pattern that fits nothing is a mistake of the
 * request. */
static gboolean choose_tables(PgRestorePlan *plan, GPtrArray **ret_chosen, GError **error)
{
    g_autoptr(GPtrArray) patterns = NULL;
    g_autoptr(GPtrArray) chosen = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    g_autofree gboolean *used = NULL;

    if (!pg_patterns_parse(plan->request->tables, &patterns, error))
        return FALSE;
    used = g_new0(gboolean, MAX(patterns->len, 1));
    for (guint i = 0; i < patterns->len; i++) {
        const PgPattern *pattern = g_ptr_array_index(patterns, i);

        if (plan->databases->len == 1 || pg_pattern_has_database(pattern))
            continue;
        error_set(error, ERROR_USAGE, "pattern '%s' names no database, and the backup has several",
                  pg_pattern_text(pattern));
        error_add_hint(error, "write database.schema.table, or choose one with --databases");
        return FALSE;
    }
    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabase *source =
            ((PgDatabasePlan *)g_ptr_array_index(plan->databases, i))->source;
        GPtrArray *tables = g_ptr_array_new();

        g_ptr_array_add(chosen, tables);
        for (guint k = 0; k < plan->details->tables->len; k++) {
            PgTable *table = g_ptr_array_index(plan->details->tables, k);

            if (table->database == source->oid && table->kind != PG_TABLE_EXTENSION &&
                pg_patterns_match(patterns, source->name, table->schema, table->name, used))
                g_ptr_array_add(tables, table);
        }
    }
    for (guint i = 0; i < patterns->len; i++) {
        if (used[i])
            continue;
        error_set(error, ERROR_USAGE, "no table of the backup fits '%s'",
                  pg_pattern_text(g_ptr_array_index(patterns, i)));
        error_add_hint(error,
                       "`holdfast show %s` lists the tables; names are taken as they are, in "
                       "upper and lower case",
                       backup_id(plan->request->backup));
        return FALSE;
    }
    *ret_chosen = g_steal_pointer(&chosen);
    return TRUE;
}

/* --- archives --------------------------------------------------------------------------------- */

static gboolean add_archive(PgRestorePlan *plan, PgDatabasePlan *database, const char *path,
                            const char *list, GError **error)
{
    const ManifestObject *object =
        manifest_find_object(backup_manifest(plan->request->backup), path);
    PgArchive *archive;

    if (object == NULL) {
        error_set(error, ERROR_DAMAGED, "the manifest of backup %s lacks %s",
                  backup_id(plan->request->backup), path);
        return FALSE;
    }
    archive = g_new0(PgArchive, 1);
    archive->path = path;
    archive->bytes = object->plain_size;
    archive->list = list;
    database->bytes += archive->bytes;
    g_ptr_array_add(database->archives, archive);
    return TRUE;
}

static int compare_archives(gconstpointer a, gconstpointer b)
{
    const PgArchive *one = *(const PgArchive *const *)a, *other = *(const PgArchive *const *)b;

    return one->bytes == other->bytes ? 0 : one->bytes > other->bytes ? -1 : 1;
}

static gboolean add_tables_and_archives(PgRestorePlan *plan, PgDatabasePlan *database,
                                        GError **error)
{
    const PgSelection *selection = database->selection;
    const GPtrArray *tables = selection != NULL ? selection->tables : plan->details->tables;
    const char *rest = database->source->rest_archive;

    for (guint i = 0; i < tables->len; i++) {
        PgTable *table = g_ptr_array_index(tables, i);

        if (table->database != database->source->oid)
            continue;
        if (table->counted) {
            g_ptr_array_add(database->tables, table);
            database->rows += table->rows;
        }
        if (table->archive != NULL && !add_archive(plan, database, table->archive, NULL, error))
            return FALSE;
    }
    if (selection == NULL && !add_archive(plan, database, rest, NULL, error))
        return FALSE;
    if (selection != NULL && selection->rest_list != NULL &&
        !add_archive(plan, database, rest, selection->rest_list, error))
        return FALSE;
    g_ptr_array_sort(database->archives, compare_archives);
    return TRUE;
}

/* --- what the plan says ----------------------------------------------------------------------- */

static void tell_globals(PgRestorePlan *plan)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; plan->globals != NULL && i < plan->globals->len; i++) {
        const PgGlobal *global = g_ptr_array_index(plan->globals, i);
        GHashTable *there = global->kind == PG_GLOBAL_ROLE ? plan->roles : plan->tablespaces;

        if (global->create && !g_hash_table_contains(there, global->name))
            g_string_append_printf(names, "%s%s %s", names->len > 0 ? ", " : "",
                                   global->kind == PG_GLOBAL_ROLE ? "role" : "tablespace",
                                   global->name);
    }
    if (plan->globals == NULL)
        return;
    if (names->len > 0)
        engine_plan_step(&plan->base, "create %s", names->str);
    else
        engine_plan_step(&plan->base, "leave roles and tablespaces as they are: none is missing");
}

static void tell_database(PgRestorePlan *plan, const PgDatabasePlan *database)
{
    g_autofree char *tables = count_format(database->tables->len);
    g_autofree char *rows = count_format(database->rows);
    g_autofree char *bytes = size_format(database->bytes);
    EnginePlan *base = &plan->base;

    if (database->merge) {
        for (guint i = 0; database->selection != NULL && i < database->selection->drops->len; i++)
            engine_plan_step(base, "in database %s, and in one transaction with the rest: %s",
                             database->target,
                             (const char *)g_ptr_array_index(database->selection->drops, i));
        engine_plan_step(base,
                         "restore %s %s of %s (%s rows, %s) into database %s, with what it takes, "
                         "in one transaction; then compare the rows with the backup",
                         tables, database->tables->len == 1 ? "table" : "tables",
                         database->source->name, rows, bytes, database->target);
        return;
    }
    engine_plan_step(base,
                     "restore database %s (%s tables, %s rows, %s) into a new database under a "
                     "temporary name; then compare its rows with the backup",
                     database->source->name, tables, rows, bytes);
    if (database->exists)
        engine_plan_step(base,
                         "end the sessions of database %s (%" G_GUINT64_FORMAT
                         " now), put the new database in its place by rename, and drop the old one",
                         database->target, database->sessions);
    else
        engine_plan_step(base, "name it %s", database->target);
}

static void summarize(PgRestorePlan *plan)
{
    g_autoptr(json_t) databases = json_array();
    guint64 tables = 0, rows = 0, bytes = 0;

    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        json_array_append_new(databases,
                              json_pack("{s:o, s:o, s:b, s:I, s:I, s:I, s:I}", "database",
                                        json_text(database->source->name), "target",
                                        json_text(database->target), "exists", database->exists,
                                        "tables", (json_int_t)database->tables->len, "rows",
                                        (json_int_t)database->rows, "bytes",
                                        (json_int_t)database->bytes, "sessions",
                                        (json_int_t)database->sessions));
        tables += database->tables->len;
        rows += database->rows;
        bytes += database->bytes;
    }
    plan->base.method = "logical";
    plan->base.bytes = bytes;
    json_decref(plan->base.summary);
    plan->base.summary =
        json_pack("{s:O, s:I, s:I, s:I}", "databases", databases, "tables", (json_int_t)tables,
                  "rows", (json_int_t)rows, "bytes", (json_int_t)bytes);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* With --tables a database that no pattern meant is not restored at all. */
static gboolean drop_unmeant(PgRestorePlan *plan, GPtrArray *chosen, GError **error)
{
    for (guint i = chosen->len; i > 0; i--) {
        const GPtrArray *tables = g_ptr_array_index(chosen, i - 1);

        if (tables->len > 0)
            continue;
        g_ptr_array_remove_index(chosen, i - 1);
        g_ptr_array_remove_index(plan->databases, i - 1);
    }
    for (guint i = 1; i < plan->databases->len; i++) {
        const PgDatabasePlan *first = g_ptr_array_index(plan->databases, 0);
        const PgDatabasePlan *other = g_ptr_array_index(plan->databases, i);

        if (strcmp(first->target, other->target) != 0)
            continue;
        error_set(error, ERROR_USAGE, "tables of databases %s and %s would both go to %s",
                  first->source->name, other->source->name, first->target);
        error_add_hint(error, "choose one with --databases, or write --to-database A=X,B=Y");
        return FALSE;
    }
    return TRUE;
}

static gboolean plan_databases(PgRestorePlan *plan, const GPtrArray *chosen, GError **error)
{
    for (guint i = 0; i < plan->databases->len; i++) {
        PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (!find_target(plan, database, error) ||
            (chosen != NULL &&
             !select_tables(plan, database, g_ptr_array_index(chosen, i), error)) ||
            ((chosen == NULL || database->selection != NULL) &&
             !add_tables_and_archives(plan, database, error)) ||
            !pg_restore_check_database(plan, database, error))
            return FALSE;
        tell_database(plan, database);
    }
    return TRUE;
}

EnginePlan *pg_logical_plan(const EngineRestore *request, GError **error)
{
    g_autoptr(PgRestorePlan) plan = g_new0(PgRestorePlan, 1);
    g_autoptr(GPtrArray) chosen = NULL;

    plan->request = request;
    plan->databases = g_ptr_array_new_with_free_func(database_plan_free);
    engine_plan_init(&plan->base);
    if (!pg_details_read(request->backup, &plan->details, error) ||
        !choose_databases(plan, error) ||
        (request->tables != NULL && !choose_tables(plan, &chosen, error)))
        return NULL;
    if ((chosen != NULL && !drop_unmeant(plan, chosen, error)) || !look_at_server(plan, error))
        return NULL;
    tell_globals(plan);
    if (!pg_restore_check_server(plan, error) || !plan_databases(plan, chosen, error))
        return NULL;
    summarize(plan);
    if (!pg_restore_check_objects(plan, error))
        return NULL;
    return &g_steal_pointer(&plan)->base;
}
