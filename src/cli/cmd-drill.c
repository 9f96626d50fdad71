/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast drill: does it restore, and how long does that take?
 */
#include "operation/drill.h"

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/values.h"
#include "cli/words.h"

static struct {
    char *backup_id;
    char *target_time;
    int jobs;
} options;

static double check_seconds(const RestoreReport *report)
{
    return json_number_value(json_object_get(report->summary, "check_seconds"));
}

static json_t *report_json(const RestoreReport *report, gboolean done)
{
    double seconds = (double)report->elapsed / (double)TIME_SECOND;
    json_t *json = json_object();
    json_t *warnings = json_array();

    for (guint i = 0; i < report->warnings->len; i++)
        json_array_append_new(warnings, json_text(report->warnings->pdata[i]));
    json_object_set_new(json, "result", json_string(done ? "succeeded" : "failed"));
    json_object_set_new(json, "record", json_text(report->record));
    json_object_set_new(json, "seconds", json_real(seconds - check_seconds(report)));
    json_object_set_new(json, "total_seconds", json_real(seconds));
    json_object_set_new(json, "warnings", warnings);
    json_object_set(json, "summary", report->summary);
    return json;
}

static void print_report(Output *output, const RestoreReport *report, gboolean done)
{
    gint64 checks = (gint64)(check_seconds(report) * (double)TIME_SECOND);
    g_autofree char *took = duration_format(report->elapsed - checks);
    g_autofree char *looked = duration_format(checks);
    const json_t *tables = json_object_get(report->summary, "tables");
    guint64 filled = json_get_uint(report->summary, "filled", 0);
    const char *amcheck = json_get_string(report->summary, "amcheck", NULL);
    const char *prints = json_get_string(report->summary, "fingerprints", NULL);

    output_json(output, report_json(report, done));
    if (done) {
        output_line(output, "restored in %s, looked at in %s", took, looked);
        if (filled > 0)
            output_line(output,
                        "%" G_GUINT64_FORMAT
                        " rows of the next backup were filled in behind the state",
                        filled);
        output_line(output, "%" G_GSIZE_FORMAT " table%s counted%s%s%s%s", json_array_size(tables),
                    json_array_size(tables) == 1 ? "" : "s",
                    amcheck != NULL ? ", pg_amcheck: " : "", amcheck != NULL ? amcheck : "",
                    prints != NULL ? ", fingerprints: " : "", prints != NULL ? prints : "");
        output_line(output, "everything is removed; the report: holdfast report %s",
                    report->backup);
    }
    for (guint i = 0; i < report->warnings->len; i++)
        output_warning(output, "%s", (const char *)report->warnings->pdata[i]);
}

static gboolean check(const GOptionEntry *given, char **arguments, const Config *config,
                      GError **error)
{
    gint64 when;

    return (config == NULL ||
            config_find_source(config, arguments[0], NULL, NULL, error) != NULL) &&
           words_check_jobs(values_number(given, "jobs"), error) &&
           words_time(config, "--target-time", values_text(given, "target-time"), &when, error);
}

static gboolean run_drill(CommandRun *run, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(OperationContext) context = NULL;
    EngineTarget target = {.to = RECOVER_TIME};
    RestoreReport report = {0};
    gboolean done;

    context = command_open(run, error);
    if (context == NULL ||
        !words_time(context->config, "--target-time", options.target_time, &target.time, error))
        return FALSE;
    const DrillRequest request = {.source = run->arguments[0],
                                  .backup_id = options.backup_id,
                                  .recovery = options.target_time != NULL ? &target : NULL,
                                  .jobs = (guint)options.jobs};

    done = operation_drill(context, &request, progress, run->cancellable, &report, error);
    if (report.warnings != NULL)
        print_report(run->output, &report, done);
    restore_report_clear(&report);
    return done;
}

static const GOptionEntry entries[] = {
    {"backup-id", 0, 0, G_OPTION_ARG_FILENAME, &options.backup_id,
     "the backup to restore: its id, or a beginning or end of it", "BACKUP"},
    {"target-time", 0, 0, G_OPTION_ARG_FILENAME, &options.target_time,
     "recover to this moment (not of a logical backup)", "TIME"},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "workers at the same time", "N"},
    {NULL},
};

const Command command_drill = {
    .words = "drill",
    .arguments = "SOURCE",
    .minimum = 1,
    .maximum = 1,
    .summary = "restore a backup to a scratch place, check it, time it, throw it away",
    .description =
        "PostgreSQL, physical: a private server on a unix socket of its own recovers the newest\n"
        "backup as far as its WAL leads, archives nothing, is checked by pg_amcheck, and all its\n"
        "tables are counted. Logical: the backup is loaded into a cluster that initdb makes for\n"
        "it, every table counted against the backup. TDengine: scratch databases on the same\n"
        "server, counted and fingerprinted, then dropped. Space is checked before, everything is\n"
        "removed after. The time that the restore took, without the checks, is the one that\n"
        "`holdfast objectives` shows; `holdfast report` shows the rest.",
    .example = "holdfast drill market\n"
               "  holdfast drill market --target-time '2026-11-22 10:30'",
    .options = entries,
    .check = check,
    .run = run_drill,
};
