/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast verify: are all bytes there, and are they what was written?
 */
#include "operation/verify.h"

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/words.h"

#define DEFAULT_JOBS 2

static struct {
    gboolean all;
    int jobs;
} options;

static json_t *report_json(const VerifyReport *report)
{
    json_t *object = json_object();
    json_t *damage = json_array(), *warnings = json_array();

    for (guint i = 0; i < report->warnings->len; i++)
        json_array_append_new(warnings, json_text(report->warnings->pdata[i]));
    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *one = g_ptr_array_index(report->damage, i);
        json_t *entry = json_object();

        json_object_set_new(entry, "object", json_text(one->object));
        json_object_set_new(entry, "problem", json_text(one->problem));
        json_array_append_new(damage, entry);
    }
    if (report->backup != NULL)
        json_object_set_new(object, "backup", json_text(report->backup));
    else
        json_object_set_new(object, "archive", json_text(report->archive));
    json_object_set_new(object, "result",
                        json_string(report->damage->len > 0 ? "damaged" : "good"));
    json_object_set_new(object, "level", json_string(report->structure ? "structure" : "objects"));
    json_object_set_new(object, "objects", json_integer((json_int_t)report->objects));
    json_object_set_new(object, "bytes", json_integer((json_int_t)report->bytes));
    json_object_set_new(object, "seconds",
                        json_real((double)report->elapsed / (double)TIME_SECOND));
    json_object_set_new(object, "damage", damage);
    json_object_set_new(object, "warnings", warnings);
    return object;
}

static void print_report(Output *output, const VerifyReport *report)
{
    g_autofree char *bytes = size_format(report->bytes);
    g_autofree char *took = duration_format(report->elapsed);

    output_line(output, "%-8s %s  %" G_GUINT64_FORMAT " objects, %s, in %s%s",
                report->damage->len > 0 ? "damaged" : "good",
                report->backup != NULL ? report->backup : report->archive, report->objects, bytes,
                took, report->structure ? "" : "; what is inside them was not checked");
    for (guint i = 0; i < report->damage->len; i++) {
        const VerifyDamage *damage = g_ptr_array_index(report->damage, i);

        output_line(output, "         %s: %s", damage->object, damage->problem);
    }
    for (guint i = 0; i < report->warnings->len; i++)
        output_warning(output, "%s: %s", report->archive, (const char *)report->warnings->pdata[i]);
}

/* What becomes of a report: printed, kept, and the exit status. */
typedef struct {
    CommandRun *run;
    json_t *reports;
} Keeper;

static void keep_report(const VerifyReport *report, gpointer data)
{
    Keeper *keeper = data;

    print_report(keeper->run->output, report);
    json_array_append_new(keeper->reports, report_json(report));
    if (report->damage->len > 0)
        keeper->run->exit_status = error_info(ERROR_DAMAGED)->exit_status;
}

static guint chosen_jobs(void)
{
    return options.jobs > 0 ? (guint)options.jobs : DEFAULT_JOBS;
}

/* Verifies one backup, prints, keeps the JSON. */
static gboolean verify_one(CommandRun *run, OperationContext *context, const char *id,
                           json_t *reports, GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    g_autoptr(VerifyReport) report = NULL;
    Keeper keeper = {run, reports};

    if (!operation_verify(context, id, chosen_jobs(), progress, run->cancellable, &report, error))
        return FALSE;
    keep_report(report, &keeper);
    return TRUE;
}

/* The WAL archives: whatever refers to them. */
static gboolean verify_archives(CommandRun *run, OperationContext *context, json_t *reports,
                                GError **error)
{
    g_autoptr(Progress) progress = progress_new(output_progress, run->output);
    Keeper keeper = {run, reports};
    const VerifyFollow follow = {chosen_jobs(), progress, keep_report, &keeper};

    return operation_verify_archives(context, &follow, run->cancellable, error);
}

/* Goes on behind a backup that cannot be looked at, so that damage in the others is found; fails in
 * the end. */
static gboolean verify_all(CommandRun *run, OperationContext *context, json_t *reports,
                           GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GError) first = NULL;

    if (!backup_list(context->repository, &ids, error))
        return FALSE;
    if (ids->len == 0)
        output_line(run->output, "no backups");
    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(GError) problem = NULL;

        if (verify_one(run, context, g_ptr_array_index(ids, i), reports, &problem))
            continue;
        if (error_info_of(problem)->code == ERROR_CANCELLED ||
            error_is(problem, ERROR_UNREACHABLE)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        output_warning(run->output, "%s could not be verified: %s",
                       (const char *)g_ptr_array_index(ids, i), problem->message);
        if (first == NULL)
            first = g_steal_pointer(&problem);
    }
    if (!verify_archives(run, context, reports, error))
        return FALSE;
    /* Damage that was found says more than a failure to look. */
    if (first != NULL && run->exit_status == 0) {
        g_propagate_error(error, g_steal_pointer(&first));
        return FALSE;
    }
    return TRUE;
}

static gboolean check_options(const CommandRun *run, GError **error)
{
    if (!words_check_jobs(options.jobs, error))
        return FALSE;
    if (options.all == (run->argument_count == 0))
        return TRUE;
    error_set(error, ERROR_USAGE,
              options.all ? "either a backup or --all, not both"
                          : "which backup shall be verified?");
    error_add_hint(error, "holdfast verify BACKUP, or holdfast verify --all");
    return FALSE;
}

static gboolean run_verify(CommandRun *run, GError **error)
{
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(json_t) reports = json_array();
    gboolean done;

    if (!check_options(run, error))
        return FALSE;
    context = command_open(run, error);
    if (context == NULL)
        return FALSE;
    if (options.all)
        done = verify_all(run, context, reports, error);
    else
        done = verify_one(run, context, run->arguments[0], reports, error);
    if (options.all)
        output_json(run->output, json_incref(reports));
    else if (done)
        output_json(run->output, json_incref(json_array_get(reports, 0)));
    return done;
}

static const GOptionEntry entries[] = {
    {"all", 0, 0, G_OPTION_ARG_NONE, &options.all, "verify every backup", NULL},
    {"jobs", 0, 0, G_OPTION_ARG_INT, &options.jobs, "objects at the same time (2)", "N"},
    {NULL},
};

const Command command_verify = {
    .words = "verify",
    .arguments = "BACKUP | --all",
    .maximum = 1,
    .summary = "read a backup again and check every byte of it",
    .description =
        "Checks that every object is there with the size and SHA-256 that the backup recorded,\n"
        "then the structure inside the archives. --all reads the WAL archives as well and weighs\n"
        "what is missing there: a hole that a backup or the way on from the newest one needs is\n"
        "damage, an older one a warning that names what it costs. Exit status 3 names each\n"
        "damaged object. The result is kept in the repository and shown by list and show.",
    .example = "holdfast verify --all",
    .options = entries,
    .reads_only = TRUE,
    .run = run_verify,
};
