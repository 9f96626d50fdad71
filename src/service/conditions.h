/* SPDX-License-Identifier: Apache-2.0
 *
 * What a look finds, told when it begins and when it ends, not as long as it lasts: objectives that
 * are missed, backups that are overdue, a repository that is nearly full. What was told is kept in
 * the catalog, so that a restart tells nothing twice.
 *
 * Events: "objective" with "source", "state", "missed" (kinds), "reasons"; "overdue" with
 * "schedule", "source", "expected", "overdue"; "space" with "free_bytes", "total_bytes", "short".
 */
#ifndef HOLDFAST_SERVICE_CONDITIONS_H
#define HOLDFAST_SERVICE_CONDITIONS_H

#include "service/events.h"
#include "service/notify.h"
#include "service/view.h"

/* Tells what has changed since the last view. A view with a problem says nothing. */
gboolean conditions_judge(Catalog *catalog, const ServiceView *view, Events *events,
                          Notifier *notifier, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
