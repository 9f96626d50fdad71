/* SPDX-License-Identifier: Apache-2.0
 *
 * Matching names of tables.
 */
#include "tdengine/pattern.h"

#include <string.h>

#include "base/error.h"

typedef struct {
    char *text;
    char *database; /* NULL: any */
    char *table;
    gboolean used;
} Pattern;

struct TdPatterns {
    GPtrArray *patterns; /* NULL: everything */
};

static void pattern_free(Pattern *pattern)
{
    g_free(pattern->text);
    g_free(pattern->database);
    g_free(pattern->table);
    g_free(pattern);
}

/* The first dot that is not taken literally. */
static const char *find_dot(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '.')
            return text;
        if (*text == '\\' && text[1] != '\0')
            text++;
    }
    return NULL;
}

static Pattern *parse(const char *text, GError **error)
{
    const char *dot = find_dot(text);
    const char *table = dot != NULL ? dot + 1 : text;
    Pattern *pattern;

    if (table[0] == '\0' || dot == text || find_dot(table) != NULL) {
        error_set(error, ERROR_USAGE, "--tables: \"%s\" is neither table nor database.table", text);
        return NULL;
    }
    pattern = g_new0(Pattern, 1);
    pattern->text = g_strdup(text);
    pattern->database = dot != NULL ? g_strndup(text, (gsize)(dot - text)) : NULL;
    pattern->table = g_strdup(table);
    return pattern;
}

gboolean td_patterns_parse(const char *const *texts, TdPatterns **ret_patterns, GError **error)
{
    g_autoptr(TdPatterns) patterns = g_new0(TdPatterns, 1);

    if (texts != NULL)
        patterns->patterns = g_ptr_array_new_with_free_func((GDestroyNotify)pattern_free);
    for (guint i = 0; texts != NULL && texts[i] != NULL; i++) {
        Pattern *pattern = parse(texts[i], error);

        if (pattern == NULL)
            return FALSE;
        g_ptr_array_add(patterns->patterns, pattern);
    }
    *ret_patterns = g_steal_pointer(&patterns);
    return TRUE;
}

void td_patterns_free(TdPatterns *patterns)
{
    if (patterns == NULL)
        return;
    g_clear_pointer(&patterns->patterns, g_ptr_array_unref);
    g_free(patterns);
}

gboolean td_patterns_all(const TdPatterns *patterns)
{
    return patterns->patterns == NULL;
}

/* One `*` back is enough: the last one may take as much as it likes. */
static gboolean match(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL;

    while (*name != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            resume = name;
            continue;
        }
        if (*pattern == '\\' && pattern[1] != '\0' ? pattern[1] == *name
                                                   : *pattern != '\0' && *pattern == *name) {
            pattern += *pattern == '\\' && pattern[1] != '\0' ? 2 : 1;
            name++;
            continue;
        }
        if (star == NULL)
            return FALSE;
        pattern = star;
        name = ++resume;
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

gboolean td_patterns_match(TdPatterns *patterns, const char *database, const char *table)
{
    gboolean found = patterns->patterns == NULL;

    for (guint i = 0; patterns->patterns != NULL && i < patterns->patterns->len; i++) {
        Pattern *pattern = g_ptr_array_index(patterns->patterns, i);

        if ((pattern->database != NULL && !match(pattern->database, database)) ||
            !match(pattern->table, table))
            continue;
        pattern->used = TRUE;
        found = TRUE;
    }
    return found;
}

const char *td_patterns_unused(const TdPatterns *patterns)
{
    for (guint i = 0; patterns->patterns != NULL && i < patterns->patterns->len; i++) {
        const Pattern *pattern = g_ptr_array_index(patterns->patterns, i);

        if (!pattern->used)
            return pattern->text;
    }
    return NULL;
}
