/* SPDX-License-Identifier: Apache-2.0
 *
 * What anybody may ask: what this is, whether it lives, how it is used.
 */
#include "service/rest.h"

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
