/* SPDX-License-Identifier: Apache-2.0
 *
 * Deleting one backup, by the rules that protect the user: a pinned one is refused, one that a live
 * lease uses too, and the newest good full of a source needs a yes.
 */
#ifndef HOLDFAST_OPERATION_DELETE_H
#define HOLDFAST_OPERATION_DELETE_H

#include "operation/context.h"

gboolean operation_delete(OperationContext *context, const char *backup_id, gboolean yes,
                          char **ret_id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
