/* SPDX-License-Identifier: Apache-2.0
 *
 * One object from one repository into another under the same name: proven while it is read, sealed
 * anew where a repository is encrypted. What stands in the target already is read before it counts.
 *
 * Threads: any; two that transfer the same object agree.
 */
#ifndef HOLDFAST_REPO_TRANSFER_H
#define HOLDFAST_REPO_TRANSFER_H

#include "codec/hash.h"
#include "codec/seal.h"
#include "repo/repository.h"

typedef struct {
    Repository *source, *target;
    SealRole role;
    const char *name;
    const guint8 *digest; /* SHA-256 of the stored bytes in the source; NULL: nobody recorded it */
    gboolean replace;     /* an object of that name in the target that differs is replaced: it is of
                           * a copy that was broken off; else it is an error */
} TransferRequest;

typedef struct {
    guint8 digest[SHA256_SIZE]; /* of the stored bytes in the target */
    guint64 size;               /* of them */
    gboolean present;           /* it was there, and is the same */
} TransferResult;

/* Durable in the target when it returns TRUE. *ret_of_source tells after FALSE whether the object in
 * the source is to blame (ERROR_DAMAGED, ERROR_NOT_FOUND, ERROR_IO) rather than the target;
 * ERROR_EXISTS where the target holds something else under the name. */
gboolean transfer_object(const TransferRequest *request, GCancellable *cancellable,
                         TransferResult *ret_result, gboolean *ret_of_source,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
