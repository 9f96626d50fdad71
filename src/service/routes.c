/* SPDX-License-Identifier: Apache-2.0
 *
 * Every path that the service answers, who may use it, and the command whose options are its
 * fields.
 */
#include "service/rest.h"

#define API "/api/backup-recovery"

const Route routes[] = {
    {"GET", "/", ROLE_NONE, rest_root, NULL},
    {"GET", "/healthz", ROLE_NONE, rest_health, NULL},
    {"GET", "/metrics", ROLE_VIEWER, rest_metrics, NULL},
    {"GET", "/openapi.yaml", ROLE_NONE, rest_openapi, NULL},

    {"POST", API "/backup/tdengine/full", ROLE_OPERATOR, rest_start_backup, "backup tdengine full"},
    {"POST", API "/backup/tdengine/incremental", ROLE_OPERATOR, rest_start_backup,
     "backup tdengine incremental"},
    {"POST", API "/backup/postgresql/full", ROLE_OPERATOR, rest_start_backup,
     "backup postgresql full"},
    {"POST", API "/backup/postgresql/incremental", ROLE_OPERATOR, rest_start_backup,
     "backup postgresql incremental"},
    {"POST", API "/recovery/tdengine/full", ROLE_ADMIN, rest_restore, "restore tdengine full",
     TRUE},
    {"POST", API "/recovery/tdengine/pitr", ROLE_ADMIN, rest_restore, "restore tdengine pitr",
     TRUE},
    {"POST", API "/recovery/postgresql/full", ROLE_ADMIN, rest_restore, "restore postgresql full",
     TRUE},
    {"POST", API "/recovery/postgresql/pitr", ROLE_ADMIN, rest_restore, "restore postgresql pitr",
     TRUE},

    {"GET", API "/backups", ROLE_VIEWER, rest_backups, NULL},
    {"GET", API "/backups/{id}", ROLE_VIEWER, rest_backup, NULL},
    {"GET", API "/backups/{id}/report", ROLE_VIEWER, rest_report, NULL},
    {"POST", API "/backups/{id}/pin", ROLE_OPERATOR, rest_pin, NULL},
    {"DELETE", API "/backups/{id}/pin", ROLE_ADMIN, rest_unpin, NULL},
    {"GET", API "/integrity/verify/{backup_id}", ROLE_VIEWER, rest_verify, "verify"},
    {"POST", API "/cleanup/old-backups", ROLE_ADMIN, rest_cleanup, "cleanup"},
    {"GET", API "/recoveries", ROLE_VIEWER, rest_recoveries, NULL},
    {"GET", API "/recovery/objectives", ROLE_VIEWER, rest_objectives, NULL, TRUE},
    {"POST", API "/drill/{source}", ROLE_OPERATOR, rest_drill, "drill"},

    {"POST", API "/scheduler/start", ROLE_OPERATOR, rest_scheduler_start, NULL},
    {"POST", API "/scheduler/stop", ROLE_OPERATOR, rest_scheduler_stop, NULL},
    {"GET", API "/scheduler/jobs", ROLE_VIEWER, rest_scheduler_jobs, NULL},
    {"GET", API "/events", ROLE_VIEWER, rest_events, NULL},
    {"GET", API "/jobs", ROLE_VIEWER, rest_jobs, NULL},
    {"GET", API "/jobs/{id}", ROLE_VIEWER, rest_job, NULL},
    {"POST", API "/jobs/{id}/cancel", ROLE_OPERATOR, rest_cancel, NULL},
    {NULL},
};
