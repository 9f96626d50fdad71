/* SPDX-License-Identifier: Apache-2.0
 *
 * The system identifiers that a source is known by.
 */
#include "postgres/wal-system.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/document.h"

#define SYSTEM_LIMIT (64 * 1024)

static char *object_name(const char *source, guint64 identifier)
{
    return g_strdup_printf("wal/%s/%" G_GUINT64_FORMAT "/system.json", source, identifier);
}

gboolean wal_system_parse(const char *text, guint64 *ret_identifier)
{
    guint64 value;

    if (text[0] < '1' || text[0] > '9' ||
        !g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT64, &value, NULL))
        return FALSE;
    *ret_identifier = value;
    return TRUE;
}

gboolean wal_system_known(Repository *repository, const char *source, guint64 identifier,
                          gboolean *ret_known, GError **error)
{
    g_autofree char *name = object_name(source, identifier);
    g_autoptr(GError) problem = NULL;
    StoreInfo info;

    if (store_stat(repository_store(repository), name, &info, &problem)) {
        *ret_known = TRUE;
        return TRUE;
    }
    if (!error_is(problem, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_known = FALSE;
    return TRUE;
}

gboolean wal_system_accept(Repository *repository, const char *source, guint64 identifier,
                           const char *by, GError **error)
{
    g_autofree char *name = object_name(source, identifier);
    g_autofree char *text = NULL, *number = NULL, *when = NULL;
    g_autoptr(json_t) document = NULL;
    g_autoptr(GError) problem = NULL;
    gint64 now;

    if (!store_time(repository_store(repository), &now, error))
        return FALSE;
    number = g_strdup_printf("%" G_GUINT64_FORMAT, identifier);
    when = time_format(now);
    document = json_pack("{s:i, s:s, s:s, s:s, s:s}", "format_version", REPOSITORY_FORMAT_VERSION,
                         "source", source, "system_identifier", number, "accepted", when, "by", by);
    document_add_checksum(document);
    text = json_write(document, TRUE);
    if (store_put(repository_store(repository), name, text, strlen(text), &problem) ||
        error_is(problem, ERROR_EXISTS))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* When the identifier was accepted; 0 where the folder has no such object. */
static gboolean accepted_when(Repository *repository, const char *source, guint64 identifier,
                              gint64 *ret_when, GError **error)
{
    g_autofree char *name = object_name(source, identifier);
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) document =
        document_get(repository_store(repository), name, SYSTEM_LIMIT, &problem);
    const char *text;

    if (document == NULL && error_is(problem, ERROR_NOT_FOUND)) {
        *ret_when = 0;
        return TRUE;
    }
    if (document == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return json_need_string(document, "accepted", name, &text, error) &&
           time_parse(text, NULL, ret_when, error);
}

gboolean wal_system_is_name(const char *name)
{
    return g_str_has_prefix(name, "wal/") && g_str_has_suffix(name, "/system.json");
}

gboolean wal_system_check(Repository *repository, const char *name, GError **error)
{
    g_autoptr(json_t) document =
        document_get_checked(repository_store(repository), name, SYSTEM_LIMIT, error);
    g_autofree char *expected = NULL;
    const char *source, *number, *accepted;
    gint64 when;

    if (document == NULL || !json_need_string(document, "source", name, &source, error) ||
        !json_need_string(document, "system_identifier", name, &number, error) ||
        !json_need_string(document, "accepted", name, &accepted, error))
        return FALSE;
    expected = g_strdup_printf("wal/%s/%s/system.json", source, number);
    if (strcmp(expected, name) == 0 && time_parse(accepted, NULL, &when, NULL))
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s holds something else than its name says", name);
    return FALSE;
}

gboolean wal_system_newest(Repository *repository, const char *source, guint64 *ret_identifier,
                           guint *ret_count, GError **error)
{
    g_autofree char *prefix = g_strdup_printf("wal/%s/", source);
    g_autoptr(GPtrArray) parts = NULL;
    guint64 newest = 0;
    gint64 newest_when = 0;
    guint count = 0;

    if (!store_list_parts(repository_store(repository), prefix, &parts, error))
        return FALSE;
    for (guint i = 0; i < parts->len; i++) {
        guint64 identifier;
        gint64 when;

        if (!wal_system_parse(parts->pdata[i], &identifier))
            continue;
        if (!accepted_when(repository, source, identifier, &when, error))
            return FALSE;
        count += when != 0;
        if (when > newest_when) {
            newest_when = when;
            newest = identifier;
        }
    }
    *ret_identifier = newest;
    if (ret_count != NULL)
        *ret_count = count;
    return TRUE;
}

gboolean wal_system_require(Repository *repository, const char *source, guint64 identifier,
                            const char *by, GError **error)
{
    gboolean known;
    guint64 newest;

    if (!wal_system_known(repository, source, identifier, &known, error))
        return FALSE;
    if (known)
        return TRUE;
    if (!wal_system_newest(repository, source, &newest, NULL, error))
        return FALSE;
    if (newest == 0)
        return wal_system_accept(repository, source, identifier, by, error);
    error_set(error, ERROR_REFUSED,
              "WAL of the system identifier %" G_GUINT64_FORMAT
              " does not belong to source %s, which is %" G_GUINT64_FORMAT,
              identifier, source, newest);
    error_add_hint(error,
                   "give the other server a source of its own; if this one was upgraded or made "
                   "anew, accept it with: holdfast check %s",
                   source);
    return FALSE;
}
