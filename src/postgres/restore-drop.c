/* SPDX-License-Identifier: Apache-2.0
 *
 * What dropping tables means for the rest of a database, read from pg_depend.
 */
#include "postgres/restore-drop.h"

#include "base/error.h"

#include <string.h>

#define VIEW_RULE "rule _RETURN on "

/* What goes with the relations in $1: everything that depends on them as a part of them, and so
 * on. */
#define DROPPED                                                                                    \
    "WITH RECURSIVE gone(classid, objid) AS ("                                                     \
    " SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid, o FROM "                             \
    "pg_catalog.unnest($1::oid[]) o "                                                              \
    " UNION "                                                                                      \
    " SELECT d.classid, d.objid FROM pg_catalog.pg_depend d JOIN gone g "                          \
    "  ON d.refclassid = g.classid AND d.refobjid = g.objid "                                      \
    " WHERE d.deptype IN ('a', 'i', 'P', 'S', 'x')) "

static const char gone_sql[] = DROPPED "SELECT DISTINCT classid, objid FROM gone";

static const char blocker_sql[] = DROPPED
    "SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, 0), "
    "  pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0) "
    "FROM pg_catalog.pg_depend d JOIN gone g ON d.refclassid = g.classid AND d.refobjid = g.objid "
    "WHERE d.deptype = 'n' "
    "  AND NOT EXISTS (SELECT FROM gone x WHERE x.classid = d.classid AND x.objid = d.objid) "
    "ORDER BY 1, 2";

static const char company_sql[] =
    DROPPED "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM gone g "
            "JOIN pg_catalog.pg_class c ON g.classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
            "  AND c.oid = g.objid AND c.relkind IN ('r', 'p', 'f') "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
            "WHERE c.oid <> ALL ($1::oid[]) AND n.nspname <> 'pg_toast' ORDER BY 1";

/* Later objects refer to earlier ones, tables may refer to each other: so first the views, the
 * newest before, then all tables in one statement. */
static const char relation_sql[] =
    "SELECT c.relkind, n.nspname, c.relname FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[]) "
    "ORDER BY c.relkind IN ('r', 'p'), c.oid DESC";

gboolean pg_dropped_contains(GHashTable *gone, guint32 catalog, guint32 oid)
{
    gint64 key = (gint64)(((guint64)catalog << 32) | oid);

    return gone != NULL && g_hash_table_contains(gone, &key);
}

static GHashTable *read_gone(const PGresult *result)
{
    GHashTable *gone = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (int row = 0; row < PQntuples(result); row++) {
        gint64 *key = g_new(gint64, 1);

        *key = (gint64)((pg_uint(result, row, 0) << 32) | pg_uint(result, row, 1));
        g_hash_table_add(gone, key);
    }
    return gone;
}

static gboolean find_blockers(PgConnection *connection, const char *oids, EnginePlan *plan,
                              GError **error)
{
    g_autoptr(PGresult) blockers = pg_query(connection, blocker_sql, 1, &oids, error);
    g_autoptr(PGresult) company = NULL;

    if (blockers == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(blockers); row++) {
        g_autoptr(GError) problem = NULL;
        const char *blocker = pg_text(blockers, row, 0);

        /* A view is a rule to PostgreSQL, and to nobody else. */
        if (g_str_has_prefix(blocker, VIEW_RULE))
            blocker += strlen(VIEW_RULE);
        error_set(&problem, ERROR_REFUSED,
                  "%s cannot be replaced: %s depends on it and is not restored with it",
                  pg_text(blockers, row, 1), blocker);
        error_add_hint(&problem,
                       "choose that table or view too, drop what depends, or restore into "
                       "another database (--to-database)");
        engine_plan_problem(plan, g_steal_pointer(&problem));
    }
    company = pg_query(connection, company_sql, 1, &oids, error);
    if (company == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(company); row++)
        engine_plan_warn(plan,
                         "%s, which the backup does not have, is a partition of a table that "
                         "is replaced, and goes with it",
                         pg_text(company, row, 0));
    return TRUE;
}

static void add_drops(const PGresult *relations, GPtrArray *drops)
{
    g_autoptr(GString) tables = g_string_new(NULL);

    for (int row = 0; row < PQntuples(relations); row++) {
        char kind = pg_text(relations, row, 0)[0];
        g_autofree char *name =
            pg_quote_qualified(pg_text(relations, row, 1), pg_text(relations, row, 2));
        const char *word = kind == 'v'   ? "VIEW"
                           : kind == 'm' ? "MATERIALIZED VIEW"
                           : kind == 'f' ? "FOREIGN TABLE"
                           : kind == 'S' ? "SEQUENCE"
                           : kind == 'i' ? "INDEX"
                                         : NULL;

        if (kind == 'r' || kind == 'p')
            g_string_append_printf(tables, "%s %s", tables->len > 0 ? "," : "", name);
        else if (word != NULL)
            g_ptr_array_add(drops, g_strdup_printf("DROP %s %s;", word, name));
    }
    if (tables->len > 0)
        g_ptr_array_add(drops, g_strdup_printf("DROP TABLE%s;", tables->str));
}

gboolean pg_drop_plan(PgConnection *connection, const GArray *oids, EnginePlan *plan,
                      GPtrArray *drops, GHashTable **ret_gone, GError **error)
{
    g_autoptr(GString) array = g_string_new("{");
    g_autoptr(PGresult) gone = NULL;
    g_autoptr(PGresult) relations = NULL;
    const char *parameter;

    for (guint i = 0; i < oids->len; i++)
        g_string_append_printf(array, "%s%u", i > 0 ? "," : "", g_array_index(oids, guint32, i));
    g_string_append_c(array, '}');
    parameter = array->str;
    gone = pg_query(connection, gone_sql, 1, &parameter, error);
    if (gone == NULL || !find_blockers(connection, parameter, plan, error))
        return FALSE;
    relations = pg_query(connection, relation_sql, 1, &parameter, error);
    if (relations == NULL)
        return FALSE;
    add_drops(relations, drops);
    *ret_gone = read_gone(gone);
    return TRUE;
}
