/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool object from one repository into another, where one of them is encrypted: its plain bytes
 * stay the same, its stored bytes and so its name become others.
 *
 * What an object is called in the target follows from its plain bytes and the target's newest data
 * key alone: nothing has to be remembered from one copy to the next, an interrupted one finds what
 * it has written, and two at once make the same object.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_POOL_RESEAL_H
#define HOLDFAST_POOL_RESEAL_H

#include "pool/names.h"
#include "repo/repository.h"

typedef struct {
    Repository *source, *target;
    const char *name;     /* in the source: "pool/…" */
    const guint8 *digest; /* SHA-256 of its stored bytes there, as it was recorded */
} PoolReseal;

/* Durable in the target when it returns TRUE; *ret_present: it was there already, and every byte of
 * it was read. *ret_of_source tells after FALSE whether the object in the source is to blame
 * (ERROR_DAMAGED, ERROR_NOT_FOUND, ERROR_IO); ERROR_EXISTS where what has its name in the target is
 * damaged. The source is read two or three times, never kept. */
gboolean pool_reseal(const PoolReseal *request, GCancellable *cancellable, PoolName *ret_name,
                     gboolean *ret_present, gboolean *ret_of_source,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
