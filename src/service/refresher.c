/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that brings the catalog up to the repository, and those who ask it to.
 */
#include "service/refresher.h"

#include "base/error.h"
#include "base/time.h"

/* A repository that hangs must not hold the threads of all requests for ever. */
#define WAIT_LIMIT (30 * TIME_SECOND)

struct Refresher {
    gint64 interval, patience;
    Catalog *catalog; /* the thread's */
    GThread *thread;

    GMutex mutex; /* guards all below */
    GCond changed;
    gboolean ending, wanted;
    guint begun, ended; /* looks */
    gint64 refreshed;   /* monotonic: when the last good look began; 0: none */
    GError *problem;    /* of the last look, or NULL */
};

static void look(Refresher *refresher)
{
    gint64 now = time_monotonic();
    GError *problem = NULL;
    gboolean done;

    refresher->wanted = FALSE;
    refresher->begun++;
    g_mutex_unlock(&refresher->mutex);
    done = catalog_refresh(refresher->catalog, &problem);
    g_mutex_lock(&refresher->mutex);
    refresher->ended++;
    if (done)
        refresher->refreshed = now;
    g_clear_error(&refresher->problem);
    refresher->problem = problem;
    g_cond_broadcast(&refresher->changed);
}

static gpointer run(gpointer data)
{
    Refresher *refresher = data;

    g_mutex_lock(&refresher->mutex);
    while (!refresher->ending) {
        if (refresher->wanted)
            look(refresher);
        else
            g_cond_wait(&refresher->changed, &refresher->mutex);
    }
    g_mutex_unlock(&refresher->mutex);
    return NULL;
}

Refresher *refresher_start(const Catalog *catalog, gint64 interval, gint64 patience, GError **error)
{
    Catalog *own = catalog_open_again(catalog, error);
    Refresher *refresher;

    if (own == NULL)
        return NULL;
    refresher = g_new0(Refresher, 1);
    g_mutex_init(&refresher->mutex);
    g_cond_init(&refresher->changed);
    refresher->interval = interval;
    refresher->patience = patience;
    refresher->catalog = own;
    refresher->thread = g_thread_new("refresher", run, refresher);
    return refresher;
}

void refresher_free(Refresher *refresher)
{
    if (refresher == NULL)
        return;
    g_mutex_lock(&refresher->mutex);
    refresher->ending = TRUE;
    g_cond_broadcast(&refresher->changed);
    g_mutex_unlock(&refresher->mutex);
    g_thread_join(refresher->thread);
    catalog_free(refresher->catalog);
    g_clear_error(&refresher->problem);
    g_cond_clear(&refresher->changed);
    g_mutex_clear(&refresher->mutex);
    g_free(refresher);
}

/* Waits for the end of a look that begins from now on. With the mutex held. */
static gboolean wait_for_look(Refresher *refresher, GError **error)
{
    guint awaited = refresher->begun + 1;
    gint64 end = g_get_monotonic_time() + WAIT_LIMIT;

    while ((gint)(refresher->ended - awaited) < 0) {
        if (g_cond_wait_until(&refresher->changed, &refresher->mutex, end))
            continue;
        error_set(error, ERROR_TIMEOUT, "the repository could not be listed in %d seconds",
                  (int)(WAIT_LIMIT / TIME_SECOND));
        return FALSE;
    }
    if (refresher->problem == NULL)
        return TRUE;
    g_propagate_error(error, g_error_copy(refresher->problem));
    return FALSE;
}

gboolean refresher_ask(Refresher *refresher, GError **error)
{
    gint64 now = time_monotonic();
    gboolean fresh;
    gboolean result = TRUE;

    g_mutex_lock(&refresher->mutex);
    if (refresher->refreshed == 0 || now - refresher->refreshed >= refresher->interval) {
        refresher->wanted = TRUE;
        g_cond_broadcast(&refresher->changed);
    }
    fresh = refresher->refreshed != 0 && now - refresher->refreshed < refresher->patience;
    if (!fresh)
        result = wait_for_look(refresher, error);
    g_mutex_unlock(&refresher->mutex);
    return result;
}
