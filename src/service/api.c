/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a request to its handler, and back.
 */
#include "service/api.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "codec/hash.h"
#include "operation/open.h"
#include "service/auth.h"
#include "service/refresher.h"
#include "service/replay.h"
#include "service/rest.h"

/* What other hosts do to the repository is seen this much later. */
#define REFRESH_INTERVAL (5 * TIME_SECOND)
#define WAIT_LIMIT       300

struct Api {
    Jobs *jobs;
    Monitor *monitor;
    Auth *auth;
    const ServiceCommands *commands;
    Repository *repository;
    GMutex config_mutex;
    Config *config;
    Refresher *refresher;
    GMutex catalog_mutex; /* guards the catalog */
    Catalog *catalog;
};

static gboolean open_all(Api *api, GError **error)
{
    const char *directory = config_state_directory(api->config);

    api->repository = operation_open_repository(api->config, error);
    if (api->repository == NULL)
        return FALSE;
    api->catalog = catalog_open(api->repository, directory, error);
    if (api->catalog == NULL || !catalog_answers_settle(api->catalog, error))
        return FALSE;
    api->refresher = refresher_start(api->catalog, REFRESH_INTERVAL, TIME_MINUTE, error);
    if (api->refresher == NULL)
        return FALSE;
    api->auth = auth_new(directory, error);
    return api->auth != NULL;
}

Api *api_new(const Config *config, Jobs *jobs, const ServiceCommands *commands, GError **error)
{
    g_autoptr(Api) api = g_new0(Api, 1);

    g_mutex_init(&api->config_mutex);
    g_mutex_init(&api->catalog_mutex);
    api->jobs = jobs;
    api->commands = commands;
    api->config = config_ref(config);
    return open_all(api, error) ? g_steal_pointer(&api) : NULL;
}

void api_free(Api *api)
{
    if (api == NULL)
        return;
    refresher_free(api->refresher);
    catalog_free(api->catalog);
    if (api->repository != NULL)
        repository_unref(api->repository);
    auth_free(api->auth);
    config_free(api->config);
    g_mutex_clear(&api->config_mutex);
    g_mutex_clear(&api->catalog_mutex);
    g_free(api);
}

void api_use_config(Api *api, const Config *config)
{
    g_mutex_lock(&api->config_mutex);
    config_free(api->config);
    api->config = config_ref(config);
    g_mutex_unlock(&api->config_mutex);
}

Config *api_config(Api *api)
{
    Config *config;

    g_mutex_lock(&api->config_mutex);
    config = config_ref(api->config);
    g_mutex_unlock(&api->config_mutex);
    return config;
}

gboolean api_has_tokens(Api *api)
{
    return auth_has_tokens(api->auth);
}

const ServiceCommands *api_commands(Api *api)
{
    return api->commands;
}

gboolean api_is_encrypted(Api *api)
{
    return repository_is_encrypted(api->repository);
}

OperationContext *api_context(Api *api, GError **error)
{
    return api_refresh(api, error)
               ? operation_context_open_known(api_config(api), api->catalog, error)
               : NULL;
}

Jobs *api_jobs(Api *api)
{
    return api->jobs;
}

void api_use_monitor(Api *api, Monitor *monitor)
{
    api->monitor = monitor;
}

Monitor *api_monitor(Api *api)
{
    return api->monitor;
}

Catalog *api_catalog(Api *api)
{
    g_mutex_lock(&api->catalog_mutex);
    return api->catalog;
}

void api_catalog_done(Api *api)
{
    g_mutex_unlock(&api->catalog_mutex);
}

gboolean api_refresh(Api *api, GError **error)
{
    return refresher_ask(api->refresher, error);
}

/* --- who, and where to ------------------------------------------------------------------------ */

/* The route of a request, or NULL with a filled response. */
static const Route *find_route(Request *request, Response *response)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *allowed = NULL;
    const Route *route = router_match(routes, request, &allowed, &problem);

    if (route != NULL)
        return route;
    if (allowed != NULL) {
        response_problem_status(response, 405, problem);
        response_set_header(response, "Allow", allowed);
    } else {
        response_problem(response, problem);
    }
    return NULL;
}

static gboolean check_role(const Route *route, const Request *request, Response *response)
{
    g_autoptr(GError) problem = NULL;

    if (request->role >= route->role)
        return TRUE;
    error_set(&problem, ERROR_PERMISSION, "%s may not do this", request->who);
    error_add_hint(&problem, "it needs the role %s", role_name(route->role));
    response_problem_status(response, 403, problem);
    log_write_fields(LOG_FIELDS({"user", request->who}, {"address", request->address}), LOG_WARNING,
                     "%s from %s was refused %s %s", request->who, request->address,
                     request->method, request->path);
    return FALSE;
}

static void run_route(Api *api, const Route *route, Request *request, Response *response)
{
    g_autoptr(GError) problem = NULL;

    if (route->handle(api, request, response, &problem))
        return;
    response_clear(response);
    /* Whoever holds the catalog lets it go: that is nobody's mistake. */
    if (catalog_error_is_busy(problem))
        response_problem_status(response, 503, problem);
    else
        response_problem(response, problem);
}

static void set_common_headers(Response *response)
{
    response_set_header(response, "X-Content-Type-Options", "nosniff");
    if (response_header(response, "Cache-Control") == NULL)
        response_set_header(response, "Cache-Control", "no-store");
    if (response->status == 503 && response_header(response, "Retry-After") == NULL)
        response_set_header(response, "Retry-After", "5");
}

static gboolean admit(Api *api, Request *request, Response *response)
{
    const Route *route = find_route(request, response);

    if (route == NULL)
        return FALSE;
    if (route->role == ROLE_NONE) {
        run_route(api, route, request, response);
        return FALSE;
    }
    return auth_check(api->auth, request, response) && check_role(route, request, response);
}

gboolean api_admit(Request *request, Response *response, gpointer data)
{
    gboolean admitted = admit(data, request, response);

    if (!admitted)
        set_common_headers(response);
    return admitted;
}

gboolean api_is_far(Request *request)
{
    g_autofree char *allowed = NULL;
    const Route *route = router_match(routes, request, &allowed, NULL);

    return route != NULL && route->far;
}

/* --- what all have in common ------------------------------------------------------------------ */

/* A change, or the making of a job. */
static void note_change(Api *api, const Request *request, const Response *response)
{
    const CatalogAudit entry = {
        .who = request->who,
        .address = request->address,
        .method = request->method,
        .path = request->path,
        .status = response->status,
        .job = request->note,
    };
    g_autoptr(GError) problem = NULL;

    log_write_fields(LOG_FIELDS({"user", entry.who}, {"address", entry.address},
                                {"job", entry.job}),
                     LOG_INFO, "%s from %s: %s %s: %u%s%s", entry.who, entry.address, entry.method,
                     entry.path, entry.status, entry.job != NULL ? ", job " : "",
                     entry.job != NULL ? entry.job : "");
    if (!catalog_audit(api_catalog(api), &entry, &problem))
        log_write(LOG_WARNING, "a change is not noted in the catalog: %s", problem->message);
    api_catalog_done(api);
}

/* The first time: the handler does its work. */
static void do_once(Api *api, const Route *route, Request *request, Response *response)
{
    gboolean reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;

    if (!reads && !replay_begin(api, request, response))
        return;
    run_route(api, route, request, response);
    if (!reads)
        replay_end(api, request, response);
    if (!reads || request->note != NULL)
        note_change(api, request, response);
}

/* `wait` of the query, until when. */
static gboolean take_wait(Request *request, GError **error)
{
    gint64 seconds;

    if (!request_query_number(request, "wait", 0, WAIT_LIMIT, 0, &seconds, error))
        return FALSE;
    request->deadline = time_monotonic() + seconds * TIME_SECOND;
    return TRUE;
}

/* The answer with a job is held back while it runs and somebody waits for it. */
static gboolean must_wait(const Request *request, const Response *response)
{
    return request->note != NULL && response->status == 202 && time_monotonic() < request->deadline;
}

/* "*" or a list of tags, weak ones too. */
static gboolean tag_matches(const char *wanted, const char *tag)
{
    return strcmp(wanted, "*") == 0 || strstr(wanted, tag) != NULL;
}

static void set_tag(const Request *request, Response *response)
{
    const char *wanted = request_header(request, "if-none-match");
    g_autofree char *tag = NULL;
    const void *bytes;
    gsize length;
    Hash128 hash;

    if (response->status != 200 || response->body == NULL ||
        (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0))
        return;
    bytes = g_bytes_get_data(response->body, &length);
    hash = xxh3_buffer(bytes, length, 0);
    tag = g_strdup_printf("\"%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x\"", hash.high,
                          hash.low);
    response_set_header(response, "ETag", tag);
    response_set_header(response, "Cache-Control", "no-cache, private");
    if (wanted == NULL || !tag_matches(wanted, tag))
        return;
    response->status = 304;
    g_clear_pointer(&response->body, g_bytes_unref);
}

/* A request that has waited: its job as it is now. */
static void look_again(Api *api, Request *request, Response *response)
{
    g_autofree char *id = g_steal_pointer(&request->note);
    g_autoptr(GError) problem = NULL;

    if (!rest_answer_job(api, request, response, id, &problem))
        response_problem(response, problem);
}

gboolean api_handle(Request *request, Response *response, gpointer data)
{
    const Route *route = find_route(request, response);
    g_autoptr(GError) problem = NULL;

    if (route != NULL && request->deadline != 0)
        look_again(data, request, response);
    else if (route != NULL && !take_wait(request, &problem))
        response_problem(response, problem);
    else if (route != NULL)
        do_once(data, route, request, response);
    if (must_wait(request, response)) {
        response_clear(response);
        return FALSE;
    }
    set_tag(request, response);
    set_common_headers(response);
    return TRUE;
}
