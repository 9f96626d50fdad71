/* SPDX-License-Identifier: Apache-2.0
 *
 * Watching over it all: a look at objectives, schedules and space once a minute, and soon after a job
 * has ended, in a thread of its own, since a server that hangs must hold up nothing; what it finds,
 * and what becomes of jobs, as events and messages. It also forgets old jobs with their logs: those
 * that ended more than 90 days ago, and the oldest beyond 10,000.
 *
 * Threads: monitor_events(), monitor_metrics(): any. The others: that of the service.
 */
#ifndef HOLDFAST_SERVICE_MONITOR_H
#define HOLDFAST_SERVICE_MONITOR_H

#include "service/events.h"
#include "service/jobs.h"
#include "service/view.h"

#define MONITOR_JOB_AGE   (90 * TIME_DAY)
#define MONITOR_JOB_COUNT 10000

typedef struct Monitor Monitor;

/* Takes references to config and repository; jobs and catalog, which is used by the caller's thread,
 * stay the caller's. ERROR_CONFIG as notify_check(). */
Monitor *monitor_start(const Config *config, Repository *repository, Jobs *jobs, Catalog *catalog,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Ends the look that is under way. NULL is fine. */
void monitor_free(Monitor *monitor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Monitor, monitor_free)

/* After a reload. ERROR_CONFIG: nothing has changed then. */
gboolean monitor_use_config(Monitor *monitor, const Config *config,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Once a second. */
void monitor_tick(Monitor *monitor);

/* Belongs to the monitor. */
Events *monitor_events(Monitor *monitor);

/* The text of /metrics; free with g_free(). */
char *monitor_metrics(Monitor *monitor);

#endif
