/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast cleanup: removes what interrupted runs left behind.
 */
#include "operation/cleanup.h"

#include "base/size.h"
#include "cli/commands.h"

static struct {
    gboolean dry_run;
} options;

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

static json_t *result_to_json(const CleanupResult *result)
{
    const SweepResult *remains = &result->remains;
    const PoolSweepResult *pool = &result->pool;

    return json_pack("{s:b, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I, s:I, s:I}}", "dry_run",
                     options.dry_run, "interrupted_backups", (json_int_t)remains->backups,
                     "objects", (json_int_t)remains->objects, "bytes", (json_int_t)remains->bytes,
                     "leases", (json_int_t)remains->leases, "pool", "live", (json_int_t)pool->live,
                     "candidates", (json_int_t)pool->candidates, "deleted",
                     (json_int_t)pool->deleted, "deleted_bytes", (json_int_t)pool->deleted_bytes,
                     "kept_young", (json_int_t)pool->kept_young);
}

static void print_result(Output *output, const CleanupResult *result)
{
    const SweepResult *remains = &result->remains;
    gboolean any_remains = remains->backups > 0 || remains->objects > 0 || remains->leases > 0;

    output_json(output, result_to_json(result));
    if (any_remains)
        print_remains(output, remains);
    print_pool(output, &result->pool);
    if (!any_remains && result->pool.deleted == 0 && result->pool.candidates == 0)
        output_line(output, "nothing to clean up");
}

static gboolean run_cleanup(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    CleanupResult result = {0};

    if (context == NULL || !operation_cleanup(context, options.dry_run, &result, error))
        return FALSE;
    print_result(run->output, &result);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run, "only say what would be removed",
     NULL},
    {NULL},
};

const Command command_cleanup = {
    .words = "cleanup",
    .arguments = "",
    .summary = "remove what interrupted runs left behind",
    .description =
        "Removes unfinished backups, temporary files and dead leases that are older than\n"
        "[retention] grace (1h by default), and pool objects that no backup refers to since a\n"
        "cleanup that was longer ago than that. Backups are not touched.",
    .example = "holdfast cleanup --dry-run",
    .options = entries,
    .run = run_cleanup,
};
