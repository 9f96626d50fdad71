/* SPDX-License-Identifier: Apache-2.0
 *
 * A tokenizer for the few statements in which pg_dump writes roles.
 */
#include "postgres/restore-roles.h"

#include <string.h>

void pg_script_roles_free(PgScriptRoles *roles)
{
    if (roles == NULL)
        return;
    g_hash_table_unref(roles->named);
    g_hash_table_unref(roles->owners);
    g_free(roles);
}

/* Behind the quoted text that begins at `at`, or at the end. A doubled quote is a part of it. */
static const char *skip_quoted(const char *at)
{
    char quote = *at++;

    for (; *at != '\0'; at++) {
        if (*at != quote)
            continue;
        if (at[1] != quote)
            return at + 1;
        at++;
    }
    return at;
}

/* "a""b" -> a"b */
static char *unquote(const char *start, const char *end)
{
    GString *name = g_string_new(NULL);

    for (const char *at = start + 1; at < end - 1; at++) {
        g_string_append_c(name, *at);
        if (*at == '"')
            at++;
    }
    return g_string_free(name, FALSE);
}

static gboolean is_word(char c)
{
    return g_ascii_isalnum(c) || c == '_' || c == '$' || (guchar)c >= 0x80;
}

typedef struct {
    PgScriptRoles *roles;
    gboolean defaults; /* ALTER DEFAULT PRIVILEGES */
    gboolean owner;    /* the word before was OWNER */
    gboolean expected; /* roles come next … */
    gboolean acts;     /* … and the script acts in their name */
} Walk;

static void take_role(Walk *walk, char *name)
{
    if (walk->acts)
        g_hash_table_add(walk->roles->owners, g_strdup(name));
    g_hash_table_add(walk->roles->named, name);
}

/* Bare names of roles are lower case: whatever has upper case letters is a word of SQL. */
static void take_word(Walk *walk, const char *start, gsize length)
{
    g_autofree char *word = g_strndup(start, length);
    gboolean lower = TRUE;

    for (const char *c = word; *c != '\0'; c++)
        lower = lower && !g_ascii_isupper(*c);
    if (lower) {
        if (walk->expected)
            take_role(walk, g_steal_pointer(&word));
        walk->expected = walk->owner = FALSE;
        return;
    }
    walk->expected = strcmp(word, "TO") == 0 || strcmp(word, "FROM") == 0 ||
                     strcmp(word, "ROLE") == 0 || strcmp(word, "BY") == 0;
    walk->acts = walk->owner || (walk->defaults && strcmp(word, "ROLE") == 0);
    walk->owner = strcmp(word, "OWNER") == 0;
}

/* One token; the result stands behind it. */
static const char *take_token(Walk *walk, const char *at)
{
    const char *end = at + 1;

    if (*at == '\'') {
        end = skip_quoted(at);
        walk->expected = FALSE;
    } else if (*at == '"') {
        end = skip_quoted(at);
        if (walk->expected)
            take_role(walk, unquote(at, end));
        walk->expected = walk->owner = FALSE;
    } else if (is_word(*at)) {
        while (is_word(*end))
            end++;
        take_word(walk, at, (gsize)(end - at));
    }
    return end;
}

static const char *walk_statement(PgScriptRoles *roles, const char *at)
{
    Walk walk = {.roles = roles, .defaults = g_str_has_prefix(at, "ALTER DEFAULT PRIVILEGES ")};

    while (*at != '\0' && *at != ';') {
        gboolean expected = walk.expected;

        at = take_token(&walk, at);
        /* A comma behind a role announces another. */
        walk.expected = walk.expected || (expected && *at == ',');
    }
    return at;
}

PgScriptRoles *pg_script_roles(const char *script)
{
    static const char *const starts[] = {"ALTER ", "GRANT ", "REVOKE ", "CREATE POLICY "};
    PgScriptRoles *roles = g_new0(PgScriptRoles, 1);

    roles->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    roles->owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (const char *line = script; line != NULL && *line != '\0';) {
        for (guint i = 0; i < G_N_ELEMENTS(starts); i++)
            if (g_str_has_prefix(line, starts[i])) {
                line = walk_statement(roles, line);
                break;
            }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return roles;
}
