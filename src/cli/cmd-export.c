/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast export: a backup as plain files.
 */
#include "base/error.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cli/words.h"
#include "operation/export.h"

static struct {
    char *directory;
    char **tablespaces;
    int jobs;
} options;

static void print_report(Output *output, const ExportReport *report, const char *directory)
{
    g_autofree char *bytes = size_format(report->bytes);

    output_json(output, json_pack("{s:o, s:s, s:I, s:I}", "directory", json_text(directory), "kind",
                                  report->physical ? "data-directory" : "files", "files",
                                  (json_int_t)report->files, "bytes", (json_int_t)report->bytes));
    if (report->physical)
        output_line(output, "exported %s into the data directory %s", bytes, directory);
    else
        output_line(output, "exported %" G_GUINT64_FORMAT " files, %s, into %s", report->files,
                    bytes, directory);
}

static gboolean run_export(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autofree char *directory = NULL;
    ExportRequest request = {.backup_id = run->arguments[0],
                             .tablespaces = (const char *const *)options.tablespaces,
                             .jobs = (guint)options.jobs};
    ExportReport report;

    if (!words_check_jobs(options.jobs, error))
        return FALSE;
    if (options.directory == NULL) {
        error_set(error, ERROR_USAGE, "where shall the backup be exported to?");
        error_add_hint(error, "name a directory with --to");
        return FALSE;
    }
    directory = g_canonicalize_filename(options.directory, NULL);
    request.directory = directory;
    context = command_open(run, error);
    if (context == NULL ||
        !operation_export(context, &request, progress, run->cancellable, &report, error))
        return FALSE;
    print_report(run->output, &report, directory);
    return TRUE;
}

static const GOptionEntry entries[] = {
    {"to", 0, 0, G_OPTION_ARG_FILENAME, &options.directory,
     "directory to write; empty, or not there yet", "DIR"},
    {"tablespace", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.tablespaces,
     "physical backups: where a tablespace goes", "OLD=NEW"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "physical backups: workers at the same time",
     "N"},
    {NULL},
};

const Command command_export = {
    .words = "export",
    .arguments = "BACKUP",
    .minimum = 1,
    .maximum = 1,
    .summary = "write a backup as plain files, for other tools",
    .description =
        "Decrypted and decompressed: pg_dump archives, which pg_restore reads; TDengine's rows as\n"
        "Parquet; of a physical backup a data directory with backup_manifest and WAL, as after a\n"
        "restore. Everything is checked on the way.",
    .example = "holdfast export 20261122T020000Z-market-full-k3f9 --to /srv/plain",
    .options = entries,
    .reads_only = TRUE,
    .run = run_export,
};
