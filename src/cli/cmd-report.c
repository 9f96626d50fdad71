/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast report: what is proved of a backup.
 */
#include "operation/report.h"

#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/report-text.h"

static struct {
    char *format;
} options;

static gboolean check_format(GError **error)
{
    static const char *const formats[] = {"text", "json", "html", NULL};

    if (options.format == NULL || g_strv_contains(formats, options.format))
        return TRUE;
    error_set(error, ERROR_USAGE, "--format: \"%s\" is none of text, json, html", options.format);
    return FALSE;
}

static gboolean run_report(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(json_t) report = NULL;
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (!check_format(error))
        return FALSE;
    context = command_open(run, error);
    report = context != NULL ? operation_report(context, run->arguments[0], error) : NULL;
    if (report == NULL)
        return FALSE;
    output_json(run->output, json_incref(report));
    if (g_strcmp0(options.format, "json") == 0)
        text = json_write(report, TRUE);
    else if (g_strcmp0(options.format, "html") == 0)
        text = report_to_html(report);
    else
        text = report_to_text(report);
    lines = g_strsplit(g_strchomp(text), "\n", -1);
    for (guint i = 0; lines[i] != NULL; i++)
        output_line(run->output, "%s", lines[i]);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"format", 0, 0, G_OPTION_ARG_FILENAME, &options.format, "text (the default), json or html",
     "FORMAT"},
    {NULL},
};

const Command command_report = {
    .words = "report",
    .arguments = "BACKUP",
    .minimum = 1,
    .maximum = 1,
    .summary = "show what was checked of a backup, when, how, and with which result",
    .description =
        "Every verify, drill and restore of the backup that is on record in the repository: the\n"
        "level and what was looked at by number, findings by object and table, rows expected and\n"
        "found, tolerance, versions, times. Checks nothing itself. Each record carries a\n"
        "checksum, which is checked, and so does the report.",
    .example = "holdfast report BACKUP\n"
               "  holdfast report BACKUP --format html > report.html",
    .options = entries,
    .reads_only = TRUE,
    .run = run_report,
};
