/* SPDX-License-Identifier: Apache-2.0
 *
 * What the backup commands print at their end.
 */
#ifndef HOLDFAST_CLI_BACKUP_RESULT_H
#define HOLDFAST_CLI_BACKUP_RESULT_H

#include "cli/output.h"
#include "repo/manifest.h"

void backup_result_print(Output *output, const Manifest *manifest);

#endif
