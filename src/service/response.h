/* SPDX-License-Identifier: Apache-2.0
 *
 * The answer to a request, before it goes to a socket: a status, headers and either bytes or a
 * stream.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_SERVICE_RESPONSE_H
#define HOLDFAST_SERVICE_RESPONSE_H

#include <glib.h>

#include "base/json.h"
#include "service/waker.h"

/* Fills in at most `size` bytes and returns how many; 0: nothing to send now (the stream rests until
 * its waker is woken), -1: the end. Called from the network's thread: it must not wait for anything
 * slow. */
typedef gssize (*ResponseReadFunc)(gpointer data, char *buffer, gsize size);

typedef struct {
    guint status;      /* 0: not answered yet */
    GPtrArray *header; /* name, value, name, value …: char * */
    GBytes *body;      /* NULL: none, or a stream */
    /* of a stream */
    ResponseReadFunc read;
    gpointer data;
    GDestroyNotify free_data;
    Waker *waker;
} Response;

Response *response_new(void);
void response_free(Response *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Response, response_free)

/* Forgets everything that was set. */
void response_clear(Response *response);

/* Another value in the place of one that is there. */
void response_set_header(Response *response, const char *name, const char *value);
/* NULL where there is none. */
const char *response_header(const Response *response, const char *name);

/* Takes json. */
void response_json(Response *response, guint status, json_t *json);
void response_text(Response *response, guint status, const char *content_type, const char *text);
/* Takes a reference to bytes. */
void response_bytes(Response *response, guint status, const char *content_type, GBytes *bytes);

/* A stream that goes on until `read` says that it ends, or the client is gone; `free_data` is called
 * then. The waker belongs to the response: take a reference. */
Waker *response_stream(Response *response, const char *content_type, ResponseReadFunc read,
                       gpointer data, GDestroyNotify free_data);

/* application/problem+json out of the row of the error's table: title, status, detail, code, hint.
 */
void response_problem(Response *response, const GError *error);
/* The same with another status than the table's. */
void response_problem_status(Response *response, guint status, const GError *error);
/* The body of a problem, to which members can be added before response_json() or its like. New
 * reference. */
json_t *problem_json(guint status, const GError *error);

#endif
