/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be recovered from the backups and the WAL that a repository holds.
 */
#include "postgres/wal-window.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "postgres/wal-history.h"
#include "postgres/wal-position.h"
#include "postgres/wal-walk.h"

/* Segments are read backwards until one has a commit; a server that sleeps with archive_timeout
 * makes many without. */
#define SEARCH_LIMIT 64

/* --- timelines -------------------------------------------------------------------------------- */

static void lineage_free(gpointer data)
{
    WalLineage *lineage = data;

    g_array_unref(lineage->ancestors);
    g_free(lineage);
}

gboolean wal_lineages(Repository *repository, const char *source, const WalInventory *inventory,
                      GPtrArray **ret_lineages, GError **error)
{
    g_autoptr(GPtrArray) lineages = g_ptr_array_new_with_free_func(lineage_free);
    const WalArchive archive = {.repository = repository,
                                .source = source,
                                .system_identifier = inventory->system_identifier};

    for (guint i = 0; i < inventory->histories->len; i++) {
        WalLineage *lineage;
        GArray *ancestors;
        WalName name;

        if (!wal_name_parse(inventory->histories->pdata[i], &name))
            continue;
        ancestors = wal_history_load(&archive, name.timeline, error);
        if (ancestors == NULL)
            return FALSE;
        lineage = g_new0(WalLineage, 1);
        lineage->timeline = name.timeline;
        lineage->ancestors = ancestors;
        g_ptr_array_add(lineages, lineage);
    }
    *ret_lineages = g_steal_pointer(&lineages);
    return TRUE;
}

static const WalAncestor *parent_of(const WalLineage *lineage)
{
    return lineage->ancestors->len > 0
               ? &g_array_index(lineage->ancestors, WalAncestor, lineage->ancestors->len - 1)
               : NULL;
}

void wal_inventory_add_switches(WalInventory *inventory, const GPtrArray *lineages)
{
    for (guint i = 0; i < lineages->len; i++) {
        const WalLineage *lineage = lineages->pdata[i];
        const WalAncestor *parent = parent_of(lineage);
        const WalRange *own = wal_inventory_outer_range(inventory, lineage->timeline, FALSE);
        const WalRange *before;
        guint64 number;

        if (parent == NULL || own == NULL)
            continue;
        number = parent->end / inventory->segment_size;
        before = wal_inventory_outer_range(inventory, parent->timeline, TRUE);
        /* The segment of the switch belongs to the new timeline: what the old one has of it is a
         * part. */
        if (before != NULL && before->last + 1 < number) {
            const WalRange gap = {parent->timeline, before->last + 1, number - 1};

            g_array_append_val(inventory->gaps, gap);
        }
        if (own->first > number) {
            const WalRange gap = {lineage->timeline, number, own->first - 1};

            g_array_append_val(inventory->gaps, gap);
        }
    }
}

/* The newest timeline that branches off behind `from`, within what the WAL of `timeline` reaches,
 * and is archived itself. */
static const WalLineage *next_timeline(const WalInventory *inventory, const GPtrArray *lineages,
                                       guint32 timeline, PgLsn from, guint64 last)
{
    const WalLineage *found = NULL;

    for (guint i = 0; i < lineages->len; i++) {
        const WalLineage *lineage = lineages->pdata[i];
        const WalAncestor *parent = parent_of(lineage);
        guint64 number = parent != NULL ? parent->end / inventory->segment_size : 0;

        if (parent == NULL || parent->timeline != timeline || parent->end < from ||
            number > last + 1 || (found != NULL && found->timeline > lineage->timeline))
            continue;
        if (wal_inventory_range(inventory, lineage->timeline, number) != NULL ||
            wal_inventory_streamed(inventory, lineage->timeline, number) > 0)
            found = lineage;
    }
    return found;
}

gboolean wal_inventory_follow(const WalInventory *inventory, const GPtrArray *histories,
                              guint32 timeline, PgLsn from, guint32 *ret_timeline, PgLsn *ret_end)
{
    guint64 number = from / inventory->segment_size;
    gboolean found = FALSE;

    for (;;) {
        const WalRange *range = wal_inventory_range(inventory, timeline, number);
        guint64 last = range != NULL ? range->last : number - 1;
        guint32 streamed = wal_inventory_streamed(inventory, timeline, last + 1);
        const WalLineage *next;

        if (range == NULL && streamed == 0)
            return found;
        found = TRUE;
        *ret_timeline = timeline;
        *ret_end = (last + 1) * inventory->segment_size + streamed;
        next = next_timeline(inventory, histories, timeline, from, last + (streamed > 0));
        if (next == NULL)
            return TRUE;
        timeline = next->timeline;
        from = parent_of(next)->end;
        number = from / inventory->segment_size;
    }
}

/* --- commits ---------------------------------------------------------------------------------- */

gboolean wal_last_commit(const WalArchive *archive, guint32 timeline, PgLsn from, PgLsn to,
                         gint64 *ret_when, GError **error)
{
    guint64 first = from / archive->segment_size;
    guint64 number = (to - 1) / archive->segment_size;

    *ret_when = 0;
    for (guint i = 0; i < SEARCH_LIMIT && number >= first; i++, number--) {
        g_autofree char *name = wal_segment_format(timeline, number, archive->segment_size);
        g_autoptr(GBytes) bytes = wal_archive_load(archive, name, archive->segment_size, error);
        WalScan scan;

        if (bytes == NULL ||
            !wal_scan(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &scan, error))
            return FALSE;
        *ret_when = scan.last_commit;
        if (scan.commits > 0 || number == 0)
            return TRUE;
    }
    return TRUE;
}

/* --- windows ---------------------------------------------------------------------------------- */

void wal_window_free(WalWindow *window)
{
    if (window == NULL)
        return;
    g_ptr_array_unref(window->backups);
    g_free(window);
}

typedef struct {
    Repository *repository;
    const char *source;
    const WalInventory *inventory;
    GPtrArray *lineages;
    GPtrArray *windows;
} Search;

/* The first of the backup's own segments that is missing; FALSE where all are there. */
static gboolean find_missing(const WalInventory *inventory, const WalPosition *position,
                             WalRange *ret_missing)
{
    guint64 first = position->start / inventory->segment_size;
    /* A stop on a boundary needs nothing of the segment that begins there. */
    guint64 last =
        position->stop > position->start ? (position->stop - 1) / inventory->segment_size : first;

    for (guint64 number = first; number <= last; number++) {
        const WalRange *range = wal_inventory_range(inventory, position->timeline, number);
        guint32 streamed = wal_inventory_streamed(inventory, position->timeline, number);

        if (range != NULL) {
            number = range->last;
        } else if (number < last || number * inventory->segment_size + streamed < position->stop) {
            *ret_missing = (WalRange){position->timeline, number, last};
            return TRUE;
        }
    }
    return FALSE;
}

static WalWindow *window_with_end(const Search *search, guint32 timeline, PgLsn end)
{
    for (guint i = 0; i < search->windows->len; i++) {
        WalWindow *window = search->windows->pdata[i];

        if (!window->broken && window->to_timeline == timeline && window->to_lsn == end)
            return window;
    }
    return NULL;
}

static WalWindow *add_window(Search *search, const WalBackup *backup)
{
    WalWindow *window = g_new0(WalWindow, 1);

    window->backups = g_ptr_array_new_with_free_func(g_free);
    window->timeline = window->to_timeline = backup->position.timeline;
    window->from_lsn = window->to_lsn = backup->position.stop;
    window->from = window->to = window->last = backup->stop;
    g_ptr_array_add(search->windows, window);
    return window;
}

static gboolean add_backup(Search *search, const WalBackup *backup, GError **error)
{
    const WalPosition *position = &backup->position;
    const WalInventory *inventory = search->inventory;
    const WalArchive archive = {search->repository, search->source, inventory->system_identifier,
                                inventory->segment_size};
    /* The record that ends the backup is the last thing before its stop. */
    PgLsn inside = position->stop > position->start ? position->stop - 1 : position->stop;
    WalWindow *window;
    WalRange missing;
    guint32 timeline = 0;
    PgLsn end = 0;
    gint64 last;

    if (find_missing(inventory, position, &missing) ||
        !wal_inventory_follow(inventory, search->lineages, position->timeline, inside, &timeline,
                              &end)) {
        window = add_window(search, backup);
        window->broken = TRUE;
        window->missing = missing;
        g_ptr_array_add(window->backups, g_strdup(backup->id));
        return TRUE;
    }
    window = window_with_end(search, timeline, end);
    if (window == NULL) {
        PgLsn from = timeline == position->timeline ? position->stop : 0;

        window = add_window(search, backup);
        window->to_timeline = timeline;
        window->to_lsn = end;
        if (from == 0) {
            const WalRange *range = wal_inventory_outer_range(inventory, timeline, FALSE);

            from = range != NULL ? range->first * inventory->segment_size : end - 1;
        }
        if (!wal_last_commit(&archive, timeline, MIN(from, end - 1), end, &last, error)) {
            g_ptr_array_remove(search->windows, window);
            return FALSE;
        }
        window->to = MAX(window->to, last);
    }
    g_ptr_array_add(window->backups, g_strdup(backup->id));
    window->last = MAX(window->last, backup->stop);
    return TRUE;
}

/* One bad backup must not hide what the others can do; verify tells of it. */
static gboolean look_at_backup(Search *search, const WalBackup *backup, GError **error)
{
    if (backup->problem != NULL) {
        log_write(LOG_WARNING, "%s", backup->problem->message);
        return TRUE;
    }
    if (backup->position.system_identifier != search->inventory->system_identifier)
        return TRUE;
    if (backup->position.segment_size != search->inventory->segment_size) {
        log_write(LOG_WARNING, "backup %s was made with other WAL segments than the archive has",
                  backup->id);
        return TRUE;
    }
    return add_backup(search, backup, error);
}

gboolean wal_windows(Repository *repository, const char *source, const WalInventory *inventory,
                     GPtrArray **ret_windows, GError **error)
{
    g_autoptr(GPtrArray) windows = g_ptr_array_new_with_free_func((GDestroyNotify)wal_window_free);
    g_autoptr(GPtrArray) lineages = NULL;
    g_autoptr(GPtrArray) backups = NULL;
    Search search = {.repository = repository,
                     .source = source,
                     .inventory = inventory,
                     .windows = windows};

    if (!wal_lineages(repository, source, inventory, &lineages, error) ||
        !wal_backups(repository, source, &backups, error))
        return FALSE;
    search.lineages = lineages;
    for (guint i = 0; i < backups->len && inventory->segment_size != 0; i++) {
        if (!look_at_backup(&search, backups->pdata[i], error))
            return FALSE;
    }
    *ret_windows = g_steal_pointer(&windows);
    return TRUE;
}
