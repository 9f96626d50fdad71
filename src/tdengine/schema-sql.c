/* SPDX-License-Identifier: Apache-2.0
 *
 * The readable form of the schema.
 */
#include "tdengine/schema-sql.h"

#include <string.h>

#include "tdengine/ddl.h"

static const CompressSpec plain = {CODEC_NONE, 0};

/* A comment line must stay one, whatever a name holds. */
static void append_comment(GString *sql, const char *text)
{
    g_autofree char *line = g_strdup(text);

    g_strdelimit(line, "\r\n", ' ');
    g_string_append_printf(sql, "-- %s\n", line);
}

/* What cannot be made again stands there as a comment. */
static void append_object(GString *sql, const TdObject *object)
{
    if (object->reason != NULL) {
        g_autofree char *text = g_strdup_printf("%s %s: %s", td_object_kind_name(object->kind),
                                                object->name, object->reason);

        append_comment(sql, text);
    }
    if (object->sql != NULL)
        g_string_append_printf(sql, "%s;\n", object->sql);
}

static void append_objects(GString *sql, const TdDetails *details, const char *database)
{
    for (guint i = 0; i < details->objects->len; i++) {
        const TdObject *object = g_ptr_array_index(details->objects, i);

        if (g_strcmp0(object->database, database) == 0)
            append_object(sql, object);
    }
}

static void append_tables(GString *sql, const TdDetails *details, const char *database)
{
    const TdDdlOptions options = {.encoding = TRUE};

    for (guint i = 0; i < details->tables->len; i++) {
        const TdTable *table = g_ptr_array_index(details->tables, i);
        g_autofree char *statement = NULL;

        if (strcmp(table->database, database) != 0)
            continue;
        statement = td_table_ddl(table, database, &options);
        g_string_append_printf(sql, "%s;\n", statement);
    }
}

static gboolean put(BackupWriter *writer, const char *path, const GString *sql, GError **error)
{
    return backup_writer_put(writer, path, plain, sql->str, sql->len, error);
}

static gboolean write_database(const TdDetails *details, guint index, BackupWriter *writer,
                               GError **error)
{
    const TdDatabase *database = g_ptr_array_index(details->databases, index);
    g_autofree char *path = g_strdup_printf("schema/database-%u.sql", index);
    g_autofree char *create = td_database_ddl(database, database->name);
    g_autoptr(GString) sql = g_string_new(NULL);

    append_comment(sql, database->name);
    if (create != NULL)
        g_string_append_printf(sql, "%s;\n", create);
    append_tables(sql, details, database->name);
    append_objects(sql, details, database->name);
    return put(writer, path, sql, error);
}

gboolean td_schema_sql_write(const TdDetails *details, BackupWriter *writer, GError **error)
{
    g_autoptr(GString) server = g_string_new(NULL);

    for (guint i = 0; i < details->databases->len; i++)
        if (!write_database(details, i, writer, error))
            return FALSE;
    append_objects(server, details, NULL);
    return server->len == 0 || put(writer, "schema/server.sql", server, error);
}
