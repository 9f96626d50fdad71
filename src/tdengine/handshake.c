/* SPDX-License-Identifier: Apache-2.0
 *
 * The opening handshake. No extension is offered, so that an answer that agrees to one is refused.
 */
#include "tdengine/handshake.h"

#include "base/random.h"

#include <string.h>

#define KEY_BYTES 16
#define MAGIC     "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455, section 1.3 */

char *td_handshake_key(void)
{
    guint8 bytes[KEY_BYTES];

    random_fill(bytes, sizeof bytes);
    return g_base64_encode(bytes, sizeof bytes);
}

char *td_handshake_request(const char *host, const char *target, const char *key)
{
    return g_strdup_printf("GET %s HTTP/1.1\r\n"
                           "Host: %s\r\n"
                           "Upgrade: websocket\r\n"
                           "Connection: Upgrade\r\n"
                           "Sec-WebSocket-Key: %s\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "User-Agent: holdfast\r\n"
                           "\r\n",
                           target, host, key);
}

/* What the server must answer to the key. */
static char *accept_of(const char *key)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    guint8 digest[20];
    gsize size = sizeof digest;

    g_checksum_update(sum, (const guchar *)key, -1);
    g_checksum_update(sum, (const guchar *)MAGIC, -1);
    g_checksum_get_digest(sum, digest, &size);
    return g_base64_encode(digest, size);
}

/* The value of a header, the first of that name; NULL: there is none. Free with g_free(). */
static char *header_value(char **lines, const char *name)
{
    const gsize length = strlen(name);

    for (guint i = 1; lines[0] != NULL && lines[i] != NULL; i++)
        if (g_ascii_strncasecmp(lines[i], name, length) == 0 && lines[i][length] == ':')
            return g_strstrip(g_strdup(lines[i] + length + 1));
    return NULL;
}

/* Whether a list of words, separated by commas, has the word. */
static gboolean has_word(const char *list, const char *word)
{
    g_auto(GStrv) words = g_strsplit(list != NULL ? list : "", ",", -1);

    for (guint i = 0; words[i] != NULL; i++)
        if (g_ascii_strcasecmp(g_strstrip(words[i]), word) == 0)
            return TRUE;
    return FALSE;
}

static gboolean refuse_status(guint status, const char *peer, GError **error)
{
    if (status == 401 || status == 403) {
        error_set(error, ERROR_PERMISSION, "%s refuses the connection (HTTP status %u)", peer,
                  status);
        error_add_hint(error, "look at the token: it may have expired");
    } else if (status >= 500 && status <= 599) {
        error_set(error, ERROR_UNREACHABLE, "%s does not answer at the moment (HTTP status %u)",
                  peer, status);
    } else {
        error_set(error, ERROR_FORMAT, "%s is no TDengine WebSocket interface (HTTP status %u)",
                  peer, status);
        error_add_hint(error, "the URL must be that of taosAdapter, port 6041 by default");
    }
    return FALSE;
}

static gboolean check_answer(char **lines, const char *key, const char *peer, GError **error)
{
    g_autofree char *expected = accept_of(key);
    g_autofree char *upgrade = header_value(lines, "Upgrade");
    g_autofree char *connection = header_value(lines, "Connection");
    g_autofree char *accepted = header_value(lines, "Sec-WebSocket-Accept");
    g_autofree char *extensions = header_value(lines, "Sec-WebSocket-Extensions");
    g_autofree char *protocol = header_value(lines, "Sec-WebSocket-Protocol");
    const char *wrong = NULL;

    if (!has_word(upgrade, "websocket") || !has_word(connection, "upgrade"))
        wrong = "it does not change to WebSocket";
    else if (g_strcmp0(accepted, expected) != 0)
        wrong = "its key does not fit";
    else if (extensions != NULL || protocol != NULL)
        wrong = "it agrees to what was not offered";
    if (wrong == NULL)
        return TRUE;
    error_set(error, ERROR_FORMAT, "the answer of %s to the WebSocket handshake is wrong: %s", peer,
              wrong);
    return FALSE;
}

gboolean td_handshake_check(const char *bytes, gsize length, const char *key, const char *peer,
                            gsize *ret_length, GError **error)
{
    const char *end = g_strstr_len(bytes, (gssize)length, "\r\n\r\n");
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (end == NULL && length < TD_HANDSHAKE_MAX) {
        *ret_length = 0;
        return TRUE;
    }
    if (end == NULL || memchr(bytes, '\0', (gsize)(end - bytes)) != NULL ||
        !g_str_has_prefix(bytes, "HTTP/1.") || end - bytes < 12 || bytes[8] != ' ') {
        error_set(error, ERROR_FORMAT, "%s does not answer in HTTP", peer);
        error_add_hint(error, "the URL must be that of taosAdapter, port 6041 by default");
        return FALSE;
    }
    text = g_strndup(bytes, (gsize)(end - bytes));
    lines = g_strsplit(text, "\r\n", -1);
    if (!g_str_has_prefix(lines[0] + 9, "101"))
        return refuse_status((guint)g_ascii_strtoull(lines[0] + 9, NULL, 10), peer, error);
    if (!check_answer(lines, key, peer, error))
        return FALSE;
    *ret_length = (gsize)(end - bytes) + 4;
    return TRUE;
}
