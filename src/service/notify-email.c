/* SPDX-License-Identifier: Apache-2.0
 *
 * The message as e-mail, through SMTP.
 */
#include "service/notify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "base/time.h"

#define LINE_WIDTH 76 /* of encoded text, RFC 2045 */

/* An unstructured header's text: as it is, or in encoded words (RFC 2047), each of whole
 * characters. */
static void append_header(GString *mail, const char *name, const char *text)
{
    g_autofree char *line = g_utf8_make_valid(text, -1);
    const char *at = line;

    g_strdelimit(line, "\r\n\t", ' ');
    g_string_append_printf(mail, "%s:", name);
    if (g_str_is_ascii(line) && strlen(line) < LINE_WIDTH - 10) {
        g_string_append_printf(mail, " %s\r\n", line);
        return;
    }
    do {
        const char *end = at;
        g_autofree char *word = NULL;

        while (*end != '\0' && g_utf8_next_char(end) - at <= 42)
            end = g_utf8_next_char(end);
        word = g_base64_encode((const guchar *)at, (gsize)(end - at));
        g_string_append_printf(mail, "%s =?utf-8?B?%s?=", at == line ? "" : "\r\n", word);
        at = end;
    } while (*at != '\0');
    g_string_append(mail, "\r\n");
}

/* Base64, so that no line of the text can be too long, or mean something to a server. */
static void append_text(GString *mail, const char *text)
{
    g_autofree char *encoded = g_base64_encode((const guchar *)text, strlen(text));
    gsize length = strlen(encoded);

    for (gsize at = 0; at < length; at += LINE_WIDTH)
        g_string_append_printf(mail, "%.*s\r\n", LINE_WIDTH, encoded + at);
}

/* RFC 5322 wants English names whatever the locale is. */
static char *mail_date(gint64 now)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(now / TIME_SECOND);

    return g_strdup_printf("%s, %d %s %d %02d:%02d:%02d +0000",
                           days[g_date_time_get_day_of_week(when) - 1],
                           g_date_time_get_day_of_month(when),
                           months[g_date_time_get_month(when) - 1], g_date_time_get_year(when),
                           g_date_time_get_hour(when), g_date_time_get_minute(when),
                           g_date_time_get_second(when));
}

char *notify_mail(const NotifyTarget *target, const char *body, gint64 now, const char *id)
{
    g_autoptr(json_t) json = json_read_object(body, strlen(body), "a message", NULL);
    g_autofree char *to = g_strjoinv(", ", target->to);
    g_autofree char *date = mail_date(now);
    const char *source = json_get_string(json, "source", NULL);
    const char *host = json_get_string(json, "host", "");
    g_autofree char *subject =
        g_strdup_printf("[holdfast%s%s] %s", source != NULL ? " " : "",
                        source != NULL ? source : "", json_get_string(json, "subject", ""));
    g_autofree char *text =
        g_strdup_printf("%s\r\n\r\n-- \r\nholdfast on %s, %s\r\n",
                        json_get_string(json, "text", ""), host, json_get_string(json, "time", ""));
    GString *mail = g_string_new(NULL);

    g_string_append_printf(mail, "Date: %s\r\nFrom: <%s>\r\nTo: %s\r\n", date, target->from, to);
    append_header(mail, "Subject", subject);
    g_string_append_printf(mail,
                           "Message-ID: <%s@holdfast.invalid>\r\n"
                           "Auto-Submitted: auto-generated\r\n"
                           "X-Holdfast-Event: %s\r\n"
                           "MIME-Version: 1.0\r\n"
                           "Content-Type: text/plain; charset=utf-8\r\n"
                           "Content-Transfer-Encoding: base64\r\n\r\n",
                           id, json_get_string(json, "event", ""));
    append_text(mail, text);
    return g_string_free(mail, FALSE);
}

typedef struct {
    const char *at;
    gsize left;
} Upload;

static size_t give_mail(char *buffer, size_t size, size_t count, void *data)
{
    Upload *upload = data;
    gsize length = MIN(size * count, upload->left);

    memcpy(buffer, upload->at, length);
    upload->at += length;
    upload->left -= length;
    return length;
}

static gboolean log_in(CURL *curl, const NotifyTarget *target, GError **error)
{
    g_autoptr(Secret) password = NULL;

    if (target->user == NULL)
        return TRUE;
    password = notify_secret(target->password_file, error);
    if (password == NULL)
        return FALSE;
    /* libcurl keeps copies. */
    if (curl_easy_setopt(curl, CURLOPT_USERNAME, target->user) == CURLE_OK &&
        curl_easy_setopt(curl, CURLOPT_PASSWORD, (const char *)password->bytes) == CURLE_OK)
        return TRUE;
    error_set(error, ERROR_INTERNAL, "libcurl refuses an option");
    return FALSE;
}

gboolean notify_send_email(const NotifyTarget *target, const char *body, GCancellable *cancellable,
                           char **ret_answer, GError **error)
{
    g_autoptr(Curl) curl = curl_easy_init();
    g_autoptr(CurlList) recipients = NULL;
    g_autoptr(GString) answer = g_string_new(NULL);
    g_autofree char *id = random_name(24);
    g_autofree char *mail = notify_mail(target, body, time_now(), id);
    Upload upload = {mail, strlen(mail)};
    gboolean set = curl != NULL;
    long status;

    for (guint i = 0; set && target->to[i] != NULL; i++) {
        CurlList *longer = curl_slist_append(recipients, target->to[i]);

        set = longer != NULL;
        recipients = set ? longer : recipients;
    }
#define SET(option, value) (set = set && curl_easy_setopt(curl, (option), (value)) == CURLE_OK)
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_USE_SSL, (long)(target->tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    SET(CURLOPT_MAIL_FROM, target->from);
    SET(CURLOPT_MAIL_RCPT, recipients);
    SET(CURLOPT_READFUNCTION, give_mail);
    SET(CURLOPT_READDATA, &upload);
    SET(CURLOPT_UPLOAD, 1L);
#undef SET
    if (!set) {
        error_set(error, ERROR_INTERNAL, "libcurl refuses an option");
        return FALSE;
    }
    if (!log_in(curl, target, error) ||
        !notify_transfer(curl, target, cancellable, answer, &status, error))
        return FALSE;
    *ret_answer = g_strdup_printf("the mail server took it, for %u recipients (SMTP status %ld)",
                                  g_strv_length(target->to), status);
    return TRUE;
}
