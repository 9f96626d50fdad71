/* SPDX-License-Identifier: Apache-2.0
 *
 * What could make a restore fail, looked for before anything is changed: versions, privileges,
 * roles, tablespaces, extensions, locales, names, space.
 */
#include "postgres/restore-checks.h"

#include "base/error.h"
#include "base/file.h"
#include "base/size.h"
#include "postgres/globals.h"
#include "postgres/maintenance.h"
#include "postgres/restore-roles.h"

#include <string.h>

static void add_problem(PgRestorePlan *plan, ErrorCode code, const char *hint, const char *format,
                        ...) G_GNUC_PRINTF(4, 5);

static void add_problem(PgRestorePlan *plan, ErrorCode code, const char *hint, const char *format,
                        ...)
{
    g_autofree char *text = NULL;
    GError *problem = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    error_set(&problem, code, "%s", text);
    if (hint != NULL)
        error_add_hint(&problem, "%s", hint);
    engine_plan_problem(&plan->base, problem);
}

/* --- the server ------------------------------------------------------------------------------- */

static void check_version(PgRestorePlan *plan)
{
    int target = plan->server.version_num / 10000;
    int source = plan->details->server.version_num / 10000;

    if (plan->server.version_num < PG_VERSION_OLDEST)
        add_problem(plan, ERROR_UNSUPPORTED, NULL, "the server is postgresql %d, older than 13",
                    target);
    else if (target < source)
        engine_plan_warn(&plan->base,
                         "the backup comes from postgresql %d and goes to the older %d: what that "
                         "does not know will fail",
                         source, target);
}

static gboolean makes_database(const PgRestorePlan *plan)
{
    for (guint i = 0; i < plan->databases->len; i++)
        if (!((const PgDatabasePlan *)g_ptr_array_index(plan->databases, i))->merge)
            return TRUE;
    return FALSE;
}

static gboolean check_privileges(PgRestorePlan *plan, GError **error)
{
    g_autoptr(PGresult) result =
        pg_query(plan->connection,
                 "SELECT rolname, rolcreatedb OR rolsuper, pg_catalog.pg_is_in_recovery(), "
                 "  pg_catalog.current_setting('max_identifier_length')::pg_catalog.int8 "
                 "FROM pg_catalog.pg_roles WHERE rolname = current_user",
                 0, NULL, error);

    if (result == NULL)
        return FALSE;
    if (PQntuples(result) != 1) {
        error_set(error, ERROR_SERVER, "the server does not know its own user");
        return FALSE;
    }
    plan->longest_name = pg_int(result, 0, 3);
    if (pg_bool(result, 0, 2))
        add_problem(plan, ERROR_READ_ONLY, "restore to the primary",
                    "the server at %s is a standby and takes no writes",
                    pg_connection_server(plan->connection));
    if (!pg_bool(result, 0, 1) && makes_database(plan))
        add_problem(plan, ERROR_PRIVILEGE, "ALTER ROLE … CREATEDB, or restore as a superuser",
                    "role %s may not create databases", pg_text(result, 0, 0));
    if (!plan->server.superuser && plan->request->globals)
        add_problem(plan, ERROR_PRIVILEGE, "restore as a superuser, or without --globals",
                    "role %s is no superuser and cannot restore roles and tablespaces",
                    pg_text(result, 0, 0));
    return TRUE;
}

/* The statement in the script of roles and tablespaces that makes it, or NULL. */
static const PgGlobal *find_global(const PgRestorePlan *plan, PgGlobalKind kind, const char *name)
{
    for (guint i = 0; plan->globals != NULL && i < plan->globals->len; i++) {
        const PgGlobal *global = g_ptr_array_index(plan->globals, i);

        if (global->create && global->kind == kind && strcmp(global->name, name) == 0)
            return global;
    }
    return NULL;
}

/* Only a superuser may look into the server's file system. */
static gboolean check_new_tablespaces(PgRestorePlan *plan, GError **error)
{
    for (guint i = 0; plan->globals != NULL && i < plan->globals->len; i++) {
        const PgGlobal *global = g_ptr_array_index(plan->globals, i);
        const char *location = global->location;
        g_autoptr(PGresult) result = NULL;

        if (location == NULL || location[0] == '\0' || !plan->server.superuser ||
            g_hash_table_contains(plan->tablespaces, global->name))
            continue;
        result = pg_query(plan->connection, "SELECT isdir FROM pg_catalog.pg_stat_file($1, true)",
                          1, &location, error);
        if (result == NULL)
            return FALSE;
        if (PQntuples(result) == 0 || !pg_bool(result, 0, 0))
            add_problem(plan, ERROR_NOT_FOUND,
                        "make it on the database server, empty, owned by the server's user, mode "
                        "0700",
                        "directory %s of tablespace %s is not there", location, global->name);
    }
    return TRUE;
}

gboolean pg_restore_check_server(PgRestorePlan *plan, GError **error)
{
    check_version(plan);
    return check_privileges(plan, error) && check_new_tablespaces(plan, error);
}

/* --- one database ----------------------------------------------------------------------------- */

static void check_name(PgRestorePlan *plan, const PgDatabasePlan *database)
{
    if ((gint64)strlen(database->target) > plan->longest_name)
        add_problem(plan, ERROR_USAGE, "choose a shorter one with --to-database",
                    "the name %s is longer than %" G_GINT64_FORMAT " bytes", database->target,
                    plan->longest_name);
}

static void add_name(GString *names, const char *name)
{
    g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : "", name);
}

static void check_missing_roles(PgRestorePlan *plan, const PgDatabasePlan *database,
                                const PgScriptRoles *needed)
{
    const PgDatabase *source = database->source;
    g_autoptr(GString) missing = g_string_new(NULL);

    for (guint i = 0; i < source->roles->len; i++) {
        const char *role = g_ptr_array_index(source->roles, i);

        if ((database->selection == NULL || g_hash_table_contains(needed->named, role)) &&
            !g_hash_table_contains(plan->roles, role) &&
            find_global(plan, PG_GLOBAL_ROLE, role) == NULL)
            add_name(missing, role);
    }
    if (missing->len > 0)
        add_problem(plan, ERROR_NOT_FOUND,
                    "--globals creates the backup's roles, --no-owner does without them",
                    "roles of database %s are not there: %s", source->name, missing->str);
}

/* An ordinary role gives objects to those roles only that it is a member of. */
static gboolean check_membership(PgRestorePlan *plan, const PgDatabasePlan *database,
                                 const PgScriptRoles *needed, GError **error)
{
    const char *sql = plan->server.version_num >= 160000
                          ? "SELECT pg_catalog.pg_has_role($1::pg_catalog.name, 'SET')"
                          : "SELECT pg_catalog.pg_has_role($1::pg_catalog.name, 'MEMBER')";
    g_autoptr(GString) others = g_string_new(NULL);
    g_autoptr(GList) owners =
        g_list_sort(g_hash_table_get_keys(needed->owners), (GCompareFunc)(void (*)(void))strcmp);

    for (const GList *at = owners; at != NULL; at = at->next) {
        const char *owner = at->data;
        g_autoptr(PGresult) result = NULL;

        if (!g_hash_table_contains(plan->roles, owner))
            continue;
        result = pg_query(plan->connection, sql, 1, &owner, error);
        if (result == NULL)
            return FALSE;
        if (!pg_bool(result, 0, 0))
            add_name(others, owner);
    }
    if (others->len > 0)
        add_problem(plan, ERROR_PRIVILEGE,
                    "--no-owner makes it the owner of everything; or GRANT it these roles, or "
                    "restore as a superuser",
                    "the restoring role is no superuser and no member of roles that own objects "
                    "of database %s: %s",
                    database->source->name, others->str);
    return TRUE;
}

/* Who is named in what will be run. The database's own owner is, unless the database is there. */
static gboolean read_script_roles(const PgRestorePlan *plan, const PgDatabasePlan *database,
                                  PgScriptRoles **ret_roles, GError **error)
{
    const EngineRestore *request = plan->request;
    PgLoad load = pg_restore_load(plan, NULL);
    g_autofree char *script = NULL;
    FILE_AUTO_FD list = -1;

    if (database->selection != NULL && !pg_load_list_file(database->selection->schema_list,
                                                          request->scratch_directory, &list, error))
        return FALSE;
    if (!pg_load_text(&load, database->source->schema_archive, list, &script, request->cancellable,
                      error))
        return FALSE;
    *ret_roles = pg_script_roles(script);
    if (!database->merge) {
        g_hash_table_add((*ret_roles)->named, g_strdup(database->source->owner));
        g_hash_table_add((*ret_roles)->owners, g_strdup(database->source->owner));
    }
    return TRUE;
}

static gboolean check_roles(PgRestorePlan *plan, const PgDatabasePlan *database, GError **error)
{
    g_autoptr(PgScriptRoles) needed = NULL;

    if (plan->request->no_owner || plan->pg_restore == NULL)
        return TRUE;
    if ((database->selection != NULL || !plan->server.superuser) &&
        !read_script_roles(plan, database, &needed, error))
        return FALSE;
    check_missing_roles(plan, database, needed);
    return plan->server.superuser || check_membership(plan, database, needed, error);
}

static void check_tablespace(PgRestorePlan *plan, const PgDatabase *source, const char *name)
{
    if (g_hash_table_contains(plan->tablespaces, name) ||
        find_global(plan, PG_GLOBAL_TABLESPACE, name) != NULL)
        return;
    add_problem(plan, ERROR_NOT_FOUND,
                "--globals creates it where its directory is there; or CREATE TABLESPACE",
                "tablespace %s of database %s is not there", name, source->name);
}

/* Which of a database's tablespaces single tables need is not recorded: there a missing one may not
 * matter. */
static void check_tablespaces(PgRestorePlan *plan, const PgDatabasePlan *database)
{
    const PgDatabase *source = database->source;

    if (!database->merge)
        check_tablespace(plan, source, source->tablespace);
    for (guint i = 0; i < source->tablespaces->len; i++) {
        const char *name = g_ptr_array_index(source->tablespaces, i);

        if (database->selection == NULL)
            check_tablespace(plan, source, name);
        else if (!g_hash_table_contains(plan->tablespaces, name))
            engine_plan_warn(&plan->base,
                             "tablespace %s is not there: tables of database %s that were in it "
                             "cannot be restored",
                             name, source->name);
    }
}

/* Identities are quoted where a name needs it. */
static gboolean brings_extension(const PgDatabasePlan *database, const char *name)
{
    const PgSelection *selection = database->selection;
    g_autofree char *quoted = g_strdup_printf("\"%s\"", name);

    if (selection == NULL)
        return TRUE;
    for (guint i = 0; i < selection->extensions->len; i++) {
        const char *identity = g_ptr_array_index(selection->extensions, i);

        if (strcmp(identity, name) == 0 || strcmp(identity, quoted) == 0)
            return TRUE;
    }
    return FALSE;
}

static gboolean check_extensions(PgRestorePlan *plan, const PgDatabasePlan *database,
                                 GError **error)
{
    const GPtrArray *extensions = database->source->extensions;

    for (guint i = 0; i < extensions->len; i++) {
        const PgExtension *extension = g_ptr_array_index(extensions, i);
        const char *name = extension->name;
        g_autoptr(PGresult) result = NULL;

        if (!brings_extension(database, name))
            continue;
        result = pg_query(plan->connection,
                          "SELECT e.default_version, EXISTS (SELECT FROM "
                          "  pg_catalog.pg_available_extension_versions v WHERE v.name = e.name "
                          "  AND v.version = e.default_version AND v.superuser AND NOT v.trusted) "
                          "FROM pg_catalog.pg_available_extensions e WHERE e.name = $1",
                          1, &name, error);
        if (result == NULL)
            return FALSE;
        if (PQntuples(result) == 0)
            add_problem(plan, ERROR_NOT_FOUND,
                        "install its package on the database server, then run this again",
                        "extension %s of database %s is not available at %s", name,
                        database->source->name, pg_connection_server(plan->connection));
        else if (pg_bool(result, 0, 1) && !plan->server.superuser)
            add_problem(plan, ERROR_PRIVILEGE, "restore as a superuser",
                        "only a superuser may create extension %s of database %s", name,
                        database->source->name);
        else if (g_strcmp0(pg_text(result, 0, 0), extension->version) != 0)
            engine_plan_warn(&plan->base,
                             "extension %s comes in version %s; the backup was made with %s", name,
                             pg_text(result, 0, 0), extension->version);
    }
    return TRUE;
}

/* Whether the operating system knows a locale is only found out by using it: as a temporary
 * collation in a transaction that is rolled back. Collations belong to an encoding, so that this
 * works only where ours is the same. */
static gboolean probe_locale(PgRestorePlan *plan, const PgDatabase *source, gboolean *ret_there,
                             GError **error)
{
    g_autofree char *collate = pg_quote_literal(source->collate);
    g_autofree char *ctype = pg_quote_literal(source->ctype);
    g_autoptr(GError) refusal = NULL;

    if (!pg_execute(plan->connection, "BEGIN", error))
        return FALSE;
    *ret_there = pg_execute_format(plan->connection, &refusal,
                                   "CREATE COLLATION pg_temp.holdfast_probe "
                                   "(PROVIDER = libc, LC_COLLATE = %s, LC_CTYPE = %s)",
                                   collate, ctype);
    /* Only an answer about the locale counts: a role that may not make temporary objects learns at
     * CREATE DATABASE. */
    if (!*ret_there && !error_is(refusal, ERROR_SERVER) && !error_is(refusal, ERROR_NOT_FOUND))
        *ret_there = TRUE;
    return pg_execute(plan->connection, "ROLLBACK", error);
}

static gboolean check_locale(PgRestorePlan *plan, const PgDatabase *source, GError **error)
{
    g_autofree char *encoding = NULL;
    gboolean there = TRUE;

    if (plan->server.version_num < 150000 && strcmp(source->provider, "libc") != 0)
        add_problem(plan, ERROR_UNSUPPORTED, "restore to postgresql 15 or newer",
                    "database %s sorts by %s, which postgresql %d cannot", source->name,
                    source->provider, plan->server.version_num / 10000);
    if (plan->server.version_num < 170000 && strcmp(source->provider, "builtin") == 0)
        add_problem(plan, ERROR_UNSUPPORTED, "restore to postgresql 17 or newer",
                    "database %s sorts by a builtin locale, which postgresql %d does not have",
                    source->name, plan->server.version_num / 10000);
    if (!pg_query_value(plan->connection, "SELECT pg_catalog.current_setting('server_encoding')",
                        &encoding, error))
        return FALSE;
    if (g_strcmp0(encoding, source->encoding) != 0)
        return TRUE;
    if (!probe_locale(plan, source, &there, error))
        return FALSE;
    if (!there)
        add_problem(plan, ERROR_NOT_FOUND,
                    "make it on the database server (Debian: dpkg-reconfigure locales), restart "
                    "postgresql",
                    "locale %s of database %s is not there", source->collate, source->name);
    return TRUE;
}

/* An index on text is only good under the rules that it was sorted by. A restore sorts anew;
 * people's own sorted files do not. */
static gboolean check_collation_version(PgRestorePlan *plan, const PgDatabase *source,
                                        GError **error)
{
    g_autoptr(PGresult) result = NULL;
    const char *parameters[] = {source->collate, source->encoding};

    if (source->collation_version == NULL || plan->server.version_num < 150000)
        return TRUE;
    result = pg_query(plan->connection,
                      "SELECT pg_catalog.pg_database_collation_actual_version(oid) "
                      "FROM pg_catalog.pg_database WHERE datcollate = $1 "
                      "AND pg_catalog.pg_encoding_to_char(encoding) = $2 LIMIT 1",
                      2, parameters, error);
    if (result == NULL)
        return FALSE;
    if (PQntuples(result) > 0 && pg_text(result, 0, 0) != NULL &&
        strcmp(pg_text(result, 0, 0), source->collation_version) != 0)
        engine_plan_warn(&plan->base,
                         "text of database %s sorts by version %s of locale %s here; the backup "
                         "was made with %s (its indexes are built anew)",
                         source->name, pg_text(result, 0, 0), source->collate,
                         source->collation_version);
    return TRUE;
}

/* Where the data directory can be looked at from here, the new database must fit beside the old
 * one. What it takes is guessed by what it took; a database that was bloated takes less. */
static gboolean check_space(PgRestorePlan *plan, const PgDatabasePlan *database, GError **error)
{
    const char *host = PQhost(pg_connection_handle(plan->connection));
    g_autoptr(PGresult) result = NULL;
    g_autofree char *free_text = NULL, *need_text = NULL;
    guint64 space, need = database->source->size;

    if (host == NULL || host[0] != '/' || !plan->server.superuser)
        return TRUE;
    if (database->selection != NULL)
        need = database->bytes;
    result = pg_query(plan->connection, "SELECT pg_catalog.current_setting('data_directory')", 0,
                      NULL, error);
    if (result == NULL)
        return FALSE;
    if (!file_free_space(pg_text(result, 0, 0), &space, NULL) || space >= need)
        return TRUE;
    free_text = size_format(space);
    need_text = size_format(need);
    if (space < need / 2)
        add_problem(plan, ERROR_NO_SPACE, "free some space there",
                    "database %s took %s, and %s has only %s left", database->source->name,
                    need_text, pg_text(result, 0, 0), free_text);
    else
        engine_plan_warn(&plan->base, "database %s took %s, and %s has only %s left",
                         database->source->name, need_text, pg_text(result, 0, 0), free_text);
    return TRUE;
}

gboolean pg_restore_check_database(PgRestorePlan *plan, const PgDatabasePlan *database,
                                   GError **error)
{
    const PgDatabase *source = database->source;

    check_name(plan, database);
    if (!check_roles(plan, database, error))
        return FALSE;
    check_tablespaces(plan, database);
    if (!check_extensions(plan, database, error) || !check_space(plan, database, error))
        return FALSE;
    return database->merge ||
           (check_locale(plan, source, error) && check_collation_version(plan, source, error));
}
