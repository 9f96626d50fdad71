/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast job list, show, cancel, log.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "operation/describe.h"
#include "service/jobs.h"

#define LIMIT_MAXIMUM   10000
#define FOLLOW_INTERVAL (TIME_SECOND / 4)

static struct {
    char *state;
    char *source;
    int limit;
    gboolean follow;
} options = {.limit = 50};

typedef struct {
    Config *config;
    Repository *repository;
    Jobs *jobs;
} View;

static void view_clear(View *view)
{
    jobs_free(view->jobs);
    if (view->repository != NULL)
        repository_unref(view->repository);
    config_free(view->config);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(View, view_clear)

static gboolean open_view(CommandRun *run, View *view, GError **error)
{
    view->config = command_config(run, error);
    if (view->config == NULL)
        return FALSE;
    view->repository = operation_open_repository(view->config, error);
    view->jobs = view->repository != NULL ? jobs_open(view->config, view->repository, error) : NULL;
    return view->jobs != NULL;
}

/* --- list ------------------------------------------------------------------------------------- */

static gboolean check_list(GError **error)
{
    static const char *const states[] = {"queued",    "running", "succeeded", "failed",
                                         "cancelled", "lost",    "active",    NULL};

    if (options.state != NULL && !g_strv_contains(states, options.state)) {
        error_set(error, ERROR_USAGE,
                  "--state: \"%s\" is none of queued, running, succeeded, failed, cancelled, lost, "
                  "active",
                  options.state);
        return FALSE;
    }
    if (options.limit >= 1 && options.limit <= LIMIT_MAXIMUM)
        return TRUE;
    error_set(error, ERROR_USAGE, "--limit must be from 1 to %d", LIMIT_MAXIMUM);
    return FALSE;
}

static char *took(const CatalogJob *job)
{
    if (job->started == 0)
        return g_strdup("");
    if (job->ended != 0)
        return duration_format(MAX(job->ended - job->started, 0));
    return strcmp(job->state, "running") == 0 ? duration_format(MAX(time_now() - job->started, 0))
                                              : g_strdup("");
}

static gboolean run_list(CommandRun *run, GError **error)
{
    static const char *const headings[] = {"ID",      "OPERATION", "SOURCE", "STATE",
                                           "STARTED", "TOOK",      NULL};
    const CatalogJobFilter filter = {.state = options.state, .source = options.source};
    g_auto(View) view = {0};
    g_autoptr(GPtrArray) jobs = NULL;
    g_autoptr(OutputTable) table = output_table_new(headings, "lllllr");
    g_autoptr(json_t) list = json_array();

    if (!check_list(error) || !open_view(run, &view, error) ||
        !jobs_list(view.jobs, &filter, (guint)options.limit, &jobs, error))
        return FALSE;
    for (guint i = 0; i < jobs->len; i++) {
        const CatalogJob *job = g_ptr_array_index(jobs, i);
        char **cells = g_new0(char *, G_N_ELEMENTS(headings));

        json_array_append_new(list, jobs_describe(view.jobs, job));
        cells[0] = g_strdup(job->id);
        cells[1] = g_strdup(job->operation);
        cells[2] = g_strdup(job->source != NULL ? job->source : "");
        cells[3] = g_strdup(job->state);
        cells[4] = describe_time(job->started);
        cells[5] = took(job);
        output_table_add(table, cells);
    }
    output_json(run->output, g_steal_pointer(&list));
    output_table_print(run->output, table);
    return TRUE;
}

/* --- show ------------------------------------------------------------------------------------- */

/* "key: value" of every field that has one; documents as JSON on one line. */
static void print_job(Output *output, const json_t *json)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)json, key, value)
    {
        g_autofree char *text = NULL;

        if (json_is_null(value))
            continue;
        text = json_is_string(value) ? g_strdup(json_string_value(value))
               : json_is_integer(value)
                   ? g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value))
                   : g_strchomp(json_write(value, FALSE));
        output_line(output, "%-13s %s", key, text);
    }
}

static gboolean run_show(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    g_autoptr(CatalogJob) job = NULL;
    g_autoptr(json_t) json = NULL;

    if (!open_view(run, &view, error))
        return FALSE;
    job = jobs_find(view.jobs, run->arguments[0], error);
    if (job == NULL)
        return FALSE;
    json = jobs_describe(view.jobs, job);
    print_job(run->output, json);
    output_json(run->output, g_steal_pointer(&json));
    return TRUE;
}

/* --- cancel ----------------------------------------------------------------------------------- */

static gboolean run_cancel(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    g_autoptr(CatalogJob) job = NULL;

    if (!open_view(run, &view, error) || !jobs_cancel(view.jobs, run->arguments[0], error))
        return FALSE;
    job = jobs_find(view.jobs, run->arguments[0], error);
    if (job == NULL)
        return FALSE;
    output_line(run->output,
                strcmp(job->state, "cancelled") == 0 ? "job %s is cancelled"
                                                     : "job %s was asked to end",
                job->id);
    output_json(run->output, jobs_describe(view.jobs, job));
    return TRUE;
}

/* --- log -------------------------------------------------------------------------------------- */

/* Prints what has come to the log since the last time. */
static gboolean print_new(CommandRun *run, int fd, const char *path, GError **error)
{
    char buffer[16384];
    gsize length;

    do {
        if (!file_read_all(fd, buffer, sizeof(buffer), &length, path, error))
            return FALSE;
        output_bytes(run->output, buffer, length);
    } while (length == sizeof(buffer));
    return output_finish(run->output, error);
}

static gboolean run_log(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    g_autoptr(CatalogJob) job = NULL;
    g_autofree char *path = NULL;
    FILE_AUTO_FD fd = -1;
    gboolean final;

    if (!open_view(run, &view, error))
        return FALSE;
    job = jobs_find(view.jobs, run->arguments[0], error);
    if (job == NULL)
        return FALSE;
    path = jobs_log_file(view.jobs, job->id);
    do {
        g_autoptr(CatalogJob) now = jobs_find(view.jobs, job->id, error);

        if (now == NULL)
            return FALSE;
        /* Before reading: what it wrote until its end is read then. */
        final = !options.follow || jobs_state_is_final(now->state);
        if (fd < 0)
            fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && !print_new(run, fd, path, error))
            return FALSE;
        if (!final)
            g_usleep((gulong)FOLLOW_INTERVAL);
    } while (!final && !g_cancellable_is_cancelled(run->cancellable));
    if (fd >= 0 || !jobs_state_is_final(job->state))
        return TRUE;
    error_set(error, ERROR_NOT_FOUND, "job %s has no log", job->id);
    error_add_hint(error, "only jobs of the service have one");
    return FALSE;
}

static const GOptionEntry list_entries[] = {
    {"state", 0, 0, G_OPTION_ARG_FILENAME, &options.state,
     "only these: queued, running, succeeded, failed, cancelled, lost; active is the first two",
     "STATE"},
    {"source", 0, 0, G_OPTION_ARG_FILENAME, &options.source, "only jobs of this source", "NAME"},
    {"limit", 0, 0, G_OPTION_ARG_INT, &options.limit, "at most so many, 50 by default", "N"},
    {NULL},
};

static const GOptionEntry log_entries[] = {
    {"follow", 'f', 0, G_OPTION_ARG_NONE, &options.follow, "go on until the job has ended", NULL},
    {NULL},
};

const Command command_job_list = {
    .words = "job list",
    .arguments = "",
    .summary = "list jobs, newest first",
    .description = "Runs of operations, those of the service and those that were started by hand.",
    .example = "holdfast job list --state active",
    .options = list_entries,
    .run = run_list,
};

const Command command_job_show = {
    .words = "job show",
    .arguments = "JOB",
    .minimum = 1,
    .maximum = 1,
    .summary = "show a job: state, progress, result",
    .description = "JOB is an id, or as much of its beginning or end as fits only one.",
    .example = "holdfast job show k3f9",
    .run = run_show,
};

const Command command_job_cancel = {
    .words = "job cancel",
    .arguments = "JOB",
    .minimum = 1,
    .maximum = 1,
    .summary = "end a job of the service",
    .description = "A waiting job ends at once. A running one gets SIGTERM, cleans up and ends; "
                   "one that does\n"
                   "not within 30 seconds is killed.",
    .example = "holdfast job cancel k3f9",
    .run = run_cancel,
};

const Command command_job_log = {
    .words = "job log",
    .arguments = "JOB",
    .minimum = 1,
    .maximum = 1,
    .summary = "print the log of a job of the service",
    .example = "holdfast job log -f k3f9",
    .options = log_entries,
    .run = run_log,
};
