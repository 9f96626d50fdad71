/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading [notify NAME], and the form of a message.
 */
#include "service/notify-private.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/size.h"
#include "base/time.h"
#include "config/keys.h"
#include "config/values.h"

#define SECRET_LIMIT 4096

static const char *const kind_names[] = {
    "failure", "success", "objective-missed", "objective-met", "backup-overdue", "repository-full",
};

const char *notify_kind_name(NotifyKind kind)
{
    return kind_names[kind];
}

void notify_target_free(NotifyTarget *target)
{
    if (target == NULL)
        return;
    g_free(target->name);
    g_free(target->url);
    g_strfreev(target->argv);
    g_free(target->from);
    g_strfreev(target->to);
    g_free(target->user);
    g_free(target->password_file);
    g_free(target->secret_file);
    g_free(target->ca_file);
    g_free(target);
}

/* --- the configuration ------------------------------------------------------------------------ */

static gboolean refuse(const NotifyTarget *target, const char *why, const char *hint,
                       GError **error)
{
    error_set(error, ERROR_CONFIG, "[notify %s] %s", target->name, why);
    error_add_hint(error, "%s", hint);
    return FALSE;
}

static gboolean begins_with(const char *url, const char *const *schemes)
{
    for (guint i = 0; url != NULL && schemes[i] != NULL; i++) {
        if (g_ascii_strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
            return TRUE;
    }
    return FALSE;
}

/* An address ends up in a header: a line feed in it would begin another one. */
static gboolean is_address(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at) || *at == '<' || *at == '>' || *at == ' ')
            return FALSE;
    }
    return strchr(text, '@') != NULL;
}

static gboolean check_webhook(const NotifyTarget *target, GError **error)
{
    static const char *const schemes[] = {"https://", "http://", NULL};

    if (begins_with(target->url, schemes))
        return TRUE;
    return refuse(target, "needs a url that begins with https:// or http://",
                  "for example: url = https://example.org/hooks/backup", error);
}

static gboolean check_email(const NotifyTarget *target, GError **error)
{
    static const char *const schemes[] = {"smtp://", "smtps://", NULL};

    if (!begins_with(target->url, schemes))
        return refuse(target, "needs a url that begins with smtp:// or smtps://",
                      "for example: url = smtp://mail.example.org:587", error);
    if (target->from == NULL || !is_address(target->from))
        return refuse(target, "needs the address of a sender",
                      "for example: from = holdfast@example.org", error);
    if (target->to == NULL || target->to[0] == NULL)
        return refuse(target, "needs the address of a recipient",
                      "for example: to = operator@example.org", error);
    for (guint i = 0; target->to[i] != NULL; i++) {
        if (!is_address(target->to[i]))
            return refuse(target, "has a recipient that is no address",
                          "write to = operator@example.org, several with commas", error);
    }
    if (target->user != NULL && target->password_file == NULL)
        return refuse(target, "has a user without a password_file",
                      "name the file that holds the password", error);
    if (target->user != NULL && !target->tls)
        return refuse(target, "would send a password in the clear", "remove tls = off", error);
    return TRUE;
}

static gboolean check_command(NotifyTarget *target, const char *command, GError **error)
{
    if (command != NULL && g_shell_parse_argv(command, NULL, &target->argv, NULL))
        return TRUE;
    return refuse(target, "needs a command that can be taken apart into words",
                  "for example: command = /usr/local/bin/tell --urgent", error);
}

/* A key that says nothing for this type is a mistake: who wrote url and command meant something. */
static gboolean check_keys(const Config *config, const NotifyTarget *target, const char *group,
                           const char *type, GError **error)
{
    static const char *const common[] = {"type", "on", "timeout", NULL};
    static const char *const webhook[] = {"url", "secret_file", "ca_file", NULL};
    static const char *const email[] = {"url",           "from", "to",      "user",
                                        "password_file", "tls",  "ca_file", NULL};
    static const char *const command[] = {"command", NULL};
    const char *const *own = strcmp(type, "webhook") == 0 ? webhook
                             : strcmp(type, "email") == 0 ? email
                                                          : command;

    for (const ConfigKey *row = config_keys; row->section != NULL; row++) {
        if (strcmp(row->section, "notify") != 0 || g_strv_contains(common, row->key) ||
            g_strv_contains(own, row->key) || config_get(config, group, row->key) == row->fallback)
            continue;
        error_set(error, ERROR_CONFIG, "[notify %s] has the key \"%s\", which type = %s has not",
                  target->name, row->key, type);
        error_add_hint(error, "remove the line, or correct the type");
        return FALSE;
    }
    return TRUE;
}

static gboolean check_secret(const NotifyTarget *target, const char *path, GError **error)
{
    g_autoptr(GError) problem = NULL;
    Secret *secret = path != NULL ? notify_secret(path, &problem) : NULL;
    g_autofree char *why = problem != NULL ? error_text(problem) : NULL;

    secret_destroy(secret);
    return problem == NULL ||
           refuse(target, why, "write the secret into the file, readable by the service alone",
                  error);
}

/* What a delivery will read is looked at now, not when there is something to tell. */
static gboolean check_files(const NotifyTarget *target, GError **error)
{
    g_autofree char *why = NULL;

    if (!check_secret(target, target->secret_file, error) ||
        !check_secret(target, target->password_file, error))
        return FALSE;
    if (target->ca_file == NULL || access(target->ca_file, R_OK) == 0)
        return TRUE;
    why = g_strdup_printf("has a ca_file that cannot be read: %s", target->ca_file);
    return refuse(target, why, "name a file with certificates (PEM)", error);
}

static guint read_kinds(const char *list)
{
    g_auto(GStrv) words = config_list_split(list);
    guint kinds = 0;

    for (guint i = 0; i < NOTIFY_LAST; i++) {
        if (g_strv_contains((const char *const *)words, kind_names[i]))
            kinds |= 1U << i;
    }
    return kinds;
}

NotifyTarget *notify_target_new(const Config *config, const char *name, GError **error)
{
    g_autoptr(NotifyTarget) target = g_new0(NotifyTarget, 1);
    g_autofree char *group = g_strconcat("notify ", name, NULL);
    const char *type = config_get(config, group, "type");
    const char *to = config_get(config, group, "to");
    gboolean fits;

    target->name = g_strdup(name);
    target->kinds = read_kinds(config_get(config, group, "on"));
    target->url = g_strdup(config_get(config, group, "url"));
    target->from = g_strdup(config_get(config, group, "from"));
    target->to = to != NULL ? config_list_split(to) : NULL;
    target->user = g_strdup(config_get(config, group, "user"));
    target->password_file = g_strdup(config_get(config, group, "password_file"));
    target->secret_file = g_strdup(config_get(config, group, "secret_file"));
    target->ca_file = g_strdup(config_get(config, group, "ca_file"));
    target->tls = strcmp(config_get(config, group, "tls"), "required") == 0;
    /* Checked when the configuration was loaded. */
    if (!duration_parse(config_get(config, group, "timeout"), &target->timeout, NULL))
        g_return_val_if_reached(NULL);
    if (strcmp(type, "webhook") == 0) {
        target->send = notify_send_webhook;
        fits = check_webhook(target, error);
    } else if (strcmp(type, "email") == 0) {
        target->send = notify_send_email;
        fits = check_email(target, error);
    } else {
        target->send = notify_send_command;
        fits = check_command(target, config_get(config, group, "command"), error);
    }
    if (fits && target->timeout < TIME_SECOND)
        fits = refuse(target, "has a timeout of less than a second", "write timeout = 30s", error);
    return fits && check_keys(config, target, group, type, error) && check_files(target, error)
               ? g_steal_pointer(&target)
               : NULL;
}

gboolean notify_check(const Config *config, GError **error)
{
    const char *const *names = config_notifies(config);

    for (guint i = 0; names[i] != NULL; i++) {
        g_autoptr(NotifyTarget) target = notify_target_new(config, names[i], error);

        if (target == NULL)
            return FALSE;
    }
    return TRUE;
}

Secret *notify_secret(const char *path, GError **error)
{
    char *bytes;
    gsize length;
    Secret *secret;

    if (!file_check_private(path, FALSE, error) ||
        !file_read(path, SECRET_LIMIT, &bytes, &length, error))
        return NULL;
    secret = secret_copy(bytes, strcspn(bytes, "\r\n"));
    secret_clear(bytes, length);
    g_free(bytes);
    if (secret->length > 0)
        return secret;
    secret_destroy(secret);
    error_set(error, ERROR_CONFIG, "%s has an empty first line", path);
    return NULL;
}

/* --- the message ------------------------------------------------------------------------------ */

/* Cut between characters. */
static char *cut(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    char *end = valid;

    if (strlen(valid) > NOTIFY_TEXT_LIMIT) {
        end = g_utf8_find_prev_char(valid, valid + NOTIFY_TEXT_LIMIT);
        *end = '\0';
    }
    return g_steal_pointer(&valid);
}

char *notify_body(const NotifyMessage *message, gboolean test)
{
    g_autoptr(json_t) json = json_object();
    g_autofree char *when = time_format(time_now());
    g_autofree char *id = random_name(16);
    g_autofree char *subject = cut(message->subject);
    g_autofree char *text = cut(message->text);
    g_autofree char *details =
        message->details != NULL ? json_write(message->details, FALSE) : NULL;
    char *body;

    json_object_set_new(json, "event", json_text(notify_kind_name(message->kind)));
    json_object_set_new(json, "id", json_text(id));
    json_object_set_new(json, "time", json_text(when));
    json_object_set_new(json, "host", json_text(g_get_host_name()));
    json_object_set_new(json, "source", json_text(message->source));
    json_object_set_new(json, "operation", json_text(message->operation));
    json_object_set_new(json, "subject", json_text(subject));
    json_object_set_new(json, "text", json_text(text));
    json_object_set_new(json, "test", json_boolean(test));
    /* A pipe's worth in all. */
    if (details != NULL && strlen(details) <= 2 * NOTIFY_TEXT_LIMIT)
        json_object_set_new(json, "details", json_deep_copy(message->details));
    else
        json_object_set_new(json, "details", json_null());
    body = json_write(json, FALSE);
    return g_strchomp(body);
}
