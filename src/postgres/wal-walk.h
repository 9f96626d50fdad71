/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking over WAL records across segments, for what a restore has to know beforehand: commits,
 * restore points, tablespaces. Sources: PostgreSQL's access/xlog_internal.h, access/xlogrecord.h,
 * access/xact.h, commands/tablespace.h, versions 13 to 18.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_POSTGRES_WAL_WALK_H
#define HOLDFAST_POSTGRES_WAL_WALK_H

#include "postgres/wal-name.h"

typedef enum {
    WAL_OTHER,
    WAL_COMMIT,
    WAL_ABORT,
    WAL_RESTORE_POINT,
    WAL_CREATE_TABLESPACE,
} WalEvent;

typedef struct {
    WalEvent event;
    PgLsn start, end;
    guint32 xid;
    gint64 time;        /* of a commit, an abort, a restore point: microseconds */
    const char *text;   /* name of a restore point, path of a tablespace; valid during the call */
    guint32 tablespace; /* its oid */
} WalRecord;

/* FALSE ends the walk. */
typedef gboolean (*WalRecordFunc)(const WalRecord *record, gpointer data);

typedef struct WalWalk WalWalk;

WalWalk *wal_walk_new(WalRecordFunc func, gpointer data);
void wal_walk_free(WalWalk *walk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalWalk, wal_walk_free)

/* The next segment, or as much as there is of it; begins with the first record that begins in the
 * first one. What is no WAL ends the segment. FALSE when func ended the walk. */
gboolean wal_walk_feed(WalWalk *walk, const void *segment, gsize length);

typedef struct {
    PgLsn end; /* where the last whole record ends; the segment's start where there is none */
    gint64 last_commit; /* time of the last commit, 0 where there is none */
    guint64 records, commits;
} WalScan;

/* Walks over one segment alone, or as much as there is of it. Stops at the first record that is not
 * whole: there the WAL ends, or goes on in the next segment. Trusts nothing: ERROR_DAMAGED only
 * where the first page is not one of a segment. */
gboolean wal_scan(const void *bytes, gsize length, WalScan *ret_scan,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
