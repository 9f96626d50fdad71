/* SPDX-License-Identifier: Apache-2.0
 *
 * The fake server.
 */
#include "fake.h"

#include <gio/gio.h>
#include <string.h>

#define ACCEPT_MAGIC "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct Fake {
    GThread *thread;
    GSocket *listener;
    GSocket *peer; /* of the present connection; only the thread uses it */
    GCancellable *stop;
    char *url;
    char *answer;
    GByteArray *greeting;
    char *request;
    GMutex lock; /* over connections, request and what the handler works on */
    guint connections;
    FakeHandler handler;
    gpointer user_data;
};

/* All of it, or FALSE: the client is gone. */
static gboolean read_all(Fake *fake, void *to, gsize length)
{
    for (gsize at = 0; at < length;) {
        const gssize got =
            g_socket_receive(fake->peer, (char *)to + at, length - at, fake->stop, NULL);

        if (got <= 0)
            return FALSE;
        at += (gsize)got;
    }
    return TRUE;
}

void fake_send_bytes(Fake *fake, const void *bytes, gsize length)
{
    for (gsize at = 0; at < length;) {
        const gssize sent =
            g_socket_send(fake->peer, (const char *)bytes + at, length - at, fake->stop, NULL);

        if (sent <= 0)
            return;
        at += (gsize)sent;
    }
}

void fake_send(Fake *fake, gboolean final, guint opcode, const void *data, gsize length)
{
    guint8 head[10] = {(guint8)((final ? 0x80 : 0) | opcode), (guint8)length};
    g_autoptr(GByteArray) frame = g_byte_array_new();
    gsize size = 2;

    if (length > 125) {
        size = length > G_MAXUINT16 ? 10 : 4;
        head[1] = size == 10 ? 127 : 126;
        for (gsize i = 2; i < size; i++)
            head[i] = (guint8)((guint64)length >> 8 * (size - 1 - i));
    }
    /* At once: in two parts it would wait for the client's system to confirm the first. */
    g_byte_array_append(frame, head, (guint)size);
    g_byte_array_append(frame, data, (guint)length);
    fake_send_bytes(fake, frame->data, frame->len);
}

void fake_send_text(Fake *fake, const char *text)
{
    fake_send(fake, TRUE, TD_FRAME_TEXT, text, strlen(text));
}

void fake_cut(Fake *fake)
{
    g_socket_shutdown(fake->peer, TRUE, TRUE, NULL);
}

void fake_go_away(Fake *fake)
{
    g_socket_close(fake->listener, NULL);
    fake_cut(fake);
}

static char *read_request(Fake *fake)
{
    g_autoptr(GString) request = g_string_new(NULL);
    char byte;

    while (!g_str_has_suffix(request->str, "\r\n\r\n")) {
        if (!read_all(fake, &byte, 1))
            return NULL;
        g_string_append_c(request, byte);
    }
    return g_string_free(g_steal_pointer(&request), FALSE);
}

static char *right_answer(const char *request)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    const char *key = strstr(request, name);
    g_autofree char *word = NULL;
    g_autofree char *both = NULL;
    g_autofree char *accept = NULL;
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    guint8 digest[20];
    gsize size = sizeof digest;

    g_assert_nonnull(key);
    key += strlen(name);
    word = g_strndup(key, strcspn(key, "\r"));
    both = g_strconcat(word, ACCEPT_MAGIC, NULL);
    g_checksum_update(sum, (const guchar *)both, -1);
    g_checksum_get_digest(sum, digest, &size);
    accept = g_base64_encode(digest, size);
    return g_strdup_printf("HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
                           "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                           accept);
}

static gboolean shake_hands(Fake *fake)
{
    g_autofree char *request = read_request(fake);
    g_autofree char *answer = NULL;
    g_autoptr(GByteArray) all = g_byte_array_new();

    if (request == NULL)
        return FALSE;
    answer = fake->answer != NULL ? g_strdup(fake->answer) : right_answer(request);
    g_mutex_lock(&fake->lock);
    g_free(fake->request);
    fake->request = g_strndup(request, strcspn(request, "\r"));
    g_mutex_unlock(&fake->lock);
    g_byte_array_append(all, (const guint8 *)answer, (guint)strlen(answer));
    if (fake->greeting != NULL)
        g_byte_array_append(all, fake->greeting->data, fake->greeting->len);
    fake_send_bytes(fake, all->data, all->len);
    return fake->answer == NULL;
}

/* One frame of the client, whose rules are checked: masked, whole. */
static gboolean read_frame(Fake *fake, TdOpcode *ret_opcode, GByteArray *data)
{
    guint8 head[2], mask[4], more[8] = {0};
    guint64 length;
    guint extra;

    if (!read_all(fake, head, 2))
        return FALSE;
    g_assert_cmphex(head[0] & 0xf0, ==, 0x80);
    g_assert_cmphex(head[1] & 0x80, ==, 0x80);
    length = head[1] & 0x7f;
    extra = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (!read_all(fake, more, extra))
        return FALSE;
    if (extra != 0)
        length = 0;
    for (guint i = 0; i < extra; i++)
        length = length << 8 | more[i];
    g_assert_cmpuint(length, <, 64 * 1024 * 1024);
    g_byte_array_set_size(data, (guint)length);
    if (!read_all(fake, mask, 4) || !read_all(fake, data->data, length))
        return FALSE;
    for (gsize i = 0; i < length; i++)
        data->data[i] ^= mask[i & 3];
    *ret_opcode = (TdOpcode)(head[0] & 0x0f);
    return TRUE;
}

static void serve(Fake *fake, guint connection)
{
    g_autoptr(GByteArray) data = g_byte_array_new();

    if (!shake_hands(fake))
        return;
    for (guint number = 0;; number++) {
        FakeMessage message = {fake, connection, number, 0, NULL, 0, fake->user_data};

        if (!read_frame(fake, &message.opcode, data))
            return;
        message.data = data->data;
        message.length = data->len;
        g_mutex_lock(&fake->lock);
        fake->handler(&message);
        g_mutex_unlock(&fake->lock);
    }
}

static gpointer run(gpointer data)
{
    Fake *fake = data;

    for (;;) {
        guint connection;

        fake->peer = g_socket_accept(fake->listener, fake->stop, NULL);
        if (fake->peer == NULL)
            return NULL;
        g_mutex_lock(&fake->lock);
        connection = fake->connections++;
        g_mutex_unlock(&fake->lock);
        serve(fake, connection);
        g_socket_close(fake->peer, NULL);
        g_clear_object(&fake->peer);
    }
}

Fake *fake_start(FakeHandler handler, gpointer user_data)
{
    g_autoptr(GInetAddress) host = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new(host, 0);
    g_autoptr(GSocketAddress) local = NULL;
    Fake *fake = g_new0(Fake, 1);

    fake->handler = handler;
    fake->user_data = user_data;
    fake->stop = g_cancellable_new();
    g_mutex_init(&fake->lock);
    fake->listener =
        g_socket_new(G_SOCKET_FAMILY_IPV4, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL);
    g_assert_true(g_socket_bind(fake->listener, address, TRUE, NULL));
    g_assert_true(g_socket_listen(fake->listener, NULL));
    local = g_socket_get_local_address(fake->listener, NULL);
    fake->url = g_strdup_printf("ws://127.0.0.1:%u",
                                g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(local)));
    return fake;
}

static void begin(Fake *fake)
{
    if (fake->thread == NULL)
        fake->thread = g_thread_new("fake", run, fake);
}

void fake_set_answer(Fake *fake, const char *answer)
{
    g_assert_null(fake->thread);
    fake->answer = g_strdup(answer);
}

void fake_set_greeting(Fake *fake, const guint8 *bytes, gsize length)
{
    g_assert_null(fake->thread);
    fake->greeting = g_byte_array_append(g_byte_array_new(), bytes, (guint)length);
}

void fake_stop(Fake *fake)
{
    if (fake == NULL)
        return;
    g_cancellable_cancel(fake->stop);
    if (fake->thread != NULL)
        g_thread_join(fake->thread);
    g_object_unref(fake->listener);
    g_object_unref(fake->stop);
    g_clear_pointer(&fake->greeting, g_byte_array_unref);
    g_mutex_clear(&fake->lock);
    g_free(fake->url);
    g_free(fake->answer);
    g_free(fake->request);
    g_free(fake);
}

const char *fake_url(Fake *fake)
{
    begin(fake); /* what the server does is settled by now */
    return fake->url;
}

char *fake_request(Fake *fake)
{
    char *request;

    g_mutex_lock(&fake->lock);
    request = g_strdup(fake->request);
    g_mutex_unlock(&fake->lock);
    return request;
}

guint fake_connections(Fake *fake)
{
    guint connections;

    g_mutex_lock(&fake->lock);
    connections = fake->connections;
    g_mutex_unlock(&fake->lock);
    return connections;
}

guint fake_look(Fake *fake, const guint *number)
{
    guint value;

    g_mutex_lock(&fake->lock);
    value = *number;
    g_mutex_unlock(&fake->lock);
    return value;
}

void fake_change(Fake *fake, guint *number, guint value)
{
    g_mutex_lock(&fake->lock);
    *number = value;
    g_mutex_unlock(&fake->lock);
}
