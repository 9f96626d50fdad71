/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling a new database. Big tables come first, biggest first; the indexes of each follow at once,
 * while its pages are still in memory and other tables load.
 */
#include "postgres/restore-load.h"

#include "base/file.h"
#include "base/workers.h"
#include "postgres/count.h"
#include "postgres/load-table.h"
#include "postgres/restore-compare.h"
#include "postgres/restore-indexes.h"
#include "postgres/restore-objects.h"

#define NOT_COUNTED G_MAXUINT64

typedef struct {
    const PgRestorePlan *plan;
    const PgDatabasePlan *database;
    const char *name; /* of the new database */
    const PgLoad *load;
    guint64 *rows; /* of database->tables, or NOT_COUNTED */
    int schema;    /* the schema archive, open */
    PgIndexPlan *indexes;
    Workers *workers;
} Loading;

/* Either an archive or an index. */
typedef struct {
    const PgArchive *archive;
    const char *index; /* a list; belongs to the index plan */
} Task;

static Task *task_new(const PgArchive *archive, const char *index)
{
    Task *task = g_new0(Task, 1);

    task->archive = archive;
    task->index = index;
    return task;
}

/* --- indexes ---------------------------------------------------------------------------------- */

/* The whole list: reading the table of contents may fail, but then so does everything. */
static gboolean plan_indexes(Loading *loading, const char *list, GError **error)
{
    const EngineRestore *request = loading->plan->request;
    g_autoptr(PgToc) toc = pg_load_toc(loading->load, loading->database->source->schema_archive,
                                       request->cancellable, error);

    if (toc == NULL)
        return FALSE;
    loading->indexes = pg_index_plan_new(toc, list, loading->database->tables);
    return TRUE;
}

static gboolean build(const Loading *loading, const char *list, GCancellable *cancellable,
                      GError **error)
{
    return pg_load_file(loading->load, loading->schema, "post-data", 1, list, cancellable, error);
}

/* What locks the table comes first and by itself; its other indexes may be built side by side. */
static gboolean build_indexes(const Loading *loading, const PgTable *table,
                              GCancellable *cancellable, GError **error)
{
    const PgTableIndexes *indexes = pg_index_plan_find(loading->indexes, table);

    if (indexes == NULL)
        return TRUE;
    if (indexes->constraints != NULL && !build(loading, indexes->constraints, cancellable, error))
        return FALSE;
    for (guint i = 0; i < indexes->indexes->len; i++)
        if (!workers_push_first(loading->workers,
                                task_new(NULL, g_ptr_array_index(indexes->indexes, i))))
            break; /* the reason is told where the workers are waited for */
    return TRUE;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* The place of the table that this archive alone holds; G_MAXUINT: there is none. */
static guint find_table(const GPtrArray *tables, const PgArchive *archive)
{
    for (guint i = 0; i < tables->len; i++)
        if (g_strcmp0(((const PgTable *)g_ptr_array_index(tables, i))->archive, archive->path) == 0)
            return i;
    return G_MAXUINT;
}

/* pg_restore reads no further than it has to: what it is fed with is proved before. */
static gboolean load_by_program(const Loading *loading, const char *path, GCancellable *cancellable,
                                GError **error)
{
    return backup_check_object(loading->plan->request->backup, path, NULL, cancellable, error) &&
           pg_load_archive(loading->load, path, "data", -1, cancellable, error);
}

/* Counted at once, while others still load: before there are indexes or policies. */
static gboolean copy_table(const Loading *loading, const PgArchive *archive, guint place,
                           GCancellable *cancellable, GError **error)
{
    const EngineRestore *request = loading->plan->request;
    const PgTable *table = g_ptr_array_index(loading->database->tables, place);
    g_autoptr(PgConnection) connection =
        pg_connect(request->target->conninfo, loading->name, cancellable, error);
    GError *failure = NULL;
    gboolean loaded;

    if (connection == NULL)
        return FALSE;
    if (!pg_load_table(request->backup, archive->path, connection, request->progress, &loaded,
                       cancellable, &failure))
        return pg_restore_blame_object(request, archive->path, failure, cancellable, error);
    return loaded ? pg_count_table(connection, table, &loading->rows[place], error)
                  : load_by_program(loading, archive->path, cancellable, error);
}

static gboolean load_archive(const Loading *loading, const PgArchive *archive,
                             GCancellable *cancellable, GError **error)
{
    guint place = find_table(loading->database->tables, archive);
    FILE_AUTO_FD list = -1;

    if (place != G_MAXUINT)
        return copy_table(loading, archive, place, cancellable, error) &&
               build_indexes(loading, g_ptr_array_index(loading->database->tables, place),
                             cancellable, error);
    if (archive->list != NULL &&
        !pg_load_list_file(archive->list, loading->plan->request->scratch_directory, &list, error))
        return FALSE;
    return pg_load_archive(loading->load, archive->path, "data", list, cancellable, error);
}

static gboolean run_task(gpointer data, gpointer shared, GCancellable *cancellable, GError **error)
{
    const Task *task = data;
    const Loading *loading = shared;

    return task->archive != NULL ? load_archive(loading, task->archive, cancellable, error)
                                 : build(loading, task->index, cancellable, error);
}

static gboolean load_data(Loading *loading, GError **error)
{
    const EngineRestore *request = loading->plan->request;
    const GPtrArray *archives = loading->database->archives;
    g_autoptr(Workers) workers =
        workers_new(MAX(request->jobs, 1), 0, run_task, loading, g_free, request->cancellable);

    loading->workers = workers;
    progress_begin(request->progress, "loading rows", loading->database->bytes, 0);
    for (guint i = 0; i < archives->len; i++)
        if (!workers_push(workers, task_new(g_ptr_array_index(archives, i), NULL)))
            break;
    return workers_wait(workers, error);
}

/* --- counts ----------------------------------------------------------------------------------- */

/* Counts what was not counted while it was loaded. */
static gboolean count_rest(const Loading *loading, GError **error)
{
    const EngineRestore *request = loading->plan->request;
    const GPtrArray *tables = loading->database->tables;
    g_autoptr(GPtrArray) rest = g_ptr_array_new();
    g_autofree guint64 *counts = g_new0(guint64, MAX(tables->len, 1));
    guint64 expected = 0;
    PgCountRequest count = {.conninfo = request->target->conninfo,
                            .database = loading->name,
                            .connections = request->jobs,
                            .progress = request->progress,
                            .cancellable = request->cancellable};

    for (guint i = 0; i < tables->len; i++) {
        PgTable *table = g_ptr_array_index(tables, i);

        if (loading->rows[i] == NOT_COUNTED) {
            g_ptr_array_add(rest, table);
            expected += table->rows;
        }
    }
    progress_begin(request->progress, "counting rows", 0, expected);
    if (!pg_count_tables(&count, rest, counts, error))
        return FALSE;
    for (guint i = 0, next = 0; i < tables->len; i++)
        if (loading->rows[i] == NOT_COUNTED)
            loading->rows[i] = counts[next++];
    return TRUE;
}

/* Rows are counted before row security is switched on: no policy can stand in the way then. */
static gboolean load_rows(Loading *loading, EngineResult *result, GError **error)
{
    guint tables = loading->database->tables->len;
    g_autofree guint64 *rows = g_new(guint64, MAX(tables, 1));

    for (guint i = 0; i < tables; i++)
        rows[i] = NOT_COUNTED;
    loading->rows = rows;
    return load_data(loading, error) && count_rest(loading, error) &&
           pg_restore_compare(loading->plan, loading->database, rows, result, error);
}

/* --- the whole -------------------------------------------------------------------------------- */

gboolean pg_restore_load_sections(const PgRestorePlan *plan, const PgDatabasePlan *database,
                                  const char *name, const PgLoad *load, EngineResult *result,
                                  GError **error)
{
    const EngineRestore *request = plan->request;
    const char *list = database->selection != NULL ? database->selection->schema_list : NULL;
    Loading loading = {plan, database, name, load, NULL, -1, NULL, NULL};
    g_autoptr(PgIndexPlan) indexes = NULL;
    FILE_AUTO_FD schema = -1;

    progress_begin(request->progress, "creating tables", 0, 0);
    if (!pg_load_copy(request->backup, database->source->schema_archive, request->scratch_directory,
                      &schema, request->cancellable, error) ||
        !pg_load_file(load, schema, "pre-data", 1, list, request->cancellable, error) ||
        !plan_indexes(&loading, list, error))
        return FALSE;
    indexes = loading.indexes;
    loading.schema = schema;
    if (!load_rows(&loading, result, error))
        return FALSE;
    progress_begin(request->progress, "building indexes", 0, 0);
    return pg_load_file(load, schema, "post-data", request->jobs,
                        indexes->rest != NULL ? indexes->rest : list, request->cancellable, error);
}
