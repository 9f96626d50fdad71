/* SPDX-License-Identifier: Apache-2.0
 *
 * WebSocket connections to a server in a thread: messages both ways, pings, what ends them.
 */
#include "tdengine/websocket.h"

#include "fake.h"

#include <signal.h>
#include <string.h>

#define LIMIT   (4u * 1024 * 1024)
#define TIMEOUT 20u /* seconds: never waited for */

static TdWebSocket *connect_to(Fake *fake, const char *token, GCancellable *cancellable,
                               GError **error)
{
    const TdWebSocketOptions options = {.url = fake_url(fake),
                                        .path = "/ws",
                                        .token = token,
                                        .timeout = TIMEOUT,
                                        .max_message = LIMIT};

    return td_websocket_connect(&options, cancellable, error);
}

static TdWebSocket *connected(Fake *fake)
{
    g_autoptr(GError) error = NULL;
    TdWebSocket *socket = connect_to(fake, NULL, NULL, &error);

    g_assert_no_error(error);
    return socket;
}

static void expect_message(TdWebSocket *socket, TdOpcode opcode, const void *data, gsize length)
{
    g_autoptr(GError) error = NULL;
    TdMessage message;

    g_assert_true(td_websocket_receive(socket, TIMEOUT, &message, NULL, &error));
    g_assert_cmpuint(message.opcode, ==, opcode);
    g_assert_cmpmem(message.data, message.length, data, length);
}

static void expect_end(TdWebSocket *socket, ErrorCode code, const char *word)
{
    g_autoptr(GError) error = NULL;
    TdMessage message;

    g_assert_false(td_websocket_receive(socket, TIMEOUT, &message, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, (int)code);
    g_assert_nonnull(strstr(error->message, word));
}

/* --- messages --------------------------------------------------------------------------------- */

static void echo(const FakeMessage *message)
{
    if (message->opcode < TD_FRAME_CLOSE)
        fake_send(message->fake, TRUE, message->opcode, message->data, message->length);
}

static void test_echo(void)
{
    static const gsize lengths[] = {0, 1, 125, 126, 65535, 65536, 65522, 65523, 1000003};
    g_autoptr(Fake) fake = fake_start(echo, NULL);
    g_autoptr(TdWebSocket) socket = connected(fake);
    g_autofree guint8 *bytes = g_malloc(1000003);
    g_autofree char *request = fake_request(fake);

    g_assert_cmpstr(request, ==, "GET /ws HTTP/1.1");
    for (guint i = 0; i < 1000003; i++)
        bytes[i] = (guint8)(i % 251);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        const TdOpcode opcode = i % 2 == 0 ? TD_FRAME_BINARY : TD_FRAME_TEXT;

        g_assert_true(td_websocket_send(socket, opcode, bytes, lengths[i], TIMEOUT, NULL, NULL));
        expect_message(socket, opcode, bytes, lengths[i]);
    }
    g_assert_true(td_websocket_settle(socket));
}

/* A token stands in the request, escaped; never in an error. */
static void test_token(void)
{
    g_autoptr(Fake) fake = fake_start(echo, NULL);
    g_autoptr(Fake) refusing = fake_start(echo, NULL);
    g_autoptr(TdWebSocket) socket = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *request = NULL;

    socket = connect_to(fake, "s3/cr&t", NULL, NULL);
    g_assert_nonnull(socket);
    request = fake_request(fake);
    g_assert_cmpstr(request, ==, "GET /ws?token=s3%2Fcr%26t HTTP/1.1");
    fake_set_answer(refusing, "HTTP/1.1 401 Unauthorized\r\n\r\n");
    g_assert_null(connect_to(refusing, "s3/cr&t", NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_PERMISSION);
    g_assert_null(strstr(error->message, "s3"));
}

/* What comes right behind the handshake, in parts with a ping between. */
static void count_pongs(const FakeMessage *message)
{
    if (message->opcode == TD_FRAME_PONG) {
        g_assert_cmpmem(message->data, message->length, "pi", 2);
        fake_send_text(message->fake, "pong came");
    }
}

static void test_greeting(void)
{
    static const guint8 greeting[] = {0x01, 2, 'a', 'b', 0x89, 2, 'p', 'i', 0x80, 1, 'c'};
    g_autoptr(Fake) fake = fake_start(count_pongs, NULL);
    g_autoptr(TdWebSocket) socket = NULL;

    fake_set_greeting(fake, greeting, sizeof greeting);
    socket = connected(fake);
    expect_message(socket, TD_FRAME_TEXT, "abc", 3);
    expect_message(socket, TD_FRAME_TEXT, "pong came", 9);
}

/* --- ends ------------------------------------------------------------------------------------- */

/* The first byte of a message says what to do. */
static void end_somehow(const FakeMessage *message)
{
    static const guint8 goodbye[] = {0x03, 0xe9, 'b', 'y', 'e'};

    if (message->opcode >= TD_FRAME_CLOSE)
        return;
    switch (message->data[0]) {
    case 'c':
        fake_send(message->fake, TRUE, TD_FRAME_CLOSE, goodbye, sizeof goodbye);
        break;
    case 't':
        fake_cut(message->fake);
        break;
    case 'h': /* half a frame */
        fake_send_bytes(message->fake, "\x82\x7d half", 7);
        fake_cut(message->fake);
        break;
    case 'm':
        fake_send_bytes(message->fake, "\x82\x81", 2);
        break;
    case 'l': /* 4 GiB are announced */
        fake_send_bytes(message->fake, "\x82\x7f\0\0\0\1\0\0\0\0", 10);
        break;
    default:
        break; /* silence */
    }
}

static void test_ends(void)
{
    static const struct {
        const char *what;
        ErrorCode code;
        const char *word;
    } ends[] = {
        {"c", ERROR_UNREACHABLE, "1001: bye"}, {"t", ERROR_UNREACHABLE, "lost"},
        {"h", ERROR_UNREACHABLE, "lost"},      {"m", ERROR_FORMAT, "masked"},
        {"l", ERROR_LIMIT, "4194304"},
    };
    g_autoptr(Fake) fake = fake_start(end_somehow, NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autoptr(TdWebSocket) socket = connected(fake);

        g_assert_true(
            td_websocket_send(socket, TD_FRAME_TEXT, ends[i].what, 1, TIMEOUT, NULL, NULL));
        expect_end(socket, ends[i].code, ends[i].word);
        expect_end(socket, ERROR_UNREACHABLE, "closed");
        g_assert_false(td_websocket_send(socket, TD_FRAME_TEXT, "x", 1, TIMEOUT, NULL, NULL));
        g_assert_false(td_websocket_settle(socket));
    }
}

static void test_timeout(void)
{
    g_autoptr(Fake) fake = fake_start(echo, NULL);
    g_autoptr(TdWebSocket) socket = connected(fake);
    g_autoptr(GError) error = NULL;
    TdMessage message;

    g_assert_false(td_websocket_receive(socket, 0, &message, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_TIMEOUT);
    g_assert_true(td_websocket_send(socket, TD_FRAME_TEXT, "x", 1, TIMEOUT, NULL, NULL));
    expect_message(socket, TD_FRAME_TEXT, "x", 1); /* the connection is of use still */
}

static void cancel_it(const FakeMessage *message)
{
    if (message->opcode < TD_FRAME_CLOSE)
        g_cancellable_cancel(message->user_data);
}

/* Cancelled while it waits. */
static void test_cancel(void)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(Fake) fake = fake_start(cancel_it, cancellable);
    g_autoptr(TdWebSocket) socket = connected(fake);
    g_autoptr(GError) error = NULL;
    TdMessage message;

    g_assert_true(td_websocket_send(socket, TD_FRAME_TEXT, "x", 1, TIMEOUT, cancellable, NULL));
    g_assert_false(td_websocket_receive(socket, TIMEOUT, &message, cancellable, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CANCELLED);
    g_clear_error(&error);
    g_assert_null(connect_to(fake, NULL, cancellable, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_CANCELLED);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void test_urls(void)
{
    static const struct {
        const char *url, *peer;
    } good[] = {
        {"ws://host:6041", "host:6041"}, {"ws://host", "host:6041"},
        {"wss://host", "host"},          {"wss://host:8443/td/", "host:8443"},
        {"http://[::1]:1", "[::1]:1"},   {"HTTPS://Host/", "Host"},
    };
    static const char *const bad[] = {
        "",         "host:6041",        "ftp://host",         "ws://",
        "ws://h:x", "ws://u:p4ss@host", "wss://h?token=p4ss",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *peer = NULL;

        g_assert_true(td_websocket_check_url(good[i].url, &peer, NULL));
        g_assert_cmpstr(peer, ==, good[i].peer);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(td_websocket_check_url(bad[i], NULL, &error));
        g_assert_error(error, ERROR_DOMAIN, ERROR_CONFIG);
        g_assert_null(strstr(error->message, "p4ss"));
    }
}

static void test_nobody_there(void)
{
    const TdWebSocketOptions options = {.url = "ws://127.0.0.1:1",
                                        .path = "/ws",
                                        .timeout = TIMEOUT,
                                        .max_message = LIMIT};
    g_autoptr(GError) error = NULL;

    g_assert_null(td_websocket_connect(&options, NULL, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_UNREACHABLE);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/websocket/echo", test_echo);
    g_test_add_func("/tdengine/websocket/token", test_token);
    g_test_add_func("/tdengine/websocket/greeting", test_greeting);
    g_test_add_func("/tdengine/websocket/ends", test_ends);
    g_test_add_func("/tdengine/websocket/timeout", test_timeout);
    g_test_add_func("/tdengine/websocket/cancel", test_cancel);
    g_test_add_func("/tdengine/websocket/urls", test_urls);
    g_test_add_func("/tdengine/websocket/nobody-there", test_nobody_there);
    return g_test_run();
}
