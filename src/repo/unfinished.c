/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the notes of dead runs.
 */
#include "repo/unfinished.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/backup-id.h"
#include "repo/backup.h"
#include "repo/document.h"
#include "repo/lease.h"
#include "repo/stored.h"

#define NOTE_SIZE_LIMIT (16 * 1024 * 1024)
#define NOTE_LIMIT      1000000

void unfinished_free(Unfinished *unfinished)
{
    if (unfinished == NULL)
        return;
    g_free(unfinished->id);
    g_ptr_array_unref(unfinished->notes);
    g_free(unfinished);
}

static void note_free(gpointer data)
{
    json_decref(data);
}

/* The ids of backups that live leases write. FALSE in *ret_known: a lease cannot be read, so any
 * run may be alive. */
static gboolean collect_running(Repository *repository, GHashTable *running, gboolean *ret_known,
                                GError **error)
{
    g_autoptr(GPtrArray) views = NULL;

    if (!lease_list(repository, &views, error))
        return FALSE;
    *ret_known = TRUE;
    for (guint i = 0; i < views->len; i++) {
        const LeaseView *view = views->pdata[i];

        if (!view->live)
            continue;
        *ret_known = *ret_known && view->readable;
        if (view->backup != NULL)
            g_hash_table_add(running, g_strdup(view->backup));
    }
    return TRUE;
}

static gboolean collect_name(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    GPtrArray *names = data;

    if (names->len < NOTE_LIMIT)
        g_ptr_array_add(names, g_strdup(name));
    return TRUE;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether the note is of such a run; learns from when on it wrote. */
static gboolean is_of(const json_t *note, const char *id, const char *source, const char *type,
                      gint64 *ret_since)
{
    return g_strcmp0(json_get_string(note, "backup", NULL), id) == 0 &&
           g_strcmp0(json_get_string(note, "source", NULL), source) == 0 &&
           g_strcmp0(json_get_string(note, "type", NULL), type) == 0 &&
           time_parse(json_get_string(note, "since", ""), NULL, ret_since, NULL);
}

static json_t *read_note(Repository *repository, const char *name, GError **error)
{
    g_autofree char *bytes = NULL;
    g_autoptr(json_t) note = NULL;
    guint64 size;
    gsize length;

    if (!repository_is_encrypted(repository))
        return document_get(repository_store(repository), name, NOTE_SIZE_LIMIT, error);
    if (!stored_size(repository, SEAL_BACKUP, name, &size, error))
        return NULL;
    if (size > NOTE_SIZE_LIMIT) {
        error_set(error, ERROR_LIMIT, "%s is larger than a note can be", name);
        return NULL;
    }
    bytes = g_malloc(size + 1);
    if (!stored_read(repository, SEAL_BACKUP, name, 0, bytes, size + 1, &length, error))
        return NULL;
    note = json_read_object(bytes, length, name, error);
    if (note == NULL || !repository_check_version(note, name, error))
        return NULL;
    return g_steal_pointer(&note);
}

/* *ret_unfinished stays NULL where the folder has no notes of such a run. */
static gboolean read_folder(Repository *repository, const char *id, const char *source,
                            const char *type, Unfinished **ret_unfinished, GError **error)
{
    Store *store = repository_store(repository);
    g_autofree char *prefix = g_strdup_printf("backups/%s/" UNFINISHED_NOTES, id);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(Unfinished) found = g_new0(Unfinished, 1);

    found->id = g_strdup(id);
    found->since = G_MAXINT64;
    found->notes = g_ptr_array_new_with_free_func(note_free);
    if (!store_list(store, prefix, collect_name, names, error))
        return FALSE;
    g_ptr_array_sort(names, compare_names);
    for (guint i = 0; i < names->len; i++) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(json_t) note = read_note(repository, names->pdata[i], &problem);
        gint64 since;

        if (note == NULL) {
            log_write(LOG_INFO, "a note of an interrupted backup is passed over: %s",
                      problem->message);
            continue;
        }
        if (!is_of(note, id, source, type, &since))
            continue;
        found->since = MIN(found->since, since);
        g_ptr_array_add(found->notes, g_steal_pointer(&note));
    }
    if (found->notes->len > 0)
        *ret_unfinished = g_steal_pointer(&found);
    return TRUE;
}

gboolean unfinished_find(Repository *repository, const char *source, const char *type,
                         Unfinished **ret_unfinished, GError **error)
{
    g_autoptr(GHashTable) running = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(Unfinished) found = NULL;
    gboolean known;

    /* The folders before the leases, as in repo/sweep.c: a folder that was seen and is in no live
     * lease after that belongs to nobody, or is a backup by now. */
    if (!store_list_parts(repository_store(repository), "backups/", &ids, error) ||
        !collect_running(repository, running, &known, error))
        return FALSE;
    for (guint i = known ? ids->len : 0; i > 0 && found == NULL; i--) {
        const char *id = ids->pdata[i - 1];
        gboolean committed;

        if (!backup_id_valid(id) || g_hash_table_contains(running, id))
            continue;
        if (!backup_is_committed(repository, id, &committed, error) ||
            (!committed && !read_folder(repository, id, source, type, &found, error)))
            return FALSE;
    }
    *ret_unfinished = g_steal_pointer(&found);
    return TRUE;
}
