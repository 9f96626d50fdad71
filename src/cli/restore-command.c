/* SPDX-License-Identifier: Apache-2.0
 *
 * From words to a restore, and its plan and result for people and as JSON.
 */
#include "cli/restore-command.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "operation/describe.h"
#include "cli/words.h"

static json_t *report_json(const RestoreReport *report, const RestoreRequest *request)
{
    json_t *object = json_object();

    json_object_set_new(object, "dry_run", json_boolean(request->dry_run));
    json_object_set_new(object, "steps", describe_texts(report->steps));
    json_object_set_new(object, "problems", describe_texts(report->problems));
    json_object_set_new(object, "warnings", describe_texts(report->warnings));
    json_object_set(object, "summary", report->summary != NULL ? report->summary : json_null());
    json_object_set_new(object, "seconds",
                        json_real((double)report->elapsed / (double)TIME_SECOND));
    json_object_set_new(object, "record", json_text(report->record));
    return object;
}

/* How to look at a server that waits at its target, and how to go on. */
static void print_directory(Output *output, const RestoreReport *report)
{
    const json_t *summary = report->summary;
    const char *directory = json_get_string(summary, "directory", "");
    const char *state = json_get_string(summary, "state", NULL);
    const char *config_file = json_get_string(summary, "config_file", NULL);
    g_autofree char *took = duration_format(report->elapsed);
    g_autofree char *bytes = size_format(json_get_uint(summary, "bytes", 0));

    output_line(output, "restored %s into %s in %s", bytes, directory, took);
    if (state != NULL)
        output_line(output, "recovered to %s: %s", json_get_string(summary, "target", ""), state);
    else
        output_line(output, "start PostgreSQL there: it recovers to %s, then: %s",
                    json_get_string(summary, "target", ""), json_get_string(summary, "action", ""));
    if (config_file != NULL)
        output_line(output,
                    "its configuration is not in there, so name it at the start: -c config_file=%s "
                    "-c data_directory=%s",
                    config_file, directory);
    if (strcmp(json_get_string(summary, "action", ""), "pause") == 0)
        output_line(output, "paused it can be read; go on with SELECT pg_wal_replay_resume(), or "
                            "set another target and start it again");
}

/* "2 tables", and of TDengine "2 tables and 10,000 child tables", as the backup counted those. */
static char *describe_tables(const json_t *summary)
{
    guint64 count = json_get_uint(summary, "tables", 0);
    guint64 child_count = json_get_uint(summary, "child_tables", 0);
    g_autofree char *tables = count_format(count), *children = count_format(child_count);

    if (child_count == 0)
        return g_strdup_printf("%s table%s", tables, count == 1 ? "" : "s");
    return g_strdup_printf("%s table%s and %s child table%s", tables, count == 1 ? "" : "s",
                           children, child_count == 1 ? "" : "s");
}

static void print_done(Output *output, const RestoreReport *report, const RestoreRequest *request)
{
    g_autofree char *took = duration_format(report->elapsed);
    g_autofree char *tables = describe_tables(report->summary);
    guint64 count = json_get_uint(report->summary, "rows", 0);
    g_autofree char *rows = count_format(count);

    if (request->dry_run)
        output_line(output, "dry run: it can be done; nothing was changed");
    else if (request->place.directory != NULL)
        print_directory(output, report);
    else
        output_line(output, "restored %s with %s %s in %s; counted and compared with the backup",
                    tables, rows, count == 1 ? "row" : "rows", took);
}

/* The plan is shown where nothing but the plan was wanted, or where it stood in the way. */
static void print_report(Output *output, const RestoreReport *report, const RestoreRequest *request,
                         gboolean done)
{
    output_json(output, report_json(report, request));
    if (request->dry_run || output_is_verbose(output)) {
        for (guint i = 0; i < report->steps->len; i++)
            output_line(output, "%2u. %s", i + 1, (const char *)report->steps->pdata[i]);
    }
    for (guint i = 0; i < report->warnings->len && !output_is_json(output); i++)
        output_warning(output, "%s", (const char *)report->warnings->pdata[i]);
    /* The first problem is the error that follows. */
    for (guint i = 1; i < report->problems->len && !output_is_json(output); i++)
        output_warning(output, "%s", (const char *)report->problems->pdata[i]);
    if (done)
        print_done(output, report, request);
}

static gboolean take_words(const RestoreWords *words, RestoreRequest *request, GError **error)
{
    request->backup_id = words->backup_id;
    request->source = words->source;
    request->to_source = words->to_source;
    request->to_database = words->to_database;
    request->replace = words->replace;
    request->globals = words->globals;
    request->require_rows = words->require_rows;
    request->dry_run = words->dry_run;
    request->jobs = (guint)words->jobs;
    request->tolerance = -1;
    if (words->tolerance != NULL && !percent_parse(words->tolerance, &request->tolerance, error)) {
        g_prefix_error(error, "--tolerance: ");
        return FALSE;
    }
    return words_check_jobs(words->jobs, error);
}

gboolean restore_command_run(CommandRun *run, const RestoreWords *words, RestoreRequest *request,
                             RestoreFill fill, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    g_auto(GStrv) databases = NULL, tables = NULL;
    RestoreReport report = {0};
    gboolean done;

    if (!take_words(words, request, error) ||
        !words_split("--databases", words->databases, &databases, error) ||
        !words_split_patterns("--tables", words->tables, &tables, error))
        return FALSE;
    request->databases = (const char *const *)databases;
    request->tables = (const char *const *)tables;
    context = command_open(run, error);
    if (context == NULL || (fill != NULL && !fill(context->config, request, error)))
        return FALSE;
    done = operation_restore(context, request, progress, run->cancellable, &report, error);
    /* Nothing was planned where it failed before that: the error says all. */
    if (report.summary != NULL)
        print_report(run->output, &report, request, done);
    restore_report_clear(&report);
    return done;
}

gboolean restore_command_need_backup(const char *backup_id, GError **error)
{
    if (backup_id != NULL)
        return TRUE;
    error_set(error, ERROR_USAGE, "which backup shall be restored?");
    error_add_hint(error, "name it with --backup-id; holdfast list backups shows them");
    return FALSE;
}
