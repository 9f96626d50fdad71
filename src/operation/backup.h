/* SPDX-License-Identifier: Apache-2.0
 *
 * The backup operation: one source, one backup. Takes the lease (one backup at a time per source
 * and type), lets the engine write, commits, enters the job.
 *
 * An incremental's base is the newest backup of the source, made by the same method, that is
 * complete and that the engine accepts; where there is none a full is made, and a warning in its
 * manifest says why.
 */
#ifndef HOLDFAST_OPERATION_BACKUP_H
#define HOLDFAST_OPERATION_BACKUP_H

#include "base/progress.h"
#include "operation/context.h"
#include "repo/lease.h"

typedef struct {
    const char *engine; /* "postgresql", "tdengine" */
    const char *source; /* NULL: the only one that fits */
    BackupType type;
    const char *method;           /* NULL: the source's */
    const char *const *databases; /* NULL: the source's; others make a partial backup */
    const char *const *tables;    /* TDengine: patterns; NULL: all. They make a partial backup */
    gint64 time_from, time_to;    /* TDengine: rows of from <= event time < to, microseconds, with
                                     G_MININT64 and G_MAXINT64 as open sides; equal: all */
    const char *compression;      /* NULL: the repository's */
    guint jobs;                   /* 0: the source's */
    const char *access;           /* PostgreSQL, physical: "local", "stream"; NULL: the source's */
    gboolean checksum;            /* an incremental reads every file */
    guint64 rate;                 /* bytes a second, 0: the source's */
    gboolean nice;                /* give way to other processes */
    const char *since;            /* the base of an incremental; NULL: the newest that fits */
    const char *mode;             /* TDengine: "auto", "quick", "scan"; NULL: the source's */
} BackupRequest;

/* On success *ret_manifest is the committed backup's manifest, and *ret_hold what keeps it from being
 * deleted until the caller has verified it, see operation_verify_hold(). */
gboolean operation_backup(OperationContext *context, const BackupRequest *request,
                          Progress *progress, GCancellable *cancellable, Manifest **ret_manifest,
                          Lease **ret_hold, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
