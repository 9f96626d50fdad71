/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast delete: removes one backup.
 */
#include "operation/delete.h"

#include "cli/commands.h"

static struct {
    gboolean yes;
} options;

static gboolean run_delete(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autofree char *id = NULL;

    if (context == NULL || !operation_delete(context, run->arguments[0], options.yes, &id, error))
        return FALSE;
    output_json(run->output, json_pack("{s:o}", "deleted", json_text(id)));
    output_line(run->output, "deleted %s", id);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"yes", 'y', 0, G_OPTION_ARG_NONE, &options.yes,
     "delete even the newest good full backup of its source", NULL},
    {NULL},
};

const Command command_delete = {
    .words = "delete",
    .arguments = "BACKUP",
    .minimum = 1,
    .maximum = 1,
    .summary = "delete a backup",
    .description = "A pinned backup is never deleted, one that is being restored or verified is\n"
                   "not either, and the newest good full of a source only with --yes.",
    .example = "holdfast delete 20261122T020000Z-market-full-k3f9",
    .options = entries,
    .run = run_delete,
};
