/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be recovered of a source with its archived WAL.
 */
#include "postgres/wal-reach.h"

#include "base/error.h"
#include "postgres/server-position.h"
#include "postgres/wal-position.h"
#include "postgres/wal-window.h"
#include "repo/backup.h"

/* Where the newest window ends. */
typedef struct {
    guint64 system_identifier;
    guint32 timeline, segment_size;
    PgLsn end;
    gint64 to;
    char *newest; /* id of the newest backup in it, or NULL: there is no window */
} Newest;

static char *describe_range(const WalRange *range, guint32 segment_size)
{
    g_autofree char *first = wal_segment_format(range->timeline, range->first, segment_size);
    g_autofree char *last = wal_segment_format(range->timeline, range->last, segment_size);

    return range->first == range->last ? g_steal_pointer(&first)
                                       : g_strdup_printf("%s to %s", first, last);
}

/* Segments that are missing right behind the window, where others follow. */
static char *hole_behind(const WalWindow *window, const WalInventory *inventory)
{
    for (guint i = 0; i < inventory->gaps->len && !window->broken; i++) {
        const WalRange *gap = &g_array_index(inventory->gaps, WalRange, i);

        if (gap->timeline == window->to_timeline &&
            gap->first == window->to_lsn / inventory->segment_size)
            return describe_range(gap, inventory->segment_size);
    }
    return NULL;
}

static EngineWindow *to_engine(const WalWindow *window, const WalInventory *inventory)
{
    EngineWindow *result = g_new0(EngineWindow, 1);
    g_autofree char *missing = NULL;

    result->backups = g_ptr_array_ref(window->backups);
    result->from = window->from;
    result->to = window->to;
    result->hole = hole_behind(window, inventory);
    if (window->broken) {
        missing = describe_range(&window->missing, inventory->segment_size);
        result->problem = g_strdup_printf("its own WAL is not in the archive: %s", missing);
    }
    return result;
}

static gboolean add_cluster(const EngineReachRequest *request, const WalInventory *inventory,
                            GPtrArray *windows, Newest *newest, GError **error)
{
    g_autoptr(GPtrArray) found = NULL;

    if (!wal_windows(request->repository, request->source->name, inventory, &found, error))
        return FALSE;
    for (guint i = 0; i < found->len; i++) {
        const WalWindow *window = g_ptr_array_index(found, i);

        g_ptr_array_add(windows, to_engine(window, inventory));
        if (window->broken || (newest->newest != NULL && window->to < newest->to))
            continue;
        g_free(newest->newest);
        *newest = (Newest){inventory->system_identifier,
                           window->to_timeline,
                           inventory->segment_size,
                           window->to_lsn,
                           window->to,
                           g_strdup(window->backups->pdata[window->backups->len - 1])};
    }
    return TRUE;
}

static int by_start(gconstpointer a, gconstpointer b)
{
    const EngineWindow *const *left = a, *const *right = b;

    return (*left)->from < (*right)->from ? -1 : (*left)->from > (*right)->from;
}

/* What a recovery from the newest backup to the end has to replay; 0 where the backup cannot be
 * looked at any more. */
static guint64 replay_bytes(Repository *repository, const Newest *newest)
{
    g_autoptr(Backup) backup = backup_open(repository, newest->newest, NULL);
    WalPosition position;
    gboolean present;

    if (backup == NULL || !wal_position_read(backup_manifest(backup), &present, &position, NULL) ||
        !present || position.start > newest->end)
        return 0;
    return newest->end - position.start;
}

static char *doubt_of(const EngineReachRequest *request, const Newest *newest, gboolean *ret_asked)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(PgConnection) connection =
        pg_connect(request->source->conninfo, NULL, request->cancellable, &problem);
    PgServerPosition position;

    if (connection == NULL || !pg_server_position(connection, &position, &problem))
        return error_text(problem);
    *ret_asked = TRUE;
    if (position.system_identifier != newest->system_identifier)
        return g_strdup_printf("the server at %s is another one than that of the newest backup",
                               pg_connection_server(connection));
    if (position.timeline != newest->timeline)
        return g_strdup_printf("the server is on timeline %" G_GUINT32_FORMAT
                               ", the archived WAL leads to timeline %" G_GUINT32_FORMAT,
                               position.timeline, newest->timeline);
    if (!pg_server_is_archived(connection, &position, newest->end, newest->segment_size))
        return g_strdup("the server has WAL that is not archived yet");
    return NULL;
}

gboolean pg_reach(const EngineReachRequest *request, EngineReach *ret_reach, GError **error)
{
    g_autoptr(GPtrArray) windows =
        g_ptr_array_new_with_free_func((GDestroyNotify)engine_window_free);
    g_autoptr(GPtrArray) inventories = NULL;
    Newest newest = {0};
    EngineReach reach = {0};
    gboolean done =
        wal_archive_list_whole(request->repository, request->source->name, request->damaged,
                               request->damaged_at, &inventories, error);

    for (guint i = 0; done && i < inventories->len; i++)
        done = add_cluster(request, inventories->pdata[i], windows, &newest, error);
    if (!done) {
        g_free(newest.newest);
        return FALSE;
    }
    if (newest.newest != NULL) {
        reach.replay_bytes = replay_bytes(request->repository, &newest);
        reach.doubt = request->ask ? doubt_of(request, &newest, &reach.asked) : NULL;
        reach.complete = request->ask && reach.doubt == NULL;
    }
    g_ptr_array_sort(windows, by_start);
    reach.windows = g_steal_pointer(&windows);
    g_free(newest.newest);
    *ret_reach = reach;
    return TRUE;
}
