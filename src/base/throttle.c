/* SPDX-License-Identifier: Apache-2.0
 *
 * Each taker books its bytes behind those of the others and sleeps until its turn has come.
 */
#include "base/throttle.h"

#include "base/error.h"
#include "base/time.h"

/* Time that was not used may be caught up on, but only this much of it. */
#define CATCH_UP (TIME_SECOND / 10)

struct Throttle {
    guint64 rate;
    GMutex mutex;
    gint64 free_at; /* monotonic: when all bytes that were booked have had their time */
};

Throttle *throttle_new(guint64 rate)
{
    Throttle *throttle;

    if (rate == 0)
        return NULL;
    throttle = g_new0(Throttle, 1);
    throttle->rate = rate;
    g_mutex_init(&throttle->mutex);
    return throttle;
}

void throttle_free(Throttle *throttle)
{
    if (throttle == NULL)
        return;
    g_mutex_clear(&throttle->mutex);
    g_free(throttle);
}

gboolean throttle_pause(gint64 microseconds, GCancellable *cancellable, GError **error)
{
    GPollFD waiter;
    gboolean can_wait = cancellable != NULL && g_cancellable_make_pollfd(cancellable, &waiter);

    if (can_wait) {
        g_poll(&waiter, 1, (gint)MIN((microseconds + 999) / 1000, G_MAXINT));
        g_cancellable_release_fd(cancellable);
    } else if (microseconds > 0) {
        g_usleep((gulong)microseconds);
    }
    return error_unless_cancelled(cancellable, error);
}

gboolean throttle_take(Throttle *throttle, guint64 bytes, GCancellable *cancellable, GError **error)
{
    gint64 now, turn;

    if (throttle == NULL)
        return TRUE;
    now = time_monotonic();
    g_mutex_lock(&throttle->mutex);
    turn = MAX(throttle->free_at, now - CATCH_UP);
    throttle->free_at =
        turn + (gint64)((double)bytes * (double)TIME_SECOND / (double)throttle->rate);
    g_mutex_unlock(&throttle->mutex);
    return turn <= now || throttle_pause(turn - now, cancellable, error);
}
