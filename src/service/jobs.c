/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue, and the processes of its jobs.
 */
#include "service/jobs.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/time.h"
#include "repo/backup-id.h"
#include "service/runner.h"
#include "service/withheld.h"

#define ACTIVE_LIMIT 10000
/* Jobs that others have started are looked at now and then. */
#define LOOK_INTERVAL TIME_MINUTE

/* A runner that we have started. */
typedef struct {
    GPid pid;
    guint attempt; /* of the job, before it was started */
} Child;

typedef struct {
    JobsFunc func;
    gpointer data;
} Watcher;

struct Jobs {
    GMutex mutex; /* guards all below */
    GCond changed;
    Catalog *catalog;
    Config *config;
    gboolean encrypted; /* the repository is */
    char *program;
    GHashTable *children; /* id to Child */
    GHashTable *told;     /* id of an active job to what the watchers were told last */
    GArray *watchers;
    gboolean ending; /* nothing is started any more */
    gboolean active; /* something waited or ran at the last look */
    gint64 looked;   /* monotonic */
};

Jobs *jobs_open(const Config *config, Repository *repository, GError **error)
{
    g_autoptr(Catalog) catalog = catalog_open(repository, config_state_directory(config), error);
    Jobs *jobs;

    if (catalog == NULL)
        return NULL;
    jobs = g_new0(Jobs, 1);
    g_mutex_init(&jobs->mutex);
    g_cond_init(&jobs->changed);
    jobs->catalog = g_steal_pointer(&catalog);
    jobs->config = config_ref(config);
    jobs->encrypted = repository_is_encrypted(repository);
    jobs->program = process_own_command();
    jobs->children = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    jobs->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    jobs->watchers = g_array_new(FALSE, FALSE, sizeof(Watcher));
    jobs->active = TRUE;
    return jobs;
}

void jobs_free(Jobs *jobs)
{
    if (jobs == NULL)
        return;
    catalog_free(jobs->catalog);
    config_free(jobs->config);
    g_free(jobs->program);
    g_hash_table_unref(jobs->children);
    g_hash_table_unref(jobs->told);
    g_array_unref(jobs->watchers);
    g_cond_clear(&jobs->changed);
    g_mutex_clear(&jobs->mutex);
    g_free(jobs);
}

void jobs_use_config(Jobs *jobs, const Config *config)
{
    g_mutex_lock(&jobs->mutex);
    config_free(jobs->config);
    jobs->config = config_ref(config);
    g_mutex_unlock(&jobs->mutex);
}

void jobs_set_program(Jobs *jobs, const char *program)
{
    g_free(jobs->program);
    jobs->program = g_strdup(program);
}

void jobs_watch(Jobs *jobs, JobsFunc func, gpointer data)
{
    const Watcher watcher = {func, data};

    g_mutex_lock(&jobs->mutex);
    g_array_append_val(jobs->watchers, watcher);
    g_mutex_unlock(&jobs->mutex);
}

/* --- asking ----------------------------------------------------------------------------------- */

gboolean jobs_state_is_final(const char *state)
{
    return strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

CatalogJob *jobs_find(Jobs *jobs, const char *id, GError **error)
{
    CatalogJob *job;

    g_mutex_lock(&jobs->mutex);
    job = catalog_job_find(jobs->catalog, id, error);
    g_mutex_unlock(&jobs->mutex);
    return job;
}

gboolean jobs_list(Jobs *jobs, const CatalogJobFilter *filter, guint limit, GPtrArray **ret_jobs,
                   GError **error)
{
    gboolean result;

    g_mutex_lock(&jobs->mutex);
    result = catalog_jobs_filtered(jobs->catalog, filter, limit, ret_jobs, error);
    g_mutex_unlock(&jobs->mutex);
    return result;
}

char *jobs_log_file(Jobs *jobs, const char *id)
{
    char *path;

    g_mutex_lock(&jobs->mutex);
    path = runner_log_file(jobs->config, id);
    g_mutex_unlock(&jobs->mutex);
    return path;
}

static void set_time(json_t *json, const char *key, gint64 when)
{
    g_autofree char *text = when != 0 ? time_format(when) : NULL;

    json_object_set_new(json, key, json_text(text));
}

static void set_document(json_t *json, const char *key, const char *text)
{
    json_t *document = text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;

    json_object_set_new(json, key, document != NULL ? document : json_null());
}

/* What is withheld of it is not shown either. */
static void set_command(json_t *json, const char *text)
{
    json_t *words = text != NULL ? json_loads(text, 0, NULL) : NULL;

    if (withheld_is(words))
        json_array_remove(words, json_array_size(words) - 1);
    json_object_set_new(json, "command", words != NULL ? words : json_null());
}

/* Progress and heartbeat out of the run file. One that is just being written gives none. */
static void set_progress(json_t *json, const CatalogJob *job)
{
    g_autofree char *content = NULL;
    g_autoptr(json_t) run = NULL;
    RunFileState state;

    if (job->run_file != NULL && strcmp(job->state, "running") == 0 &&
        run_file_inspect(job->run_file, &state, &content, NULL) && content != NULL)
        run = json_loads(content, 0, NULL);
    for (guint i = 0; i < 2; i++) {
        const char *key = i == 0 ? "progress" : "heartbeat";
        json_t *value = json_object_get(run, key);

        json_object_set_new(json, key, value != NULL ? json_incref(value) : json_null());
    }
}

/* With the mutex held. */
static json_t *describe(const Jobs *jobs, const CatalogJob *job)
{
    json_t *json = json_object();
    g_autofree char *log = runner_log_file(jobs->config, job->id);

    json_object_set_new(json, "id", json_text(job->id));
    json_object_set_new(json, "operation", json_text(job->operation));
    json_object_set_new(json, "source", json_text(job->source));
    json_object_set_new(json, "state", json_text(job->state));
    json_object_set_new(json, "origin", json_text(job->origin));
    set_command(json, job->command);
    json_object_set_new(json, "attempt", json_integer(job->attempt));
    json_object_set_new(json, "attempts", json_integer(job->attempts));
    set_time(json, "queued", job->queued);
    set_time(json, "started", job->started);
    set_time(json, "ended", job->ended);
    set_time(json, "next_attempt", strcmp(job->state, "queued") == 0 ? job->not_before : 0);
    set_progress(json, job);
    set_document(json, "result", job->result);
    json_object_set_new(json, "error",
                        job->message == NULL ? json_null()
                                             : json_pack("{s:o, s:o}", "code", json_text(job->code),
                                                         "message", json_text(job->message)));
    json_object_set_new(json, "log", json_text(job->command != NULL ? log : NULL));
    return json;
}

json_t *jobs_describe(Jobs *jobs, const CatalogJob *job)
{
    json_t *json;

    g_mutex_lock(&jobs->mutex);
    json = describe(jobs, job);
    g_mutex_unlock(&jobs->mutex);
    return json;
}

/* --- entering, ending ------------------------------------------------------------------------- */

/* The last word of the id: what ids of backups have there is for backups. */
static char *make_id(const JobRequest *request)
{
    gboolean incremental = g_str_has_suffix(request->operation, " incremental");
    g_auto(GStrv) words = g_strsplit(request->operation, " ", 2);

    return backup_id_make(time_now(), request->source != NULL ? request->source : words[0],
                          incremental ? "incremental" : "full");
}

/* With the mutex held. */
static gboolean enter(Jobs *jobs, const CatalogJob *job, const char *const *command, GError **error)
{
    g_autoptr(json_t) words = json_loads(job->command, 0, NULL);

    if (withheld_is(words) && !withheld_keep(jobs->config, job->id, command, error))
        return FALSE;
    if (catalog_job_queue(jobs->catalog, job, error))
        return TRUE;
    withheld_forget(jobs->config, job->id);
    return FALSE;
}

/* A job that nobody would start is not taken. */
static gboolean check_open(const Jobs *jobs, GError **error)
{
    if (!jobs->ending)
        return TRUE;
    error_set(error, ERROR_UNREACHABLE, "the service is stopping and takes no new jobs");
    error_add_hint(error, "ask again when it runs");
    return FALSE;
}

gboolean jobs_submit(Jobs *jobs, const JobRequest *request, char **ret_id, GError **error)
{
    g_autoptr(json_t) words =
        withheld_public(request->command, jobs->encrypted ? request->operation : NULL);
    g_autofree char *command = g_strchomp(json_write(words, FALSE));
    g_autofree char *id = make_id(request);
    CatalogJob job = {
        .id = id,
        .operation = (char *)request->operation,
        .source = (char *)request->source,
        .origin = (char *)request->origin,
        .command = command,
        .attempts = MAX(request->attempts, 1),
        .retry_after = request->retry_after,
        .time_limit = request->time_limit,
    };
    gboolean result;

    g_mutex_lock(&jobs->mutex);
    result = check_open(jobs, error) && enter(jobs, &job, request->command, error);
    jobs->active = jobs->active || result;
    g_mutex_unlock(&jobs->mutex);
    if (result)
        *ret_id = g_steal_pointer(&id);
    return result;
}

static gboolean refuse_cancel(const CatalogJob *job, GError **error)
{
    if (jobs_state_is_final(job->state)) {
        error_set(error, ERROR_REFUSED, "job %s has ended already: %s", job->id, job->state);
        return FALSE;
    }
    error_set(error, ERROR_REFUSED, "job %s was started by hand", job->id);
    error_add_hint(error, "interrupt the command where it runs");
    return FALSE;
}

static gboolean cancel(Jobs *jobs, const char *id, GError **error)
{
    g_autoptr(CatalogJob) job = catalog_job_find(jobs->catalog, id, error);
    g_autofree char *path = NULL;
    gboolean done = FALSE;

    if (job == NULL)
        return FALSE;
    if (strcmp(job->state, "queued") == 0 &&
        !catalog_job_settle(jobs->catalog, job->id, "queued", "cancelled", NULL, &done, error))
        return FALSE;
    if (done) {
        withheld_forget(jobs->config, job->id);
        return TRUE;
    }
    /* It may have been started this very moment: its runner sees the request. */
    if (jobs_state_is_final(job->state) || job->command == NULL)
        return refuse_cancel(job, error);
    path = runner_cancel_file(jobs->config, job->id);
    return file_replace(path, "", 0, 0600, error);
}

gboolean jobs_cancel(Jobs *jobs, const char *id, GError **error)
{
    gboolean result;

    g_mutex_lock(&jobs->mutex);
    result = cancel(jobs, id, error);
    g_cond_broadcast(&jobs->changed);
    g_mutex_unlock(&jobs->mutex);
    return result;
}

CatalogJob *jobs_wait(Jobs *jobs, const char *id, gint64 timeout, GError **error)
{
    gint64 end = g_get_monotonic_time() + timeout;
    CatalogJob *job;

    g_mutex_lock(&jobs->mutex);
    for (;;) {
        job = catalog_job_find(jobs->catalog, id, error);
        if (job == NULL || jobs_state_is_final(job->state) || g_get_monotonic_time() >= end)
            break;
        catalog_job_free(job);
        /* Each second too, since the job may end without anybody telling us. */
        (void)g_cond_wait_until(&jobs->changed, &jobs->mutex,
                                MIN(end, g_get_monotonic_time() + TIME_SECOND));
    }
    g_mutex_unlock(&jobs->mutex);
    return job;
}

/* --- processes -------------------------------------------------------------------------------- */

/* In the child: a session of its own, so that a Ctrl-C at the service's terminal is not for it. */
static void leave_session(gpointer data)
{
    (void)setsid();
}

static gboolean start_runner(Jobs *jobs, const CatalogJob *job, GError **error)
{
    const char *const argv[] = {jobs->program, "serve",    "--run-job",
                                job->id,       "--config", config_path(jobs->config),
                                NULL};
    g_auto(GStrv) environment = g_environ_unsetenv(g_get_environ(), "NOTIFY_SOCKET");
    Child *child;
    GError *problem = NULL;
    GPid pid;

    if (!g_spawn_async(NULL, (char **)argv, environment,
                       G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, leave_session, NULL,
                       &pid, &problem)) {
        error_take(error, ERROR_SUBPROCESS, problem);
        return FALSE;
    }
    child = g_new0(Child, 1);
    child->pid = pid;
    child->attempt = job->attempt;
    g_hash_table_insert(jobs->children, g_strdup(job->id), child);
    return TRUE;
}

static void log_about(const CatalogJob *job, LogLevel level, const char *what, const char *text)
{
    log_write_fields(LOG_FIELDS({"job", job->id}, {"operation", job->operation},
                                {"source", job->source}),
                     level, "job %s%s: %s", job->id, what, text);
}

static char *end_text(const char *id, int status)
{
    if (WIFSIGNALED(status))
        return g_strdup_printf("its process was killed by signal %d", WTERMSIG(status));
    return g_strdup_printf("its process ended with exit status %d: holdfast job log %s says why",
                           WEXITSTATUS(status), id);
}

/* The code of a failure to begin that may be gone in a minute; NULL: another one. */
static const char *passing_code(int status)
{
    static const ErrorCode codes[] = {ERROR_UNREACHABLE, ERROR_BUSY};

    for (guint i = 0; WIFEXITED(status) && i < G_N_ELEMENTS(codes); i++)
        if (WEXITSTATUS(status) == error_info(codes[i])->exit_status)
            return error_info(codes[i])->name;
    return NULL;
}

/* A runner that never came as far as its job. */
static gboolean take_no_beginning(Jobs *jobs, const CatalogJob *job, int status, const char *text,
                                  GError **error)
{
    const char *code = passing_code(status);
    gboolean done;

    if (code != NULL && job->attempt + 1 < job->attempts)
        return catalog_job_defer(jobs->catalog, job->id,
                                 time_now() + (job->retry_after << MIN(job->attempt, 10)), text,
                                 code, error);
    return catalog_job_note(jobs->catalog, job->id, NULL, text, code, error) &&
           catalog_job_settle(jobs->catalog, job->id, "queued", "failed", NULL, &done, error);
}

/* A runner has ended: what it left in the catalog is right, unless it never came so far. */
static void take_end(Jobs *jobs, const char *id, const Child *child, int status)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(CatalogJob) job = catalog_job_find(jobs->catalog, id, &problem);
    g_autofree char *text = end_text(id, status);
    gboolean noted = job != NULL, done;

    if (job != NULL && strcmp(job->state, "lost") == 0)
        noted = catalog_job_settle(jobs->catalog, id, "running", "lost", text, &done, &problem);
    else if (job != NULL && strcmp(job->state, "queued") == 0 && job->attempt == child->attempt)
        noted = take_no_beginning(jobs, job, status, text, &problem);
    if (!noted)
        log_write(LOG_WARNING, "the end of job %s is not noted: %s", id, problem->message);
}

static void reap(Jobs *jobs)
{
    GHashTableIter iterator;
    gpointer id, child;

    g_hash_table_iter_init(&iterator, jobs->children);
    while (g_hash_table_iter_next(&iterator, &id, &child)) {
        int status;

        if (waitpid(((Child *)child)->pid, &status, WNOHANG) <= 0)
            continue;
        take_end(jobs, id, child, status);
        g_hash_table_iter_remove(&iterator);
    }
}

static void settle_lost(Jobs *jobs, const CatalogJob *job)
{
    g_autoptr(GError) problem = NULL;
    gboolean done;

    if (g_hash_table_contains(jobs->children, job->id))
        return;
    if (!catalog_job_settle(jobs->catalog, job->id, "running", "lost",
                            "its process is gone and has left no result", &done, &problem))
        log_about(job, LOG_WARNING, "", problem->message);
    else if (done)
        log_about(job, LOG_WARNING, " is lost", "its process is gone");
}

/* Whether the job may start now. */
static gboolean may_start(Jobs *jobs, const CatalogJob *job, guint running)
{
    guint64 limit = g_ascii_strtoull(config_get(jobs->config, "server", "max_jobs"), NULL, 10);

    return running < limit && strcmp(job->state, "queued") == 0 && job->not_before <= time_now() &&
           !g_hash_table_contains(jobs->children, job->id);
}

static void start_waiting(Jobs *jobs, const GPtrArray *active)
{
    guint running = 0;

    for (guint i = 0; i < active->len; i++) {
        const CatalogJob *job = g_ptr_array_index(active, i);

        running +=
            strcmp(job->state, "running") == 0 || g_hash_table_contains(jobs->children, job->id);
    }
    /* Oldest first. */
    for (guint i = active->len; i > 0; i--) {
        const CatalogJob *job = g_ptr_array_index(active, i - 1);
        g_autoptr(GError) problem = NULL;
        gboolean done;

        if (!may_start(jobs, job, running))
            continue;
        if (start_runner(jobs, job, &problem)) {
            log_about(job, LOG_INFO, " starts", job->operation);
            running++;
        } else if (!catalog_job_settle(jobs->catalog, job->id, "queued", "failed", problem->message,
                                       &done, NULL)) {
            log_about(job, LOG_WARNING, " cannot be started", problem->message);
        }
    }
}

/* --- the tick --------------------------------------------------------------------------------- */

/* Adds the jobs that were told as active and are no more. */
static void add_ended(Jobs *jobs, GPtrArray *active)
{
    GHashTableIter iterator;
    gpointer id;

    g_hash_table_iter_init(&iterator, jobs->told);
    while (g_hash_table_iter_next(&iterator, &id, NULL)) {
        gboolean found = FALSE;
        CatalogJob *job;

        for (guint i = 0; i < active->len && !found; i++)
            found = strcmp(((CatalogJob *)g_ptr_array_index(active, i))->id, id) == 0;
        job = found ? NULL : catalog_job_find(jobs->catalog, id, NULL);
        if (job != NULL)
            g_ptr_array_add(active, job);
    }
}

/* What changed since it was told last, as JSON; an array of json_t. */
static GPtrArray *collect_changes(Jobs *jobs, GPtrArray *active)
{
    GPtrArray *changes = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);

    add_ended(jobs, active);
    for (guint i = 0; i < active->len; i++) {
        const CatalogJob *job = g_ptr_array_index(active, i);
        g_autoptr(json_t) json = describe(jobs, job);
        g_autoptr(json_t) seen = json_copy(json);
        g_autofree char *text = NULL;

        json_object_del(seen, "heartbeat");
        text = json_write(seen, FALSE);
        if (g_strcmp0(g_hash_table_lookup(jobs->told, job->id), text) == 0)
            continue;
        g_ptr_array_add(changes, g_steal_pointer(&json));
        if (jobs_state_is_final(job->state))
            g_hash_table_remove(jobs->told, job->id);
        else
            g_hash_table_insert(jobs->told, g_strdup(job->id), g_steal_pointer(&text));
    }
    return changes;
}

static gboolean look(Jobs *jobs, GPtrArray **ret_active, GError **error)
{
    const CatalogJobFilter filter = {.state = "active"};

    return catalog_jobs_filtered(jobs->catalog, &filter, ACTIVE_LIMIT, ret_active, error);
}

/* With the mutex held; what is to be told, or NULL. */
static GPtrArray *tick(Jobs *jobs, gboolean starting)
{
    g_autoptr(GPtrArray) active = NULL;
    g_autoptr(GError) problem = NULL;

    reap(jobs);
    if (!jobs->active && time_monotonic() - jobs->looked < LOOK_INTERVAL)
        return NULL;
    jobs->looked = time_monotonic();
    if (!look(jobs, &active, &problem)) {
        log_write(LOG_WARNING, "jobs are not looked at: %s", problem->message);
        return NULL;
    }
    jobs->active = active->len > 0 || g_hash_table_size(jobs->told) > 0;
    for (guint i = 0; i < active->len; i++) {
        if (strcmp(((CatalogJob *)g_ptr_array_index(active, i))->state, "lost") == 0)
            settle_lost(jobs, g_ptr_array_index(active, i));
    }
    if (starting)
        start_waiting(jobs, active);
    g_cond_broadcast(&jobs->changed);
    return collect_changes(jobs, active);
}

void jobs_tick(Jobs *jobs, gboolean starting)
{
    g_autoptr(GPtrArray) changes = NULL;
    g_autoptr(GArray) watchers = NULL;

    g_mutex_lock(&jobs->mutex);
    jobs->ending = !starting;
    changes = tick(jobs, starting);
    watchers = g_array_copy(jobs->watchers);
    g_mutex_unlock(&jobs->mutex);
    for (guint i = 0; changes != NULL && i < changes->len; i++) {
        for (guint j = 0; j < watchers->len; j++) {
            const Watcher *watcher = &g_array_index(watchers, Watcher, j);

            watcher->func(g_ptr_array_index(changes, i), watcher->data);
        }
    }
}

gboolean jobs_count_running(Jobs *jobs, guint *ret_count, GError **error)
{
    g_autoptr(GPtrArray) active = NULL;
    gboolean result;

    g_mutex_lock(&jobs->mutex);
    result = look(jobs, &active, error);
    if (result) {
        *ret_count = g_hash_table_size(jobs->children);
        for (guint i = 0; i < active->len; i++) {
            const CatalogJob *job = g_ptr_array_index(active, i);

            *ret_count += strcmp(job->state, "running") == 0 &&
                          !g_hash_table_contains(jobs->children, job->id);
        }
    }
    g_mutex_unlock(&jobs->mutex);
    return result;
}
