/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs and the schedule.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "service/fields.h"
#include "service/rest-list.h"
#include "service/rest.h"
#include "service/schedule.h"
#include "service/service.h"

/* --- answering with a job --------------------------------------------------------------------- */

static void set_location(Response *response, const char *id)
{
    g_autofree char *location = g_strconcat("/api/backup-recovery/jobs/", id, NULL);

    response_set_header(response, "Location", location);
}

gboolean rest_answer_job(Api *api, Request *request, Response *response, const char *id,
                         GError **error)
{
    g_autoptr(CatalogJob) job = jobs_find(api_jobs(api), id, error);

    if (job == NULL)
        return FALSE;
    response_json(response, jobs_state_is_final(job->state) ? 200 : 202,
                  jobs_describe(api_jobs(api), job));
    set_location(response, job->id);
    g_free(request->note);
    request->note = g_strdup(job->id);
    return TRUE;
}

/* 409 with the job that is in the way. */
static void answer_busy(Api *api, Response *response, const JobRequest *wanted,
                        const GError *problem)
{
    const CatalogJobFilter filter = {.operation = wanted->operation,
                                     .source = wanted->source,
                                     .state = "active"};
    json_t *body = problem_json(409, problem);
    g_autoptr(GPtrArray) active = NULL;
    const char *id = NULL;

    if (jobs_list(api_jobs(api), &filter, 1, &active, NULL) && active->len > 0)
        id = ((const CatalogJob *)active->pdata[0])->id;
    json_object_set_new(body, "job", json_text(id));
    response_json(response, 409, body);
    response_set_header(response, "Content-Type", "application/problem+json");
    if (id != NULL)
        set_location(response, id);
}

gboolean rest_submit(Api *api, Request *request, Response *response, const JobRequest *job,
                     GError **error)
{
    g_autofree char *origin = g_strconcat("rest ", request->who, NULL);
    g_autoptr(GError) problem = NULL;
    g_autofree char *id = NULL;
    g_autoptr(Config) config = api_config(api);
    JobRequest own = *job;

    if (!api_commands(api)->check((char **)job->command, config, error))
        return FALSE;
    own.origin = origin;
    if (jobs_submit(api_jobs(api), &own, &id, &problem))
        return rest_answer_job(api, request, response, id, error);
    if (error_is(problem, ERROR_BUSY)) {
        answer_busy(api, response, job, problem);
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* --- jobs ------------------------------------------------------------------------------------- */

static gboolean check_cursor(Api *api, const char *cursor, GError **error)
{
    g_autoptr(CatalogJob) job = cursor != NULL ? jobs_find(api_jobs(api), cursor, NULL) : NULL;

    return rest_list_cursor(cursor, job != NULL && strcmp(job->id, cursor) == 0, error);
}

gboolean rest_jobs(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {"state", "source", "operation", "limit", "cursor", NULL};
    static const char *const states[] = {"queued",    "running", "succeeded", "failed",
                                         "cancelled", "lost",    "active",    NULL};
    CatalogJobFilter filter = {
        .operation = request_query(request, "operation"),
        .source = request_query(request, "source"),
        .before = request_query(request, "cursor"),
    };
    g_autoptr(GPtrArray) jobs = NULL;
    json_t *items;
    guint limit;

    if (!request_check_query(request, known, error) ||
        !rest_list_word(request, "state", states, &filter.state, error) ||
        !rest_list_limit(request, &limit, error) || !check_cursor(api, filter.before, error) ||
        !jobs_list(api_jobs(api), &filter, limit + 1, &jobs, error))
        return FALSE;
    items = json_array();
    for (guint i = 0; i < jobs->len; i++)
        json_array_append_new(items, jobs_describe(api_jobs(api), jobs->pdata[i]));
    rest_list_answer(response, items, limit);
    return TRUE;
}

/* A running job is 200 here as well, unless somebody waits for its end. */
gboolean rest_job(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {NULL};
    g_autoptr(CatalogJob) job = NULL;

    if (!request_check_query(request, known, error))
        return FALSE;
    job = jobs_find(api_jobs(api), request->parameters[0], error);
    if (job == NULL)
        return FALSE;
    response_json(response, 200, jobs_describe(api_jobs(api), job));
    return TRUE;
}

/* A request that has no fields. */
static gboolean check_no_fields(const Request *request, GError **error)
{
    g_autoptr(GStrvBuilder) none = g_strv_builder_new();

    return request->body == NULL || fields_to_words(NULL, request->body, none, error);
}

gboolean rest_cancel(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {"wait", NULL};
    const char *id = request->parameters[0];
    g_autoptr(CatalogJob) job = NULL;
    g_autoptr(GError) problem = NULL;

    if (!request_check_query(request, known, error) || !check_no_fields(request, error))
        return FALSE;
    job = jobs_find(api_jobs(api), id, error);
    if (job == NULL)
        return FALSE;
    if (jobs_cancel(api_jobs(api), job->id, &problem))
        return rest_answer_job(api, request, response, job->id, error);
    if (error_is(problem, ERROR_REFUSED)) {
        response_problem_status(response, 409, problem);
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* --- the schedule ----------------------------------------------------------------------------- */

static gboolean set_paused(Api *api, gboolean paused, gboolean *ret_changed, GError **error)
{
    Catalog *catalog = api_catalog(api);
    gboolean before;
    gboolean result =
        schedule_paused(catalog, &before, error) && schedule_pause(catalog, paused, error);

    api_catalog_done(api);
    if (result)
        *ret_changed = before != paused;
    return result;
}

static gboolean change_schedule(Api *api, Request *request, Response *response, gboolean paused,
                                GError **error)
{
    static const char *const known[] = {NULL};
    gboolean changed;

    if (!request_check_query(request, known, error) || !check_no_fields(request, error) ||
        !set_paused(api, paused, &changed, error))
        return FALSE;
    response_json(response, 200,
                  json_pack("{s:s, s:b}", "state", paused ? "stopped" : "running", "changed",
                            changed));
    return TRUE;
}

gboolean rest_scheduler_start(Api *api, Request *request, Response *response, GError **error)
{
    return change_schedule(api, request, response, FALSE, error);
}

gboolean rest_scheduler_stop(Api *api, Request *request, Response *response, GError **error)
{
    return change_schedule(api, request, response, TRUE, error);
}

static json_t *read_schedule(Api *api, gboolean *ret_paused, GError **error)
{
    g_autoptr(Config) config = api_config(api);
    Catalog *catalog = api_catalog(api);
    json_t *items = NULL;

    if (schedule_paused(catalog, ret_paused, error))
        items = service_describe_schedule(api_jobs(api), config, catalog, !*ret_paused, error);
    api_catalog_done(api);
    return items;
}

gboolean rest_scheduler_jobs(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {NULL};
    gboolean paused;
    json_t *items;

    if (!request_check_query(request, known, error))
        return FALSE;
    items = read_schedule(api, &paused, error);
    if (items == NULL)
        return FALSE;
    response_json(response, 200,
                  json_pack("{s:s, s:o, s:n}", "state", paused ? "stopped" : "running", "items",
                            items, "next"));
    return TRUE;
}
