/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters that any thread adds to, and a watcher that is told now and then.
 */
#include "base/progress.h"

#include "base/time.h"

#include <stdatomic.h>

#define REPORT_INTERVAL (TIME_SECOND / 10)

struct Progress {
    ProgressFunc func;
    gpointer data;

    /* Touched by every add: no lock. */
    _Atomic guint64 bytes_done;
    _Atomic guint64 rows_done;
    _Atomic gint64 next_report; /* monotonic */

    /* Under the mutex, as is the call of the watcher. */
    GMutex mutex;
    const char *phase; /* NULL between phases */
    guint64 bytes_total;
    guint64 rows_total;
    gint64 began;
};

Progress *progress_new(ProgressFunc func, gpointer data)
{
    Progress *progress = g_new0(Progress, 1);

    progress->func = func;
    progress->data = data;
    g_mutex_init(&progress->mutex);
    return progress;
}

void progress_free(Progress *progress)
{
    if (progress == NULL)
        return;
    g_mutex_clear(&progress->mutex);
    g_free(progress);
}

/* The time to the end if the work goes on as it went; -1 where nothing can be said. */
static gint64 time_left(guint64 done, guint64 total, gint64 elapsed)
{
    if (total == 0 || done == 0)
        return -1;
    if (done >= total)
        return 0;
    return (gint64)((double)elapsed * ((double)(total - done) / (double)done));
}

/* Tells the watcher. Called with the mutex held and a phase running. */
static void report(Progress *progress, gboolean final)
{
    ProgressView view = {.phase = progress->phase, .final = final};
    gint64 now = time_monotonic();

    atomic_store(&progress->next_report, now + REPORT_INTERVAL);
    if (progress->func == NULL)
        return;
    view.bytes_done = atomic_load(&progress->bytes_done);
    view.rows_done = atomic_load(&progress->rows_done);
    view.bytes_total = progress->bytes_total;
    view.rows_total = progress->rows_total;
    view.elapsed = now - progress->began;
    if (view.elapsed > 0)
        view.rate = (double)view.bytes_done / ((double)view.elapsed / TIME_SECOND);
    if (final)
        view.left = 0;
    else if (view.bytes_total > 0)
        view.left = time_left(view.bytes_done, view.bytes_total, view.elapsed);
    else
        view.left = time_left(view.rows_done, view.rows_total, view.elapsed);
    progress->func(&view, progress->data);
}

static void end_phase(Progress *progress)
{
    if (progress->phase == NULL)
        return;
    report(progress, TRUE);
    progress->phase = NULL;
}

void progress_begin(Progress *progress, const char *phase, guint64 bytes_total, guint64 rows_total)
{
    if (progress == NULL)
        return;
    g_mutex_lock(&progress->mutex);
    end_phase(progress);
    atomic_store(&progress->bytes_done, 0);
    atomic_store(&progress->rows_done, 0);
    progress->phase = phase;
    progress->bytes_total = bytes_total;
    progress->rows_total = rows_total;
    progress->began = time_monotonic();
    report(progress, FALSE);
    g_mutex_unlock(&progress->mutex);
}

void progress_add(Progress *progress, guint64 bytes, guint64 rows)
{
    if (progress == NULL)
        return;
    atomic_fetch_add_explicit(&progress->bytes_done, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress->rows_done, rows, memory_order_relaxed);
    if (progress->func == NULL ||
        time_monotonic() < atomic_load_explicit(&progress->next_report, memory_order_relaxed))
        return;
    /* When another thread reports just now, there is nothing to wait for. */
    if (!g_mutex_trylock(&progress->mutex))
        return;
    if (progress->phase != NULL && time_monotonic() >= atomic_load(&progress->next_report))
        report(progress, FALSE);
    g_mutex_unlock(&progress->mutex);
}

void progress_end(Progress *progress)
{
    if (progress == NULL)
        return;
    g_mutex_lock(&progress->mutex);
    end_phase(progress);
    g_mutex_unlock(&progress->mutex);
}
