/* SPDX-License-Identifier: Apache-2.0
 *
 * What archive_command does: archives one file, or with `archive_async` everything that is ready,
 * and keeps pg_wal from filling the disk where `archive_queue_max` says so.
 *
 * The spool, <state directory>/spool/<source>/<repository>-<system identifier>/, holds a small file
 * for each WAL file that was archived ahead of the server's asking: <name>.ok tells by device,
 * inode, size and time which file it was. It promises nothing that the repository does not hold:
 * losing it costs a comparison.
 *
 * Threads: one call at a time a process; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_WAL_PUSH_H
#define HOLDFAST_POSTGRES_WAL_PUSH_H

#include <gio/gio.h>

#include "postgres/wal-place.h"

typedef enum {
    WAL_PUSH_NEW,     /* archived */
    WAL_PUSH_SAME,    /* it was there, the same */
    WAL_PUSH_SPOOLED, /* archived by an earlier call */
    WAL_PUSH_DROPPED, /* not archived: the queue is longer than it may be. A gap */
} WalPushResult;
const char *wal_push_result_text(WalPushResult result);

typedef struct {
    const Config *config;
    Repository *repository; /* NULL where it could not be opened */
    const char *source;     /* --source, or NULL */
    const char *path, *name;
    GCancellable *cancellable;
} WalPushRequest;

/* `problem` (taken) is why the repository could not be opened. */
gboolean wal_push(const WalPushRequest *request, GError *problem, WalPushResult *ret_result,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The names that wait in a pg_wal directory (archive_status/NAME.ready), in the order in which the
 * server asks for them; an array of strings. */
gboolean wal_queue_read(const char *wal_directory, GPtrArray **ret_names,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The file that lists what archive_queue_max dropped: a line a file, "2026-11-22T02:00:00Z NAME".
 * Free with g_free(). */
char *wal_dropped_path(const Config *config, const char *source);

#endif
