/* SPDX-License-Identifier: Apache-2.0
 *
 * A wake-up that comes between "nothing to send" and the pause must not be lost: it is noted under
 * the same lock that the pause takes.
 */
#include "service/waker.h"

struct Waker {
    gint references;
    GMutex mutex; /* guards all below */
    gpointer connection;
    WakerFunc pause, resume;
    gboolean asleep, woken;
};

Waker *waker_new(void)
{
    Waker *waker = g_new0(Waker, 1);

    waker->references = 1;
    g_mutex_init(&waker->mutex);
    return waker;
}

Waker *waker_ref(Waker *waker)
{
    g_atomic_int_inc(&waker->references);
    return waker;
}

void waker_unref(Waker *waker)
{
    if (waker == NULL || !g_atomic_int_dec_and_test(&waker->references))
        return;
    g_mutex_clear(&waker->mutex);
    g_free(waker);
}

void waker_wake(Waker *waker)
{
    g_mutex_lock(&waker->mutex);
    waker->woken = TRUE;
    if (waker->asleep) {
        waker->asleep = FALSE;
        waker->resume(waker->connection);
    }
    g_mutex_unlock(&waker->mutex);
}

void waker_bind(Waker *waker, gpointer connection, WakerFunc pause, WakerFunc resume)
{
    g_mutex_lock(&waker->mutex);
    waker->connection = connection;
    waker->pause = pause;
    waker->resume = resume;
    g_mutex_unlock(&waker->mutex);
}

void waker_unbind(Waker *waker)
{
    g_mutex_lock(&waker->mutex);
    waker->connection = NULL;
    waker->asleep = FALSE;
    g_mutex_unlock(&waker->mutex);
}

void waker_arm(Waker *waker)
{
    g_mutex_lock(&waker->mutex);
    waker->woken = FALSE;
    g_mutex_unlock(&waker->mutex);
}

gboolean waker_sleep(Waker *waker)
{
    gboolean sleeps;

    g_mutex_lock(&waker->mutex);
    sleeps = !waker->woken && waker->connection != NULL;
    if (sleeps) {
        waker->asleep = TRUE;
        waker->pause(waker->connection);
    }
    g_mutex_unlock(&waker->mutex);
    return sleeps;
}
