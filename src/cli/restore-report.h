/* SPDX-License-Identifier: Apache-2.0
 *
 * What the restore commands print.
 */
#ifndef HOLDFAST_CLI_RESTORE_REPORT_H
#define HOLDFAST_CLI_RESTORE_REPORT_H

#include "cli/output.h"
#include "operation/restore.h"

typedef struct {
    gboolean dry_run;
    gboolean directory; /* a PostgreSQL data directory was restored */
} RestoreShown;

void restore_report_print(Output *output, const RestoreReport *report, const RestoreShown *shown,
                          gboolean done);

#endif
