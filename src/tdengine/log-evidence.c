/* SPDX-License-Identifier: Apache-2.0
 *
 * From topics of ours to evidence.
 */
#include "tdengine/log-evidence.h"

#include <string.h>

#include "base/time.h"

void td_log_evidence_clear(TdLogEvidence *evidence)
{
    td_hints_free(evidence->hints);
    memset(evidence, 0, sizeof *evidence);
}

/* Why versions of the base are no offsets of now; NULL: they are. *ret_equal: nothing was written. */
static const char *compare(const TdDatabase *before, const TdDatabase *now, gboolean *ret_equal)
{
    *ret_equal = before->vgroups->len > 0;
    if (before->vgroups->len != now->vgroups->len || before->create_time != now->create_time)
        return "the server's log of changes is another one since the base";
    for (guint i = 0; i < now->vgroups->len; i++) {
        const TdVgroup *then = &g_array_index(before->vgroups, TdVgroup, i);
        const TdVgroup *group = &g_array_index(now->vgroups, TdVgroup, i);

        if (then->id != group->id || then->applied < 0 || group->applied < then->applied)
            return "the server's log of changes is another one since the base";
        *ret_equal = *ret_equal && then->applied == group->applied;
    }
    return NULL;
}

static gboolean read_database(TdLogEvidence *evidence, const TdHintReader *reader,
                              const TdDatabase *before, const TdDatabase *now,
                              const TdChildren *children, GError **error)
{
    gboolean equal;

    evidence->reason = compare(before, now, &equal);
    if (evidence->reason != NULL || equal)
        return TRUE;
    if (before->topic != NULL && now->topic_made)
        evidence->reason = "a topic of ours was lost, and made anew";
    else if (now->topic == NULL)
        evidence->reason = "there is no topic";
    else
        return td_hints_read(evidence->hints, reader, before, now, children, &evidence->reason,
                             error);
    return TRUE;
}

gboolean td_log_evidence_read(TdLogEvidence *evidence, const EngineBackup *request,
                              TdClient *client, const TdDetails *base, TdDetails *details,
                              GHashTable *children, gint64 seconds, GError **error)
{
    g_autofree char *group = g_strconcat(TD_TOPIC_PREFIX, manifest_id(request->manifest), NULL);
    const TdHintReader reader = {.source = request->source,
                                 .client = client,
                                 .group = group,
                                 .deadline = time_monotonic() + seconds * TIME_SECOND,
                                 .answers = details->answers,
                                 .cancellable = request->cancellable};

    evidence->hints = td_hints_new();
    for (guint i = 0; i < details->databases->len && evidence->reason == NULL; i++) {
        const TdDatabase *now = g_ptr_array_index(details->databases, i);
        const TdDatabase *before = td_details_find_database(base, now->name);

        if (before == NULL)
            continue; /* all its tables are read */
        evidence->in_use = evidence->in_use || before->topic != NULL;
        if (!read_database(evidence, &reader, before, now, g_hash_table_lookup(children, now->name),
                           error))
            return FALSE;
    }
    evidence->read = evidence->reason == NULL;
    return TRUE;
}

gboolean td_log_evidence_of_base(const json_t *evidence, gboolean scanned)
{
    return scanned || json_get_bool(json_object_get(evidence, "log"), "since_scan", FALSE);
}

json_t *td_log_evidence_to_json(const TdLogEvidence *evidence)
{
    json_t *json =
        json_pack("{s:b, s:b}", "read", evidence->read, "since_scan", evidence->since_scan);

    if (evidence->reason != NULL)
        json_object_set_new(json, "reason", json_string(evidence->reason));
    return json;
}
