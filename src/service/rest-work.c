/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that make jobs: backup, cleanup, drill, verify.
 */
#include <string.h>

#include "base/error.h"
#include "service/fields.h"
#include "service/rest.h"

static const char *const wait_only[] = {"wait", NULL};

char **rest_words(Api *api, const char *words, const json_t *body, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) parts = g_strsplit(words, " ", -1);

    g_strv_builder_addv(builder, (const char **)parts);
    if (!fields_to_words(api_commands(api)->options(words), body, builder, error))
        return NULL;
    return g_strv_builder_end(builder);
}

const char *rest_route_words(Request *request)
{
    g_autofree char *allowed = NULL;
    const Route *route = router_match(routes, request, &allowed, NULL);

    return route->words;
}

const ConfigSource *rest_find_source(const Config *config, const char *name, const char *engine,
                                     GError **error)
{
    g_autoptr(GError) problem = NULL;
    const ConfigSource *source = config_find_source(config, name, engine, NULL, &problem);

    /* That none is configured is no fault of the service. */
    if (error_is(problem, ERROR_CONFIG))
        error_set(error, ERROR_NOT_FOUND, "%s", problem->message);
    else if (source == NULL)
        g_propagate_error(error, g_steal_pointer(&problem));
    return source;
}

/* A backup that a field names must be there, and of the source: its whole id goes into the body. */
static gboolean fix_backup(Api *api, json_t *body, const char *field, const ConfigSource *source,
                           GError **error)
{
    const char *given = json_get_string(body, field, NULL);
    g_autoptr(OperationContext) context = NULL;
    g_autofree char *id = NULL;
    g_autofree char *owner = NULL;

    if (given == NULL)
        return TRUE;
    context = api_context(api, error);
    id = context != NULL ? operation_resolve_backup(context, given, error) : NULL;
    owner = id != NULL ? rest_backup_source(context, id, error) : NULL;
    if (owner == NULL)
        return FALSE;
    json_object_set_new(body, field, json_text(id));
    if (strcmp(owner, source->name) == 0)
        return TRUE;
    error_set(error, ERROR_REFUSED, "backup %s is of source %s, not of %s", id, owner,
              source->name);
    return FALSE;
}

/* --- backup ----------------------------------------------------------------------------------- */

gboolean rest_start_backup(Api *api, Request *request, Response *response, GError **error)
{
    const char *words = rest_route_words(request);
    g_auto(GStrv) parts = g_strsplit(words, " ", -1);
    g_autoptr(Config) config = api_config(api);
    g_autoptr(json_t) body = request->body != NULL ? json_copy(request->body) : json_object();
    const ConfigSource *source;
    g_auto(GStrv) command = NULL;
    JobRequest job = {.operation = words};

    if (!request_check_query(request, wait_only, error))
        return FALSE;
    command = rest_words(api, words, body, error); /* before anything is looked for: the types */
    if (command == NULL)
        return FALSE;
    source = rest_find_source(config, json_get_string(body, "source", NULL), parts[1], error);
    if (source == NULL || !fix_backup(api, body, "since", source, error))
        return FALSE;
    json_object_set_new(body, "source", json_text(source->name));
    g_strfreev(command);
    command = rest_words(api, words, body, error);
    if (command == NULL)
        return FALSE;
    job.command = (const char *const *)command;
    job.source = source->name;
    return rest_submit(api, request, response, &job, error);
}

/* --- cleanup, drill --------------------------------------------------------------------------- */

gboolean rest_cleanup(Api *api, Request *request, Response *response, GError **error)
{
    g_auto(GStrv) command = NULL;
    JobRequest job = {.operation = "cleanup"};

    if (!request_check_query(request, wait_only, error))
        return FALSE;
    command = rest_words(api, "cleanup", request->body, error);
    if (command == NULL)
        return FALSE;
    job.command = (const char *const *)command;
    return rest_submit(api, request, response, &job, error);
}

/* The words of a command with one argument behind them. Takes `words`. */
static char **with_argument(char **words, const char *argument)
{
    guint count = g_strv_length(words);

    words = g_renew(char *, words, count + 2);
    words[count] = g_strdup(argument);
    words[count + 1] = NULL;
    return words;
}

gboolean rest_drill(Api *api, Request *request, Response *response, GError **error)
{
    g_autoptr(Config) config = api_config(api);
    g_autoptr(json_t) body = request->body != NULL ? json_copy(request->body) : json_object();
    const ConfigSource *source;
    g_auto(GStrv) command = NULL;
    JobRequest job = {.operation = "drill"};

    if (!request_check_query(request, wait_only, error))
        return FALSE;
    source = rest_find_source(config, request->parameters[0], NULL, error);
    command = source != NULL ? rest_words(api, "drill", body, error) : NULL; /* the types */
    if (command == NULL || !fix_backup(api, body, "backup_id", source, error))
        return FALSE;
    g_strfreev(command);
    command = rest_words(api, "drill", body, error);
    if (command == NULL)
        return FALSE;
    command = with_argument(command, source->name);
    job.command = (const char *const *)command;
    job.source = source->name;
    return rest_submit(api, request, response, &job, error);
}

/* --- verify ----------------------------------------------------------------------------------- */

/* The newest report on a backup, or NULL. New reference. The catalog is fresh: the backup was just
 * looked up. */
static gboolean newest_report(Api *api, const char *id, json_t **ret_report, GError **error)
{
    g_autoptr(GPtrArray) records = NULL;
    gboolean result = catalog_records(api_catalog(api), "verify", &records, error);

    api_catalog_done(api);
    *ret_report = NULL;
    for (guint i = 0; result && i < records->len && *ret_report == NULL; i++) {
        if (strcmp(json_get_string(records->pdata[i], "backup", ""), id) == 0)
            *ret_report = json_incref(records->pdata[i]);
    }
    return result;
}

/* The verify job of this backup that waits or runs: its id, or NULL. */
static char *find_verify(Api *api, const char *source, const char *id)
{
    const CatalogJobFilter filter = {.operation = "verify", .source = source, .state = "active"};
    g_autoptr(GPtrArray) active = NULL;

    if (!jobs_list(api_jobs(api), &filter, 100, &active, NULL))
        return NULL;
    for (guint i = 0; i < active->len; i++) {
        const CatalogJob *job = active->pdata[i];

        if (job->command != NULL && strstr(job->command, id) != NULL &&
            strcmp(job->state, "lost") != 0)
            return g_strdup(job->id);
    }
    return NULL;
}

char *rest_backup_source(OperationContext *context, const char *id, GError **error)
{
    const CatalogFilter filter = {.id = id};
    g_autoptr(GPtrArray) rows = NULL;

    if (!catalog_backups(context->catalog, &filter, &rows, error))
        return NULL;
    if (rows->len > 0)
        return g_strdup(((const CatalogBackup *)rows->pdata[0])->source);
    error_set(error, ERROR_NOT_FOUND, "there is no backup %s", id);
    return NULL;
}

static gboolean start_verify(Api *api, Request *request, Response *response, const char *source,
                             const char *id, GError **error)
{
    const char *const command[] = {"verify", id, NULL};
    const JobRequest job = {.command = command, .operation = "verify", .source = source};
    g_autofree char *running = find_verify(api, source, id);

    if (running != NULL)
        return rest_answer_job(api, request, response, running, error);
    if (request->role < ROLE_OPERATOR) {
        g_autoptr(GError) problem = NULL;

        error_set(&problem, ERROR_PERMISSION, "%s may not start a verify", request->who);
        error_add_hint(&problem, "it needs the role operator");
        response_problem_status(response, 403, problem);
        return TRUE;
    }
    return rest_submit(api, request, response, &job, error);
}

gboolean rest_verify(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {"run", "wait", NULL};
    g_autoptr(OperationContext) context = NULL;
    g_autofree char *id = NULL;
    g_autofree char *source = NULL;
    json_t *report = NULL;
    gboolean run;

    if (!request_check_query(request, known, error) ||
        !request_query_boolean(request, "run", &run, error))
        return FALSE;
    context = api_context(api, error);
    id = context != NULL ? operation_resolve_backup(context, request->parameters[0], error) : NULL;
    source = id != NULL ? rest_backup_source(context, id, error) : NULL;
    if (source == NULL || (!run && !newest_report(api, id, &report, error)))
        return FALSE;
    if (report == NULL)
        return start_verify(api, request, response, source, id, error);
    response_json(response, 200, report);
    return TRUE;
}
