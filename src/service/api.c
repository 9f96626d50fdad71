/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of a request to its handler.
 */
#include "service/api.h"

#include <string.h>

#include "base/error.h"
#include "service/router.h"

struct Api {
    Repository *repository;
    Jobs *jobs;
    Monitor *monitor;
    GMutex config_mutex;
    Config *config;
    GMutex catalog_mutex;
    Catalog *catalog;
};

Api *api_new(const Config *config, Repository *repository, Jobs *jobs, GError **error)
{
    g_autoptr(Catalog) catalog = catalog_open(repository, config_state_directory(config), error);
    Api *api;

    if (catalog == NULL)
        return NULL;
    api = g_new0(Api, 1);
    api->repository = repository_ref(repository);
    api->jobs = jobs;
    api->config = config_ref(config);
    api->catalog = g_steal_pointer(&catalog);
    g_mutex_init(&api->config_mutex);
    g_mutex_init(&api->catalog_mutex);
    return api;
}

void api_free(Api *api)
{
    if (api == NULL)
        return;
    catalog_free(api->catalog);
    repository_unref(api->repository);
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

Repository *api_repository(Api *api)
{
    return api->repository;
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

/* --- from a request to its handler ------------------------------------------------------------ */

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
    if (request->who == NULL) {
        error_set(&problem, ERROR_USAGE, "a token is needed");
        response_problem_status(response, 401, problem);
        response_set_header(response, "WWW-Authenticate", "Bearer");
    } else {
        error_set(&problem, ERROR_PERMISSION, "%s may not do this: it needs the role %s",
                  request->who, role_name(route->role));
        response_problem_status(response, 403, problem);
    }
    return FALSE;
}

static gboolean run_route(Api *api, const Route *route, Request *request, Response *response)
{
    g_autoptr(GError) problem = NULL;

    if (!route->handle(api, request, response, &problem)) {
        response_clear(response);
        response_problem(response, problem);
    }
    return response->status != 0;
}

gboolean api_admit(Request *request, Response *response, gpointer data)
{
    const Route *route = find_route(request, response);

    if (route == NULL || !check_role(route, request, response))
        return FALSE;
    if (route->role != ROLE_NONE)
        return TRUE;
    (void)run_route(data, route, request, response);
    return FALSE;
}

gboolean api_handle(Request *request, Response *response, gpointer data)
{
    const Route *route = find_route(request, response);

    return route == NULL || run_route(data, route, request, response);
}
