/* SPDX-License-Identifier: Apache-2.0
 *
 * Names that were asked for beside those that are there.
 */
#include "tdengine/choice.h"

#include "base/error.h"
#include "base/suggest.h"
#include "tdengine/capture.h"

static gboolean check_name(const GPtrArray *present, const char *wanted, GError **error)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    const char *nearest;

    if (g_ptr_array_find_with_equal_func((GPtrArray *)present, wanted, g_str_equal, NULL))
        return TRUE;
    for (guint i = 0; i < present->len; i++)
        g_ptr_array_add(words, g_ptr_array_index(present, i));
    g_ptr_array_add(words, NULL);
    nearest = suggest_nearest(wanted, (const char *const *)words->pdata);
    error_set(error, ERROR_NOT_FOUND, "the server has no database %s", wanted);
    if (nearest != NULL)
        error_add_hint(error, "did you mean %s?", nearest);
    return FALSE;
}

gboolean td_choose_databases(TdClient *client, const EngineBackup *request, GPtrArray **ret_names,
                             GError **error)
{
    const char *const *configured = (const char *const *)request->source->databases;
    const char *const *wanted = request->databases != NULL ? request->databases : configured;
    g_autoptr(GPtrArray) present = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    gboolean partial = request->tables != NULL || request->time_from != G_MININT64 ||
                       request->time_to != G_MAXINT64;

    if (!td_capture_names(client, &present, request->cancellable, error))
        return FALSE;
    for (guint i = 0; wanted != NULL ? wanted[i] != NULL : i < present->len; i++) {
        const char *name = wanted != NULL ? wanted[i] : g_ptr_array_index(present, i);

        if (!check_name(present, name, error))
            return FALSE;
        if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
            g_ptr_array_add(names, g_strdup(name));
    }
    for (guint i = 0; configured != NULL ? configured[i] != NULL : i < present->len; i++) {
        const char *name = configured != NULL ? configured[i] : g_ptr_array_index(present, i);

        partial = partial || !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL);
    }
    manifest_set_partial(request->manifest, partial);
    *ret_names = g_steal_pointer(&names);
    return TRUE;
}
