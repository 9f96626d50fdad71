/* SPDX-License-Identifier: Apache-2.0
 *
 * The entry of a running operation in the catalog's list of jobs. It is made on a best effort: a
 * job that cannot be noted is no reason not to make a backup.
 */
#ifndef HOLDFAST_OPERATION_JOB_H
#define HOLDFAST_OPERATION_JOB_H

#include "base/json.h"
#include "operation/context.h"

/* The environment variable with the id of the job that this process works for. */
#define JOB_ENVIRONMENT "HOLDFAST_JOB"

typedef struct Job Job;

/* Locks a run file for the job and enters it. Never fails: what does not work is logged. */
Job *job_begin(OperationContext *context, const char *id, const char *operation,
               const char *source);

/* Enters how it ended and frees. `problem` NULL: succeeded; a cancel is told apart from a failure.
 * `result` (may be NULL) stays the caller's. */
void job_end(Job *job, const GError *problem, const json_t *result);

#endif
