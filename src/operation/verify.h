/* SPDX-License-Identifier: Apache-2.0
 *
 * The verify operation: presence, size and SHA-256 of every object of a backup, then the structure
 * of each by its engine.
 */
#ifndef HOLDFAST_OPERATION_VERIFY_H
#define HOLDFAST_OPERATION_VERIFY_H

#include "base/progress.h"
#include "operation/context.h"

typedef struct {
    char *object; /* path within the backup */
    char *problem;
    char *recorded; /* the same for the record, which may be kept in the clear */
} VerifyDamage;

typedef struct {
    char *backup;
    guint64 objects, bytes; /* checked */
    gboolean structure;     /* whether the structure inside the objects was checked too */
    GPtrArray *damage;      /* VerifyDamage *; empty: good */
    gint64 elapsed;         /* microseconds */
} VerifyReport;
void verify_report_free(VerifyReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VerifyReport, verify_report_free)

/* Checks one backup, with `jobs` workers, and files a verify record. TRUE when all could be looked
 * at, damaged or not: see the report. FALSE when looking itself failed (unknown backup, repository
 * gone, cancelled). */
gboolean operation_verify(OperationContext *context, const char *backup_id, guint jobs,
                          Progress *progress, GCancellable *cancellable, VerifyReport **ret_report,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
