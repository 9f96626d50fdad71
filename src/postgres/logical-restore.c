/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying out the plan of a logical restore: objects checked, leftovers dropped, roles made, databases loaded, and only when all of
 * them are whole, put in their places.
 */
#include "postgres/logical.h"

#include "base/error.h"
#include "base/workers.h"
#include "postgres/client.h"
#include "postgres/globals.h"
#include "postgres/restore-plan.h"

#include <math.h>
#include <string.h>

/* Names in an error or a warning; the result has them all. */
#define NAMES_SHOWN 10

/* --- comparing ----------------------------------------------------------------------------------------------------- */

/* Names of tables for people: the first few, and how many more there are. */
typedef struct {
    GString *text;
    guint count;
} NameList;

static void add_name(NameList *list, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add_name(NameList *list, const char *format, ...)
{
    va_list args;

    if (list->count++ >= NAMES_SHOWN)
        return;
    if (list->text->len > 0)
        g_string_append(list->text, ", ");
    va_start(args, format);
    g_string_append_vprintf(list->text, format, args);
    va_end(args);
}

static char *end_names(NameList *list)
{
    if (list->count > NAMES_SHOWN)
        g_string_append_printf(list->text, " and %u more", list->count - NAMES_SHOWN);
    return g_string_free(g_steal_pointer(&list->text), FALSE);
}

static json_t *row_difference(const PgTable *table, guint64 rows)
{
    return json_pack("{s:o, s:o, s:I, s:I}", "schema", json_text(table->schema), "table",
                     json_text(table->name), "expected", (json_int_t)table->rows, "rows",
                     (json_int_t)rows);
}

static void add_summary(EngineResult *result, const PgDatabasePlan *database, guint64 rows,
                        json_t *differences, json_t *empty)
{
    json_t *entry =
        json_pack("{s:o, s:o, s:I, s:I, s:O, s:O}", "database", json_text(database->source->name),
                  "target", json_text(database->target), "tables",
                  (json_int_t)database->tables->len, "rows", (json_int_t)rows, "differences",
                  differences, "empty", empty);

    json_array_append_new(json_object_get(result->summary, "databases"), entry);
    json_object_set_new(result->summary, "tables",
                        json_integer((json_int_t)(json_get_uint(result->summary, "tables", 0) +
                                                  database->tables->len)));
    json_object_set_new(result->summary, "rows",
                        json_integer(
                            (json_int_t)(json_get_uint(result->summary, "rows", 0) + rows)));
}

gboolean pg_restore_compare(const PgRestorePlan *plan, const PgDatabasePlan *database,
                            const guint64 *rows, EngineResult *result, GError **error)
{
    const EngineRestore *request = plan->request;
    g_autoptr(json_t) differences = json_array();
    g_autoptr(json_t) empty = json_array();
    NameList bad = {g_string_new(NULL), 0}, bare = {g_string_new(NULL), 0};
    g_autofree char *bad_text = NULL, *bare_text = NULL;
    guint64 sum = 0;

    for (guint i = 0; i < database->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(database->tables, i);
        guint64 away = rows[i] > table->rows ? rows[i] - table->rows : table->rows - rows[i];

        sum += rows[i];
        if (away > 0)
            json_array_append_new(differences, row_difference(table, rows[i]));
        if ((double)away > floor((double)table->rows * request->tolerance))
            add_name(&bad, "%s.%s has %" G_GUINT64_FORMAT " rows instead of %" G_GUINT64_FORMAT,
                     table->schema, table->name, rows[i], table->rows);
        if (rows[i] == 0) {
            add_name(&bare, "%s.%s", table->schema, table->name);
            json_array_append_new(empty, row_difference(table, 0));
        }
    }
    add_summary(result, database, sum, differences, empty);
    bad_text = end_names(&bad);
    bare_text = end_names(&bare);
    if (bad.count > 0) {
        error_set(error, ERROR_COUNT_MISMATCH, "restored rows of database %s differ: %s",
                  database->source->name, bad_text);
        error_add_hint(error, "nothing was put in place; --tolerance allows a difference");
        return FALSE;
    }
    if (bare.count > 0 && request->require_rows) {
        error_set(error, ERROR_COUNT_MISMATCH, "tables of database %s have no rows: %s",
                  database->source->name, bare_text);
        error_add_hint(error,
                       "so they were in the backup; without --require-rows that is a warning");
        return FALSE;
    }
    if (bare.count > 0)
        g_ptr_array_add(result->warnings,
                        g_strdup_printf("tables of database %s without any row: %s",
                                        database->source->name, bare_text));
    return TRUE;
}

gboolean pg_restore_explain(const PgRestorePlan *plan, GError *reason, GError **error)
{
    if ((error_is(reason, ERROR_SUBPROCESS) || error_is(reason, ERROR_SERVER)) &&
        !pg_connection_alive(plan->connection)) {
        error_set(error, ERROR_UNREACHABLE, "the server at %s went away during the restore: %s",
                  pg_connection_server(plan->connection), reason->message);
        error_add_hint(error, "nothing was put in place; run the restore again when it is back");
        g_error_free(reason);
        return FALSE;
    }
    g_propagate_error(error, reason);
    return FALSE;
}

/* --- objects ------------------------------------------------------------------------------------------------------- */

typedef struct {
    Backup *backup;
    Progress *progress;
} Checking;

static gboolean check_object(gpointer task, gpointer data, GCancellable *cancellable,
                             GError **error)
{
    Checking *checking = data;
    guint64 bytes = 0;

    if (!backup_check_object(checking->backup, task, &bytes, cancellable, error))
        return FALSE;
    progress_add(checking->progress, bytes, 0);
    return TRUE;
}

static guint64 stored_size(const PgRestorePlan *plan, const char *path)
{
    const ManifestObject *object =
        manifest_find_object(backup_manifest(plan->request->backup), path);

    return object != NULL ? object->size : 0;
}

/* Everything that is going to be read is proved whole before anything is changed. */
static gboolean check_objects(const PgRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    Checking checking = {request->backup, request->progress};
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_autoptr(Workers) workers = NULL;
    guint64 bytes = 0;

    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        g_ptr_array_add(paths, database->source->schema_archive);
        for (guint k = 0; k < database->archives->len; k++)
            g_ptr_array_add(paths,
                            (char *)((PgArchive *)g_ptr_array_index(database->archives, k))->path);
    }
    for (guint i = 0; i < paths->len; i++)
        bytes += stored_size(plan, g_ptr_array_index(paths, i));
    progress_begin(request->progress, "checking the backup", bytes, 0);
    workers =
        workers_new(MAX(request->jobs, 1), 0, check_object, &checking, NULL, request->cancellable);
    for (guint i = 0; i < paths->len; i++)
        if (!workers_push(workers, g_ptr_array_index(paths, i)))
            break;
    return workers_wait(workers, error);
}

/* --- databases ----------------------------------------------------------------------------------------------------- */

static gboolean merge_all(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (database->merge && !pg_restore_merge(plan, database, result, error))
            return FALSE;
    }
    return TRUE;
}

/* All are loaded before the first is put in its place. */
static gboolean restore_databases(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    g_autoptr(GPtrArray) loaded =
        g_ptr_array_new_with_free_func((GDestroyNotify)pg_new_database_free);

    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);
        PgNewDatabase *fresh;

        if (database->merge)
            continue;
        fresh = pg_new_database_load(plan, database, result, error);
        if (fresh == NULL)
            return FALSE;
        g_ptr_array_add(loaded, fresh);
    }
    if (!merge_all(plan, result, error))
        return FALSE;
    for (guint i = 0; i < loaded->len; i++)
        if (!pg_new_database_swap(g_ptr_array_index(loaded, i), result, error)) {
            if (i > 0)
                g_prefix_error(error, "%u of %u databases are in their places, then: ", i,
                               loaded->len);
            return FALSE;
        }
    return TRUE;
}

static gboolean carry_out(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    if (!check_objects(plan, error) || !pg_restore_drop_leftovers(plan, result, error))
        return FALSE;
    if (plan->globals != NULL &&
        !pg_globals_apply(plan->connection, plan->globals, plan->roles, plan->tablespaces, error))
        return FALSE;
    return restore_databases(plan, result, error);
}

gboolean pg_logical_restore(EnginePlan *base, EngineResult *ret_result, GError **error)
{
    PgRestorePlan *plan = (PgRestorePlan *)(void *)base;
    EngineResult result = {
        .summary = json_pack("{s:[], s:i, s:i}", "databases", "tables", 0, "rows", 0),
        .warnings = g_ptr_array_new_with_free_func(g_free),
    };
    GError *reason = NULL;
    gboolean done;

    if (base->problems->len > 0) {
        engine_result_clear(&result);
        error_set(error, ERROR_REFUSED, "the plan has problems");
        return FALSE;
    }
    done = carry_out(plan, &result, &reason);
    progress_end(plan->request->progress);
    if (done || error_is(reason, ERROR_COUNT_MISMATCH))
        *ret_result = result;
    else
        engine_result_clear(&result);
    return done || pg_restore_explain(plan, reason, error);
}

/* --- verify -------------------------------------------------------------------------------------------------------- */

/* The major version of the pg_dump that wrote the archives, times 10000, as the clear manifest has it; 0 where it has none. */
static int writer_version(Backup *backup)
{
    g_autoptr(json_t) manifest = manifest_json(backup_manifest(backup));
    gint64 major = g_ascii_strtoll(json_get_string(manifest, "pg_dump_version", "0"), NULL, 10);

    return (int)CLAMP(major, 0, 1000) * 10000;
}

/* pg_restore --list reads an archive's head and table of contents: a second opinion on bytes whose hash is right. */
gboolean pg_logical_check_object(Backup *backup, const char *path, GCancellable *cancellable,
                                 GError **error)
{
    g_autofree char *program = NULL;
    g_autoptr(PgToc) toc = NULL;
    PgLoad load = {.backup = backup};

    if (strstr(path, ".dump") == NULL)
        return TRUE;
    if (!pg_client_program("pg_restore", writer_version(backup), &program, NULL, error))
        return FALSE;
    load.pg_restore = program;
    toc = pg_load_toc(&load, path, cancellable, error);
    return toc != NULL;
}
