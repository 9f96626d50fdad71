/* SPDX-License-Identifier: Apache-2.0
 *
 * Which objects a restore reads, and whether they are whole.
 */
#include "postgres/restore-objects.h"

#include "base/error.h"
#include "base/workers.h"

typedef struct {
    Backup *backup;
    Progress *progress;
} Checking;

static void add_hint(const Backup *backup, GError **error)
{
    error_add_hint(error,
                   "holdfast verify %s tells all that is damaged; take another backup, or choose "
                   "what is still whole with --databases or --tables",
                   backup_id(backup));
}

static gboolean check_object(gpointer task, gpointer data, GCancellable *cancellable,
                             GError **error)
{
    Checking *checking = data;
    guint64 bytes = 0;

    if (!backup_check_object(checking->backup, task, &bytes, cancellable, error)) {
        add_hint(checking->backup, error);
        return FALSE;
    }
    progress_add(checking->progress, bytes, 0);
    return TRUE;
}

static GPtrArray *every_object(Backup *backup)
{
    const Manifest *manifest = backup_manifest(backup);
    GPtrArray *paths = g_ptr_array_new();

    for (guint i = 0; i < manifest_object_count(manifest); i++)
        g_ptr_array_add(paths, manifest_object(manifest, i)->path);
    return paths;
}

static GPtrArray *needed_objects(const PgRestorePlan *plan)
{
    GPtrArray *paths = g_ptr_array_new();

    if (plan->request->globals && plan->details->globals != NULL)
        g_ptr_array_add(paths, plan->details->globals);
    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        g_ptr_array_add(paths, database->source->schema_archive);
        for (guint k = 0; k < database->archives->len; k++)
            g_ptr_array_add(paths,
                            (char *)((PgArchive *)g_ptr_array_index(database->archives, k))->path);
    }
    return paths;
}

static guint64 stored_size(const PgRestorePlan *plan, const char *path)
{
    const ManifestObject *object =
        manifest_find_object(backup_manifest(plan->request->backup), path);

    return object != NULL ? object->size : 0;
}

/* A table's own archive, on its way into a new database, is read to its end and proved whole there,
 * and nothing is put in place when it is not: reading all of it twice would bring nothing. */
static GHashTable *proved_by_loading(const PgRestorePlan *plan)
{
    GHashTable *paths = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < plan->databases->len && !plan->request->dry_run; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        for (guint k = 0; k < database->tables->len && !database->merge; k++) {
            const PgTable *table = g_ptr_array_index(database->tables, k);

            if (table->archive != NULL)
                g_hash_table_add(paths, table->archive);
        }
    }
    return paths;
}

gboolean pg_restore_check_objects(const PgRestorePlan *plan, GError **error)
{
    const EngineRestore *request = plan->request;
    gboolean whole = request->tables == NULL && request->databases == NULL;
    Checking checking = {request->backup, request->progress};
    g_autoptr(GPtrArray) paths = whole ? every_object(request->backup) : needed_objects(plan);
    g_autoptr(GHashTable) later = proved_by_loading(plan);
    g_autoptr(Workers) workers = NULL;
    guint64 bytes = 0;

    for (guint i = paths->len; i > 0; i--) {
        const char *path = g_ptr_array_index(paths, i - 1);

        if (!g_hash_table_contains(later, path)) {
            bytes += stored_size(plan, path);
            continue;
        }
        if (!backup_check_presence(request->backup, path, error)) {
            add_hint(request->backup, error);
            return FALSE;
        }
        g_ptr_array_remove_index_fast(paths, i - 1);
    }
    progress_begin(request->progress, "checking the backup", bytes, 0);
    workers =
        workers_new(MAX(request->jobs, 1), 0, check_object, &checking, NULL, request->cancellable);
    for (guint i = 0; i < paths->len; i++)
        if (!workers_push(workers, g_ptr_array_index(paths, i)))
            break;
    return workers_wait(workers, error);
}

gboolean pg_restore_blame_object(const EngineRestore *request, const char *path, GError *failure,
                                 GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) damage = NULL;

    if (!error_is(failure, ERROR_DAMAGED) && !error_is(failure, ERROR_CANCELLED) &&
        !backup_check_object(request->backup, path, NULL, cancellable, &damage) &&
        error_is(damage, ERROR_DAMAGED)) {
        g_error_free(failure);
        failure = g_steal_pointer(&damage);
    }
    g_propagate_error(error, failure);
    if (error != NULL && error_is(*error, ERROR_DAMAGED))
        add_hint(request->backup, error);
    return FALSE;
}
