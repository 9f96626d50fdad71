/* SPDX-License-Identifier: Apache-2.0
 *
 * The schedule: what the [schedule NAME] sections ask for, and what is due. A section without a
 * source stands for every source of its command's engine: each of them is an entry of its own, with
 * its own memory of the last run.
 *
 * Rules: a local time that a change of clocks skips counts at the change, one that comes twice
 * counts the first time (base/cron.h). Of the runs that were missed while nobody looked, the newest
 * is made up for, once, where it is not older than misfire_grace. An entry that is seen for the
 * first time looks only forward. While paused nothing runs, and nothing is made up for later.
 *
 * Threads: one at a time. The clock is an argument.
 */
#ifndef HOLDFAST_SERVICE_SCHEDULE_H
#define HOLDFAST_SERVICE_SCHEDULE_H

#include "catalog/catalog.h"
#include "config/config.h"
#include "service/jobs.h"

typedef struct Schedule Schedule;

/* Reads the sections. ERROR_CONFIG for what no single value shows: a source of another engine, a
 * source where the command takes none. */
Schedule *schedule_new(const Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void schedule_free(Schedule *schedule);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Schedule, schedule_free)

typedef struct {
    char *name;
    char *source;   /* or NULL */
    char **command; /* with the source in it */
    char *operation;
    gint64 due;     /* the next run as the expression has it; G_MAXINT64: never */
    gint64 next;    /* the same with jitter: when it will be started */
    char *last_job; /* or NULL */
} ScheduleEntry;

guint schedule_count(const Schedule *schedule);
const ScheduleEntry *schedule_entry(const Schedule *schedule, guint index);

/* The newest moment at which the entry was due so long ago, misfire_grace and jitter counted, that
 * what it was to make should be there at `now`; 0: none within 400 days. */
gint64 schedule_expected(const Schedule *schedule, guint index, gint64 now);

/* Takes over what is remembered; before schedule_run() and after a reload. */
gboolean schedule_remember(Schedule *schedule, Catalog *catalog, gint64 now,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The earliest `next`, G_MAXINT64 where there is none. */
gint64 schedule_next(const Schedule *schedule);

/* Hands over every entry that is due. The function enters the job: *ret_id names it. ERROR_BUSY
 * means that the run before still goes on: this one is left out. */
typedef gboolean (*ScheduleFunc)(const JobRequest *request, char **ret_id, gpointer data,
                                 GError **error);

/* Runs what is due at `now`, and writes down that it did. An entry that fails is logged and tried
 * again a minute later. Returns how many were handed over. */
guint schedule_run(Schedule *schedule, Catalog *catalog, gint64 now, gboolean paused,
                   ScheduleFunc func, gpointer data);

/* Whether scheduling is paused: kept in the catalog. */
gboolean schedule_paused(Catalog *catalog, gboolean *ret_paused,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean schedule_pause(Catalog *catalog, gboolean paused,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
