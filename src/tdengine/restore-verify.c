/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing what a restore is going to read, before it changes anything.
 */
#include "base/error.h"
#include "base/workers.h"
#include "tdengine/restore-fill.h"

#include <string.h>

/* Paths (char *), each once. */
static void add_object(GHashTable *paths, const TdObjectRef *object)
{
    if (object->sha256[0] != '\0')
        g_hash_table_add(paths, td_object_path(object));
}

static gboolean drops_database(const TdRestorePlan *plan)
{
    for (guint i = 0; i < plan->databases->len; i++) {
        const TdDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (database->drop && !database->left)
            return TRUE;
    }
    return FALSE;
}

static void add_needed(const TdRestorePlan *plan, GHashTable *paths)
{
    for (guint i = 0; i < plan->tables->len; i++) {
        const TdTablePlan *table = g_ptr_array_index(plan->tables, i);

        for (guint k = 0; k < table->table->tag_objects->len; k++)
            add_object(paths, g_ptr_array_index(table->table->tag_objects, k));
        for (guint k = 0; k < plan->details->slices->len; k++) {
            const TdSlice *slice = &g_array_index(plan->details->slices, TdSlice, k);

            if (slice->table != table->index ||
                td_restore_share(plan, table, slice) == TD_SHARE_NONE)
                continue;
            add_object(paths, &slice->data);
            if (plan->request->deep)
                add_object(paths, &slice->tables);
        }
    }
}

static void add_all(const TdRestorePlan *plan, GHashTable *paths)
{
    const Checksums *checksums = backup_checksums(plan->request->backup);

    for (guint i = 0; i < checksums_count(checksums); i++)
        g_hash_table_add(paths, g_strdup(checksums_entry(checksums, i)->path));
}

typedef struct {
    Backup *backup;
    Progress *progress;
    GMutex lock;
    GError *first;
    guint damaged;
} Verifying;

static gboolean verify_object(gpointer task, gpointer data, GCancellable *cancellable,
                              GError **error)
{
    Verifying *verifying = data;
    g_autoptr(GError) problem = NULL;
    guint64 bytes = 0;

    if (backup_check_object(verifying->backup, task, &bytes, cancellable, &problem)) {
        progress_add(verifying->progress, bytes, 0);
        return TRUE;
    }
    if (!error_is(problem, ERROR_DAMAGED) && !error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    g_mutex_lock(&verifying->lock);
    verifying->damaged++;
    if (verifying->first == NULL)
        verifying->first = g_steal_pointer(&problem);
    g_mutex_unlock(&verifying->lock);
    return TRUE;
}

static void report_damage(TdRestorePlan *plan, Verifying *verifying)
{
    GError *problem = NULL;
    g_autofree char *text = error_text(verifying->first);

    error_set(&problem, ERROR_DAMAGED, "%u of the objects that are needed are damaged: %s",
              verifying->damaged, text);
    error_add_hint(&problem, "nothing was changed; restore another backup, or with --tables what "
                             "is whole");
    engine_plan_problem(&plan->base, problem);
}

static gboolean verify_set(TdRestorePlan *plan, Backup *backup, GHashTable *paths, GError **error)
{
    const EngineRestore *request = plan->request;
    Verifying verifying = {.backup = backup, .progress = request->progress};
    g_autoptr(Workers) workers = workers_new(MAX(request->jobs, 1), 0, verify_object, &verifying,
                                             NULL, request->cancellable);
    GHashTableIter iter;
    gpointer path;
    gboolean done;

    g_mutex_init(&verifying.lock);
    g_hash_table_iter_init(&iter, paths);
    while (g_hash_table_iter_next(&iter, &path, NULL) && workers_push(workers, path))
        ;
    done = workers_wait(workers, error);
    if (done && verifying.damaged > 0)
        report_damage(plan, &verifying);
    g_clear_error(&verifying.first);
    g_mutex_clear(&verifying.lock);
    return done;
}

/* Of the following backup: what is filled in. */
static void add_filled(const TdRestorePlan *plan, GHashTable *paths)
{
    for (guint i = 0; i < plan->following->slices->len; i++) {
        const TdSlice *slice = &g_array_index(plan->following->slices, TdSlice, i);
        const TdTable *table = g_ptr_array_index(plan->following->tables, slice->table);

        if (!td_restore_fills(plan, slice))
            continue;
        add_object(paths, &slice->data);
        for (guint k = 0; k < table->tag_objects->len; k++)
            add_object(paths, g_ptr_array_index(table->tag_objects, k));
    }
}

gboolean td_restore_verify(TdRestorePlan *plan, GError **error)
{
    g_autoptr(GHashTable) paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) filled = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    add_needed(plan, paths);
    if (drops_database(plan))
        add_all(plan, paths);
    progress_begin(plan->request->progress, "verifying", 0, 0);
    if (!verify_set(plan, plan->request->backup, paths, error))
        return FALSE;
    if (plan->following == NULL)
        return TRUE;
    add_filled(plan, filled);
    return verify_set(plan, plan->request->following, filled, error);
}
