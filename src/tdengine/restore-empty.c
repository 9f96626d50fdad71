/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking one list of information_schema after the other.
 */
#include "tdengine/restore-empty.h"

#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* Virtual tables stand among the others; functions and users belong to no database. Lists that a
 * server does not have are empty. */
static const char *const lists[] = {"ins_stables", "ins_tables",  "ins_views",
                                    "ins_streams", "ins_topics",  "ins_tsmas",
                                    "ins_rsmas",   "ins_indexes", "ins_user_privileges"};

static gboolean count(TdClient *client, const char *list, const char *database, gint64 *ret_count,
                      GCancellable *cancellable, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT COUNT(*) FROM information_schema.");
    g_autoptr(GError) problem = NULL;

    g_string_append_printf(sql, "%s WHERE db_name = ", list);
    td_append_text(sql, database);
    if (td_ask_number(client, sql->str, ret_count, cancellable, &problem))
        return TRUE;
    if (!td_error_is_refusal(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_count = td_error_is_gone(problem) ? 0 : G_MAXINT64;
    return TRUE;
}

gboolean td_holds_nothing(TdClient *client, const char *database, gboolean marked,
                          gboolean *ret_nothing, GCancellable *cancellable, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
        const gint64 own = marked && g_str_equal(lists[i], "ins_tables") ? 1 : 0;
        gint64 found;

        if (!count(client, lists[i], database, &found, cancellable, error))
            return FALSE;
        if (found > own) {
            *ret_nothing = FALSE;
            return TRUE;
        }
    }
    *ret_nothing = TRUE;
    return TRUE;
}
