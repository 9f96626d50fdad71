/* SPDX-License-Identifier: Apache-2.0
 *
 * A WebSocket connection of a client (RFC 6455) over a connection that libcurl makes, with or
 * without TLS: whole messages out and in; pings are answered inside.
 *
 * Threads: one at a time uses a connection. SIGPIPE must be ignored by the process.
 *
 * Errors: ERROR_UNREACHABLE where there is no connection or it was lost, ERROR_TIMEOUT where nothing
 * came in time, ERROR_CANCELLED, ERROR_FORMAT, ERROR_LIMIT, ERROR_PERMISSION (handshake.h). After
 * an error other than ERROR_TIMEOUT of receiving the connection is of no more use.
 */
#ifndef HOLDFAST_TDENGINE_WEBSOCKET_H
#define HOLDFAST_TDENGINE_WEBSOCKET_H

#include "tdengine/frame.h"
#include <gio/gio.h>

typedef struct TdWebSocket TdWebSocket;

typedef struct {
    const char *url;     /* ws://host:port/prefix or wss://…; http and https mean the same */
    const char *path;    /* added to it: "/ws" */
    const char *token;   /* added as ?token=…, never in a message; NULL: none */
    const char *ca_file; /* certificates in PEM beside the system's; NULL: only those */
    guint timeout;       /* seconds that connecting may take */
    gsize max_message;   /* bytes of a message that is received */
} TdWebSocketOptions;

/* Checks a URL without connecting: ERROR_CONFIG. *ret_peer, "host:port", is for messages; may be
 * NULL. */
gboolean td_websocket_check_url(const char *url, char **ret_peer,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Connects. Certificates are verified. Plain connections go straight to the host, those with TLS
 * through the proxy that the environment names (https_proxy), as every client of libcurl does. */
TdWebSocket *td_websocket_connect(const TdWebSocketOptions *options, GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Says goodbye, without waiting for an answer. */
void td_websocket_free(TdWebSocket *socket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdWebSocket, td_websocket_free)

const char *td_websocket_peer(const TdWebSocket *socket); /* "host:port" */

/* Sends one message, TD_FRAME_TEXT or TD_FRAME_BINARY; waits at most timeout seconds for the server
 * to take the next part of it. */
gboolean td_websocket_send(TdWebSocket *socket, TdOpcode opcode, const void *data, gsize length,
                           guint timeout, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next text or binary message, borrowed until the next call; waits at most timeout seconds since
 * the last byte came. */
gboolean td_websocket_receive(TdWebSocket *socket, guint timeout, TdMessage *ret_message,
                              GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Answers pings that have come, without waiting. FALSE: the connection was closed meanwhile, or a
 * message came that nobody asked for. */
gboolean td_websocket_settle(TdWebSocket *socket);

#endif
