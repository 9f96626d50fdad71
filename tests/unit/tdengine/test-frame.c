/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames and the handshake of WebSocket as bytes: the examples of RFC 6455, recorded handshakes,
 * what servers must not send.
 */
#include "tdengine/frame.h"

#include "tdengine/handshake.h"

#include <string.h>

#define LIMIT 1000

static const guint8 mask[4] = {0x37, 0xfa, 0x21, 0x3d};

/* --- writing ---------------------------------------------------------------------------------- */

static void test_header(void)
{
    static const struct {
        guint64 length;
        guint8 bytes[TD_FRAME_MAX_HEADER];
        gsize size;
    } forms[] = {
        {0, {0x82, 0x80, 0x37, 0xfa, 0x21, 0x3d}, 6},
        {125, {0x82, 0xfd, 0x37, 0xfa, 0x21, 0x3d}, 6},
        {126, {0x82, 0xfe, 0, 126, 0x37, 0xfa, 0x21, 0x3d}, 8},
        {65535, {0x82, 0xfe, 0xff, 0xff, 0x37, 0xfa, 0x21, 0x3d}, 8},
        {65536, {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0x37, 0xfa, 0x21, 0x3d}, 14},
    };
    guint8 header[TD_FRAME_MAX_HEADER];

    for (gsize i = 0; i < G_N_ELEMENTS(forms); i++) {
        const gsize size = td_frame_header(header, TD_FRAME_BINARY, forms[i].length, mask);

        g_assert_cmpmem(header, size, forms[i].bytes, forms[i].size);
    }
}

/* In pieces of any size it is the same as byte by byte. */
static void test_mask(void)
{
    static const guint8 hello[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58}; /* RFC 6455, section 5.7 */
    guint8 plain[100], whole[100], pieces[100];

    td_frame_mask(whole, (const guint8 *)"Hello", 5, 0, mask);
    g_assert_cmpmem(whole, 5, hello, 5);
    for (guint i = 0; i < sizeof plain; i++)
        plain[i] = (guint8)(i * 7);
    for (gsize step = 1; step <= sizeof plain; step++) {
        for (gsize at = 0; at < sizeof plain; at += step)
            td_frame_mask(pieces + at, plain + at, MIN(step, sizeof plain - at), at, mask);
        for (gsize i = 0; i < sizeof plain; i++)
            g_assert_cmphex(pieces[i], ==, plain[i] ^ mask[i & 3]);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static void feed(TdInbox *inbox, const guint8 *bytes, gsize length)
{
    while (length > 0) {
        gsize size;
        guint8 *space = td_inbox_space(inbox, &size, NULL);

        g_assert_nonnull(space);
        size = MIN(size, length);
        memcpy(space, bytes, size);
        td_inbox_filled(inbox, size);
        bytes += size;
        length -= size;
    }
}

static gboolean next_is(TdInbox *inbox, TdOpcode opcode, const char *data, gsize length)
{
    TdMessage message = {0};
    gboolean found;

    g_assert_true(td_inbox_next(inbox, &message, &found, NULL));
    if (!found)
        return FALSE;
    g_assert_cmpuint(message.opcode, ==, opcode);
    g_assert_cmpmem(message.data, message.length, data, length);
    return TRUE;
}

static const guint8 conversation[] = {
    0x01, 3,    'H', 'e',  'l',       /* a text, its first part */
    0x89, 2,    'p', 'i',             /* a ping between */
    0x00, 1,    'l',                  /* */
    0x8a, 0,                          /* a pong nobody asked for */
    0x80, 1,    'o',                  /* the text's last part */
    0x82, 0,                          /* nothing, in binary */
    0x82, 0x7e, 0,   3,    1,   2, 3, /* a longer length than needed */
    0x88, 2,    3,   0xe8,            /* goodbye */
};

static void expect_conversation(TdInbox *inbox, guint *at)
{
    static const struct {
        TdOpcode opcode;
        const char *data;
        gsize length;
    } expected[] = {
        {TD_FRAME_PING, "pi", 2}, {TD_FRAME_PONG, "", 0},         {TD_FRAME_TEXT, "Hello", 5},
        {TD_FRAME_BINARY, "", 0}, {TD_FRAME_BINARY, "\1\2\3", 3}, {TD_FRAME_CLOSE, "\3\xe8", 2},
    };

    while (*at < G_N_ELEMENTS(expected) &&
           next_is(inbox, expected[*at].opcode, expected[*at].data, expected[*at].length))
        (*at)++;
}

static void test_messages(void)
{
    for (gsize step = 1; step <= sizeof conversation; step++) {
        g_autoptr(TdInbox) inbox = td_inbox_new(LIMIT);
        guint seen = 0;

        for (gsize at = 0; at < sizeof conversation; at += step) {
            feed(inbox, conversation + at, MIN(step, sizeof conversation - at));
            expect_conversation(inbox, &seen);
        }
        g_assert_cmpuint(seen, ==, 6);
    }
}

/* Much more than the first space: fragments and pings in turn, whose bytes must not pile up. */
static void test_long(void)
{
    enum { PART = 50000, PARTS = 40 };
    g_autoptr(TdInbox) inbox = td_inbox_new(PART * PARTS);
    g_autofree guint8 *part = g_malloc(4 + PART);
    TdMessage message;
    gboolean found;

    for (guint i = 0; i < PARTS; i++) {
        part[0] = i == 0 ? 0x02 : i == PARTS - 1 ? 0x80 : 0x00;
        part[1] = 126;
        part[2] = PART >> 8;
        part[3] = PART & 0xff;
        memset(part + 4, (int)i, PART);
        feed(inbox, part, 4 + PART);
        g_assert_true(td_inbox_next(inbox, &message, &found, NULL));
        g_assert_cmpint(found, ==, i == PARTS - 1);
        if (found)
            break;
        feed(inbox, (const guint8 *)"\x89\1!", 3);
        g_assert_true(next_is(inbox, TD_FRAME_PING, "!", 1));
    }
    g_assert_cmpuint(message.length, ==, PART * PARTS);
    for (gsize i = 0; i < message.length; i++)
        g_assert_cmpuint(message.data[i], ==, i / PART);
}

static void test_refused(void)
{
    static const struct {
        guint8 bytes[16];
        gsize length;
        ErrorCode code;
    } wrong[] = {
        {{0xc2, 0}, 2, ERROR_FORMAT},                /* compressed, which was not agreed */
        {{0x82, 0x80, 0, 0, 0, 0}, 6, ERROR_FORMAT}, /* masked */
        {{0x83, 0}, 2, ERROR_FORMAT},                /* no such kind */
        {{0x80, 0}, 2, ERROR_FORMAT},                /* a part of nothing */
        {{0x02, 0, 0x82, 0}, 4, ERROR_FORMAT},       /* a message inside another */
        {{0x09, 0}, 2, ERROR_FORMAT},                /* a ping in parts */
        {{0x89, 126, 0, 126}, 4, ERROR_FORMAT},      /* a long ping */
        {{0x82, 126, 3, 0xe9}, 4, ERROR_LIMIT},      /* 1,001 bytes */
        {{0x82, 127, 0xff, 255, 255, 255, 255, 255, 255, 255}, 10, ERROR_LIMIT},
        {{0x02, 1, 'x', 0x80, 126, 3, 0xe8}, 7, ERROR_LIMIT}, /* too much in parts */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(TdInbox) inbox = td_inbox_new(LIMIT);
        g_autoptr(GError) error = NULL;
        TdMessage message;
        gboolean found = TRUE;

        feed(inbox, wrong[i].bytes, wrong[i].length);
        g_assert_false(td_inbox_next(inbox, &message, &found, &error));
        g_assert_error(error, ERROR_DOMAIN, (int)wrong[i].code);
    }
}

/* --- handshake -------------------------------------------------------------------------------- */

/* Recorded from a server, with this key. */
#define KEY "AAAAAAAAAAAAAAAAAAAAAA=="
#define GOOD                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
    "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n"

static void test_handshake(void)
{
    static const char good[] = GOOD "\r\nbehind";
    gsize length = 9;

    for (gsize cut = 0; cut < strlen(GOOD "\r\n"); cut++) {
        g_autofree char *part = g_strndup(good, cut);

        g_assert_true(td_handshake_check(part, cut, KEY, "host:1", &length, NULL));
        g_assert_cmpuint(length, ==, 0);
    }
    g_assert_true(td_handshake_check(good, strlen(good), KEY, "host:1", &length, NULL));
    g_assert_cmpuint(length, ==, strlen(GOOD "\r\n"));
}

static void test_handshake_refused(void)
{
    static const struct {
        const char *answer;
        ErrorCode code;
    } wrong[] = {
        {GOOD "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", ERROR_FORMAT},
        {GOOD "Sec-WebSocket-Protocol: x\r\n\r\n", ERROR_FORMAT},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", ERROR_FORMAT},
        {"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAi=\r\n\r\n",
         ERROR_FORMAT},
        {"HTTP/1.1 101 x\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
         ERROR_FORMAT},
        {"HTTP/1.1 401 Unauthorized\r\n\r\n", ERROR_PERMISSION},
        {"HTTP/1.1 403 Forbidden\r\n\r\n", ERROR_PERMISSION},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\n", ERROR_UNREACHABLE},
        {"HTTP/1.1 404 Not Found\r\n\r\n", ERROR_FORMAT},
        {"HTTP/1.1 200 OK\r\n\r\n", ERROR_FORMAT},
        {"HTTP/1.1\r\n\r\n", ERROR_FORMAT},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", ERROR_FORMAT},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        gsize length;

        g_assert_false(td_handshake_check(wrong[i].answer, strlen(wrong[i].answer), KEY, "host:1",
                                          &length, &error));
        g_assert_error(error, ERROR_DOMAIN, (int)wrong[i].code);
    }
}

static void test_endless_answer(void)
{
    g_autofree char *endless = g_strnfill(TD_HANDSHAKE_MAX, 'x');
    g_autoptr(GError) error = NULL;
    gsize length;

    g_assert_false(td_handshake_check(endless, TD_HANDSHAKE_MAX, KEY, "host:1", &length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/frame/header", test_header);
    g_test_add_func("/tdengine/frame/mask", test_mask);
    g_test_add_func("/tdengine/frame/messages", test_messages);
    g_test_add_func("/tdengine/frame/long", test_long);
    g_test_add_func("/tdengine/frame/refused", test_refused);
    g_test_add_func("/tdengine/handshake/good", test_handshake);
    g_test_add_func("/tdengine/handshake/refused", test_handshake_refused);
    g_test_add_func("/tdengine/handshake/endless", test_endless_answer);
    return g_test_run();
}
