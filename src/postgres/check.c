/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking at a PostgreSQL source before it matters: can it be reached, read, dumped, and will the
 * backup fit?
 */
#include "postgres/check.h"

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "postgres/check-physical.h"
#include "postgres/client.h"
#include "postgres/fact.h"
#include "postgres/inventory.h"
#include "postgres/maintenance.h"

#include <string.h>

/* A clock further off than this makes target times of a recovery mean something else than the user
 * thinks. */
#define SKEW_WARNING (2 * TIME_SECOND)
/* What a compressed dump takes of the database's size on disk, without indexes and dead rows, on
 * the safe side. */
#define DUMP_SHARE 0.4

typedef struct {
    const ConfigSource *source;
    guint64 repository_free;
    PgFacts facts;
    GCancellable *cancellable;
    PgConnection *connection;
} Check;

/* --- the single facts ------------------------------------------------------------------------- */

static void check_server(const Check *check)
{
    g_autoptr(GError) error = NULL;
    PgServer server = {0};

    if (!pg_server_read(check->connection, &server, &error)) {
        pg_fact_error(&check->facts, "server", error);
        return;
    }
    pg_fact(&check->facts, FACT_OK, "connection", NULL, "server %s at %s", server.version,
            pg_connection_server(check->connection));
    if (server.version_num < PG_VERSION_OLDEST)
        pg_fact(&check->facts, FACT_FAILED, "version", "upgrade the server",
                "versions before 13 are not supported");
    else
        pg_fact(&check->facts, FACT_OK, "version", NULL, "%d is supported",
                server.version_num / 10000);
    if (!server.superuser)
        pg_fact(&check->facts, FACT_WARNING, "globals",
                "connect as a superuser to have them in the backup",
                "roles will be backed up without their passwords");
    pg_server_clear(&server);
}

static void check_client(const Check *check)
{
    const char *const programs[] = {"pg_dump", "pg_dumpall", "pg_restore", "psql"};

    for (guint i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *path = NULL;
        int version;

        if (!pg_client_program(programs[i], pg_connection_version(check->connection), &path,
                               &version, &error))
            pg_fact_error(&check->facts, programs[i], error);
        else if (i == 0)
            pg_fact(&check->facts, FACT_OK, programs[i], NULL, "version %d.%d (%s), server %d.%d",
                    version / 10000, version % 10000, path,
                    pg_connection_version(check->connection) / 10000,
                    pg_connection_version(check->connection) % 10000);
    }
}

static void check_clock(const Check *check)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *value = NULL, *skew_text = NULL;
    gint64 before = time_now(), skew;

    if (!pg_query_value(
            check->connection,
            "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint", &value,
            &error)) {
        pg_fact_error(&check->facts, "clock", error);
        return;
    }
    /* The server looked somewhere between our two looks. */
    skew = g_ascii_strtoll(value, NULL, 10) - (before + time_now()) / 2;
    skew_text = duration_format(ABS(skew));
    if (ABS(skew) > SKEW_WARNING)
        pg_fact(&check->facts, FACT_WARNING, "clock", "let NTP keep both clocks",
                "the server's clock is %s %s ours", skew_text, skew > 0 ? "ahead of" : "behind");
    else
        pg_fact(&check->facts, FACT_OK, "clock", NULL, "within %s of the server's", skew_text);
}

static void check_space(const Check *check, guint64 size)
{
    g_autofree char *size_text = size_format(size),
                    *free_text = size_format(check->repository_free);
    g_autofree char *need_text = size_format((guint64)((double)size * DUMP_SHARE));
    static const char hint[] =
        "give the repository more room, or let `cleanup` take old backups away";

    if (check->repository_free == G_MAXUINT64)
        pg_fact(&check->facts, FACT_OK, "space", NULL,
                "databases hold %s; the repository's room is not limited", size_text);
    else if ((double)check->repository_free < (double)size * DUMP_SHARE)
        pg_fact(&check->facts, FACT_FAILED, "space", hint,
                "databases hold %s, a full may take %s, the repository has %s free", size_text,
                need_text, free_text);
    else if ((double)check->repository_free < 2 * (double)size * DUMP_SHARE)
        pg_fact(&check->facts, FACT_WARNING, "space", hint,
                "databases hold %s, the repository has %s free: room for one full", size_text,
                free_text);
    else
        pg_fact(&check->facts, FACT_OK, "space", NULL,
                "databases hold %s, a full may take %s, the repository has %s free", size_text,
                need_text, free_text);
}

/* --- databases -------------------------------------------------------------------------------- */

/* Tables that the role may not read; each takes a lock during the backup, too. */
static const char readable_sql[] =
    "SELECT count(*), count(*) FILTER (WHERE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') "
    "                                     OR NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE')), "
    "       pg_catalog.current_setting('max_locks_per_transaction')::bigint * "
    "       (pg_catalog.current_setting('max_connections')::bigint + "
    "        pg_catalog.current_setting('max_prepared_transactions')::bigint), "
    "       pg_catalog.pg_database_size(pg_catalog.current_database()), "
    "       count(*) FILTER (WHERE pg_catalog.row_security_active(c.oid)), "
    "       (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata m "
    "        WHERE NOT pg_catalog.pg_has_role(m.lomowner, 'USAGE') AND NOT EXISTS "
    "          (SELECT FROM pg_catalog.aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT' "
    "           AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE')))) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' "
    "  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ "
    "'^pg_(toast|temp_)'";

static void check_database(const Check *check, const char *name, guint64 *size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgConnection) connection =
        pg_connect(check->source->conninfo, name, check->cancellable, &error);
    g_autoptr(PGresult) row =
        connection != NULL ? pg_query(connection, readable_sql, 0, NULL, &error) : NULL;
    g_autofree char *subject = g_strdup_printf("database %s", name);
    guint64 tables, closed, locks, hidden, large_objects;

    if (row == NULL) {
        pg_fact_error(&check->facts, subject, error);
        return;
    }
    tables = pg_uint(row, 0, 0);
    closed = pg_uint(row, 0, 1);
    locks = pg_uint(row, 0, 2);
    *size += pg_uint(row, 0, 3);
    hidden = pg_uint(row, 0, 4);
    large_objects = pg_uint(row, 0, 5);
    if (closed > 0)
        pg_fact(&check->facts, FACT_FAILED, subject,
                "grant pg_read_all_data (from version 14) to the role, or SELECT and USAGE",
                "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " tables cannot be read by this role",
                closed, tables);
    else if (hidden > 0)
        pg_fact(&check->facts, FACT_FAILED, subject,
                "ALTER ROLE … BYPASSRLS, or connect as the tables' owner",
                "policies hide rows of %" G_GUINT64_FORMAT " tables from this role", hidden);
    else if (large_objects > 0)
        pg_fact(&check->facts, FACT_FAILED, subject,
                "grant SELECT on them, or connect as a superuser",
                "%" G_GUINT64_FORMAT " large objects cannot be read by this role", large_objects);
    else if (tables * 3 > locks)
        pg_fact(&check->facts, FACT_WARNING, subject,
                "raise max_locks_per_transaction: a dump locks every table, several times",
                "%" G_GUINT64_FORMAT " tables, and room for %" G_GUINT64_FORMAT " locks", tables,
                locks);
    else
        pg_fact(&check->facts, FACT_OK, subject, NULL,
                "%" G_GUINT64_FORMAT " table%s, all can be read", tables, tables == 1 ? "" : "s");
}

static void check_databases(const Check *check)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) names = NULL;
    guint64 size = 0;

    if (check->source->databases != NULL) {
        for (guint i = 0; check->source->databases[i] != NULL; i++)
            check_database(check, check->source->databases[i], &size);
    } else if (pg_database_names(check->connection, &names, &error)) {
        for (guint i = 0; i < names->len; i++)
            check_database(check, g_ptr_array_index(names, i), &size);
    } else {
        pg_fact_error(&check->facts, "databases", error);
        return;
    }
    check_space(check, size);
}

/* --- the whole -------------------------------------------------------------------------------- */

gboolean pg_check(const EngineCheck *request, FactFunc func, gpointer data, GError **error)
{
    const ConfigSource *source = request->source;
    g_autoptr(GError) problem = NULL;
    g_autoptr(PgConnection) connection =
        pg_connect_maintenance(source->conninfo, request->cancellable, &problem);
    Check check = {
        source, request->repository_free, {func, data}, request->cancellable, connection};

    if (connection == NULL) {
        pg_fact_error(&check.facts, "connection", problem);
        return TRUE;
    }
    check_server(&check);
    check_client(&check);
    check_clock(&check);
    check_databases(&check);
    if (g_strcmp0(source->method, "physical") == 0)
        pg_check_physical(request, connection, func, data);
    return error_unless_cancelled(request->cancellable, error);
}
