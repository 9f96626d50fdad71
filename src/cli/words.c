/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists and numbers given as options.
 */
#include "cli/words.h"

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"

#define JOBS_LIMIT 128

/* Appends the words of one list. In patterns double quotes take a comma literally, as they do a dot
 * or an asterisk. */
static gboolean split_one(const char *option, const char *value, gboolean keep_escapes,
                          GPtrArray *words, GError **error)
{
    g_autoptr(GString) word = g_string_new(NULL);
    gboolean quoted = FALSE;

    for (const char *at = value;; at++) {
        quoted ^= keep_escapes && *at == '"';
        if (*at == '\\' && at[1] != '\0') {
            if (keep_escapes || (at[1] != ',' && at[1] != '\\'))
                g_string_append_c(word, '\\');
            g_string_append_c(word, *++at);
        } else if (*at != '\0' && (*at != ',' || quoted)) {
            g_string_append_c(word, *at);
        } else {
            if (word->len == 0) {
                error_set(error, ERROR_USAGE, "%s: \"%s\" has an empty entry", option, value);
                return FALSE;
            }
            g_ptr_array_add(words, g_strdup(word->str));
            g_string_truncate(word, 0);
            if (*at == '\0')
                return TRUE;
        }
    }
}

static gboolean split_all(const char *option, char **values, gboolean keep_escapes,
                          char ***ret_words, GError **error)
{
    g_autoptr(GPtrArray) words = NULL;

    if (values == NULL) {
        *ret_words = NULL;
        return TRUE;
    }
    words = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; values[i] != NULL; i++) {
        if (!split_one(option, values[i], keep_escapes, words, error))
            return FALSE;
    }
    g_ptr_array_add(words, NULL);
    *ret_words = (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
    return TRUE;
}

gboolean words_split(const char *option, char **values, char ***ret_words, GError **error)
{
    return split_all(option, values, FALSE, ret_words, error);
}

gboolean words_split_patterns(const char *option, char **values, char ***ret_words, GError **error)
{
    return split_all(option, values, TRUE, ret_words, error);
}

gboolean words_check_choice(const char *option, const char *word, const char *const *known,
                            GError **error)
{
    g_autofree char *list = NULL;

    if (word == NULL || g_strv_contains(known, word))
        return TRUE;
    list = g_strjoinv(", ", (char **)known);
    error_set(error, ERROR_USAGE, "%s: \"%s\" is none of %s", option, word, list);
    return FALSE;
}

gboolean words_check_jobs(int jobs, GError **error)
{
    if (jobs >= 0 && jobs <= JOBS_LIMIT)
        return TRUE;
    error_set(error, ERROR_USAGE, "--jobs must be from 1 to %d", JOBS_LIMIT);
    return FALSE;
}

gboolean words_size(const char *option, const char *text, guint64 *ret_size, GError **error)
{
    if (text == NULL || size_parse(text, ret_size, error))
        return TRUE;
    g_prefix_error(error, "%s: ", option);
    return FALSE;
}

gboolean words_time(const Config *config, const char *option, const char *text, gint64 *ret_when,
                    GError **error)
{
    GTimeZone *zone = config != NULL ? config_time_zone(config) : NULL;

    if (text == NULL || time_parse(text, zone, ret_when, error))
        return TRUE;
    g_prefix_error(error, "%s: ", option);
    return FALSE;
}

gboolean words_time_range(const Config *config, const char *start, const char *end,
                          gint64 *ret_from, gint64 *ret_to, GError **error)
{
    gint64 from = G_MININT64, to = G_MAXINT64;

    if (!words_time(config, "--start", start, &from, error) ||
        !words_time(config, "--end", end, &to, error))
        return FALSE;
    if (config != NULL && from >= to) {
        error_set(error, ERROR_USAGE, "--start must be before --end");
        return FALSE;
    }
    *ret_from = from;
    *ret_to = to;
    return TRUE;
}
