/* SPDX-License-Identifier: Apache-2.0
 *
 * What the scheduler must remember over a restart.
 */
#include "catalog/catalog.h"

#include "catalog/private.h"

void catalog_schedule_clear(CatalogSchedule *schedule)
{
    g_clear_pointer(&schedule->last_job, g_free);
}

gboolean catalog_schedule_get(Catalog *catalog, const char *name, const char *source,
                              CatalogSchedule *ret_schedule, GError **error)
{
    g_autoptr(Statement) statement = catalog_prepare(
        catalog, error,
        "SELECT last_due, last_job FROM schedule WHERE name = ? AND source = coalesce(?, '')", "ss",
        name, source);
    gboolean row;

    if (statement == NULL || !catalog_step(catalog, statement, &row, error))
        return FALSE;
    ret_schedule->last_due = row ? sqlite3_column_int64(statement, 0) : 0;
    ret_schedule->last_job = row ? catalog_text(statement, 1) : NULL;
    return TRUE;
}

gboolean catalog_schedule_set(Catalog *catalog, const char *name, const char *source,
                              gint64 last_due, const char *last_job, GError **error)
{
    return catalog_run(catalog, error,
                       "INSERT INTO schedule VALUES (?, coalesce(?, ''), ?, ?) ON CONFLICT DO"
                       " UPDATE SET last_due = excluded.last_due,"
                       " last_job = coalesce(excluded.last_job, last_job)",
                       "ssis", name, source, last_due, last_job);
}

gboolean catalog_setting_get(Catalog *catalog, const char *name, char **ret_value, GError **error)
{
    g_autoptr(Statement) statement =
        catalog_prepare(catalog, error, "SELECT value FROM setting WHERE name = ?", "s", name);
    gboolean row;

    if (statement == NULL || !catalog_step(catalog, statement, &row, error))
        return FALSE;
    *ret_value = row ? catalog_text(statement, 0) : NULL;
    return TRUE;
}

gboolean catalog_setting_set(Catalog *catalog, const char *name, const char *value, GError **error)
{
    if (value == NULL)
        return catalog_run(catalog, error, "DELETE FROM setting WHERE name = ?", "s", name);
    return catalog_run(catalog, error,
                       "INSERT INTO setting VALUES (?, ?) ON CONFLICT DO UPDATE SET"
                       " value = excluded.value",
                       "ss", name, value);
}
