/* SPDX-License-Identifier: Apache-2.0
 *
 * Pool objects that are written as a whole.
 */
#include "pool/object.h"

#include <string.h>

#include "pool/private.h"
#include "repo/stored.h"

struct PoolObject {
    Store *store;
    Sha256 *hash; /* of the stored bytes */
    StoredWriter *target;
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

PoolObject *pool_object_begin(Repository *repository, GError **error)
{
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(StoredWriter) target = stored_begin(repository, SEAL_POOL, POOL_PREFIX, hash, error);
    PoolObject *object;

    if (target == NULL)
        return NULL;
    object = g_new0(PoolObject, 1);
    object->store = store_ref(repository_store(repository));
    object->target = g_steal_pointer(&target);
    object->hash = g_steal_pointer(&hash);
    return object;
}

gboolean pool_object_write(PoolObject *object, const void *bytes, gsize length, GError **error)
{
    return stored_write(object->target, bytes, length, error);
}

gboolean pool_object_commit(PoolObject *object, guint8 ret_digest[SHA256_SIZE], guint64 *ret_size,
                            GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *name = NULL;
    guint8 digest[SHA256_SIZE];
    guint64 size;

    if (!stored_finish(object->target, &size, error))
        return FALSE;
    sha256_finish(object->hash, digest);
    name = pool_object_name(digest);
    /* The answer to the commit may have been lost, or the disk may hold something else. */
    if (!stored_commit_as(object->target, name, &problem) &&
        !pool_object_in_place(object->store, name, digest, size)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    memcpy(ret_digest, digest, SHA256_SIZE);
    *ret_size = size;
    return TRUE;
}

void pool_object_free(PoolObject *object)
{
    if (object == NULL)
        return;
    stored_writer_free(object->target);
    sha256_free(object->hash);
    store_unref(object->store);
    g_free(object);
}
