/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast notify test: whether messages arrive.
 */
#include "cli/commands.h"
#include "service/notify.h"

static gboolean run_notify_test(CommandRun *run, GError **error)
{
    g_autoptr(Config) config = command_config(run, error);
    const char *name = run->arguments[0];
    g_autofree char *answer = NULL;

    if (config == NULL || !notify_test(config, name, &answer, error))
        return FALSE;
    output_line(run->output, "a test message was sent to %s", name);
    output_line(run->output, "its answer: %s", answer);
    output_json(run->output,
                json_pack("{s:o, s:o}", "name", json_text(name), "answer", json_text(answer)));
    return TRUE;
}

const Command command_notify_test = {
    .words = "notify test",
    .arguments = "NAME",
    .minimum = 1,
    .maximum = 1,
    .summary = "send a test message to a [notify NAME] of the configuration",
    .description = "Sends one message that says it is a test, at once and without a second try,\n"
                   "and shows what the other side answered. The service need not run.\n"
                   "Exit status 5 when it could not be reached.",
    .example = "holdfast notify test operators",
    .run = run_notify_test,
};
