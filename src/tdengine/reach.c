/* SPDX-License-Identifier: Apache-2.0
 *
 * The newest backup's moment, and versions of now beside those that it noted.
 */
#include "tdengine/reach.h"

#include "base/error.h"
#include "tdengine/capture.h"
#include "tdengine/connect.h"
#include "tdengine/evidence.h"
#include "tdengine/restore-choose.h"

/* A server that is away is not waited for: what it would say is a help, no need. */
#define PATIENCE (5 * TIME_SECOND)

/* The source's databases as the server shows them now; an array of TdDatabase. */
static gboolean look_at_server(const EngineReachRequest *request, Manifest *manifest,
                               GPtrArray **ret_looked, GError **error)
{
    ConfigSource source = *request->source;
    const char *const *wanted = (const char *const *)source.databases;
    g_autoptr(GPtrArray) looked = g_ptr_array_new_with_free_func((GDestroyNotify)td_database_free);
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(TdClient) client = NULL;

    source.timeout = MIN(source.timeout, PATIENCE);
    client = td_connect(&source, request->cancellable, error);
    if (client == NULL ||
        (wanted == NULL && !td_capture_names(client, &names, request->cancellable, error)))
        return FALSE;
    for (guint i = 0; wanted != NULL ? wanted[i] != NULL : i < names->len; i++) {
        const TdCapture capture = {.client = client,
                                   .cancellable = request->cancellable,
                                   .manifest = manifest};
        TdDatabase *database;

        if (!td_capture_database(&capture, wanted != NULL ? wanted[i] : g_ptr_array_index(names, i),
                                 &database, error))
            return FALSE;
        g_ptr_array_add(looked, database);
    }
    *ret_looked = g_steal_pointer(&looked);
    return TRUE;
}

/* Versions are reported late: what they say of now is true of a moment ago. */
static gboolean ask(const EngineReachRequest *request, Backup *newest, EngineReach *reach,
                    GError **error)
{
    g_autoptr(TdDetails) details = NULL;
    g_autoptr(GPtrArray) looked = NULL;
    /* Takes the warnings of the look, which a backup would tell. */
    g_autoptr(Manifest) manifest =
        manifest_new(request->newest, request->source->name, "tdengine", BACKUP_FULL);
    const char *reason;

    if (!td_details_read(newest, &details, error) ||
        !look_at_server(request, manifest, &looked, error))
        return FALSE;
    reach->asked = TRUE;
    if (looked->len == 0)
        reason = "the server has no databases";
    else if (td_evidence_of_versions(details->databases, looked, &reason) == TD_VERSIONS_EQUAL)
        reason = NULL;
    reach->doubt = g_strdup(reason);
    reach->complete = reason == NULL;
    if (reach->complete)
        reach->moment =
            MAX(reach->moment,
                ((const TdDatabase *)g_ptr_array_index(looked, 0))->looked - TD_REPORT_DELAY);
    return TRUE;
}

gboolean td_reach(const EngineReachRequest *request, EngineReach *ret_reach, GError **error)
{
    EngineReach reach = {0};
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) newest = NULL;

    if (request->ask && request->newest != NULL) {
        newest = backup_open(request->repository, request->newest, error);
        if (newest == NULL)
            return FALSE;
        reach.moment = td_state_complete(backup_manifest(newest));
        if (!ask(request, newest, &reach, &problem))
            reach.doubt = error_text(problem);
    }
    *ret_reach = reach;
    return TRUE;
}
