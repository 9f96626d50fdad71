/* SPDX-License-Identifier: Apache-2.0
 *
 * Pool objects that are written as a whole.
 */
#include "pool/object.h"

#include <string.h>

#include "pool/private.h"

struct PoolObject {
    Store *store;
    StoreWriter *target;
    Sha256 *hash;
    guint64 size;
};

static gboolean hash_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    sha256_update(data, bytes, length);
    return TRUE;
}

gboolean pool_object_in_place(Store *store, const char *name, const guint8 digest[SHA256_SIZE],
                              guint64 size)
{
    g_autoptr(Sha256) hash = sha256_new();
    guint8 found[SHA256_SIZE];
    StoreInfo info;

    if (!store_stat(store, name, &info, NULL) || info.size != size ||
        !store_stream(store, name, hash_piece, hash, NULL, NULL))
        return FALSE;
    sha256_finish(hash, found);
    return memcmp(found, digest, SHA256_SIZE) == 0;
}

PoolObject *pool_object_begin(Store *store, GError **error)
{
    g_autoptr(StoreWriter) target = store_begin_below(store, POOL_PREFIX, error);
    PoolObject *object;

    if (target == NULL)
        return NULL;
    object = g_new0(PoolObject, 1);
    object->store = store_ref(store);
    object->target = g_steal_pointer(&target);
    object->hash = sha256_new();
    return object;
}

gboolean pool_object_write(PoolObject *object, const void *bytes, gsize length, GError **error)
{
    sha256_update(object->hash, bytes, length);
    object->size += length;
    return store_write(object->target, bytes, length, error);
}

gboolean pool_object_commit(PoolObject *object, guint8 ret_digest[SHA256_SIZE], guint64 *ret_size,
                            GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *name = NULL;
    guint8 digest[SHA256_SIZE];

    sha256_finish(object->hash, digest);
    name = pool_object_name(digest);
    /* The answer to the commit may have been lost, or the disk may hold something else. */
    if (!store_commit_as(object->target, name, &problem) &&
        !pool_object_in_place(object->store, name, digest, object->size)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    memcpy(ret_digest, digest, SHA256_SIZE);
    *ret_size = object->size;
    return TRUE;
}

void pool_object_free(PoolObject *object)
{
    if (object == NULL)
        return;
    store_writer_free(object->target);
    sha256_free(object->hash);
    store_unref(object->store);
    g_free(object);
}
