/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the verify operation share.
 */
#ifndef HOLDFAST_OPERATION_VERIFY_PRIVATE_H
#define HOLDFAST_OPERATION_VERIFY_PRIVATE_H

#include "operation/verify.h"

VerifyReport *verify_report_new(const char *backup);
/* Takes the texts. A further finding on the same object is counted only. */
void verify_report_damage(VerifyReport *report, const char *object, char *problem, char *recorded);
/* Sorts, finds out what the damage belongs to (`backup` may be NULL) and which backups need it,
 * files the record. Never fails: what does not work is logged, and the report says what it knows. */
void verify_report_finish(OperationContext *context, VerifyReport *report, Backup *backup);

/* All cores where the caller has no wish. */
guint verify_jobs(guint wanted);

#endif
