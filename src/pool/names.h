/* SPDX-License-Identifier: Apache-2.0
 *
 * What the pool objects of a backup are called in another repository. A name is the SHA-256 of
 * stored bytes, and those are others where one of the repositories is encrypted; the documents that
 * name objects are written anew with this table.
 *
 * Threads: filled and asked by any number of threads.
 */
#ifndef HOLDFAST_POOL_NAMES_H
#define HOLDFAST_POOL_NAMES_H

#include "base/json.h"
#include "codec/hash.h"

typedef struct PoolNames PoolNames;

typedef struct {
    guint8 digest[SHA256_SIZE]; /* of the stored bytes there */
    guint64 size;               /* of them */
} PoolName;

PoolNames *pool_names_new(void);
void pool_names_free(PoolNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolNames, pool_names_free)

/* The object with this digest here is that one there. */
void pool_names_add(PoolNames *names, const guint8 digest[SHA256_SIZE], const PoolName *name);
gboolean pool_names_find(PoolNames *names, const guint8 digest[SHA256_SIZE], PoolName *ret_name);

/* Puts the new name and size in place of "sha256" and "size" of a document's reference to an object;
 * JSON null is none. ERROR_DAMAGED where the table does not know the object, ERROR_FORMAT. */
gboolean pool_names_put(PoolNames *names, json_t *reference,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same of a table of packs (pool/pool.h). Maps are inside of packs and stay as they are: the name
 * by which they know a pack stays beside the new one. */
gboolean pool_names_put_packs(PoolNames *names, json_t *packs,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
