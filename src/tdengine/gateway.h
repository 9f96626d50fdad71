/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to taosAdapter over one WebSocket connection, answers found by the number of the
 * request. While an answer is long in coming, the gateway is asked whether the database server is
 * there: a slow query is waited for, a dead server is not.
 *
 * Threads and errors as in transport.h.
 */
#ifndef HOLDFAST_TDENGINE_GATEWAY_H
#define HOLDFAST_TDENGINE_GATEWAY_H

#include "tdengine/fault.h"
#include "tdengine/reply.h"

typedef struct TdGateway TdGateway;

/* Actions of binary requests. */
typedef enum {
    TD_ACTION_WRITE_BLOCK = 4,
    TD_ACTION_QUERY = 6,
    TD_ACTION_FETCH_BLOCK = 7,
    TD_ACTION_BIND = 9,
} TdAction;

/* Bytes before the content of a binary request. */
#define TD_REQUEST_HEAD 24u

/* path is "/ws" or "/rest/tmq". timeout: seconds that connecting may take, and that the server may be
 * away afterwards. */
TdGateway *td_gateway_open(const TdOptions *options, const char *path, guint timeout,
                           GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_gateway_free(TdGateway *gateway);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdGateway, td_gateway_free)

void td_gateway_set_timeout(TdGateway *gateway, guint timeout);

const char *td_gateway_peer(const TdGateway *gateway);

/* Answers pings that have come. FALSE: the connection is lost. */
gboolean td_gateway_settle(TdGateway *gateway);

/* Sends {"action": …, "args": …} with a new request number, which args gets too (takes args).
 * ret_request may be NULL where there is no answer. */
gboolean td_gateway_send_text(TdGateway *gateway, const char *action, json_t *args,
                              guint64 *ret_request, GCancellable *cancellable,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes the head of a binary request, to which the caller appends the content. */
GByteArray *td_gateway_request(TdGateway *gateway, TdAction action, guint64 resource);
gboolean td_gateway_send(TdGateway *gateway, const GByteArray *request, guint64 *ret_request,
                         GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits for the answer to a request, whatever its code; binary data in it is borrowed until the
 * next call. */
gboolean td_gateway_receive(TdGateway *gateway, guint64 request, TdReply *ret_reply,
                            GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sends a text and waits; a code other than 0 is an error. ret_json may be NULL. */
gboolean td_gateway_ask(TdGateway *gateway, TdAsked asked, const char *action, json_t *args,
                        json_t **ret_json, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same with a binary request whose answer is a text. */
gboolean td_gateway_ask_binary(TdGateway *gateway, const GByteArray *request, json_t **ret_json,
                               GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The answer to this request is of no interest any more: when it comes, the result that it belongs
 * to is released. */
void td_gateway_abandon(TdGateway *gateway, guint64 request);

/* Logs in with the options' user and password, or those of the token. */
gboolean td_gateway_login(TdGateway *gateway, const TdOptions *options, const char *database,
                          GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
