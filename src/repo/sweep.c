/* SPDX-License-Identifier: Apache-2.0
 *
 * Removing what interrupted runs left.
 *
 * Nothing that a running backup of another host has written may go. A backup takes its lease before
 * it writes and gives it back after its commit. So the folders are listed first, then the leases,
 * and only then is SHA256SUMS looked for: a folder that was seen, is named by no live lease after
 * that and still has no SHA256SUMS belongs to nobody.
 */
#include "repo/sweep.h"

#include <string.h>

#include "base/error.h"
#include "repo/backup-id.h"
#include "repo/backup.h"
#include "repo/lease.h"

typedef struct {
    Repository *repository;
    Store *store;
    gint64 before; /* what was written from here on stays, by the store's clock */
    gboolean dry_run;
    gboolean blind;        /* a live lease cannot be read: it may be about any folder */
    GHashTable *protected; /* ids of backups that live leases write */
    GHashTable *dead;      /* ids of leases */
    gint64 oldest_live;    /* start of the oldest live lease, G_MAXINT64: none */
    SweepResult result;
} Sweep;

static gboolean learn_leases(Sweep *sweep, GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(sweep->repository, &views, error))
        return FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];

        if (!view->live) {
            g_hash_table_add(sweep->dead, g_strdup(view->id));
            sweep->result.leases++;
            continue;
        }
        sweep->blind = sweep->blind || !view->readable;
        sweep->oldest_live = MIN(sweep->oldest_live, view->started);
        if (view->backup != NULL)
            g_hash_table_add(sweep->protected, g_strdup(view->backup));
    }
    return TRUE;
}

/* --- Unfinished backups ----------------------------------------------------------------------- */

typedef struct {
    GPtrArray *names;
    guint64 bytes;
    gint64 newest;
} Folder;

static gboolean collect_object(const char *name, const StoreInfo *info, gpointer data,
                               GError **error)
{
    Folder *folder = data;

    g_ptr_array_add(folder->names, g_strdup(name));
    folder->bytes += info->size;
    folder->newest = MAX(folder->newest, info->modified);
    return TRUE;
}

static gboolean sweep_folder(Sweep *sweep, const char *id, GError **error)
{
    g_autofree char *prefix = g_strdup_printf("backups/%s/", id);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Folder folder = {.names = names, .newest = G_MININT64};
    gboolean committed;

    if (g_hash_table_contains(sweep->protected, id))
        return TRUE;
    if (!backup_is_committed(sweep->repository, id, &committed, error))
        return FALSE;
    if (committed)
        return TRUE;
    if (!store_list(sweep->store, prefix, collect_object, &folder, error))
        return FALSE;
    if (names->len == 0 || folder.newest >= sweep->before)
        return TRUE;
    for (guint i = 0; i < names->len && !sweep->dry_run; i++) {
        if (!store_delete(sweep->store, names->pdata[i], error))
            return FALSE;
    }
    sweep->result.backups++;
    sweep->result.objects += names->len;
    sweep->result.bytes += folder.bytes;
    return TRUE;
}

static gboolean sweep_folders(Sweep *sweep, const GPtrArray *ids, GError **error)
{
    if (sweep->blind)
        return TRUE;
    for (guint i = 0; i < ids->len; i++) {
        /* What is called otherwise is not ours. */
        if (backup_id_valid(ids->pdata[i]) && !sweep_folder(sweep, ids->pdata[i], error))
            return FALSE;
    }
    return TRUE;
}

/* --- Leases and temporary files --------------------------------------------------------------- */

static gboolean collect_dead(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    gpointer *context = data;
    g_autofree char *id = lease_id_of_name(name);

    if (g_hash_table_contains(context[0], id))
        g_ptr_array_add(context[1], g_strdup(name));
    return TRUE;
}

static gboolean sweep_leases(Sweep *sweep, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    gpointer context[] = {sweep->dead, names};

    if (sweep->dry_run || sweep->result.leases == 0)
        return TRUE;
    if (!store_list(sweep->store, "leases/", collect_dead, context, error))
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        if (!store_delete(sweep->store, names->pdata[i], error))
            return FALSE;
    }
    return TRUE;
}

/* A live backup's temporary file may be old: its database is slow. None is older than the backup's
 * lease. */
static gboolean sweep_temporaries(Sweep *sweep, GError **error)
{
    guint64 count, bytes;

    if (!store_clean(sweep->store, MIN(sweep->before, sweep->oldest_live), sweep->dry_run, &count,
                     &bytes, error))
        return FALSE;
    sweep->result.objects += count;
    sweep->result.bytes += bytes;
    return TRUE;
}

gboolean sweep_remains(Repository *repository, gint64 grace, gboolean dry_run,
                       SweepResult *ret_result, GError **error)
{
    g_autoptr(GHashTable) protected = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) dead = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) ids = NULL;
    Sweep sweep = {.repository = repository,
                   .store = repository_store(repository),
                   .dry_run = dry_run,
                   .protected = protected,
                   .dead = dead,
                   .oldest_live = G_MAXINT64};
    gint64 now;

    if (grace < 0) {
        error_set(error, ERROR_INTERNAL, "a grace time cannot be negative");
        return FALSE;
    }
    if (!store_time(sweep.store, &now, error) ||
        !store_list_parts(sweep.store, "backups/", &ids, error) || !learn_leases(&sweep, error))
        return FALSE;
    sweep.before = now - grace;
    if (!sweep_folders(&sweep, ids, error) || !sweep_leases(&sweep, error) ||
        !sweep_temporaries(&sweep, error))
        return FALSE;
    *ret_result = sweep.result;
    return TRUE;
}
