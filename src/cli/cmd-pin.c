/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast pin, holdfast unpin: backups that are kept whatever the rules say.
 */
#include "operation/pin.h"

#include "cli/commands.h"

static struct {
    char *note;
} options;

static gboolean run_either(CommandRun *run, gboolean pin, GError **error)
{
    g_autoptr(OperationContext) context = command_open(run, error);
    g_autofree char *id = NULL;
    gboolean changed;

    if (context == NULL ||
        !operation_pin(context, run->arguments[0], pin, options.note, &id, &changed, error))
        return FALSE;
    output_json(run->output, json_pack("{s:o, s:b, s:b}", "backup", json_text(id), "pinned", pin,
                                       "changed", changed));
    output_line(run->output, "%s %s", id,
                changed ? (pin ? "is pinned now" : "is no longer pinned")
                        : (pin ? "was pinned already" : "was not pinned"));
    return TRUE;
}

static gboolean run_pin(CommandRun *run, GError **error)
{
    return run_either(run, TRUE, error);
}

static gboolean run_unpin(CommandRun *run, GError **error)
{
    return run_either(run, FALSE, error);
}

static const GOptionEntry entries[] = {
    {"note", 0, 0, G_OPTION_ARG_FILENAME, &options.note, "why, for the record", "TEXT"},
    {NULL},
};

const Command command_pin = {
    .words = "pin",
    .arguments = "BACKUP",
    .minimum = 1,
    .maximum = 1,
    .summary = "keep a backup until it is unpinned",
    .description =
        "A pinned backup is deleted neither by delete nor by cleanup, on no host: the pin is a\n"
        "record in the repository. Its WAL is kept as well, as [retention] wal_days says.",
    .example = "holdfast pin 20261122T020000Z-market-full-k3f9 --note \"before the migration\"",
    .options = entries,
    .run = run_pin,
};

const Command command_unpin = {
    .words = "unpin",
    .arguments = "BACKUP",
    .minimum = 1,
    .maximum = 1,
    .summary = "give a pinned backup back to the retention rules",
    .description = "Nothing is deleted by this; the next cleanup goes by the rules again.",
    .example = "holdfast unpin 20261122T020000Z-market-full-k3f9",
    .options = entries,
    .run = run_unpin,
};
