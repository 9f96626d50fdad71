/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleaning up.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "operation/cleanup-private.h"
#include "operation/job.h"
#include "repo/backup-id.h"
#include "repo/deletion.h"

#define ANNOUNCED 16 /* deletions at a time: see repo/deletion.h */

static gboolean sweep(OperationContext *context, gboolean dry_run, CleanupResult *result,
                      GError **error)
{
    gint64 grace = operation_grace(context);

    return sweep_remains(context->repository, grace, dry_run, &result->remains, error) &&
           pool_sweep(context->repository, grace, dry_run, &result->pool, error);
}

static gboolean has_logs(const CleanupResult *result)
{
    for (guint i = 0; i < result->logs->len; i++) {
        if (((const CleanupLogs *)g_ptr_array_index(result->logs, i))->files > 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean make_plan(OperationContext *context, const CleanupRequest *request,
                          CleanupPlanFunc announce, gpointer data, CleanupResult *result,
                          GError **error)
{
    if (!cleanup_plan(context, request, result, error) ||
        !cleanup_logs(context, request, TRUE, result, error))
        return FALSE;
    if (announce != NULL)
        announce(result, data);
    return TRUE;
}

/* --- deleting --------------------------------------------------------------------------------- */

/* Leases are looked at before each deletion: some may take long. */
static gboolean delete_item(OperationContext *context, CleanupItem *item, const char *plan,
                            guint *deleted, GError **error)
{
    g_autoptr(GPtrArray) leases = NULL;
    g_autoptr(GError) problem = NULL;
    const LeaseView *user;

    if (!lease_list(context->repository, &leases, error))
        return FALSE;
    user = cleanup_user(leases, item->id);
    if (user != NULL) {
        item->spared = g_strdup_printf("in use by %s on %s", user->operation, user->host);
        return TRUE;
    }
    if (!backup_delete(context->repository, item->id, &problem)) {
        /* Somebody else has deleted it. */
        if (error_is(problem, ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    (*deleted)++;
    cleanup_record_deletion(context, item, plan);
    return TRUE;
}

/* A pin that came since the plan was made counts. */
static gboolean spare_pinned(OperationContext *context, CleanupResult *result, GError **error)
{
    const CatalogFilter filter = {.status = "pinned"};
    g_autoptr(GPtrArray) pinned = NULL;

    if (!catalog_refresh(context->catalog, error) ||
        !catalog_backups(context->catalog, &filter, &pinned, error))
        return FALSE;
    for (guint i = 0; i < pinned->len; i++) {
        const CatalogBackup *backup = g_ptr_array_index(pinned, i);

        for (guint j = 0; j < result->items->len; j++) {
            CleanupItem *item = g_ptr_array_index(result->items, j);

            if (!item->keep && strcmp(item->id, backup->id) == 0)
                item->spared = g_strdup("pinned");
        }
    }
    return TRUE;
}

/* So many of the items from *index on as are announced together; *index moves on. */
static GPtrArray *take_some(const CleanupResult *result, guint *index)
{
    GPtrArray *some = g_ptr_array_new();

    for (; *index < result->items->len && some->len < ANNOUNCED; (*index)++) {
        CleanupItem *item = g_ptr_array_index(result->items, *index);

        if (!item->keep && item->spared == NULL)
            g_ptr_array_add(some, item);
    }
    return some;
}

static gboolean delete_some(OperationContext *context, const GPtrArray *some, const char *plan,
                            GCancellable *cancellable, guint *deleted, GError **error)
{
    const char *ids[ANNOUNCED + 1] = {NULL};
    g_autoptr(Lease) announced = NULL;

    for (guint i = 0; i < some->len; i++)
        ids[i] = ((const CleanupItem *)some->pdata[i])->id;
    announced =
        deletion_announce(context->repository, ids, config_runtime_directory(context->config));
    for (guint i = 0; i < some->len; i++) {
        if (!error_unless_cancelled(cancellable, error))
            return FALSE;
        if (!delete_item(context, some->pdata[i], plan, deleted, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean delete_all(OperationContext *context, const char *plan, GCancellable *cancellable,
                           CleanupResult *result, GError **error)
{
    guint index = 0;

    if (!spare_pinned(context, result, error))
        return FALSE;
    while (index < result->items->len) {
        g_autoptr(GPtrArray) some = take_some(result, &index);

        if (some->len > 0 &&
            !delete_some(context, some, plan, cancellable, &result->deleted, error))
            return FALSE;
    }
    return TRUE;
}

/* --- all -------------------------------------------------------------------------------------- */

static gboolean carry_out(OperationContext *context, const CleanupRequest *request,
                          GCancellable *cancellable, CleanupResult *result, GError **error)
{
    g_autofree char *plan = NULL;
    g_autoptr(GError) problem = NULL;
    gboolean planned = result->deletions > 0 || has_logs(result);
    gboolean done =
        (!planned || cleanup_record_plan(context, result, &plan, &problem)) &&
        (result->deletions == 0 || delete_all(context, plan, cancellable, result, &problem)) &&
        (!planned || cleanup_logs(context, request, FALSE, result, &problem)) &&
        sweep(context, FALSE, result, &problem);

    if (planned || result->remains.backups > 0 || result->pool.deleted > 0)
        cleanup_record_end(context, result, plan, problem);
    if (!done) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return catalog_refresh(context->catalog, error);
}

gboolean operation_cleanup(OperationContext *context, const CleanupRequest *request,
                           CleanupPlanFunc announce, gpointer data, GCancellable *cancellable,
                           CleanupResult *ret_result, GError **error)
{
    const LeaseRequest wanted = {.operation = "cleanup",
                                 .exclusive = "cleanup",
                                 .runtime_directory = config_runtime_directory(context->config)};
    g_autoptr(Lease) lease = NULL;
    g_autoptr(GError) problem = NULL;
    g_autofree char *id = NULL;
    gboolean done;
    Job *job;

    memset(ret_result, 0, sizeof(*ret_result));
    if (request->dry_run)
        return make_plan(context, request, announce, data, ret_result, error) &&
               sweep(context, TRUE, ret_result, error);
    lease = lease_acquire(context->repository, &wanted, error);
    if (lease == NULL)
        return FALSE;
    id = backup_id_make(time_now(), "cleanup", "full");
    job = job_begin(context, id, "cleanup", NULL);
    done = make_plan(context, request, announce, data, ret_result, &problem) &&
           carry_out(context, request, cancellable, ret_result, &problem);
    job_end(job, problem, NULL);
    if (!done)
        g_propagate_error(error, g_steal_pointer(&problem));
    return done;
}
