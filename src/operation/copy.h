/* SPDX-License-Identifier: Apache-2.0
 *
 * The copy operation: backups, and with all of them the archives of logs, into a second repository
 * that was initialised before.
 */
#ifndef HOLDFAST_OPERATION_COPY_H
#define HOLDFAST_OPERATION_COPY_H

#include "base/progress.h"
#include "operation/context.h"

typedef enum {
    COPY_DONE,    /* committed in the target now */
    COPY_PRESENT, /* it was there already */
    COPY_DAMAGED, /* objects are damaged or missing: the backup is not committed in the target, unless
                   * `committed` says that it was before */
} CopyState;
const char *copy_state_name(CopyState state); /* "copied", "present", "damaged" */

typedef struct {
    char *backup;  /* or NULL: of an archive */
    char *archive; /* "wal/<source>", or NULL */
    CopyState state;
    guint64 objects, bytes; /* that were written; stored bytes */
    guint64 present;        /* objects that were there and were found to be the same */
    gboolean committed;     /* it was there before this run: by presence and size only */
    GPtrArray *damage;      /* char *: "<object>: <what is wrong>", sorted */
} CopyItem;

typedef struct {
    Repository *target;
    const char *backup_id; /* or NULL: all backups and the archives */
    const char *source;    /* of them only those of this source; NULL: of all */
    guint jobs;            /* objects at the same time */
    void (*func)(const CopyItem *item, gpointer data); /* told of each when it is done */
    gpointer data;
} CopyRequest;

/* Ids are kept. Objects that are in the target already are read and hashed before they count, so
 * that an interrupted copy goes on when it is run again. FALSE when copying itself failed (full
 * disk, unreachable repository, unknown backup, cancelled): what was committed until then stays.
 * ERROR_USAGE when both are the same repository; ERROR_BUSY when somebody else copies the same backup
 * there. */
gboolean operation_copy(OperationContext *context, const CopyRequest *request, Progress *progress,
                        GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
