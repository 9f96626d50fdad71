/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages.
 */
#include "service/rest-list.h"

#include "base/error.h"
#include "base/suggest.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAXIMUM 1000

gboolean rest_list_limit(const Request *request, guint *ret_limit, GError **error)
{
    gint64 limit;

    if (!request_query_number(request, "limit", 1, LIMIT_MAXIMUM, LIMIT_DEFAULT, &limit, error))
        return FALSE;
    *ret_limit = (guint)limit;
    return TRUE;
}

gboolean rest_list_cursor(const char *cursor, gboolean known, GError **error)
{
    if (cursor == NULL || known)
        return TRUE;
    error_set(error, ERROR_USAGE, "cursor: there is no \"%s\" (any more) to go on behind", cursor);
    error_add_hint(error, "begin again without a cursor");
    return FALSE;
}

void rest_list_answer(Response *response, json_t *items, guint limit)
{
    gboolean more = json_array_size(items) > limit;
    const char *last = NULL;

    while (json_array_size(items) > limit)
        json_array_remove(items, json_array_size(items) - 1);
    if (more)
        last = json_get_string(json_array_get(items, limit - 1), "id", NULL);
    response_json(response, 200, json_pack("{s:o, s:s?}", "items", items, "next", last));
}

gboolean rest_list_word(const Request *request, const char *name, const char *const *known,
                        const char **ret_word, GError **error)
{
    const char *word = request_query(request, name);
    g_autofree char *all = NULL;
    const char *nearest;

    *ret_word = word;
    if (word == NULL || g_strv_contains(known, word))
        return TRUE;
    all = g_strjoinv(", ", (char **)known);
    error_set(error, ERROR_USAGE, "%s: \"%s\" is none of %s", name, word, all);
    nearest = suggest_nearest(word, known);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}
