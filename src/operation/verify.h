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
    char *backup;           /* or NULL: of an archive */
    char *archive;          /* "wal/<source>", or NULL */
    guint64 objects, bytes; /* checked */
    gboolean structure;     /* whether the structure inside the objects was checked too */
    GPtrArray *damage;      /* VerifyDamage *; empty: good */
    GPtrArray *warnings;    /* char *: what is missing in an archive and promised by nothing */
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

/* Who is told of each archive when it was read. */
typedef struct {
    guint jobs;
    Progress *progress;
    void (*func)(const VerifyReport *report, gpointer data);
    gpointer data;
} VerifyFollow;

/* Reads what belongs to no single backup, whatever refers to it: the WAL archives of all sources.
 * Files a verify record for each. FALSE when looking itself failed. */
gboolean operation_verify_archives(OperationContext *context, const VerifyFollow *follow,
                                   GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
