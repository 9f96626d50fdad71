/* SPDX-License-Identifier: Apache-2.0
 *
 * The service's main loop.
 */
#include "service/service.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/time.h"
#include "config/keys.h"
#include "config/values.h"
#include "operation/open.h"
#include "service/api.h"
#include "service/http.h"
#include "service/monitor.h"
#include "service/notify.h"
#include "service/systemd.h"

/* Seconds between two looks at what systemd is told. */
#define STATUS_TICKS 10

typedef struct {
    Config *config;
    const ServiceCommands *commands;
    Repository *repository;
    Catalog *catalog; /* of the schedule; jobs have one of their own */
    Jobs *jobs;
    Monitor *monitor;
    Schedule *schedule;
    RunFile *run;
    char *since;
    char *stop_file;
    Api *api;
    Http *http;
    GMainLoop *loop;
    gboolean stopping; /* after its jobs */
    guint ticks;
    char *status; /* as systemd was told it last */
} Service;

static void service_clear(Service *service)
{
    http_stop(service->http);
    api_free(service->api);
    monitor_free(service->monitor);
    schedule_free(service->schedule);
    jobs_free(service->jobs);
    catalog_free(service->catalog);
    if (service->repository != NULL)
        repository_unref(service->repository);
    run_file_release(service->run);
    g_clear_pointer(&service->loop, g_main_loop_unref);
    config_free(service->config);
    g_free(service->since);
    g_free(service->stop_file);
    g_free(service->status);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Service, service_clear)

static char *service_file(const Config *config, Repository *repository, const char *suffix)
{
    return g_strdup_printf("%s/service-%s.%s", config_state_directory(config),
                           repository_id(repository), suffix);
}

LogLevel service_log_level(const Config *config)
{
    const char *text = config_get(config, "general", "log_level");
    LogLevel level;

    /* Not given: the table's own default comes back. */
    if (text == config_key_find("general", "log_level")->fallback ||
        !log_level_parse(text, &level, NULL))
        return LOG_INFO;
    return level;
}

/* --- looking from outside --------------------------------------------------------------------- */

void service_status_clear(ServiceStatus *status)
{
    g_free(status->state);
    g_free(status->since);
}

gboolean service_status(const Config *config, Repository *repository, ServiceStatus *ret_status,
                        GError **error)
{
    g_autofree char *path = service_file(config, repository, "run");
    g_autofree char *content = NULL;
    g_autoptr(json_t) json = NULL;
    RunFileState state;

    if (!run_file_inspect(path, &state, &content, error))
        return FALSE;
    json = content != NULL ? json_loads(content, 0, NULL) : NULL;
    ret_status->alive = state == RUN_FILE_HELD;
    ret_status->state = ret_status->alive ? g_strdup(json_get_string(json, "state", NULL)) : NULL;
    ret_status->since = ret_status->alive ? g_strdup(json_get_string(json, "since", NULL)) : NULL;
    return TRUE;
}

gboolean service_request_stop(const Config *config, Repository *repository, GError **error)
{
    g_autofree char *path = service_file(config, repository, "stop");

    return file_replace(path, "", 0, 0600, error);
}

static void set_text_time(json_t *json, const char *key, gint64 when)
{
    g_autofree char *text = when != 0 && when != G_MAXINT64 ? time_format(when) : NULL;

    json_object_set_new(json, key, json_text(text));
}

json_t *service_describe_entry(Jobs *jobs, const ScheduleEntry *entry)
{
    g_autoptr(CatalogJob) last =
        entry->last_job != NULL ? jobs_find(jobs, entry->last_job, NULL) : NULL;
    g_autofree char *command = g_strjoinv(" ", entry->command);
    json_t *json = json_object();
    gboolean ended = last != NULL && last->ended != 0 && last->started != 0;

    json_object_set_new(json, "name", json_text(entry->name));
    json_object_set_new(json, "source", json_text(entry->source));
    json_object_set_new(json, "command", json_text(command));
    set_text_time(json, "next_run", entry->due);
    set_text_time(json, "last_run",
                  last == NULL         ? 0
                  : last->started != 0 ? last->started
                                       : last->queued);
    json_object_set_new(json, "last_state", json_text(last != NULL ? last->state : NULL));
    json_object_set_new(json, "last_job", json_text(entry->last_job));
    json_object_set_new(json, "last_duration_seconds",
                        ended
                            ? json_real((double)(last->ended - last->started) / (double)TIME_SECOND)
                            : json_null());
    return json;
}

json_t *service_describe_schedule(Jobs *jobs, const Config *config, Catalog *catalog,
                                  gboolean running, GError **error)
{
    g_autoptr(Schedule) schedule = schedule_new(config, error);
    g_autoptr(json_t) items = json_array();

    if (schedule == NULL || !schedule_remember(schedule, catalog, time_now(), error))
        return NULL;
    for (guint i = 0; i < schedule_count(schedule); i++) {
        json_t *item = service_describe_entry(jobs, schedule_entry(schedule, i));

        /* Nobody will run it. */
        if (!running)
            json_object_set_new(item, "next_run", json_null());
        json_array_append_new(items, item);
    }
    return g_steal_pointer(&items);
}

/* --- the configuration ------------------------------------------------------------------------ */

/* The schedule, each of whose commands can be run. */
static Schedule *read_schedule(const Config *config, const ServiceCommands *commands,
                               GError **error)
{
    g_autoptr(Schedule) schedule = schedule_new(config, error);

    for (guint i = 0; schedule != NULL && i < schedule_count(schedule); i++) {
        const ScheduleEntry *entry = schedule_entry(schedule, i);

        if (!commands->check(entry->command, config, error)) {
            g_prefix_error(error, "[schedule %s]: ", entry->name);
            return NULL;
        }
    }
    return g_steal_pointer(&schedule);
}

/* Its listen belongs to the caller: free with g_strfreev(). */
static HttpSettings http_settings(const Config *config, gboolean tokens)
{
    return (HttpSettings){
        .listen = config_list_split(config_get(config, "server", "listen")),
        .tls_certificate = config_get(config, "server", "tls_certificate"),
        .tls_key = config_get(config, "server", "tls_key"),
        .tokens = tokens,
    };
}

gboolean service_check_config(const Config *config, const ServiceCommands *commands,
                              gboolean tokens, guint *ret_entries, GError **error)
{
    g_autoptr(Schedule) schedule = read_schedule(config, commands, error);
    HttpSettings settings = http_settings(config, tokens);
    g_auto(GStrv) listen = settings.listen;

    if (schedule == NULL || !notify_check(config, error) || !http_check(&settings, error))
        return FALSE;
    *ret_entries = schedule_count(schedule);
    return TRUE;
}

static Schedule *make_schedule(const Service *service, const Config *config, GError **error)
{
    g_autoptr(Schedule) schedule = read_schedule(config, service->commands, error);

    if (schedule == NULL)
        return NULL;
    return schedule_remember(schedule, service->catalog, time_now(), error)
               ? g_steal_pointer(&schedule)
               : NULL;
}

static gboolean has_tls(const Config *config)
{
    return config_get(config, "server", "tls_certificate") != NULL;
}

/* What a running service cannot change. */
static gboolean check_same(const Config *old, const Config *new, GError **error)
{
    if (g_strcmp0(config_repository_path(old), config_repository_path(new)) == 0 &&
        strcmp(config_state_directory(old), config_state_directory(new)) == 0 &&
        strcmp(config_runtime_directory(old), config_runtime_directory(new)) == 0 &&
        strcmp(config_get(old, "server", "listen"), config_get(new, "server", "listen")) == 0 &&
        has_tls(old) == has_tls(new))
        return TRUE;
    error_set(error, ERROR_CONFIG,
              "another repository, state_directory, runtime_directory or address to listen on, or "
              "TLS where there was none or none where there was, needs a restart");
    return FALSE;
}

static gboolean reload(Service *service, GError **error)
{
    g_autoptr(Config) config = config_load(config_path(service->config), error);
    Schedule *schedule;
    guint entries;

    /* The last token may be revoked while the service runs: nobody comes in then. */
    if (config == NULL || !check_same(service->config, config, error) ||
        !service_check_config(config, service->commands, TRUE, &entries, error))
        return FALSE;
    schedule = make_schedule(service, config, error);
    if (schedule == NULL)
        return FALSE;
    if (!http_reload(service->http, config_get(config, "server", "tls_certificate"),
                     config_get(config, "server", "tls_key"), error) ||
        !monitor_use_config(service->monitor, config, error)) {
        schedule_free(schedule);
        return FALSE;
    }
    schedule_free(service->schedule);
    service->schedule = schedule;
    jobs_use_config(service->jobs, config);
    api_use_config(service->api, config);
    config_free(service->config);
    service->config = g_steal_pointer(&config);
    log_set_level(service_log_level(service->config));
    return TRUE;
}

static gboolean on_reload(gpointer data)
{
    Service *service = data;
    g_autoptr(GError) problem = NULL;
    g_autofree char *state =
        g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());

    systemd_notify(state);
    if (reload(service, &problem)) {
        log_write(LOG_INFO, "the configuration was read again: %u entries in the schedule",
                  schedule_count(service->schedule));
    } else {
        log_write_fields(LOG_FIELDS({"code", error_info_of(problem)->name}), LOG_ERROR,
                         "the configuration was not taken over, the old one stays: %s",
                         problem->message);
    }
    systemd_notify("READY=1");
    return G_SOURCE_CONTINUE;
}

/* --- running ---------------------------------------------------------------------------------- */

static void tell_state(Service *service, const char *state)
{
    g_autofree char *listen = g_strjoinv(",", (char **)http_addresses(service->http));
    g_autoptr(json_t) json = json_pack("{s:s, s:s, s:i, s:s}", "state", state, "since",
                                       service->since, "pid", (int)getpid(), "listen", listen);
    g_autofree char *text = json_write(json, FALSE);
    g_autoptr(GError) problem = NULL;

    if (!run_file_update(service->run, text, &problem))
        log_write(LOG_WARNING, "%s", problem->message);
}

static gboolean submit(const JobRequest *request, char **ret_id, gpointer data, GError **error)
{
    Service *service = data;

    if (!jobs_submit(service->jobs, request, ret_id, error))
        return FALSE;
    log_write_fields(LOG_FIELDS({"job", *ret_id}, {"operation", request->operation},
                                {"source", request->source}),
                     LOG_INFO, "%s: job %s", request->origin, *ret_id);
    return TRUE;
}

static void run_schedule(Service *service)
{
    gint64 now = time_now();
    g_autoptr(GError) problem = NULL;
    gboolean paused;

    if (schedule_next(service->schedule) > now)
        return;
    if (!schedule_paused(service->catalog, &paused, &problem)) {
        log_write(LOG_WARNING, "%s", problem->message);
        return;
    }
    (void)schedule_run(service->schedule, service->catalog, now, paused, submit, service);
}

/* Ends when the last job has. */
static void stop_if_idle(Service *service)
{
    guint running;

    if (jobs_count_running(service->jobs, &running, NULL) && running == 0)
        g_main_loop_quit(service->loop);
}

/* The line that `systemctl status` shows. */
static void tell_status(Service *service)
{
    gint64 next = schedule_next(service->schedule);
    g_autofree char *when =
        next != G_MAXINT64 ? time_format(next / TIME_SECOND * TIME_SECOND) : g_strdup("never");
    g_autofree char *status = NULL;
    guint running;

    if (!jobs_count_running(service->jobs, &running, NULL))
        return;
    status = g_strdup_printf("STATUS=%s%u running %s, next by schedule: %s",
                             service->stopping ? "stopping after its jobs; " : "", running,
                             running == 1 ? "job" : "jobs", when);
    if (g_strcmp0(service->status, status) == 0)
        return;
    systemd_notify(status);
    g_free(service->status);
    service->status = g_steal_pointer(&status);
}

static gboolean on_tick(gpointer data)
{
    Service *service = data;

    if (!service->stopping && g_file_test(service->stop_file, G_FILE_TEST_EXISTS)) {
        service->stopping = TRUE;
        (void)g_unlink(service->stop_file);
        log_write(LOG_INFO, "stopping after the jobs that run");
        tell_state(service, "stopping");
    }
    if (!service->stopping)
        run_schedule(service);
    jobs_tick(service->jobs, !service->stopping);
    http_tick(service->http);
    monitor_tick(service->monitor);
    systemd_beat();
    if (service->ticks++ % STATUS_TICKS == 0)
        tell_status(service);
    if (service->stopping)
        stop_if_idle(service);
    return G_SOURCE_CONTINUE;
}

static gboolean on_end(gpointer data)
{
    Service *service = data;

    g_main_loop_quit(service->loop);
    return G_SOURCE_CONTINUE;
}

static void log_job(const json_t *job, gpointer data)
{
    const char *id = json_get_string(job, "id", "");
    const char *operation = json_get_string(job, "operation", "");
    const char *state = json_get_string(job, "state", "");
    const json_t *problem = json_object_get(job, "error");

    if (!jobs_state_is_final(state))
        return;
    log_write_fields(LOG_FIELDS({"job", id}, {"operation", operation},
                                {"source", json_get_string(job, "source", NULL)}, {"state", state},
                                {"code", json_get_string(problem, "code", NULL)}),
                     strcmp(state, "succeeded") == 0 ? LOG_INFO : LOG_WARNING, "job %s (%s) %s%s%s",
                     id, operation, state, json_is_object(problem) ? ": " : "",
                     json_get_string(problem, "message", ""));
}

static gboolean start_http(Service *service, GError **error)
{
    const HttpHandler handler = {api_admit, api_handle, api_is_far};
    HttpSettings settings = http_settings(service->config, FALSE);
    g_auto(GStrv) listen = settings.listen;

    service->api = api_new(service->config, service->jobs, service->commands, error);
    if (service->api == NULL)
        return FALSE;
    api_use_monitor(service->api, service->monitor);
    settings.tokens = api_has_tokens(service->api);
    service->http = http_start(&settings, &handler, service->api, error);
    return service->http != NULL;
}

/* From here on others see that it is there, and may ask it to end. */
static gboolean become_the_service(Service *service, GError **error)
{
    g_autofree char *path = service_file(service->config, service->repository, "run");

    service->stop_file = service_file(service->config, service->repository, "stop");
    service->run = run_file_acquire(path, "{}", error);
    if (service->run == NULL) {
        if (error != NULL && error_is(*error, ERROR_BUSY))
            error_add_hint(error, "a service runs already: holdfast scheduler status");
        return FALSE;
    }
    (void)g_unlink(service->stop_file); /* meant for one before */
    return TRUE;
}

static gboolean open_all(Service *service, GError **error)
{
    if (!become_the_service(service, error))
        return FALSE;
    service->catalog =
        catalog_open(service->repository, config_state_directory(service->config), error);
    if (service->catalog == NULL)
        return FALSE;
    service->jobs = jobs_open(service->config, service->repository, error);
    service->schedule =
        service->jobs != NULL ? make_schedule(service, service->config, error) : NULL;
    if (service->schedule == NULL)
        return FALSE;
    service->monitor =
        monitor_start(service->config, service->repository, service->jobs, service->catalog, error);
    return service->monitor != NULL && start_http(service, error);
}

static void tell_running(Service *service)
{
    g_autofree char *listen = g_strjoinv(", ", (char **)http_addresses(service->http));

    tell_state(service, "running");
    log_write(LOG_INFO, "the service runs: %u entries in the schedule; it listens on %s",
              schedule_count(service->schedule), listen);
}

/* Until it is asked to end. */
static void serve(Service *service)
{
    guint tick = g_timeout_add_seconds(1, on_tick, service), running = 0;

    service->since = time_format(time_now() / TIME_SECOND * TIME_SECOND);
    jobs_watch(service->jobs, log_job, NULL);
    tell_running(service);
    systemd_notify("READY=1");
    (void)on_tick(service);
    g_main_loop_run(service->loop);
    systemd_notify("STOPPING=1");
    g_source_remove(tick);
    if (jobs_count_running(service->jobs, &running, NULL) && running > 0)
        log_write(LOG_INFO, "the service ends; %u jobs go on by themselves", running);
    else
        log_write(LOG_INFO, "the service ends");
}

gboolean service_run(Config *config, const ServiceCommands *commands, GError **error)
{
    g_auto(Service) service = {.config = config, .commands = commands};
    guint signals[3];
    gboolean opened;

    /* Threads are many and do little: what one of them frees the next one shall use. */
    (void)mallopt(M_ARENA_MAX, 1);
    /* A client that goes away is no reason to end. */
    signal(SIGPIPE, SIG_IGN);
    service.repository = operation_open_repository(config, error);
    if (service.repository == NULL || !directory_make(config_state_directory(config), 0700, error))
        return FALSE;
    /* Before anybody sees that it is there: a signal that comes while it opens is heeded behind that. */
    service.loop = g_main_loop_new(NULL, FALSE);
    signals[0] = g_unix_signal_add(SIGTERM, on_end, &service);
    signals[1] = g_unix_signal_add(SIGINT, on_end, &service);
    signals[2] = g_unix_signal_add(SIGHUP, on_reload, &service);
    opened = open_all(&service, error);
    if (opened)
        serve(&service);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        g_source_remove(signals[i]);
    return opened;
}
