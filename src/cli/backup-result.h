/* SPDX-License-Identifier: Apache-2.0
 *
 * What the backup commands do at their end.
 */
#ifndef HOLDFAST_CLI_BACKUP_RESULT_H
#define HOLDFAST_CLI_BACKUP_RESULT_H

#include "cli/command.h"
#include "operation/context.h"

/* Verifies what the backup wrote, as the source's `verify` says, and tells of both. Damage becomes
 * the exit status; FALSE when verify could not look: the backup is there all the same. */
gboolean backup_result_finish(CommandRun *run, OperationContext *context, const Manifest *manifest,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
