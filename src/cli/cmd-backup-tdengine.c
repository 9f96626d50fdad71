/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast backup tdengine full and incremental.
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
    char *since;
    char *mode;
} options;

static gboolean parse_rate(guint64 *ret_rate, GError **error)
{
    if (options.rate == NULL || size_parse(options.rate, ret_rate, error))
        return TRUE;
    g_prefix_error(error, "--rate: ");
    return FALSE;
}

static gboolean check_mode(GError **error)
{
    static const char *const modes[] = {"auto", "scan", NULL};

    if (options.mode == NULL || g_strv_contains(modes, options.mode))
        return TRUE;
    error_set(error, ERROR_USAGE, "--mode: \"%s\" is none of auto, scan", options.mode);
    return FALSE;
}

static gboolean run_backup(CommandRun *run, BackupType type, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(Manifest) manifest = NULL;
    g_auto(GStrv) databases = NULL, tables = NULL;
    BackupRequest request = {.engine = "tdengine", .type = type};

    if (!check_mode(error) || !words_check_jobs(options.jobs, error) ||
        !parse_rate(&request.rate, error) ||
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
    request.since = options.since;
    request.mode = options.mode;
    request.jobs = (guint)options.jobs;
    if (!operation_backup(context, &request, progress, run->cancellable, &manifest, error))
        return FALSE;
    return backup_result_finish(run, context, manifest, error);
}

static gboolean run_full(CommandRun *run, GError **error)
{
    return run_backup(run, BACKUP_FULL, error);
}

static gboolean run_incremental(CommandRun *run, GError **error)
{
    return run_backup(run, BACKUP_INCREMENTAL, error);
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

static const GOptionEntry incremental_entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source,
     "what to back up; needed where several sources fit", "NAME"},
    {"since", 0, 0, G_OPTION_ARG_FILENAME, &options.since,
     "the backup to compare with; the newest good one by default", "BACKUP"},
    {"mode", 0, 0, G_OPTION_ARG_FILENAME, &options.mode,
     "scan reads everything; auto does not where the server's versions prove that nothing changed",
     "MODE"},
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

const Command command_backup_tdengine_incremental = {
    .words = "backup tdengine incremental",
    .arguments = "",
    .summary = "back up what has changed since the newest backup of a TDengine server",
    .description =
        "Where the server's versions prove that nothing was written since the base, nothing is "
        "read.\n"
        "Else everything is read and compared by fingerprint, slice by slice, and only slices "
        "that\n"
        "differ are stored: late rows, updates and deletes are found wherever they are. It is "
        "restored\n"
        "like a full, and its base can be deleted. Where no backup can be the base, a full is "
        "made,\n"
        "and a warning says why.",
    .example = "holdfast backup tdengine incremental --source market",
    .options = incremental_entries,
    .run = run_incremental,
};
