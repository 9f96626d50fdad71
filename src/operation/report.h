/* SPDX-License-Identifier: Apache-2.0
 *
 * The report on a backup: what it is, and every verify, restore and drill of it that is on record,
 * each with what was checked and what came of it. Nothing is checked for the report itself, and it
 * says so where nothing was.
 */
#ifndef HOLDFAST_OPERATION_REPORT_H
#define HOLDFAST_OPERATION_REPORT_H

#include "base/json.h"
#include "operation/context.h"

/* The document (docs/formats.md), with a checksum over itself. New reference, or NULL. In an
 * encrypted repository tables are named where a key is; without one the report has what records say
 * in the clear. */
json_t *operation_report(OperationContext *context, const char *backup_id,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
