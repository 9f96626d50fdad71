/* SPDX-License-Identifier: Apache-2.0
 *
 * What the handlers of the REST interface work with, and the way of a request to its handler: who
 * is it, may he, which route; then what all have in common: waiting for a job, answers that are
 * asked for twice, ETag, the log of changes.
 *
 * Threads: handlers run in several at a time. The configuration is taken as a snapshot
 * (api_config()), the catalog between api_catalog() and api_catalog_done(); jobs guard themselves.
 */
#ifndef HOLDFAST_SERVICE_API_H
#define HOLDFAST_SERVICE_API_H

#include "config/config.h"
#include "operation/context.h"
#include "service/commands.h"
#include "service/jobs.h"
#include "service/monitor.h"
#include "service/request.h"
#include "service/response.h"

typedef struct Api Api;

/* jobs and commands must outlive the Api. */
Api *api_new(const Config *config, Jobs *jobs, const ServiceCommands *commands,
             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void api_free(Api *api);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Api, api_free)

/* Before the first request; it must outlive the Api. */
void api_use_monitor(Api *api, Monitor *monitor);
/* After a reload. Takes a reference. */
void api_use_config(Api *api, const Config *config);

/* Whether there is a token: see http_start(). */
gboolean api_has_tokens(Api *api);

/* --- for the server: HttpHandler, with the Api as data ---------------------------------------- */

gboolean api_admit(Request *request, Response *response, gpointer data);
gboolean api_handle(Request *request, Response *response, gpointer data);
/* Whether the request asks other servers. */
gboolean api_is_far(Request *request);

/* --- for handlers ----------------------------------------------------------------------------- */

/* The configuration of this moment, to be freed with config_free(). */
Config *api_config(Api *api);
Jobs *api_jobs(Api *api);
Monitor *api_monitor(Api *api);
const ServiceCommands *api_commands(Api *api);
gboolean api_is_encrypted(Api *api);

/* A context of its own for one request: repository and catalog, fresh as of api_refresh(). */
OperationContext *api_context(Api *api, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The API's own connection to the catalog, until api_catalog_done(). */
Catalog *api_catalog(Api *api);
void api_catalog_done(Api *api);
/* Makes sure that the catalog is fresh enough to answer from (service/refresher.h). Not between the
 * two: it may wait. */
gboolean api_refresh(Api *api, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
