/* SPDX-License-Identifier: Apache-2.0
 *
 * Every object of a source's WAL archive, then what is missing between them.
 */
#include "postgres/wal-verify.h"

#include "base/error.h"
#include "base/time.h"
#include "base/workers.h"
#include "postgres/wal-object.h"
#include "postgres/wal-system.h"
#include "postgres/wal-window.h"

#include <string.h>

/* How long segments may be under way that were begun in order. */
#define SETTLE_TIME (2 * TIME_SECOND)

gboolean pg_wal_archives(Repository *repository, GPtrArray **ret_names, GError **error)
{
    return wal_archive_sources(repository, ret_names, error);
}

/* --- objects ---------------------------------------------------------------------------------- */

typedef struct {
    const EngineArchive *request;
    EngineArchiveReport *report;
    GMutex mutex; /* over the report */
} Check;

/* The bytes, and from deep on what they hold, against what the object says of itself. */
static gboolean read_object(const Check *check, const char *object, WalFrame *ret_frame,
                            GError **error)
{
    Repository *repository = check->request->repository;

    return check->request->level == PROOF_DEEP
               ? wal_object_read(repository, object, NULL, NULL, ret_frame, error)
               : wal_object_check(repository, object, ret_frame, error);
}

static gboolean fits_name(const WalFrame *frame, const WalObjectName *parts)
{
    if (strcmp(frame->name, parts->file) != 0 ||
        frame->system_identifier != parts->system_identifier)
        return FALSE;
    return parts->piece_end == 0 || (frame->start + frame->plain_size == parts->piece_end &&
                                     parts->piece_end <= frame->segment_size);
}

/* At the level of objects only that the bytes are those that were written. */
static gboolean prove_object(const Check *check, const char *object, const WalObjectName *parts,
                             GError **error)
{
    WalFrame frame;

    if (wal_system_is_name(object))
        return wal_system_check(check->request->repository, object, error);
    if (!read_object(check, object, &frame, error))
        return FALSE;
    if (check->request->level == PROOF_OBJECTS || fits_name(&frame, parts))
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s holds something else than its name says", object);
    return FALSE;
}

/* What has another name is not ours. */
static gboolean is_of_archive(const char *object, WalObjectName *ret_parts)
{
    return wal_system_is_name(object) || wal_object_name_parse(object, ret_parts);
}

/* What was deleted since the list was made is no damage here: if it was needed, it is a hole. */
static gboolean check_object(gpointer task, gpointer data, GCancellable *cancellable,
                             GError **error)
{
    const char *object = task;
    Check *check = data;
    Store *store = repository_store(check->request->repository);
    g_autoptr(GError) problem = NULL;
    WalObjectName parts;
    StoreInfo info = {0};
    gboolean good;

    if (!error_unless_cancelled(cancellable, error))
        return FALSE;
    if (!is_of_archive(object, &parts) || !store_stat(store, object, &info, &problem))
        return problem == NULL || error_is(problem, ERROR_NOT_FOUND);
    good = prove_object(check, object, &parts, &problem);
    progress_add(check->request->progress, info.size, 0);
    if (!good && error_is(problem, ERROR_NOT_FOUND))
        return TRUE;
    g_mutex_lock(&check->mutex);
    check->report->objects++;
    check->report->bytes += info.size;
    if (!good && engine_is_damage(problem))
        engine_archive_damage(check->report, object, problem);
    g_mutex_unlock(&check->mutex);
    if (good || engine_is_damage(problem))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

typedef struct {
    GPtrArray *objects;
    guint64 bytes;
} Listing;

static gboolean list_object(const char *object, const StoreInfo *info, gpointer data,
                            GError **error)
{
    Listing *listing = data;
    WalObjectName parts;

    if (!is_of_archive(object, &parts))
        return TRUE;
    g_ptr_array_add(listing->objects, g_strdup(object));
    listing->bytes += info->size;
    return TRUE;
}

static gboolean check_objects(Check *check, GError **error)
{
    const EngineArchive *request = check->request;
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *prefix = g_strdup_printf("wal/%s/", request->name);
    Listing listing = {.objects = objects};
    g_autoptr(Workers) workers = NULL;

    if (!store_list(repository_store(request->repository), prefix, list_object, &listing, error))
        return FALSE;
    progress_begin(request->progress, "verifying WAL", listing.bytes, 0);
    workers =
        workers_new(MAX(request->jobs, 1), 0, check_object, check, NULL, request->cancellable);
    for (guint i = 0; i < objects->len; i++) {
        if (!workers_push(workers, objects->pdata[i]))
            break;
    }
    return workers_wait(workers, error);
}

/* --- holes ------------------------------------------------------------------------------------ */

typedef struct {
    const char *source;
    const WalInventory *inventory;
    const GPtrArray *windows;
    EngineArchiveReport *report;
} Holes;

static char *name_range(const Holes *holes, const WalRange *range)
{
    guint32 size = holes->inventory->segment_size;
    g_autofree char *first = wal_segment_format(range->timeline, range->first, size);
    g_autofree char *last = wal_segment_format(range->timeline, range->last, size);

    return range->first == range->last
               ? g_strdup_printf("WAL segment %s is missing", first)
               : g_strdup_printf("WAL segments %s to %s are missing", first, last);
}

static void add_damage(const Holes *holes, const WalRange *range, const char *why)
{
    g_autofree char *object = g_strdup_printf("wal/%s", holes->source);
    g_autofree char *what = name_range(holes, range);
    g_autoptr(GError) problem = NULL;

    error_set(&problem, ERROR_DAMAGED, "%s: %s", what, why);
    engine_archive_damage(holes->report, object, problem);
}

static void look_at_broken(const Holes *holes)
{
    for (guint i = 0; i < holes->windows->len; i++) {
        const WalWindow *window = holes->windows->pdata[i];
        g_autofree char *why = NULL;

        if (!window->broken)
            continue;
        why = g_strdup_printf("backup %s needs it to be consistent",
                              (const char *)window->backups->pdata[0]);
        add_damage(holes, &window->missing, why);
    }
}

/* The window of the newest backup whose own WAL is there: the last to be consistent. */
static const WalWindow *newest_good(const Holes *holes)
{
    const WalWindow *newest = NULL;

    for (guint i = 0; i < holes->windows->len; i++) {
        const WalWindow *window = holes->windows->pdata[i];

        if (!window->broken && (newest == NULL || window->last > newest->last))
            newest = window;
    }
    return newest;
}

/* Windows share their end, not their backups: behind the hole is behind the newest backup of all
 * exactly when the newest good backup's own window ends there, or lies before. */
static gboolean is_behind(const WalWindow *newest, const WalRange *hole, guint32 segment_size)
{
    return newest != NULL &&
           (hole->timeline > newest->to_timeline ||
            (hole->timeline == newest->to_timeline &&
             hole->first * segment_size >= newest->to_lsn / segment_size * segment_size));
}

/* What leads up to the hole, and what begins behind it. */
static char *name_cost(const Holes *holes, const WalRange *hole)
{
    guint32 size = holes->inventory->segment_size;
    const WalWindow *before = NULL, *after = NULL;
    g_autofree char *from = NULL, *to = NULL;

    for (guint i = 0; i < holes->windows->len; i++) {
        const WalWindow *window = holes->windows->pdata[i];

        if (window->broken)
            continue;
        if (window->to_timeline == hole->timeline && window->to_lsn / size == hole->first)
            before = window;
        else if (window->from_lsn / size >= hole->last && window->timeline >= hole->timeline &&
                 (after == NULL || window->from < after->from))
            after = window;
    }
    if (before == NULL)
        return g_strdup("no backup leads up to it, so it costs nothing");
    from = time_format(before->to);
    if (after == NULL)
        return g_strdup_printf("no moment after %s can be recovered over it", from);
    to = time_format(after->from);
    return g_strdup_printf("no moment between %s and %s can be recovered", from, to);
}

static void look_at_gaps(const Holes *holes)
{
    const WalInventory *inventory = holes->inventory;
    const WalWindow *newest = newest_good(holes);

    for (guint i = 0; i < inventory->gaps->len; i++) {
        const WalRange *gap = &g_array_index(inventory->gaps, WalRange, i);
        g_autofree char *cost = name_cost(holes, gap);

        if (is_behind(newest, gap, inventory->segment_size)) {
            add_damage(holes, gap, cost);
        } else {
            g_autofree char *what = name_range(holes, gap);

            g_ptr_array_add(holes->report->warnings, g_strdup_printf("%s: %s", what, cost));
        }
    }
}

static gboolean look_at_cluster(const EngineArchive *request, WalInventory *inventory,
                                EngineArchiveReport *report, GError **error)
{
    g_autoptr(GPtrArray) lineages = NULL, windows = NULL;
    Holes holes = {.source = request->name, .inventory = inventory, .report = report};

    if (!wal_lineages(request->repository, request->name, inventory, &lineages, error) ||
        !wal_windows(request->repository, request->name, inventory, &windows, error))
        return FALSE;
    if (inventory->segment_size == 0)
        return TRUE;
    wal_inventory_add_switches(inventory, lineages);
    holes.windows = windows;
    look_at_broken(&holes);
    look_at_gaps(&holes);
    return TRUE;
}

static gboolean look_once(const EngineArchive *request, EngineArchiveReport *report, GError **error)
{
    g_autoptr(GPtrArray) inventories = NULL;

    if (!wal_archive_list(request->repository, request->name, &inventories, error))
        return FALSE;
    for (guint i = 0; i < inventories->len; i++) {
        if (!look_at_cluster(request, inventories->pdata[i], report, error))
            return FALSE;
    }
    return TRUE;
}

/* Several workers archive at a time, and their segments do not come in order: what seems to be
 * missing is looked for once more before it is called damage. */
static gboolean look_at_holes(const EngineArchive *request, EngineArchiveReport *report,
                              GError **error)
{
    EngineArchiveReport first;
    gboolean looked, whole;

    engine_archive_report_init(&first);
    looked = look_once(request, &first, error);
    whole = looked && first.damage->len == 0;
    if (whole)
        g_ptr_array_extend_and_steal(report->warnings, g_steal_pointer(&first.warnings));
    engine_archive_report_clear(&first);
    if (!looked || whole)
        return looked;
    g_usleep(SETTLE_TIME);
    return look_once(request, report, error);
}

/* --- all of it -------------------------------------------------------------------------------- */

gboolean pg_wal_verify(const EngineArchive *request, EngineArchiveReport *report, GError **error)
{
    Check check = {.request = request, .report = report};
    g_autoptr(GError) problem = NULL;
    g_autofree char *object = g_strdup_printf("wal/%s", request->name);
    gboolean read;

    g_mutex_init(&check.mutex);
    read = check_objects(&check, error);
    progress_end(request->progress);
    g_mutex_clear(&check.mutex);
    if (!read)
        return FALSE;
    if (look_at_holes(request, report, &problem))
        return TRUE;
    if (!engine_is_damage(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    /* An object that is named already may hide what is missing: nobody shall take the silence for
     * an answer. */
    g_prefix_error(&problem, "what is missing could not be found out: ");
    engine_archive_damage(report, object, problem);
    return TRUE;
}
