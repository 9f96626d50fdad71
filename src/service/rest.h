/* SPDX-License-Identifier: Apache-2.0
 *
 * The handlers of the REST interface, a file for each group; routes.c says which path is whose.
 */
#ifndef HOLDFAST_SERVICE_REST_H
#define HOLDFAST_SERVICE_REST_H

#include "service/router.h"

/* rest-site.c */
gboolean rest_root(Api *api, Request *request, Response *response, GError **error);
gboolean rest_health(Api *api, Request *request, Response *response, GError **error);

/* rest-watch.c */
gboolean rest_events(Api *api, Request *request, Response *response, GError **error);
gboolean rest_metrics(Api *api, Request *request, Response *response, GError **error);

#endif
