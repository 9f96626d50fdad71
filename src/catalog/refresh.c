/* SPDX-License-Identifier: Apache-2.0
 *
 * Bringing the catalog up to the repository: what is new is read first, then everything goes in by
 * one transaction, so that nobody waits for a slow store with the catalog locked.
 */
#include "catalog/catalog.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/time.h"
#include "catalog/private.h"
#include "repo/document.h"
#include "repo/record.h"

typedef struct {
    char *name, *kind, *backup, *problem, *body;
    gint64 when;
    gboolean damaged;
} RecordRow;

/* What differs between repository and catalog. */
typedef struct {
    GPtrArray *backups;       /* CatalogBackup: new ones, and unreadable ones looked at again */
    GPtrArray *gone_backups;  /* char * */
    GPtrArray *records;       /* RecordRow */
    GPtrArray *gone_records;  /* char * */
    GHashTable *read_records; /* names that record_each() gave us */
} Changes;

static void record_row_free(RecordRow *row)
{
    g_free(row->name);
    g_free(row->kind);
    g_free(row->backup);
    g_free(row->problem);
    g_free(row->body);
    g_free(row);
}

static Changes *changes_new(void)
{
    Changes *changes = g_new0(Changes, 1);

    changes->backups = g_ptr_array_new_with_free_func((GDestroyNotify)catalog_backup_free);
    changes->gone_backups = g_ptr_array_new_with_free_func(g_free);
    changes->records = g_ptr_array_new_with_free_func((GDestroyNotify)record_row_free);
    changes->gone_records = g_ptr_array_new_with_free_func(g_free);
    changes->read_records = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return changes;
}

static void changes_free(Changes *changes)
{
    g_ptr_array_unref(changes->backups);
    g_ptr_array_unref(changes->gone_backups);
    g_ptr_array_unref(changes->records);
    g_ptr_array_unref(changes->gone_records);
    g_hash_table_unref(changes->read_records);
    g_free(changes);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Changes, changes_free)

/* The first column of a query as a set of strings. */
static GHashTable *read_set(Catalog *catalog, const char *sql, GError **error)
{
    g_autoptr(GHashTable) set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(Statement) statement = catalog_prepare(catalog, error, sql, "");
    gboolean row;

    if (statement == NULL)
        return NULL;
    while (TRUE) {
        if (!catalog_step(catalog, statement, &row, error))
            return NULL;
        if (!row)
            return g_steal_pointer(&set);
        g_hash_table_add(set, catalog_text(statement, 0));
    }
}

/* What is in the set and not among the names seen. */
static void collect_gone(GHashTable *known, GHashTable *seen, GPtrArray *gone)
{
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, known);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        if (!g_hash_table_contains(seen, name))
            g_ptr_array_add(gone, g_strdup(name));
    }
}

/* --- Backups ---------------------------------------------------------------------------------- */

static CatalogBackup *from_manifest(const Manifest *manifest)
{
    CatalogBackup *backup = g_new0(CatalogBackup, 1);

    backup->id = g_strdup(manifest_id(manifest));
    backup->source = g_strdup(manifest_source(manifest));
    backup->engine = g_strdup(manifest_engine(manifest));
    backup->type = g_strdup(backup_type_name(manifest_type(manifest)));
    backup->method = g_strdup(manifest_method(manifest));
    backup->base = g_strdup(manifest_base(manifest));
    backup->server_version = g_strdup(manifest_server_version(manifest));
    backup->start = manifest_start(manifest);
    backup->stop = manifest_stop(manifest);
    backup->plain_size = manifest_plain_size(manifest);
    backup->stored_size = manifest_stored_size(manifest);
    backup->tables = manifest_tables(manifest);
    backup->rows = manifest_rows(manifest);
    backup->partial = manifest_partial(manifest);
    backup->warnings = manifest_warning_count(manifest);
    return backup;
}

/* All that the id of an unreadable backup tells: 20261122T020000Z-market-full-k3f9. */
static CatalogBackup *from_id(const char *id, const GError *problem)
{
    CatalogBackup *backup = g_new0(CatalogBackup, 1);
    g_auto(GStrv) parts = g_strsplit(id, "-", -1);
    guint count = g_strv_length(parts);

    backup->id = g_strdup(id);
    backup->problem = error_text(problem);
    if (count >= 4 && time_parse(parts[0], NULL, &backup->start, NULL)) {
        g_autofree char *type = g_strdup(parts[count - 2]);

        backup->stop = backup->start;
        backup->type = g_strdup(g_str_equal(type, "incr") ? "incremental" : type);
        g_clear_pointer(&parts[count - 1], g_free);
        g_clear_pointer(&parts[count - 2], g_free);
        backup->source = g_strjoinv("-", parts + 1);
    }
    return backup;
}

/* One backup that cannot be read must not hide the others; a repository that is away is another
 * matter. */
static gboolean collect_backup(Catalog *catalog, const char *id, Changes *changes, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) backup = backup_open(catalog->repository, id, &problem);

    if (backup != NULL) {
        g_ptr_array_add(changes->backups, from_manifest(backup_manifest(backup)));
        return TRUE;
    }
    if (error_is(problem, ERROR_UNREACHABLE)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    /* Deleted since it was listed: the next refresh no longer sees it. */
    if (!error_is(problem, ERROR_NOT_FOUND))
        g_ptr_array_add(changes->backups, from_id(id, problem));
    return TRUE;
}

static gboolean collect_backups(Catalog *catalog, GHashTable *readable, GHashTable *known,
                                Changes *changes, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    if (!backup_list(catalog->repository, &ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        char *id = g_ptr_array_index(ids, i);

        g_hash_table_add(seen, id);
        if (!g_hash_table_contains(readable, id) && !collect_backup(catalog, id, changes, error))
            return FALSE;
    }
    collect_gone(known, seen, changes->gone_backups);
    return TRUE;
}

/* --- Records ---------------------------------------------------------------------------------- */

/* The problem that `list backups` shows for a damaged one. */
static char *damage_text(const json_t *body)
{
    json_t *problems = json_object_get(body, "problems");
    json_t *first = json_array_get(problems, 0);
    const char *text = json_is_string(first) ? json_string_value(first) : NULL;
    gsize count = json_array_size(problems);

    if (text == NULL)
        return g_strdup("verify found damage");
    if (count == 1)
        return g_strdup(text);
    return g_strdup_printf("%s, and %" G_GSIZE_FORMAT " more", text, count - 1);
}

static gboolean collect_record(const char *name, const char *kind, gint64 when, const json_t *body,
                               gpointer data, GError **error)
{
    Changes *changes = data;
    RecordRow *row = g_new0(RecordRow, 1);

    row->name = g_strdup(name);
    row->kind = g_strdup(kind);
    row->when = when;
    row->backup = g_strdup(json_get_string(body, "backup", NULL));
    row->body = json_write(body, FALSE);
    /* What is not what was written proves nothing and lets nothing go; verify --all tells of it, and
     * a report shows it. A pin holds however it looks. */
    if ((g_str_equal(kind, "verify") || g_str_equal(kind, "unpin")) &&
        g_str_equal(document_checksum_state(body), "wrong")) {
        g_clear_pointer(&row->backup, g_free);
    } else if (g_str_equal(kind, "verify") &&
               g_str_equal(json_get_string(body, "result", ""), "damaged")) {
        row->damaged = TRUE;
        row->problem = damage_text(body);
    }
    g_ptr_array_add(changes->records, row);
    g_hash_table_add(changes->read_records, g_strdup(name));
    return TRUE;
}

static gboolean note_name(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    g_hash_table_add(data, g_strdup(name));
    return TRUE;
}

/* Records that cannot be read get a row as well, or every refresh would read all of them again. */
static void collect_unreadable(GHashTable *names, GHashTable *known, Changes *changes)
{
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        RecordRow *row;

        if (g_hash_table_contains(changes->read_records, name) ||
            g_hash_table_contains(known, name))
            continue;
        row = g_new0(RecordRow, 1);
        row->name = g_strdup(name);
        row->kind = g_strdup("unreadable");
        g_ptr_array_add(changes->records, row);
    }
}

/* `known` have rows, and are not read again: a service that backs up every minute has tens of thousands.
 * Of them the `unreadable` are tried once more when there is a new one, and leave the set then. */
static gboolean collect_records(Catalog *catalog, GHashTable *known, GHashTable *unreadable,
                                Changes *changes, GError **error)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    GHashTableIter iter;
    gpointer name;
    gboolean fresh = FALSE;

    if (!store_list(repository_store(catalog->repository), "records/", note_name, names, error))
        return FALSE;
    g_hash_table_iter_init(&iter, names);
    while (!fresh && g_hash_table_iter_next(&iter, &name, NULL))
        fresh = !g_hash_table_contains(known, name);
    collect_gone(known, names, changes->gone_records);
    if (!fresh)
        return TRUE;
    g_hash_table_iter_init(&iter, unreadable);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_hash_table_remove(known, name);
    if (!record_each_new(catalog->repository, known, collect_record, changes, error))
        return FALSE;
    collect_unreadable(names, known, changes);
    return TRUE;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static gboolean write_backup(Catalog *catalog, const CatalogBackup *backup, GError **error)
{
    return catalog_run(
        catalog, error,
        "INSERT OR REPLACE INTO backup VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "sssssssiiuuuubis", backup->id, backup->source, backup->engine, backup->type,
        backup->method, backup->base, backup->server_version, backup->start, backup->stop,
        backup->plain_size, backup->stored_size, backup->tables, backup->rows, backup->partial,
        (gint64)backup->warnings, backup->problem);
}

static gboolean write_record(Catalog *catalog, const RecordRow *row, GError **error)
{
    return catalog_run(catalog, error, "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
                       "ssisbss", row->name, row->kind, row->when, row->backup, row->damaged,
                       row->problem, row->body);
}

static gboolean write_changes(Catalog *catalog, const Changes *changes, gboolean wipe,
                              GError **error)
{
    if (wipe && !catalog_execute(catalog, "DELETE FROM backup; DELETE FROM record", error))
        return FALSE;
    for (guint i = 0; i < changes->gone_backups->len; i++) {
        if (!catalog_run(catalog, error, "DELETE FROM backup WHERE id = ?", "s",
                         g_ptr_array_index(changes->gone_backups, i)))
            return FALSE;
    }
    for (guint i = 0; i < changes->gone_records->len; i++) {
        if (!catalog_run(catalog, error, "DELETE FROM record WHERE name = ?", "s",
                         g_ptr_array_index(changes->gone_records, i)))
            return FALSE;
    }
    for (guint i = 0; i < changes->backups->len; i++) {
        if (!write_backup(catalog, g_ptr_array_index(changes->backups, i), error))
            return FALSE;
    }
    for (guint i = 0; i < changes->records->len; i++) {
        if (!write_record(catalog, g_ptr_array_index(changes->records, i), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean apply(Catalog *catalog, const Changes *changes, gboolean wipe, GError **error)
{
    if (!wipe && changes->backups->len == 0 && changes->gone_backups->len == 0 &&
        changes->records->len == 0 && changes->gone_records->len == 0)
        return TRUE;
    if (!catalog_begin(catalog, error))
        return FALSE;
    return catalog_end(catalog, write_changes(catalog, changes, wipe, error), error);
}

gboolean catalog_refresh(Catalog *catalog, GError **error)
{
    g_autoptr(Changes) changes = changes_new();
    g_autoptr(GHashTable) readable = NULL;
    g_autoptr(GHashTable) backups = NULL;
    g_autoptr(GHashTable) records = NULL;
    g_autoptr(GHashTable) unreadable = NULL;

    readable = read_set(catalog, "SELECT id FROM backup WHERE unreadable IS NULL", error);
    if (readable == NULL)
        return FALSE;
    backups = read_set(catalog, "SELECT id FROM backup", error);
    if (backups == NULL)
        return FALSE;
    records = read_set(catalog, "SELECT name FROM record", error);
    if (records == NULL)
        return FALSE;
    unreadable = read_set(catalog, "SELECT name FROM record WHERE kind = 'unreadable'", error);
    if (unreadable == NULL)
        return FALSE;
    return collect_backups(catalog, readable, backups, changes, error) &&
           collect_records(catalog, records, unreadable, changes, error) &&
           apply(catalog, changes, FALSE, error);
}

gboolean catalog_rebuild(Catalog *catalog, guint64 *ret_backups, GError **error)
{
    g_autoptr(Changes) changes = changes_new();
    g_autoptr(GHashTable) nothing = g_hash_table_new(g_str_hash, g_str_equal);

    if (!collect_backups(catalog, nothing, nothing, changes, error) ||
        !collect_records(catalog, nothing, nothing, changes, error) ||
        !apply(catalog, changes, TRUE, error))
        return FALSE;
    if (ret_backups != NULL)
        *ret_backups = changes->backups->len;
    return TRUE;
}
