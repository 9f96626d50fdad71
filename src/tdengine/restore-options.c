/* SPDX-License-Identifier: Apache-2.0
 *
 * Options of a database that was restored.
 */
#include "tdengine/restore-options.h"

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"

struct TdSetBack {
    const TdRestorePlan *plan;
    const TdDatabasePlan *database;
    GThread *thread;
    GError *problem; /* the thread's, until it has ended */
};

static gboolean alter(TdClient *client, const TdRestorePlan *plan, const char *database,
                      const char *options, GError **error)
{
    g_autoptr(GString) sql = g_string_new("ALTER DATABASE ");

    td_append_name(sql, database);
    g_string_append(sql, options);
    return td_client_execute(client, sql->str, NULL, plan->request->cancellable, error);
}

static char *stt_option(const TdDatabasePlan *database)
{
    return g_strconcat(" STT_TRIGGER ", database->stt_trigger, NULL);
}

static char *keep_option(const TdDatabasePlan *database)
{
    return database->keep != NULL ? g_strconcat(" KEEP ", database->keep, NULL) : g_strdup("");
}

static gpointer run(gpointer data)
{
    TdSetBack *set_back = data;
    const EngineRestore *request = set_back->plan->request;
    g_autoptr(TdClient) client =
        td_connect(request->target, request->cancellable, &set_back->problem);
    g_autofree char *option = stt_option(set_back->database);

    if (client != NULL)
        (void)alter(client, set_back->plan, set_back->database->target, option, &set_back->problem);
    return NULL;
}

TdSetBack *td_set_back_begin(const TdRestorePlan *plan, const TdDatabasePlan *database)
{
    TdSetBack *set_back;

    if (database->stt_trigger == NULL)
        return NULL;
    set_back = g_new0(TdSetBack, 1);
    set_back->plan = plan;
    set_back->database = database;
    set_back->thread = g_thread_new("set-back", run, set_back);
    return set_back;
}

static void wait_for(TdSetBack *set_back)
{
    if (set_back->thread != NULL)
        (void)g_thread_join(g_steal_pointer(&set_back->thread));
}

void td_set_back_free(TdSetBack *set_back)
{
    if (set_back == NULL)
        return;
    wait_for(set_back);
    g_clear_error(&set_back->problem);
    g_free(set_back);
}

/* Takes the problem, which may be NULL. */
static gboolean pass_refusal(GError *problem, const TdDatabasePlan *database, GPtrArray *warnings,
                             GError **error)
{
    g_autoptr(GError) taken = problem;

    if (taken == NULL)
        return TRUE;
    if (!error_is(taken, ERROR_SERVER)) {
        g_propagate_error(error, g_steal_pointer(&taken));
        return FALSE;
    }
    g_ptr_array_add(warnings,
                    g_strdup_printf("STT_TRIGGER of database %s could not be set back to %s: %s",
                                    database->target, database->stt_trigger, taken->message));
    return TRUE;
}

/* Both in one statement, where that is taken: each waits for a tick. *ret_keep: KEEP is still to be
 * set back. */
static gboolean set_both(const TdRestorePlan *plan, const TdDatabasePlan *database,
                         GPtrArray *warnings, gboolean *ret_keep, GError **error)
{
    g_autofree char *keep = keep_option(database), *stt = stt_option(database);
    g_autofree char *both = g_strconcat(keep, stt, NULL);
    GError *problem = NULL;

    *ret_keep =
        !alter(plan->client, plan, database->target, both, &problem) && database->keep != NULL;
    return pass_refusal(problem, database, warnings, error);
}

gboolean td_set_back_end(TdSetBack *set_back, const TdRestorePlan *plan,
                         const TdDatabasePlan *database, GPtrArray *warnings, GError **error)
{
    gboolean keep = database->keep != NULL;
    g_autofree char *option = keep_option(database);

    if (!keep && database->stt_trigger == NULL)
        return TRUE;
    if (set_back != NULL) {
        wait_for(set_back);
        if (!pass_refusal(g_steal_pointer(&set_back->problem), database, warnings, error))
            return FALSE;
    } else if (database->stt_trigger != NULL && !set_both(plan, database, warnings, &keep, error)) {
        return FALSE;
    }
    if (keep && !alter(plan->client, plan, database->target, option, error))
        return FALSE;
    /* The gateway shows the old ones for a while otherwise. */
    return td_client_execute(plan->client, "RESET QUERY CACHE", NULL, plan->request->cancellable,
                             error);
}
