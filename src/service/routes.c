/* SPDX-License-Identifier: Apache-2.0
 *
 * Every path that the service answers.
 */
#include "service/rest.h"

const Route routes[] = {
    {"GET", "/", ROLE_NONE, rest_root, NULL},
    {"GET", "/healthz", ROLE_NONE, rest_health, NULL},
    {"GET", "/metrics", ROLE_VIEWER, rest_metrics, NULL},
    {"GET", "/api/backup-recovery/events", ROLE_VIEWER, rest_events, NULL},
    {NULL},
};
