/* SPDX-License-Identifier: Apache-2.0
 *
 * The service: jobs and the schedule in one process, in the foreground, one for each catalog. It
 * wakes up once a second.
 *
 * SIGTERM and SIGINT end it; its jobs go on by themselves, and the next service finds them. SIGHUP
 * reads the configuration again: one that cannot be used is told, and the old one stays in force.
 *
 * Files in <state_directory>: service-<repository id>.run, locked while it lives, a JSON object with
 * "state" ("starting", "running", "stopping"), "since", "listen" (its addresses) and "pid" (for
 * people); the same with .stop,
 * whose being there asks it to end after its jobs.
 */
#ifndef HOLDFAST_SERVICE_SERVICE_H
#define HOLDFAST_SERVICE_SERVICE_H

#include "base/log.h"
#include "config/config.h"
#include "service/commands.h"
#include "service/jobs.h"
#include "service/schedule.h"

/* Whether a service could run with this configuration: its schedule, with commands that could be
 * run, whom to tell, certificate and addresses. `tokens`: there is one. Nothing is opened.
 * *ret_entries is how many entries the schedule has. */
gboolean service_check_config(const Config *config, const ServiceCommands *commands,
                              gboolean tokens, guint *ret_entries,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs until a signal or a request ends it. Takes config. ERROR_BUSY where there is one already. */
gboolean service_run(Config *config, const ServiceCommands *commands,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The level of [general] log_level; a service says what it starts unless told otherwise. */
LogLevel service_log_level(const Config *config);

typedef struct {
    gboolean alive;
    char *state; /* as in the run file, or NULL */
    char *since; /* ISO 8601, or NULL */
} ServiceStatus;
void service_status_clear(ServiceStatus *status);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ServiceStatus, service_status_clear)

/* Looks from outside. */
gboolean service_status(const Config *config, Repository *repository, ServiceStatus *ret_status,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Asks the service to end after its jobs. */
gboolean service_request_stop(const Config *config, Repository *repository,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An entry for programs: name, source, command, next_run, last_run, last_state, last_job,
 * last_duration_seconds. New reference. */
json_t *service_describe_entry(Jobs *jobs, const ScheduleEntry *entry);
/* All of them; without next_run unless `running`. New reference, or NULL. */
json_t *service_describe_schedule(Jobs *jobs, const Config *config, Catalog *catalog,
                                  gboolean running, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
