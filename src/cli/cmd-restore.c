/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast restore postgresql full.
 */
#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/describe.h"
#include "cli/words.h"
#include "operation/restore.h"

static struct {
    char *backup_id;
    char **tables;
    char **databases;
    char *to_database;
    char *to_source;
    char *tolerance;
    int jobs;
    gboolean replace, globals, no_owner, require_rows, dry_run;
} options;

static json_t *report_json(const RestoreReport *report)
{
    json_t *object = json_object();

    json_object_set_new(object, "dry_run", json_boolean(options.dry_run));
    json_object_set_new(object, "steps", describe_texts(report->steps));
    json_object_set_new(object, "problems", describe_texts(report->problems));
    json_object_set_new(object, "warnings", describe_texts(report->warnings));
    json_object_set(object, "summary", report->summary != NULL ? report->summary : json_null());
    json_object_set_new(object, "seconds",
                        json_real((double)report->elapsed / (double)TIME_SECOND));
    json_object_set_new(object, "record", json_text(report->record));
    return object;
}

/* The plan is shown where nothing but the plan was wanted, or where it stood in the way. */
static void print_report(Output *output, const RestoreReport *report, gboolean done)
{
    g_autofree char *took = duration_format(report->elapsed);
    g_autofree char *tables = count_format(json_get_uint(report->summary, "tables", 0));
    g_autofree char *rows = count_format(json_get_uint(report->summary, "rows", 0));

    output_json(output, report_json(report));
    if (options.dry_run || output_is_verbose(output)) {
        for (guint i = 0; i < report->steps->len; i++)
            output_line(output, "%2u. %s", i + 1, (const char *)report->steps->pdata[i]);
    }
    for (guint i = 0; i < report->warnings->len && !output_is_json(output); i++)
        output_warning(output, "%s", (const char *)report->warnings->pdata[i]);
    /* The first problem is the error that follows. */
    for (guint i = 1; i < report->problems->len && !output_is_json(output); i++)
        output_warning(output, "%s", (const char *)report->problems->pdata[i]);
    if (done && options.dry_run)
        output_line(output, "dry run: it can be done; nothing was changed");
    else if (done)
        output_line(output,
                    "restored %s tables with %s rows in %s; counted and compared with the "
                    "backup",
                    tables, rows, took);
}

static gboolean fill_request(RestoreRequest *request, GError **error)
{
    if (options.backup_id == NULL) {
        error_set(error, ERROR_USAGE, "which backup shall be restored?");
        error_add_hint(error, "name it with --backup-id; holdfast list backups shows them");
        return FALSE;
    }
    request->tolerance = -1;
    if (options.tolerance != NULL &&
        !percent_parse(options.tolerance, &request->tolerance, error)) {
        g_prefix_error(error, "--tolerance: ");
        return FALSE;
    }
    request->engine = "postgresql";
    request->backup_id = options.backup_id;
    request->to_source = options.to_source;
    request->to_database = options.to_database;
    request->replace = options.replace;
    request->globals = options.globals;
    request->no_owner = options.no_owner;
    request->require_rows = options.require_rows;
    request->dry_run = options.dry_run;
    request->jobs = (guint)options.jobs;
    return words_check_jobs(options.jobs, error);
}

static gboolean run_restore(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_auto(GStrv) databases = NULL;
    g_auto(GStrv) tables = NULL;
    RestoreRequest request = {0};
    RestoreReport report = {0};
    gboolean done;

    if (!fill_request(&request, error) ||
        !words_split("--databases", options.databases, &databases, error) ||
        !words_split_patterns("--tables", options.tables, &tables, error))
        return FALSE;
    request.databases = (const char *const *)databases;
    request.tables = (const char *const *)tables;
    context = command_open(run, error);
    if (context == NULL)
        return FALSE;
    done = operation_restore(context, &request, progress, run->cancellable, &report, error);
    /* Nothing was planned where it failed before that: the error says all. */
    if (report.summary != NULL)
        print_report(run->output, &report, done);
    restore_report_clear(&report);
    return done;
}

static const GOptionEntry entries[] = {
    {"backup-id", 0, 0, G_OPTION_ARG_FILENAME, &options.backup_id,
     "the backup to restore: its id, or a beginning or end of it", "BACKUP"},
    {"databases", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.databases,
     "only these databases of the backup", "A,B"},
    {"to-database", 0, 0, G_OPTION_ARG_FILENAME, &options.to_database,
     "another name for the restored database; of several: A=X,B=Y", "NAME"},
    {"tables", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.tables,
     "only these tables: schema.table, * is a wildcard, \\ takes it literally", "A,B.*"},
    {"to-source", 0, 0, G_OPTION_ARG_FILENAME, &options.to_source,
     "another configured server to restore to", "NAME"},
    {"replace", 0, 0, G_OPTION_ARG_NONE, &options.replace, "replace databases or tables that exist",
     NULL},
    {"globals", 0, 0, G_OPTION_ARG_NONE, &options.globals, "roles and tablespaces too", NULL},
    {"no-owner", 0, 0, G_OPTION_ARG_NONE, &options.no_owner,
     "restore neither owners nor privileges", NULL},
    {"require-rows", 0, 0, G_OPTION_ARG_NONE, &options.require_rows,
     "a restored table without rows is a failure", NULL},
    {"tolerance", 0, 0, G_OPTION_ARG_FILENAME, &options.tolerance,
     "how far rows may differ from the backup: 5% (default: not at all)", "PERCENT"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "workers at the same time", "N"},
    {"dry-run", 'n', 0, G_OPTION_ARG_NONE, &options.dry_run,
     "check everything that could fail, print the plan, change nothing", NULL},
    {NULL},
};

const Command command_restore_postgresql_full = {
    .words = "restore postgresql full",
    .arguments = "",
    .summary = "restore a PostgreSQL backup, some databases or tables of it",
    .description =
        "Databases come back under their own names or those of --to-database. One that exists is\n"
        "refused without --replace; with it, the old one stays until the new one is whole. Rows\n"
        "are counted afterwards and compared with the backup: a difference is exit status 3.",
    .example =
        "holdfast restore postgresql full --backup-id k3f9 --to-database market_copy\n"
        "  holdfast restore postgresql full --backup-id k3f9 --tables 'public.trades,news.*'",
    .options = entries,
    .reads_only = TRUE,
    .run = run_restore,
};
