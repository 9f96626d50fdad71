/* SPDX-License-Identifier: Apache-2.0
 *
 * The handlers of the REST interface, a file for each group; routes.c says which path is whose.
 */
#ifndef HOLDFAST_SERVICE_REST_H
#define HOLDFAST_SERVICE_REST_H

#include "service/router.h"

/* --- rest-site.c: open to all ----------------------------------------------------------------- */

gboolean rest_root(Api *api, Request *request, Response *response, GError **error);
gboolean rest_health(Api *api, Request *request, Response *response, GError **error);
gboolean rest_openapi(Api *api, Request *request, Response *response, GError **error);

/* --- rest-backups.c: what there is ------------------------------------------------------------ */

gboolean rest_backups(Api *api, Request *request, Response *response, GError **error);
gboolean rest_backup(Api *api, Request *request, Response *response, GError **error);
gboolean rest_report(Api *api, Request *request, Response *response, GError **error);
gboolean rest_pin(Api *api, Request *request, Response *response, GError **error);
gboolean rest_unpin(Api *api, Request *request, Response *response, GError **error);
gboolean rest_recoveries(Api *api, Request *request, Response *response, GError **error);
gboolean rest_objectives(Api *api, Request *request, Response *response, GError **error);

/* --- rest-jobs.c ------------------------------------------------------------------------------ */

gboolean rest_jobs(Api *api, Request *request, Response *response, GError **error);
gboolean rest_job(Api *api, Request *request, Response *response, GError **error);
gboolean rest_cancel(Api *api, Request *request, Response *response, GError **error);
gboolean rest_scheduler_start(Api *api, Request *request, Response *response, GError **error);
gboolean rest_scheduler_stop(Api *api, Request *request, Response *response, GError **error);
gboolean rest_scheduler_jobs(Api *api, Request *request, Response *response, GError **error);

/* Answers with the job: 202, or 200 where it has ended; notes it in the request, so that `wait` can
 * wait for it. */
gboolean rest_answer_job(Api *api, Request *request, Response *response, const char *id,
                         GError **error);
/* Checks the job's command, enters the job and answers with it; where it is busy, 409 with the job
 * that is in the way. */
gboolean rest_submit(Api *api, Request *request, Response *response, const JobRequest *job,
                     GError **error);

/* --- rest-work.c, rest-restore.c: what makes jobs --------------------------------------------- */

gboolean rest_start_backup(Api *api, Request *request, Response *response, GError **error);
gboolean rest_cleanup(Api *api, Request *request, Response *response, GError **error);
gboolean rest_drill(Api *api, Request *request, Response *response, GError **error);
gboolean rest_verify(Api *api, Request *request, Response *response, GError **error);
gboolean rest_restore(Api *api, Request *request, Response *response, GError **error);

/* The words of a request's command: those of the route, then its fields. Free with g_strfreev(). */
char **rest_words(Api *api, const char *words, const json_t *body,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The words of the route that a request came by. */
const char *rest_route_words(Request *request);
/* As config_find_source(), but for requests: ERROR_NOT_FOUND where there is none at all. */
const ConfigSource *rest_find_source(const Config *config, const char *name, const char *engine,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The source of a backup that is there. Free with g_free(). */
char *rest_backup_source(OperationContext *context, const char *id,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* rest-watch.c */
gboolean rest_events(Api *api, Request *request, Response *response, GError **error);
gboolean rest_metrics(Api *api, Request *request, Response *response, GError **error);

#endif
