/* SPDX-License-Identifier: Apache-2.0
 *
 * Consumers of topics over /rest/tmq of taosAdapter. Messages are read block by block, of which only
 * the table's name and the first and last time are kept.
 */
#include "tdengine/topic.h"

#include "tdengine/gateway.h"

#include <string.h>

#define DEFAULT_TIMEOUT 30u
#define LONGEST_POLL    5000u
#define MAX_VGROUPS     65536u
#define KIND_META       2u /* message_type: 1 rows, 2 meta, 3 both */
#define PLACE           "an answer about a topic"

struct TdTopic {
    TdGateway *gateway;
    char *name;
};

void td_topic_message_clear(TdTopicMessage *message)
{
    json_decref(message->meta);
    g_clear_pointer(&message->touches, g_array_unref);
    memset(message, 0, sizeof *message);
}

static void touch_clear(gpointer touch)
{
    g_free(((TdTopicTouch *)touch)->table);
}

static gboolean ask(TdTopic *topic, const char *action, json_t *args, json_t **ret_json,
                    GCancellable *cancellable, GError **error)
{
    return td_gateway_ask(topic->gateway, TD_ASKED_STATEMENT, action, args, ret_json, cancellable,
                          error);
}

/* --- consumers -------------------------------------------------------------------------------- */

TdTopic *td_topic_subscribe(const TdOptions *options, const char *name, const char *group,
                            GCancellable *cancellable, GError **error)
{
    const guint timeout = options->timeout != 0 ? options->timeout : DEFAULT_TIMEOUT;
    g_autoptr(TdTopic) topic = g_new0(TdTopic, 1);
    json_t *args;

    topic->name = g_strdup(name);
    topic->gateway = td_gateway_open(options, "/rest/tmq", timeout, cancellable, error);
    if (topic->gateway == NULL)
        return NULL;
    args = json_pack("{s:o, s:o, s:o, s:s, s:[o], s:s, s:s, s:s}", "user",
                     json_text(options->user != NULL ? options->user : "root"), "password",
                     json_text(options->password != NULL ? options->password : ""), "group_id",
                     json_text(group), "client_id", "holdfast", "topics", json_text(name),
                     "offset_reset", "earliest", "auto_commit", "false", "with_table_name", "true");
    /* A wrong password has no code of its own here: the caller has logged in with it before. */
    return ask(topic, "subscribe", args, NULL, cancellable, error) ? g_steal_pointer(&topic) : NULL;
}

void td_topic_free(TdTopic *topic)
{
    if (topic == NULL)
        return;
    td_gateway_free(topic->gateway);
    g_free(topic->name);
    g_free(topic);
}

/* --- messages --------------------------------------------------------------------------------- */

/* First and last time of a block, whose first column is the time. */
static gboolean touch_times(const TdReply *reply, TdTopicTouch *touch, GError **error)
{
    g_auto(TdBlock) block = {0};

    if (!td_block_decode(&block, reply->data, reply->length, error))
        return FALSE;
    if (block.columns[0].type != TD_TIMESTAMP || block.rows == 0) {
        error_set(error, ERROR_FORMAT, "a block of a topic does not begin with the time");
        return FALSE;
    }
    touch->first = G_MAXINT64;
    touch->last = G_MININT64;
    for (guint32 row = 0; row < block.rows; row++) {
        gint64 time;

        memcpy(&time, block.columns[0].values + 8 * (gsize)row, sizeof time);
        time = GINT64_FROM_LE(time);
        touch->first = MIN(touch->first, time);
        touch->last = MAX(touch->last, time);
    }
    return TRUE;
}

static json_t *message_args(guint64 id)
{
    return json_pack("{s:I}", "message_id", (json_int_t)id);
}

/* An answer that has to say "done". */
static gboolean receive(TdTopic *topic, guint64 request, TdReply *ret_reply,
                        GCancellable *cancellable, GError **error)
{
    if (!td_gateway_receive(topic->gateway, request, ret_reply, cancellable, error))
        return FALSE;
    return ret_reply->code == 0 ||
           td_fault_set(error, TD_ASKED_STATEMENT, td_gateway_peer(topic->gateway), ret_reply->code,
                        ret_reply->message);
}

/* The block that the answer to the request `fetch` has announced. What comes has the number of that
 * request, not of its own. */
static gboolean read_block(TdTopic *topic, guint64 id, guint64 fetch, TdTopicTouch *touch,
                           GCancellable *cancellable, GError **error)
{
    g_auto(TdReply) reply = {0};

    if (!td_gateway_send_text(topic->gateway, "fetch_block", message_args(id), NULL, cancellable,
                              error) ||
        !receive(topic, fetch, &reply, cancellable, error))
        return FALSE;
    if (reply.json == NULL && reply.result == id)
        return touch_times(&reply, touch, error);
    error_set(error, ERROR_FORMAT, "%s is no block", PLACE);
    return FALSE;
}

static gboolean read_rows(TdTopic *topic, TdTopicMessage *message, GCancellable *cancellable,
                          GError **error)
{
    for (;;) {
        g_auto(TdReply) reply = {0};
        TdTopicTouch touch = {0};
        guint64 request;

        if (!td_gateway_send_text(topic->gateway, "fetch", message_args(message->id), &request,
                                  cancellable, error) ||
            !receive(topic, request, &reply, cancellable, error))
            return FALSE;
        if (json_get_bool(reply.json, "completed", FALSE))
            return TRUE;
        if (!read_block(topic, message->id, request, &touch, cancellable, error))
            return FALSE;
        touch.table = g_strdup(json_get_string(reply.json, "table_name", ""));
        g_array_append_val(message->touches, touch);
    }
}

static gboolean read_meta(TdTopic *topic, TdTopicMessage *message, GCancellable *cancellable,
                          GError **error)
{
    g_autoptr(json_t) json = NULL;

    if (!ask(topic, "fetch_json_meta", message_args(message->id), &json, cancellable, error))
        return FALSE;
    message->meta = json_incref(json_object_get(json, "data"));
    return TRUE;
}

gboolean td_topic_poll(TdTopic *topic, guint milliseconds, TdTopicMessage *ret_message,
                       gboolean *ret_found, GCancellable *cancellable, GError **error)
{
    g_auto(TdTopicMessage) message = {0};
    g_autoptr(json_t) json = NULL;
    guint64 kind;

    if (!ask(topic, "poll",
             json_pack("{s:i}", "blocking_time", (int)MIN(milliseconds, LONGEST_POLL)), &json,
             cancellable, error))
        return FALSE;
    if (!json_get_bool(json, "have_message", FALSE)) {
        *ret_found = FALSE;
        return TRUE;
    }
    if (!json_need_uint(json, "message_id", PLACE, &message.id, error) ||
        !json_need_uint(json, "message_type", PLACE, &kind, error))
        return FALSE;
    message.vgroup = (gint32)json_get_uint(json, "vgroup_id", 0);
    message.offset = (gint64)json_integer_value(json_object_get(json, "offset"));
    message.touches = g_array_new(FALSE, FALSE, sizeof(TdTopicTouch));
    g_array_set_clear_func(message.touches, touch_clear);
    if (kind >= KIND_META && !read_meta(topic, &message, cancellable, error))
        return FALSE;
    if (kind != KIND_META && !read_rows(topic, &message, cancellable, error))
        return FALSE;
    *ret_message = message;
    memset(&message, 0, sizeof message);
    *ret_found = TRUE;
    return TRUE;
}

gboolean td_topic_commit(TdTopic *topic, GCancellable *cancellable, GError **error)
{
    return ask(topic, "commit", message_args(0), NULL, cancellable, error);
}

gboolean td_topic_seek(TdTopic *topic, gint32 vgroup, gint64 offset, GCancellable *cancellable,
                       GError **error)
{
    return ask(topic, "seek",
               json_pack("{s:o, s:i, s:I}", "topic", json_text(topic->name), "vgroup_id", vgroup,
                         "offset", (json_int_t)offset),
               NULL, cancellable, error);
}

gboolean td_topic_leave(TdTopic *topic, GCancellable *cancellable, GError **error)
{
    return ask(topic, "unsubscribe", json_object(), NULL, cancellable, error);
}

/* --- positions -------------------------------------------------------------------------------- */

/* One number of each vgroup, as `action` answers them: "committed" or "position". */
static gboolean ask_each(TdTopic *topic, const char *action, const GArray *positions,
                         gint64 *ret_numbers, GCancellable *cancellable, GError **error)
{
    g_autoptr(json_t) json = NULL;
    json_t *vgroups = json_array();
    json_t *numbers;

    for (guint i = 0; i < positions->len; i++)
        json_array_append_new(vgroups,
                              json_pack("{s:o, s:i}", "topic", json_text(topic->name), "vgroup_id",
                                        g_array_index(positions, TdTopicPosition, i).vgroup));
    if (!ask(topic, action, json_pack("{s:o}", "topic_vgroup_ids", vgroups), &json, cancellable,
             error) ||
        !json_need_array(json, action, PLACE, &numbers, error))
        return FALSE;
    if (json_array_size(numbers) != positions->len) {
        error_set(error, ERROR_FORMAT, "%s names another number of vgroups", PLACE);
        return FALSE;
    }
    for (guint i = 0; i < positions->len; i++)
        ret_numbers[i] = json_integer_value(json_array_get(numbers, i));
    return TRUE;
}

static gboolean read_committed(TdTopic *topic, GArray *positions, GCancellable *cancellable,
                               GError **error)
{
    g_autofree gint64 *numbers = g_new0(gint64, positions->len + 1);

    if (!ask_each(topic, "committed", positions, numbers, cancellable, error))
        return FALSE;
    for (guint i = 0; i < positions->len; i++)
        g_array_index(positions, TdTopicPosition, i).committed = numbers[i];
    return TRUE;
}

gboolean td_topic_next(TdTopic *topic, GArray *positions, GCancellable *cancellable, GError **error)
{
    g_autofree gint64 *numbers = g_new0(gint64, positions->len + 1);

    if (!ask_each(topic, "position", positions, numbers, cancellable, error))
        return FALSE;
    for (guint i = 0; i < positions->len; i++)
        g_array_index(positions, TdTopicPosition, i).offset = numbers[i];
    return TRUE;
}

GArray *td_topic_positions(TdTopic *topic, GCancellable *cancellable, GError **error)
{
    g_autoptr(GArray) positions = g_array_new(FALSE, FALSE, sizeof(TdTopicPosition));
    g_autoptr(json_t) json = NULL;
    json_t *assignment;

    if (!ask(topic, "assignment", json_pack("{s:o}", "topic", json_text(topic->name)), &json,
             cancellable, error) ||
        !json_need_array(json, "assignment", PLACE, &assignment, error))
        return NULL;
    if (json_array_size(assignment) > MAX_VGROUPS) {
        error_set(error, ERROR_LIMIT, "%s names %zu vgroups", PLACE, json_array_size(assignment));
        return NULL;
    }
    for (gsize i = 0; i < json_array_size(assignment); i++) {
        const json_t *one = json_array_get(assignment, i);
        const TdTopicPosition position = {
            .vgroup = (gint32)json_get_uint(one, "vgroup_id", 0),
            .offset = json_integer_value(json_object_get(one, "offset")),
            .begin = json_integer_value(json_object_get(one, "begin")),
            .end = json_integer_value(json_object_get(one, "end")),
        };

        g_array_append_val(positions, position);
    }
    return read_committed(topic, positions, cancellable, error) ? g_steal_pointer(&positions)
                                                                : NULL;
}
