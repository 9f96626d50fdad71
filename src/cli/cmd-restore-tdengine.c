/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast restore tdengine full, holdfast restore tdengine pitr.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/restore-command.h"
#include "cli/words.h"

static RestoreWords words;

static struct {
    char *start, *end;
    gboolean merge, deep;

    /* to a point in time */
    char *time, *fill, *until;
} options;

static gboolean fill_range(const Config *config, RestoreRequest *request, GError **error)
{
    return words_time_range(config, options.start, options.end, &request->time_from,
                            &request->time_to, error);
}

static gboolean fill_target(const Config *config, RestoreRequest *request, GError **error)
{
    GTimeZone *zone = config_time_zone(config);

    request->recovery.to = RECOVER_TIME;
    request->fill_until = G_MININT64;
    request->fill = options.fill == NULL || strcmp(options.fill, "event-time") == 0;
    if (options.time == NULL) {
        error_set(error, ERROR_USAGE, "to which moment? give --target-time");
        return FALSE;
    }
    if (!request->fill && strcmp(options.fill, "none") != 0) {
        error_set(error, ERROR_USAGE, "--fill %s: expected event-time or none", options.fill);
        return FALSE;
    }
    if (!request->fill && options.until != NULL) {
        error_set(error, ERROR_USAGE, "--event-until does not go with --fill none");
        return FALSE;
    }
    return time_parse(options.time, zone, &request->recovery.time, error) &&
           (options.until == NULL || time_parse(options.until, zone, &request->fill_until, error));
}

static gboolean run_request(CommandRun *run, RestoreFill fill, GError **error)
{
    RestoreRequest request = {.engine = "tdengine", .merge = options.merge, .deep = options.deep};

    if (words.replace && options.merge) {
        error_set(error, ERROR_USAGE, "--replace drops tables, --merge keeps them: choose one");
        return FALSE;
    }
    return restore_command_run(run, &words, &request, fill, error);
}

static gboolean run_full(CommandRun *run, GError **error)
{
    return restore_command_need_backup(words.backup_id, error) &&
           run_request(run, fill_range, error);
}

static gboolean run_pitr(CommandRun *run, GError **error)
{
    return run_request(run, fill_target, error);
}

/* What both commands take. */
#define COMMON_ENTRIES                                                                             \
    {"deep",                                                                                       \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_NONE,                                                                            \
     &options.deep,                                                                                \
     "read everything back and compare fingerprints, not counts only",                             \
     NULL},                                                                                        \
        RESTORE_GLOBALS_ENTRY(words, "functions and grants too, as far as the backup has them"),   \
        RESTORE_ENTRIES(words, "super, child or normal tables; * is a wildcard",                   \
                        "[DATABASE.]TABLE")

static const GOptionEntry full_entries[] = {
    RESTORE_BACKUP_ENTRY(words),
    {"start", 0, 0, G_OPTION_ARG_FILENAME, &options.start, "only rows from this time on", "TIME"},
    {"end", 0, 0, G_OPTION_ARG_FILENAME, &options.end, "only rows before this time", "TIME"},
    {"merge", 0, 0, G_OPTION_ARG_NONE, &options.merge,
     "write the rows into tables that exist; rows of the same time are replaced", NULL},
    COMMON_ENTRIES,
    {NULL},
};

static const GOptionEntry pitr_entries[] = {
    RESTORE_SOURCE_ENTRY(words),
    {"target-time", 0, 0, G_OPTION_ARG_FILENAME, &options.time,
     "to a moment, ISO 8601; without a zone in the configured time_zone", "TIME"},
    {"fill", 0, 0, G_OPTION_ARG_FILENAME, &options.fill,
     "behind the recorded state: event-time (default), rows of the next backup; none", "HOW"},
    {"event-until", 0, 0, G_OPTION_ARG_FILENAME, &options.until,
     "fill in rows up to this event time, not up to the target", "TIME"},
    COMMON_ENTRIES,
    {NULL},
};

const Command command_restore_tdengine_full = {
    .words = "restore tdengine full",
    .arguments = "",
    .summary = "restore a TDengine backup, some databases or tables of it",
    .description =
        "Databases come back under their own names or those of --to-database. One that exists is\n"
        "refused without --replace; TDengine cannot rename a database, so that the old one goes\n"
        "before the new one is there, after the whole backup was verified. With --tables the\n"
        "database may exist, and only a chosen table that exists is refused. Every table is\n"
        "counted afterwards and compared: a difference is exit status 3. A restore that was\n"
        "interrupted is run again as it was: what it left half made is dropped and made anew.",
    .example = "holdfast restore tdengine full --backup-id k3f9 --to-database market_copy --deep\n"
               "  holdfast restore tdengine full --backup-id k3f9 --tables 'ticks,bars*'",
    .options = full_entries,
    .reads_only = TRUE,
    .run = run_full,
};

const Command command_restore_tdengine_pitr = {
    .words = "restore tdengine pitr",
    .arguments = "",
    .summary = "restore TDengine to a point in time",
    .description =
        "Takes the newest recorded state at or before the target, and then the rows of the\n"
        "following backup whose event time lies between that state and the target: for data that\n"
        "is mostly appended, what was there at that moment. --fill none leaves it at the state.\n"
        "--dry-run prints which state and which times. A target outside of what the backups\n"
        "cover is refused. Databases and tables are chosen, named and replaced as by full.",
    .example = "holdfast restore tdengine pitr --target-time '2026-11-22 09:59:59' \\\n"
               "    --to-database market_before --dry-run",
    .options = pitr_entries,
    .reads_only = TRUE,
    .run = run_pitr,
};
