/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP server on libmicrohttpd: sockets, TLS, limits and threads; it knows no path. Requests go
 * to the two functions of a HttpHandler.
 *
 * One thread for each address waits for the network (epoll); it never waits for anything else. The
 * work is done by a few other threads, while the connection rests. A request that cannot be answered
 * yet is parked: it holds no thread, and is asked again at every http_tick().
 *
 * Limits: HTTP_CONNECTION_LIMIT connections an address of ours; 16 KiB of request line and headers;
 * REQUEST_BODY_LIMIT of body; HTTP_IDLE_SECONDS without a byte; HTTP_REQUEST_SECONDS until a request
 * has come whole, and until its answer has gone, streams excepted.
 *
 * Threads: all functions from one thread.
 */
#ifndef HOLDFAST_SERVICE_HTTP_H
#define HOLDFAST_SERVICE_HTTP_H

#include "service/request.h"
#include "service/response.h"

#define HTTP_CONNECTION_LIMIT 1024
#define HTTP_IDLE_SECONDS     20
#define HTTP_REQUEST_SECONDS  40

typedef struct {
    /* When the headers are there, before any body. Request.who is set where the socket tells. In
     * the network's thread: quick. FALSE where the response is filled already: a refusal, or an
     * answer that needs no work. */
    gboolean (*admit)(Request *request, Response *response, gpointer data);
    /* When the request is whole. In a thread that may wait. FALSE parks the request: it comes again
     * at the next tick, with what it has left in it. */
    gboolean (*handle)(Request *request, Response *response, gpointer data);
    /* Whether handle() may have to wait for other servers: such requests wait for each other only. */
    gboolean (*is_far)(Request *request);
} HttpHandler;

typedef struct Http Http;

typedef struct {
    char **listen;               /* addresses as the configuration has them */
    const char *tls_certificate; /* or NULL */
    const char *tls_key;
    gboolean tokens; /* there is a token: else nobody may come from beyond loopback */
} HttpSettings;

/* Whether a server may be started with these, without opening anything. ERROR_CONFIG where an address
 * lies beyond loopback and there is no certificate or no token. */
gboolean http_check(const HttpSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Opens all addresses and serves; http_check() first. */
Http *http_start(const HttpSettings *settings, const HttpHandler *handler, gpointer data,
                 GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Answers who waits (Request.deadline is over then), waits for requests that are being worked on, and
 * ends all connections. NULL is fine. */
void http_stop(Http *http);

/* Once a second: asks parked requests again, ends connections that are too slow. */
void http_tick(Http *http);

/* Reads the certificate again; what stood before stays where it cannot be used. */
gboolean http_reload(Http *http, const char *tls_certificate, const char *tls_key,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The addresses with their real ports; NULL-terminated. Belongs to the server. */
const char *const *http_addresses(const Http *http);

#endif
