/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleaning up.
 */
#include "operation/cleanup.h"

#include "base/time.h"
#include "operation/job.h"
#include "repo/backup-id.h"
#include "repo/lease.h"

static gboolean sweep(OperationContext *context, gboolean dry_run, CleanupResult *ret_result,
                      GError **error)
{
    gint64 grace = operation_grace(context);
    CleanupResult result;

    if (!sweep_remains(context->repository, grace, dry_run, &result.remains, error) ||
        !pool_sweep(context->repository, grace, dry_run, &result.pool, error))
        return FALSE;
    *ret_result = result;
    return TRUE;
}

gboolean operation_cleanup(OperationContext *context, gboolean dry_run, CleanupResult *ret_result,
                           GError **error)
{
    const LeaseRequest request = {.operation = "cleanup",
                                  .exclusive = "cleanup",
                                  .runtime_directory = config_runtime_directory(context->config)};
    g_autoptr(Lease) lease = NULL;
    g_autoptr(GError) problem = NULL;
    g_autofree char *id = NULL;
    gboolean done;
    Job *job;

    if (dry_run)
        return sweep(context, TRUE, ret_result, error);
    lease = lease_acquire(context->repository, &request, error);
    if (lease == NULL)
        return FALSE;
    id = backup_id_make(time_now(), "cleanup", "full");
    job = job_begin(context, id, "cleanup", NULL);
    done = sweep(context, FALSE, ret_result, &problem);
    job_end(job, problem, NULL);
    if (!done)
        g_propagate_error(error, g_steal_pointer(&problem));
    return done;
}
