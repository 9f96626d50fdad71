/* SPDX-License-Identifier: Apache-2.0
 *
 * What the restore commands of all engines have in common.
 */
#ifndef HOLDFAST_CLI_RESTORE_COMMAND_H
#define HOLDFAST_CLI_RESTORE_COMMAND_H

#include "cli/command.h"
#include "operation/restore.h"

/* Options as they stand on the command line. */
typedef struct {
    const char *backup_id, *tolerance;
    char **databases, **tables;
    int jobs;
} RestoreWords;

/* What needs the configuration: times in its zone. */
typedef gboolean (*RestoreFill)(const Config *config, RestoreRequest *request, GError **error);

/* Takes the words into the request, fills it, restores, prints the plan or the result. */
gboolean restore_command_run(CommandRun *run, const RestoreWords *words, RestoreRequest *request,
                             RestoreFill fill, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ERROR_USAGE where no backup is named. */
gboolean restore_command_need_backup(const char *backup_id,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
