/* SPDX-License-Identifier: Apache-2.0
 *
 * The details of a logical backup for `show`: the server, the databases and every table with its
 * rows.
 */
#include "postgres/inventory.h"
#include "postgres/logical.h"

static json_t *describe_databases(const PgDetails *details)
{
    json_t *array = json_array();

    for (guint i = 0; i < details->databases->len; i++)
        json_array_append_new(array, pg_database_to_json(g_ptr_array_index(details->databases, i)));
    return array;
}

static json_t *describe_tables(const PgDetails *details)
{
    g_autoptr(GHashTable) names = g_hash_table_new(NULL, NULL);
    json_t *array = json_array();

    for (guint i = 0; i < details->databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(details->databases, i);

        g_hash_table_insert(names, GUINT_TO_POINTER(database->oid), database->name);
    }
    for (guint i = 0; i < details->tables->len; i++) {
        const PgTable *table = g_ptr_array_index(details->tables, i);

        json_array_append_new(
            array,
            pg_table_to_json(table, g_hash_table_lookup(names, GUINT_TO_POINTER(table->database))));
    }
    return array;
}

json_t *pg_logical_describe(Backup *backup, GError **error)
{
    g_autoptr(PgDetails) details = NULL;
    json_t *json;

    if (!pg_details_read(backup, &details, error))
        return NULL;
    json = json_object();
    json_object_set_new(json, "server_version", json_text(details->server.version));
    json_object_set_new(json, "system_identifier", json_text(details->server.system_identifier));
    json_object_set_new(json, "pg_dump_version", json_text(details->pg_dump_version));
    json_object_set_new(json, "globals", json_text(details->globals));
    json_object_set_new(json, "databases", describe_databases(details));
    json_object_set_new(json, "tables", describe_tables(details));
    return json;
}
