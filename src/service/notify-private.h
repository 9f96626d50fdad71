/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of notify share: a target as configured, and one delivery by each of the ways.
 * Only service/notify*.c, and their tests, include this.
 */
#ifndef HOLDFAST_SERVICE_NOTIFY_PRIVATE_H
#define HOLDFAST_SERVICE_NOTIFY_PRIVATE_H

#include <curl/curl.h>
#include <gio/gio.h>

#include "base/secret.h"
#include "service/notify.h"

/* The longest text of a message: what does not fit is cut, so that a message always fits into a
 * pipe and into what servers take. */
#define NOTIFY_TEXT_LIMIT 8192

typedef struct NotifyTarget NotifyTarget;

/* One attempt. `body` is the message as JSON, one document on one line. ERROR_UNREACHABLE where
 * another attempt may do better. *ret_answer as of notify_test(). */
typedef gboolean (*NotifySend)(const NotifyTarget *target, const char *body,
                               GCancellable *cancellable, char **ret_answer, GError **error);

struct NotifyTarget {
    char *name;
    NotifySend send;
    guint kinds; /* bit NotifyKind: wanted */
    char *url;   /* webhook, e-mail */
    char **argv; /* command */
    char *from;  /* e-mail, as the three below */
    char **to;
    char *user;
    char *password_file;
    char *secret_file; /* webhook, or NULL */
    char *ca_file;     /* or NULL */
    gint64 timeout;    /* microseconds, of one attempt */
    gboolean tls;      /* e-mail: STARTTLS is a must */
};

/* From [notify NAME], which must be there. ERROR_CONFIG. */
NotifyTarget *notify_target_new(const Config *config, const char *name,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
void notify_target_free(NotifyTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NotifyTarget, notify_target_free)

/* The message as it is delivered. Free with g_free(). */
char *notify_body(const NotifyMessage *message, gboolean test);

gboolean notify_send_webhook(const NotifyTarget *target, const char *body,
                             GCancellable *cancellable, char **ret_answer,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean notify_send_email(const NotifyTarget *target, const char *body, GCancellable *cancellable,
                           char **ret_answer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean notify_send_command(const NotifyTarget *target, const char *body,
                             GCancellable *cancellable, char **ret_answer,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value of the header X-Holdfast-Signature: "sha256=" and HMAC-SHA256 (RFC 2104) in lower-case
 * hexadecimal over the timestamp in decimal, a full stop, and the body. Free with g_free(). */
char *notify_signature(const void *secret, gsize length, gint64 timestamp, const char *body);

/* The e-mail (RFC 5322) with that Message-ID. Free with g_free(). */
char *notify_mail(const NotifyTarget *target, const char *body, gint64 now, const char *id);

/* The first line of a private file. ERROR_INSECURE_FILE. */
Secret *notify_secret(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs a transfer that is set up but for what all share: time limits, trust, cancelling. `answer`
 * gathers what the other side sends, at most a few KiB. *ret_status is its last status, HTTP's or
 * SMTP's, 0: none. */
gboolean notify_transfer(CURL *curl, const NotifyTarget *target, GCancellable *cancellable,
                         GString *answer, long *ret_status,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef CURL Curl;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Curl, curl_easy_cleanup)
typedef struct curl_slist CurlList;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CurlList, curl_slist_free_all)

#endif
