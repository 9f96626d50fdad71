/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast backup tdengine full and incremental.
 */
#include "cli/backup-command.h"
#include "cli/commands.h"
#include "cli/values.h"
#include "cli/words.h"
#include "tdengine/pattern.h"

static BackupWords words;

static struct {
    char *start, *end, *since, *mode;
} options;

static gboolean fill_range(const Config *config, BackupRequest *request, GError **error)
{
    return words_time_range(config, options.start, options.end, &request->time_from,
                            &request->time_to, error);
}

static gboolean check_tables(char **given, GError **error)
{
    g_autoptr(TdPatterns) patterns = NULL;
    g_auto(GStrv) tables = NULL;

    return words_split_patterns("--tables", given, &tables, error) &&
           td_patterns_parse((const char *const *)tables, &patterns, error);
}

static gboolean check(const GOptionEntry *given, char **arguments, const Config *config,
                      GError **error)
{
    static const char *const modes[] = {"auto", "quick", "scan", NULL};
    gint64 from, to;

    return words_check_choice("--mode", values_text(given, "mode"), modes, error) &&
           words_time_range(config, values_text(given, "start"), values_text(given, "end"), &from,
                            &to, error) &&
           backup_command_check(given, error) && check_tables(values_list(given, "tables"), error);
}

static gboolean run_backup(CommandRun *run, BackupType type, GError **error)
{
    BackupRequest request = {.engine = "tdengine",
                             .type = type,
                             .since = options.since,
                             .mode = options.mode};

    return backup_command_run(run, &words, &request, fill_range, error);
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
    BACKUP_ENTRIES(words, ""),
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words.databases,
     "only these databases, a partial backup", "A,B"},
    {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &words.tables,
     "only these super, child or normal tables (* is a wildcard), a partial backup",
     "[DATABASE.]TABLE"},
    {"start", 0, 0, G_OPTION_ARG_FILENAME, &options.start,
     "only rows from this time on, a partial backup", "TIME"},
    {"end", 0, 0, G_OPTION_ARG_FILENAME, &options.end, "only rows before this time", "TIME"},
    {NULL},
};

static const GOptionEntry incremental_entries[] = {
    BACKUP_ENTRIES(words, ""),
    {"since", 0, 0, G_OPTION_ARG_FILENAME, &options.since,
     "the backup to compare with; the newest good one by default", "BACKUP"},
    {"mode", 0, 0, G_OPTION_ARG_FILENAME, &options.mode,
     "scan reads everything, quick what the server's sums and versions point at; auto chooses",
     "MODE"},
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
    .check = check,
    .run = run_full,
};

const Command command_backup_tdengine_incremental = {
    .words = "backup tdengine incremental",
    .arguments = "",
    .summary = "back up what has changed since the newest backup of a TDengine server",
    .description =
        "Where the server's versions prove that nothing was written since the base, nothing is "
        "read.\n"
        "A scan reads everything and stores the slices whose fingerprint differs: exact. The "
        "quick way\n"
        "reads slices that are recent, or whose counts, times or sums differ: its manifest says "
        "what it\n"
        "cannot see. auto scans where evidence is not complete, where the last scan is over a "
        "day old,\n"
        "and where a scan takes less than scan_below; else it is quick. An incremental is "
        "restored like\n"
        "a full, and its base can be deleted. Where no backup can be the base, a full is made, "
        "and a\n"
        "warning says why.",
    .example = "holdfast backup tdengine incremental --source market",
    .options = incremental_entries,
    .check = check,
    .run = run_incremental,
};
