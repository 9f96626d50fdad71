/* SPDX-License-Identifier: Apache-2.0
 *
 * The message by HTTP POST, signed where there is a secret.
 */
#include "service/notify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

char *notify_signature(const void *secret, gsize length, gint64 timestamp, const char *body)
{
    g_autoptr(GHmac) hmac = g_hmac_new(G_CHECKSUM_SHA256, secret, length);
    g_autofree char *head = g_strdup_printf("%" G_GINT64_FORMAT ".", timestamp);

    g_hmac_update(hmac, (const guchar *)head, -1);
    g_hmac_update(hmac, (const guchar *)body, -1);
    return g_strconcat("sha256=", g_hmac_get_string(hmac), NULL);
}

/* Takes the text. A list that cannot grow is NULL, and what it held is gone. */
static gboolean add_header(CurlList **headers, char *text)
{
    CurlList *longer = curl_slist_append(*headers, text);

    g_free(text);
    if (longer == NULL)
        return FALSE;
    *headers = longer;
    return TRUE;
}

static gboolean add_headers(const NotifyTarget *target, const char *body, CurlList **headers,
                            GError **error)
{
    g_autoptr(json_t) json = json_read_object(body, strlen(body), "a message", error);
    g_autoptr(Secret) secret = NULL;
    gint64 now = time_now() / TIME_SECOND;
    gboolean added;

    if (json == NULL)
        return FALSE;
    if (target->secret_file != NULL) {
        secret = notify_secret(target->secret_file, error);
        if (secret == NULL)
            return FALSE;
    }
    added =
        add_header(headers, g_strdup("Content-Type: application/json")) &&
        add_header(headers, g_strdup("User-Agent: holdfast")) &&
        add_header(headers, g_strdup("Expect:")) &&
        add_header(headers,
                   g_strconcat("X-Holdfast-Event: ", json_get_string(json, "event", ""), NULL)) &&
        add_header(headers,
                   g_strconcat("X-Holdfast-Delivery: ", json_get_string(json, "id", ""), NULL)) &&
        add_header(headers, g_strdup_printf("X-Holdfast-Timestamp: %" G_GINT64_FORMAT, now));
    if (added && secret != NULL) {
        g_autofree char *signature = notify_signature(secret->bytes, secret->length, now, body);

        added = add_header(headers, g_strconcat("X-Holdfast-Signature: ", signature, NULL));
    }
    if (!added)
        error_set(error, ERROR_INTERNAL, "libcurl takes no header");
    return added;
}

/* Statuses after which another attempt may do better. */
static gboolean may_pass(long status)
{
    return status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
}

gboolean notify_send_webhook(const NotifyTarget *target, const char *body,
                             GCancellable *cancellable, char **ret_answer, GError **error)
{
    g_autoptr(Curl) curl = curl_easy_init();
    g_autoptr(CurlList) headers = NULL;
    g_autoptr(GString) answer = g_string_new(NULL);
    g_autofree char *line = NULL;
    long status;

    if (!add_headers(target, body, &headers, error))
        return FALSE;
    if (curl == NULL || curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) != CURLE_OK) {
        error_set(error, ERROR_INTERNAL, "libcurl refuses an option");
        return FALSE;
    }
    if (!notify_transfer(curl, target, cancellable, answer, &status, error))
        return FALSE;
    line = g_utf8_make_valid(answer->str, (gssize)MIN(answer->len, 200));
    g_strdelimit(line, "\r\n\t", ' ');
    if (status >= 200 && status <= 299) {
        *ret_answer = g_strdup_printf("HTTP status %ld%s%s", status, *line != '\0' ? ": " : "",
                                      g_strstrip(line));
        return TRUE;
    }
    error_set(error, may_pass(status) ? ERROR_UNREACHABLE : ERROR_REFUSED,
              "[notify %s]: the webhook answers with HTTP status %ld%s%s", target->name, status,
              *line != '\0' ? ": " : "", g_strstrip(line));
    return FALSE;
}
