/* SPDX-License-Identifier: Apache-2.0
 *
 * What the service tells: its last events, and messages that are still to be delivered.
 */
#include "catalog/catalog.h"

#include "base/time.h"
#include "catalog/private.h"

/* --- events ----------------------------------------------------------------------------------- */

void catalog_event_free(CatalogEvent *event)
{
    if (event == NULL)
        return;
    g_free(event->type);
    g_free(event->data);
    g_free(event);
}

gboolean catalog_event_add(Catalog *catalog, guint64 id, const char *type, const char *data,
                           GError **error)
{
    return catalog_run(catalog, error, "INSERT OR REPLACE INTO event VALUES (?, ?, ?)", "uss", id,
                       type, data);
}

static gboolean add_event(Statement *row, gpointer data, GError **error)
{
    CatalogEvent *event = g_new0(CatalogEvent, 1);

    g_ptr_array_add(data, event);
    event->id = (guint64)sqlite3_column_int64(row, 0);
    event->type = catalog_text(row, 1);
    event->data = catalog_text(row, 2);
    return TRUE;
}

gboolean catalog_events(Catalog *catalog, guint limit, GPtrArray **ret_events, GError **error)
{
    g_autoptr(GPtrArray) events =
        g_ptr_array_new_with_free_func((GDestroyNotify)catalog_event_free);
    g_autoptr(Statement) statement =
        catalog_prepare(catalog, error,
                        "SELECT * FROM (SELECT id, type, data FROM event ORDER BY id DESC LIMIT ?)"
                        " ORDER BY id",
                        "i", (gint64)limit);

    if (statement == NULL || !catalog_each(catalog, statement, add_event, events, error))
        return FALSE;
    *ret_events = g_steal_pointer(&events);
    return TRUE;
}

gboolean catalog_events_trim(Catalog *catalog, guint64 last, GError **error)
{
    return catalog_run(catalog, error, "DELETE FROM event WHERE id <= ?", "u", last);
}

/* --- messages --------------------------------------------------------------------------------- */

void catalog_message_free(CatalogMessage *message)
{
    if (message == NULL)
        return;
    g_free(message->target);
    g_free(message->body);
    g_free(message);
}

gboolean catalog_message_add(Catalog *catalog, const char *target, const char *body, gint64 *ret_id,
                             GError **error)
{
    if (!catalog_run(catalog, error, "INSERT INTO message (target, body, entered) VALUES (?, ?, ?)",
                     "ssi", target, body, time_now()))
        return FALSE;
    *ret_id = sqlite3_last_insert_rowid(catalog->database);
    return TRUE;
}

gboolean catalog_message_remove(Catalog *catalog, gint64 id, GError **error)
{
    return catalog_run(catalog, error, "DELETE FROM message WHERE id = ?", "i", id);
}

static gboolean add_message(Statement *row, gpointer data, GError **error)
{
    CatalogMessage *message = g_new0(CatalogMessage, 1);

    g_ptr_array_add(data, message);
    message->id = sqlite3_column_int64(row, 0);
    message->target = catalog_text(row, 1);
    message->body = catalog_text(row, 2);
    message->entered = sqlite3_column_int64(row, 3);
    return TRUE;
}

gboolean catalog_messages(Catalog *catalog, GPtrArray **ret_messages, GError **error)
{
    g_autoptr(GPtrArray) messages =
        g_ptr_array_new_with_free_func((GDestroyNotify)catalog_message_free);
    g_autoptr(Statement) statement =
        catalog_prepare(catalog, error, "SELECT id, target, body, entered FROM message ORDER BY id",
                        "");

    if (statement == NULL || !catalog_each(catalog, statement, add_message, messages, error))
        return FALSE;
    *ret_messages = g_steal_pointer(&messages);
    return TRUE;
}
