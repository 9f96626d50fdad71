/* SPDX-License-Identifier: Apache-2.0
 *
 * The drill operation: a backup is restored to a scratch place, looked at, timed and thrown away.
 * Its record has the time that a recovery takes, which `objectives` shows.
 */
#ifndef HOLDFAST_OPERATION_DRILL_H
#define HOLDFAST_OPERATION_DRILL_H

#include "operation/restore.h"

typedef struct {
    const char *source;
    const char *backup_id; /* NULL: the newest that reaches the target, or the newest good one */
    const EngineTarget *recovery; /* NULL: the backup's own state where one is named, else all that
                                     the logs lead to */
    guint jobs;                   /* 0: the source's */
} DrillRequest;

/* *ret_report is filled in whatever happens: its `elapsed` holds the checks as well, its summary
 * says "check_seconds". Every drill that was begun leaves a record. */
gboolean operation_drill(OperationContext *context, const DrillRequest *request, Progress *progress,
                         GCancellable *cancellable, RestoreReport *ret_report,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
