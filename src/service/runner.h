/* SPDX-License-Identifier: Apache-2.0
 *
 * The runner of one job: a process between the service and the operation. It holds the job's run
 * file locked, starts the operation as a child of its own, writes the child's progress and a
 * heartbeat into the run file once a second, its messages into the job's log, and its end into the
 * catalog. It outlives the service; and where it is killed itself, the kernel sends SIGTERM to the
 * operation.
 *
 * Files, in <runtime_directory>/jobs: ID.run, a JSON object with "job", "attempt", "heartbeat"
 * (ISO 8601) and "progress" (that of the last line, or null); ID.cancel, whose being there asks the
 * runner to end the job. In <state_directory>/jobs: ID.log, lines of text.
 */
#ifndef HOLDFAST_SERVICE_RUNNER_H
#define HOLDFAST_SERVICE_RUNNER_H

#include "config/config.h"

/* Paths of a job's files. Free with g_free(). */
char *runner_run_file(const Config *config, const char *id);
char *runner_cancel_file(const Config *config, const char *id);
char *runner_log_file(const Config *config, const char *id);

/* Runs the waiting job to its end, which stands in the catalog then: FALSE only where that could not
 * be. A job that does not wait (any more) is left alone. Wants the default main context, and SIGTERM
 * and SIGINT. */
gboolean runner_run(Config *config, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
