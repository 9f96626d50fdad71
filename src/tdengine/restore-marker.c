/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that tells a half-made database.
 */
#include "tdengine/restore-marker.h"

#include <string.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/holder.h"

#define ENTRIES_LIMIT   10000000
#define STATEMENT_BYTES (900u * 1024)

void td_marker_free(TdMarker *marker)
{
    if (marker == NULL)
        return;
    g_free(marker->keep);
    g_hash_table_unref(marker->tables);
    g_free(marker);
}

static void take_entry(TdMarker *marker, const json_t *row, const char *own)
{
    const char *kind = json_get_string(row, "kind", "");
    const char *name = json_get_string(row, "name", "");
    const char *holder = json_get_string(row, "holder", "");

    if (strcmp(kind, "database") == 0)
        marker->database = TRUE;
    else if (strcmp(kind, "table") == 0)
        g_hash_table_add(marker->tables, g_strdup(name));
    else if (strcmp(kind, "keep") == 0 && marker->keep == NULL)
        marker->keep = g_strdup(name);
    if (strcmp(holder, own) == 0)
        marker->own = TRUE;
    else if (!marker->running)
        marker->running = td_holder_is_running(holder);
}

gboolean td_marker_read(TdClient *client, const char *database, TdMarker **ret_marker,
                        GCancellable *cancellable, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT kind, name, holder FROM ");
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(TdMarker) marker = g_new0(TdMarker, 1);
    g_autofree char *own = td_holder_self();
    g_autoptr(GError) problem = NULL;

    *ret_marker = NULL;
    marker->tables = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    td_append_table(sql, database, TD_MARKER_TABLE);
    rows = td_ask(client, sql->str, ENTRIES_LIMIT, cancellable, &problem);
    if (rows == NULL && td_error_is_gone(problem))
        return TRUE;
    if (rows == NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint i = 0; i < rows->len; i++)
        take_entry(marker, g_ptr_array_index(rows, i), own);
    *ret_marker = g_steal_pointer(&marker);
    return TRUE;
}

static gboolean make_table(TdClient *client, const char *database, GCancellable *cancellable,
                           GError **error)
{
    g_autoptr(GString) sql = g_string_new("CREATE TABLE IF NOT EXISTS ");

    td_append_table(sql, database, TD_MARKER_TABLE);
    g_string_append(sql, " (ts TIMESTAMP, kind VARCHAR(16), name VARCHAR(400), "
                         "backup VARCHAR(200), holder VARCHAR(400))");
    return td_client_execute(client, sql->str, NULL, cancellable, error);
}

gboolean td_marker_enter(TdClient *client, const char *database, const char *kind,
                         const char *const *names, const char *backup, GCancellable *cancellable,
                         GError **error)
{
    g_autofree char *holder = td_holder_self();
    g_autoptr(GString) sql = g_string_new(NULL);

    if (!make_table(client, database, cancellable, error))
        return FALSE;
    for (guint i = 0; names[i] != NULL; i++) {
        if (sql->len == 0) {
            g_string_append(sql, "INSERT INTO ");
            td_append_table(sql, database, TD_MARKER_TABLE);
            g_string_append(sql, " VALUES");
        }
        /* A unit apart, whatever the precision: no two entries have one time. */
        g_string_append_printf(sql, " (NOW + %ua, '%s', ", i, kind);
        td_append_text(sql, names[i]);
        g_string_append(sql, ", ");
        td_append_text(sql, backup);
        g_string_append(sql, ", ");
        td_append_text(sql, holder);
        g_string_append_c(sql, ')');
        if (names[i + 1] != NULL && sql->len < STATEMENT_BYTES)
            continue;
        if (!td_client_execute(client, sql->str, NULL, cancellable, error)) {
            g_prefix_error(error, "cannot mark database %s: ", database);
            return FALSE;
        }
        g_string_truncate(sql, 0);
    }
    return TRUE;
}

gboolean td_marker_check(TdClient *client, const char *database, GCancellable *cancellable,
                         GError **error)
{
    g_autoptr(TdMarker) marker = NULL;

    if (!td_marker_read(client, database, &marker, cancellable, error))
        return FALSE;
    if (marker != NULL && marker->own && !marker->running)
        return TRUE;
    error_set(error, ERROR_BUSY, "another restore is writing into database %s", database);
    error_add_hint(error, "run this one again when that one has ended");
    return FALSE;
}

gboolean td_marker_drop(TdClient *client, const char *database, GCancellable *cancellable,
                        GError **error)
{
    g_autoptr(GString) sql = g_string_new("DROP TABLE IF EXISTS ");

    td_append_table(sql, database, TD_MARKER_TABLE);
    return td_client_execute(client, sql->str, NULL, cancellable, error);
}
