/* SPDX-License-Identifier: Apache-2.0
 *
 * The cleanup operation: removes what interrupted runs left behind, and pool objects that no backup
 * refers to. Backups are not touched.
 */
#ifndef HOLDFAST_OPERATION_CLEANUP_H
#define HOLDFAST_OPERATION_CLEANUP_H

#include "operation/context.h"
#include "pool/sweep.h"
#include "repo/sweep.h"

typedef struct {
    SweepResult remains;
    PoolSweepResult pool;
} CleanupResult;

/* Remains younger than [retention] grace are left alone. With dry_run only counts. ERROR_BUSY when
 * another cleanup runs. */
gboolean operation_cleanup(OperationContext *context, gboolean dry_run, CleanupResult *ret_result,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
