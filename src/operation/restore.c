/* SPDX-License-Identifier: Apache-2.0
 *
 * The restore operation: plan, restore, audit. All knowledge of databases is the engine's.
 */
#include "operation/restore.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/process.h"
#include "base/time.h"
#include "operation/clear.h"
#include "operation/expect.h"
#include "operation/job.h"
#include "repo/backup-id.h"
#include "repo/deletion.h"
#include "repo/record.h"

void restore_report_clear(RestoreReport *report)
{
    g_clear_pointer(&report->steps, g_ptr_array_unref);
    g_clear_pointer(&report->problems, g_ptr_array_unref);
    g_clear_pointer(&report->warnings, g_ptr_array_unref);
    g_clear_pointer(&report->summary, json_decref);
    g_clear_pointer(&report->record, g_free);
    g_clear_pointer(&report->backup, g_free);
}

/* What a restore works with, once the request is understood. */
typedef struct {
    OperationContext *context;
    const RestoreRequest *request;
    Backup *backup;
    Backup *following; /* or NULL */
    const Engine *engine;
    char *reason;       /* why that backup, where none was named */
    const char *method; /* the plan's, and its bytes: for the record */
    guint64 bytes;
    char **wal_get;    /* for the server's restore_command */
    EnginePlace place; /* the request's, with wal_get */
    ConfigSource bare; /* where no configuration knows the source */
    EngineRestore work;
} Restoring;

/* The server to restore to. Without a configured source the engine's own defaults say where that
 * is: a bare machine. */
static gboolean find_target(Restoring *restoring, GError **error)
{
    const RestoreRequest *request = restoring->request;
    const Config *config = restoring->context->config;
    const Manifest *manifest = backup_manifest(restoring->backup);
    const char *name = manifest_source(manifest);

    if (request->to_source != NULL) {
        restoring->work.target =
            config_find_source(config, request->to_source, request->engine, NULL, error);
        return restoring->work.target != NULL;
    }
    for (guint i = 0; i < config_source_count(config); i++) {
        const ConfigSource *source = config_source(config, i);

        if (strcmp(source->name, name) == 0 && strcmp(source->engine, request->engine) == 0) {
            restoring->work.target = source;
            return TRUE;
        }
    }
    restoring->bare.name = (char *)name;
    restoring->bare.engine = (char *)request->engine;
    restoring->bare.conninfo = (char *)"";
    restoring->bare.url = (char *)"http://127.0.0.1:6041";
    restoring->bare.user = (char *)"root";
    restoring->bare.timeout = 30 * TIME_SECOND;
    restoring->bare.jobs = 2;
    restoring->work.target = &restoring->bare;
    /* A restore into a directory asks no server. */
    if (request->place.directory == NULL)
        log_write(LOG_WARNING, "no configuration has source %s; connecting as the environment says",
                  name);
    return TRUE;
}

/* The only source of this engine, and of this method (NULL: any), that the repository has backups
 * of. What cannot be read is no candidate. */
static gboolean find_recorded_source(const Restoring *restoring, const char *method,
                                     char **ret_name, GError **error)
{
    Repository *repository = restoring->context->repository;
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *text = NULL;

    if (!backup_list(repository, &ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        g_autoptr(Backup) backup = backup_open(repository, g_ptr_array_index(ids, i), NULL);
        const Manifest *manifest = backup != NULL ? backup_manifest(backup) : NULL;

        if (manifest != NULL &&
            strcmp(manifest_engine(manifest), restoring->request->engine) == 0 &&
            (method == NULL || g_strcmp0(manifest_method(manifest), method) == 0) &&
            !g_ptr_array_find_with_equal_func(names, manifest_source(manifest), g_str_equal, NULL))
            g_ptr_array_add(names, g_strdup(manifest_source(manifest)));
    }
    if (names->len == 1) {
        *ret_name = g_strdup(names->pdata[0]);
        return TRUE;
    }
    if (names->len == 0) {
        error_set(error, ERROR_NOT_FOUND, "the repository has no %s backup",
                  method != NULL ? method : restoring->request->engine);
        return FALSE;
    }
    g_ptr_array_add(names, NULL);
    text = g_strjoinv(", ", (char **)names->pdata);
    error_set(error, ERROR_USAGE, "the repository has backups of several sources: %s", text);
    error_add_hint(error, "choose one with --source NAME");
    return FALSE;
}

/* The newest backup that can reach the target. A bare machine knows sources by their backups
 * only. */
static gboolean choose_backup(Restoring *restoring, GError **error)
{
    const RestoreRequest *request = restoring->request;
    const Config *config = restoring->context->config;
    const Engine *engine = engine_find(request->engine, error);
    ConfigSource named = {.name = (char *)request->source, .engine = (char *)request->engine};
    const ConfigSource *source = &named;
    const char *method;
    g_autofree char *recorded = NULL;

    if (engine == NULL)
        return FALSE;
    if (engine->choose == NULL) {
        error_set(error, ERROR_USAGE, "which backup shall be restored?");
        error_add_hint(error, "name it with --backup-id; holdfast list backups shows them");
        return FALSE;
    }
    method = request->source == NULL && strcmp(engine->name, "postgresql") == 0 ? "physical" : NULL;
    if (config_source_count(config) > 0) {
        source = config_find_source(config, request->source, request->engine, method, error);
        if (source == NULL)
            return FALSE;
    } else if (request->source == NULL) {
        if (!find_recorded_source(restoring, method, &recorded, error))
            return FALSE;
        named.name = recorded;
    }
    return engine->choose(restoring->context->repository, source, &request->recovery,
                          &restoring->backup, &restoring->reason, NULL, error);
}

static gboolean open_backup(Restoring *restoring, GError **error)
{
    const RestoreRequest *request = restoring->request;
    const char *engine;

    if (request->backup_id == NULL) {
        if (!choose_backup(restoring, error))
            return FALSE;
    } else {
        restoring->backup = backup_open(restoring->context->repository, request->backup_id, error);
        if (restoring->backup == NULL)
            return FALSE;
    }
    engine = manifest_engine(backup_manifest(restoring->backup));
    if (strcmp(engine, request->engine) != 0) {
        error_set(error, ERROR_USAGE, "backup %s is one of %s", backup_id(restoring->backup),
                  engine);
        error_add_hint(error, "use holdfast restore %s", engine);
        return FALSE;
    }
    restoring->engine = engine_find(engine, error);
    if (restoring->engine == NULL)
        return FALSE;
    return !request->fill || restoring->engine->follow == NULL ||
           restoring->engine->follow(restoring->backup, &restoring->following, error);
}

/* This program, and the repository as this run has found it. A server runs the command in a
 * directory of its own: every path is absolute. */
static gboolean find_wal_get(Restoring *restoring, GError **error)
{
    const Config *config = restoring->context->config;
    g_autoptr(GStrvBuilder) words = g_strv_builder_new();
    g_autofree char *program = process_own_command();
    g_autofree char *file = NULL;

    if (program == NULL) {
        error_set(error, ERROR_INTERNAL, "the path of this program is not known");
        return FALSE;
    }
    g_strv_builder_add_many(words, program, "wal", "get", NULL);
    if (config_path(config) != NULL) {
        file = g_canonicalize_filename(config_path(config), NULL);
        g_strv_builder_add_many(words, "--config", file, NULL);
    }
    if (config_repository_replaced(config))
        g_strv_builder_add_many(words, "--repository", config_repository_path(config), NULL);
    /* The form is no secret: it says where the key is. */
    if (config_key_replaced(config))
        g_strv_builder_add_many(words, "--key", config_get(config, "repository", "key"), NULL);
    restoring->wal_get = g_strv_builder_end(words);
    restoring->place = restoring->request->place;
    restoring->place.wal_get = (const char *const *)restoring->wal_get;
    return TRUE;
}

/* Other engines leave both at 0. */
static gboolean takes_all_times(const RestoreRequest *request)
{
    return request->time_from == request->time_to;
}

static void fill_work(Restoring *restoring, Progress *progress, GCancellable *cancellable)
{
    const RestoreRequest *request = restoring->request;
    EngineRestore *work = &restoring->work;

    work->backup = restoring->backup;
    work->reason = restoring->reason;
    work->recovery = &request->recovery;
    work->place = &restoring->place;
    work->databases = request->databases;
    work->to_database = request->to_database;
    work->tables = request->tables;
    work->time_from = takes_all_times(request) ? G_MININT64 : request->time_from;
    work->time_to = takes_all_times(request) ? G_MAXINT64 : request->time_to;
    work->merge = request->merge;
    work->deep = request->deep;
    work->following = restoring->following;
    work->fill_until = request->fill_until;
    work->dry_run = request->dry_run;
    work->replace = request->replace;
    work->globals = request->globals;
    work->no_owner = request->no_owner;
    work->require_rows = request->require_rows;
    work->tolerance = request->tolerance >= 0 ? request->tolerance : work->target->tolerance;
    work->jobs = request->jobs > 0 ? request->jobs : work->target->jobs;
    work->scratch_directory = operation_scratch_directory(restoring->context);
    work->progress = progress;
    work->cancellable = cancellable;
}

static const char *record_kind(const RestoreRequest *request)
{
    return request->drill ? "drill" : "restore";
}

/* The backups were chosen before there was a lease that protects them: it is no success before they
 * are known to be there still. A repository that cannot be written is restored from all the same. */
static gboolean take_lease(Restoring *restoring, Lease **ret_lease, GError **error)
{
    const char *const uses[] = {backup_id(restoring->backup),
                                restoring->following != NULL ? backup_id(restoring->following)
                                                             : NULL,
                                NULL};
    const LeaseRequest request = {.operation = record_kind(restoring->request),
                                  .source = manifest_source(backup_manifest(restoring->backup)),
                                  .uses = uses,
                                  .runtime_directory =
                                      config_runtime_directory(restoring->context->config)};
    g_autoptr(GError) problem = NULL;

    *ret_lease = lease_acquire(restoring->context->repository, &request, &problem);
    if (*ret_lease == NULL) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "the restore goes on without a lease: %s", text);
    }
    return deletion_wait(restoring->context->repository, uses, error);
}

static void append_all(GPtrArray *to, const GPtrArray *from)
{
    for (guint i = 0; from != NULL && i < from->len; i++)
        g_ptr_array_add(to, g_strdup(g_ptr_array_index(from, i)));
}

/* The time that the steps are going to take. */
static void add_expectation(const Restoring *restoring, RestoreReport *report)
{
    const ExpectQuery query = {.engine = restoring->request->engine,
                               .method = restoring->method,
                               .bytes = restoring->bytes};
    Expectation expectation;

    if (!expect_restore(restoring->context, &query, &expectation))
        return;
    g_ptr_array_add(report->steps, expectation_describe(&expectation));
    json_object_set_new(report->summary, "expected", expectation_json(&expectation));
}

static void report_plan(Restoring *restoring, RestoreReport *report, const EnginePlan *plan)
{
    append_all(report->steps, plan->steps);
    append_all(report->problems, plan->problems);
    append_all(report->warnings, plan->warnings);
    report->summary = json_incref(plan->summary);
    restoring->method = plan->method;
    restoring->bytes = plan->bytes;
    if (restoring->request->dry_run)
        add_expectation(restoring, report);
}

static void take_result(RestoreReport *report, EngineResult *result)
{
    append_all(report->warnings, result->warnings);
    if (result->summary != NULL) {
        json_decref(report->summary);
        report->summary = json_incref(result->summary);
    }
    engine_result_clear(result);
}

static gboolean run_plan(Restoring *restoring, EnginePlan *plan, RestoreReport *report,
                         GError **error)
{
    EngineResult result = {0};
    gboolean done;

    report_plan(restoring, report, plan);
    if (plan->problems->len > 0)
        return engine_plan_fail(plan, error);
    if (restoring->request->dry_run)
        return TRUE;
    done = restoring->engine->restore(plan, &result, error);
    take_result(report, &result);
    return done;
}

static gboolean run_drill(Restoring *restoring, RestoreReport *report, GError **error)
{
    EngineResult result = {0};
    gboolean done = restoring->engine->drill(&restoring->work, &result, error);

    restoring->method = manifest_method(backup_manifest(restoring->backup));
    restoring->bytes = manifest_plain_size(backup_manifest(restoring->backup));
    take_result(report, &result);
    return done;
}

/* The time that a recovery takes: without the checks that only a drill makes. */
static double seconds_of(const RestoreReport *report)
{
    return (double)report->elapsed / (double)TIME_SECOND -
           json_number_value(json_object_get(report->summary, "check_seconds"));
}

static const char *result_word(const RestoreRequest *request, const GError *problem)
{
    if (problem == NULL)
        return request->dry_run ? "planned" : "succeeded";
    return error_info_of(problem)->code == ERROR_CANCELLED ? "cancelled" : "failed";
}

static json_t *list_json(const char *const *words)
{
    json_t *list = json_array();

    for (; words != NULL && *words != NULL; words++)
        json_array_append_new(list, json_text(*words));
    return list;
}

static json_t *options_json(const RestoreRequest *request)
{
    json_t *options = json_object();

    json_object_set_new(options, "databases", list_json(request->databases));
    json_object_set_new(options, "to_database", json_text(request->to_database));
    json_object_set_new(options, "tables", list_json(request->tables));
    json_object_set_new(options, "target_directory", json_text(request->place.directory));
    json_object_set_new(options, "delta", json_boolean(request->place.delta));
    json_object_set_new(options, "merge", json_boolean(request->merge));
    json_object_set_new(options, "deep", json_boolean(request->deep));
    json_object_set_new(options, "fill", json_boolean(request->fill));
    json_object_set_new(options, "replace", json_boolean(request->replace));
    json_object_set_new(options, "globals", json_boolean(request->globals));
    json_object_set_new(options, "no_owner", json_boolean(request->no_owner));
    json_object_set_new(options, "require_rows", json_boolean(request->require_rows));
    return options;
}

/* Who, when and where is added by record_write(). What was connected to is named by its source:
 * connection strings may hold passwords. `clear`: without what could name a table, where the
 * repository is encrypted. */
static json_t *record_body(const Restoring *restoring, const GError *problem,
                           const RestoreReport *report, gboolean clear)
{
    const RestoreRequest *request = restoring->request;
    const Manifest *manifest = backup_manifest(restoring->backup);
    const Repository *repository = restoring->context->repository;
    gboolean names = !clear || !repository_is_encrypted(repository);
    g_autoptr(json_t) options = options_json(request);
    g_autofree char *message =
        clear || problem == NULL ? clear_text(repository, problem) : error_text(problem);
    json_t *body = json_object();
    json_t *warnings = json_array();

    for (guint i = 0; i < report->warnings->len && names; i++)
        json_array_append_new(warnings, json_text(g_ptr_array_index(report->warnings, i)));
    json_object_set_new(body, "backup", json_text(backup_id(restoring->backup)));
    json_object_set_new(body, "source", json_text(manifest_source(manifest)));
    json_object_set_new(body, "engine", json_text(request->engine));
    json_object_set_new(body, "method", json_text(restoring->method));
    json_object_set_new(body, "bytes", json_integer((json_int_t)restoring->bytes));
    json_object_set_new(body, "target", json_text(restoring->work.target->name));
    json_object_set_new(body, "dry_run", json_boolean(request->dry_run));
    json_object_set_new(body, "result", json_string(result_word(request, problem)));
    json_object_set_new(body, "message", json_text(message));
    json_object_set_new(body, "code",
                        json_text(problem != NULL ? error_info_of(problem)->name : NULL));
    json_object_set_new(body, "seconds", json_real(seconds_of(report)));
    json_object_set_new(body, "server_version", json_text(manifest_server_version(manifest)));
    json_object_set_new(body, "tolerance", json_real(restoring->work.tolerance));
    json_object_set_new(body, "options",
                        names ? json_incref(options) : clear_json(repository, options));
    json_object_set_new(body, "summary",
                        names ? json_incref(report->summary)
                              : clear_json(repository, report->summary));
    json_object_set_new(body, "warnings", warnings);
    return body;
}

static void file_record(const Restoring *restoring, const GError *problem, RestoreReport *report)
{
    Repository *repository = restoring->context->repository;
    g_autoptr(GError) trouble = NULL;
    g_autoptr(json_t) body = record_body(restoring, problem, report, TRUE);
    g_autoptr(json_t) whole = record_body(restoring, problem, report, FALSE);

    if (!record_write_sealed(repository, record_kind(restoring->request), body, whole,
                             &report->record, &trouble) ||
        !catalog_refresh(restoring->context->catalog, &trouble)) {
        g_autofree char *text = error_text(trouble);

        log_write(LOG_WARNING, "the result is not on record: %s", text);
    }
}

/* Whatever was understood leaves a record, also when looking for what could go wrong has failed or
 * has found damage. */
static gboolean plan_and_restore(Restoring *restoring, RestoreReport *report, GError **error)
{
    g_autoptr(Lease) lease = NULL;
    const char *kind = record_kind(restoring->request);
    g_autofree char *job_id =
        backup_id_make(time_now(), manifest_source(backup_manifest(restoring->backup)), kind);
    g_autoptr(GError) problem = NULL;
    gint64 began = time_monotonic();
    EnginePlan *plan = NULL;
    gboolean done;
    Job *job;

    if (!take_lease(restoring, &lease, error))
        return FALSE;
    if (!restoring->request->drill)
        plan = restoring->engine->plan(&restoring->work, &problem);
    if (plan == NULL && error_is(problem, ERROR_USAGE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    job = job_begin(restoring->context, job_id, kind, restoring->work.target->name);
    if (restoring->request->drill)
        done = run_drill(restoring, report, &problem);
    else
        done = plan != NULL && run_plan(restoring, plan, report, &problem);
    progress_end(restoring->work.progress);
    if (plan != NULL)
        restoring->engine->plan_free(plan);
    report->elapsed = time_monotonic() - began;
    file_record(restoring, problem, report);
    job_end(job, problem, report->summary);
    if (!done)
        g_propagate_error(error, g_steal_pointer(&problem));
    return done;
}

gboolean operation_restore(OperationContext *context, const RestoreRequest *request,
                           Progress *progress, GCancellable *cancellable, RestoreReport *ret_report,
                           GError **error)
{
    Restoring restoring = {.context = context, .request = request};
    gboolean done;

    /* Filled in whatever happens: a plan with problems is reported as well. */
    memset(ret_report, 0, sizeof(*ret_report));
    ret_report->steps = g_ptr_array_new_with_free_func(g_free);
    ret_report->problems = g_ptr_array_new_with_free_func(g_free);
    ret_report->warnings = g_ptr_array_new_with_free_func(g_free);
    done = repository_unlock(context->repository, error) && open_backup(&restoring, error) &&
           find_target(&restoring, error) && find_wal_get(&restoring, error);
    if (done) {
        ret_report->backup = g_strdup(backup_id(restoring.backup));
        fill_work(&restoring, progress, cancellable);
        done = plan_and_restore(&restoring, ret_report, error);
    }
    backup_unref(restoring.backup);
    backup_unref(restoring.following);
    g_free(restoring.reason);
    g_strfreev(restoring.wal_get);
    return done;
}
