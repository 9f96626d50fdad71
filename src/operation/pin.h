/* SPDX-License-Identifier: Apache-2.0
 *
 * Pinning a backup: a record in the repository says that neither `delete` nor `cleanup` may take
 * it, on whatever host they run. Unpinning is a record too; the newest of both counts.
 */
#ifndef HOLDFAST_OPERATION_PIN_H
#define HOLDFAST_OPERATION_PIN_H

#include "operation/context.h"

/* *ret_changed is FALSE where the backup was pinned (or unpinned) already: no record is written
 * then. `note` (may be NULL) says why, for the record. ERROR_NOT_FOUND where there is no such
 * backup, also where it was deleted before the pin was in place: after TRUE it is safe. */
gboolean operation_pin(OperationContext *context, const char *backup_id, gboolean pin,
                       const char *note, char **ret_id, gboolean *ret_changed,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
