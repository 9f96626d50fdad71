/* SPDX-License-Identifier: Apache-2.0
 *
 * Bases taken over, and evidence.
 */
#include "tdengine/increment.h"

#include <string.h>

#include "base/time.h"
#include "tdengine/evidence.h"

struct TdIncrement {
    const EngineBackup *request;
    TdDetails *base;
    char *changed; /* why the base is not all there is; NULL: it is */
};

gboolean td_increment_open(const EngineBackup *request, TdIncrement **ret_increment, GError **error)
{
    g_autoptr(TdIncrement) increment = NULL;

    if (request->base != NULL) {
        increment = g_new0(TdIncrement, 1);
        increment->request = request;
        if (!td_details_read(request->base, &increment->base, error))
            return FALSE;
    }
    *ret_increment = g_steal_pointer(&increment);
    return TRUE;
}

void td_increment_free(TdIncrement *increment)
{
    if (increment == NULL)
        return;
    td_details_free(increment->base);
    g_free(increment->changed);
    g_free(increment);
}

const TdDetails *td_increment_base(const TdIncrement *increment)
{
    return increment->base;
}

gboolean td_increment_decide(TdIncrement *increment, const GPtrArray *looked)
{
    if (looked->len == 0)
        increment->changed = g_strdup("there is nothing to compare with");
    else if (strcmp(increment->request->mode, "scan") == 0)
        increment->changed = g_strdup("a scan was asked for");
    else
        increment->changed = td_evidence_of_versions(increment->base->databases, looked);
    return increment->changed != NULL;
}

/* What lies in vgroups is the base's; what belongs to the server has no versions. */
void td_increment_take(TdIncrement *increment, GPtrArray *looked, TdDetails *details)
{
    TdDetails *base = increment->base;

    while (looked->len > 0) {
        TdDatabase *database = g_ptr_array_steal_index(looked, 0);
        const TdDatabase *before = td_details_find_database(base, database->name);

        database->rows = before->rows;
        database->first = before->first;
        database->last = before->last;
        g_ptr_array_add(details->databases, database);
    }
    for (guint i = 0; i < base->objects->len;) {
        if (((TdObject *)g_ptr_array_index(base->objects, i))->kind == TD_OBJECT_VIRTUAL_TABLE)
            g_ptr_array_add(details->objects, g_ptr_array_steal_index(base->objects, i));
        else
            i++;
    }
    while (base->tables->len > 0)
        g_ptr_array_add(details->tables, g_ptr_array_steal_index(base->tables, 0));
    g_array_append_vals(details->slices, base->slices->data, base->slices->len);
}

void td_increment_describe(const TdIncrement *increment, const TdDetails *details)
{
    const EngineBackup *request = increment->request;
    const gboolean unchanged = increment->changed == NULL;
    g_autofree char *state = NULL;
    json_t *evidence = json_pack("{s:s, s:[s], s:[]}", "mode", request->mode, "used",
                                 unchanged ? "versions" : "scan", "cannot_see");

    if (unchanged) {
        const TdDatabase *first = g_ptr_array_index(details->databases, 0);

        state = time_format(first->looked - TD_REPORT_DELAY);
        json_object_set_new(evidence, "state", json_string(state));
    } else {
        json_object_set_new(evidence, "reason", json_string(increment->changed));
        if (strcmp(request->mode, "quick") == 0)
            manifest_add_warning(
                request->manifest,
                "mode = quick is not known yet: everything was read, as auto does");
    }
    manifest_set_field(request->manifest, "evidence", evidence);
}
