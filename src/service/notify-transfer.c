/* SPDX-License-Identifier: Apache-2.0
 *
 * What webhook and e-mail have in common: a transfer by libcurl. URLs may hold secrets, so that
 * errors name the target, never its URL.
 */
#include "service/notify-private.h"

#include "base/error.h"
#include "base/time.h"

#define ANSWER_LIMIT 4096

static size_t take_answer(char *bytes, size_t size, size_t count, void *data)
{
    GString *answer = data;
    gsize length = size * count;

    g_string_append_len(answer, bytes, (gssize)MIN(length, ANSWER_LIMIT - answer->len));
    return length; /* the rest is thrown away */
}

static int stop_if_cancelled(void *data, curl_off_t total, curl_off_t now, curl_off_t upload_total,
                             curl_off_t upload_now)
{
    return g_cancellable_is_cancelled(data);
}

static gboolean set_options(CURL *curl, const NotifyTarget *target, GCancellable *cancellable,
                            GString *answer, char *message)
{
    gboolean set = TRUE;
    long milliseconds = (long)MIN(target->timeout / 1000, (gint64)G_MAXINT32);

#define SET(option, value) (set = set && curl_easy_setopt(curl, (option), (value)) == CURLE_OK)
    SET(CURLOPT_URL, target->url);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a name server that hangs is not waited for */
    SET(CURLOPT_TIMEOUT_MS, milliseconds);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_ERRORBUFFER, message);
    SET(CURLOPT_WRITEFUNCTION, take_answer);
    SET(CURLOPT_WRITEDATA, answer);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, stop_if_cancelled);
    SET(CURLOPT_XFERINFODATA, cancellable);
    /* Replaces the system's bundle, but not its directory of certificates. */
    if (target->ca_file != NULL)
        SET(CURLOPT_CAINFO, target->ca_file);
#undef SET
    return set;
}

static gboolean fail(const NotifyTarget *target, CURLcode code, const char *message, GError **error)
{
    const char *text = *message != '\0' ? message : curl_easy_strerror(code);

    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        error_set(error, ERROR_CANCELLED, "cancelled");
        return FALSE;
    case CURLE_PEER_FAILED_VERIFICATION:
        error_set(error, ERROR_PERMISSION, "[notify %s]: the certificate is not accepted: %s",
                  target->name, text);
        error_add_hint(error, "name the certificate of its issuer with ca_file");
        return FALSE;
    case CURLE_SSL_CACERT_BADFILE:
        error_set(error, ERROR_CONFIG, "[notify %s]: ca_file cannot be read: %s", target->name,
                  text);
        return FALSE;
    case CURLE_USE_SSL_FAILED:
        error_set(error, ERROR_REFUSED, "[notify %s]: the server does not offer STARTTLS",
                  target->name);
        error_add_hint(error, "use another port, or smtps://");
        return FALSE;
    case CURLE_LOGIN_DENIED:
        error_set(error, ERROR_PERMISSION, "[notify %s]: user and password are not accepted",
                  target->name);
        return FALSE;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        error_set(error, ERROR_CONFIG, "[notify %s]: the url cannot be used: %s", target->name,
                  text);
        return FALSE;
    default:
        error_set(error, ERROR_UNREACHABLE, "[notify %s] is not reached: %s", target->name, text);
        return FALSE;
    }
}

gboolean notify_transfer(CURL *curl, const NotifyTarget *target, GCancellable *cancellable,
                         GString *answer, long *ret_status, GError **error)
{
    char message[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURLcode code;

    if (!set_options(curl, target, cancellable, answer, message)) {
        error_set(error, ERROR_INTERNAL, "libcurl refuses an option");
        return FALSE;
    }
    code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL); /* it ends here, the handle does not */
    (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    *ret_status = status;
    if (code == CURLE_OK)
        return TRUE;
    /* A mail server's own no: libcurl tells it as a broken transfer. */
    if (status >= 500 && status <= 599 && code != CURLE_LOGIN_DENIED &&
        code != CURLE_ABORTED_BY_CALLBACK) {
        error_set(error, ERROR_REFUSED, "[notify %s]: the server refuses the message (%ld): %s",
                  target->name, status, *message != '\0' ? message : curl_easy_strerror(code));
        return FALSE;
    }
    return fail(target, code, message, error);
}
