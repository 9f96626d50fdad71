/* SPDX-License-Identifier: Apache-2.0
 *
 * Server and databases of the inventory: read from a server, kept as JSON.
 */
#include "postgres/inventory.h"

#include "base/error.h"

#include <string.h>

/* --- server ----------------------------------------------------------------------------------- */

gboolean pg_server_read(PgConnection *connection, PgServer *ret_server, GError **error)
{
    g_autoptr(PGresult) result = NULL;
    g_autoptr(PGresult) control = NULL;

    result = pg_query(connection,
                      "SELECT pg_catalog.current_setting('server_version'),"
                      "       pg_catalog.current_setting('data_checksums') = 'on',"
                      "       coalesce((SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = "
                      "current_user), false)",
                      0, NULL, error);
    if (result == NULL)
        return FALSE;
    /* The function may be withdrawn from ordinary roles: then the identifier stays unknown. */
    control = pg_query(connection, "SELECT system_identifier FROM pg_catalog.pg_control_system()",
                       0, NULL, NULL);
    if (control == NULL && !pg_connection_alive(connection)) {
        error_set(error, ERROR_UNREACHABLE, "lost the connection to postgresql at %s",
                  pg_connection_server(connection));
        return FALSE;
    }
    *ret_server = (PgServer){
        .version = g_strdup(pg_text(result, 0, 0)),
        .version_num = pg_connection_version(connection),
        .system_identifier = control != NULL ? g_strdup(pg_text(control, 0, 0)) : NULL,
        .data_checksums = pg_bool(result, 0, 1),
        .superuser = pg_bool(result, 0, 2),
    };
    return TRUE;
}

void pg_server_clear(PgServer *server)
{
    g_clear_pointer(&server->version, g_free);
    g_clear_pointer(&server->system_identifier, g_free);
}

/* --- databases: life and reading -------------------------------------------------------------- */

static void grant_free(gpointer data)
{
    PgGrant *grant = data;

    g_free(grant->grantee);
    g_free(grant->grantor);
    g_free(grant->privilege);
    g_free(grant);
}

static void extension_free(gpointer data)
{
    PgExtension *extension = data;

    g_free(extension->name);
    g_free(extension->version);
    g_free(extension->schema);
    g_free(extension);
}

static PgDatabase *database_new(void)
{
    PgDatabase *database = g_new0(PgDatabase, 1);

    database->grants = g_ptr_array_new_with_free_func(grant_free);
    database->settings = g_ptr_array_new_with_free_func(g_free);
    database->extensions = g_ptr_array_new_with_free_func(extension_free);
    database->roles = g_ptr_array_new_with_free_func(g_free);
    database->tablespaces = g_ptr_array_new_with_free_func(g_free);
    return database;
}

void pg_database_free(PgDatabase *database)
{
    if (database == NULL)
        return;
    g_free(database->name);
    g_free(database->owner);
    g_free(database->encoding);
    g_free(database->provider);
    g_free(database->collate);
    g_free(database->ctype);
    g_free(database->locale);
    g_free(database->icu_rules);
    g_free(database->collation_version);
    g_free(database->tablespace);
    g_free(database->comment);
    g_ptr_array_unref(database->grants);
    g_ptr_array_unref(database->settings);
    g_ptr_array_unref(database->extensions);
    g_ptr_array_unref(database->roles);
    g_ptr_array_unref(database->tablespaces);
    g_free(database->snapshot);
    g_free(database->schema_archive);
    g_free(database->rest_archive);
    g_free(database->objects_path);
    g_free(database);
}

gboolean pg_database_names(PgConnection *connection, GPtrArray **ret_names, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(PGresult) result = pg_query(connection,
                                          "SELECT datname FROM pg_catalog.pg_database WHERE "
                                          "datallowconn AND NOT datistemplate ORDER BY datname",
                                          0, NULL, error);

    if (result == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(result); row++)
        g_ptr_array_add(names, g_strdup(pg_text(result, row, 0)));
    *ret_names = g_steal_pointer(&names);
    return TRUE;
}

/* What the versions call the same: locale provider from 15, ICU rules from 16, one locale column
 * from 17. */
static char *database_sql(int version)
{
    const char *provider =
        version >= 150000 ? "CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' "
                            "ELSE 'libc' END"
                          : "'libc'";
    const char *locale = version >= 170000   ? "d.datlocale"
                         : version >= 150000 ? "d.daticulocale"
                                             : "NULL";
    const char *rules = version >= 160000 ? "d.daticurules" : "NULL";
    const char *collation_version = version >= 150000 ? "d.datcollversion" : "NULL";

    return g_strdup_printf(
        "SELECT d.oid, d.datname, pg_catalog.pg_get_userbyid(d.datdba), "
        "pg_catalog.pg_encoding_to_char(d.encoding), "
        "%s, d.datcollate, d.datctype, %s, %s, %s, t.spcname, d.datconnlimit, d.datistemplate, "
        "pg_catalog.shobj_description(d.oid, 'pg_database'), d.datacl IS NULL, "
        "pg_catalog.pg_database_size(d.oid), "
        "(SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) "
        "FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace "
        "WHERE d.datname = pg_catalog.current_database()",
        provider, locale, rules, collation_version);
}

static gboolean read_database_row(PgConnection *connection, PgDatabase *database, GError **error)
{
    g_autofree char *sql = database_sql(pg_connection_version(connection));
    g_autoptr(PGresult) row = pg_query(connection, sql, 0, NULL, error);

    if (row == NULL)
        return FALSE;
    if (PQntuples(row) != 1) {
        error_set(error, ERROR_VANISHED, "database %s is gone", pg_connection_database(connection));
        return FALSE;
    }
    database->oid = (guint32)pg_uint(row, 0, 0);
    database->name = g_strdup(pg_text(row, 0, 1));
    database->owner = g_strdup(pg_text(row, 0, 2));
    database->encoding = g_strdup(pg_text(row, 0, 3));
    database->provider = g_strdup(pg_text(row, 0, 4));
    database->collate = g_strdup(pg_text(row, 0, 5));
    database->ctype = g_strdup(pg_text(row, 0, 6));
    database->locale = g_strdup(pg_text(row, 0, 7));
    database->icu_rules = g_strdup(pg_text(row, 0, 8));
    database->collation_version = g_strdup(pg_text(row, 0, 9));
    database->tablespace = g_strdup(pg_text(row, 0, 10));
    database->connection_limit = pg_int(row, 0, 11);
    database->is_template = pg_bool(row, 0, 12);
    database->comment = g_strdup(pg_text(row, 0, 13));
    database->default_acl = pg_bool(row, 0, 14);
    database->size = pg_uint(row, 0, 15);
    database->large_objects = pg_uint(row, 0, 16);
    return TRUE;
}

static gboolean read_grants(PgConnection *connection, PgDatabase *database, GError **error)
{
    g_autoptr(PGresult) result = pg_query(
        connection,
        "SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END, "
        "pg_catalog.pg_get_userbyid(a.grantor), a.privilege_type, a.is_grantable "
        "FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a "
        "WHERE d.datname = pg_catalog.current_database() ORDER BY 1, 2, 3",
        0, NULL, error);

    if (result == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(result); row++) {
        PgGrant *grant = g_new0(PgGrant, 1);

        grant->grantee = g_strdup(pg_text(result, row, 0));
        grant->grantor = g_strdup(pg_text(result, row, 1));
        grant->privilege = g_strdup(pg_text(result, row, 2));
        grant->grantable = pg_bool(result, row, 3);
        g_ptr_array_add(database->grants, grant);
    }
    return TRUE;
}

static gboolean read_extensions(PgConnection *connection, PgDatabase *database, GError **error)
{
    g_autoptr(PGresult) result =
        pg_query(connection,
                 "SELECT e.extname, e.extversion, n.nspname FROM pg_catalog.pg_extension e "
                 "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1",
                 0, NULL, error);

    if (result == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(result); row++) {
        PgExtension *extension = g_new0(PgExtension, 1);

        extension->name = g_strdup(pg_text(result, row, 0));
        extension->version = g_strdup(pg_text(result, row, 1));
        extension->schema = g_strdup(pg_text(result, row, 2));
        g_ptr_array_add(database->extensions, extension);
    }
    return TRUE;
}

/* One column of text into an array of strings. */
static gboolean read_names(PgConnection *connection, const char *sql, GPtrArray *names,
                           GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, sql, 0, NULL, error);

    if (result == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(result); row++)
        g_ptr_array_add(names, g_strdup(pg_text(result, row, 0)));
    return TRUE;
}

static const char settings_sql[] =
    "SELECT CASE s.setrole WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(s.setrole) || E'\\t' END "
    "|| "
    "       pg_catalog.split_part(c, '=', 1) || E'\\t' || "
    "       pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) "
    "FROM pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) c "
    "WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = "
    "pg_catalog.current_database()) "
    "ORDER BY 1";

/* pg_shdepend knows every role but the one that initdb made, hence the owners behind it. */
static const char roles_sql[] =
    "WITH db AS (SELECT oid, datdba FROM pg_catalog.pg_database WHERE datname = "
    "pg_catalog.current_database()) "
    "SELECT DISTINCT r.rolname FROM pg_catalog.pg_roles r WHERE r.oid IN ("
    " SELECT s.refobjid FROM pg_catalog.pg_shdepend s, db WHERE s.refclassid = "
    "'pg_catalog.pg_authid'::regclass "
    "  AND (s.dbid = db.oid OR (s.classid = 'pg_catalog.pg_database'::regclass AND s.objid = "
    "db.oid)) "
    " UNION SELECT datdba FROM db "
    " UNION SELECT relowner FROM pg_catalog.pg_class WHERE oid >= 16384 AND relpersistence <> 't' "
    " UNION SELECT nspowner FROM pg_catalog.pg_namespace WHERE oid >= 16384 AND nspname !~ "
    "'^pg_(toast_)?temp_' "
    " UNION SELECT proowner FROM pg_catalog.pg_proc WHERE oid >= 16384 "
    " UNION SELECT typowner FROM pg_catalog.pg_type WHERE oid >= 16384 "
    " UNION SELECT setrole FROM pg_catalog.pg_db_role_setting, db WHERE setdatabase = db.oid) "
    "ORDER BY 1";

static const char tablespaces_sql[] =
    "SELECT DISTINCT t.spcname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_tablespace t ON t.oid "
    "= c.reltablespace "
    "WHERE c.oid >= 16384 AND t.spcname <> 'pg_global' ORDER BY 1";

gboolean pg_database_read(PgConnection *connection, PgDatabase **ret_database, GError **error)
{
    g_autoptr(PgDatabase) database = database_new();

    if (!read_database_row(connection, database, error) ||
        !read_grants(connection, database, error) ||
        !read_extensions(connection, database, error) ||
        !read_names(connection, settings_sql, database->settings, error) ||
        !read_names(connection, roles_sql, database->roles, error) ||
        !read_names(connection, tablespaces_sql, database->tablespaces, error))
        return FALSE;
    *ret_database = g_steal_pointer(&database);
    return TRUE;
}

/* --- databases: JSON -------------------------------------------------------------------------- */

static json_t *names_to_json(const GPtrArray *names)
{
    json_t *array = json_array();

    for (guint i = 0; i < names->len; i++)
        json_array_append_new(array, json_text(g_ptr_array_index(names, i)));
    return array;
}

json_t *pg_database_to_json(const PgDatabase *database)
{
    json_t *json = json_object();
    json_t *grants = json_array(), *extensions = json_array();

    for (guint i = 0; i < database->grants->len; i++) {
        const PgGrant *grant = g_ptr_array_index(database->grants, i);

        json_array_append_new(grants, json_pack("{s:o, s:o, s:o, s:b}", "grantee",
                                                json_text(grant->grantee), "grantor",
                                                json_text(grant->grantor), "privilege",
                                                json_text(grant->privilege), "grantable",
                                                grant->grantable));
    }
    for (guint i = 0; i < database->extensions->len; i++) {
        const PgExtension *extension = g_ptr_array_index(database->extensions, i);

        json_array_append_new(extensions,
                              json_pack("{s:o, s:o, s:o}", "name", json_text(extension->name),
                                        "version", json_text(extension->version), "schema",
                                        json_text(extension->schema)));
    }
    json_object_set_new(json, "name", json_text(database->name));
    json_object_set_new(json, "oid", json_integer(database->oid));
    json_object_set_new(json, "owner", json_text(database->owner));
    json_object_set_new(json, "encoding", json_text(database->encoding));
    json_object_set_new(json, "locale_provider", json_text(database->provider));
    json_object_set_new(json, "collate", json_text(database->collate));
    json_object_set_new(json, "ctype", json_text(database->ctype));
    json_object_set_new(json, "locale", json_text(database->locale));
    json_object_set_new(json, "icu_rules", json_text(database->icu_rules));
    json_object_set_new(json, "collation_version", json_text(database->collation_version));
    json_object_set_new(json, "tablespace", json_text(database->tablespace));
    json_object_set_new(json, "connection_limit", json_integer(database->connection_limit));
    json_object_set_new(json, "template", json_boolean(database->is_template));
    json_object_set_new(json, "comment", json_text(database->comment));
    json_object_set_new(json, "default_grants", json_boolean(database->default_acl));
    json_object_set_new(json, "grants", grants);
    json_object_set_new(json, "settings", names_to_json(database->settings));
    json_object_set_new(json, "extensions", extensions);
    json_object_set_new(json, "roles", names_to_json(database->roles));
    json_object_set_new(json, "tablespaces", names_to_json(database->tablespaces));
    json_object_set_new(json, "size", json_integer((json_int_t)database->size));
    json_object_set_new(json, "large_objects", json_integer((json_int_t)database->large_objects));
    json_object_set_new(json, "snapshot", json_text(database->snapshot));
    json_object_set_new(json, "snapshot_time", json_integer(database->snapshot_time));
    json_object_set_new(json, "schema_archive", json_text(database->schema_archive));
    json_object_set_new(json, "rest_archive", json_text(database->rest_archive));
    json_object_set_new(json, "objects", json_text(database->objects_path));
    return json;
}

static void names_from_json(const json_t *json, const char *key, GPtrArray *names)
{
    json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(json, key), index, entry)
    {
        if (json_is_string(entry))
            g_ptr_array_add(names, g_strdup(json_string_value(entry)));
    }
}

static void grants_from_json(const json_t *json, GPtrArray *grants)
{
    json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(json, "grants"), index, entry)
    {
        PgGrant *grant = g_new0(PgGrant, 1);

        grant->grantee = g_strdup(json_get_string(entry, "grantee", ""));
        grant->grantor = g_strdup(json_get_string(entry, "grantor", ""));
        grant->privilege = g_strdup(json_get_string(entry, "privilege", ""));
        grant->grantable = json_get_bool(entry, "grantable", FALSE);
        g_ptr_array_add(grants, grant);
    }
}

static void extensions_from_json(const json_t *json, GPtrArray *extensions)
{
    json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(json, "extensions"), index, entry)
    {
        PgExtension *extension = g_new0(PgExtension, 1);

        extension->name = g_strdup(json_get_string(entry, "name", ""));
        extension->version = g_strdup(json_get_string(entry, "version", ""));
        extension->schema = g_strdup(json_get_string(entry, "schema", ""));
        g_ptr_array_add(extensions, extension);
    }
}

gboolean pg_database_from_json(const json_t *json, PgDatabase **ret_database, GError **error)
{
    static const char what[] = "the details' list of databases";
    g_autoptr(PgDatabase) database = database_new();
    const char *name, *schema, *rest, *objects;
    guint64 oid;

    if (!json_need_string(json, "name", what, &name, error) ||
        !json_need_uint(json, "oid", what, &oid, error) ||
        !json_need_string(json, "schema_archive", what, &schema, error) ||
        !json_need_string(json, "rest_archive", what, &rest, error) ||
        !json_need_string(json, "objects", what, &objects, error))
        return FALSE;
    if (oid > G_MAXUINT32) {
        error_set(error, ERROR_FORMAT, "%s: oid of %s is out of range", what, name);
        return FALSE;
    }
    database->oid = (guint32)oid;
    database->name = g_strdup(name);
    database->owner = g_strdup(json_get_string(json, "owner", ""));
    database->encoding = g_strdup(json_get_string(json, "encoding", "UTF8"));
    database->provider = g_strdup(json_get_string(json, "locale_provider", "libc"));
    database->collate = g_strdup(json_get_string(json, "collate", "C"));
    database->ctype = g_strdup(json_get_string(json, "ctype", "C"));
    database->locale = g_strdup(json_get_string(json, "locale", NULL));
    database->icu_rules = g_strdup(json_get_string(json, "icu_rules", NULL));
    database->collation_version = g_strdup(json_get_string(json, "collation_version", NULL));
    database->tablespace = g_strdup(json_get_string(json, "tablespace", "pg_default"));
    database->connection_limit = json_is_integer(json_object_get(json, "connection_limit"))
                                     ? json_integer_value(json_object_get(json, "connection_limit"))
                                     : -1;
    database->is_template = json_get_bool(json, "template", FALSE);
    database->comment = g_strdup(json_get_string(json, "comment", NULL));
    database->default_acl = json_get_bool(json, "default_grants", TRUE);
    grants_from_json(json, database->grants);
    names_from_json(json, "settings", database->settings);
    extensions_from_json(json, database->extensions);
    names_from_json(json, "roles", database->roles);
    names_from_json(json, "tablespaces", database->tablespaces);
    database->size = json_get_uint(json, "size", 0);
    database->large_objects = json_get_uint(json, "large_objects", 0);
    database->snapshot = g_strdup(json_get_string(json, "snapshot", NULL));
    database->snapshot_time = (gint64)json_get_uint(json, "snapshot_time", 0);
    database->schema_archive = g_strdup(schema);
    database->rest_archive = g_strdup(rest);
    database->objects_path = g_strdup(objects);
    *ret_database = g_steal_pointer(&database);
    return TRUE;
}
