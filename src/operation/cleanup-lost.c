/* SPDX-License-Identifier: Apache-2.0
 *
 * What forbids a cleanup because it is not there any more: a pin that cannot be read may be one of a
 * backup that would go, and a backup without its SHA256SUMS would be taken for the remains of an
 * interrupted run, its pool objects for garbage.
 */
#include <string.h>

#include "base/error.h"
#include "operation/cleanup-private.h"
#include "repo/lost.h"
#include "repo/manifest.h"
#include "repo/record.h"

typedef struct {
    const CleanupRequest *request;
    GError *first;
    guint count;
} Search;

static gboolean is_named(const CleanupRequest *request, const char *id)
{
    return request != NULL && request->unreadable != NULL &&
           g_strv_contains(request->unreadable, id);
}

/* "records/<id>.json" */
static char *id_of_record(const char *name)
{
    g_autofree char *file = g_path_get_basename(name);

    return g_strndup(file, strcspn(file, "."));
}

static void note_pin(const char *name, const GError *problem, gpointer data)
{
    Search *search = data;
    g_autofree char *id = id_of_record(name);

    if (is_named(search->request, id))
        return;
    search->count++;
    if (search->first == NULL)
        search->first = g_error_copy(problem);
}

gboolean cleanup_check_pins(Repository *repository, const CleanupRequest *request, GError **error)
{
    Search search = {.request = request};
    g_autoptr(GError) first = NULL;

    if (!record_check(repository, "pin", note_pin, &search, error)) {
        g_clear_error(&search.first);
        return FALSE;
    }
    first = search.first;
    if (first == NULL)
        return TRUE;
    error_set(error, ERROR_REFUSED, "%u %s cannot be read, so that nobody knows what is pinned: %s",
              search.count, search.count == 1 ? "pin" : "pins", first->message);
    error_add_hint(error, "pin what shall stay once more, then remove that object, or go on "
                          "with: holdfast cleanup --unreadable RECORD");
    return FALSE;
}

gboolean cleanup_check_lost(Repository *repository, const CleanupRequest *request, GError **error)
{
    g_autoptr(GPtrArray) lost = NULL;

    if (!lost_find(repository, &lost, error))
        return FALSE;
    for (guint i = 0; i < lost->len; i++) {
        const char *id = lost->pdata[i];

        if (is_named(request, id))
            continue;
        error_set(error, ERROR_REFUSED,
                  "backup %s has lost its SHA256SUMS, so that nobody knows what it needs", id);
        error_add_hint(error, "put the file back, from a copy of the repository or made from the "
                              "backup's manifest.json; or let what is left of the backup go with "
                              "--unreadable BACKUP");
        return FALSE;
    }
    return TRUE;
}

gboolean cleanup_may_name(Repository *repository, const char *id)
{
    g_autofree char *record = g_strdup_printf("records/%s.json", id);
    g_autofree char *manifest = g_strdup_printf("backups/%s/" MANIFEST_NAME, id);
    Store *store = repository_store(repository);
    StoreInfo info;

    if (strchr(id, '/') != NULL || !store_name_valid(record))
        return FALSE;
    return store_stat(store, record, &info, NULL) || store_stat(store, manifest, &info, NULL);
}
