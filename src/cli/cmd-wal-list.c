/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast wal list: what the WAL archive holds, what is missing in it, and what can be recovered.
 */
#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "postgres/wal-window.h"

static struct {
    char *source;
} options;

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *range_json(const WalRange *range, guint32 segment_size)
{
    g_autofree char *first = wal_segment_format(range->timeline, range->first, segment_size);
    g_autofree char *last = wal_segment_format(range->timeline, range->last, segment_size);

    return json_pack("{s:s, s:s, s:I}", "first", first, "last", last, "segments",
                     (json_int_t)(range->last - range->first + 1));
}

static json_t *ranges_json(const GArray *ranges, guint32 timeline, guint32 segment_size)
{
    json_t *list = json_array();

    for (guint i = 0; i < ranges->len; i++) {
        const WalRange *range = &g_array_index(ranges, WalRange, i);

        if (range->timeline == timeline)
            json_array_append_new(list, range_json(range, segment_size));
    }
    return list;
}

static void set_lsn(json_t *object, const char *key, PgLsn lsn)
{
    g_autofree char *text = pg_lsn_format(lsn);

    json_object_set_new(object, key, json_string(text));
}

static void set_time(json_t *object, const char *key, gint64 when)
{
    g_autofree char *text = time_format(when);

    json_object_set_new(object, key, json_string(text));
}

static json_t *window_json(const WalWindow *window, guint32 segment_size)
{
    json_t *object = json_object();
    json_t *backups = json_array();

    for (guint i = 0; i < window->backups->len; i++)
        json_array_append_new(backups, json_text(window->backups->pdata[i]));
    json_object_set_new(object, "backups", backups);
    json_object_set_new(object, "recoverable", json_boolean(!window->broken));
    if (window->broken) {
        json_object_set_new(object, "missing", range_json(&window->missing, segment_size));
        return object;
    }
    set_time(object, "from", window->from);
    set_time(object, "to", window->to);
    json_object_set_new(object, "from_timeline", json_integer(window->timeline));
    set_lsn(object, "from_lsn", window->from_lsn);
    json_object_set_new(object, "to_timeline", json_integer(window->to_timeline));
    set_lsn(object, "to_lsn", window->to_lsn);
    return object;
}

/* A window stands with the timeline that it leads to. */
static json_t *timeline_json(const char *source, const WalInventory *inventory, guint32 timeline,
                             const GPtrArray *windows)
{
    g_autofree char *identifier =
        g_strdup_printf("%" G_GUINT64_FORMAT, inventory->system_identifier);
    json_t *object = json_pack("{s:s, s:s, s:I, s:I}", "source", source, "system_identifier",
                               identifier, "timeline", (json_int_t)timeline, "segment_size",
                               (json_int_t)inventory->segment_size);
    json_t *list = json_array();
    WalName name;

    json_object_set_new(object, "ranges",
                        ranges_json(inventory->ranges, timeline, inventory->segment_size));
    json_object_set_new(object, "gaps",
                        ranges_json(inventory->gaps, timeline, inventory->segment_size));
    if (inventory->streamed != NULL && wal_name_parse(inventory->streamed, &name) &&
        name.timeline == timeline)
        json_object_set_new(object, "streaming",
                            json_pack("{s:s, s:I}", "segment", inventory->streamed, "bytes",
                                      (json_int_t)inventory->streamed_end));
    for (guint i = 0; i < windows->len; i++) {
        const WalWindow *window = windows->pdata[i];

        if (window->to_timeline == timeline)
            json_array_append_new(list, window_json(window, inventory->segment_size));
    }
    json_object_set_new(object, "windows", list);
    return object;
}

/* --- text ------------------------------------------------------------------------------------- */

static void print_ranges(Output *output, const char *what, const GArray *ranges, guint32 timeline,
                         guint32 segment_size)
{
    for (guint i = 0; i < ranges->len; i++) {
        const WalRange *range = &g_array_index(ranges, WalRange, i);
        g_autofree char *first = NULL, *last = NULL, *count = NULL;

        if (range->timeline != timeline)
            continue;
        first = wal_segment_format(timeline, range->first, segment_size);
        last = wal_segment_format(timeline, range->last, segment_size);
        count = count_format(range->last - range->first + 1);
        output_line(output, "  %-8s  %s to %s  (%s)", what, first, last, count);
    }
}

static void print_window(Output *output, const WalWindow *window, guint32 segment_size)
{
    g_autofree char *from = time_format(window->from), *to = time_format(window->to);
    const char *oldest = window->backups->pdata[0];

    if (window->broken) {
        g_autofree char *first =
            wal_segment_format(window->missing.timeline, window->missing.first, segment_size);

        output_line(output, "  cannot be recovered: backup %s lacks WAL from %s on", oldest, first);
        return;
    }
    output_line(output, "  recoverable from %s to %s (%u %s, the oldest %s)", from, to,
                window->backups->len, window->backups->len == 1 ? "backup" : "backups", oldest);
}

static void print_timeline(Output *output, const WalInventory *inventory, guint32 timeline,
                           const GPtrArray *windows)
{
    WalName name;

    output_line(output, " timeline %u", timeline);
    print_ranges(output, "archived", inventory->ranges, timeline, inventory->segment_size);
    print_ranges(output, "MISSING", inventory->gaps, timeline, inventory->segment_size);
    if (inventory->streamed != NULL && wal_name_parse(inventory->streamed, &name) &&
        name.timeline == timeline) {
        g_autofree char *size = size_format(inventory->streamed_end);

        output_line(output, "  %-8s  %s, %s of it", "streamed", inventory->streamed, size);
    }
    for (guint i = 0; i < windows->len; i++) {
        const WalWindow *window = windows->pdata[i];

        if (window->to_timeline == timeline)
            print_window(output, window, inventory->segment_size);
    }
}

/* --- the command ------------------------------------------------------------------------------ */

/* All timelines that have something to tell, in order; an array of guint32. */
static GArray *timelines_of(const WalInventory *inventory)
{
    GArray *timelines = g_array_new(FALSE, FALSE, sizeof(guint32));
    WalName name;

    for (guint i = 0; i < inventory->ranges->len; i++) {
        const WalRange *range = &g_array_index(inventory->ranges, WalRange, i);

        if (timelines->len == 0 ||
            g_array_index(timelines, guint32, timelines->len - 1) != range->timeline)
            g_array_append_val(timelines, range->timeline);
    }
    if (inventory->streamed != NULL && wal_name_parse(inventory->streamed, &name) &&
        (timelines->len == 0 ||
         g_array_index(timelines, guint32, timelines->len - 1) < name.timeline))
        g_array_append_val(timelines, name.timeline);
    return timelines;
}

static gboolean list_cluster(CommandRun *run, Repository *repository, const char *source,
                             WalInventory *inventory, json_t *list, GError **error)
{
    g_autoptr(GPtrArray) lineages = NULL;
    g_autoptr(GPtrArray) windows = NULL;
    g_autoptr(GArray) timelines = timelines_of(inventory);
    g_autofree char *size = size_format(inventory->bytes);
    g_autofree char *count = count_format(inventory->files);

    if (!wal_lineages(repository, source, inventory, &lineages, error) ||
        !wal_windows(repository, source, inventory, &windows, error))
        return FALSE;
    if (inventory->segment_size != 0)
        wal_inventory_add_switches(inventory, lineages);
    output_line(run->output, "%s, system identifier %" G_GUINT64_FORMAT ": %s files, %s", source,
                inventory->system_identifier, count, size);
    for (guint i = 0; i < timelines->len; i++) {
        guint32 timeline = g_array_index(timelines, guint32, i);

        json_array_append_new(list, timeline_json(source, inventory, timeline, windows));
        print_timeline(run->output, inventory, timeline, windows);
    }
    return TRUE;
}

static gboolean list_source(CommandRun *run, Repository *repository, const char *source,
                            json_t *list, GError **error)
{
    g_autoptr(GPtrArray) inventories = NULL;

    if (!wal_archive_list(repository, source, &inventories, error))
        return FALSE;
    if (inventories->len == 0)
        output_line(run->output, "%s: no WAL is archived", source);
    for (guint i = 0; i < inventories->len; i++) {
        if (!list_cluster(run, repository, source, inventories->pdata[i], list, error))
            return FALSE;
    }
    return TRUE;
}

/* --source names one of the configuration or of the archive; without it all of the archive are
 * shown. */
static gboolean choose_sources(const Config *config, Repository *repository, GPtrArray **ret_names,
                               GError **error)
{
    g_autoptr(GPtrArray) names = NULL;

    if (!wal_archive_sources(repository, &names, error))
        return FALSE;
    if (options.source != NULL) {
        gboolean archived =
            g_ptr_array_find_with_equal_func(names, options.source, g_str_equal, NULL);

        if (!archived &&
            config_find_source(config, options.source, "postgresql", NULL, error) == NULL)
            return FALSE;
        g_ptr_array_set_size(names, 0);
        g_ptr_array_add(names, g_strdup(options.source));
    }
    *ret_names = g_steal_pointer(&names);
    return TRUE;
}

static gboolean run_list(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    g_autoptr(Repository) repository =
        config != NULL ? operation_open_repository(config, error) : NULL;
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(json_t) list = json_array();

    if (repository == NULL || !repository_unlock(repository, error) ||
        !choose_sources(config, repository, &names, error))
        return FALSE;
    if (names->len == 0)
        output_line(run->output, "no WAL is archived");
    for (guint i = 0; i < names->len; i++) {
        if (!list_source(run, repository, names->pdata[i], list, error))
            return FALSE;
    }
    output_json(run->output, g_steal_pointer(&list));
    return TRUE;
}

const Command command_wal_list = {
    .words = "wal list",
    .arguments = "",
    .summary = "show archived WAL, the gaps in it and what can be recovered",
    .description = "Per system identifier and timeline: the ranges of archived segments, the gaps "
                   "between them by "
                   "first and last missing segment, and the windows that the physical backups and "
                   "this WAL open: "
                   "from the end of the oldest backup to the last commit.",
    .example = "holdfast wal list --source market --json",
    .options = (const GOptionEntry[]){{"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
                                       "only this source", "NAME"},
                                      {NULL}},
    .reads_only = TRUE,
    .run = run_list,
};
