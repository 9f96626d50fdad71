/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the copy operation share.
 */
#ifndef HOLDFAST_OPERATION_COPY_PRIVATE_H
#define HOLDFAST_OPERATION_COPY_PRIVATE_H

#include "engine/engine.h"
#include "operation/copy.h"
#include "repo/transfer.h"

typedef struct {
    OperationContext *context;
    const CopyRequest *request;
    Progress *progress;
    GCancellable *cancellable;
    PoolNames *arrived; /* pool objects that this run has found or put in the target */
    GMutex mutex;       /* guards the item that is being made */
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

/* --- copy-details.c: documents that name pool objects, which have other names in the copy ------- */

typedef struct {
    Backup *backup;
    BackupWriter *writer; /* of the copy */
    const Engine *engine;
    PoolNames *names; /* of all its pool objects */
} CopyDetails;

/* Whether the object with this path is such a document. */
gboolean copy_details_has(const CopyDetails *details, const char *path);
/* Writes it into the copy. *ret_of_source tells after FALSE whether what was read is to blame. */
gboolean copy_details_put(const CopyDetails *details, const char *path, GCancellable *cancellable,
                          guint64 *ret_size, gboolean *ret_of_source,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The archives of all engines. */
gboolean copy_logs(Copying *copying, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
