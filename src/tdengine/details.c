/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading the details of a backup, and reaching its pool objects.
 */
#include "tdengine/details.h"

#include <string.h>

#include "base/error.h"
#include "repo/stored.h"
#include "repo/document.h"
#include "repo/lines.h"

#define DETAILS_STEM  "details.json"
#define SLICES_STEM   "details-slices.jsonl"
#define DETAILS_LIMIT ((gsize)512 * 1024 * 1024)

TdDetails *td_details_new(void)
{
    TdDetails *details = g_new0(TdDetails, 1);

    details->start = G_MININT64;
    details->end = G_MAXINT64;
    details->databases = g_ptr_array_new_with_free_func((GDestroyNotify)td_database_free);
    details->tables = g_ptr_array_new_with_free_func((GDestroyNotify)td_table_free);
    details->objects = g_ptr_array_new_with_free_func((GDestroyNotify)td_object_free);
    details->slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
    details->answers = g_ptr_array_new_with_free_func(g_free);
    return details;
}

void td_details_free(TdDetails *details)
{
    if (details == NULL)
        return;
    g_free(details->server_version);
    g_free(details->cluster_id);
    g_free(details->transport);
    g_ptr_array_unref(details->databases);
    g_ptr_array_unref(details->tables);
    g_ptr_array_unref(details->objects);
    g_array_unref(details->slices);
    g_ptr_array_unref(details->answers);
    g_free(details);
}

TdDatabase *td_details_find_database(const TdDetails *details, const char *name)
{
    for (guint i = 0; i < details->databases->len; i++) {
        TdDatabase *database = g_ptr_array_index(details->databases, i);

        if (strcmp(database->name, name) == 0)
            return database;
    }
    return NULL;
}

TdTable *td_details_find_table(const TdDetails *details, const char *database, const char *name,
                               guint32 *ret_index)
{
    for (guint i = 0; i < details->tables->len; i++) {
        TdTable *table = g_ptr_array_index(details->tables, i);

        if (strcmp(table->name, name) != 0 || strcmp(table->database, database) != 0)
            continue;
        if (ret_index != NULL)
            *ret_index = i;
        return table;
    }
    return NULL;
}

/* --- Writing ---------------------------------------------------------------------------------- */

static json_t *time_to_json(gint64 when)
{
    return when == G_MININT64 || when == G_MAXINT64 ? json_null() : json_integer(when);
}

static json_t *details_to_json(const TdDetails *details)
{
    g_autofree char *key = g_strdup_printf("%016" G_GINT64_MODIFIER "x", details->fingerprint_key);
    json_t *json = json_object(), *databases = json_array(), *tables = json_array(),
           *objects = json_array(), *answers = json_array();

    for (guint i = 0; i < details->answers->len; i++)
        json_array_append_new(answers, json_text(details->answers->pdata[i]));
    for (guint i = 0; i < details->databases->len; i++)
        json_array_append_new(databases,
                              td_database_to_json(g_ptr_array_index(details->databases, i)));
    for (guint i = 0; i < details->tables->len; i++)
        json_array_append_new(tables, td_table_to_json(g_ptr_array_index(details->tables, i)));
    for (guint i = 0; i < details->objects->len; i++)
        json_array_append_new(objects, td_object_to_json(g_ptr_array_index(details->objects, i)));
    json_object_set_new(json, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(json, "server",
                        json_pack("{s:o, s:o, s:o}", "version", json_text(details->server_version),
                                  "cluster_id", json_text(details->cluster_id), "transport",
                                  json_text(details->transport)));
    json_object_set_new(json, "fingerprint_key", json_text(key));
    json_object_set_new(json, "start", time_to_json(details->start));
    json_object_set_new(json, "end", time_to_json(details->end));
    json_object_set_new(json, "databases", databases);
    json_object_set_new(json, "tables", tables);
    json_object_set_new(json, "objects", objects);
    json_object_set_new(json, "answers", answers);
    return json;
}

/* A slice names its table in words: lines can be read without the other document. */
static json_t *slice_to_json(const TdDetails *details, const TdSlice *slice)
{
    const TdTable *table = g_ptr_array_index(details->tables, slice->table);
    json_t *json = json_object();
    char hex[TD_FINGERPRINT_HEX_SIZE];

    td_fingerprint_to_hex(slice->fingerprint, hex);
    json_object_set_new(json, "database", json_text(table->database));
    json_object_set_new(json, "table", json_text(table->name));
    json_object_set_new(json, "from", json_integer(slice->from));
    json_object_set_new(json, "to", json_integer(slice->to));
    json_object_set_new(json, "shard", json_integer(slice->shard));
    json_object_set_new(json, "shards", json_integer(slice->shards));
    json_object_set_new(json, "rows", json_integer((json_int_t)slice->rows));
    json_object_set_new(json, "first", json_integer(slice->first));
    json_object_set_new(json, "last", json_integer(slice->last));
    json_object_set_new(json, "fingerprint", json_string(hex));
    json_object_set_new(json, "schema", json_string(slice->schema));
    if (slice->sums[0] != '\0')
        json_object_set_new(json, "sums", json_string(slice->sums));
    json_object_set_new(json, "data", td_object_ref_to_json(&slice->data));
    json_object_set_new(json, "tables",
                        slice->tables.sha256[0] != '\0' ? td_object_ref_to_json(&slice->tables)
                                                        : json_null());
    return json;
}

static int compare_slices(gconstpointer a, gconstpointer b)
{
    const TdSlice *left = a, *right = b;

    if (left->table != right->table)
        return left->table < right->table ? -1 : 1;
    if (left->from != right->from)
        return left->from < right->from ? -1 : 1;
    return left->shard < right->shard ? -1 : left->shard > right->shard;
}

static gboolean write_slices(const TdDetails *details, BackupWriter *writer, CompressSpec spec,
                             GError **error)
{
    g_autoptr(ObjectWriter) object = backup_writer_begin(writer, SLICES_STEM, spec, error);

    if (object == NULL)
        return FALSE;
    for (guint i = 0; i < details->slices->len; i++) {
        g_autoptr(json_t) json =
            slice_to_json(details, &g_array_index(details->slices, TdSlice, i));
        g_autofree char *line = json_write(json, FALSE);

        if (!object_writer_write(object, line, strlen(line), error))
            return FALSE;
    }
    return object_writer_commit(object, NULL, error);
}

gboolean td_details_write(TdDetails *details, BackupWriter *writer, CompressSpec spec,
                          GError **error)
{
    g_autoptr(json_t) json = NULL;
    g_autofree char *text = NULL;

    g_array_sort(details->slices, compare_slices);
    if (!write_slices(details, writer, spec, error))
        return FALSE;
    json = details_to_json(details);
    text = json_write(json, TRUE);
    return backup_writer_put(writer, DETAILS_STEM, spec, text, strlen(text), error);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static gint64 get_time(const json_t *json, const char *key, gint64 open)
{
    const json_t *value = json_object_get(json, key);

    return json_is_integer(value) ? json_integer_value(value) : open;
}

static gboolean lists_from_json(const json_t *json, TdDetails *details, GError **error)
{
    json_t *databases, *tables, *objects, *entry;
    size_t index;

    if (!json_need_array(json, "databases", "the details", &databases, error) ||
        !json_need_array(json, "tables", "the details", &tables, error) ||
        !json_need_array(json, "objects", "the details", &objects, error))
        return FALSE;
    json_array_foreach(databases, index, entry)
    {
        TdDatabase *database = td_database_from_json(entry, error);

        if (database == NULL)
            return FALSE;
        g_ptr_array_add(details->databases, database);
    }
    json_array_foreach(tables, index, entry)
    {
        TdTable *table = td_table_from_json(entry, error);

        if (table == NULL)
            return FALSE;
        g_ptr_array_add(details->tables, table);
    }
    json_array_foreach(objects, index, entry)
    {
        TdObject *object = td_object_from_json(entry, error);

        if (object == NULL)
            return FALSE;
        g_ptr_array_add(details->objects, object);
    }
    return TRUE;
}

static gboolean details_from_json(const json_t *json, TdDetails *details, GError **error)
{
    const json_t *server = json_object_get(json, "server");
    const char *key;
    json_t *answer;
    char *end;
    gsize i;

    if (!json_need_string(json, "fingerprint_key", "the details", &key, error))
        return FALSE;
    details->fingerprint_key = g_ascii_strtoull(key, &end, 16);
    if (strlen(key) != 16 || *end != '\0') {
        error_set(error, ERROR_FORMAT, "the details: \"%s\" is no key of fingerprints", key);
        return FALSE;
    }
    details->server_version = g_strdup(json_get_string(server, "version", "unknown"));
    details->cluster_id = g_strdup(json_get_string(server, "cluster_id", NULL));
    details->transport = g_strdup(json_get_string(server, "transport", NULL));
    json_array_foreach(json_object_get(json, "answers"), i, answer)
    {
        if (json_is_string(answer))
            g_ptr_array_add(details->answers, g_strdup(json_string_value(answer)));
    }
    details->start = get_time(json, "start", G_MININT64);
    details->end = get_time(json, "end", G_MAXINT64);
    return lists_from_json(json, details, error);
}

static gboolean read_document(Backup *backup, TdDetails *details, GError **error)
{
    const char *path = backup_find_object(backup, DETAILS_STEM);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(json_t) json = NULL;
    g_autofree char *what = NULL;

    if (path == NULL) {
        error_set(error, ERROR_DAMAGED, "backup %s has no " DETAILS_STEM, backup_id(backup));
        return FALSE;
    }
    bytes = backup_get_object(backup, path, DETAILS_LIMIT, error);
    if (bytes == NULL)
        return FALSE;
    what = g_strdup_printf("%s of backup %s", path, backup_id(backup));
    json = json_read_object(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), what, error);
    return json != NULL && repository_check_version(json, what, error) &&
           details_from_json(json, details, error);
}

typedef struct {
    TdDetails *details;
    guint32 last; /* the table of the line before: mostly the same again */
} SliceReader;

static gboolean find_slice_table(SliceReader *reader, const char *database, const char *name,
                                 guint32 *ret_index, GError **error)
{
    const GPtrArray *tables = reader->details->tables;

    if (reader->last < tables->len) {
        const TdTable *table = g_ptr_array_index(tables, reader->last);

        *ret_index = reader->last;
        if (strcmp(table->name, name) == 0 && strcmp(table->database, database) == 0)
            return TRUE;
    }
    if (td_details_find_table(reader->details, database, name, ret_index) != NULL) {
        reader->last = *ret_index;
        return TRUE;
    }
    error_set(error, ERROR_FORMAT, "a slice is of the table %s.%s, which the details do not have",
              database, name);
    return FALSE;
}

static gboolean take_slice(const json_t *json, gpointer data, GError **error)
{
    SliceReader *reader = data;
    const json_t *tables = json_object_get(json, "tables");
    const char *database, *name, *hex;
    TdSlice slice = {.from = get_time(json, "from", 0),
                     .to = get_time(json, "to", 0),
                     .shard = (guint32)json_get_uint(json, "shard", 0),
                     .shards = (guint32)json_get_uint(json, "shards", 1),
                     .rows = json_get_uint(json, "rows", 0),
                     .first = get_time(json, "first", 0),
                     .last = get_time(json, "last", 0)};

    if (!json_need_string(json, "database", SLICES_STEM, &database, error) ||
        !json_need_string(json, "table", SLICES_STEM, &name, error) ||
        !json_need_string(json, "fingerprint", SLICES_STEM, &hex, error) ||
        !find_slice_table(reader, database, name, &slice.table, error) ||
        !td_object_ref_from_json(json_object_get(json, "data"), SLICES_STEM, &slice.data, error) ||
        (json_is_object(tables) &&
         !td_object_ref_from_json(tables, SLICES_STEM, &slice.tables, error)))
        return FALSE;
    if (!td_fingerprint_from_hex(hex, &slice.fingerprint) || slice.from >= slice.to) {
        error_set(error, ERROR_FORMAT, "a slice of table %s.%s makes no sense", database, name);
        return FALSE;
    }
    g_strlcpy(slice.schema, json_get_string(json, "schema", ""), sizeof slice.schema);
    g_strlcpy(slice.sums, json_get_string(json, "sums", ""), sizeof slice.sums);
    g_array_append_val(reader->details->slices, slice);
    return TRUE;
}

gboolean td_details_read(Backup *backup, TdDetails **ret_details, GError **error)
{
    g_autoptr(TdDetails) details = td_details_new();
    SliceReader reader = {details, 0};

    if (!read_document(backup, details, error) ||
        !backup_read_lines(backup, SLICES_STEM, take_slice, &reader, NULL, error))
        return FALSE;
    *ret_details = g_steal_pointer(&details);
    return TRUE;
}

/* --- Pool objects ----------------------------------------------------------------------------- */

/* --- Other names ------------------------------------------------------------------------------ */

const char *const td_pool_documents[] = {DETAILS_STEM, SLICES_STEM, NULL};

gboolean td_rename_pool(const char *stem, json_t *document, PoolNames *names, GError **error)
{
    json_t *table, *object;
    gsize i, j;

    if (strcmp(stem, SLICES_STEM) == 0)
        return pool_names_put(names, json_object_get(document, "data"), error) &&
               pool_names_put(names, json_object_get(document, "tables"), error);
    json_array_foreach(json_object_get(document, "tables"), i, table)
    {
        json_array_foreach(json_object_get(table, "tag_objects"), j, object)
        {
            if (!pool_names_put(names, object, error))
                return FALSE;
        }
    }
    return TRUE;
}

char *td_object_path(const TdObjectRef *object)
{
    return g_strdup_printf("../../pool/%.2s/%s", object->sha256, object->sha256);
}

StoredParquet *td_object_open(Backup *backup, const char *path, GError **error)
{
    static const char shared[] = "../../";

    if (g_str_has_prefix(path, shared))
        return stored_parquet_open(backup_repository(backup), path + strlen(shared), error);
    error_set(error, ERROR_INTERNAL, "%s is no object of the pool", path);
    return NULL;
}
