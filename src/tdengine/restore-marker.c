/* SPDX-License-Identifier: Apache-2.0
 *
 * The table that tells a half-made database.
 */
#include "tdengine/restore-marker.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

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

/* When a process began, in the kernel's ticks: with the number it names one process for as long as
 * the host is up. NULL: it is not there. */
static char *process_start(gint64 pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    const char *at;

    if (!g_file_get_contents(path, &text, NULL, NULL) || (at = strrchr(text, ')')) == NULL)
        return NULL;
    fields = g_strsplit(at, " ", -1);
    /* One that has ended and waits for its parent does nothing any more. */
    if (g_strv_length(fields) <= 20 || strcmp(fields[1], "Z") == 0 || strcmp(fields[1], "X") == 0)
        return NULL;
    return g_strdup(fields[20]);
}

static char *holder_text(void)
{
    g_autofree char *start = process_start(getpid());

    return g_strdup_printf("%s %d %s", g_get_host_name(), (int)getpid(),
                           start != NULL ? start : "?");
}

static gboolean is_running(const char *holder)
{
    g_auto(GStrv) parts = g_strsplit(holder, " ", -1);
    g_autofree char *start = NULL;

    if (g_strv_length(parts) != 3 || strcmp(parts[0], g_get_host_name()) != 0)
        return FALSE;
    start = process_start(g_ascii_strtoll(parts[1], NULL, 10));
    return start != NULL && strcmp(start, parts[2]) == 0;
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
        marker->running = is_running(holder);
}

gboolean td_marker_read(TdClient *client, const char *database, TdMarker **ret_marker,
                        GCancellable *cancellable, GError **error)
{
    g_autoptr(GString) sql = g_string_new("SELECT kind, name, holder FROM ");
    g_autoptr(GPtrArray) rows = NULL;
    g_autoptr(TdMarker) marker = g_new0(TdMarker, 1);
    g_autofree char *own = holder_text();
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
    g_autofree char *holder = holder_text();
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
        if (!td_client_execute(client, sql->str, NULL, cancellable, error))
            return FALSE;
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
