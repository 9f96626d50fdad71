/* SPDX-License-Identifier: Apache-2.0
 *
 * The details of a logical backup as a whole: written as three kinds of objects, read back,
 * checked.
 */
#include "postgres/inventory.h"

#include "base/error.h"

#include <string.h>

#define DETAILS_STEM  "details.json"
#define TABLES_STEM   "details-tables.jsonl"
#define DETAILS_LIMIT (256 * 1024 * 1024)
#define LINE_LIMIT    (1024 * 1024)

PgDetails *pg_details_new(void)
{
    PgDetails *details = g_new0(PgDetails, 1);

    details->roles = g_ptr_array_new_with_free_func(g_free);
    details->tablespaces = g_ptr_array_new_with_free_func(g_free);
    details->databases = g_ptr_array_new_with_free_func((GDestroyNotify)pg_database_free);
    details->tables = g_ptr_array_new_with_free_func((GDestroyNotify)pg_table_free);
    return details;
}

void pg_details_free(PgDetails *details)
{
    if (details == NULL)
        return;
    pg_server_clear(&details->server);
    g_free(details->pg_dump_version);
    g_ptr_array_unref(details->roles);
    g_ptr_array_unref(details->tablespaces);
    g_free(details->globals);
    g_ptr_array_unref(details->tables);
    g_ptr_array_unref(details->databases);
    g_free(details);
}

PgDatabase *pg_details_find_database(const PgDetails *details, const char *name)
{
    for (guint i = 0; i < details->databases->len; i++) {
        PgDatabase *database = g_ptr_array_index(details->databases, i);

        if (strcmp(database->name, name) == 0)
            return database;
    }
    return NULL;
}

static const char *database_name(const PgDetails *details, guint32 oid)
{
    for (guint i = 0; i < details->databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(details->databases, i);

        if (database->oid == oid)
            return database->name;
    }
    return "";
}

/* --- writing ---------------------------------------------------------------------------------- */

static json_t *strings_to_json(const GPtrArray *strings)
{
    json_t *array = json_array();

    for (guint i = 0; i < strings->len; i++)
        json_array_append_new(array, json_text(g_ptr_array_index(strings, i)));
    return array;
}

static json_t *details_to_json(const PgDetails *details)
{
    json_t *json = json_object(), *databases = json_array();
    const PgServer *server = &details->server;

    for (guint i = 0; i < details->databases->len; i++)
        json_array_append_new(databases,
                              pg_database_to_json(g_ptr_array_index(details->databases, i)));
    json_object_set_new(json, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(json, "server",
                        json_pack("{s:o, s:i, s:o, s:b}", "version", json_text(server->version),
                                  "version_num", server->version_num, "system_identifier",
                                  json_text(server->system_identifier), "data_checksums",
                                  server->data_checksums));
    json_object_set_new(json, "pg_dump_version", json_text(details->pg_dump_version));
    json_object_set_new(json, "pg_dump_version_num", json_integer(details->archive_version_num));
    json_object_set_new(json, "roles", strings_to_json(details->roles));
    json_object_set_new(json, "tablespaces", strings_to_json(details->tablespaces));
    json_object_set_new(json, "globals", json_text(details->globals));
    json_object_set_new(json, "globals_passwords", json_boolean(details->globals_passwords));
    json_object_set_new(json, "databases", databases);
    return json;
}

static gboolean write_tables(const PgDetails *details, ObjectWriter *object, GError **error)
{
    for (guint i = 0; i < details->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(details->tables, i);
        g_autoptr(json_t) json = pg_table_to_json(table, database_name(details, table->database));
        g_autofree char *line = json_write(json, FALSE);

        if (!object_writer_write(object, line, strlen(line), error))
            return FALSE;
    }
    return TRUE;
}

gboolean pg_details_write(const PgDetails *details, BackupWriter *writer, CompressSpec spec,
                          GError **error)
{
    g_autoptr(ObjectWriter) tables = backup_writer_begin(writer, TABLES_STEM, spec, error);
    g_autoptr(json_t) json = NULL;
    g_autofree char *text = NULL;

    if (tables == NULL || !write_tables(details, tables, error) ||
        !object_writer_commit(tables, NULL, error))
        return FALSE;
    json = details_to_json(details);
    text = json_write(json, TRUE);
    return backup_writer_put(writer, DETAILS_STEM, spec, text, strlen(text), error);
}

/* --- reading ---------------------------------------------------------------------------------- */

static const char *need_object(Backup *backup, const char *stem, GError **error)
{
    const char *path = backup_find_object(backup, stem);

    if (path == NULL)
        error_set(error, ERROR_DAMAGED, "backup %s has no %s", backup_id(backup), stem);
    return path;
}

static json_t *read_details_json(Backup *backup, GError **error)
{
    const char *path = need_object(backup, DETAILS_STEM, error);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(json_t) json = NULL;
    g_autofree char *what = NULL;

    if (path == NULL)
        return NULL;
    bytes = backup_get_object(backup, path, DETAILS_LIMIT, error);
    if (bytes == NULL)
        return NULL;
    what = g_strdup_printf("%s of backup %s", path, backup_id(backup));
    json = json_read_object(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), what, error);
    if (json == NULL || !repository_check_version(json, what, error))
        return NULL;
    return g_steal_pointer(&json);
}

static void strings_from_json(const json_t *json, const char *key, GPtrArray *strings)
{
    json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(json, key), index, entry)
    {
        if (json_is_string(entry))
            g_ptr_array_add(strings, g_strdup(json_string_value(entry)));
    }
}

static gboolean details_from_json(const json_t *json, PgDetails *details, GError **error)
{
    const json_t *server = json_object_get(json, "server");
    json_t *databases, *entry;
    size_t index;

    details->server.version = g_strdup(json_get_string(server, "version", "unknown"));
    details->server.version_num = (int)MIN(json_get_uint(server, "version_num", 0), 1000000);
    details->server.system_identifier =
        g_strdup(json_get_string(server, "system_identifier", NULL));
    details->server.data_checksums = json_get_bool(server, "data_checksums", FALSE);
    details->pg_dump_version = g_strdup(json_get_string(json, "pg_dump_version", "unknown"));
    details->archive_version_num = (int)MIN(json_get_uint(json, "pg_dump_version_num", 0), 1000000);
    strings_from_json(json, "roles", details->roles);
    strings_from_json(json, "tablespaces", details->tablespaces);
    details->globals = g_strdup(json_get_string(json, "globals", NULL));
    details->globals_passwords = json_get_bool(json, "globals_passwords", FALSE);
    if (!json_need_array(json, "databases", "the details", &databases, error))
        return FALSE;
    json_array_foreach(databases, index, entry)
    {
        PgDatabase *database;

        if (!pg_database_from_json(entry, &database, error))
            return FALSE;
        g_ptr_array_add(details->databases, database);
    }
    return TRUE;
}

/* JSON lines arrive in pieces that end anywhere. */
typedef struct {
    GString *line;
    PgDetails *details;
} LineReader;

static gboolean take_table_line(LineReader *reader, GError **error)
{
    g_autoptr(json_t) json =
        json_read_object(reader->line->str, reader->line->len, TABLES_STEM, error);
    PgTable *table;

    if (json == NULL || !pg_table_from_json(json, reader->details->databases, &table, error))
        return FALSE;
    g_ptr_array_add(reader->details->tables, table);
    g_string_truncate(reader->line, 0);
    return TRUE;
}

static gboolean take_table_bytes(const void *bytes, gsize length, gpointer data, GError **error)
{
    LineReader *reader = data;
    const char *at = bytes, *end = at + length;

    while (at < end) {
        const char *feed = memchr(at, '\n', (gsize)(end - at));
        const char *stop = feed != NULL ? feed : end;

        g_string_append_len(reader->line, at, stop - at);
        if (reader->line->len > LINE_LIMIT) {
            error_set(error, ERROR_LIMIT, "a line of " TABLES_STEM " is longer than 1 MiB");
            return FALSE;
        }
        if (feed == NULL)
            return TRUE;
        if (!take_table_line(reader, error))
            return FALSE;
        at = feed + 1;
    }
    return TRUE;
}

gboolean pg_details_read(Backup *backup, PgDetails **ret_details, GError **error)
{
    g_autoptr(PgDetails) details = pg_details_new();
    g_autoptr(json_t) json = read_details_json(backup, error);
    g_autoptr(GString) line = g_string_new(NULL);
    LineReader reader = {line, details};
    const char *path;

    if (json == NULL || !details_from_json(json, details, error))
        return FALSE;
    path = need_object(backup, TABLES_STEM, error);
    if (path == NULL || !backup_read_object(backup, path, take_table_bytes, &reader, NULL, error))
        return FALSE;
    if (line->len > 0) {
        error_set(error, ERROR_DAMAGED, "%s of backup %s ends in the middle of a line", path,
                  backup_id(backup));
        return FALSE;
    }
    *ret_details = g_steal_pointer(&details);
    return TRUE;
}
