/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading --databases and --to-database.
 */
#include "engine/restore-names.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

static void pair_free(gpointer data)
{
    EngineRestoreName *pair = data;

    g_free(pair->source);
    g_free(pair->target);
    g_free(pair);
}

static EngineRestoreName *find_pair(const GPtrArray *pairs, const char *source)
{
    for (guint i = 0; i < pairs->len; i++) {
        EngineRestoreName *pair = g_ptr_array_index(pairs, i);

        if (strcmp(pair->source, source) == 0)
            return pair;
    }
    return NULL;
}

static void add_pair(GPtrArray *pairs, const char *source)
{
    EngineRestoreName *pair;

    if (find_pair(pairs, source) != NULL)
        return;
    pair = g_new0(EngineRestoreName, 1);
    pair->source = g_strdup(source);
    pair->target = g_strdup(source);
    g_ptr_array_add(pairs, pair);
}

static gboolean check_known(const char *const *known, const char *name, GError **error)
{
    const char *nearest;

    if (g_strv_contains(known, name))
        return TRUE;
    error_set(error, ERROR_NOT_FOUND, "the backup has no database %s", name);
    nearest = suggest_nearest(name, known);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}

/* One word up to a bare character of `stops`; *at moves onto that. */
static char *read_word(const char **at, const char *stops)
{
    GString *word = g_string_new(NULL);

    while (**at != '\0' && strchr(stops, **at) == NULL) {
        if (**at == '\\' && (*at)[1] != '\0')
            (*at)++;
        g_string_append_c(word, *(*at)++);
    }
    return g_string_free(word, FALSE);
}

static gboolean set_target(GPtrArray *pairs, const char *const *known, gboolean chosen,
                           const char *source, const char *target, GError **error)
{
    if (!check_known(known, source, error))
        return FALSE;
    if (!chosen)
        add_pair(pairs, source);
    if (find_pair(pairs, source) == NULL) {
        error_set(error, ERROR_USAGE, "--to-database names %s, which --databases does not choose",
                  source);
        return FALSE;
    }
    g_free(find_pair(pairs, source)->target);
    find_pair(pairs, source)->target = g_strdup(target);
    return TRUE;
}

/* "A=X,B=Y". Without --databases it chooses as well. */
static gboolean read_map(GPtrArray *pairs, const char *const *known, gboolean chosen,
                         const char *to, GError **error)
{
    const char *at = to;

    for (;;) {
        g_autofree char *source = read_word(&at, "=,");
        g_autofree char *target = NULL;

        if (*at == '=') {
            at++;
            target = read_word(&at, ",");
        }
        if (target == NULL || source[0] == '\0' || target[0] == '\0') {
            error_set(error, ERROR_USAGE, "cannot read --to-database '%s'", to);
            error_add_hint(error, "write one new name, or A=X,B=Y with the names of databases");
            return FALSE;
        }
        if (!set_target(pairs, known, chosen, source, target, error))
            return FALSE;
        if (*at == '\0')
            return TRUE;
        at++;
    }
}

/* "X": for the one database there is to restore. */
static gboolean read_single(GPtrArray *pairs, const char *target, gboolean several, GError **error)
{
    if (target[0] == '\0') {
        error_set(error, ERROR_USAGE, "--to-database names no database");
        return FALSE;
    }
    if (pairs->len != 1 && !several) {
        error_set(error, ERROR_USAGE,
                  "--to-database %s wants one chosen database, and %u are to be restored", target,
                  pairs->len);
        error_add_hint(error, "choose one with --databases, or write --to-database A=X,B=Y");
        return FALSE;
    }
    for (guint i = 0; i < pairs->len; i++) {
        EngineRestoreName *pair = g_ptr_array_index(pairs, i);

        g_free(pair->target);
        pair->target = g_strdup(target);
    }
    return TRUE;
}

static gboolean check_targets(const GPtrArray *pairs, GError **error)
{
    for (guint i = 0; i < pairs->len; i++) {
        const EngineRestoreName *one = g_ptr_array_index(pairs, i);

        for (guint k = 0; k < i; k++) {
            const EngineRestoreName *other = g_ptr_array_index(pairs, k);

            if (strcmp(one->target, other->target) != 0)
                continue;
            error_set(error, ERROR_USAGE, "databases %s and %s would both become %s", other->source,
                      one->source, one->target);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean is_map(const char *to)
{
    const char *at = to;

    g_free(read_word(&at, "=,"));
    return *at != '\0';
}

gboolean engine_restore_names(const char *const *known, const char *const *wanted, const char *to,
                              gboolean several, GPtrArray **ret_pairs, GError **error)
{
    g_autoptr(GPtrArray) pairs = g_ptr_array_new_with_free_func(pair_free);
    gboolean map = to != NULL && is_map(to);

    for (guint i = 0; wanted != NULL && wanted[i] != NULL; i++) {
        if (!check_known(known, wanted[i], error))
            return FALSE;
        add_pair(pairs, wanted[i]);
    }
    for (guint i = 0; wanted == NULL && !map && known[i] != NULL; i++)
        add_pair(pairs, known[i]);
    if (map && !read_map(pairs, known, wanted != NULL, to, error))
        return FALSE;
    if (to != NULL && !map) {
        const char *at = to;
        g_autofree char *target = read_word(&at, "");

        if (!read_single(pairs, target, several, error))
            return FALSE;
        several = several && pairs->len > 1;
    }
    if (!(several && to != NULL && !map) && !check_targets(pairs, error))
        return FALSE;
    *ret_pairs = g_steal_pointer(&pairs);
    return TRUE;
}
