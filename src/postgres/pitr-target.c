/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the target within reach, and from which backup?
 */
#include "postgres/pitr-target.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "postgres/connection.h"
#include "postgres/recovery-settings.h"
#include "postgres/server-position.h"
#include "postgres/wal-position.h"
#include "postgres/wal-walk.h"

/* --- reading the WAL -------------------------------------------------------------------------- */

void pg_target_scan_free(PgTargetScan *scan)
{
    if (scan == NULL)
        return;
    g_ptr_array_unref(scan->tablespaces);
    g_free(scan);
}

static void created_free(gpointer data)
{
    PgCreatedTablespace *created = data;

    g_free(created->location);
    g_free(created);
}

typedef struct {
    const EngineTarget *target;
    const PgPhysical *physical;
    PgLsn lsn;   /* of the target, where that is what it is; else of the backup's end */
    guint32 xid; /* likewise */
    PgTargetScan *scan;
} Search;

static gboolean is_there(const Search *search, const WalRecord *record)
{
    gboolean ends = record->event == WAL_COMMIT || record->event == WAL_ABORT;

    switch (search->target->to) {
    case RECOVER_TIME:
        return ends && (search->target->exclusive ? record->time >= search->target->time
                                                  : record->time > search->target->time);
    case RECOVER_LSN:
        return record->start >= search->lsn;
    case RECOVER_XID:
        return ends && record->xid == search->xid;
    case RECOVER_NAME:
        return record->event == WAL_RESTORE_POINT &&
               strcmp(record->text, search->target->value) == 0;
    case RECOVER_STATE:
    case RECOVER_IMMEDIATE:
        return record->end >= search->lsn;
    case RECOVER_LATEST:
        break;
    }
    return FALSE;
}

static gboolean look_at_record(const WalRecord *record, gpointer data)
{
    Search *search = data;
    PgTargetScan *scan = search->scan;

    if (record->start < search->physical->start)
        return TRUE;
    if (is_there(search, record)) {
        scan->found = TRUE;
        scan->lsn = record->start;
        scan->time = record->time;
        return FALSE;
    }
    if (record->event == WAL_COMMIT)
        scan->last_commit = MAX(scan->last_commit, record->time);
    if (record->event == WAL_CREATE_TABLESPACE && record->text[0] == '/') {
        PgCreatedTablespace *created = g_new0(PgCreatedTablespace, 1);

        created->oid = record->tablespace;
        created->location = g_strdup(record->text);
        g_ptr_array_add(scan->tablespaces, created);
    }
    scan->last_record = record->start;
    scan->last_end = record->end;
    return TRUE;
}

static gboolean understand(const PgPhysical *physical, const EngineTarget *target, Search *search,
                           GError **error)
{
    guint64 xid;

    search->target = target;
    search->physical = physical;
    search->lsn = physical->stop;
    if (target->to == RECOVER_LSN)
        return pg_lsn_parse(target->value, &search->lsn, error);
    if (target->to != RECOVER_XID)
        return TRUE;
    /* With an epoch, as pg_current_xact_id() shows it, the lower half counts: so the server reads
     * it. */
    if (!g_ascii_string_to_unsigned(target->value, 10, 3, G_MAXUINT64, &xid, NULL)) {
        error_set(error, ERROR_USAGE, "\"%s\" is no transaction id", target->value);
        return FALSE;
    }
    search->xid = (guint32)xid;
    return TRUE;
}

/* Reads the route's WAL from segment index `from` on until the target or the end. */
static gboolean scan_from(const WalArchive *archive, const PgRoute *route,
                          const PgPhysical *physical, const EngineTarget *target, guint from,
                          Progress *progress, GCancellable *cancellable, PgTargetScan **ret_scan,
                          GError **error)
{
    g_autoptr(PgTargetScan) scan = g_new0(PgTargetScan, 1);
    Search search = {.scan = scan};
    g_autoptr(WalWalk) walk = wal_walk_new(look_at_record, &search);
    gboolean more = TRUE;

    scan->tablespaces = g_ptr_array_new_with_free_func(created_free);
    if (!understand(physical, target, &search, error))
        return FALSE;
    progress_begin(progress, "reading WAL",
                   (guint64)(route->segments->len - from) * route->segment_size, 0);
    for (guint i = from; i < route->segments->len && more; i++) {
        g_autofree char *name = pg_route_segment(route, i);
        guint64 begin = (route->first + i) * route->segment_size;
        g_autoptr(GBytes) bytes = NULL;

        if (!error_unless_cancelled(cancellable, error))
            return FALSE;
        bytes = wal_archive_load(archive, name, route->segment_size, error);
        if (bytes == NULL)
            return FALSE;
        /* Behind the place where a timeline was left its own WAL goes on, which is none of ours. */
        more = wal_walk_feed(walk, g_bytes_get_data(bytes, NULL),
                             (gsize)MIN(g_bytes_get_size(bytes), route->reach - begin));
        scan->segments = i + 1;
        progress_add(progress, route->segment_size, 0);
    }
    *ret_scan = g_steal_pointer(&scan);
    return TRUE;
}

/* `scan` may be NULL: the WAL has not been read. */
static gboolean lies_before(const PgPhysical *physical, const EngineTarget *target,
                            const PgTargetScan *scan)
{
    PgLsn lsn;

    if (target->to == RECOVER_TIME)
        return target->time < physical->stop_time;
    if (target->to == RECOVER_LSN)
        return pg_lsn_parse(target->value, &lsn, NULL) && lsn < physical->stop;
    if (target->to == RECOVER_XID || target->to == RECOVER_NAME)
        return scan != NULL && scan->found && scan->lsn < physical->stop;
    return FALSE;
}

/* As much of the WAL, from its end, as tells whether the target is there: a time needs the last
 * commit only. */
static gboolean scan_end(const WalArchive *archive, const PgRoute *route,
                         const PgPhysical *physical, const EngineTarget *target,
                         GCancellable *cancellable, PgTargetScan **ret_scan, GError **error)
{
    guint total = route->segments->len, step = 2;

    for (;; step *= 2) {
        g_autoptr(PgTargetScan) scan = NULL;
        guint from = total > step ? total - step : 0;

        if (!scan_from(archive, route, physical, target, from, NULL, cancellable, &scan, error))
            return FALSE;
        if (from == 0 || scan->found || scan->last_commit > 0) {
            *ret_scan = g_steal_pointer(&scan);
            return TRUE;
        }
    }
}

/* What lies before the backup is refused: how far the WAL goes is all that is left to be told. */
static gboolean look_behind(const WalArchive *archive, const PgRoute *route,
                            const PgPhysical *physical, GCancellable *cancellable,
                            PgTargetScan **ret_scan, GError **error)
{
    static const EngineTarget latest = {.to = RECOVER_LATEST};

    if (!scan_end(archive, route, physical, &latest, cancellable, ret_scan, error))
        return FALSE;
    (*ret_scan)->before = TRUE;
    return TRUE;
}

gboolean pg_target_find(const WalArchive *archive, const PgRoute *route, const PgPhysical *physical,
                        const EngineTarget *target, gboolean whole, Progress *progress,
                        GCancellable *cancellable, PgTargetScan **ret_scan, GError **error)
{
    g_autoptr(PgTargetScan) scan = NULL;

    whole = whole || target->to == RECOVER_XID || target->to == RECOVER_NAME;
    if (!lies_before(physical, target, NULL) &&
        !(whole
              ? scan_from(archive, route, physical, target, 0, progress, cancellable, &scan, error)
              : scan_end(archive, route, physical, target, cancellable, &scan, error)))
        return FALSE;
    if (lies_before(physical, target, scan))
        return look_behind(archive, route, physical, cancellable, ret_scan, error);
    *ret_scan = g_steal_pointer(&scan);
    return TRUE;
}

/* --- is it within reach? ---------------------------------------------------------------------- */

static void hint_window(const PgRoute *route, const PgPhysical *physical, const PgTargetScan *scan,
                        GError **error)
{
    g_autofree char *from = time_format(physical->stop_time);
    g_autofree char *from_lsn = pg_lsn_format(physical->stop);
    g_autofree char *to = time_format(MAX(scan->last_commit, physical->stop_time));
    g_autofree char *to_lsn = pg_lsn_format(MAX(scan->last_end, physical->stop));
    g_autofree char *older = NULL;

    if (route->legs->len > 1)
        older = g_strdup_printf("; --target-timeline %" G_GUINT32_FORMAT
                                " goes along the older timeline",
                                g_array_index(route->legs, PgLeg, route->legs->len - 2).timeline);
    error_add_hint(error,
                   "from this backup any moment from %s (%s) to %s (%s) on timeline "
                   "%" G_GUINT32_FORMAT " can be reached; `holdfast list backups` shows the "
                   "others%s",
                   from, from_lsn, to, to_lsn, route->timeline, older != NULL ? older : "");
}

static gboolean refuse_before(const PgPhysical *physical, const EngineTarget *target,
                              GError **error)
{
    g_autofree char *what = pg_recovery_describe(target);
    g_autofree char *when = time_format(physical->stop_time);
    g_autofree char *lsn = pg_lsn_format(physical->stop);

    error_set(error, ERROR_REFUSED, "%s lies before the end of the backup, which is %s (%s)", what,
              when, lsn);
    return FALSE;
}

static gboolean refuse_behind(const PgRoute *route, const PgPhysical *physical,
                              const EngineTarget *target, const PgTargetScan *scan, GError **error)
{
    g_autofree char *what = pg_recovery_describe(target);
    g_autofree char *first = NULL, *last = NULL, *when = NULL;

    if (route->gap) {
        first =
            wal_segment_format(route->missing.timeline, route->missing.first, route->segment_size);
        last =
            wal_segment_format(route->missing.timeline, route->missing.last, route->segment_size);
        error_set(error, ERROR_REFUSED,
                  "%s cannot be reached: the archive lacks WAL segments %s to %s", what, first,
                  last);
        return FALSE;
    }
    when = time_format(MAX(scan->last_commit, physical->stop_time));
    error_set(error, ERROR_REFUSED,
              "%s is not in the archived WAL of timeline %" G_GUINT32_FORMAT
              ", whose last commit is of %s",
              what, route->timeline, when);
    return FALSE;
}

/* Whether the running server has nothing that is not archived, and it is later there than the
 * target. */
static gboolean is_all_archived(const PgRoute *route, const PgPhysical *physical,
                                const EngineTarget *target, const ConfigSource *server,
                                GCancellable *cancellable)
{
    g_autoptr(PgConnection) connection = NULL;
    PgServerPosition position;

    if (server == NULL || server->conninfo == NULL || target->to != RECOVER_TIME)
        return FALSE;
    connection = pg_connect(server->conninfo, NULL, cancellable, NULL);
    return connection != NULL && pg_server_position(connection, &position, NULL) &&
           position.system_identifier == physical->system_identifier &&
           pg_server_is_archived(connection, &position, route->reach, route->segment_size) &&
           position.now >= target->time;
}

static gboolean is_latest(const PgRoute *route, const PgPhysical *physical,
                          const EngineTarget *target, const PgTargetScan *scan,
                          const ConfigSource *server, GCancellable *cancellable)
{
    PgLsn lsn;

    if (route->gap || scan->last_record == 0)
        return FALSE;
    if (target->to == RECOVER_LSN)
        return pg_lsn_parse(target->value, &lsn, NULL) && lsn <= scan->last_end + WAL_HEADER_SIZE;
    if (target->to != RECOVER_TIME)
        return FALSE;
    return (target->time == scan->last_commit && !target->exclusive) ||
           is_all_archived(route, physical, target, server, cancellable);
}

gboolean pg_target_check(const PgRoute *route, const PgPhysical *physical,
                         const EngineTarget *target, PgTargetScan *scan, const ConfigSource *server,
                         GCancellable *cancellable, GError **error)
{
    gboolean reached;

    scan->latest = FALSE;
    if (route->reach < physical->stop) {
        g_autofree char *stop = pg_lsn_format(physical->stop);

        error_set(error, ERROR_DAMAGED,
                  "the WAL that the backup itself needs, up to %s, is not in the archive", stop);
        return FALSE;
    }
    if (scan->before || lies_before(physical, target, scan)) {
        (void)refuse_before(physical, target, error);
        hint_window(route, physical, scan, error);
        return FALSE;
    }
    reached = scan->found || target->to == RECOVER_LATEST || target->to == RECOVER_IMMEDIATE ||
              target->to == RECOVER_STATE;
    if (!reached)
        reached = scan->latest = is_latest(route, physical, target, scan, server, cancellable);
    if (!reached) {
        (void)refuse_behind(route, physical, target, scan, error);
        hint_window(route, physical, scan, error);
    }
    return reached;
}

/* --- choosing a backup ------------------------------------------------------------------------ */

gboolean pg_target_inventory(Repository *repository, const char *source, guint64 system_identifier,
                             WalInventory **ret_inventory, GError **error)
{
    g_autoptr(GPtrArray) all = NULL;

    if (!wal_archive_list(repository, source, &all, error))
        return FALSE;
    for (guint i = 0; i < all->len; i++) {
        WalInventory *inventory = g_ptr_array_index(all, i);

        if (inventory->system_identifier != system_identifier)
            continue;
        g_ptr_array_set_free_func(all, NULL);
        g_ptr_array_remove_index_fast(all, i);
        for (guint k = 0; k < all->len; k++)
            wal_inventory_free(g_ptr_array_index(all, k));
        *ret_inventory = inventory;
        return TRUE;
    }
    error_set(error, ERROR_NOT_FOUND,
              "the archive of source %s has no WAL of the system %" G_GUINT64_FORMAT, source,
              system_identifier);
    return FALSE;
}

static gboolean try_backup(Backup *backup, const ConfigSource *source, const EngineTarget *target,
                           GCancellable *cancellable, GError **error)
{
    const char *name = manifest_source(backup_manifest(backup));
    WalArchive archive = {.repository = backup_repository(backup), .source = name};
    g_autoptr(PgPhysical) physical = NULL;
    g_autoptr(WalInventory) inventory = NULL;
    g_autoptr(PgTargetScan) scan = NULL;
    g_autoptr(PgRoute) route = NULL;

    if (!pg_physical_read_head(backup, &physical, error))
        return FALSE;
    archive.system_identifier = physical->system_identifier;
    archive.segment_size = physical->segment_size;
    return pg_target_inventory(archive.repository, name, archive.system_identifier, &inventory,
                               error) &&
           pg_route_find(&archive, inventory, physical, target->timeline, &route, error) &&
           pg_target_find(&archive, route, physical, target, FALSE, NULL, cancellable, &scan,
                          error) &&
           pg_target_check(route, physical, target, scan, source, cancellable, error);
}

static char *tell_why(guint passed, const EngineTarget *target)
{
    g_autofree char *what = pg_recovery_describe(target);

    if (passed == 0)
        return g_strdup_printf("the newest backup, and %s can be reached from it", what);
    return g_strdup_printf("the newest one from which %s can be reached; %u younger %s passed over",
                           what, passed, passed == 1 ? "backup was" : "backups were");
}

/* A failure that says nothing about this one backup. */
static gboolean ends_search(const GError *problem)
{
    return error_is(problem, ERROR_CANCELLED) || error_is(problem, ERROR_USAGE) ||
           error_is(problem, ERROR_UNREACHABLE);
}

gboolean pg_target_choose(Repository *repository, const ConfigSource *source,
                          const EngineTarget *target, Backup **ret_backup, char **ret_reason,
                          GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) backups = NULL;
    g_autoptr(GError) first = NULL;
    guint passed = 0;

    if (!wal_backups(repository, source->name, &backups, error))
        return FALSE;
    for (guint i = backups->len; i > 0; i--) {
        const WalBackup *entry = g_ptr_array_index(backups, i - 1);
        g_autoptr(GError) problem = NULL;
        g_autoptr(Backup) backup = NULL;

        if (entry->partial)
            continue;
        if (entry->problem != NULL)
            problem = g_error_copy(entry->problem);
        else
            backup = backup_open(repository, entry->id, &problem);
        if (backup != NULL && try_backup(backup, source, target, cancellable, &problem)) {
            *ret_reason = tell_why(passed, target);
            *ret_backup = g_steal_pointer(&backup);
            return TRUE;
        }
        if (ends_search(problem)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        /* What the oldest backup says is nearest to a target that lies before all of them; behind
         * them, what the newest says. */
        if (first == NULL || strstr(problem->message, "lies before") != NULL) {
            g_clear_error(&first);
            first = g_steal_pointer(&problem);
        }
        passed++;
    }
    if (first != NULL)
        g_propagate_error(error, g_steal_pointer(&first));
    else
        error_set(error, ERROR_NOT_FOUND, "source %s has no physical backup", source->name);
    return FALSE;
}
