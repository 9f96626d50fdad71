/* SPDX-License-Identifier: Apache-2.0
 *
 * The restore operation: plans, checks the objects it is going to read, restores, files the audit
 * record.
 */
#ifndef HOLDFAST_OPERATION_RESTORE_H
#define HOLDFAST_OPERATION_RESTORE_H

#include "engine/engine.h"
#include "operation/context.h"

typedef struct {
    const char *engine;
    const char *backup_id; /* NULL: the newest that can reach the target */
    const char *source;    /* whose backups, where none is named; NULL: the only one that fits */
    EngineTarget recovery;
    EnginePlace place; /* but for wal_get */
    const char *
        to_source; /* NULL: the backup's own source; libpq's environment where no configuration has it */
    const char *const *databases;
    const char *to_database;
    const char *const *tables;
    gint64 time_from, time_to; /* TDengine: --start and --end in microseconds; both 0: all */
    gboolean merge, deep;      /* TDengine */
    gboolean fill;             /* TDengine, to a point in time: rows of the next backup besides */
    gint64 fill_until;         /* G_MININT64: the target */
    gboolean drill;            /* to a scratch place of the engine's choice, see drill.h */
    gboolean replace, globals, no_owner, require_rows, dry_run;
    double tolerance; /* negative: the source's */
    guint jobs;       /* 0: the source's */
} RestoreRequest;

typedef struct {
    GPtrArray *steps, *problems, *warnings; /* char * */
    json_t *summary;                        /* the plan's; after a restore the result's */
    char *backup;                           /* its id */
    gint64 elapsed;                         /* microseconds */
    char *record; /* id of the audit record, NULL where none could be written */
} RestoreReport;

void restore_report_clear(RestoreReport *report);

/* With dry_run everything is looked at and nothing changed; a plan with problems is an error as
 * well, with the report filled in. Every call that was understood leaves an audit record; where the
 * repository cannot be written that is a warning. Damaged objects are found before anything is
 * changed: ERROR_DAMAGED. */
gboolean operation_restore(OperationContext *context, const RestoreRequest *request,
                           Progress *progress, GCancellable *cancellable, RestoreReport *ret_report,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
