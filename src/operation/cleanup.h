/* SPDX-License-Identifier: Apache-2.0
 *
 * The cleanup operation: deletes the backups that no retention rule keeps, the archived logs that
 * no kept backup needs, what interrupted runs left behind, and pool objects that no backup refers
 * to. Safe beside running backups, restores and verifies of any host, and at any point where it is
 * killed: a backup's commit object goes first, and what is left of it then is for the next cleanup.
 */
#ifndef HOLDFAST_OPERATION_CLEANUP_H
#define HOLDFAST_OPERATION_CLEANUP_H

#include "operation/context.h"
#include "pool/sweep.h"
#include "repo/sweep.h"

typedef struct {
    const char *const *sources; /* NULL: all of the configuration */
    const char *const
        *unreadable; /* ids of backups, and of pins, that may be unreadable, or NULL */
    gboolean dry_run;
    gboolean yes; /* even where more than half of all backups would go */
} CleanupRequest;

/* One backup, and what becomes of it. */
typedef struct {
    char *id, *source;
    char *reason;
    gint64 start;
    guint64 bytes;  /* that it needs, those that it shares included */
    gboolean keep;  /* by the plan */
    gboolean logs;  /* all logs behind its start are needed */
    gboolean known; /* its manifest could be read */
    char *spared;   /* why it was not deleted in spite of the plan, or NULL */
} CleanupItem;

/* Archived logs of one source. */
typedef struct {
    char *source;
    guint64 files, bytes; /* removed, or to be removed */
    GPtrArray *ranges;    /* char * */
} CleanupLogs;

typedef struct {
    GPtrArray *items;     /* CleanupItem, oldest first */
    guint deletions;      /* how many are to go */
    guint64 folder_bytes; /* that go with the backups at once */
    guint64 pool_bytes;   /* of pool objects that nobody refers to then; the sweep's business */
    GPtrArray *notes;     /* char *: what a user should know about the plan */
    GPtrArray *logs;      /* CleanupLogs */
    SweepResult remains;  /* filled in by the run */
    PoolSweepResult pool; /* likewise */
    guint deleted;        /* likewise */
} CleanupResult;
void cleanup_result_clear(CleanupResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CleanupResult, cleanup_result_clear)

/* Told when the plan stands and nothing has been done yet: all but what the run fills in. */
typedef void (*CleanupPlanFunc)(const CleanupResult *plan, gpointer data);

/* Whether this may stand in `unreadable` though it is in no list: the id of a record, or of a folder
 * without SHA256SUMS. */
gboolean cleanup_may_name(Repository *repository, const char *id);

/* With dry_run everything is looked at and nothing changed; the result says what would be.
 * ERROR_REFUSED: a manifest or a pin cannot be read, or a backup has lost its SHA256SUMS, and that
 * backup or pin is not named in `unreadable` (what is left of the last goes then); the clock
 * is before the newest backup; more than half of all backups would go without `yes`. ERROR_BUSY
 * when another cleanup runs. On an error behind the plan *ret_result tells what was done; it is
 * cleared by the caller in any case. */
gboolean operation_cleanup(OperationContext *context, const CleanupRequest *request,
                           CleanupPlanFunc announce, gpointer data, GCancellable *cancellable,
                           CleanupResult *ret_result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
