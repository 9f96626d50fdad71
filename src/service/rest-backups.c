/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups, what is proved of them, recoveries, objectives.
 */
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "operation/describe.h"
#include "operation/objectives.h"
#include "operation/pin.h"
#include "operation/report.h"
#include "repo/record.h"
#include "service/rest-list.h"
#include "service/rest.h"

/* --- the list --------------------------------------------------------------------------------- */

static gboolean take_time(const Request *request, const char *name, GTimeZone *zone,
                          gint64 *ret_when, GError **error)
{
    const char *text = request_query(request, name);

    if (text == NULL || time_parse(text, zone, ret_when, error))
        return TRUE;
    g_prefix_error(error, "%s: ", name);
    return FALSE;
}

static gboolean take_filter(Api *api, const Request *request, CatalogFilter *filter, GError **error)
{
    static const char *const known[] = {"source", "engine", "type",   "status", "since",
                                        "until",  "limit",  "cursor", NULL};
    static const char *const engines[] = {"postgresql", "tdengine", NULL};
    static const char *const types[] = {"full", "incremental", NULL};
    static const char *const states[] = {"good", "damaged", "pinned", NULL};
    g_autoptr(Config) config = api_config(api);
    GTimeZone *zone = config_time_zone(config);

    filter->source = request_query(request, "source");
    filter->before = request_query(request, "cursor");
    return request_check_query(request, known, error) &&
           rest_list_word(request, "engine", engines, &filter->engine, error) &&
           rest_list_word(request, "type", types, &filter->type, error) &&
           rest_list_word(request, "status", states, &filter->status, error) &&
           take_time(request, "since", zone, &filter->since, error) &&
           take_time(request, "until", zone, &filter->until, error);
}

/* A page behind a backup that was deleted meanwhile would look like the end. */
static gboolean check_cursor(Catalog *catalog, const char *cursor, GError **error)
{
    const CatalogFilter filter = {.id = cursor};
    g_autoptr(GPtrArray) found = NULL;

    return cursor == NULL || (catalog_backups(catalog, &filter, &found, error) &&
                              rest_list_cursor(cursor, found->len > 0, error));
}

static gboolean read_backups(Api *api, const CatalogFilter *filter, GPtrArray **ret_backups,
                             GError **error)
{
    Catalog *catalog;
    gboolean result;

    if (!api_refresh(api, error))
        return FALSE;
    catalog = api_catalog(api);
    result = check_cursor(catalog, filter->before, error) &&
             catalog_backups(catalog, filter, ret_backups, error);
    api_catalog_done(api);
    return result;
}

gboolean rest_backups(Api *api, Request *request, Response *response, GError **error)
{
    g_autoptr(GPtrArray) backups = NULL;
    CatalogFilter filter = {0};
    json_t *items;
    guint limit;

    if (!take_filter(api, request, &filter, error) || !rest_list_limit(request, &limit, error))
        return FALSE;
    filter.limit = limit + 1; /* one more tells whether there is a next page */
    if (!read_backups(api, &filter, &backups, error))
        return FALSE;
    items = json_array();
    for (guint i = 0; i < backups->len; i++)
        json_array_append_new(items, describe_backup(g_ptr_array_index(backups, i)));
    rest_list_answer(response, items, limit);
    return TRUE;
}

/* --- one -------------------------------------------------------------------------------------- */

static gboolean no_query(const Request *request, GError **error)
{
    static const char *const none[] = {NULL};

    return request_check_query(request, none, error);
}

gboolean rest_backup(Api *api, Request *request, Response *response, GError **error)
{
    g_autoptr(OperationContext) context = NULL;
    g_autofree char *id = NULL;
    g_autofree char *withheld = NULL;
    g_autoptr(Backup) backup = NULL;
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(json_t) details = NULL;
    CatalogFilter filter = {0};

    if (!no_query(request, error))
        return FALSE;
    context = api_context(api, error);
    id = context != NULL ? operation_resolve_backup(context, request->parameters[0], error) : NULL;
    backup = id != NULL ? backup_open(context->repository, id, error) : NULL;
    filter.id = id;
    if (backup == NULL || !catalog_backups(context->catalog, &filter, &rows, error) ||
        !describe_details(backup, &details, &withheld, error))
        return FALSE;
    response_json(response, 200,
                  describe_whole(backup, rows->len > 0 ? rows->pdata[0] : NULL, details));
    return TRUE;
}

gboolean rest_report(Api *api, Request *request, Response *response, GError **error)
{
    g_autoptr(OperationContext) context = NULL;
    json_t *report;

    if (!no_query(request, error))
        return FALSE;
    context = api_context(api, error);
    report = context != NULL ? operation_report(context, request->parameters[0], error) : NULL;
    if (report == NULL)
        return FALSE;
    response_json(response, 200, report);
    return TRUE;
}

static gboolean change_pin(Api *api, Request *request, Response *response, gboolean pin,
                           GError **error)
{
    g_autoptr(OperationContext) context = NULL;
    g_autofree char *id = NULL;
    g_auto(GStrv) checked = NULL;
    gboolean changed;

    if (!no_query(request, error))
        return FALSE;
    checked = rest_words(api, pin ? "pin" : "unpin", request->body, error);
    context = checked != NULL ? api_context(api, error) : NULL;
    if (context == NULL ||
        !operation_pin(context, request->parameters[0], pin,
                       json_get_string(request->body, "note", NULL), &id, &changed, error))
        return FALSE;
    response_json(response, 200,
                  json_pack("{s:s, s:b, s:b}", "backup", id, "pinned", pin, "changed", changed));
    return TRUE;
}

gboolean rest_pin(Api *api, Request *request, Response *response, GError **error)
{
    return change_pin(api, request, response, TRUE, error);
}

gboolean rest_unpin(Api *api, Request *request, Response *response, GError **error)
{
    return change_pin(api, request, response, FALSE, error);
}

/* --- recoveries, objectives ------------------------------------------------------------------- */

/* The record behind the one with this id; 0 without a cursor. */
static gboolean find_start(const GPtrArray *records, const char *cursor, guint *ret_start,
                           GError **error)
{
    *ret_start = 0;
    for (guint i = 0; cursor != NULL && i < records->len; i++) {
        if (strcmp(json_get_string(records->pdata[i], "id", ""), cursor) == 0)
            *ret_start = i + 1;
    }
    if (cursor == NULL || *ret_start > 0)
        return TRUE;
    error_set(error, ERROR_USAGE, "cursor: there is no recovery \"%s\"", cursor);
    return FALSE;
}

static gboolean read_recoveries(Api *api, GPtrArray **ret_records, GError **error)
{
    gboolean result;

    if (!api_refresh(api, error))
        return FALSE;
    result = catalog_recoveries(api_catalog(api), ret_records, error);
    api_catalog_done(api);
    return result;
}

gboolean rest_recoveries(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {"limit", "cursor", NULL};
    g_autoptr(GPtrArray) records = NULL;
    json_t *items;
    guint limit, start;

    if (!request_check_query(request, known, error) || !rest_list_limit(request, &limit, error) ||
        !read_recoveries(api, &records, error) ||
        !find_start(records, request_query(request, "cursor"), &start, error))
        return FALSE;
    items = json_array();
    for (guint i = start; i < records->len && i <= start + limit; i++) {
        record_close(records->pdata[i]);
        json_array_append(items, records->pdata[i]);
    }
    rest_list_answer(response, items, limit);
    return TRUE;
}

gboolean rest_objectives(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {"source", NULL};
    const char *source = request_query(request, "source");
    g_autoptr(OperationContext) context = NULL;
    g_autoptr(GPtrArray) objectives = NULL;
    json_t *items;

    if (!request_check_query(request, known, error))
        return FALSE;
    context = api_context(api, error);
    if (context == NULL ||
        ((source != NULL || config_source_count(context->config) == 0) &&
         rest_find_source(context->config, source, NULL, error) == NULL) ||
        !operation_objectives(context, source, NULL, &objectives, error))
        return FALSE;
    items = json_array();
    for (guint i = 0; i < objectives->len; i++)
        json_array_append_new(items, objective_json(g_ptr_array_index(objectives, i)));
    rest_list_answer(response, items, objectives->len);
    return TRUE;
}
