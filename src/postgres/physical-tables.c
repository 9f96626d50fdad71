/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables with estimated rows, database by database.
 */
#include "postgres/physical-tables.h"

#include "base/error.h"
#include "base/log.h"
#include "postgres/inventory.h"
#include "postgres/pattern.h"
#include "repo/lines.h"

#include <string.h>

/* In the warning of a database whose tables are not in the list. */
#define UNLISTED "are in the backup, but not in its list"

typedef struct {
    ObjectWriter *object;
    const char *database;
    GHashTable *estimates; /* oid -> gint64 * */
    guint64 count;
} TableWriter;

/* -1 and, before version 14, 0 stand for "never counted". */
static gboolean take_estimate(const PGresult *row, gpointer data, GError **error)
{
    gint64 rows = pg_int(row, 0, 1);

    g_hash_table_insert(data, GUINT_TO_POINTER((guint32)pg_uint(row, 0, 0)),
                        g_memdup2(&rows, sizeof rows));
    return TRUE;
}

static gboolean write_table(TableWriter *writer, const PgTable *table, GError **error)
{
    const gint64 *rows = g_hash_table_lookup(writer->estimates, GUINT_TO_POINTER(table->oid));
    g_autoptr(json_t) json = pg_table_to_json(table, writer->database);
    g_autofree char *line = NULL;

    json_object_del(json, "rows");
    if (rows != NULL && table->kind != PG_TABLE_VIEW && table->kind != PG_TABLE_FOREIGN) {
        json_object_set_new(json, "rows", json_integer(*rows));
        json_object_set_new(json, "estimated", json_true());
    }
    line = json_write(json, FALSE);
    writer->count += table->kind != PG_TABLE_VIEW && table->kind != PG_TABLE_FOREIGN;
    return object_writer_write(writer->object, line, strlen(line), error);
}

/* Both lists come before the first line is written, so that a database is there as a whole or not
 * at all. */
static gboolean read_database(const EngineBackup *request, TableWriter *writer,
                              GPtrArray **ret_tables, GError **error)
{
    g_autoptr(PgConnection) connection =
        pg_connect(request->source->conninfo, writer->database, request->cancellable, error);

    g_hash_table_remove_all(writer->estimates);
    return connection != NULL &&
           pg_query_each(connection,
                         "SELECT oid, reltuples::bigint FROM pg_catalog.pg_class "
                         "WHERE relkind IN ('r', 'm', 'p') AND reltuples >= 0",
                         take_estimate, writer->estimates, error) &&
           pg_tables_read(connection, 0, ret_tables, error);
}

static gboolean write_database(const EngineBackup *request, TableWriter *writer, GError **error)
{
    g_autoptr(GPtrArray) tables = NULL;
    g_autoptr(GError) problem = NULL;

    if (!read_database(request, writer, &tables, &problem)) {
        if (!error_is(problem, ERROR_CANCELLED)) {
            g_autofree char *text = error_text(problem);
            g_autofree char *warning = g_strdup_printf("the tables of database %s " UNLISTED ": %s",
                                                       writer->database, text);

            /* The manifest is clear: beside a seal it names no database. */
            if (repository_is_encrypted(backup_writer_repository(request->writer))) {
                log_write(LOG_WARNING, "%s", warning);
                manifest_add_warning(request->manifest, "the tables of a database are in the "
                                                        "backup, but not in its list");
            } else {
                manifest_add_warning(request->manifest, warning);
            }
            return TRUE;
        }
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    for (guint i = 0; i < tables->len; i++)
        if (!write_table(writer, g_ptr_array_index(tables, i), error))
            return FALSE;
    return TRUE;
}

gboolean pg_physical_write_tables(const EngineBackup *request, PgConnection *connection,
                                  guint64 *ret_count, GError **error)
{
    g_autoptr(GHashTable) estimates = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(ObjectWriter) object =
        backup_writer_begin(request->writer, "details-tables.jsonl", request->compression, error);
    TableWriter writer = {object, NULL, estimates, 0};

    if (object == NULL || !pg_database_names(connection, &names, error))
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        writer.database = g_ptr_array_index(names, i);
        if (!write_database(request, &writer, error))
            return FALSE;
    }
    *ret_count = writer.count;
    return object_writer_commit(object, NULL, error);
}

/* --- the list read ---------------------------------------------------------------------------- */

typedef struct {
    const GPtrArray *patterns;
    const char *const *databases;
    gboolean *used;
} Matcher;

static gboolean match_line(const json_t *json, gpointer data, GError **error)
{
    const Matcher *matcher = data;
    const char *database = json_get_string(json, "database", "");
    const char *schema = json_get_string(json, "schema", "");
    const char *table = json_get_string(json, "table", "");

    if (matcher->databases != NULL && !g_strv_contains(matcher->databases, database))
        return TRUE;
    (void)pg_patterns_match(matcher->patterns, database, schema, table, matcher->used);
    return TRUE;
}

static gboolean list_is_whole(const Manifest *manifest)
{
    for (guint i = 0; i < manifest_warning_count(manifest); i++) {
        if (strstr(manifest_warning(manifest, i), UNLISTED) != NULL)
            return FALSE;
    }
    return TRUE;
}

gboolean pg_physical_find_unknown(Backup *backup, const char *const *tables,
                                  const char *const *databases, char **ret_pattern, GError **error)
{
    g_autoptr(GPtrArray) patterns = NULL;
    g_autofree gboolean *used = NULL;
    Matcher matcher;

    if (!pg_patterns_parse(tables, &patterns, error))
        return FALSE;
    *ret_pattern = NULL;
    if (!list_is_whole(backup_manifest(backup)))
        return TRUE;
    used = g_new0(gboolean, patterns->len + 1);
    matcher = (Matcher){patterns, databases, used};
    if (!backup_read_lines(backup, "details-tables.jsonl", match_line, &matcher, NULL, error))
        return FALSE;
    for (guint i = 0; i < patterns->len && *ret_pattern == NULL; i++) {
        if (!used[i])
            *ret_pattern = g_strdup(pg_pattern_text(patterns->pdata[i]));
    }
    return TRUE;
}
