/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the copy operation share.
 */
#ifndef HOLDFAST_OPERATION_COPY_PRIVATE_H
#define HOLDFAST_OPERATION_COPY_PRIVATE_H

#include "operation/copy.h"
#include "repo/transfer.h"

typedef struct {
    OperationContext *context;
    const CopyRequest *request;
    Progress *progress;
    GCancellable *cancellable;
    GMutex mutex;        /* guards what follows, and the item that is being made */
    GHashTable *arrived; /* names of pool objects that this run has found or put in the target */
} Copying;

CopyItem *copy_item_new(const char *backup);
void copy_item_free(CopyItem *item);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CopyItem, copy_item_free)

/* A finding: the others go on. */
void copy_item_add_damage(Copying *copying, CopyItem *item, const char *object,
                          const GError *problem);
void copy_item_count(Copying *copying, CopyItem *item, const TransferResult *result);
/* Sorts what was found and tells it. */
void copy_item_tell(const Copying *copying, CopyItem *item);

/* Whether the failure of a transfer says something about the object alone. */
gboolean copy_is_damage(gboolean of_source, const GError *problem);

/* A small object that is clear in every repository, such as system.json. One that is in the target
 * already stays, whatever it says: it is the target's own. */
gboolean copy_clear_object(Copying *copying, const char *name,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The archives of all engines. */
gboolean copy_logs(Copying *copying, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
