/* SPDX-License-Identifier: Apache-2.0
 *
 * From a backup to a moment: which timelines a recovery goes along, how far the archived WAL
 * reaches without a gap, whether the target lies there, and what the WAL up to it holds that a
 * restore has to know.
 */
#ifndef HOLDFAST_POSTGRES_PITR_TARGET_H
#define HOLDFAST_POSTGRES_PITR_TARGET_H

#include "engine/engine.h"
#include "postgres/physical.h"
#include "postgres/wal-archive.h"
#include "postgres/wal-list.h"

/* A timeline's part of the way. */
typedef struct {
    guint32 timeline;
    PgLsn begin, end; /* end: where it is left; G_MAXUINT64 for the last one */
} PgLeg;

/* The way of a recovery from a backup on. */
typedef struct {
    guint32 timeline; /* that it ends on */
    GArray *legs;     /* PgLeg, from the backup's timeline on */
    guint32 segment_size;
    guint64 first; /* number of the first segment */
    GArray *
        segments; /* guint32: the timeline of each segment from `first` on that is there, without a gap */
    PgLsn reach;  /* where they end */
    gboolean gap; /* there is more behind missing segments: */
    WalRange missing;
    GPtrArray *histories; /* char *: history files of the archive */
} PgRoute;
void pg_route_free(PgRoute *route);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgRoute, pg_route_free)

/* What the archive holds of the backup's system, and what lies there of use to a recovery. The
 * backup's `physical` may be a head. */
gboolean pg_route_find(const WalArchive *archive, const WalInventory *inventory,
                       const PgPhysical *physical, const char *timeline, PgRoute **ret_route,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The name of the route's segment number `first` + index. Free with g_free(). */
char *pg_route_segment(const PgRoute *route, guint index);

typedef struct {
    guint32 oid;
    char *location;
} PgCreatedTablespace;

typedef struct {
    gboolean before; /* the target lies before the backup's end; what was read is the WAL's end */
    gboolean found;  /* the target is in this WAL */
    PgLsn lsn;       /* where: */
    gint64 time;     /* of the target's record; 0 where it has none */
    gboolean
        latest; /* it is not, but what is there is the target's state: recovery stops at the last record */
    PgLsn last_record;      /* start of the last record that was looked at; 0: none */
    PgLsn last_end;         /* its end */
    gint64 last_commit;     /* of the last commit; 0: none */
    guint segments;         /* that were read, from the route's first on */
    GPtrArray *tablespaces; /* PgCreatedTablespace: what the WAL up to there creates */
} PgTargetScan;
void pg_target_scan_free(PgTargetScan *scan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgTargetScan, pg_target_scan_free)

/* Reads the route's WAL until the target or the end: where `whole`, from its start on; else no more
 * than tells whether the target is there. */
gboolean pg_target_find(const WalArchive *archive, const PgRoute *route, const PgPhysical *physical,
                        const EngineTarget *target, gboolean whole, Progress *progress,
                        GCancellable *cancellable, PgTargetScan **ret_scan,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Holds the target against what was found; may set scan->latest. ERROR_REFUSED naming the window
 * that can be reached, unless a recovery of the backup stops at the target. `server` (or NULL) is
 * asked whether all of its WAL is archived, where the target lies behind the last commit. */
gboolean pg_target_check(const PgRoute *route, const PgPhysical *physical,
                         const EngineTarget *target, PgTargetScan *scan, const ConfigSource *server,
                         GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The archive's inventory of the backup's system: an empty one where there is none. */
gboolean pg_target_inventory(Repository *repository, const char *source, guint64 system_identifier,
                             WalInventory **ret_inventory,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Engine's choose. */
gboolean pg_target_choose(Repository *repository, const ConfigSource *source,
                          const EngineTarget *target, Backup **ret_backup, char **ret_reason,
                          GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
