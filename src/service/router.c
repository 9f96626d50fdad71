/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the route of a request.
 */
#include "service/router.h"

#include <string.h>

#include "base/error.h"

/* Whether the path's segments fit the pattern; *ret_parameters are those of the {…}. */
static gboolean fits(const char *pattern, char **segments, char ***ret_parameters)
{
    g_auto(GStrv) parts = g_strsplit(pattern + 1, "/", -1);
    g_autoptr(GStrvBuilder) parameters = g_strv_builder_new();
    guint i;

    for (i = 0; parts[i] != NULL; i++) {
        if (segments[i] == NULL)
            return FALSE;
        if (parts[i][0] != '{') {
            if (strcmp(parts[i], segments[i]) != 0)
                return FALSE;
        } else if (segments[i][0] == '\0') {
            return FALSE;
        } else {
            g_strv_builder_add(parameters, segments[i]);
        }
    }
    if (segments[i] != NULL)
        return FALSE;
    *ret_parameters = g_strv_builder_end(parameters);
    return TRUE;
}

static gboolean method_fits(const char *wanted, const char *method)
{
    return strcmp(wanted, method) == 0 ||
           (strcmp(wanted, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

const Route *router_match(const Route *table, Request *request, char **ret_allowed, GError **error)
{
    g_autoptr(GString) allowed = g_string_new(NULL);

    for (const Route *route = table; route->method != NULL; route++) {
        g_auto(GStrv) parameters = NULL;

        if (!fits(route->path, request->segments, &parameters))
            continue;
        if (method_fits(route->method, request->method)) {
            g_strfreev(request->parameters);
            request->parameters = g_steal_pointer(&parameters);
            return route;
        }
        g_string_append_printf(allowed, "%s%s", allowed->len > 0 ? ", " : "", route->method);
    }
    if (allowed->len > 0) {
        error_set(error, ERROR_USAGE, "%s does not take %s", request->path, request->method);
        error_add_hint(error, "it takes %s", allowed->str);
        *ret_allowed = g_string_free(g_steal_pointer(&allowed), FALSE);
    } else {
        error_set(error, ERROR_NOT_FOUND, "there is no path %s", request->path);
        error_add_hint(error, "/openapi.yaml lists the paths");
    }
    return NULL;
}
