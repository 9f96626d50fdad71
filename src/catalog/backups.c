/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking the catalog for backups and recoveries.
 */
#include "catalog/catalog.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "catalog/private.h"

void catalog_backup_free(CatalogBackup *backup)
{
    if (backup == NULL)
        return;
    g_free(backup->id);
    g_free(backup->source);
    g_free(backup->engine);
    g_free(backup->type);
    g_free(backup->method);
    g_free(backup->base);
    g_free(backup->server_version);
    g_free(backup->problem);
    g_free(backup);
}

/* How much a verify says, higher is more: a sample, or a look at what one backup wrote, proves
 * nothing about the rest. */
#define FOUND_RANK                                                                                 \
    "(CASE json_extract(record.body, '$.level') WHEN 'deep' THEN 3 WHEN 'structure' THEN 2"        \
    "  ELSE 1 END)"
#define RANK                                                                                       \
    "(CASE WHEN coalesce(json_extract(record.body, '$.sample'), 1) < 1"                            \
    "  OR coalesce(json_extract(record.body, '$.scope'), 'all') <> 'all' THEN 0"                   \
    "  ELSE " FOUND_RANK " END)"

/* Damage is held against the backup in which verify found it, and against the others that need the
 * damaged object, as verify named them. */
#define DAMAGE                                                                                     \
    "SELECT backup, backup AS finder, name, time, " FOUND_RANK " AS rank, 1 AS own, problem"       \
    "  FROM record WHERE damaged AND backup IS NOT NULL "                                          \
    "UNION ALL SELECT other.value, backup, record.name, time, " FOUND_RANK ", 0,"                  \
    "    'it needs an object that verify found damaged in '"                                       \
    "    || coalesce(backup, json_extract(record.body, '$.archive'), 'another backup')"            \
    "  FROM record, json_each(record.body, '$.affected') AS other WHERE damaged"

/* Until a later verify has looked at least as closely at all of the backup itself, or of the one in
 * which it was found. "time, name" is the order of records everywhere. */
#define STANDING_DAMAGE                                                                            \
    "SELECT problem FROM damage WHERE damage.backup = backup.id"                                   \
    "  AND NOT EXISTS (SELECT 1 FROM record WHERE record.backup IN (backup.id, damage.finder)"     \
    "    AND kind = 'verify' AND NOT damaged"                                                      \
    "    AND (record.time, record.name) > (damage.time, damage.name) AND " RANK " >= damage.rank)" \
    "  ORDER BY own DESC, time DESC, name DESC LIMIT 1"

/* Whether it is pinned is said by the newest of its pin and unpin records. */
#define PINNED                                                                                     \
    "coalesce((SELECT kind FROM record WHERE record.backup = backup.id"                            \
    "  AND kind IN ('pin', 'unpin') ORDER BY time DESC, name DESC LIMIT 1), '') = 'pin'"

#define VERIFIED                                                                                   \
    "coalesce((SELECT time FROM record WHERE record.backup = backup.id AND kind = 'verify'"        \
    "  ORDER BY time DESC, name DESC LIMIT 1), 0)"

static const char select_backups[] =
    "WITH damage AS MATERIALIZED (" DAMAGE "), "
    "judged AS (SELECT backup.*, " PINNED " AS pinned, " VERIFIED " AS verified,"
    "  coalesce(unreadable, (" STANDING_DAMAGE ")) AS reason FROM backup) "
    "SELECT id, source, engine, type, method, base, server_version, start, stop, plain_size,"
    "  stored_size, tables, rows, partial, warnings, pinned, reason IS NOT NULL, reason, verified "
    "FROM judged WHERE (?1 IS NULL OR source = ?1) AND (?2 IS NULL OR engine = ?2)"
    "  AND (?3 IS NULL OR type = ?3) AND (?4 = 0 OR start >= ?4) AND (?5 = 0 OR start < ?5)"
    "  AND CASE ?6 WHEN 'good' THEN reason IS NULL WHEN 'damaged' THEN reason IS NOT NULL"
    "    WHEN 'pinned' THEN pinned ELSE 1 END"
    "  AND (?7 IS NULL OR id = ?7)"
    "  AND (?8 IS NULL OR (stop, start, id) < (SELECT stop, start, id FROM backup WHERE id = ?8))"
    " ORDER BY stop DESC, start DESC, id DESC LIMIT ?9";

static CatalogBackup *read_backup(Statement *row)
{
    CatalogBackup *backup = g_new0(CatalogBackup, 1);

    backup->id = catalog_text(row, 0);
    backup->source = catalog_text(row, 1);
    backup->engine = catalog_text(row, 2);
    backup->type = catalog_text(row, 3);
    backup->method = catalog_text(row, 4);
    backup->base = catalog_text(row, 5);
    backup->server_version = catalog_text(row, 6);
    backup->start = sqlite3_column_int64(row, 7);
    backup->stop = sqlite3_column_int64(row, 8);
    backup->plain_size = (guint64)sqlite3_column_int64(row, 9);
    backup->stored_size = (guint64)sqlite3_column_int64(row, 10);
    backup->tables = (guint64)sqlite3_column_int64(row, 11);
    backup->rows = (guint64)sqlite3_column_int64(row, 12);
    backup->partial = sqlite3_column_int(row, 13) != 0;
    backup->warnings = (guint)sqlite3_column_int(row, 14);
    backup->pinned = sqlite3_column_int(row, 15) != 0;
    backup->damaged = sqlite3_column_int(row, 16) != 0;
    backup->problem = catalog_text(row, 17);
    backup->verified = sqlite3_column_int64(row, 18);
    return backup;
}

static gboolean add_backup(Statement *row, gpointer data, GError **error)
{
    g_ptr_array_add(data, read_backup(row));
    return TRUE;
}

gboolean catalog_backups(Catalog *catalog, const CatalogFilter *filter, GPtrArray **ret_backups,
                         GError **error)
{
    static const CatalogFilter everything = {0};
    g_autoptr(GPtrArray) backups =
        g_ptr_array_new_with_free_func((GDestroyNotify)catalog_backup_free);
    g_autoptr(Statement) statement = NULL;

    if (filter == NULL)
        filter = &everything;
    statement =
        catalog_prepare(catalog, error, select_backups, "sssiisssi", filter->source, filter->engine,
                        filter->type, filter->since, filter->until, filter->status, filter->id,
                        filter->before, filter->limit > 0 ? (gint64)filter->limit : -1);
    if (statement == NULL || !catalog_each(catalog, statement, add_backup, backups, error))
        return FALSE;
    *ret_backups = g_steal_pointer(&backups);
    return TRUE;
}

static gboolean add_record(Statement *row, gpointer data, GError **error)
{
    const char *body = (const char *)sqlite3_column_text(row, 1);
    json_t *record =
        json_read_object(body, strlen(body), (const char *)sqlite3_column_text(row, 0), error);

    if (record == NULL)
        return FALSE;
    g_ptr_array_add(data, record);
    return TRUE;
}

gboolean catalog_recoveries(Catalog *catalog, GPtrArray **ret_records, GError **error)
{
    return catalog_records(catalog, "restore", ret_records, error);
}

gboolean catalog_records(Catalog *catalog, const char *kind, GPtrArray **ret_records,
                         GError **error)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    g_autoptr(Statement) statement = catalog_prepare(
        catalog, error,
        "SELECT name, body FROM record WHERE kind = ? ORDER BY time DESC, name DESC", "s", kind);

    if (statement == NULL || !catalog_each(catalog, statement, add_record, records, error))
        return FALSE;
    *ret_records = g_steal_pointer(&records);
    return TRUE;
}
