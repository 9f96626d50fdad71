/* SPDX-License-Identifier: Apache-2.0
 *
 * Privileges, settings and comment of a database.
 */
#include "postgres/restore-settings.h"

#include "base/error.h"

#include <string.h>

/* Settings whose stored value is a list of quoted names (GUC_LIST_QUOTE in PostgreSQL's guc.c): as
 * one literal it would be one long name. */
static const char *const list_settings[] = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
    NULL,
};

/* One item of such a list; *at moves behind its comma. */
static char *read_item(const char **at)
{
    GString *item = g_string_new(NULL);
    gboolean quoted = FALSE;

    while (g_ascii_isspace(**at))
        (*at)++;
    for (; **at != '\0' && (quoted || **at != ','); (*at)++) {
        if (**at != '"') {
            g_string_append_c(item, **at);
        } else if (quoted && (*at)[1] == '"') {
            g_string_append_c(item, '"');
            (*at)++;
        } else {
            quoted = !quoted;
        }
    }
    if (**at == ',')
        (*at)++;
    return g_strchomp(g_string_free(item, FALSE));
}

char *pg_setting_value_sql(const char *setting, const char *value)
{
    GString *sql;

    if (!g_strv_contains(list_settings, setting))
        return pg_quote_literal(value);
    sql = g_string_new(NULL);
    for (const char *at = value; *at != '\0';) {
        g_autofree char *item = read_item(&at);
        g_autofree char *literal = pg_quote_literal(item);

        g_string_append_printf(sql, "%s%s", sql->len > 0 ? ", " : "", literal);
    }
    if (sql->len == 0)
        g_string_append(sql, "''");
    return g_string_free(sql, FALSE);
}

/* "name<tab>value", or "role<tab>name<tab>value". */
static gboolean apply_setting(PgConnection *connection, const char *setting, const char *database,
                              gboolean no_owner, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(setting, "\t", 3);
    guint count = g_strv_length(parts);
    g_autofree char *name = NULL, *value = NULL, *role = NULL;

    if (count < 2 || (count == 3 && no_owner))
        return TRUE;
    name = pg_quote_identifier(parts[count - 2]);
    value = pg_setting_value_sql(parts[count - 2], parts[count - 1]);
    if (count == 2)
        return pg_execute_format(connection, error, "ALTER DATABASE %s SET %s = %s", database, name,
                                 value);
    role = pg_quote_identifier(parts[0]);
    return pg_execute_format(connection, error, "ALTER ROLE %s IN DATABASE %s SET %s = %s", role,
                             database, name, value);
}

static gboolean apply_grant(PgConnection *connection, const PgGrant *grant, const char *database,
                            const char *owner, GError **error)
{
    g_autofree char *grantee =
        grant->grantee[0] != '\0' ? pg_quote_identifier(grant->grantee) : g_strdup("PUBLIC");
    g_autofree char *grantor = pg_quote_identifier(grant->grantor);
    gboolean other = strcmp(grant->grantor, owner) != 0;

    if (!g_strv_contains((const char *const[]){"CONNECT", "CREATE", "TEMPORARY", NULL},
                         grant->privilege)) {
        error_set(error, ERROR_FORMAT, "the details name an unknown privilege of databases");
        return FALSE;
    }
    if (other && !pg_execute_format(connection, error, "SET SESSION AUTHORIZATION %s", grantor))
        return FALSE;
    if (!pg_execute_format(connection, error, "GRANT %s ON DATABASE %s TO %s%s", grant->privilege,
                           database, grantee, grant->grantable ? " WITH GRANT OPTION" : ""))
        return FALSE;
    return !other || pg_execute(connection, "RESET SESSION AUTHORIZATION", error);
}

/* Whoever grants in the owner's stead must have been granted it before: the owner's own grants come
 * first. */
static gboolean apply_grants(PgConnection *connection, const PgDatabase *source,
                             const char *database, GError **error)
{
    g_autofree char *owner = pg_quote_identifier(source->owner);

    if (source->default_acl)
        return TRUE;
    if (!pg_execute_format(connection, error, "REVOKE ALL ON DATABASE %s FROM PUBLIC, %s", database,
                           owner))
        return FALSE;
    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < source->grants->len; i++) {
            const PgGrant *grant = g_ptr_array_index(source->grants, i);
            gboolean by_owner = strcmp(grant->grantor, source->owner) == 0;

            if (by_owner == (pass == 0) &&
                !apply_grant(connection, grant, database, source->owner, error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean apply_all(PgConnection *connection, const PgDatabase *source, const char *name,
                          gboolean no_owner, GError **error)
{
    g_autofree char *database = pg_quote_identifier(name);
    g_autofree char *comment = source->comment != NULL ? pg_quote_literal(source->comment) : NULL;

    if (comment != NULL &&
        !pg_execute_format(connection, error, "COMMENT ON DATABASE %s IS %s", database, comment))
        return FALSE;
    for (guint i = 0; i < source->settings->len; i++)
        if (!apply_setting(connection, g_ptr_array_index(source->settings, i), database, no_owner,
                           error))
            return FALSE;
    return no_owner || apply_grants(connection, source, database, error);
}

gboolean pg_settings_apply(PgConnection *connection, const PgDatabase *source, const char *name,
                           gboolean no_owner, GError **error)
{
    if (!pg_execute(connection, "BEGIN", error))
        return FALSE;
    if (apply_all(connection, source, name, no_owner, error))
        return pg_execute(connection, "COMMIT", error);
    (void)!pg_execute(connection, "ROLLBACK", NULL);
    g_prefix_error(error, "restoring settings and privileges of database %s: ", source->name);
    return FALSE;
}
