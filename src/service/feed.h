/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of jobs, told: as events, and to whom the configuration wants told. Every ended job is
 * told once, over restarts too, whoever started it; the failures of an operation of a source only
 * when they begin, when their kind changes, and once a day.
 *
 * Events: "job" when a job's state changes, as jobs_describe() has it; "progress" with "job",
 * "operation", "source", "progress"; "warning" with "job", "operation", "source", "level", "text":
 * a line of a job's log.
 *
 * Threads: that of jobs_tick().
 */
#ifndef HOLDFAST_SERVICE_FEED_H
#define HOLDFAST_SERVICE_FEED_H

#include "service/events.h"
#include "service/jobs.h"
#include "service/notify.h"

typedef struct Feed Feed;

/* Called when a job has ended. */
typedef void (*FeedFunc)(gpointer data);

/* Everything stays the caller's, and must outlive the feed; `jobs` tells it from now on. */
Feed *feed_new(Jobs *jobs, Catalog *catalog, Events *events, Notifier *notifier, FeedFunc ended,
               gpointer data);
void feed_free(Feed *feed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Feed, feed_free)

/* Tells the jobs that have ended since. Once a minute or so, for those that the service did not see
 * run. */
void feed_look(Feed *feed);

/* Whether a failure of this kind at `now` is worth telling, by what was kept of the last one told
 * (NULL: none); *ret_kept is what to keep then. Free with g_free(). */
gboolean feed_is_news(const char *kept, const char *code, gint64 now, char **ret_kept);

#endif
