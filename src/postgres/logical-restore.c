/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying out the plan of a logical restore: objects checked, leftovers dropped, roles made,
 * databases loaded, and only when all of them are whole, put in their places.
 */
#include "postgres/logical.h"

#include "base/error.h"
#include "base/workers.h"
#include "postgres/client.h"
#include "postgres/globals.h"
#include "postgres/restore-database.h"
#include "postgres/restore-merge.h"

#include <string.h>

/* Puts an error of a child program behind the server's own end, when that is what happened. */
static gboolean explain(const PgRestorePlan *plan, GError *reason, GError **error)
{
    if ((error_is(reason, ERROR_SUBPROCESS) || error_is(reason, ERROR_SERVER)) &&
        !pg_connection_alive(plan->connection)) {
        error_set(error, ERROR_UNREACHABLE, "the server at %s went away during the restore: %s",
                  pg_connection_server(plan->connection), reason->message);
        error_add_hint(error, "nothing was put in place; run the restore again when it is back");
        g_error_free(reason);
        return FALSE;
    }
    g_propagate_error(error, reason);
    return FALSE;
}

/* --- databases -------------------------------------------------------------------------------- */

static gboolean merge_all(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);

        if (database->merge && !pg_restore_merge(plan, database, result, error))
            return FALSE;
    }
    return TRUE;
}

/* All are loaded before the first is put in its place. */
static gboolean restore_databases(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    g_autoptr(GPtrArray) loaded =
        g_ptr_array_new_with_free_func((GDestroyNotify)pg_new_database_free);

    for (guint i = 0; i < plan->databases->len; i++) {
        const PgDatabasePlan *database = g_ptr_array_index(plan->databases, i);
        PgNewDatabase *fresh;

        if (database->merge)
            continue;
        fresh = pg_new_database_load(plan, database, result, error);
        if (fresh == NULL)
            return FALSE;
        g_ptr_array_add(loaded, fresh);
    }
    if (!merge_all(plan, result, error))
        return FALSE;
    for (guint i = 0; i < loaded->len; i++)
        if (!pg_new_database_swap(g_ptr_array_index(loaded, i), result, error)) {
            if (i > 0)
                g_prefix_error(error, "%u of %u databases are in their places, then: ", i,
                               loaded->len);
            return FALSE;
        }
    return TRUE;
}

static gboolean carry_out(PgRestorePlan *plan, EngineResult *result, GError **error)
{
    if (!pg_restore_drop_leftovers(plan, result, error))
        return FALSE;
    if (plan->globals != NULL &&
        !pg_globals_apply(plan->connection, plan->globals, plan->roles, plan->tablespaces, error))
        return FALSE;
    return restore_databases(plan, result, error);
}

gboolean pg_logical_restore(EnginePlan *base, EngineResult *ret_result, GError **error)
{
    PgRestorePlan *plan = (PgRestorePlan *)(void *)base;
    EngineResult result = {
        .summary =
            json_pack("{s:[], s:i, s:i, s:[]}", "databases", "tables", 0, "rows", 0, "checked"),
        .warnings = g_ptr_array_new_with_free_func(g_free),
    };
    GError *reason = NULL;
    gboolean done;

    if (base->problems->len > 0) {
        engine_result_clear(&result);
        error_set(error, ERROR_REFUSED, "the plan has problems");
        return FALSE;
    }
    done = carry_out(plan, &result, &reason);
    progress_end(plan->request->progress);
    if (done || error_is(reason, ERROR_COUNT_MISMATCH))
        *ret_result = result;
    else
        engine_result_clear(&result);
    return done || explain(plan, reason, error);
}
