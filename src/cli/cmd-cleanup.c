/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast cleanup: deletes what the retention rules do not keep, and what interrupted runs left
 * behind.
 */
#include "operation/cleanup.h"

#include "base/error.h"
#include "base/size.h"
#include "cli/commands.h"
#include "operation/describe.h"
#include "cli/values.h"
#include "cli/words.h"

static struct {
    gboolean dry_run, yes;
    char **sources, **unreadable;
} options;

/* --- the plan --------------------------------------------------------------------------------- */

static void print_items(Output *output, const CleanupResult *plan, gboolean kept)
{
    static const char *const headings[] = {"BACKUP", "SIZE", "REASON", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "lrl");

    for (guint i = 0; i < plan->items->len; i++) {
        const CleanupItem *item = g_ptr_array_index(plan->items, i);
        char **cells;

        if (item->keep != kept)
            continue;
        cells = g_new0(char *, 4);
        cells[0] = g_strdup(item->id);
        cells[1] = size_format(item->bytes);
        cells[2] = g_strdup(item->reason);
        output_table_add(table, cells);
    }
    output_table_print(output, table);
}

static void print_deletions(Output *output, const CleanupResult *plan)
{
    g_autofree char *folders = size_format(plan->folder_bytes);
    g_autofree char *pool = size_format(plan->pool_bytes);

    output_line(output, "%s %u of %u backups: %s at once, %s in the pool by a cleanup after grace:",
                options.dry_run ? "would delete" : "deleting", plan->deletions, plan->items->len,
                folders, pool);
    print_items(output, plan, FALSE);
}

static void print_logs(Output *output, const CleanupResult *plan)
{
    for (guint i = 0; i < plan->logs->len; i++) {
        const CleanupLogs *logs = g_ptr_array_index(plan->logs, i);
        g_autofree char *bytes = size_format(logs->bytes);

        if (logs->files == 0)
            continue;
        output_line(output, "%s %" G_GUINT64_FORMAT " WAL files of %s (%s) that no backup needs:",
                    options.dry_run ? "would remove" : "removing", logs->files, logs->source,
                    bytes);
        for (guint j = 0; j < logs->ranges->len; j++)
            output_line(output, "  %s", (const char *)logs->ranges->pdata[j]);
    }
}

static void print_plan(const CleanupResult *plan, gpointer data)
{
    Output *output = data;

    for (guint i = 0; i < plan->notes->len; i++)
        output_line(output, "note: %s", (const char *)plan->notes->pdata[i]);
    if (plan->deletions > 0)
        print_deletions(output, plan);
    print_logs(output, plan);
    if (output_is_verbose(output) && plan->items->len > plan->deletions) {
        output_line(output, "kept:");
        print_items(output, plan, TRUE);
    }
}

/* --- the result ------------------------------------------------------------------------------- */

static void print_remains(Output *output, const SweepResult *result)
{
    g_autofree char *bytes = size_format(result->bytes);

    output_line(output,
                "%s %" G_GUINT64_FORMAT " interrupted backups, %" G_GUINT64_FORMAT
                " objects (%s) and %" G_GUINT64_FORMAT " dead leases",
                options.dry_run ? "would remove" : "removed", result->backups, result->objects,
                bytes, result->leases);
}

static void print_pool(Output *output, const PoolSweepResult *result)
{
    g_autofree char *bytes = size_format(result->deleted_bytes);

    if (result->deleted > 0)
        output_line(output, "%s %" G_GUINT64_FORMAT " pool objects (%s) that no backup needs",
                    options.dry_run ? "would remove" : "removed", result->deleted, bytes);
    if (result->candidates > 0)
        output_line(output,
                    "%" G_GUINT64_FORMAT
                    " pool objects that no backup needs go with a cleanup after [retention] grace",
                    result->candidates);
}

static guint64 count_logs(const CleanupResult *result)
{
    guint64 files = 0;

    for (guint i = 0; i < result->logs->len; i++)
        files += ((const CleanupLogs *)g_ptr_array_index(result->logs, i))->files;
    return files;
}

static void print_result(Output *output, const CleanupResult *result)
{
    const SweepResult *remains = &result->remains;
    gboolean any_remains = remains->backups > 0 || remains->objects > 0 || remains->leases > 0;

    for (guint i = 0; i < result->items->len; i++) {
        const CleanupItem *item = g_ptr_array_index(result->items, i);

        if (item->spared != NULL)
            output_line(output, "%s was not deleted: %s", item->id, item->spared);
    }
    if (result->deleted > 0)
        output_line(output, "deleted %u backups", result->deleted);
    if (any_remains)
        print_remains(output, remains);
    print_pool(output, &result->pool);
    if (!any_remains && result->deletions == 0 && result->pool.deleted == 0 &&
        result->pool.candidates == 0 && count_logs(result) == 0)
        output_line(output, "nothing to clean up");
}

static json_t *item_to_json(const CleanupItem *item)
{
    json_t *object = json_object();

    json_object_set_new(object, "id", json_text(item->id));
    json_object_set_new(object, "source", json_text(item->source));
    json_object_set_new(object, "action", json_string(item->keep ? "keep" : "delete"));
    json_object_set_new(object, "reason", json_text(item->reason));
    json_object_set_new(object, "stored_size", json_integer((json_int_t)item->bytes));
    json_object_set_new(object, "spared", json_text(item->spared));
    return object;
}

static json_t *result_to_json(const CleanupResult *result)
{
    const SweepResult *remains = &result->remains;
    const PoolSweepResult *pool = &result->pool;
    json_t *object = json_object();
    json_t *backups = json_array(), *wal = json_array();

    for (guint i = 0; i < result->items->len; i++)
        json_array_append_new(backups, item_to_json(g_ptr_array_index(result->items, i)));
    for (guint i = 0; i < result->logs->len; i++) {
        const CleanupLogs *logs = g_ptr_array_index(result->logs, i);

        json_array_append_new(wal,
                              json_pack("{s:s, s:I, s:I, s:o}", "source", logs->source, "files",
                                        (json_int_t)logs->files, "bytes", (json_int_t)logs->bytes,
                                        "ranges", describe_texts(logs->ranges)));
    }
    json_object_set_new(object, "dry_run", json_boolean(options.dry_run));
    json_object_set_new(object, "backups", backups);
    json_object_set_new(object, "to_delete", json_integer(result->deletions));
    json_object_set_new(object, "deleted", json_integer(result->deleted));
    json_object_set_new(object, "folder_bytes", json_integer((json_int_t)result->folder_bytes));
    json_object_set_new(object, "pool_bytes", json_integer((json_int_t)result->pool_bytes));
    json_object_set_new(object, "wal", wal);
    json_object_set_new(object, "notes", describe_texts(result->notes));
    json_object_set_new(object, "interrupted_backups", json_integer((json_int_t)remains->backups));
    json_object_set_new(object, "objects", json_integer((json_int_t)remains->objects));
    json_object_set_new(object, "bytes", json_integer((json_int_t)remains->bytes));
    json_object_set_new(object, "leases", json_integer((json_int_t)remains->leases));
    json_object_set_new(object, "pool",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "live", (json_int_t)pool->live,
                                  "candidates", (json_int_t)pool->candidates, "deleted",
                                  (json_int_t)pool->deleted, "deleted_bytes",
                                  (json_int_t)pool->deleted_bytes, "kept_young",
                                  (json_int_t)pool->kept_young));
    return object;
}

/* --- the command ------------------------------------------------------------------------------ */

static gboolean check_sources(const Config *config, char **sources, GError **error)
{
    for (guint i = 0; sources != NULL && sources[i] != NULL; i++) {
        if (config_find_source(config, sources[i], NULL, NULL, error) == NULL)
            return FALSE;
    }
    return TRUE;
}

/* Whole ids, from whatever the user has given of them. */
static gboolean resolve_unreadable(OperationContext *context, char **given, char ***ret_ids,
                                   GError **error)
{
    g_autoptr(GStrvBuilder) ids = g_strv_builder_new();

    for (guint i = 0; given != NULL && given[i] != NULL; i++) {
        g_autofree char *id = NULL;

        if (cleanup_may_name(context->repository, given[i]))
            id = g_strdup(given[i]);
        else
            id = operation_resolve_backup(context, given[i], error);
        if (id == NULL)
            return FALSE;
        g_strv_builder_add(ids, id);
    }
    *ret_ids = g_strv_builder_end(ids);
    return TRUE;
}

static gboolean check(const GOptionEntry *given, char **arguments, const Config *config,
                      GError **error)
{
    g_auto(GStrv) sources = NULL, backups = NULL;

    return words_split("--source", values_list(given, "source"), &sources, error) &&
           words_split("--unreadable", values_list(given, "unreadable"), &backups, error) &&
           (config == NULL || check_sources(config, sources, error));
}

static gboolean run_cleanup(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_auto(GStrv) sources = NULL, given = NULL, unreadable = NULL;
    g_auto(CleanupResult) result = {0};
    CleanupRequest request = {.dry_run = options.dry_run, .yes = options.yes};

    if (context == NULL || !words_split("--source", options.sources, &sources, error) ||
        !words_split("--unreadable", options.unreadable, &given, error) ||
        !check_sources(context->config, sources, error) ||
        !resolve_unreadable(context, given, &unreadable, error))
        return FALSE;
    request.sources = (const char *const *)sources;
    request.unreadable = (const char *const *)unreadable;
    if (!operation_cleanup(context, &request, print_plan, run->output, run->cancellable, &result,
                           error))
        return FALSE;
    output_json(run->output, result_to_json(&result));
    print_result(run->output, &result);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run, "only say what would be removed",
     NULL},
    {"source", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.sources,
     "delete backups and WAL of these sources only", "NAME"},
    {"yes", 'y', 0, G_OPTION_ARG_NONE, &options.yes, "even where more than half of all backups go",
     NULL},
    {"unreadable", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.unreadable,
     "leave this backup (or pin), which cannot be read, as it is and go on", "BACKUP"},
    {NULL},
};

const Command command_cleanup = {
    .words = "cleanup",
    .arguments = "",
    .summary = "delete what the retention rules do not keep, and remains of interrupted runs",
    .description =
        "Prints the plan first: each backup that goes, its size and why ([retention]; with\n"
        "--verbose also what stays and why). Pinned backups, those in use and the newest good "
        "full\n"
        "of a source always stay, and so does the WAL that a kept backup or the days of keep_days\n"
        "and wal_days need. Then it removes unfinished backups, temporary files and dead leases\n"
        "older than [retention] grace (1h by default), and pool objects that no backup refers to\n"
        "since a cleanup that was longer ago than that.\n"
        "It deletes no backup at all where a manifest or a pin cannot be read or a backup has "
        "lost\n"
        "its SHA256SUMS (see --unreadable: what is left of the last goes then), where the clock "
        "is\n"
        "before the newest backup, or where more than half of all would go without --yes.",
    .example = "holdfast cleanup --dry-run --verbose\n  holdfast cleanup --source market",
    .options = entries,
    .check = check,
    .run = run_cleanup,
};
