/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the script of roles and tablespaces, and running what is missing of it.
 */
#include "postgres/globals.h"

#include "base/error.h"

#include <string.h>

void pg_global_free(PgGlobal *global)
{
    if (global == NULL)
        return;
    g_free(global->name);
    g_free(global->location);
    g_free(global->sql);
    g_free(global);
}

/* --- cutting into statements ------------------------------------------------------------------ */

/* Behind a quoted run that begins here; NULL when it does not end. Both quotes are doubled inside;
 * in E'' a backslash takes the next character. */
static const char *skip_quoted(const char *at, gboolean escapes)
{
    char quote = *at++;

    for (; *at != '\0'; at++) {
        if (escapes && *at == '\\' && at[1] != '\0')
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

static const char *skip_line(const char *at)
{
    const char *end = strchr(at, '\n');

    return end != NULL ? end + 1 : at + strlen(at);
}

/* To the beginning of the next statement: over blanks, comments and psql's commands. */
static const char *skip_between(const char *at)
{
    for (;;) {
        if (g_ascii_isspace(*at))
            at++;
        else if (*at == '\\' || (at[0] == '-' && at[1] == '-'))
            at = skip_line(at);
        else
            return at;
    }
}

/* Behind the semicolon that ends the statement; NULL when a quote does not end. */
static const char *skip_statement(const char *at)
{
    const char *start = at;

    while (at != NULL && *at != '\0') {
        if (*at == ';')
            return at + 1;
        if (*at == '\'')
            at = skip_quoted(at, at > start && (at[-1] == 'E' || at[-1] == 'e'));
        else if (*at == '"')
            at = skip_quoted(at, FALSE);
        else
            at++;
    }
    return at;
}

/* --- what a statement is about ---------------------------------------------------------------- */

static gboolean skip_word(const char **at, const char *word)
{
    gsize length = strlen(word);

    if (strncmp(*at, word, length) != 0 || (*at)[length] != ' ')
        return FALSE;
    *at += length + 1;
    return TRUE;
}

/* An identifier as pg_dumpall writes it: bare, or in double quotes. */
static char *read_identifier(const char **at)
{
    const char *end;
    GString *name;

    if (**at != '"') {
        gsize length = strcspn(*at, " ;\n\t");
        char *bare = g_strndup(*at, length);

        *at += length;
        return bare;
    }
    end = skip_quoted(*at, FALSE);
    if (end == NULL)
        return NULL;
    name = g_string_new(NULL);
    for (const char *c = *at + 1; c < end - 1; c++) {
        g_string_append_c(name, *c);
        if (*c == '"')
            c++;
    }
    *at = end;
    return g_string_free(name, FALSE);
}

static char *read_location(const char *at)
{
    const char *mark = strstr(at, " LOCATION ");
    const char *end;
    gboolean escapes;
    GString *text;

    if (mark == NULL)
        return NULL;
    mark += strlen(" LOCATION ");
    escapes = *mark == 'E';
    mark += escapes;
    if (*mark != '\'')
        return NULL;
    end = skip_quoted(mark, escapes);
    if (end == NULL)
        return NULL;
    text = g_string_new(NULL);
    for (const char *c = mark + 1; c < end - 1; c++) {
        if (*c == '\'' || (escapes && *c == '\\'))
            c++;
        g_string_append_c(text, *c);
    }
    return g_string_free(text, FALSE);
}

static gboolean skip_any(const char **at, const char *const *words)
{
    for (guint i = 0; words[i] != NULL; i++)
        if (skip_word(at, words[i]))
            return TRUE;
    return FALSE;
}

static PgGlobal *classify(char *sql)
{
    static const char *const about_role[] = {"CREATE ROLE", "ALTER ROLE", "COMMENT ON ROLE", NULL};
    static const char *const about_space[] = {"CREATE TABLESPACE", "ALTER TABLESPACE",
                                              "COMMENT ON TABLESPACE", NULL};
    PgGlobal *global = g_new0(PgGlobal, 1);
    const char *at = sql;

    global->sql = sql;
    global->kind = PG_GLOBAL_OTHER;
    if (skip_any(&at, about_role))
        global->kind = PG_GLOBAL_ROLE;
    else if (skip_any(&at, about_space))
        global->kind = PG_GLOBAL_TABLESPACE;
    if (global->kind != PG_GLOBAL_OTHER) {
        global->create = g_str_has_prefix(sql, "CREATE ");
        global->name = read_identifier(&at);
        if (global->create && global->kind == PG_GLOBAL_TABLESPACE)
            global->location = read_location(at);
        return global;
    }
    /* GRANT and REVOKE of a tablespace's privileges name it behind ON TABLESPACE; memberships have
     * no ON. */
    at = strstr(sql, " ON TABLESPACE ");
    if (at != NULL && (g_str_has_prefix(sql, "GRANT ") || g_str_has_prefix(sql, "REVOKE "))) {
        at += strlen(" ON TABLESPACE ");
        global->kind = PG_GLOBAL_TABLESPACE;
        global->name = read_identifier(&at);
    }
    return global;
}

gboolean pg_globals_parse(const char *sql, GPtrArray **ret_globals, GError **error)
{
    g_autoptr(GPtrArray) globals = g_ptr_array_new_with_free_func((GDestroyNotify)pg_global_free);
    const char *at = skip_between(sql);

    while (*at != '\0') {
        const char *end = skip_statement(at);

        if (end == NULL) {
            error_set(error, ERROR_FORMAT,
                      "a quote in the script of roles and tablespaces is "
                      "never closed");
            return FALSE;
        }
        g_ptr_array_add(globals, classify(g_strndup(at, (gsize)(end - at))));
        at = skip_between(end);
    }
    *ret_globals = g_steal_pointer(&globals);
    return TRUE;
}

/* --- running ---------------------------------------------------------------------------------- */

static gboolean is_there(const PgGlobal *global, GHashTable *names)
{
    return global->name != NULL && g_hash_table_contains(names, global->name);
}

static gboolean apply_roles(PgConnection *connection, const GPtrArray *globals, GHashTable *roles,
                            GError **error)
{
    for (guint i = 0; i < globals->len; i++) {
        const PgGlobal *global = g_ptr_array_index(globals, i);

        if (global->kind == PG_GLOBAL_TABLESPACE || is_there(global, roles))
            continue;
        /* An ALTER ROLE may hold a password hash: never let the statement itself into an error. */
        if (!pg_execute(connection, global->sql, error)) {
            g_prefix_error(error,
                           "restoring %s%s: ", global->name != NULL ? "role " : "role memberships",
                           global->name != NULL ? global->name : "");
            return FALSE;
        }
    }
    return TRUE;
}

gboolean pg_globals_apply(PgConnection *connection, const GPtrArray *globals, GHashTable *roles,
                          GHashTable *tablespaces, GError **error)
{
    if (!pg_execute(connection, "BEGIN", error))
        return FALSE;
    if (!apply_roles(connection, globals, roles, error)) {
        /* The first error counts; a connection that cannot roll back is at its end anyway. */
        (void)!pg_execute(connection, "ROLLBACK", NULL);
        return FALSE;
    }
    if (!pg_execute(connection, "COMMIT", error))
        return FALSE;
    for (guint i = 0; i < globals->len; i++) {
        const PgGlobal *global = g_ptr_array_index(globals, i);

        if (global->kind != PG_GLOBAL_TABLESPACE || is_there(global, tablespaces))
            continue;
        if (!pg_execute(connection, global->sql, error)) {
            g_prefix_error(error, "restoring tablespace %s: ", global->name);
            return FALSE;
        }
    }
    return TRUE;
}
