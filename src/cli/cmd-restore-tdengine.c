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

static struct {
    char *backup_id;
    char **tables;
    char **databases;
    char *to_database;
    char *to_source;
    char *start, *end;
    char *tolerance;
    int jobs;
    gboolean replace, merge, deep, globals, require_rows, dry_run;

    /* to a point in time */
    char *source;
    char *time, *fill, *until;
} options;

static gboolean fill_request(RestoreRequest *request, GError **error)
{
    if (options.replace && options.merge) {
        error_set(error, ERROR_USAGE, "--replace drops tables, --merge keeps them: choose one");
        return FALSE;
    }
    request->engine = "tdengine";
    request->source = options.source;
    request->to_source = options.to_source;
    request->to_database = options.to_database;
    request->replace = options.replace;
    request->merge = options.merge;
    request->deep = options.deep;
    request->globals = options.globals;
    request->require_rows = options.require_rows;
    request->dry_run = options.dry_run;
    return TRUE;
}

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
    const RestoreWords words = {.backup_id = options.backup_id,
                                .tolerance = options.tolerance,
                                .databases = options.databases,
                                .tables = options.tables,
                                .jobs = options.jobs};
    RestoreRequest request = {0};

    return fill_request(&request, error) && restore_command_run(run, &words, &request, fill, error);
}

static gboolean run_full(CommandRun *run, GError **error)
{
    return restore_command_need_backup(options.backup_id, error) &&
           run_request(run, fill_range, error);
}

static gboolean run_pitr(CommandRun *run, GError **error)
{
    return run_request(run, fill_target, error);
}

/* What both commands take. */
#define COMMON_ENTRIES                                                                             \
    {"databases",                                                                                  \
     0,                                                                                            \
     0,                                                                                            \
     G_OPTION_ARG_FILENAME_ARRAY,                                                                  \
     &options.databases,                                                                           \
     "only these databases of the backup",                                                         \
     "A,B"},                                                                                       \
        {"to-database",                                                                            \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &options.to_database,                                                                     \
         "another name for the restored database; of several: A=X,B=Y",                            \
         "NAME"},                                                                                  \
        {"tables",                                                                                 \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME_ARRAY,                                                              \
         &options.tables,                                                                          \
         "only these super, child or normal tables; * is a wildcard",                              \
         "[DATABASE.]TABLE"},                                                                      \
        {"to-source",                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &options.to_source,                                                                       \
         "another configured server to restore to",                                                \
         "NAME"},                                                                                  \
        {"replace",                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.replace,                                                                         \
         "drop databases or chosen tables that exist, and make them again",                        \
         NULL},                                                                                    \
        {"deep",                                                                                   \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.deep,                                                                            \
         "read everything back and compare fingerprints, not counts only",                         \
         NULL},                                                                                    \
        {"globals",                                                                                \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.globals,                                                                         \
         "functions and grants too, as far as the backup has them",                                \
         NULL},                                                                                    \
        {"require-rows",                                                                           \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_NONE,                                                                        \
         &options.require_rows,                                                                    \
         "a restored super or normal table without rows is a failure",                             \
         NULL},                                                                                    \
        {"tolerance",                                                                              \
         0,                                                                                        \
         0,                                                                                        \
         G_OPTION_ARG_FILENAME,                                                                    \
         &options.tolerance,                                                                       \
         "how far rows may differ from the backup: 5% (default: not at all)",                      \
         "PERCENT"},                                                                               \
        {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "connections at the same time", "N"},      \
    {                                                                                              \
        "dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run,                                    \
            "check everything that could fail, print the plan, change nothing", NULL               \
    }

static const GOptionEntry full_entries[] = {
    {"backup-id", 0, 0, G_OPTION_ARG_FILENAME, &options.backup_id,
     "the backup to restore: its id, or a beginning or end of it", "BACKUP"},
    {"start", 0, 0, G_OPTION_ARG_FILENAME, &options.start, "only rows from this time on", "TIME"},
    {"end", 0, 0, G_OPTION_ARG_FILENAME, &options.end, "only rows before this time", "TIME"},
    {"merge", 0, 0, G_OPTION_ARG_NONE, &options.merge,
     "write the rows into tables that exist; rows of the same time are replaced", NULL},
    COMMON_ENTRIES,
    {NULL},
};

static const GOptionEntry pitr_entries[] = {
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source, "whose backups", "NAME"},
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
