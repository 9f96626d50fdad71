/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsing and matching of the --tables patterns.
 */
#include "postgres/pattern.h"

#include "base/error.h"

#include <string.h>

#define MAX_PARTS 3

struct PgPattern {
    char *text;
    guint part_count;
    /* A part is its literal runs; a star stands between each two of them. */
    GPtrArray *parts[MAX_PARTS];
};

void pg_pattern_free(PgPattern *pattern)
{
    if (pattern == NULL)
        return;
    g_free(pattern->text);
    for (guint i = 0; i < pattern->part_count; i++)
        g_ptr_array_unref(pattern->parts[i]);
    g_free(pattern);
}

const char *pg_pattern_text(const PgPattern *pattern)
{
    return pattern->text;
}

gboolean pg_pattern_has_database(const PgPattern *pattern)
{
    return pattern->part_count == MAX_PARTS;
}

typedef struct {
    PgPattern *pattern;
    GPtrArray *part;
    GString *run;
    gboolean quoted; /* inside double quotes */
    gboolean empty;  /* nothing of this part was seen */
} Parser;

static void begin_part(Parser *parser)
{
    parser->part = g_ptr_array_new_with_free_func(g_free);
    parser->run = g_string_new(NULL);
    parser->quoted = FALSE;
    parser->empty = TRUE;
}

static void end_run(Parser *parser)
{
    g_ptr_array_add(parser->part, g_string_free(parser->run, FALSE));
    parser->run = NULL;
}

static const char *end_part(Parser *parser)
{
    PgPattern *pattern = parser->pattern;

    end_run(parser);
    if (pattern->part_count == MAX_PARTS) {
        g_ptr_array_unref(parser->part);
        return "it has more than three parts";
    }
    pattern->parts[pattern->part_count++] = parser->part;
    return parser->empty ? "a name in it is empty" : NULL;
}

/* Takes one character (or two, for an escape) of the pattern; returns the next, or NULL with a
 * reason. */
static const char *take_character(Parser *parser, const char *at, const char **ret_reason)
{
    if (parser->quoted && at[0] == '"' && at[1] != '"') {
        parser->quoted = FALSE;
        return at + 1;
    }
    if (parser->quoted) {
        g_string_append_c(parser->run, *at);
        return at[0] == '"' ? at + 2 : at + 1;
    }
    if (*at == '.') {
        *ret_reason = end_part(parser);
        begin_part(parser);
        return *ret_reason == NULL ? at + 1 : NULL;
    }
    parser->empty = FALSE;
    if (*at == '"') {
        parser->quoted = TRUE;
    } else if (*at == '*') {
        end_run(parser);
        parser->run = g_string_new(NULL);
    } else if (*at == '\\') {
        if (at[1] == '\0') {
            *ret_reason = "it ends in a backslash";
            return NULL;
        }
        g_string_append_c(parser->run, at[1]);
        return at + 2;
    } else {
        g_string_append_c(parser->run, *at);
    }
    return at + 1;
}

/* NULL when the pattern could be read, else the reason. */
static const char *parse_parts(PgPattern *pattern)
{
    Parser parser = {.pattern = pattern};
    const char *reason = NULL;
    const char *end_reason;
    const char *at = pattern->text;

    begin_part(&parser);
    while (at != NULL && *at != '\0')
        at = take_character(&parser, at, &reason);
    if (reason == NULL && parser.quoted)
        reason = "a double quote is not closed";
    end_reason = end_part(&parser);
    if (reason == NULL)
        reason = end_reason;
    if (reason == NULL && pattern->part_count < 2)
        reason = "it names no schema";
    return reason;
}

static PgPattern *parse_pattern(char *text, GError **error)
{
    PgPattern *pattern = g_new0(PgPattern, 1);
    const char *reason;

    pattern->text = text;
    reason = parse_parts(pattern);
    if (reason == NULL)
        return pattern;
    error_set(error, ERROR_USAGE, "cannot read the table pattern '%s': %s", text, reason);
    error_add_hint(error, "write schema.table, as in public.trades or 'news.*'; a backslash or "
                          "double quotes take '.', ',' and '*' literally");
    pg_pattern_free(pattern);
    return NULL;
}

/* The length of the pattern that begins here: up to a comma that is neither escaped nor quoted. */
static gsize pattern_length(const char *text)
{
    gboolean quoted = FALSE;
    gsize i;

    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '\\' && !quoted && text[i + 1] != '\0')
            i++;
        else if (text[i] == ',' && !quoted)
            break;
    }
    return i;
}

gboolean pg_patterns_parse(const char *const *texts, GPtrArray **ret_patterns, GError **error)
{
    g_autoptr(GPtrArray) patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pg_pattern_free);

    for (guint i = 0; texts[i] != NULL; i++) {
        const char *at = texts[i];

        for (;;) {
            gsize length = pattern_length(at);
            PgPattern *pattern = parse_pattern(g_strndup(at, length), error);

            if (pattern == NULL)
                return FALSE;
            g_ptr_array_add(patterns, pattern);
            if (at[length] == '\0')
                break;
            at += length + 1;
        }
    }
    *ret_patterns = g_steal_pointer(&patterns);
    return TRUE;
}

/* Literal runs in order with anything between them. The first and the last are tied to the ends;
 * those between are taken where they are found first, which leaves the most room for the rest. */
static gboolean match_part(const GPtrArray *part, const char *name)
{
    const char *first = g_ptr_array_index(part, 0);
    const char *last = g_ptr_array_index(part, part->len - 1);
    gsize rest;

    if (part->len == 1)
        return strcmp(first, name) == 0;
    if (!g_str_has_prefix(name, first))
        return FALSE;
    name += strlen(first);
    for (guint i = 1; i + 1 < part->len; i++) {
        const char *run = g_ptr_array_index(part, i);

        name = strstr(name, run);
        if (name == NULL)
            return FALSE;
        name += strlen(run);
    }
    rest = strlen(name);
    return rest >= strlen(last) && strcmp(name + rest - strlen(last), last) == 0;
}

gboolean pg_pattern_match(const PgPattern *pattern, const char *database, const char *schema,
                          const char *table)
{
    guint offset = pattern->part_count - 2;

    if (offset == 1 && !match_part(pattern->parts[0], database))
        return FALSE;
    return match_part(pattern->parts[offset], schema) &&
           match_part(pattern->parts[offset + 1], table);
}

gboolean pg_patterns_match(const GPtrArray *patterns, const char *database, const char *schema,
                           const char *table, gboolean *used)
{
    gboolean matched = FALSE;

    for (guint i = 0; i < patterns->len; i++) {
        if (!pg_pattern_match(g_ptr_array_index(patterns, i), database, schema, table))
            continue;
        if (used != NULL)
            used[i] = TRUE;
        matched = TRUE;
    }
    return matched;
}
