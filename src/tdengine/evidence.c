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

static const char *compare_vgroups(const TdDatabase *base, const TdDatabase *now)
{
    if (base->vgroups->len != now->vgroups->len)
        return "vgroups were split or merged";
    if (now->vgroups->len == 0)
        return "the server shows no vgroups";
    for (guint i = 0; i < now->vgroups->len; i++) {
        const TdVgroup *before = &g_array_index(base->vgroups, TdVgroup, i);
        const TdVgroup *after = &g_array_index(now->vgroups, TdVgroup, i);

        if (before->id != after->id)
            return "vgroups were split or merged";
        if (before->applied < 0 || after->applied < 0)
            return "the server does not tell versions";
        if (after->applied < before->applied)
            return "the version of a vgroup went back";
        if (after->applied > before->applied)
            return "the version of a vgroup moved";
    }
    return NULL;
}

char *td_evidence_of_versions(const GPtrArray *base, const GPtrArray *now)
{
    if (base->len != now->len)
        return g_strdup("there are more or fewer databases");
    for (guint i = 0; i < now->len; i++) {
        const TdDatabase *after = g_ptr_array_index(now, i);
        const TdDatabase *before = find_database(base, after->name);
        const char *reason;

        if (before == NULL)
            return g_strdup("there is another database");
        if (before->create_time != after->create_time)
            return g_strdup("a database was made anew");
        reason = compare_vgroups(before, after);
        if (reason != NULL)
            return g_strdup(reason);
    }
    return NULL;
}
