/* SPDX-License-Identifier: Apache-2.0
 *
 * Removing archived WAL that no backup needs any more.
 */
#include "postgres/wal-trim.h"

#include <string.h>

#include "base/error.h"
#include "postgres/wal-position.h"
#include "postgres/wal-window.h"
#include "repo/backup.h"

/* --- what is needed --------------------------------------------------------------------------- */

gboolean wal_is_needed(const GArray *needs, guint64 system_identifier, guint32 timeline,
                       guint64 number)
{
    for (guint i = 0; i < needs->len; i++) {
        const WalNeed *need = &g_array_index(needs, WalNeed, i);

        if (need->system_identifier == system_identifier && timeline >= need->timeline &&
            number >= need->first)
            return TRUE;
    }
    return FALSE;
}

/* One that another cleanup has deleted meanwhile needs nothing. */
static gboolean add_need(const EngineTrim *request, const char *id, GArray *needs,
                         GHashTable *segment_sizes, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(Backup) backup = backup_open(request->repository, id, &problem);
    WalPosition position;
    gboolean present;
    WalNeed need;

    if (backup == NULL) {
        if (error_is(problem, ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    if (!wal_position_read(backup_manifest(backup), &present, &position, error))
        return FALSE;
    if (!present || strcmp(manifest_source(backup_manifest(backup)), request->source) != 0)
        return TRUE;
    need = (WalNeed){position.system_identifier, position.timeline,
                     position.start / position.segment_size};
    g_array_append_val(needs, need);
    g_hash_table_insert(segment_sizes,
                        g_memdup2(&position.system_identifier, sizeof(position.system_identifier)),
                        GUINT_TO_POINTER(position.segment_size));
    return TRUE;
}

/* --- choosing --------------------------------------------------------------------------------- */

typedef struct {
    char *object;
    guint64 system_identifier;
    guint32 timeline;
    char file[WAL_FRAME_NAME];
    gboolean apart; /* behind one that stays */
} Victim;

static void victim_free(Victim *victim)
{
    g_free(victim->object);
    g_free(victim);
}

typedef struct {
    const EngineTrim *request;
    GArray *needs;             /* WalNeed */
    GHashTable *segment_sizes; /* system identifier to bytes */
    GPtrArray *victims;        /* in the order of the archive */
    guint64 bytes;
    gboolean passed; /* the last object stays */
} Trim;

static gboolean may_go(const Trim *trim, const WalObjectName *parts)
{
    guint32 segment_size =
        GPOINTER_TO_UINT(g_hash_table_lookup(trim->segment_sizes, &parts->system_identifier));

    if (segment_size == 0)
        return trim->request->limited || trim->needs->len > 0;
    /* What has no place among the segments is nothing that we know how to judge. */
    return wal_name_fits(&parts->name, segment_size) &&
           !wal_is_needed(trim->needs, parts->system_identifier, parts->name.timeline,
                          wal_segment_number(&parts->name, segment_size));
}

static gboolean look_at_object(const char *object, const StoreInfo *info, gpointer data,
                               GError **error)
{
    Trim *trim = data;
    WalObjectName parts;
    Victim *victim;

    if (!wal_object_name_parse(object, &parts) || parts.name.kind == WAL_HISTORY)
        return TRUE;
    if (info->modified >= trim->request->before ||
        g_hash_table_contains(trim->request->named, object) || !may_go(trim, &parts)) {
        trim->passed = TRUE;
        return TRUE;
    }
    victim = g_new0(Victim, 1);
    victim->object = g_strdup(object);
    victim->system_identifier = parts.system_identifier;
    victim->timeline = parts.name.timeline;
    g_strlcpy(victim->file, parts.file, sizeof(victim->file));
    victim->apart = trim->passed;
    trim->passed = FALSE;
    g_ptr_array_add(trim->victims, victim);
    trim->bytes += info->size;
    return TRUE;
}

/* --- telling and removing --------------------------------------------------------------------- */

static void tell_range(const Trim *trim, guint first, guint end, GPtrArray *ranges)
{
    const Victim *from = trim->victims->pdata[first];
    const Victim *to = trim->victims->pdata[end - 1];

    g_ptr_array_add(ranges,
                    g_strdup_printf("system %" G_GUINT64_FORMAT ", timeline %u: %s to %s "
                                    "(%u %s)",
                                    from->system_identifier, from->timeline, from->file, to->file,
                                    end - first, end - first == 1 ? "file" : "files"));
}

static GPtrArray *tell_ranges(const Trim *trim)
{
    GPtrArray *ranges = g_ptr_array_new_with_free_func(g_free);
    guint first = 0;

    for (guint i = 1; i <= trim->victims->len; i++) {
        const Victim *begin = trim->victims->pdata[first];
        const Victim *next = i < trim->victims->len ? trim->victims->pdata[i] : NULL;

        if (next != NULL && !next->apart && next->system_identifier == begin->system_identifier &&
            next->timeline == begin->timeline)
            continue;
        tell_range(trim, first, i, ranges);
        first = i;
    }
    return ranges;
}

/* The oldest first: what an interrupted run leaves has no hole. */
static gboolean remove_all(const Trim *trim, GError **error)
{
    Store *store = repository_store(trim->request->repository);

    for (guint i = 0; i < trim->victims->len; i++) {
        const Victim *victim = trim->victims->pdata[i];

        if (!store_delete(store, victim->object, error))
            return FALSE;
    }
    return TRUE;
}

gboolean pg_wal_trim(const EngineTrim *request, EngineTrimResult *ret_result, GError **error)
{
    g_autoptr(GArray) needs = g_array_new(FALSE, FALSE, sizeof(WalNeed));
    g_autoptr(GHashTable) sizes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GPtrArray) victims = g_ptr_array_new_with_free_func((GDestroyNotify)victim_free);
    g_autofree char *prefix = g_strdup_printf("wal/%s/", request->source);
    Trim trim = {.request = request, .needs = needs, .segment_sizes = sizes, .victims = victims};

    for (guint i = 0; request->onward[i] != NULL; i++) {
        if (!add_need(request, request->onward[i], needs, sizes, error))
            return FALSE;
    }
    if (!store_list(repository_store(request->repository), prefix, look_at_object, &trim, error) ||
        (!request->dry_run && !remove_all(&trim, error)))
        return FALSE;
    *ret_result = (EngineTrimResult){victims->len, trim.bytes, tell_ranges(&trim)};
    return TRUE;
}
