/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast restore tdengine full.
 */
#include "base/error.h"
#include "base/size.h"
#include "cli/commands.h"
#include "cli/restore-report.h"
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
} options;

static gboolean fill_request(RestoreRequest *request, GError **error)
{
    request->tolerance = -1;
    if (options.tolerance != NULL &&
        !percent_parse(options.tolerance, &request->tolerance, error)) {
        g_prefix_error(error, "--tolerance: ");
        return FALSE;
    }
    if (options.replace && options.merge) {
        error_set(error, ERROR_USAGE, "--replace drops tables, --merge keeps them: choose one");
        return FALSE;
    }
    request->engine = "tdengine";
    request->backup_id = options.backup_id;
    request->to_source = options.to_source;
    request->to_database = options.to_database;
    request->replace = options.replace;
    request->merge = options.merge;
    request->deep = options.deep;
    request->globals = options.globals;
    request->require_rows = options.require_rows;
    request->dry_run = options.dry_run;
    request->jobs = (guint)options.jobs;
    return words_check_jobs(options.jobs, error);
}

static gboolean run_request(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_auto(GStrv) databases = NULL, tables = NULL;
    RestoreRequest request = {0};
    RestoreReport report = {0};
    const RestoreShown shown = {options.dry_run, FALSE};
    gboolean done;

    if (!fill_request(&request, error) ||
        !words_split("--databases", options.databases, &databases, error) ||
        !words_split_patterns("--tables", options.tables, &tables, error))
        return FALSE;
    request.databases = (const char *const *)databases;
    request.tables = (const char *const *)tables;
    context = command_open(run, error);
    if (context == NULL || !words_time_range(context->config, options.start, options.end,
                                             &request.time_from, &request.time_to, error))
        return FALSE;
    done = operation_restore(context, &request, progress, run->cancellable, &report, error);
    /* Nothing was planned where it failed before that: the error says all. */
    if (report.summary != NULL)
        restore_report_print(run->output, &report, &shown, done);
    restore_report_clear(&report);
    return done;
}

static gboolean run_full(CommandRun *run, GError **error)
{
    if (options.backup_id == NULL) {
        error_set(error, ERROR_USAGE, "which backup shall be restored?");
        error_add_hint(error, "name it with --backup-id; holdfast list backups shows them");
        return FALSE;
    }
    return run_request(run, error);
}

static const GOptionEntry full_entries[] = {
    {"backup-id", 0, 0, G_OPTION_ARG_FILENAME, &options.backup_id,
     "the backup to restore: its id, or a beginning or end of it", "BACKUP"},
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.databases,
     "only these databases of the backup", "A,B"},
    {"to-database", 0, 0, G_OPTION_ARG_FILENAME, &options.to_database,
     "another name for the restored database; of several: A=X,B=Y", "NAME"},
    {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.tables,
     "only these super, child or normal tables; * is a wildcard", "[DATABASE.]TABLE"},
    {"start", 0, 0, G_OPTION_ARG_FILENAME, &options.start, "only rows from this time on", "TIME"},
    {"end", 0, 0, G_OPTION_ARG_FILENAME, &options.end, "only rows before this time", "TIME"},
    {"to-source", 0, 0, G_OPTION_ARG_FILENAME, &options.to_source,
     "another configured server to restore to", "NAME"},
    {"replace", 0, 0, G_OPTION_ARG_NONE, &options.replace,
     "drop databases or chosen tables that exist, and make them again", NULL},
    {"merge", 0, 0, G_OPTION_ARG_NONE, &options.merge,
     "write the rows into tables that exist; rows of the same time are replaced", NULL},
    {"deep", 0, 0, G_OPTION_ARG_NONE, &options.deep,
     "read everything back and compare fingerprints, not counts only", NULL},
    {"globals", 0, 0, G_OPTION_ARG_NONE, &options.globals,
     "functions and grants too, as far as the backup has them", NULL},
    {"require-rows", 0, 0, G_OPTION_ARG_NONE, &options.require_rows,
     "a restored super or normal table without rows is a failure", NULL},
    {"tolerance", 0, 0, G_OPTION_ARG_FILENAME, &options.tolerance,
     "how far rows may differ from the backup: 5% (default: not at all)", "PERCENT"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "connections at the same time", "N"},
    {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run,
     "check everything that could fail, print the plan, change nothing", NULL},
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
