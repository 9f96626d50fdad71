/* SPDX-License-Identifier: Apache-2.0
 *
 * The error table and the way a message and its hint share one GError.
 */
#include "base/error.h"

#include <errno.h>
#include <gio/gio.h>
#include <string.h>

/* Stands between message and hint inside GError.message. */
#define HINT_MARK "\nhint: "

static const ErrorInfo table[ERROR_LAST] = {
    {ERROR_INTERNAL, "internal", 1, 500, "an assumption inside holdfast does not hold"},
    {ERROR_USAGE, "usage", 2, 400, "the command or request cannot be understood"},
    {ERROR_CONFIG, "configuration", 2, 500, "the configuration cannot be used"},
    {ERROR_INSECURE_FILE, "insecure-file", 2, 500, "a file with secrets can be read by others"},
    {ERROR_DAMAGED, "damaged", 3, 500, "stored bytes are not what was written"},
    {ERROR_BUSY, "busy", 4, 409, "the same operation is running already"},
    {ERROR_UNREACHABLE, "unreachable", 5, 503, "a server or repository cannot be reached"},
    {ERROR_OBJECTIVE, "objective-missed", 6, 500, "a recovery objective is missed"},
    {ERROR_NOT_FOUND, "not-found", 1, 404, "a named thing is not there"},
    {ERROR_EXISTS, "exists", 1, 422, "a thing that was to be made is there already"},
    {ERROR_REFUSED, "refused", 1, 422, "a rule that protects data forbids it"},
    {ERROR_PINNED, "pinned", 1, 422, "the backup is pinned"},
    {ERROR_NO_SPACE, "no-space", 1, 503, "a file system or quota is full"},
    {ERROR_PERMISSION, "permission", 1, 500, "access is denied"},
    {ERROR_READ_ONLY, "read-only", 1, 500, "the place cannot be written"},
    {ERROR_IO, "io", 1, 500, "reading, writing or syncing failed"},
    {ERROR_FORMAT, "format", 3, 500, "a document does not follow its format"},
    {ERROR_NEWER_FORMAT, "newer-format", 1, 500, "a newer holdfast wrote this"},
    {ERROR_LIMIT, "limit", 1, 413, "an input is larger than the limit of its kind"},
    {ERROR_CANCELLED, "cancelled", 1, 500, "stopped on request"},
    {ERROR_TIMEOUT, "timeout", 1, 503, "something took longer than it may"},
    {ERROR_SERVER, "server", 1, 500, "a database server answered with an error"},
    {ERROR_PRIVILEGE, "privilege", 1, 500, "the database role lacks a privilege"},
    {ERROR_CLIENT_VERSION, "client-version", 1, 500, "a client program is missing or too old"},
    {ERROR_SUBPROCESS, "subprocess", 1, 500, "a program that holdfast runs has failed"},
    {ERROR_VANISHED, "vanished", 1, 500, "something went away during the work"},
    {ERROR_UNSUPPORTED, "unsupported", 1, 422, "not supported here"},
    {ERROR_CATALOG, "catalog", 1, 500, "the catalog cannot be used"},
    {ERROR_COUNT_MISMATCH, "count-mismatch", 3, 500, "restored rows differ from the backup's"},
};

GQuark error_domain(void)
{
    return g_quark_from_static_string("holdfast-error");
}

const ErrorInfo *error_info(ErrorCode code)
{
    guint index = (guint)code;

    return &table[index < ERROR_LAST ? index : ERROR_INTERNAL];
}

/* GIO reports through its own domain; only what has an exact counterpart is translated. */
static ErrorCode code_from_gio(int code)
{
    switch (code) {
    case G_IO_ERROR_CANCELLED:
        return ERROR_CANCELLED;
    case G_IO_ERROR_NOT_FOUND:
        return ERROR_NOT_FOUND;
    case G_IO_ERROR_NO_SPACE:
        return ERROR_NO_SPACE;
    case G_IO_ERROR_PERMISSION_DENIED:
        return ERROR_PERMISSION;
    case G_IO_ERROR_TIMED_OUT:
        return ERROR_TIMEOUT;
    default:
        return ERROR_IO;
    }
}

const ErrorInfo *error_info_of(const GError *error)
{
    g_return_val_if_fail(error != NULL, error_info(ERROR_INTERNAL));

    if (error->domain == ERROR_DOMAIN)
        return error_info((ErrorCode)error->code);
    if (error->domain == G_IO_ERROR)
        return error_info(code_from_gio(error->code));
    if (error->domain == G_OPTION_ERROR)
        return error_info(ERROR_USAGE);
    return error_info(ERROR_INTERNAL);
}

void error_set(GError **error, ErrorCode code, const char *format, ...)
{
    va_list args;

    if (error == NULL)
        return;
    va_start(args, format);
    g_propagate_error(error, g_error_new_valist(ERROR_DOMAIN, (int)code, format, args));
    va_end(args);
}

static ErrorCode code_from_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return ERROR_NO_SPACE;
    case EACCES:
    case EPERM:
        return ERROR_PERMISSION;
    case EROFS:
        return ERROR_READ_ONLY;
    case ENOENT:
    case ENOTDIR:
        return ERROR_NOT_FOUND;
    case EEXIST:
        return ERROR_EXISTS;
    case ETIMEDOUT:
        return ERROR_TIMEOUT;
    case ECANCELED:
        return ERROR_CANCELLED;
    default:
        return ERROR_IO;
    }
}

static const char *hint_for(ErrorCode code)
{
    switch (code) {
    case ERROR_NO_SPACE:
        return "free some space there, then run the command again; nothing half done counts";
    case ERROR_PERMISSION:
        return "run as a user who may, or change owner or mode";
    default:
        return NULL;
    }
}

void error_set_errno(GError **error, int errnum, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;
    g_autofree char *reason = g_strdup(g_strerror(errnum));
    ErrorCode code = code_from_errno(errnum);
    const char *hint = hint_for(code);

    if (error == NULL)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    /* The C library begins its texts with a capital; ours are lowercase throughout. */
    if (reason[0] != '\0' && g_ascii_islower(reason[1]))
        reason[0] = g_ascii_tolower(reason[0]);
    error_set(error, code, "%s: %s", text, reason);
    if (hint != NULL)
        error_add_hint(error, "%s", hint);
}

void error_add_hint(GError **error, const char *format, ...)
{
    va_list args;
    g_autofree char *hint = NULL;
    char *message;

    if (error == NULL || *error == NULL || error_hint(*error) != NULL)
        return;
    va_start(args, format);
    hint = g_strdup_vprintf(format, args);
    va_end(args);
    message = g_strconcat((*error)->message, HINT_MARK, hint, NULL);
    g_free((*error)->message);
    (*error)->message = message;
}

void error_take(GError **error, ErrorCode code, GError *source)
{
    g_return_if_fail(source != NULL);

    if (source->domain == ERROR_DOMAIN) {
        g_propagate_error(error, source);
        return;
    }
    if (source->domain == G_IO_ERROR && source->code == G_IO_ERROR_CANCELLED)
        code = ERROR_CANCELLED;
    error_set(error, code, "%s", source->message);
    g_error_free(source);
}

gboolean error_unless_cancelled(GCancellable *cancellable, GError **error)
{
    if (!g_cancellable_is_cancelled(cancellable))
        return TRUE;
    error_set(error, ERROR_CANCELLED, "cancelled");
    return FALSE;
}

gboolean error_is(const GError *error, ErrorCode code)
{
    return error != NULL && g_error_matches(error, ERROR_DOMAIN, (int)code);
}

char *error_text(const GError *error)
{
    const char *mark = strstr(error->message, HINT_MARK);

    if (mark == NULL)
        return g_strdup(error->message);
    return g_strndup(error->message, (gsize)(mark - error->message));
}

const char *error_hint(const GError *error)
{
    const char *mark = strstr(error->message, HINT_MARK);

    return mark != NULL ? mark + strlen(HINT_MARK) : NULL;
}
