/* SPDX-License-Identifier: Apache-2.0
 *
 * What anybody may ask: what this is, whether it lives, how it is used.
 */
#include <gio/gio.h>

#include "base/error.h"
#include "service/rest.h"

/* Made by glib-compile-resources out of docs/openapi.yaml. */
GResource *holdfast_get_resource(void);

gboolean rest_root(Api *api, Request *request, Response *response, GError **error)
{
    response_json(response, 200,
                  json_pack("{s:s, s:s, s:s, s:s}", "name", "holdfast", "version", HOLDFAST_VERSION,
                            "api", "/api/backup-recovery", "documentation", "/openapi.yaml"));
    return TRUE;
}

gboolean rest_health(Api *api, Request *request, Response *response, GError **error)
{
    response_json(response, 200, json_pack("{s:s}", "status", "ok"));
    return TRUE;
}

gboolean rest_openapi(Api *api, Request *request, Response *response, GError **error)
{
    GError *problem = NULL;
    g_autoptr(GBytes) bytes =
        g_resource_lookup_data(holdfast_get_resource(), "/holdfast/openapi.yaml",
                               G_RESOURCE_LOOKUP_FLAGS_NONE, &problem);

    if (bytes == NULL) {
        error_take(error, ERROR_INTERNAL, problem);
        return FALSE;
    }
    response_bytes(response, 200, "application/yaml", bytes);
    return TRUE;
}
