/* SPDX-License-Identifier: Apache-2.0
 *
 * The backup operation: one source, one backup. Takes the lease (one backup at a time per source and type), lets the engine
 * write, commits, enters the job.
 */
#ifndef HOLDFAST_OPERATION_BACKUP_H
#define HOLDFAST_OPERATION_BACKUP_H

#include "base/progress.h"
#include "operation/context.h"

typedef struct {
    const char *engine; /* "postgresql" */
    const char *source; /* NULL: the only one that fits */
    BackupType type;
    const char *method;           /* NULL: the source's */
    const char *const *databases; /* NULL: the source's; others make a partial backup */
    const char *compression;      /* NULL: the repository's */
    guint jobs;                   /* 0: the source's */
} BackupRequest;

/* On success *ret_manifest is the committed backup's manifest. */
gboolean operation_backup(OperationContext *context, const BackupRequest *request,
                          Progress *progress, GCancellable *cancellable, Manifest **ret_manifest,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
