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

static void print_result(Output *output, const SweepResult *result)
{
    g_autofree char *bytes = size_format(result->bytes);

    output_json(output, json_pack("{s:b, s:I, s:I, s:I, s:I}", "dry_run", options.dry_run,
                                  "interrupted_backups", (json_int_t)result->backups, "objects",
                                  (json_int_t)result->objects, "bytes", (json_int_t)result->bytes,
                                  "leases", (json_int_t)result->leases));
    if (result->backups == 0 && result->objects == 0 && result->leases == 0)
        output_line(output, "nothing to clean up");
    else
        output_line(output,
                    "%s %" G_GUINT64_FORMAT " interrupted backups, %" G_GUINT64_FORMAT
                    " objects (%s) and %" G_GUINT64_FORMAT " dead leases",
                    options.dry_run ? "would remove" : "removed", result->backups, result->objects,
                    bytes, result->leases);
}

static gboolean run_cleanup(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    SweepResult result = {0};

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
        "[retention] grace (1h by default). Backups are not touched.",
    .example = "holdfast cleanup --dry-run",
    .options = entries,
    .run = run_cleanup,
};
