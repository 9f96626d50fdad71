/* SPDX-License-Identifier: Apache-2.0
 *
 * Telling what verify found, after `verify` and after a backup.
 */
#ifndef HOLDFAST_CLI_VERIFY_RESULT_H
#define HOLDFAST_CLI_VERIFY_RESULT_H

#include "cli/output.h"
#include "operation/verify.h"

void verify_result_print(Output *output, const VerifyReport *report);

#endif
