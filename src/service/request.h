/* SPDX-License-Identifier: Apache-2.0
 *
 * One HTTP request, taken apart and checked: what handlers see. Knows nothing of sockets.
 *
 * Limits: REQUEST_TARGET_LIMIT bytes of path and query, REQUEST_QUERY_LIMIT parameters,
 * REQUEST_BODY_LIMIT bytes of body. Path and query are percent-decoded once; what does not decode
 * to UTF-8 without control characters is refused.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_SERVICE_REQUEST_H
#define HOLDFAST_SERVICE_REQUEST_H

#include <glib.h>

#include "base/json.h"

#define REQUEST_TARGET_LIMIT 4096
#define REQUEST_QUERY_LIMIT  32
#define REQUEST_BODY_LIMIT   (64 * 1024)

/* What somebody may do; each role may do what those before it may. ROLE_NONE: not known. */
typedef enum { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN } Role;

typedef struct {
    char *method;
    char *path;         /* as it came, without the query */
    char **segments;    /* of the path, decoded: "/a/b" gives "a", "b" */
    GHashTable *query;  /* name to value, decoded */
    GHashTable *header; /* lower-case name to value */
    json_t *body;       /* an object, or NULL where none came */
    char *address;      /* of the client, "unix" for the socket */
    char *who;          /* name of the token, "unix:ROOT" and the like; NULL: not known */
    Role role;
    char **parameters; /* what stands in the path for the {…} of the route, in their order */
    gint64 deadline;   /* of `wait`, monotonic; 0: none */
    char *note;        /* what a parked request wants to find again, or NULL */
} Request;

/* `target` is what stands in the request line: path and query. ERROR_USAGE. */
Request *request_new(const char *method, const char *target,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void request_free(Request *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Request, request_free)

/* Of several headers of one name the last counts. */
void request_set_header(Request *request, const char *name, const char *value);
/* NULL where there is none. `name` in lower case. */
const char *request_header(const Request *request, const char *name);

/* Reads the body: a JSON object, or nothing. ERROR_USAGE, ERROR_LIMIT. */
gboolean request_set_body(Request *request, const char *bytes, gsize length,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A parameter of the query, or NULL. */
const char *request_query(const Request *request, const char *name);
/* The same as a number from minimum to maximum; `fallback` where there is none. ERROR_USAGE. */
gboolean request_query_number(const Request *request, const char *name, gint64 minimum,
                              gint64 maximum, gint64 fallback, gint64 *ret_number,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* "true" or "false"; nothing is false. ERROR_USAGE. */
gboolean request_query_boolean(const Request *request, const char *name, gboolean *ret_value,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Refuses a parameter that is none of `known` (NULL-terminated), with the nearest as hint. */
gboolean request_check_query(const Request *request, const char *const *known,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "viewer", "operator", "admin"; "none". */
const char *role_name(Role role);
/* ERROR_USAGE for another word. */
gboolean role_parse(const char *text, Role *ret_role, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
