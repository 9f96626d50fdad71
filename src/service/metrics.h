/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of things in Prometheus' text format, version 0.0.4. Every name is there from the
 * beginning, with its help, whether it has values or not; docs/monitoring/metrics.md has them all.
 */
#ifndef HOLDFAST_SERVICE_METRICS_H
#define HOLDFAST_SERVICE_METRICS_H

#include "service/view.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

typedef struct {
    const ServiceView *view; /* the last look, or NULL: none yet */
    GArray *job_counts;      /* CatalogJobCount, or NULL */
    GArray *notifies;        /* NotifyCount */
    guint streams;           /* readers of events */
    gint64 started;          /* the service */
    gboolean paused;         /* the schedule */
    gint64 now;
} MetricsInput;

/* Free with g_free(). */
char *metrics_render(const MetricsInput *input);

#endif
