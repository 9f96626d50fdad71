/* SPDX-License-Identifier: Apache-2.0
 *
 * A consumer against a gateway in a thread that answers as one was recorded: a message of meta, one
 * of rows in two blocks, then nothing.
 */
#include "tdengine/topic.h"

#include "fake.h"

#include <signal.h>
#include <string.h>

/* Times 1704067200000 of "c 2"; 1704067200000 and …001 of "c1": ws/tmq_topic_with_meta.jsonl. */
static const char blocks[][200] = {
    "020000004c000000010000000300000000000080000000000000000009080000000404000000080a00000008000000"
    "04000000020000000000f451c28c010000000200000000000000000000",
    "020000005d000000020000000300000000000080000000000000000009080000000404000000080a00000010000000"
    "08000000030000000000f451c28c01000001f451c28c01000040010000000000000000000000ffffffff01006100",
};

typedef struct {
    guint polls, fetches;
    guint64 fetch; /* request */
} Gateway;

static void answer(Fake *fake, guint64 request, const char *more)
{
    g_autofree char *text =
        g_strdup_printf("{\"code\":0,\"message\":\"\",\"req_id\":%" G_GUINT64_FORMAT "%s}", request,
                        more);

    fake_send_text(fake, text);
}

static void refuse(Fake *fake, guint64 request)
{
    g_autofree char *text = g_strdup_printf(
        "{\"code\":16391,\"message\":\"Offset out of range\",\"req_id\":%" G_GUINT64_FORMAT "}",
        request);

    fake_send_text(fake, text);
}

/* The head of a topic's block has the number of the fetch before it. */
static void answer_block(const FakeMessage *message, const Gateway *gateway, const char *hex)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const guint64 head[] = {30620, GUINT64_TO_LE(gateway->fetch), GUINT64_TO_LE(2)};

    g_byte_array_append(bytes, (const guint8 *)head, sizeof head);
    for (; *hex != '\0'; hex += 2) {
        const guint8 byte =
            (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));

        g_byte_array_append(bytes, &byte, 1);
    }
    fake_send(message->fake, TRUE, TD_FRAME_BINARY, bytes->data, bytes->len);
}

static void answer_poll(const FakeMessage *message, Gateway *gateway, guint64 request)
{
    static const char *const answers[] = {
        ",\"have_message\":true,\"vgroup_id\":177,\"message_type\":2,\"message_id\":1,\"offset\":2",
        ",\"have_message\":true,\"vgroup_id\":178,\"message_type\":1,\"message_id\":2,\"offset\":4",
        ",\"have_message\":false,\"message_type\":0,\"message_id\":0,\"offset\":0",
    };

    answer(message->fake, request, answers[MIN(gateway->polls, 2)]);
    gateway->polls++;
}

static void answer_fetch(const FakeMessage *message, Gateway *gateway, guint64 request)
{
    static const char *const answers[] = {
        ",\"completed\":false,\"table_name\":\"c 2\",\"rows\":1",
        ",\"completed\":false,\"table_name\":\"c1\",\"rows\":2",
        ",\"completed\":true,\"table_name\":\"\",\"rows\":0",
    };

    gateway->fetch = request;
    answer(message->fake, request, answers[gateway->fetches]);
}

static void handle(const FakeMessage *message)
{
    Gateway *gateway = message->user_data;
    g_autoptr(json_t) json = NULL;
    const char *action;
    guint64 request;

    if (message->opcode != TD_FRAME_TEXT)
        return;
    json = json_loadb((const char *)message->data, message->length, 0, NULL);
    action = json_get_string(json, "action", "");
    request = json_get_uint(json_object_get(json, "args"), "req_id", 0);
    if (g_str_equal(action, "poll"))
        answer_poll(message, gateway, request);
    else if (g_str_equal(action, "fetch"))
        answer_fetch(message, gateway, request);
    else if (g_str_equal(action, "fetch_block"))
        answer_block(message, gateway, blocks[gateway->fetches++]);
    else if (g_str_equal(action, "fetch_json_meta"))
        answer(message->fake, request,
               ",\"data\":{\"type\":\"delete\",\"sql\":\"delete from `c1`\"}");
    else if (g_str_equal(action, "assignment"))
        answer(message->fake, request,
               ",\"assignment\":[{\"vgroup_id\":177,\"offset\":14,\"begin\":3,\"end\":14},"
               "{\"vgroup_id\":178,\"offset\":30,\"begin\":0,\"end\":30}]");
    else if (g_str_equal(action, "committed"))
        answer(message->fake, request, ",\"committed\":[-2147467247,30]");
    else if (g_str_equal(action, "position"))
        answer(message->fake, request, ",\"position\":[14,31]");
    else if (g_str_equal(action, "seek") &&
             json_get_uint(json_object_get(json, "args"), "offset", 0) < 3)
        refuse(message->fake, request);
    else
        answer(message->fake, request, ""); /* subscribe, commit */
}

static TdTopic *subscribed(Fake *fake)
{
    const TdOptions options = {.url = fake_url(fake), .timeout = 20};
    g_autoptr(GError) error = NULL;
    TdTopic *topic = td_topic_subscribe(&options, "tm_all", "group", NULL, &error);

    g_assert_no_error(error);
    return topic;
}

static void expect_touch(const TdTopicMessage *message, guint i, const char *table, gint64 first,
                         gint64 last)
{
    const TdTopicTouch *touch = &g_array_index(message->touches, TdTopicTouch, i);

    g_assert_cmpstr(touch->table, ==, table);
    g_assert_cmpint(touch->first, ==, first);
    g_assert_cmpint(touch->last, ==, last);
}

static void test_messages(void)
{
    Gateway gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdTopic) topic = subscribed(fake);
    g_autofree char *request = fake_request(fake);
    g_auto(TdTopicMessage) meta = {0};
    g_auto(TdTopicMessage) rows = {0};
    g_autoptr(GError) error = NULL;
    gboolean found = FALSE;

    g_assert_cmpstr(request, ==, "GET /rest/tmq HTTP/1.1");
    g_assert_true(td_topic_poll(topic, 10, &meta, &found, NULL, &error));
    g_assert_true(found);
    g_assert_cmpint(meta.vgroup, ==, 177);
    g_assert_cmpstr(json_get_string(meta.meta, "type", ""), ==, "delete");
    g_assert_cmpuint(meta.touches->len, ==, 0);
    g_assert_true(td_topic_poll(topic, 10, &rows, &found, NULL, &error));
    g_assert_no_error(error);
    g_assert_null(rows.meta);
    g_assert_cmpint(rows.offset, ==, 4);
    g_assert_cmpuint(rows.touches->len, ==, 2);
    expect_touch(&rows, 0, "c 2", 1704067200000, 1704067200000);
    expect_touch(&rows, 1, "c1", 1704067200000, 1704067200001);
    g_assert_true(td_topic_poll(topic, 10, &rows, &found, NULL, &error));
    g_assert_false(found);
    g_assert_true(td_topic_commit(topic, NULL, &error));
}

static void test_positions(void)
{
    Gateway gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdTopic) topic = subscribed(fake);
    g_autoptr(GArray) positions = td_topic_positions(topic, NULL, NULL);
    const TdTopicPosition *first, *second;

    g_assert_cmpuint(positions->len, ==, 2);
    first = &g_array_index(positions, TdTopicPosition, 0);
    second = &g_array_index(positions, TdTopicPosition, 1);
    g_assert_cmpint(first->begin, ==, 3);
    g_assert_cmpint(first->committed, <, 0);
    g_assert_cmpint(second->vgroup, ==, 178);
    g_assert_cmpint(second->end, ==, 30);
    g_assert_cmpint(second->committed, ==, 30);
}

static void test_going_elsewhere(void)
{
    Gateway gateway = {0};
    g_autoptr(Fake) fake = fake_start(handle, &gateway);
    g_autoptr(TdTopic) topic = subscribed(fake);
    g_autoptr(GArray) positions = td_topic_positions(topic, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(td_topic_seek(topic, 177, 4, NULL, &error));
    g_assert_false(td_topic_seek(topic, 177, 2, NULL, &error));
    g_assert_cmpuint(td_error_code(error), ==, 16391);
    g_clear_error(&error);
    g_assert_true(td_topic_next(topic, positions, NULL, &error));
    g_assert_cmpint(g_array_index(positions, TdTopicPosition, 0).offset, ==, 14);
    g_assert_cmpint(g_array_index(positions, TdTopicPosition, 1).offset, ==, 31);
    g_assert_true(td_topic_leave(topic, NULL, &error));
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/topic/messages", test_messages);
    g_test_add_func("/tdengine/topic/positions", test_positions);
    g_test_add_func("/tdengine/topic/going-elsewhere", test_going_elsewhere);
    return g_test_run();
}
