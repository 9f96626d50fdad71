/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be recovered: physical backups and the WAL that leads on from them, over timeline
 * switches.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_WINDOW_H
#define HOLDFAST_POSTGRES_WAL_WINDOW_H

#include "postgres/wal-archive.h"
#include "postgres/wal-list.h"

typedef struct {
    GPtrArray *backups;  /* char *: the ids of the backups that lead into it, oldest first */
    guint32 timeline;    /* of the oldest one */
    PgLsn from_lsn;      /* where it stops being inconsistent */
    gint64 last;         /* when the newest of its backups ended */
    gint64 from;         /* the oldest moment: when that backup ended */
    guint32 to_timeline; /* where the WAL leads */
    PgLsn to_lsn;        /* the end of the archived WAL there */
    gint64
        to; /* the newest moment: the last commit in it; the end of the backup where there is none */
    gboolean
        broken; /* WAL of the backup itself is missing: `missing` says which; nothing can be recovered */
    WalRange missing;
} WalWindow;
void wal_window_free(WalWindow *window);

/* The windows of one cluster, oldest first; an array of WalWindow. Backups that lead to the same
 * end share one. */
gboolean wal_windows(Repository *repository, const char *source, const WalInventory *inventory,
                     GPtrArray **ret_windows, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How far the WAL leads on without a hole from a segment (which must be there: FALSE else) over
 * switches to newer timelines: the last segment, or the end of what was streamed of the next
 * one. */
gboolean wal_inventory_follow(const WalInventory *inventory, const GPtrArray *histories,
                              guint32 timeline, PgLsn from, guint32 *ret_timeline, PgLsn *ret_end);

/* The ancestors of each timeline that has a history file in the archive: an array of WalLineage. */
typedef struct {
    guint32 timeline;
    GArray *ancestors; /* WalAncestor, oldest first */
} WalLineage;
gboolean wal_lineages(Repository *repository, const char *source, const WalInventory *inventory,
                      GPtrArray **ret_lineages, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Adds the gaps where one timeline leads into another: segments that are missing before or behind
 * the switch. */
void wal_inventory_add_switches(WalInventory *inventory, const GPtrArray *lineages);

/* Time of the last commit between two places of a timeline, looked for from the end backwards; 0
 * where there is none. */
gboolean wal_last_commit(const WalArchive *archive, guint32 timeline, PgLsn from, PgLsn to,
                         gint64 *ret_when, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
