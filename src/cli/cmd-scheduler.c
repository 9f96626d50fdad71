/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast scheduler start, stop, status, jobs.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "operation/describe.h"
#include "service/service.h"

#define LOOK_INTERVAL (TIME_SECOND / 20)
#define START_TIMEOUT (60 * TIME_SECOND)

static struct {
    gboolean shutdown;
} options;

/* What these commands look at. */
typedef struct {
    Config *config;
    Repository *repository;
    Catalog *catalog;
    Jobs *jobs;
    ServiceStatus status;
    gboolean paused;
} View;

static void view_clear(View *view)
{
    service_status_clear(&view->status);
    jobs_free(view->jobs);
    catalog_free(view->catalog);
    if (view->repository != NULL)
        repository_unref(view->repository);
    config_free(view->config);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(View, view_clear)

static gboolean look(View *view, GError **error)
{
    service_status_clear(&view->status);
    memset(&view->status, 0, sizeof(view->status));
    return service_status(view->config, view->repository, &view->status, error);
}

static gboolean open_view(CommandRun *run, View *view, GError **error)
{
    view->config = command_config(run, error);
    if (view->config == NULL)
        return FALSE;
    view->repository = operation_open_repository(view->config, error);
    if (view->repository == NULL)
        return FALSE;
    view->catalog = catalog_open(view->repository, config_state_directory(view->config), error);
    if (view->catalog == NULL || !schedule_paused(view->catalog, &view->paused, error) ||
        !look(view, error))
        return FALSE;
    view->jobs = jobs_open(view->config, view->repository, error);
    return view->jobs != NULL;
}

static const char *state_of(const View *view)
{
    return view->status.alive && !view->paused ? "running" : "stopped";
}

/* --- start ------------------------------------------------------------------------------------ */

/* In the child: its output goes to a file, and the terminal is not its own. */
static void detach(gpointer data)
{
    int log = GPOINTER_TO_INT(data);

    (void)setsid();
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
}

static gboolean spawn_service(const View *view, const char *log_path, GPid *ret_pid, GError **error)
{
    g_autofree char *program = process_own_command();
    /* The service does not stay in our directory. */
    g_autofree char *config = g_canonicalize_filename(config_path(view->config), NULL);
    const char *const argv[] = {program, "serve", "--config", config, NULL};
    FILE_AUTO_FD log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    GError *problem = NULL;

    if (log < 0) {
        error_set_errno(error, errno, "cannot open %s", log_path);
        return FALSE;
    }
    file_give_at(log, log_path);
    if (g_spawn_async("/", (char **)argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, detach,
                      GINT_TO_POINTER(log), ret_pid, &problem))
        return TRUE;
    error_take(error, ERROR_SUBPROCESS, problem);
    return FALSE;
}

/* Until the service says that it runs, or is gone. */
static gboolean wait_for_service(CommandRun *run, View *view, GPid pid, const char *log_path,
                                 GError **error)
{
    gint64 end = time_monotonic() + START_TIMEOUT;

    while (time_monotonic() < end && !g_cancellable_is_cancelled(run->cancellable)) {
        int status;

        if (!look(view, error))
            return FALSE;
        if (view->status.alive && g_strcmp0(view->status.state, "running") == 0)
            return TRUE;
        if (waitpid(pid, &status, WNOHANG) == pid) {
            error_set(error, ERROR_SUBPROCESS, "the service has ended at once");
            error_add_hint(error, "its last words stand in %s", log_path);
            return FALSE;
        }
        g_usleep((gulong)LOOK_INTERVAL);
    }
    error_set(error, ERROR_TIMEOUT, "the service did not say that it runs");
    error_add_hint(error, "look into %s", log_path);
    return FALSE;
}

static void print_state(CommandRun *run, const View *view, gboolean changed, const char *text)
{
    output_json(run->output,
                json_pack("{s:s, s:b, s:b, s:b}", "state", state_of(view), "service",
                          view->status.alive, "paused", view->paused, "changed", changed));
    output_line(run->output, "%s", text);
}

static gboolean run_start(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    g_autofree char *log_path = NULL;
    gboolean was_paused;
    GPid pid;

    if (!open_view(run, &view, error))
        return FALSE;
    was_paused = view.paused;
    if (was_paused && !schedule_pause(view.catalog, FALSE, error))
        return FALSE;
    view.paused = FALSE;
    if (view.status.alive) {
        print_state(run, &view, was_paused,
                    was_paused ? "the schedule goes on" : "the schedule is running already");
        return TRUE;
    }
    log_path = g_build_filename(config_state_directory(view.config), "service.log", NULL);
    if (!spawn_service(&view, log_path, &pid, error) ||
        !wait_for_service(run, &view, pid, log_path, error))
        return FALSE;
    print_state(run, &view, TRUE, "the service runs in the background");
    output_line(run->output, "its log: %s", log_path);
    return TRUE;
}

/* --- stop ------------------------------------------------------------------------------------- */

static gboolean shut_down(CommandRun *run, View *view, GError **error)
{
    if (!service_request_stop(view->config, view->repository, error))
        return FALSE;
    output_line(run->output, "waiting for the service's jobs to end");
    while (view->status.alive) {
        if (g_cancellable_is_cancelled(run->cancellable)) {
            error_set(error, ERROR_CANCELLED, "no longer waiting; the service ends after its jobs");
            return FALSE;
        }
        g_usleep((gulong)LOOK_INTERVAL);
        if (!look(view, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean run_stop(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    gboolean changed;

    if (!open_view(run, &view, error) || !schedule_pause(view.catalog, TRUE, error))
        return FALSE;
    changed = !view.paused || (options.shutdown && view.status.alive);
    view.paused = TRUE;
    if (options.shutdown && view.status.alive && !shut_down(run, &view, error))
        return FALSE;
    print_state(run, &view, changed,
                view.status.alive ? "the schedule is paused; jobs that run go on"
                                  : "the schedule is paused, and no service runs");
    return TRUE;
}

/* --- status, jobs ----------------------------------------------------------------------------- */

/* New reference, or NULL. */
static json_t *describe_entries(View *view, GError **error)
{
    return service_describe_schedule(view->jobs, view->config, view->catalog,
                                     strcmp(state_of(view), "running") == 0, error);
}

static void print_entries(CommandRun *run, const json_t *items)
{
    static const char *const headings[] = {"NAME",       "SOURCE", "NEXT RUN", "LAST RUN",
                                           "LAST STATE", "TOOK",   NULL};
    static const char *const keys[] = {"name", "source", "next_run", "last_run", "last_state"};
    g_autoptr(OutputTable) table = output_table_new(headings, "lllllr");
    size_t index;
    json_t *item;

    json_array_foreach(items, index, item)
    {
        char **cells = g_new0(char *, G_N_ELEMENTS(headings));
        const json_t *took = json_object_get(item, "last_duration_seconds");

        for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
            cells[i] = g_strdup(json_get_string(item, keys[i], ""));
        cells[G_N_ELEMENTS(keys)] =
            json_is_real(took) ? duration_format((gint64)(json_real_value(took) * TIME_SECOND))
                               : g_strdup("");
        output_table_add(table, cells);
    }
    output_table_print(run->output, table);
}

static gboolean run_jobs(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    g_autoptr(json_t) items = NULL;

    if (!open_view(run, &view, error))
        return FALSE;
    items = describe_entries(&view, error);
    if (items == NULL)
        return FALSE;
    output_json(run->output, json_incref(items));
    print_entries(run, items);
    return TRUE;
}

static gboolean run_status(CommandRun *run, GError **error)
{
    g_auto(View) view = {0};
    g_autoptr(json_t) items = NULL;
    guint running;

    if (!open_view(run, &view, error) || !jobs_count_running(view.jobs, &running, error))
        return FALSE;
    items = describe_entries(&view, error);
    if (items == NULL)
        return FALSE;
    output_json(run->output, json_pack("{s:s, s:b, s:b, s:o, s:i, s:O}", "state", state_of(&view),
                                       "service", view.status.alive, "paused", view.paused, "since",
                                       json_text(view.status.since), "running_jobs", (int)running,
                                       "items", items));
    output_line(run->output, "schedule: %s%s", state_of(&view), view.paused ? " (paused)" : "");
    if (view.status.alive)
        output_line(run->output, "service:  runs since %s, %u jobs run", view.status.since,
                    running);
    else
        output_line(run->output, "service:  none; start it with: holdfast scheduler start");
    print_entries(run, items);
    return TRUE;
}

static const GOptionEntry stop_entries[] = {
    {"shutdown", 0, 0, G_OPTION_ARG_NONE, &options.shutdown,
     "end the service too, after its jobs; waits for it", NULL},
    {NULL},
};

const Command command_scheduler_start = {
    .words = "scheduler start",
    .arguments = "",
    .summary = "let the schedule run; start the service where none runs",
    .description =
        "A paused schedule goes on. Where no service runs, one is started in the background. What\n"
        "was missed while it was paused is not made up for; of what was missed while no service\n"
        "ran, the newest run of each schedule is, within its misfire_grace.",
    .example = "holdfast scheduler start",
    .run = run_start,
};

const Command command_scheduler_stop = {
    .words = "scheduler stop",
    .arguments = "",
    .summary = "pause the schedule, until it is started again",
    .description = "Jobs that run go on. The pause outlives a restart of the service.",
    .example = "holdfast scheduler stop --shutdown",
    .options = stop_entries,
    .run = run_stop,
};

const Command command_scheduler_status = {
    .words = "scheduler status",
    .arguments = "",
    .summary = "say whether the schedule runs, what comes next and how the last runs went",
    .example = "holdfast scheduler status",
    .run = run_status,
};

const Command command_scheduler_jobs = {
    .words = "scheduler jobs",
    .arguments = "",
    .summary = "list what is scheduled, with next and last runs",
    .example = "holdfast scheduler jobs --json",
    .run = run_jobs,
};
