/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast backup tdengine full.
 */
#include "base/error.h"
#include "base/size.h"
#include "cli/backup-result.h"
#include "cli/commands.h"
#include "cli/words.h"
#include "operation/backup.h"

static struct {
    char *source;
    char **databases;
    char **tables;
    char *start, *end;
    int jobs;
    char *compression;
    char *rate;
} options;

static gboolean parse_rate(guint64 *ret_rate, GError **error)
{
    if (options.rate == NULL || size_parse(options.rate, ret_rate, error))
        return TRUE;
    g_prefix_error(error, "--rate: ");
    return FALSE;
}

static gboolean run_full(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_auto(GStrv) databases = NULL, tables = NULL;
    BackupRequest request = {.engine = "tdengine", .type = BACKUP_FULL};

    if (!words_check_jobs(options.jobs, error) || !parse_rate(&request.rate, error) ||
        !words_split("--databases", options.databases, &databases, error) ||
        !words_split_patterns("--tables", options.tables, &tables, error))
        return FALSE;
    context = command_open(run, error);
    if (context == NULL || !words_time_range(context->config, options.start, options.end,
                                             &request.time_from, &request.time_to, error))
        return FALSE;
    request.source = options.source;
    request.databases = (const char *const *)databases;
    request.tables = (const char *const *)tables;
    request.compression = options.compression;
    request.jobs = (guint)options.jobs;
    if (!operation_backup(context, &request, progress, run->cancellable, &manifest, error))
        return FALSE;
    return backup_result_finish(run, context, manifest, error);
}

static const GOptionEntry full_entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
     "what to back up; needed where several sources fit", "NAME"},
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.databases,
     "only these databases, a partial backup", "A,B"},
    {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.tables,
     "only these super, child or normal tables (* is a wildcard), a partial backup",
     "[DATABASE.]TABLE"},
    {"start", 0, 0, G_OPTION_ARG_FILENAME, &options.start,
     "only rows from this time on, a partial backup", "TIME"},
    {"end", 0, 0, G_OPTION_ARG_FILENAME, &options.end, "only rows before this time", "TIME"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "connections at the same time", "N"},
    {"rate", 0, 0, G_OPTION_ARG_FILENAME, &options.rate, "read at most this much a second (200M)",
     "SIZE"},
    {"compression", 0, 0, G_OPTION_ARG_FILENAME, &options.compression,
     "codec and level of the Parquet files: zstd:3, gzip:1, lz4, none", "SPEC"},
    {NULL},
};

const Command command_backup_tdengine_full = {
    .words = "backup tdengine full",
    .arguments = "",
    .summary = "back up a TDengine server",
    .description =
        "Everything that is needed to rebuild the databases of the source: schema, the exact tags\n"
        "of every child table, and all rows as Parquet, read by plain scans and counted. Rows "
        "that\n"
        "are written meanwhile may be in it or not; what changed is named in the backup. A backup\n"
        "that was interrupted does not exist.",
    .example = "holdfast backup tdengine full --source market",
    .options = full_entries,
    .run = run_full,
};
