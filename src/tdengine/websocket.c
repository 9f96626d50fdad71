/* SPDX-License-Identifier: Apache-2.0
 *
 * The connection: libcurl connects (names, TLS, certificates, proxies) and then only carries bytes
 * (CURLOPT_CONNECT_ONLY); the protocol above them is in handshake.c and frame.c.
 */
#include "tdengine/websocket.h"

#include "base/random.h"
#include "tdengine/handshake.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define CHUNK         (64u * 1024) /* of a message that is sent: masked and handed over at once */
#define ADAPTER_PORT  "6041"
#define CLOSE_NORMAL  1000
#define GOODBYE_BYTES 2

typedef CURL Curl;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Curl, curl_easy_cleanup)
typedef CURLU CurlUrl;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CurlUrl, curl_url_cleanup)
typedef char CurlText;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CurlText, curl_free)

struct TdWebSocket {
    CURL *curl;
    curl_socket_t fd;
    char *peer;
    TdInbox *inbox;
    guint8 *chunk; /* CHUNK bytes: what is being sent */
    gboolean open; /* neither side has said goodbye, nothing failed */
};

/* A URL taken apart. */
typedef struct {
    char *connect; /* for libcurl: http://host:port, https://host:port */
    char *host;    /* host:port, host alone where 443 is meant: for the Host header, messages */
    char *prefix;  /* path without a slash at its end, often "" */
    gboolean tls;
} Address;

static void address_clear(Address *address)
{
    g_free(address->connect);
    g_free(address->host);
    g_free(address->prefix);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Address, address_clear)

/* --- addresses -------------------------------------------------------------------------------- */

static char *url_part(CURLU *url, CURLUPart part)
{
    g_autoptr(CurlText) text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? g_strdup(text) : NULL;
}

/* The URL in libcurl's words: it does not know ws and wss. */
static char *http_url(const char *url, gboolean *ret_tls)
{
    static const struct {
        const char *scheme, *http;
        gboolean tls;
    } schemes[] = {
        {"ws://", "http://", FALSE},
        {"wss://", "https://", TRUE},
        {"http://", "http://", FALSE},
        {"https://", "https://", TRUE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
        const gsize length = strlen(schemes[i].scheme);

        if (g_ascii_strncasecmp(url, schemes[i].scheme, length) != 0)
            continue;
        *ret_tls = schemes[i].tls;
        return g_strconcat(schemes[i].http, url + length, NULL);
    }
    return NULL;
}

/* A wrong URL is not repeated in messages: it may hold a token or a password. */
static gboolean refuse_url(const char *what, GError **error)
{
    error_set(error, ERROR_CONFIG, "the URL of a TDengine server cannot be used: %s", what);
    error_add_hint(error, "write url = ws://HOST:6041, or wss://HOST for a server with TLS");
    return FALSE;
}

static gboolean read_address(const char *text, Address *ret_address, GError **error)
{
    g_auto(Address) address = {0};
    g_autofree char *http = http_url(text, &address.tls);
    g_autoptr(CurlUrl) url = curl_url();
    g_autofree char *user = NULL;
    g_autofree char *password = NULL;
    g_autofree char *query = NULL;
    g_autofree char *host = NULL;
    g_autofree char *port = NULL;

    if (http == NULL)
        return refuse_url("it does not begin with ws:// or wss://", error);
    if (url == NULL || curl_url_set(url, CURLUPART_URL, http, 0) != CURLUE_OK)
        return refuse_url("it is not well formed", error);
    user = url_part(url, CURLUPART_USER);
    password = url_part(url, CURLUPART_PASSWORD);
    query = url_part(url, CURLUPART_QUERY);
    if (user != NULL || password != NULL)
        return refuse_url("user and password do not stand in it, but in keys of their own", error);
    if (query != NULL)
        return refuse_url("it has a \"?\"; a token belongs into a file (token_file)", error);
    host = url_part(url, CURLUPART_HOST);
    port = url_part(url, CURLUPART_PORT);
    address.prefix = url_part(url, CURLUPART_PATH);
    if (host == NULL || address.prefix == NULL)
        return refuse_url("it names no host", error);
    if (g_str_has_suffix(address.prefix, "/"))
        address.prefix[strlen(address.prefix) - 1] = '\0';
    if (port == NULL && !address.tls)
        port = g_strdup(ADAPTER_PORT);
    address.host = g_strconcat(host, port != NULL ? ":" : NULL, port, NULL);
    address.connect = g_strdup_printf("%s://%s/", address.tls ? "https" : "http", address.host);
    *ret_address = address;
    memset(&address, 0, sizeof address);
    return TRUE;
}

gboolean td_websocket_check_url(const char *url, char **ret_peer, GError **error)
{
    g_auto(Address) address = {0};

    if (!read_address(url, &address, error))
        return FALSE;
    if (ret_peer != NULL)
        *ret_peer = g_steal_pointer(&address.host);
    return TRUE;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* Waits until the socket can be read or written. */
static gboolean wait_for(TdWebSocket *socket, gushort events, guint timeout,
                         GCancellable *cancellable, GError **error)
{
    GPollFD fds[2] = {{socket->fd, events, 0}, {-1, 0, 0}};
    const gint64 end = g_get_monotonic_time() + timeout * G_USEC_PER_SEC;
    const gboolean cancels = g_cancellable_make_pollfd(cancellable, &fds[1]);
    int ready;

    do {
        const gint64 left = MAX(end - g_get_monotonic_time(), 0);

        ready = g_poll(fds, cancels ? 2 : 1, (int)MIN((left + 999) / 1000, G_MAXINT));
    } while (ready < 0 && errno == EINTR);
    if (cancels)
        g_cancellable_release_fd(cancellable);
    if (!error_unless_cancelled(cancellable, error))
        return FALSE;
    if (ready > 0)
        return TRUE;
    error_set(error, ERROR_TIMEOUT, "%s did not answer for %u s", socket->peer, timeout);
    return FALSE;
}

static gboolean lose(TdWebSocket *socket, const char *why, GError **error)
{
    socket->open = FALSE;
    error_set(error, ERROR_UNREACHABLE, "the connection to %s was lost: %s", socket->peer, why);
    return FALSE;
}

static gboolean send_bytes(TdWebSocket *socket, const guint8 *bytes, gsize length, guint timeout,
                           GCancellable *cancellable, GError **error)
{
    gsize at = 0;

    while (at < length) {
        size_t sent = 0;
        const CURLcode code = curl_easy_send(socket->curl, bytes + at, length - at, &sent);

        if (code == CURLE_OK) {
            at += sent;
            continue;
        }
        if (code != CURLE_AGAIN)
            return lose(socket, "it cannot be written", error);
        if (!wait_for(socket, G_IO_OUT, timeout, cancellable, error)) {
            socket->open = FALSE; /* half a frame is out: nothing can follow it */
            return FALSE;
        }
    }
    return TRUE;
}

/* Takes what has come into the inbox; *ret_any is FALSE where nothing has. */
static gboolean take_bytes(TdWebSocket *socket, gboolean *ret_any, GError **error)
{
    gsize size;
    size_t received = 0;
    guint8 *space = td_inbox_space(socket->inbox, &size, error);
    CURLcode code;

    if (space == NULL)
        return FALSE;
    code = curl_easy_recv(socket->curl, space, size, &received);
    *ret_any = code == CURLE_OK;
    if (code == CURLE_AGAIN)
        return TRUE;
    if (code != CURLE_OK)
        return lose(socket, "it cannot be read", error);
    if (received == 0)
        return lose(socket, "the server ended it", error);
    td_inbox_filled(socket->inbox, received);
    return TRUE;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* Masks while it copies: a chunk is the frame's header and payload, then payload only. */
static gboolean send_frame(TdWebSocket *socket, TdOpcode opcode, const guint8 *data, gsize length,
                           guint timeout, GCancellable *cancellable, GError **error)
{
    guint8 mask[4];
    gsize used, at = 0;

    random_fill(mask, sizeof mask);
    used = td_frame_header(socket->chunk, opcode, length, mask);
    do {
        const gsize part = MIN(length - at, CHUNK - used);

        td_frame_mask(socket->chunk + used, data + at, part, at, mask);
        if (!send_bytes(socket, socket->chunk, used + part, timeout, cancellable, error))
            return FALSE;
        at += part;
        used = 0;
    } while (at < length);
    return TRUE;
}

static gboolean closed_by_server(TdWebSocket *socket, const TdMessage *message, GError **error)
{
    g_autofree char *why = NULL;
    g_autofree char *text = NULL;

    if (message->length >= 2) {
        text = g_utf8_make_valid((const char *)message->data + 2, (gssize)message->length - 2);
        why = g_strdup_printf("the server closed it (%u%s%s)",
                              message->data[0] << 8 | message->data[1], *text != '\0' ? ": " : "",
                              text);
    }
    return lose(socket, why != NULL ? why : "the server closed it", error);
}

/* A control frame: a ping is answered. */
static gboolean handle_control(TdWebSocket *socket, const TdMessage *message, guint timeout,
                               GCancellable *cancellable, GError **error)
{
    if (message->opcode == TD_FRAME_CLOSE)
        return closed_by_server(socket, message, error);
    if (message->opcode == TD_FRAME_PONG)
        return TRUE;
    return send_frame(socket, TD_FRAME_PONG, message->data, message->length, timeout, cancellable,
                      error);
}

/* The next message that has come, control frames handled. */
static gboolean next_message(TdWebSocket *socket, guint timeout, TdMessage *ret_message,
                             gboolean *ret_found, GCancellable *cancellable, GError **error)
{
    for (;;) {
        if (!td_inbox_next(socket->inbox, ret_message, ret_found, error))
            return FALSE;
        if (!*ret_found || ret_message->opcode < TD_FRAME_CLOSE)
            return TRUE;
        if (!handle_control(socket, ret_message, timeout, cancellable, error))
            return FALSE;
    }
}

/* --- connecting ------------------------------------------------------------------------------- */

static int stop_connecting(void *data, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                           curl_off_t upload_now)
{
    return g_cancellable_is_cancelled(data);
}

static gboolean set_options(CURL *curl, const TdWebSocketOptions *options, const Address *address,
                            char *message, GCancellable *cancellable)
{
    gboolean set = TRUE;

#define SET(option, value) (set = set && curl_easy_setopt(curl, (option), (value)) == CURLE_OK)
    SET(CURLOPT_URL, address->connect);
    SET(CURLOPT_CONNECT_ONLY, 1L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_CONNECTTIMEOUT, (long)options->timeout);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_ERRORBUFFER, message);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
    if (!address->tls)
        SET(CURLOPT_PROXY, "");
    /* Replaces the system's bundle, but not its directory of certificates. */
    if (options->ca_file != NULL)
        SET(CURLOPT_CAINFO, options->ca_file);
    if (cancellable != NULL) {
        SET(CURLOPT_NOPROGRESS, 0L);
        SET(CURLOPT_XFERINFOFUNCTION, stop_connecting);
        SET(CURLOPT_XFERINFODATA, cancellable);
    }
#undef SET
    return set;
}

static gboolean report_connect(const Address *address, CURLcode code, const char *message,
                               GError **error)
{
    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        error_set(error, ERROR_CANCELLED, "cancelled");
        return FALSE;
    case CURLE_PEER_FAILED_VERIFICATION:
        error_set(error, ERROR_PERMISSION, "the certificate of %s is not accepted: %s",
                  address->host, message);
        error_add_hint(error, "name the certificate of its issuer with ca_file");
        return FALSE;
    case CURLE_SSL_CACERT_BADFILE:
        error_set(error, ERROR_CONFIG, "the certificates of ca_file cannot be read: %s", message);
        return FALSE;
    default:
        error_set(error, ERROR_UNREACHABLE, "cannot connect to %s: %s", address->host,
                  *message != '\0' ? message : curl_easy_strerror(code));
        error_add_hint(error, "is taosAdapter running there, and is the URL right?");
        return FALSE;
    }
}

static gboolean open_connection(TdWebSocket *socket, const TdWebSocketOptions *options,
                                const Address *address, GCancellable *cancellable, GError **error)
{
    char message[CURL_ERROR_SIZE] = "";
    CURLcode code;

    socket->curl = curl_easy_init();
    if (socket->curl == NULL ||
        !set_options(socket->curl, options, address, message, cancellable)) {
        error_set(error, ERROR_INTERNAL, "libcurl refuses an option");
        return FALSE;
    }
    code = curl_easy_perform(socket->curl);
    /* Both point into frames that end before the connection does. */
    curl_easy_setopt(socket->curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(socket->curl, CURLOPT_NOPROGRESS, 1L);
    if (code != CURLE_OK)
        return report_connect(address, code, message, error);
    if (curl_easy_getinfo(socket->curl, CURLINFO_ACTIVESOCKET, &socket->fd) != CURLE_OK ||
        socket->fd == CURL_SOCKET_BAD)
        return lose(socket, "it has no socket", error);
    return TRUE;
}

/* Reads the server's answer; what stands behind it belongs to the inbox. */
static gboolean read_answer(TdWebSocket *socket, const char *key, guint timeout,
                            GCancellable *cancellable, GError **error)
{
    g_autofree char *answer = g_malloc(TD_HANDSHAKE_MAX + 1);
    gsize filled = 0, used = 0;

    while (used == 0) {
        size_t received = 0;
        const CURLcode code =
            curl_easy_recv(socket->curl, answer + filled, TD_HANDSHAKE_MAX - filled, &received);

        if (code == CURLE_AGAIN) {
            if (!wait_for(socket, G_IO_IN, timeout, cancellable, error))
                return FALSE;
            continue;
        }
        if (code != CURLE_OK || received == 0)
            return lose(socket, "the server ended it instead of an answer", error);
        filled += received;
        answer[filled] = '\0';
        if (!td_handshake_check(answer, filled, key, socket->peer, &used, error))
            return FALSE;
    }
    while (used < filled) {
        gsize size;
        guint8 *space = td_inbox_space(socket->inbox, &size, error);

        if (space == NULL)
            return FALSE;
        size = MIN(size, filled - used);
        memcpy(space, answer + used, size);
        td_inbox_filled(socket->inbox, size);
        used += size;
    }
    return TRUE;
}

static gboolean shake_hands(TdWebSocket *socket, const TdWebSocketOptions *options,
                            const Address *address, GCancellable *cancellable, GError **error)
{
    g_autofree char *key = td_handshake_key();
    g_autofree char *token = NULL;
    g_autofree char *target = NULL;
    g_autofree char *request = NULL;
    gboolean done;

    if (options->token != NULL)
        token = g_uri_escape_string(options->token, NULL, FALSE);
    target =
        g_strconcat(address->prefix, options->path, token != NULL ? "?token=" : NULL, token, NULL);
    request = td_handshake_request(address->host, target, key);
    done = send_bytes(socket, (const guint8 *)request, strlen(request), options->timeout,
                      cancellable, error) &&
           read_answer(socket, key, options->timeout, cancellable, error);
    explicit_bzero(request, strlen(request));
    explicit_bzero(target, strlen(target));
    if (token != NULL)
        explicit_bzero(token, strlen(token));
    return done;
}

TdWebSocket *td_websocket_connect(const TdWebSocketOptions *options, GCancellable *cancellable,
                                  GError **error)
{
    g_auto(Address) address = {0};
    g_autoptr(TdWebSocket) socket = NULL;
    g_autoptr(GError) failure = NULL;

    if (!error_unless_cancelled(cancellable, error) || !read_address(options->url, &address, error))
        return NULL;
    socket = g_new0(TdWebSocket, 1);
    socket->fd = CURL_SOCKET_BAD;
    socket->peer = g_strdup(address.host);
    socket->inbox = td_inbox_new(options->max_message);
    socket->chunk = g_malloc(CHUNK);
    if (!open_connection(socket, options, &address, cancellable, error))
        return NULL;
    if (!shake_hands(socket, options, &address, cancellable, &failure)) {
        if (error_is(failure, ERROR_TIMEOUT)) /* nobody is there */
            failure->code = ERROR_UNREACHABLE;
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    socket->open = TRUE;
    return g_steal_pointer(&socket);
}

void td_websocket_free(TdWebSocket *socket)
{
    static const guint8 goodbye[GOODBYE_BYTES] = {CLOSE_NORMAL >> 8, CLOSE_NORMAL & 0xff};

    if (socket == NULL)
        return;
    /* No time to wait: where the server takes nothing, the end of the connection must do. */
    if (socket->open)
        (void)!send_frame(socket, TD_FRAME_CLOSE, goodbye, sizeof goodbye, 0, NULL, NULL);
    if (socket->curl != NULL)
        curl_easy_cleanup(socket->curl);
    td_inbox_free(socket->inbox);
    g_free(socket->chunk);
    g_free(socket->peer);
    g_free(socket);
}

/* --- messages --------------------------------------------------------------------------------- */

const char *td_websocket_peer(const TdWebSocket *socket)
{
    return socket->peer;
}

gboolean td_websocket_send(TdWebSocket *socket, TdOpcode opcode, const void *data, gsize length,
                           guint timeout, GCancellable *cancellable, GError **error)
{
    if (!error_unless_cancelled(cancellable, error))
        return FALSE;
    if (!socket->open)
        return lose(socket, "it is closed", error);
    return send_frame(socket, opcode, data, length, timeout, cancellable, error);
}

gboolean td_websocket_receive(TdWebSocket *socket, guint timeout, TdMessage *ret_message,
                              GCancellable *cancellable, GError **error)
{
    for (;;) {
        TdMessage message;
        gboolean any;

        if (!error_unless_cancelled(cancellable, error))
            return FALSE;
        if (!socket->open)
            return lose(socket, "it is closed", error);
        if (!next_message(socket, timeout, &message, &any, cancellable, error)) {
            socket->open = FALSE;
            return FALSE;
        }
        if (any) {
            *ret_message = message;
            return TRUE;
        }
        if (!take_bytes(socket, &any, error))
            return FALSE;
        if (!any && !wait_for(socket, G_IO_IN, timeout, cancellable, error))
            return FALSE;
    }
}

gboolean td_websocket_settle(TdWebSocket *socket)
{
    while (socket->open) {
        TdMessage message;
        gboolean any;

        if (!next_message(socket, 0, &message, &any, NULL, NULL) || any)
            break;
        if (!take_bytes(socket, &any, NULL))
            break;
        if (!any)
            return TRUE;
    }
    return FALSE;
}
