/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of a restore.
 */
#include "tdengine/restore.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "base/workers.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/own-topics.h"
#include "tdengine/restore-check.h"
#include "tdengine/restore-children.h"
#include "tdengine/restore-database.h"
#include "tdengine/restore-empty.h"
#include "tdengine/restore-fill.h"
#include "tdengine/restore-options.h"
#include "tdengine/restore-plan.h"
#include "tdengine/restore-rows.h"

#define CODE_SYNTAX          0x2600
#define CODE_DATABASE_EXISTS 0x0381
#define CREATE_TRIES         3

/* What windows of rows take in memory, about: all workers together, and one at least. */
#define WINDOWS_BYTES    (256u * 1024 * 1024)
#define WINDOW_BYTES_MIN (8u * 1024 * 1024)

typedef struct {
    TdRestorePlan *plan;
    EngineResult *result;
    TdRestoreCheck check;
    GAsyncQueue *clients;    /* TdClient, all in the database that is being written */
    const char *database;    /* its name */
    gboolean marked;         /* it has our mark */
    TdSetBack *set_back;     /* of its options, or NULL */
    const TdTablePlan *last; /* of its tables, to be counted when all rows are there, or NULL */
    guint64 filled;          /* rows of the following backup */
    guint64 made;            /* child tables without rows */
    guint unmade;            /* statements that the server refused */
    guint compared;          /* tables whose fingerprints agree */
    guint passed_over;       /* tables that were to be fingerprinted, and could not be compared */
    gint64 comparing;        /* microseconds that fingerprints took */
} Restoring;

static gboolean execute(const Restoring *restoring, GError **error, const char *sql)
{
    return td_client_execute(restoring->plan->client, sql, NULL,
                             restoring->plan->request->cancellable, error);
}

static gboolean execute_named(const Restoring *restoring, GError **error, const char *before,
                              const char *database, const char *table, const char *after)
{
    g_autoptr(GString) sql = g_string_new(before);

    if (table != NULL)
        td_append_table(sql, database, table);
    else
        td_append_name(sql, database);
    g_string_append(sql, after);
    return execute(restoring, error, sql->str);
}

static void warn(const Restoring *restoring, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void warn(const Restoring *restoring, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(restoring->result->warnings, g_strdup_vprintf(format, args));
    va_end(args);
}

/* --- connections of the workers --------------------------------------------------------------- */

static TdClient *take_client(Restoring *restoring, GCancellable *cancellable, GError **error)
{
    TdClient *client = g_async_queue_try_pop(restoring->clients);

    if (client != NULL)
        return client;
    client = td_connect(restoring->plan->request->target, cancellable, error);
    if (client != NULL && !td_client_use(client, restoring->database, cancellable, error))
        g_clear_pointer(&client, td_client_free);
    return client;
}

static void drop_clients(Restoring *restoring)
{
    TdClient *client;

    while ((client = g_async_queue_try_pop(restoring->clients)) != NULL)
        td_client_free(client);
}

/* --- databases -------------------------------------------------------------------------------- */

static gboolean mark(Restoring *restoring, const char *database, const char *kind,
                     const char *const *names, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    restoring->marked = TRUE;
    return td_marker_enter(plan->client, database, kind, names, backup_id(plan->request->backup),
                           plan->request->cancellable, error);
}

/* The server may carry out a statement of a client that was killed: the database that was not there
 * when this restore looked has come since, and there is nothing in it. */
static gboolean drop_late(const Restoring *restoring, const TdDatabasePlan *database,
                          gboolean *ret_dropped, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    if (!td_holds_nothing(plan->client, database->target, FALSE, ret_dropped,
                          plan->request->cancellable, error))
        return FALSE;
    return !*ret_dropped ||
           execute_named(restoring, error, "DROP DATABASE IF EXISTS ", database->target, NULL, "");
}

static gboolean create_database(const Restoring *restoring, const TdDatabasePlan *database,
                                GError **error)
{
    g_autoptr(GError) problem = NULL;

    for (guint try = 0; try < CREATE_TRIES; try++) {
        gboolean dropped;

        g_clear_error(&problem);
        if (execute(restoring, &problem, database->create))
            return TRUE;
        if (td_error_code(problem) != CODE_DATABASE_EXISTS)
            break;
        if (!drop_late(restoring, database, &dropped, error))
            return FALSE;
        if (!dropped)
            break;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "cannot make database %s: ", database->target);
    return FALSE;
}

static gboolean make_database(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const char *const names[] = {database->target, NULL};

    for (guint i = 0; i < database->topics->len; i++)
        if (!td_own_topic_drop(restoring->plan->client, g_ptr_array_index(database->topics, i),
                               restoring->plan->request->cancellable, error))
            return FALSE;
    if (database->drop &&
        !execute_named(restoring, error, "DROP DATABASE IF EXISTS ", database->target, NULL, ""))
        return FALSE;
    return create_database(restoring, database, error) &&
           mark(restoring, database->target, "database", names, error);
}

/* Everything that will be made in a database that stays. */
static GPtrArray *names_to_mark(const TdRestorePlan *plan, const TdDatabasePlan *database)
{
    GPtrArray *names = g_ptr_array_new();

    for (guint i = 0; i < plan->tables->len; i++) {
        const TdTablePlan *table = g_ptr_array_index(plan->tables, i);
        const TdTagSet *set = table->tags;

        if (table->database != database)
            continue;
        if (!table->exists)
            g_ptr_array_add(names, table->table->name);
        for (guint32 id = 0; table->exists && set != NULL && id < td_names_count(set->names);
             id++) {
            gsize length;
            guint32 number;
            const char *name = td_names_get(set->names, id, &length);

            /* A table that had rows before is not half made: its rows are written again. */
            if (td_tag_set_wants(set, id) &&
                (!plan->request->merge ||
                 td_children_find(database->children, name, length, &number) == NULL))
                g_ptr_array_add(names, (gpointer)name);
        }
    }
    g_ptr_array_add(names, NULL);
    return names;
}

static gboolean widen_keep(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const char *const keep[] = {database->keep, NULL};
    g_autofree char *wide =
        g_strconcat(" KEEP ", td_restore_wide_keep(database->source->precision), NULL);

    if (database->keep == NULL)
        return TRUE;
    if ((database->marker == NULL || database->marker->keep == NULL) &&
        !mark(restoring, database->target, "keep", keep, error))
        return FALSE;
    return execute_named(restoring, error, "ALTER DATABASE ", database->target, NULL, wide);
}

/* Where a database stays and nothing was to be marked there is no mark. */
static gboolean check_mark(const Restoring *restoring, const TdDatabasePlan *database,
                           GError **error)
{
    return !restoring->marked || td_marker_check(restoring->plan->client, database->target,
                                                 restoring->plan->request->cancellable, error);
}

static gboolean enter_database(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    restoring->marked = FALSE;
    if (database->create != NULL) {
        if (!make_database(restoring, database, error))
            return FALSE;
    } else {
        g_autoptr(GPtrArray) names = names_to_mark(plan, database);

        if (names->len > 1 &&
            !mark(restoring, database->target, "table", (const char *const *)names->pdata, error))
            return FALSE;
        if (!widen_keep(restoring, database, error))
            return FALSE;
    }
    restoring->database = database->target;
    /* A gateway may know an older database of this name. */
    return execute(restoring, error, "RESET QUERY CACHE") &&
           check_mark(restoring, database, error) &&
           td_client_use(plan->client, database->target, plan->request->cancellable, error);
}

/* All rows of the database are there, unless some are filled in. */
static gboolean begin_to_leave(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    if (plan->following != NULL)
        return TRUE;
    if (!check_mark(restoring, database, error))
        return FALSE;
    restoring->set_back = td_set_back_begin(plan, database);
    return TRUE;
}

static gboolean leave_database(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    drop_clients(restoring);
    if (!check_mark(restoring, database, error) ||
        !td_set_back_end(restoring->set_back, plan, database, restoring->result->warnings, error))
        return FALSE;
    g_clear_pointer(&restoring->set_back, td_set_back_free);
    return td_marker_drop(plan->client, database->target, plan->request->cancellable, error);
}

/* --- tables ----------------------------------------------------------------------------------- */

static gboolean drop_first(Restoring *restoring, const TdTablePlan *table, GError **error)
{
    const char *database = table->database->target;

    if (table->drop &&
        !execute_named(restoring, error,
                       table->table->kind == TD_TABLE_NORMAL ? "DROP TABLE " : "DROP STABLE ",
                       database, table->table->name, ""))
        return FALSE;
    for (guint i = 0; table->drop_children != NULL && i < table->drop_children->len; i++)
        if (!execute_named(restoring, error, "DROP TABLE IF EXISTS ", database,
                           g_ptr_array_index(table->drop_children, i), ""))
            return FALSE;
    return TRUE;
}

/* A server that knows no ENCODE gets the columns without. */
static gboolean make_table(Restoring *restoring, const TdTablePlan *table, GError **error)
{
    TdDdlOptions options = {.encoding = TRUE};
    g_autofree char *full = td_table_ddl(table->table, table->database->target, &options);
    g_autofree char *plain = NULL;
    g_autoptr(GError) problem = NULL;

    if (!drop_first(restoring, table, error))
        return FALSE;
    if (table->exists || execute(restoring, &problem, full))
        return TRUE;
    options.encoding = FALSE;
    plain = td_table_ddl(table->table, table->database->target, &options);
    if (td_error_code(problem) != CODE_SYNTAX || strcmp(full, plain) == 0) {
        g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                                   "cannot make table %s.%s: ", table->database->target,
                                   table->table->name);
        return FALSE;
    }
    warn(restoring,
         "table %s.%s: ENCODE, COMPRESS and LEVEL of the columns are left out: the "
         "server does not know them",
         table->database->target, table->table->name);
    return execute(restoring, error, plain);
}

/* --- rows ------------------------------------------------------------------------------------- */

typedef struct {
    TdRowTarget target;
    GArray *window; /* of TdWindowPart */
} WindowTask;

static void window_task_free(gpointer data)
{
    WindowTask *task = data;

    g_array_unref(task->window);
    g_free(task);
}

static gboolean write_window(gpointer data, gpointer user_data, GCancellable *cancellable,
                             GError **error)
{
    Restoring *restoring = user_data;
    WindowTask *task = data;
    g_autoptr(TdClient) client = take_client(restoring, cancellable, error);
    guint64 rows;

    if (client == NULL)
        return FALSE;
    task->target.cancellable = cancellable;
    if (!td_restore_window(client, &task->target, task->window, &rows, error))
        return FALSE;
    g_async_queue_push(restoring->clients, g_steal_pointer(&client));
    return TRUE;
}

/* The slices of a table of which something is to be restored. */
static GPtrArray *slices_to_write(const TdRestorePlan *plan, const TdTablePlan *table)
{
    GPtrArray *slices = g_ptr_array_new();

    for (guint i = 0; i < plan->details->slices->len; i++) {
        TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, i);

        if (slice->table == table->index && td_restore_share(plan, table, slice) != TD_SHARE_NONE)
            g_ptr_array_add(slices, slice);
    }
    return slices;
}

static guint count_jobs(const Restoring *restoring)
{
    return MAX(restoring->plan->request->jobs, 1);
}

static gboolean push_rows(Restoring *restoring, TdTablePlan *table, TdTagSet *set, Workers *workers,
                          GError **error)
{
    const TdRestorePlan *plan = restoring->plan;
    g_autoptr(GPtrArray) slices = slices_to_write(plan, table);
    g_autoptr(GPtrArray) windows =
        td_restore_windows(plan->request->backup, set, slices, count_jobs(restoring),
                           MAX(WINDOWS_BYTES / count_jobs(restoring), WINDOW_BYTES_MIN), error);
    TdRowTarget target = {.backup = plan->request->backup,
                          .table = table->table,
                          .tags = set,
                          .written = &table->written,
                          .progress = plan->request->progress};

    if (windows == NULL)
        return FALSE;
    td_restore_range(plan, table, &target.from, &target.to);
    for (guint i = 0; i < windows->len; i++) {
        WindowTask *task = g_new0(WindowTask, 1);

        *task = (WindowTask){target, g_array_ref(g_ptr_array_index(windows, i))};
        if (!workers_push(workers, task))
            break; /* what failed is told by workers_wait() */
    }
    return TRUE;
}

static Workers *new_workers(Restoring *restoring)
{
    return workers_new(count_jobs(restoring), 64, write_window, restoring, window_task_free,
                       restoring->plan->request->cancellable);
}

static gboolean check_table(Restoring *restoring, const TdTablePlan *table, const TdTagSet *set,
                            GError **error)
{
    gboolean compared = TRUE;
    gint64 began;

    if (!td_restore_count(restoring->plan, table, set, &restoring->check, error))
        return FALSE;
    began = time_monotonic();
    if (restoring->plan->request->deep &&
        !td_restore_fingerprint(restoring->plan, table, set, &restoring->check, &compared, error))
        return FALSE;
    restoring->comparing += time_monotonic() - began;
    restoring->compared += compared;
    restoring->passed_over += !compared;
    if (!compared)
        warn(restoring,
             "%s.%s was counted, but not fingerprinted: it is not restored whole, or "
             "had rows before",
             table->database->target, table->table->name);
    return TRUE;
}

static gboolean restore_super(Restoring *restoring, TdTablePlan *table, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;
    g_autoptr(TdTagSet) own = NULL;
    g_autoptr(Workers) workers = new_workers(restoring); /* goes first: it uses the tags */
    TdTagSet *set = table->tags;
    guint64 made = 0;

    if (set == NULL) {
        own =
            td_tag_set_read(plan->request->backup, table->table, table->table->tag_objects, error);
        set = own;
    }
    if (set == NULL || !make_table(restoring, table, error) ||
        !td_restore_children_first(plan->client, table->database->target, set,
                                   plan->request->cancellable, error))
        return FALSE;
    if (!push_rows(restoring, table, set, workers, error) || !workers_wait(workers, error) ||
        !td_restore_children(plan->client, table->database->target,
                             table->database->source->precision, set, &made,
                             plan->request->cancellable, error))
        return FALSE;
    restoring->made += made;
    if (table == restoring->last && !begin_to_leave(restoring, table->database, error))
        return FALSE;
    return check_table(restoring, table, set, error);
}

/* Normal tables are small and many: their slices go to the workers all together. */
static gboolean restore_normal(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const GPtrArray *tables = restoring->plan->tables;
    g_autoptr(Workers) workers = new_workers(restoring);
    const TdTablePlan *last = restoring->last;

    for (guint i = 0; i < tables->len; i++) {
        TdTablePlan *table = g_ptr_array_index(tables, i);

        if (table->database != database || table->table->kind != TD_TABLE_NORMAL)
            continue;
        if (!make_table(restoring, table, error) ||
            !push_rows(restoring, table, NULL, workers, error))
            return FALSE;
    }
    if (!workers_wait(workers, error) || (last != NULL && last->table->kind == TD_TABLE_NORMAL &&
                                          !begin_to_leave(restoring, database, error)))
        return FALSE;
    for (guint i = 0; i < tables->len; i++) {
        TdTablePlan *table = g_ptr_array_index(tables, i);

        if (table->database == database && table->table->kind == TD_TABLE_NORMAL &&
            !check_table(restoring, table, NULL, error))
            return FALSE;
    }
    return TRUE;
}

/* Normal tables come behind all super tables; virtual ones have no rows. */
static const TdTablePlan *last_counted(const TdRestorePlan *plan, const TdDatabasePlan *database)
{
    const TdTablePlan *last = NULL;

    for (guint i = 0; i < plan->tables->len; i++) {
        const TdTablePlan *table = g_ptr_array_index(plan->tables, i);

        if (table->database == database && table->table->kind != TD_TABLE_VIRTUAL_SUPER &&
            (last == NULL || last->table->kind != TD_TABLE_NORMAL ||
             table->table->kind == TD_TABLE_NORMAL))
            last = table;
    }
    return last;
}

static gboolean restore_tables(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const GPtrArray *tables = restoring->plan->tables;

    restoring->last = last_counted(restoring->plan, database);
    for (guint i = 0; i < tables->len; i++) {
        TdTablePlan *table = g_ptr_array_index(tables, i);

        if (table->database != database || table->table->kind == TD_TABLE_NORMAL)
            continue;
        if (table->table->kind == TD_TABLE_SUPER ? !restore_super(restoring, table, error)
                                                 : !make_table(restoring, table, error))
            return FALSE;
    }
    return restore_normal(restoring, database, error);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* What the server refuses is told at the end: the rows are there by then. */
static gboolean make_objects(Restoring *restoring, const TdDatabasePlan *database, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    for (guint i = 0; i < plan->details->objects->len; i++) {
        const TdObject *object = g_ptr_array_index(plan->details->objects, i);
        g_autofree char *elsewhere = NULL, *sql = NULL;
        g_autoptr(GError) problem = NULL;

        if (!td_restore_wants_object(plan, object) ||
            (object->database != NULL && database != NULL &&
             strcmp(object->database, database->source->name) != 0) ||
            (object->database == NULL) != (database == NULL))
            continue;
        sql = td_restore_object_sql(plan, object, &elsewhere);
        if (sql == NULL || execute(restoring, &problem, sql))
            continue;
        if (!error_is(problem, ERROR_SERVER)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        restoring->unmade++;
        warn(restoring, "%s %s was not made: %s", td_object_kind_name(object->kind), object->name,
             problem->message);
    }
    return TRUE;
}

/* The rows of the following backup that were filled in are counted, and tables that were restored in
 * part are. */
static gboolean all_compared(const Restoring *restoring)
{
    return restoring->passed_over == 0 && restoring->filled == 0;
}

static void summarize(Restoring *restoring)
{
    const TdRestorePlan *plan = restoring->plan;
    json_t *databases = json_array();

    for (guint i = 0; i < plan->databases->len; i++) {
        const TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        json_array_append_new(databases,
                              json_pack("{s:o, s:o}", "database", json_text(database->source->name),
                                        "target", json_text(database->target)));
    }
    json_decref(restoring->result->summary);
    restoring->result->summary =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:O, s:O}", "databases", databases, "tables",
                  (json_int_t)plan->tables->len, "child_tables", (json_int_t)plan->child_tables,
                  "rows", (json_int_t)restoring->check.rows, "filled",
                  (json_int_t)restoring->filled, "differences", restoring->check.differences,
                  "empty", restoring->check.empty);
    json_object_set(restoring->result->summary, "checked", restoring->check.checked);
    if (plan->request->drill)
        json_object_set_new(restoring->result->summary, "check_seconds",
                            json_real((double)restoring->comparing / (double)TIME_SECOND));
    if (plan->request->deep && restoring->check.bad == 0 && restoring->compared > 0)
        json_object_set_new(restoring->result->summary, "fingerprints",
                            json_string(all_compared(restoring) ? "compared" : "compared in part"));
}

/* Differences leave the mark in the database: nobody takes it for a whole one. */
static gboolean judge(Restoring *restoring, GError **error)
{
    const TdRestoreCheck *check = &restoring->check;

    if (check->bad > 0) {
        error_set(error, ERROR_COUNT_MISMATCH, "%u %s found in what was restored: %s%s", check->bad,
                  check->bad == 1 ? "difference was" : "differences were", check->names->str,
                  check->bad > 5 ? " and more" : "");
        /* A drill throws it away. */
        if (restoring->plan->request->drill)
            return FALSE;
        error_add_hint(error, "what was restored is left as it is, with the table " TD_MARKER_TABLE
                              " in it; --tolerance allows a difference");
        return FALSE;
    }
    if (json_array_size(check->empty) > 0 && restoring->plan->request->require_rows) {
        error_set(error, ERROR_COUNT_MISMATCH, "%u restored tables have no rows, %s among them",
                  (guint)json_array_size(check->empty),
                  json_string_value(json_array_get(check->empty, 0)));
        return FALSE;
    }
    return TRUE;
}

static gboolean restore_database(Restoring *restoring, const TdDatabasePlan *database,
                                 GError **error)
{
    return enter_database(restoring, database, error) &&
           restore_tables(restoring, database, error) && judge(restoring, error) &&
           td_restore_fill(restoring->plan, database, restoring->result->warnings,
                           &restoring->check, &restoring->filled, error) &&
           judge(restoring, error) && make_objects(restoring, database, error) &&
           leave_database(restoring, database, error);
}

static gboolean restore_all(Restoring *restoring, GError **error)
{
    const TdRestorePlan *plan = restoring->plan;

    progress_begin(plan->request->progress, "restoring", 0, plan->rows);
    for (guint i = 0; i < plan->databases->len; i++)
        if (!restore_database(restoring, g_ptr_array_index(plan->databases, i), error))
            return FALSE;
    if (!make_objects(restoring, NULL, error))
        return FALSE;
    if (restoring->unmade == 0)
        return TRUE;
    error_set(error, ERROR_SERVER,
              "all rows are restored, but %u statements were refused: see the warnings",
              restoring->unmade);
    return FALSE;
}

gboolean td_restore_run(EnginePlan *made, EngineResult *ret_result, GError **error)
{
    Restoring restoring = {.plan = (TdRestorePlan *)made,
                           .result = ret_result,
                           .clients = g_async_queue_new()};
    gboolean done;

    ret_result->summary = json_object();
    ret_result->warnings = g_ptr_array_new_with_free_func(g_free);
    td_restore_check_init(&restoring.check);
    done = restore_all(&restoring, error);
    summarize(&restoring);
    g_clear_pointer(&restoring.set_back, td_set_back_free);
    drop_clients(&restoring);
    g_async_queue_unref(restoring.clients);
    td_restore_check_clear(&restoring.check);
    return done;
}
