/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of the inventory, and the objects of a database with their dependencies.
 */
#include "postgres/inventory.h"

#include "base/error.h"

#include <string.h>

static const char *const kind_names[] = {
    [PG_TABLE] = "table",
    [PG_TABLE_PARTITIONED] = "partitioned",
    [PG_TABLE_MATVIEW] = "matview",
    [PG_TABLE_FOREIGN] = "foreign",
    [PG_TABLE_EXTENSION] = "extension",
    [PG_TABLE_VIEW] = "view",
};

const char *pg_table_kind_name(PgTableKind kind)
{
    return kind_names[kind];
}

void pg_table_free(PgTable *table)
{
    if (table == NULL)
        return;
    g_free(table->schema);
    g_free(table->name);
    g_free(table->archive);
    g_free(table);
}

/* --- reading from a server -------------------------------------------------------------------- */

/* Extensions bring their own tables; pg_dump takes rows of those that the extension names as
 * configuration only. */
static const char tables_sql[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, "
    "       coalesce((SELECT i.inhparent FROM pg_catalog.pg_inherits i "
    "                 WHERE c.relispartition AND i.inhrelid = c.oid LIMIT 1), 0), "
    "       CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END, "
    "       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = "
    "'pg_catalog.pg_class'::regclass "
    "               AND d.objid = c.oid AND d.deptype = 'e') "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'm', 'f', 'v') AND c.relpersistence <> 't' "
    "  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ "
    "'^pg_(toast|temp_)' "
    "ORDER BY n.nspname, c.relname";

static PgTableKind kind_of(char relkind, gboolean extension)
{
    if (extension)
        return PG_TABLE_EXTENSION;
    switch (relkind) {
    case 'p':
        return PG_TABLE_PARTITIONED;
    case 'm':
        return PG_TABLE_MATVIEW;
    case 'f':
        return PG_TABLE_FOREIGN;
    case 'v':
        return PG_TABLE_VIEW;
    default:
        return PG_TABLE;
    }
}

typedef struct {
    GPtrArray *tables;
    guint32 database;
} TableReader;

static gboolean take_table(const PGresult *row, gpointer data, GError **error)
{
    TableReader *reader = data;
    PgTable *table = g_new0(PgTable, 1);

    table->oid = (guint32)pg_uint(row, 0, 0);
    table->database = reader->database;
    table->schema = g_strdup(pg_text(row, 0, 1));
    table->name = g_strdup(pg_text(row, 0, 2));
    table->kind = kind_of(pg_text(row, 0, 3)[0], pg_bool(row, 0, 6));
    table->parent = (guint32)pg_uint(row, 0, 4);
    table->bytes = pg_uint(row, 0, 5);
    table->counted = table->kind == PG_TABLE;
    g_ptr_array_add(reader->tables, table);
    return TRUE;
}

gboolean pg_tables_read(PgConnection *connection, guint32 database, GPtrArray **ret_tables,
                        GError **error)
{
    g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func((GDestroyNotify)pg_table_free);
    TableReader reader = {tables, database};

    if (!pg_query_each(connection, tables_sql, take_table, &reader, error))
        return FALSE;
    *ret_tables = g_steal_pointer(&tables);
    return TRUE;
}

void pg_tables_add_partitions(const GPtrArray *tables, guint32 database, GHashTable *oids)
{
    gboolean more = TRUE;

    while (more) {
        more = FALSE;
        for (guint i = 0; i < tables->len; i++) {
            const PgTable *table = g_ptr_array_index(tables, i);

            if (table->database == database && table->parent != 0 &&
                g_hash_table_contains(oids, GUINT_TO_POINTER(table->parent)))
                more |= g_hash_table_add(oids, GUINT_TO_POINTER(table->oid));
        }
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

json_t *pg_table_to_json(const PgTable *table, const char *database)
{
    json_t *json = json_object();
    g_autofree char *name = g_strconcat(table->schema, ".", table->name, NULL);

    json_object_set_new(json, "database", json_text(database));
    json_object_set_new(json, "name", json_text(name));
    json_object_set_new(json, "schema", json_text(table->schema));
    json_object_set_new(json, "table", json_text(table->name));
    json_object_set_new(json, "oid", json_integer(table->oid));
    json_object_set_new(json, "kind", json_string(pg_table_kind_name(table->kind)));
    if (table->parent != 0)
        json_object_set_new(json, "parent", json_integer(table->parent));
    if (table->counted)
        json_object_set_new(json, "rows", json_integer((json_int_t)table->rows));
    json_object_set_new(json, "bytes", json_integer((json_int_t)table->bytes));
    if (table->archive != NULL)
        json_object_set_new(json, "archive", json_text(table->archive));
    return json;
}

static gboolean kind_from_name(const char *name, PgTableKind *ret_kind)
{
    for (guint i = 0; i < G_N_ELEMENTS(kind_names); i++) {
        if (strcmp(kind_names[i], name) == 0) {
            *ret_kind = (PgTableKind)i;
            return TRUE;
        }
    }
    return FALSE;
}

static const PgDatabase *database_named(const GPtrArray *databases, const char *name)
{
    for (guint i = 0; i < databases->len; i++) {
        const PgDatabase *database = g_ptr_array_index(databases, i);

        if (strcmp(database->name, name) == 0)
            return database;
    }
    return NULL;
}

gboolean pg_table_from_json(const json_t *json, GPtrArray *databases, PgTable **ret_table,
                            GError **error)
{
    static const char what[] = "the details' list of tables";
    const char *database_name, *schema, *name, *kind;
    const PgDatabase *database;
    PgTableKind table_kind;
    guint64 oid, parent = json_get_uint(json, "parent", 0);
    PgTable *table;

    if (!json_need_string(json, "database", what, &database_name, error) ||
        !json_need_string(json, "schema", what, &schema, error) ||
        !json_need_string(json, "table", what, &name, error) ||
        !json_need_string(json, "kind", what, &kind, error) ||
        !json_need_uint(json, "oid", what, &oid, error))
        return FALSE;
    database = database_named(databases, database_name);
    if (database == NULL || oid > G_MAXUINT32 || parent > G_MAXUINT32 ||
        !kind_from_name(kind, &table_kind)) {
        error_set(error, ERROR_FORMAT, "%s: table %s.%s has an unknown database, kind or oid", what,
                  schema, name);
        return FALSE;
    }
    table = g_new0(PgTable, 1);
    table->oid = (guint32)oid;
    table->database = database->oid;
    table->schema = g_strdup(schema);
    table->name = g_strdup(name);
    table->kind = table_kind;
    table->parent = (guint32)parent;
    table->counted = json_is_integer(json_object_get(json, "rows"));
    table->rows = json_get_uint(json, "rows", 0);
    table->bytes = json_get_uint(json, "bytes", 0);
    table->archive = g_strdup(json_get_string(json, "archive", NULL));
    *ret_table = table;
    return TRUE;
}

/* --- objects and dependencies ----------------------------------------------------------------- */

/* First oid that is not given out by initdb (FirstNormalObjectId in PostgreSQL's
 * access/transam.h). */
#define FIRST_USER_OID "16384"

/* Whatever matters depends on something (its schema at least) or is depended upon, so that
 * pg_depend names it. */
const char pg_objects_sql[] =
    "SELECT x.classid, x.objid, i.type, i.identity FROM ("
    " SELECT classid, objid FROM pg_catalog.pg_depend WHERE objid >= " FIRST_USER_OID " UNION "
    " SELECT refclassid, refobjid FROM pg_catalog.pg_depend WHERE refobjid >= " FIRST_USER_OID
    ") x, "
    "LATERAL pg_catalog.pg_identify_object(x.classid, x.objid, 0) i "
    "WHERE i.type IS NOT NULL AND i.type NOT LIKE 'toast%' AND i.identity IS NOT NULL";

static const char edges_sql[] =
    "SELECT DISTINCT classid, objid, refclassid, refobjid, deptype FROM pg_catalog.pg_depend "
    "WHERE objid >= " FIRST_USER_OID " AND refobjid >= " FIRST_USER_OID
    "  AND (classid <> refclassid OR objid <> refobjid)";

static gboolean write_line(ObjectWriter *object, json_t *line, GError **error)
{
    g_autoptr(json_t) owned = line;
    g_autofree char *text = json_write(owned, FALSE);

    return object_writer_write(object, text, strlen(text), error);
}

static gboolean write_object(const PGresult *row, gpointer data, GError **error)
{
    return write_line(data,
                      json_pack("[s, I, I, o, o]", "o", (json_int_t)pg_uint(row, 0, 0),
                                (json_int_t)pg_uint(row, 0, 1), json_text(pg_text(row, 0, 2)),
                                json_text(pg_text(row, 0, 3))),
                      error);
}

static gboolean write_edge(const PGresult *row, gpointer data, GError **error)
{
    return write_line(data,
                      json_pack("[s, I, I, I, I, s]", "d", (json_int_t)pg_uint(row, 0, 0),
                                (json_int_t)pg_uint(row, 0, 1), (json_int_t)pg_uint(row, 0, 2),
                                (json_int_t)pg_uint(row, 0, 3), pg_text(row, 0, 4)),
                      error);
}

gboolean pg_objects_write(PgConnection *connection, ObjectWriter *object, GError **error)
{
    return pg_query_each(connection, pg_objects_sql, write_object, object, error) &&
           pg_query_each(connection, edges_sql, write_edge, object, error);
}
