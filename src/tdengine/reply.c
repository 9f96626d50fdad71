/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers: JSON texts, and the binary ones to fetch_raw_block and fetch_raw_data:
 *
 *     0  u64 all ones · 8 u64 action · 16 u16 version · 18 u64 nanoseconds · 26 u64 request
 *     34 u32 code · 38 u32 length of the message · 42 message
 *     blocks: u64 result · u8 finished · u32 length · block
 *     raw data: u64 message id · u16 raw type · u32 length · data
 *
 * and, without any of this, to the fetch_block of a topic:
 *
 *     0  u64 nanoseconds · 8 u64 request, of the fetch before it · 16 u64 message id · 24 block
 */
#include "tdengine/reply.h"

#include <string.h>

#define HEAD             42u
#define TOPIC_HEAD       24u
#define BLOCK_HEAD       9u
#define RAW_HEAD         14u
#define VERSION          1u
#define ACTION_RAW_BLOCK 7u
#define ACTION_RAW_DATA  8u
#define PLACE            "an answer of the server"

typedef struct {
    const guint8 *at;
    gsize left;
} Reader;

/* The next number of up to 8 bytes; the caller has looked at `left`. */
static guint64 take_number(Reader *reader, guint size)
{
    guint64 number = 0;

    g_assert(reader->left >= size);
    memcpy(&number, reader->at, size);
    reader->at += size;
    reader->left -= size;
    return GUINT64_FROM_LE(number);
}

static gboolean refuse(GError **error, const char *what)
{
    error_set(error, ERROR_FORMAT, "an answer of the server makes no sense: %s", what);
    return FALSE;
}

void td_reply_clear(TdReply *reply)
{
    g_free(reply->message);
    json_decref(reply->json);
    memset(reply, 0, sizeof *reply);
}

static gboolean read_data(Reader *reader, TdReply *reply, GError **error)
{
    guint32 length;

    if (reply->action == ACTION_RAW_DATA) {
        if (reply->code != 0 || reader->left == 0)
            return TRUE;
        if (reader->left < RAW_HEAD)
            return refuse(error, "raw data without a head");
        reply->result = take_number(reader, 8);
        reply->raw_type = (guint16)take_number(reader, 2);
    } else {
        if (reader->left < BLOCK_HEAD)
            return refuse(error, "a block without a head");
        reply->result = take_number(reader, 8);
        reply->finished = take_number(reader, 1) != 0;
        if (reply->finished)
            return reader->left == 0 || refuse(error, "bytes behind the end");
        if (reader->left < 4)
            return refuse(error, "a block without a length");
    }
    length = (guint32)take_number(reader, 4);
    if (length != reader->left)
        return refuse(error, "its length is not that of the block");
    reply->data = reader->at;
    reply->length = length;
    return TRUE;
}

/* A block of a topic: the time was read. */
static void read_topic_block(Reader *reader, TdReply *ret_reply)
{
    memset(ret_reply, 0, sizeof *ret_reply);
    ret_reply->request = take_number(reader, 8);
    ret_reply->result = take_number(reader, 8);
    ret_reply->data = reader->at;
    ret_reply->length = reader->left;
}

static gboolean read_binary(const TdMessage *message, TdReply *ret_reply, GError **error)
{
    Reader reader = {message->data, message->length};
    g_auto(TdReply) reply = {0};
    guint32 length;

    if (reader.left < TOPIC_HEAD)
        return refuse(error, "its head");
    if (take_number(&reader, 8) != G_MAXUINT64) {
        read_topic_block(&reader, ret_reply);
        return TRUE;
    }
    if (message->length < HEAD)
        return refuse(error, "its head");
    reply.action = take_number(&reader, 8);
    if (reply.action != ACTION_RAW_BLOCK && reply.action != ACTION_RAW_DATA)
        return refuse(error, "its kind is not known");
    if (take_number(&reader, 2) != VERSION)
        return refuse(error, "its version is not known");
    (void)take_number(&reader, 8);
    reply.request = take_number(&reader, 8);
    reply.code = (guint32)take_number(&reader, 4);
    length = (guint32)take_number(&reader, 4);
    if (length > reader.left)
        return refuse(error, "its message passes the end");
    reply.message = g_strndup((const char *)reader.at, length);
    reader.at += length;
    reader.left -= length;
    if (!read_data(&reader, &reply, error))
        return FALSE;
    *ret_reply = reply;
    memset(&reply, 0, sizeof reply);
    return TRUE;
}

static gboolean read_text(const TdMessage *message, TdReply *ret_reply, GError **error)
{
    g_autoptr(json_t) json =
        json_read_object((const char *)message->data, message->length, PLACE, error);
    guint64 code;

    if (json == NULL || !json_need_uint(json, "code", PLACE, &code, error))
        return FALSE;
    memset(ret_reply, 0, sizeof *ret_reply);
    ret_reply->request = json_get_uint(json, "req_id", 0);
    ret_reply->code = (guint32)code;
    ret_reply->message = g_strdup(json_get_string(json, "message", ""));
    ret_reply->json = g_steal_pointer(&json);
    return TRUE;
}

gboolean td_reply_read(const TdMessage *message, TdReply *ret_reply, GError **error)
{
    return message->opcode == TD_FRAME_TEXT ? read_text(message, ret_reply, error)
                                            : read_binary(message, ret_reply, error);
}

/* --- columns ---------------------------------------------------------------------------------- */

static gboolean read_column(const json_t *json, gsize i, TdColumn *column, GError **error)
{
    const json_t *names = json_object_get(json, "fields_names");
    const json_t *types = json_object_get(json, "fields_types");
    const json_t *lengths = json_object_get(json, "fields_lengths");
    const json_t *name = json_array_get(names, i);
    const json_int_t type = json_integer_value(json_array_get(types, i));
    const json_int_t bytes = json_integer_value(json_array_get(lengths, i));

    /* An older server does not send these, nor does it have decimals. */
    column->precision =
        (guint)json_integer_value(json_array_get(json_object_get(json, "fields_precisions"), i));
    column->scale =
        (guint)json_integer_value(json_array_get(json_object_get(json, "fields_scales"), i));
    if (!json_is_string(name) || type < 0 || type > G_MAXUINT8 || !td_type_is_known((guint)type) ||
        bytes < 0 || bytes > G_MAXINT32)
        return refuse(error, "a column");
    /* The name of an expression may be longer than a column's: it is cut. */
    g_strlcpy(column->name, json_string_value(name), sizeof column->name);
    column->type = (TdType)type;
    column->bytes = (guint)bytes;
    return TRUE;
}

gboolean td_reply_answer(const json_t *json, TdAnswer *ret_answer, GError **error)
{
    const guint64 count = json_get_uint(json, "fields_count", 0);
    const guint64 precision = json_get_uint(json, "precision", 0);
    g_autofree TdColumn *columns = NULL;

    if (count > TD_BLOCK_MAX_COLUMNS || precision > TD_NANOSECONDS)
        return refuse(error, "its columns");
    if (json_get_bool(json, "is_update", FALSE) || count == 0) {
        *ret_answer = (TdAnswer){.affected = (gint64)json_get_uint(json, "affected_rows", 0)};
        return TRUE;
    }
    columns = g_new0(TdColumn, count);
    for (gsize i = 0; i < count; i++)
        if (!read_column(json, i, &columns[i], error))
            return FALSE;
    *ret_answer = (TdAnswer){.columns = g_steal_pointer(&columns),
                             .n_columns = (guint)count,
                             .precision = (TdPrecision)precision};
    return TRUE;
}
