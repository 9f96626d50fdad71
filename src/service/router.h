/* SPDX-License-Identifier: Apache-2.0
 *
 * Routes: which handler a method and a path belong to, and who may use it. The table of all of them
 * is routes.c.
 */
#ifndef HOLDFAST_SERVICE_ROUTER_H
#define HOLDFAST_SERVICE_ROUTER_H

#include "service/api.h"

/* Fills the response, or leaves its status 0: the request is parked and comes again in a second.
 * FALSE with an error becomes a problem. */
typedef gboolean (*RouteFunc)(Api *api, Request *request, Response *response, GError **error);

typedef struct {
    const char *method;
    const char *path; /* "/api/backup-recovery/backups/{id}" */
    Role role;        /* the least that is needed; ROLE_NONE: open to all, and answered in the
                         network's thread, so that it must not wait */
    RouteFunc handle;
    const char *words; /* the command that it stands for, or NULL */
    gboolean far;      /* it asks other servers, and may have to wait for them */
} Route;

/* Ends with a method of NULL. */
extern const Route routes[];

/* The route of a request, whose `parameters` are set then. ERROR_NOT_FOUND for an unknown path;
 * for a known path with another method NULL too, ERROR_USAGE and *ret_allowed ("GET, POST"; free
 * with g_free()). HEAD goes where GET goes. */
const Route *router_match(const Route *table, Request *request, char **ret_allowed,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
