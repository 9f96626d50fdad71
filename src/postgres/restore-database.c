/* SPDX-License-Identifier: Apache-2.0
 *
 * One database of a backup becomes a new database under a temporary name: made, loaded, counted,
 * and at the very end renamed into its place. Until then the database that it replaces is not
 * touched.
 *
 * A temporary database is known by its name and by an advisory lock that its restore holds; when a
 * restore was killed, the lock is gone with its session, and the next restore drops what was left.
 */
#include "postgres/restore-database.h"

#include "base/error.h"
#include "base/random.h"
#include "postgres/client.h"
#include "postgres/restore-load.h"
#include "postgres/restore-settings.h"

#include <string.h>

#define NEW_PREFIX "holdfast_restoring_"
#define OLD_PREFIX "holdfast_replaced_"
/* Both prefixes and what random_name() makes. */
#define TEMPORARY_NAMES "^holdfast_(restoring|replaced)_[a-z2-7]{8}$"
/* First key of the advisory locks ("hold"); the second is the hash of the name. */
#define LOCK_CLASS "1752132708"

struct PgNewDatabase {
    PgRestorePlan *plan;
    const PgDatabasePlan *database;
    char *name;    /* temporary */
    gboolean made; /* it is there under its temporary name */
};

/* --- names and locks -------------------------------------------------------------------------- */

static gboolean lock_name(PgConnection *connection, const char *name, GError **error)
{
    g_autoptr(PGresult) result =
        pg_query(connection,
                 "SELECT pg_catalog.pg_advisory_lock(" LOCK_CLASS ", pg_catalog.hashtext($1))", 1,
                 &name, error);

    return result != NULL;
}

static gboolean drop_database(PgConnection *connection, const char *name, GError **error)
{
    g_autofree char *quoted = pg_quote_identifier(name);

    return pg_execute_format(connection, error, "DROP DATABASE IF EXISTS %s WITH (FORCE)", quoted);
}

/* A lock shows in pg_locks whichever database its session is in, pg_try_advisory_lock() would not
 * see it. */
static const char leftovers_sql[] =
    "SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datname ~ '" TEMPORARY_NAMES "' "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' "
    "  AND l.objsubid = 2 AND l.classid = " LOCK_CLASS "::pg_catalog.oid "
    "  AND l.objid = (pg_catalog.hashtext(d.datname::pg_catalog.text)::pg_catalog.int8 "
    "    & 4294967295)::pg_catalog.oid) ORDER BY 1";

gboolean pg_restore_drop_leftovers(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    g_autoptr(PGresult) leftovers = pg_query(plan->connection, leftovers_sql, 0, NULL, error);

    if (leftovers == NULL)
        return FALSE;
    for (int row = 0; row < PQntuples(leftovers); row++) {
        const char *name = pg_text(leftovers, row, 0);
        g_autoptr(GError) local = NULL;

        /* It may be another role's: then it stays, and is no reason to fail. */
        if (drop_database(plan->connection, name, &local))
            g_ptr_array_add(result->warnings,
                            g_strdup_printf("dropped %s, which an interrupted restore left", name));
        else
            g_ptr_array_add(result->warnings, g_strdup_printf("an interrupted restore left %s: %s",
                                                              name, local->message));
    }
    return TRUE;
}

/* --- making the database ---------------------------------------------------------------------- */

static void append_option(GString *sql, const char *option, const char *value)
{
    g_autofree char *literal = value != NULL ? pg_quote_literal(value) : NULL;

    if (literal != NULL)
        g_string_append_printf(sql, " %s %s", option, literal);
}

/* The provider's words came with PostgreSQL 15, rules with 16, the builtin provider with 17. */
static void append_locale(GString *sql, const PgDatabase *source, int version)
{
    append_option(sql, "LC_COLLATE", source->collate);
    append_option(sql, "LC_CTYPE", source->ctype);
    if (version < 150000)
        return;
    g_string_append_printf(sql, " LOCALE_PROVIDER %s",
                           strcmp(source->provider, "icu") == 0       ? "icu"
                           : strcmp(source->provider, "builtin") == 0 ? "builtin"
                                                                      : "libc");
    if (strcmp(source->provider, "icu") == 0) {
        append_option(sql, "ICU_LOCALE", source->locale);
        if (version >= 160000)
            append_option(sql, "ICU_RULES", source->icu_rules);
    } else if (strcmp(source->provider, "builtin") == 0) {
        append_option(sql, "BUILTIN_LOCALE", source->locale);
    }
}

static gboolean make_database(PgNewDatabase *fresh, GError **error)
{
    PgConnection *connection = fresh->plan->connection;
    const PgDatabase *source = fresh->database->source;
    g_autofree char *name = pg_quote_identifier(fresh->name);
    g_autofree char *tablespace = pg_quote_identifier(source->tablespace);
    g_autofree char *owner = pg_quote_identifier(source->owner);
    g_autoptr(GString) sql = g_string_new("CREATE DATABASE ");

    g_string_append_printf(sql, "%s TEMPLATE template0", name);
    append_option(sql, "ENCODING", source->encoding);
    append_locale(sql, source, pg_connection_version(connection));
    /* Naming even the default one takes a privilege that ordinary roles lack. */
    if (strcmp(source->tablespace, "pg_default") != 0)
        g_string_append_printf(sql, " TABLESPACE %s", tablespace);
    if (!fresh->plan->request->no_owner)
        g_string_append_printf(sql, " OWNER %s", owner);
    if (!lock_name(connection, fresh->name, error) || !pg_execute(connection, sql->str, error))
        return FALSE;
    fresh->made = TRUE;
    return TRUE;
}

/* --- loading ---------------------------------------------------------------------------------- */

PgNewDatabase *pg_new_database_load(PgRestorePlan *plan, const PgDatabasePlan *database,
                                    EngineResult *result, GError **error)
{
    g_autoptr(PgNewDatabase) fresh = g_new0(PgNewDatabase, 1);
    g_autofree char *suffix = random_name(8);
    g_autofree char *conninfo = NULL;
    PgLoad load;

    fresh->plan = plan;
    fresh->database = database;
    fresh->name = g_strconcat(NEW_PREFIX, suffix, NULL);
    if (!make_database(fresh, error) ||
        !pg_child_conninfo(plan->connection, fresh->name, &conninfo, error))
        return NULL;
    load = pg_restore_load(plan, conninfo);
    if (!pg_restore_load_sections(plan, database, fresh->name, &load, result, error))
        return NULL;
    if (database->selection == NULL &&
        !pg_settings_apply(plan->connection, database->source, fresh->name, plan->request->no_owner,
                           error))
        return NULL;
    return g_steal_pointer(&fresh);
}

/* A cancelled restore cleans up all the same: over a connection that nobody cancels. What cannot be
 * dropped now is dropped by the next restore. */
void pg_new_database_free(PgNewDatabase *fresh)
{
    if (fresh == NULL)
        return;
    if (fresh->made) {
        g_autoptr(PgConnection) connection =
            pg_connect(fresh->plan->request->target->conninfo,
                       pg_connection_database(fresh->plan->connection), NULL, NULL);

        if (connection != NULL)
            (void)!drop_database(connection, fresh->name, NULL);
    }
    g_free(fresh->name);
    g_free(fresh);
}

/* --- the swap --------------------------------------------------------------------------------- */

/* Ends the sessions of a database, again and again, while another connection waits for them to be
 * gone: its ALTER DATABASE holds the database's lock by then, so that no new ones come in. The
 * database is known by its oid: its name is the new one's as soon as that other connection is
 * done. */
typedef struct {
    PgConnection *connection;
    guint32 database;
    gint stop;
    GThread *thread;
} Ender;

static gpointer end_sessions(gpointer data)
{
    Ender *ender = data;
    g_autofree char *sql = g_strdup_printf("SELECT pg_catalog.pg_terminate_backend(pid) "
                                           "FROM pg_catalog.pg_stat_activity WHERE datid = %u",
                                           ender->database);

    while (!g_atomic_int_get(&ender->stop)) {
        g_autoptr(PGresult) result = pg_query(ender->connection, sql, 0, NULL, NULL);

        g_usleep(50000);
    }
    return NULL;
}

static gboolean ender_start(Ender *ender, const PgNewDatabase *fresh, GError **error)
{
    const PgRestorePlan *plan = fresh->plan;

    ender->connection =
        pg_connect(plan->request->target->conninfo, pg_connection_database(plan->connection),
                   plan->request->cancellable, error);
    if (ender->connection == NULL)
        return FALSE;
    ender->database = fresh->database->target_oid;
    ender->thread = g_thread_new("end sessions", end_sessions, ender);
    return TRUE;
}

static void ender_stop(Ender *ender)
{
    g_atomic_int_set(&ender->stop, 1);
    if (ender->thread != NULL)
        g_thread_join(ender->thread);
    pg_connection_free(ender->connection);
}

/* Everything since the beginning becomes durable with this commit, also where the server or the
 * role commits asynchronously. */
static gboolean begin_durable(PgConnection *connection, GError **error)
{
    return pg_execute(connection, "BEGIN", error) &&
           pg_execute(connection,
                      "SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE "
                      "pg_catalog.current_setting('synchronous_commit') = 'off'",
                      error);
}

/* `old` is the name that the replaced database gets, or NULL where there is none. */
static gboolean rename_databases(const PgNewDatabase *fresh, const char *old, GError **error)
{
    PgConnection *connection = fresh->plan->connection;
    const PgDatabasePlan *database = fresh->database;
    g_autofree char *new_name = pg_quote_identifier(fresh->name);
    g_autofree char *target = pg_quote_identifier(database->target);
    g_autofree char *old_name = old != NULL ? pg_quote_identifier(old) : NULL;
    gboolean whole = database->selection == NULL;

    if (!begin_durable(connection, error))
        return FALSE;
    if (old != NULL &&
        !pg_execute_format(connection, error, "ALTER DATABASE %s RENAME TO %s", target, old_name))
        return FALSE;
    if (!pg_execute_format(connection, error, "ALTER DATABASE %s RENAME TO %s", new_name, target))
        return FALSE;
    if (whole && database->source->connection_limit >= 0 &&
        !pg_execute_format(connection, error,
                           "ALTER DATABASE %s CONNECTION LIMIT %" G_GINT64_FORMAT, target,
                           database->source->connection_limit))
        return FALSE;
    if (whole && database->source->is_template &&
        !pg_execute_format(connection, error, "ALTER DATABASE %s IS_TEMPLATE true", target))
        return FALSE;
    return pg_execute(connection, "COMMIT", error);
}

static gboolean rename_or_roll_back(const PgNewDatabase *fresh, const char *old, GError **error)
{
    if (rename_databases(fresh, old, error))
        return TRUE;
    (void)!pg_execute(fresh->plan->connection, "ROLLBACK", NULL);
    g_prefix_error(error,
                   "putting the restored database in the place of %s: ", fresh->database->target);
    return FALSE;
}

/* The new database is in its place by now: whatever happens to the old one is no failure of the
 * restore any more. */
static void drop_replaced(const PgNewDatabase *fresh, const char *old, EngineResult *result)
{
    PgConnection *connection = fresh->plan->connection;
    g_autofree char *quoted = pg_quote_identifier(old);
    g_autoptr(GError) local = NULL;

    if (!pg_execute_format(connection, &local, "ALTER DATABASE %s IS_TEMPLATE false", quoted) ||
        !drop_database(connection, old, &local))
        g_ptr_array_add(result->warnings, g_strdup_printf("the replaced database is left as %s: %s",
                                                          old, local->message));
}

static gboolean replace(PgNewDatabase *fresh, EngineResult *result, GError **error)
{
    g_autofree char *suffix = random_name(8);
    g_autofree char *old = g_strconcat(OLD_PREFIX, suffix, NULL);
    Ender ender = {0};
    gboolean renamed;

    if (!lock_name(fresh->plan->connection, old, error) || !ender_start(&ender, fresh, error))
        return FALSE;
    renamed = rename_or_roll_back(fresh, old, error);
    ender_stop(&ender);
    if (!renamed)
        return FALSE;
    fresh->made = FALSE;
    drop_replaced(fresh, old, result);
    return TRUE;
}

gboolean pg_new_database_swap(PgNewDatabase *fresh, EngineResult *result, GError **error)
{
    progress_begin(fresh->plan->request->progress, "renaming", 0, 0);
    if (fresh->database->exists)
        return replace(fresh, result, error);
    if (!rename_or_roll_back(fresh, NULL, error))
        return FALSE;
    fresh->made = FALSE;
    return TRUE;
}
