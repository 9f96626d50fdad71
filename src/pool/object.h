/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole objects of the pool, each named by the SHA-256 of its bytes: slices and what belongs to
 * them. The bytes must carry the id of the backup that writes them, so that a full shares no name
 * with anything older.
 *
 * Threads: an object belongs to one thread at a time.
 */
#ifndef HOLDFAST_POOL_OBJECT_H
#define HOLDFAST_POOL_OBJECT_H

#include "codec/hash.h"
#include "repo/repository.h"

typedef struct PoolObject PoolObject;

PoolObject *pool_object_begin(Repository *repository, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pool_object_write(PoolObject *object, const void *bytes, gsize length,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Makes the object durable under its name; digest and size are of the stored bytes. Where something stands there already it is read and
 * hashed before it counts. Once. */
gboolean pool_object_commit(PoolObject *object, guint8 ret_digest[SHA256_SIZE], guint64 *ret_size,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Frees; an object that was not committed is forgotten. */
void pool_object_free(PoolObject *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolObject, pool_object_free)

#endif
