/* SPDX-License-Identifier: Apache-2.0
 *
 * Tombstones, written and read.
 */
#include "repo/tombstone.h"

#include <string.h>

#include "base/error.h"
#include "base/random.h"
#include "base/time.h"
#include "repo/document.h"

#define PREFIX      "tombstones/"
#define POOL_PREFIX "pool/"
/* A name of a pool object has 72 characters. */
#define SIZE_LIMIT (16 * 1024 * 1024)

static void tombstone_free(gpointer data)
{
    Tombstone *tombstone = data;

    g_free(tombstone->name);
    g_ptr_array_unref(tombstone->objects);
    g_free(tombstone);
}

gboolean tombstone_write(Repository *repository, GPtrArray *objects, GError **error)
{
    Store *store = repository_store(repository);
    g_autoptr(json_t) document = json_object();
    json_t *names = json_array();
    g_autofree char *random = random_name(8);
    g_autofree char *when = NULL;
    g_autofree char *created = NULL;
    g_autofree char *name = NULL;
    g_autofree char *text = NULL;
    gint64 now;

    json_object_set_new(document, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(document, "objects", names);
    if (!store_time(store, &now, error))
        return FALSE;
    when = time_format_compact(now);
    created = time_format(now);
    json_object_set_new(document, "created", json_text(created));
    for (guint i = 0; i < objects->len; i++)
        json_array_append_new(names, json_text(objects->pdata[i]));
    name = g_strdup_printf(PREFIX "%s-%s", when, random);
    /* The random part is in the text too, so that a lost answer can be told from a stranger of the
     * same name. */
    json_object_set_new(document, "id", json_text(name + strlen(PREFIX)));
    text = json_write(document, FALSE);
    return document_put(store, name, text, strlen(text), NULL, error);
}

static gboolean read_objects(const json_t *document, const char *what, GPtrArray *objects,
                             GError **error)
{
    json_t *names, *name;
    size_t index;

    if (!json_need_array(document, "objects", what, &names, error))
        return FALSE;
    json_array_foreach(names, index, name)
    {
        const char *text = json_string_value(name);

        /* Names become deletions: nothing but the pool may be named. */
        if (text == NULL || !g_str_has_prefix(text, POOL_PREFIX) || !store_name_valid(text)) {
            error_set(error, ERROR_FORMAT, "%s names something that is no pool object", what);
            return FALSE;
        }
        g_ptr_array_add(objects, g_strdup(text));
    }
    return TRUE;
}

typedef struct {
    Store *store;
    GPtrArray *tombstones;
} Listing;

static gboolean collect(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    Listing *listing = data;
    g_autoptr(GError) local_error = NULL;
    g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(json_t) document = document_get(listing->store, name, SIZE_LIMIT, &local_error);
    Tombstone *tombstone;

    if (document == NULL) {
        if (error_is(local_error, ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    if (!read_objects(document, name, objects, error))
        return FALSE;
    tombstone = g_new0(Tombstone, 1);
    tombstone->name = g_strdup(name);
    tombstone->modified = info->modified;
    tombstone->objects = g_steal_pointer(&objects);
    g_ptr_array_add(listing->tombstones, tombstone);
    return TRUE;
}

gboolean tombstone_list(Repository *repository, GPtrArray **ret_tombstones, GError **error)
{
    Store *store = repository_store(repository);
    g_autoptr(GPtrArray) tombstones = g_ptr_array_new_with_free_func(tombstone_free);
    Listing listing = {.store = store, .tombstones = tombstones};

    if (!store_list(store, PREFIX, collect, &listing, error))
        return FALSE;
    *ret_tombstones = g_steal_pointer(&tombstones);
    return TRUE;
}
