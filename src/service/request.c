/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking a request apart.
 */
#include "service/request.h"

#include <string.h>

#include "base/error.h"
#include "base/suggest.h"

static const char *const role_names[] = {"none", "viewer", "operator", "admin"};

const char *role_name(Role role)
{
    return role_names[role];
}

gboolean role_parse(const char *text, Role *ret_role, GError **error)
{
    for (guint i = ROLE_VIEWER; i < G_N_ELEMENTS(role_names); i++) {
        if (strcmp(text, role_names[i]) == 0) {
            *ret_role = (Role)i;
            return TRUE;
        }
    }
    error_set(error, ERROR_USAGE, "\"%s\" is no role", text);
    error_add_hint(error, "roles are viewer, operator, admin");
    return FALSE;
}

/* --- path and query --------------------------------------------------------------------------- */

/* Percent-decodes; NULL where it is no such text. `plus`: a plus sign is a blank. */
static char *decode(const char *text, gsize length, gboolean plus)
{
    g_autofree char *copy = g_strndup(text, length);
    g_autofree char *decoded = NULL;

    for (char *at = copy; plus && *at != '\0'; at++) {
        if (*at == '+')
            *at = ' ';
    }
    decoded = g_uri_unescape_string(copy, NULL);
    if (decoded == NULL || !g_utf8_validate(decoded, -1, NULL))
        return NULL;
    for (const char *at = decoded; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at))
            return NULL;
    }
    return g_steal_pointer(&decoded);
}

static gboolean refuse_escape(const char *what, GError **error)
{
    error_set(error, ERROR_USAGE, "the %s cannot be decoded", what);
    error_add_hint(error, "it must be percent-encoded UTF-8");
    return FALSE;
}

static gboolean split_path(Request *request, GError **error)
{
    g_auto(GStrv) raw = g_strsplit(request->path + 1, "/", -1);
    g_autoptr(GStrvBuilder) segments = g_strv_builder_new();

    for (guint i = 0; raw[i] != NULL; i++) {
        g_autofree char *segment = decode(raw[i], strlen(raw[i]), FALSE);

        if (segment == NULL)
            return refuse_escape("path", error);
        g_strv_builder_add(segments, segment);
    }
    request->segments = g_strv_builder_end(segments);
    return TRUE;
}

static gboolean add_parameter(Request *request, const char *pair, GError **error)
{
    const char *sign = strchr(pair, '=');
    gsize length = sign != NULL ? (gsize)(sign - pair) : strlen(pair);
    g_autofree char *name = decode(pair, length, TRUE);
    g_autofree char *value = sign != NULL ? decode(sign + 1, strlen(sign + 1), TRUE) : g_strdup("");

    if (name == NULL || value == NULL)
        return refuse_escape("query", error);
    if (g_hash_table_contains(request->query, name)) {
        error_set(error, ERROR_USAGE, "the parameter \"%s\" stands twice in the query", name);
        return FALSE;
    }
    g_hash_table_insert(request->query, g_steal_pointer(&name), g_steal_pointer(&value));
    return TRUE;
}

static gboolean split_query(Request *request, const char *query, GError **error)
{
    g_auto(GStrv) pairs = g_strsplit(query, "&", REQUEST_QUERY_LIMIT + 1);

    if (g_strv_length(pairs) > REQUEST_QUERY_LIMIT) {
        error_set(error, ERROR_USAGE, "the query has more than %d parameters", REQUEST_QUERY_LIMIT);
        return FALSE;
    }
    for (guint i = 0; pairs[i] != NULL; i++) {
        if (pairs[i][0] != '\0' && !add_parameter(request, pairs[i], error))
            return FALSE;
    }
    return TRUE;
}

Request *request_new(const char *method, const char *target, GError **error)
{
    g_autoptr(Request) request = g_new0(Request, 1);
    const char *query = strchr(target, '?');

    request->method = g_strdup(method);
    request->query = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    request->header = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    request->path = query != NULL ? g_strndup(target, (gsize)(query - target)) : g_strdup(target);
    if (strlen(target) > REQUEST_TARGET_LIMIT) {
        error_set(error, ERROR_USAGE, "path and query are longer than %d bytes",
                  REQUEST_TARGET_LIMIT);
        return NULL;
    }
    if (request->path[0] != '/') {
        error_set(error, ERROR_USAGE, "the path does not begin with \"/\"");
        return NULL;
    }
    if (!split_path(request, error) || (query != NULL && !split_query(request, query + 1, error)))
        return NULL;
    return g_steal_pointer(&request);
}

void request_free(Request *request)
{
    if (request == NULL)
        return;
    g_free(request->method);
    g_free(request->path);
    g_strfreev(request->segments);
    g_hash_table_unref(request->query);
    g_hash_table_unref(request->header);
    json_decref(request->body);
    g_free(request->address);
    g_free(request->who);
    g_strfreev(request->parameters);
    g_free(request->note);
    g_free(request);
}

/* --- headers, body ---------------------------------------------------------------------------- */

void request_set_header(Request *request, const char *name, const char *value)
{
    g_hash_table_replace(request->header, g_ascii_strdown(name, -1), g_strdup(value));
}

const char *request_header(const Request *request, const char *name)
{
    return g_hash_table_lookup(request->header, name);
}

gboolean request_set_body(Request *request, const char *bytes, gsize length, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (length == 0)
        return TRUE;
    if (length > REQUEST_BODY_LIMIT) {
        error_set(error, ERROR_LIMIT, "the body is larger than %d bytes", REQUEST_BODY_LIMIT);
        return FALSE;
    }
    request->body = json_read_object(bytes, length, "the body", &problem);
    if (request->body != NULL)
        return TRUE;
    error_set(error, ERROR_USAGE, "%s", problem->message);
    return FALSE;
}

/* --- the query -------------------------------------------------------------------------------- */

const char *request_query(const Request *request, const char *name)
{
    return g_hash_table_lookup(request->query, name);
}

gboolean request_query_number(const Request *request, const char *name, gint64 minimum,
                              gint64 maximum, gint64 fallback, gint64 *ret_number, GError **error)
{
    const char *text = request_query(request, name);

    if (text == NULL) {
        *ret_number = fallback;
        return TRUE;
    }
    if (g_ascii_string_to_signed(text, 10, minimum, maximum, ret_number, NULL))
        return TRUE;
    error_set(error, ERROR_USAGE,
              "%s: \"%s\" is no number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, name, text,
              minimum, maximum);
    return FALSE;
}

gboolean request_query_boolean(const Request *request, const char *name, gboolean *ret_value,
                               GError **error)
{
    const char *text = request_query(request, name);

    if (text != NULL && strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        error_set(error, ERROR_USAGE, "%s: \"%s\" is neither true nor false", name, text);
        return FALSE;
    }
    *ret_value = g_strcmp0(text, "true") == 0;
    return TRUE;
}

gboolean request_check_query(const Request *request, const char *const *known, GError **error)
{
    GHashTableIter iterator;
    gpointer name;

    g_hash_table_iter_init(&iterator, request->query);
    while (g_hash_table_iter_next(&iterator, &name, NULL)) {
        const char *nearest;

        if (g_strv_contains(known, name))
            continue;
        error_set(error, ERROR_USAGE, "there is no parameter \"%s\"", (char *)name);
        nearest = suggest_nearest(name, known);
        if (nearest != NULL)
            error_add_hint(error, "did you mean %s?", nearest);
        return FALSE;
    }
    return TRUE;
}
