/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a backup: the details for `show`, the structure of its objects for `verify`.
 */
#include "base/error.h"
#include "parquet/reader.h"
#include "tdengine/backup.h"
#include "tdengine/details.h"

#define BATCH_ROWS 65536

static json_t *describe_tables(const TdDetails *details)
{
    json_t *array = json_array();

    for (guint i = 0; i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);
        json_t *json = td_table_to_json(table);

        /* For programs that restore: not for eyes. */
        json_object_del(json, "options");
        json_object_del(json, "plan");
        json_array_append_new(array, json);
    }
    return array;
}

json_t *td_describe(Backup *backup, GError **error)
{
    g_autoptr(TdDetails) details = NULL;
    json_t *json, *databases = NULL, *objects = NULL;

    if (!td_details_read(backup, &details, error))
        return NULL;
    databases = json_array();
    objects = json_array();
    for (guint i = 0; i < details->databases->len; i++)
        json_array_append_new(databases,
                              td_database_to_json(g_ptr_array_index(details->databases, i)));
    for (guint i = 0; i < details->objects->len; i++)
        json_array_append_new(objects, td_object_to_json(g_ptr_array_index(details->objects, i)));
    json = json_object();
    json_object_set_new(json, "server_version", json_text(details->server_version));
    json_object_set_new(json, "cluster_id", json_text(details->cluster_id));
    json_object_set_new(json, "transport", json_text(details->transport));
    json_object_set_new(json, "slices", json_integer(details->slices->len));
    json_object_set_new(json, "databases", databases);
    json_object_set_new(json, "tables", describe_tables(details));
    json_object_set_new(json, "objects", objects);
    return json;
}

/* Reads every value of a Parquet file: pages carry checksums, and encodings are checked on the way. */
static gboolean read_through(const ParquetReader *reader, GCancellable *cancellable, GError **error)
{
    const ParquetMetadata *metadata = parquet_reader_metadata(reader);
    guint count = parquet_schema_count(metadata->schema);
    g_autofree guint *columns = g_new(guint, count);
    g_autoptr(ParquetScan) scan = NULL;
    guint64 rows = 0;
    ParquetBatch batch;

    for (guint i = 0; i < count; i++)
        columns[i] = i;
    scan = parquet_scan_new(reader, columns, count, NULL, error);
    if (scan == NULL)
        return FALSE;
    do {
        if (g_cancellable_is_cancelled(cancellable)) {
            error_set(error, ERROR_CANCELLED, "verify was cancelled");
            return FALSE;
        }
        if (!parquet_scan_next(scan, BATCH_ROWS, &batch, error))
            return FALSE;
        rows += batch.rows;
    } while (batch.rows > 0);
    if (rows == (guint64)metadata->rows)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%" G_GUINT64_FORMAT " rows are in a file of %" G_GINT64_FORMAT,
              rows, metadata->rows);
    return FALSE;
}

gboolean td_check_object(Backup *backup, const char *path, GCancellable *cancellable,
                         GError **error)
{
    g_autoptr(TdObjectSource) source = NULL;
    g_autoptr(ParquetReader) reader = NULL;

    if (g_str_has_prefix(path, "details.json")) {
        g_autoptr(TdDetails) details = NULL;

        return td_details_read(backup, &details, error);
    }
    if (!g_str_has_prefix(path, "../../pool/"))
        return TRUE;
    source = td_object_source_new(backup, path, error);
    if (source == NULL)
        return FALSE;
    reader = parquet_reader_open(td_object_source_parquet(source), NULL, error);
    return reader != NULL && read_through(reader, cancellable, error);
}
