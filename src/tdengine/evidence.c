/* SPDX-License-Identifier: Apache-2.0
 *
 * Comparing positions.
 */
#include "tdengine/evidence.h"

#include <string.h>

static const TdDatabase *find_database(const GPtrArray *databases, const char *name)
{
    for (guint i = 0; i < databases->len; i++) {
        const TdDatabase *database = g_ptr_array_index(databases, i);

        if (strcmp(database->name, name) == 0)
            return database;
    }
    return NULL;
}

static TdVersions broken(const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return TD_VERSIONS_BROKEN;
}

static TdVersions moved(const char *reason, const char **ret_reason)
{
    *ret_reason = reason;
    return TD_VERSIONS_MOVED;
}

static TdVersions compare_vgroups(const TdDatabase *base, const TdDatabase *now,
                                  const char **ret_reason)
{
    TdVersions verdict = TD_VERSIONS_EQUAL;

    if (base->vgroups->len != now->vgroups->len)
        return broken("vgroups were split or merged", ret_reason);
    if (now->vgroups->len == 0)
        return broken("the server shows no vgroups", ret_reason);
    for (guint i = 0; i < now->vgroups->len; i++) {
        const TdVgroup *before = &g_array_index(base->vgroups, TdVgroup, i);
        const TdVgroup *after = &g_array_index(now->vgroups, TdVgroup, i);

        if (before->id != after->id)
            return broken("vgroups were split or merged", ret_reason);
        if (before->applied < 0 || after->applied < 0)
            return broken("the server does not tell versions", ret_reason);
        if (after->applied < before->applied)
            return broken("the version of a vgroup went back", ret_reason);
        if (after->applied > before->applied)
            verdict = moved("the version of a vgroup moved", ret_reason);
    }
    return verdict;
}

TdVersions td_evidence_of_versions(const GPtrArray *base, const GPtrArray *now,
                                   const char **ret_reason)
{
    TdVersions verdict = TD_VERSIONS_EQUAL;

    *ret_reason = NULL;
    if (base->len != now->len)
        verdict = moved("there are more or fewer databases", ret_reason);
    for (guint i = 0; i < now->len; i++) {
        const TdDatabase *after = g_ptr_array_index(now, i);
        const TdDatabase *before = find_database(base, after->name);
        TdVersions one;

        if (before == NULL) {
            if (verdict == TD_VERSIONS_EQUAL)
                verdict = moved("there is another database", ret_reason);
            continue;
        }
        if (before->create_time != after->create_time)
            return broken("a database was made anew", ret_reason);
        one = compare_vgroups(before, after, ret_reason);
        if (one == TD_VERSIONS_BROKEN)
            return one;
        verdict = MAX(verdict, one);
    }
    return verdict;
}
