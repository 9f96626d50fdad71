/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast catalog rebuild: makes the index anew from the repository.
 */
#include "cli/commands.h"

static gboolean run_rebuild(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    guint64 backups = 0;

    if (context == NULL || !catalog_rebuild(context->catalog, &backups, error))
        return FALSE;
    output_json(run->output, json_pack("{s:I}", "backups", (json_int_t)backups));
    output_line(run->output, "the catalog was rebuilt: %" G_GUINT64_FORMAT " %s", backups,
                backups == 1 ? "backup" : "backups");
    return TRUE;
}

const Command command_catalog_rebuild = {
    .words = "catalog rebuild",
    .arguments = "",
    .summary = "rebuild the index of backups from the repository",
    .description =
        "The repository is the truth; the catalog only makes lists quick. The history of\n"
        "jobs is kept.",
    .example = "holdfast catalog rebuild",
    .run = run_rebuild,
};
