/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that looks, and what hangs together with it.
 */
#include "service/monitor.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <malloc.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/conditions.h"
#include "service/feed.h"
#include "service/metrics.h"
#include "service/notify.h"
#include "service/runner.h"

#define LOOK_INTERVAL TIME_MINUTE
/* Between two looks, when jobs end one after the other. */
#define LOOK_PAUSE     (3 * TIME_SECOND)
#define PRUNE_INTERVAL TIME_HOUR
/* Seconds between two looks for ended jobs that nobody told us of. */
#define FEED_TICKS 2

struct Monitor {
    Repository *repository;
    Notifier *notifier;
    Events *events;
    Feed *feed;
    guint ticks;
    gint64 started;

    GThread *thread;
    GCancellable *cancellable; /* fires at the end */
    Catalog *catalog;          /* the thread's */
    gint64 pruned;             /* monotonic; the thread's */

    GMutex numbers_mutex;
    Catalog *numbers; /* of monitor_metrics(), which must not wait for a look */

    GMutex mutex; /* guards all below */
    GCond changed;
    Config *config;
    ServiceView *view; /* or NULL */
    gboolean poke;     /* a look is wanted soon */
};

/* --- the thread ------------------------------------------------------------------------------- */

static void remove_log(const Config *config, const char *id)
{
    g_autofree char *path = runner_log_file(config, id);

    if (g_unlink(path) != 0 && errno != ENOENT)
        log_write(LOG_WARNING, "cannot remove %s: %s", path, g_strerror(errno));
}

static void prune(Monitor *monitor, const Config *config)
{
    g_autoptr(GPtrArray) ids = NULL;
    g_autoptr(GError) problem = NULL;

    if (monitor->pruned != 0 && time_monotonic() - monitor->pruned < PRUNE_INTERVAL)
        return;
    monitor->pruned = time_monotonic();
    if (!catalog_jobs_prune(monitor->catalog, time_now() - MONITOR_JOB_AGE, MONITOR_JOB_COUNT, &ids,
                            &problem)) {
        log_write(LOG_WARNING, "old jobs are not forgotten: %s", problem->message);
        return;
    }
    for (guint i = 0; i < ids->len; i++)
        remove_log(config, g_ptr_array_index(ids, i));
    if (ids->len > 0)
        log_write(LOG_INFO, "%u old jobs are forgotten", ids->len);
}

static void look(Monitor *monitor, Config *config)
{
    OperationContext context = {.config = config,
                                .repository = monitor->repository,
                                .catalog = monitor->catalog};
    g_autoptr(GError) problem = NULL;
    ServiceView *view, *before;

    view = view_take(&context, monitor->cancellable);
    if (!g_cancellable_is_cancelled(monitor->cancellable)) {
        if (view->problem != NULL)
            log_write(LOG_WARNING, "the state of things is not seen: %s", view->problem);
        if (!conditions_judge(monitor->catalog, view, monitor->events, monitor->notifier, &problem))
            log_write(LOG_WARNING, "not all is told: %s", problem->message);
        prune(monitor, config);
    }
    g_mutex_lock(&monitor->mutex);
    before = monitor->view;
    monitor->view = view;
    g_mutex_unlock(&monitor->mutex);
    view_unref(before);
    /* What a burst of requests needed is not kept for the next one. */
    (void)malloc_trim(0);
}

/* Until the next look is due. With the mutex held. */
static void wait_for_turn(Monitor *monitor, gint64 ended)
{
    while (!g_cancellable_is_cancelled(monitor->cancellable)) {
        gint64 due = ended + (monitor->poke ? LOOK_PAUSE : LOOK_INTERVAL);

        if (g_get_monotonic_time() >= due)
            return;
        (void)g_cond_wait_until(&monitor->changed, &monitor->mutex, due);
    }
}

static gpointer run(gpointer data)
{
    Monitor *monitor = data;

    while (!g_cancellable_is_cancelled(monitor->cancellable)) {
        g_autoptr(Config) config = NULL;

        g_mutex_lock(&monitor->mutex);
        config = config_ref(monitor->config);
        monitor->poke = FALSE;
        g_mutex_unlock(&monitor->mutex);
        look(monitor, config);
        g_mutex_lock(&monitor->mutex);
        wait_for_turn(monitor, g_get_monotonic_time());
        g_mutex_unlock(&monitor->mutex);
    }
    return NULL;
}

/* --- the service's side ----------------------------------------------------------------------- */

static void poke(gpointer data)
{
    Monitor *monitor = data;

    g_mutex_lock(&monitor->mutex);
    monitor->poke = TRUE;
    g_cond_signal(&monitor->changed);
    g_mutex_unlock(&monitor->mutex);
}

Monitor *monitor_start(const Config *config, Repository *repository, Jobs *jobs, Catalog *catalog,
                       GError **error)
{
    g_autoptr(Monitor) monitor = g_new0(Monitor, 1);
    const char *state = config_state_directory(config);

    g_mutex_init(&monitor->mutex);
    g_mutex_init(&monitor->numbers_mutex);
    g_cond_init(&monitor->changed);
    monitor->cancellable = g_cancellable_new();
    monitor->repository = repository_ref(repository);
    monitor->config = config_ref(config);
    monitor->started = time_now();
    monitor->notifier = notify_open(config, repository, error);
    if (monitor->notifier == NULL)
        return NULL;
    monitor->events = events_open(repository, state, error);
    if (monitor->events == NULL)
        return NULL;
    monitor->catalog = catalog_open(repository, state, error);
    if (monitor->catalog == NULL)
        return NULL;
    monitor->numbers = catalog_open(repository, state, error);
    if (monitor->numbers == NULL)
        return NULL;
    monitor->feed = feed_new(jobs, catalog, monitor->events, monitor->notifier, poke, monitor);
    monitor->thread = g_thread_new("monitor", run, monitor);
    return g_steal_pointer(&monitor);
}

void monitor_free(Monitor *monitor)
{
    if (monitor == NULL)
        return;
    g_cancellable_cancel(monitor->cancellable);
    g_mutex_lock(&monitor->mutex);
    g_cond_signal(&monitor->changed);
    g_mutex_unlock(&monitor->mutex);
    if (monitor->thread != NULL)
        g_thread_join(monitor->thread);
    feed_free(monitor->feed);
    notify_free(monitor->notifier);
    events_free(monitor->events);
    catalog_free(monitor->catalog);
    catalog_free(monitor->numbers);
    view_unref(monitor->view);
    config_free(monitor->config);
    repository_unref(monitor->repository);
    g_object_unref(monitor->cancellable);
    g_cond_clear(&monitor->changed);
    g_mutex_clear(&monitor->numbers_mutex);
    g_mutex_clear(&monitor->mutex);
    g_free(monitor);
}

gboolean monitor_use_config(Monitor *monitor, const Config *config, GError **error)
{
    Config *before;

    if (!notify_use_config(monitor->notifier, config, error))
        return FALSE;
    g_mutex_lock(&monitor->mutex);
    before = monitor->config;
    monitor->config = config_ref(config);
    g_mutex_unlock(&monitor->mutex);
    config_free(before);
    poke(monitor);
    return TRUE;
}

void monitor_tick(Monitor *monitor)
{
    if (monitor->ticks++ % FEED_TICKS == 0)
        feed_look(monitor->feed);
    events_beat(monitor->events);
}

Events *monitor_events(Monitor *monitor)
{
    return monitor->events;
}

char *monitor_metrics(Monitor *monitor)
{
    g_autoptr(ServiceView) view = NULL;
    g_autoptr(GArray) jobs = NULL;
    g_autoptr(GArray) notifies = notify_counts(monitor->notifier);
    g_autoptr(GError) problem = NULL;
    MetricsInput input = {
        .notifies = notifies,
        .streams = events_reader_count(monitor->events),
        .started = monitor->started,
        .now = time_now(),
    };

    g_mutex_lock(&monitor->mutex);
    view = monitor->view != NULL ? view_ref(monitor->view) : NULL;
    g_mutex_unlock(&monitor->mutex);
    input.view = view;
    g_mutex_lock(&monitor->numbers_mutex);
    if (!catalog_jobs_count(monitor->numbers, &jobs, &problem) ||
        !schedule_paused(monitor->numbers, &input.paused, &problem))
        log_write(LOG_WARNING, "metrics are not complete: %s", problem->message);
    g_mutex_unlock(&monitor->numbers_mutex);
    input.job_counts = jobs;
    return metrics_render(&input);
}
