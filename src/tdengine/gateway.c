/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests and answers. The gateway runs the requests of a connection at the same time and answers
 * in any order, so that answers are told by their number; those that nobody waits for any more are
 * dropped.
 */
#include "tdengine/gateway.h"

#include "tdengine/websocket.h"

#include <string.h>

/* Seconds of silence after which the gateway is asked whether the server is there. */
#define ASK_AFTER     5u
#define MESSAGE_ROOM  4096u /* around a block */
#define SERVICE_OK    2u    /* of check_server_status: running, or degraded */
#define SERVICE_EXTRA 3u
#define DEFAULT_USER  "root"
#define DEFAULT_WORD  "taosdata"

struct TdGateway {
    TdWebSocket *socket;
    guint timeout;
    guint64 last_request;
    GHashTable *abandoned;  /* numbers of requests */
    guint64 status_request; /* 0: nothing was asked */
};

/* --- connection ------------------------------------------------------------------------------- */

TdGateway *td_gateway_open(const TdOptions *options, const char *path, guint timeout,
                           GCancellable *cancellable, GError **error)
{
    const TdWebSocketOptions how = {
        .url = options->url,
        .path = path,
        .token = options->token,
        .ca_file = options->ca_file,
        .timeout = timeout,
        .max_message = (gsize)TD_BLOCK_MAX_BYTES + MESSAGE_ROOM,
    };
    TdWebSocket *socket = td_websocket_connect(&how, cancellable, error);
    TdGateway *gateway;

    if (socket == NULL)
        return NULL;
    gateway = g_new0(TdGateway, 1);
    gateway->socket = socket;
    gateway->timeout = timeout;
    gateway->abandoned = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return gateway;
}

void td_gateway_free(TdGateway *gateway)
{
    if (gateway == NULL)
        return;
    td_websocket_free(gateway->socket);
    g_hash_table_unref(gateway->abandoned);
    g_free(gateway);
}

void td_gateway_set_timeout(TdGateway *gateway, guint timeout)
{
    gateway->timeout = timeout;
}

const char *td_gateway_peer(const TdGateway *gateway)
{
    return td_websocket_peer(gateway->socket);
}

gboolean td_gateway_settle(TdGateway *gateway)
{
    /* With an answer still to come, a message is nothing unusual: the next request sees to it. */
    if (g_hash_table_size(gateway->abandoned) != 0 || gateway->status_request != 0)
        return TRUE;
    return td_websocket_settle(gateway->socket);
}

/* --- sending ---------------------------------------------------------------------------------- */

gboolean td_gateway_send_text(TdGateway *gateway, const char *action, json_t *args,
                              guint64 *ret_request, GCancellable *cancellable, GError **error)
{
    g_autoptr(json_t) request = NULL;
    g_autofree char *text = NULL;
    gboolean sent;

    gateway->last_request++;
    json_object_set_new(args, "req_id", json_integer((json_int_t)gateway->last_request));
    request = json_pack("{s:s, s:o}", "action", action, "args", args);
    text = json_write(request, FALSE);
    sent = td_websocket_send(gateway->socket, TD_FRAME_TEXT, text, strlen(text), gateway->timeout,
                             cancellable, error);
    explicit_bzero(text, strlen(text)); /* it may be the login */
    if (sent && ret_request != NULL)
        *ret_request = gateway->last_request;
    return sent;
}

GByteArray *td_gateway_request(TdGateway *gateway, TdAction action, guint64 resource)
{
    GByteArray *request = g_byte_array_new();
    const guint64 head[3] = {GUINT64_TO_LE(++gateway->last_request), GUINT64_TO_LE(resource),
                             GUINT64_TO_LE((guint64)action)};

    G_STATIC_ASSERT(sizeof head == TD_REQUEST_HEAD);
    g_byte_array_append(request, (const guint8 *)head, sizeof head);
    return request;
}

gboolean td_gateway_send(TdGateway *gateway, const GByteArray *request, guint64 *ret_request,
                         GCancellable *cancellable, GError **error)
{
    guint64 number;

    memcpy(&number, request->data, sizeof number);
    if (!td_websocket_send(gateway->socket, TD_FRAME_BINARY, request->data, request->len,
                           gateway->timeout, cancellable, error))
        return FALSE;
    *ret_request = GUINT64_FROM_LE(number);
    return TRUE;
}

void td_gateway_abandon(TdGateway *gateway, guint64 request)
{
    g_hash_table_add(gateway->abandoned, g_memdup2(&request, sizeof request));
}

/* --- receiving -------------------------------------------------------------------------------- */

/* What is known of the server while an answer is awaited; times are monotonic. */
typedef struct {
    gint64 silent_since;
    gint64 away_since; /* 0: nothing says so */
} Watch;

static gboolean give_up(const TdGateway *gateway, const char *what, GError **error)
{
    error_set(error, ERROR_TIMEOUT, "%s %s for %u s", what, td_gateway_peer(gateway),
              gateway->timeout);
    return FALSE;
}

/* The answer to the question whether the server is there. */
static void note_status(TdGateway *gateway, const TdReply *reply, Watch *watch)
{
    const guint64 status = json_get_uint(reply->json, "status", SERVICE_OK);

    gateway->status_request = 0;
    /* A gateway that does not know the question says no more than that it is there. */
    if (reply->code != 0 || status == SERVICE_OK || status == SERVICE_EXTRA)
        watch->away_since = 0;
    else if (watch->away_since == 0)
        watch->away_since = watch->silent_since;
}

/* Nothing came for a while: gives up, or asks. */
static gboolean handle_silence(TdGateway *gateway, const Watch *watch, GCancellable *cancellable,
                               GError **error)
{
    const gint64 now = g_get_monotonic_time();
    const gint64 limit = gateway->timeout * G_USEC_PER_SEC;

    if (now - watch->silent_since >= limit)
        return give_up(gateway, "nothing was heard from", error);
    if (watch->away_since != 0 && now - watch->away_since >= limit)
        return give_up(gateway, "the database server is away behind", error);
    if (gateway->status_request != 0)
        return TRUE;
    return td_gateway_send_text(gateway, "check_server_status", json_pack("{s:i}", "port", 0),
                                &gateway->status_request, cancellable, error);
}

/* An answer that nobody waits for: its result is released. */
static gboolean drop_reply(TdGateway *gateway, const TdReply *reply, GCancellable *cancellable,
                           GError **error)
{
    if (!g_hash_table_remove(gateway->abandoned, &reply->request) || reply->json != NULL ||
        reply->finished)
        return TRUE;
    return td_gateway_send_text(gateway, "free_result",
                                json_pack("{s:I}", "id", (json_int_t)reply->result), NULL,
                                cancellable, error);
}

gboolean td_gateway_receive(TdGateway *gateway, guint64 request, TdReply *ret_reply,
                            GCancellable *cancellable, GError **error)
{
    Watch watch = {g_get_monotonic_time(), 0};

    for (;;) {
        g_auto(TdReply) reply = {0};
        g_autoptr(GError) failure = NULL;
        TdMessage message;

        if (!td_websocket_receive(gateway->socket, MIN(ASK_AFTER, gateway->timeout), &message,
                                  cancellable, &failure)) {
            if (!error_is(failure, ERROR_TIMEOUT)) {
                g_propagate_error(error, g_steal_pointer(&failure));
                return FALSE;
            }
            if (!handle_silence(gateway, &watch, cancellable, error))
                return FALSE;
            continue;
        }
        if (!td_reply_read(&message, &reply, error))
            return FALSE;
        if (reply.request == request) {
            *ret_reply = reply;
            memset(&reply, 0, sizeof reply);
            return TRUE;
        }
        if (gateway->status_request != 0 && reply.request == gateway->status_request)
            note_status(gateway, &reply, &watch);
        else if (!drop_reply(gateway, &reply, cancellable, error))
            return FALSE;
        watch.silent_since = g_get_monotonic_time();
    }
}

/* Waits for an answer that must be a text. */
static gboolean receive_text(TdGateway *gateway, TdAsked asked, guint64 request, json_t **ret_json,
                             GCancellable *cancellable, GError **error)
{
    g_auto(TdReply) reply = {0};

    if (!td_gateway_receive(gateway, request, &reply, cancellable, error))
        return FALSE;
    if (reply.code != 0)
        return td_fault_set(error, asked, td_gateway_peer(gateway), reply.code, reply.message);
    if (reply.json == NULL) {
        error_set(error, ERROR_FORMAT, "%s answers with a block where none was asked for",
                  td_gateway_peer(gateway));
        return FALSE;
    }
    if (ret_json != NULL)
        *ret_json = g_steal_pointer(&reply.json);
    return TRUE;
}

gboolean td_gateway_ask(TdGateway *gateway, TdAsked asked, const char *action, json_t *args,
                        json_t **ret_json, GCancellable *cancellable, GError **error)
{
    guint64 request;

    return td_gateway_send_text(gateway, action, args, &request, cancellable, error) &&
           receive_text(gateway, asked, request, ret_json, cancellable, error);
}

gboolean td_gateway_ask_binary(TdGateway *gateway, const GByteArray *request, json_t **ret_json,
                               GCancellable *cancellable, GError **error)
{
    guint64 number;

    return td_gateway_send(gateway, request, &number, cancellable, error) &&
           receive_text(gateway, TD_ASKED_STATEMENT, number, ret_json, cancellable, error);
}

gboolean td_gateway_login(TdGateway *gateway, const TdOptions *options, const char *database,
                          GCancellable *cancellable, GError **error)
{
    /* The cloud's front goes by the token, but the request has to have its usual form. */
    const gboolean token = options->token != NULL;
    const char *user = options->user != NULL ? options->user : DEFAULT_USER;
    const char *word = options->password != NULL ? options->password : token ? DEFAULT_WORD : "";
    json_t *args = json_pack("{s:o, s:o, s:s, s:s}", "user", json_text(user), "password",
                             json_text(word), "app", "holdfast", "tz", "UTC");

    if (database != NULL)
        json_object_set_new(args, "db", json_text(database));
    return td_gateway_ask(gateway, TD_ASKED_LOGIN, "conn", args, NULL, cancellable, error);
}
