/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding backups without their commit object.
 *
 * Folders are looked at first, then the leases, then the records: a deletion that was seen half done
 * is in a lease still, or on record by then; a backup that was about to be committed is in a lease,
 * or has its SHA256SUMS at the last look.
 */
#include "repo/lost.h"

#include <string.h>

#include "base/error.h"
#include "repo/backup-id.h"
#include "repo/backup.h"
#include "repo/lease.h"
#include "repo/record.h"

typedef struct {
    GHashTable *suspects; /* char *: ids of folders with a manifest and no SHA256SUMS */
    GHashTable *proven;   /* char *: those of them that were backups */
} Search;

static gboolean has_manifest(Repository *repository, const char *id, gboolean *ret_has,
                             GError **error)
{
    g_autofree char *name = g_strdup_printf("backups/%s/" MANIFEST_NAME, id);
    g_autoptr(GError) problem = NULL;
    StoreInfo info;

    *ret_has = store_stat(repository_store(repository), name, &info, &problem);
    if (*ret_has || error_is(problem, ERROR_NOT_FOUND))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean find_suspects(Repository *repository, GHashTable *suspects, GError **error)
{
    g_autoptr(GPtrArray) ids = NULL;

    if (!store_list_parts(repository_store(repository), "backups/", &ids, error))
        return FALSE;
    for (guint i = 0; i < ids->len; i++) {
        const char *id = ids->pdata[i];
        gboolean committed, has;

        if (!backup_id_valid(id))
            continue;
        if (!backup_is_committed(repository, id, &committed, error))
            return FALSE;
        if (committed)
            continue;
        if (!has_manifest(repository, id, &has, error))
            return FALSE;
        if (has)
            g_hash_table_add(suspects, g_strdup(id));
    }
    return TRUE;
}

/* A lease that is dead tells of a deletion that was killed. */
static gboolean clear_by_leases(Repository *repository, GHashTable *suspects, GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(repository, &views, error))
        return FALSE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];

        if (view->live && !view->readable) {
            g_hash_table_remove_all(suspects);
            return TRUE;
        }
        if (view->backup != NULL && view->live)
            g_hash_table_remove(suspects, view->backup);
        for (guint k = 0; view->deletes != NULL && view->deletes[k] != NULL; k++)
            g_hash_table_remove(suspects, view->deletes[k]);
    }
    return TRUE;
}

/* What a cleanup was going to delete is on record before it begins. */
static void clear_by_plan(GHashTable *suspects, const json_t *body)
{
    const json_t *entry;
    size_t index;

    json_array_foreach(json_object_get(body, "delete"), index, entry)
    {
        const char *id = json_get_string(entry, "backup", NULL);

        if (id != NULL)
            g_hash_table_remove(suspects, id);
    }
}

static gboolean look_at_record(const char *name, const char *kind, gint64 when, const json_t *body,
                               gpointer data, GError **error)
{
    static const char *const proofs[] = {"verify", "restore", "drill", "pin", NULL};
    Search *search = data;
    const char *id = json_get_string(body, "backup", NULL);

    if (strcmp(kind, "cleanup") == 0)
        clear_by_plan(search->suspects, body);
    else if (id != NULL && strcmp(kind, "delete") == 0)
        g_hash_table_remove(search->suspects, id);
    else if (id != NULL && g_strv_contains(proofs, kind))
        g_hash_table_add(search->proven, g_strdup(id));
    return TRUE;
}

static int compare_ids(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

gboolean lost_find(Repository *repository, GPtrArray **ret_ids, GError **error)
{
    g_autoptr(GHashTable) suspects = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) proven = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    Search search = {suspects, proven};
    GHashTableIter iter;
    gpointer id;

    if (!find_suspects(repository, suspects, error))
        return FALSE;
    /* Nearly always there is none, and the records need not be read. */
    if (g_hash_table_size(suspects) > 0 &&
        (!clear_by_leases(repository, suspects, error) ||
         !record_each(repository, look_at_record, &search, error)))
        return FALSE;
    g_hash_table_iter_init(&iter, suspects);
    while (g_hash_table_iter_next(&iter, &id, NULL)) {
        gboolean committed;

        if (!g_hash_table_contains(proven, id))
            continue;
        if (!backup_is_committed(repository, id, &committed, error))
            return FALSE;
        if (!committed)
            g_ptr_array_add(ids, g_strdup(id));
    }
    g_ptr_array_sort(ids, compare_ids);
    *ret_ids = g_steal_pointer(&ids);
    return TRUE;
}
