/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs: operations that run in processes of their own. A job waits in the catalog until there is
 * room for it, then a runner (service/runner.h) is started for it, which outlives this process; a
 * later service finds it again by the lock on its run file, never by a process id. A running job
 * whose file nobody holds is entered as lost.
 *
 * The command line opens Jobs to look and to cancel; only the service calls jobs_tick(), which
 * starts what waits.
 *
 * Threads: any; a Jobs has a catalog connection of its own behind a mutex. Watchers are called from
 * the thread of jobs_tick(), with no lock held.
 */
#ifndef HOLDFAST_SERVICE_JOBS_H
#define HOLDFAST_SERVICE_JOBS_H

#include "base/json.h"
#include "catalog/catalog.h"
#include "config/config.h"

typedef struct Jobs Jobs;

/* Takes a reference to config. */
Jobs *jobs_open(const Config *config, Repository *repository,
                GError **error) G_GNUC_WARN_UNUSED_RESULT;
void jobs_free(Jobs *jobs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Jobs, jobs_free)

/* After a reload: max_jobs and the directories of jobs to come. */
void jobs_use_config(Jobs *jobs, const Config *config); /* takes a reference */

/* Replaces the program that is started as `PROGRAM serve --run-job ID --config FILE`; by default
 * this one. For tests. */
void jobs_set_program(Jobs *jobs, const char *program);

typedef struct {
    const char *const *command; /* the words behind "holdfast", options too; no --config, --json */
    const char *operation;      /* "backup postgresql full", "cleanup"; with source what must be
                                   there only once at a time */
    const char *source;         /* or NULL */
    const char *origin;         /* "schedule NAME", "rest TOKEN", or NULL */
    guint attempts;             /* at least 1; only passing failures are tried again */
    gint64 retry_after;         /* microseconds; doubles with each attempt */
    gint64 time_limit;          /* microseconds of each attempt, 0: none */
} JobRequest;

/* Enters a job that waits; free *ret_id with g_free(). ERROR_BUSY naming the job where this
 * operation of this source waits or runs. */
gboolean jobs_submit(Jobs *jobs, const JobRequest *request, char **ret_id,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As catalog_job_find() and catalog_jobs_filtered(). */
CatalogJob *jobs_find(Jobs *jobs, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean jobs_list(Jobs *jobs, const CatalogJobFilter *filter, guint limit, GPtrArray **ret_jobs,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A waiting job ends here; a running one is asked to end, which takes it some time (`jobs_wait`).
 * ERROR_REFUSED where it has ended, or was started by hand. */
gboolean jobs_cancel(Jobs *jobs, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits until the job has ended, at most `timeout` microseconds, and hands out what it is then. */
CatalogJob *jobs_wait(Jobs *jobs, const char *id, gint64 timeout,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether a job in this state will not change any more. */
gboolean jobs_state_is_final(const char *state);

/* The job for programs: id, operation, source, state, origin, command, attempt, attempts, queued,
 * started, ended, next_attempt, progress, heartbeat, result, error, log. New reference. */
json_t *jobs_describe(Jobs *jobs, const CatalogJob *job);

/* Path of the job's log, which may not be there yet. Free with g_free(). */
char *jobs_log_file(Jobs *jobs, const char *id);

/* Told of each job whose state or progress has changed, as jobs_describe() gives it (borrowed). */
typedef void (*JobsFunc)(const json_t *job, gpointer data);
void jobs_watch(Jobs *jobs, JobsFunc func, gpointer data);

/* Once a second: takes in what ended or was lost, starts what waits while `starting`, tells the
 * watchers. Costs nothing while nothing waits or runs. */
void jobs_tick(Jobs *jobs, gboolean starting);

/* Jobs that run, whoever started them. */
gboolean jobs_count_running(Jobs *jobs, guint *ret_count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
