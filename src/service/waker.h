/* SPDX-License-Identifier: Apache-2.0
 *
 * The handle by which a stream of the server is told that there is something to send. It outlives
 * the connection: to wake a stream that is gone does nothing.
 *
 * Threads: any. The resume function is called with the waker's lock held.
 */
#ifndef HOLDFAST_SERVICE_WAKER_H
#define HOLDFAST_SERVICE_WAKER_H

#include <glib.h>

typedef struct Waker Waker;

Waker *waker_new(void);
Waker *waker_ref(Waker *waker);
void waker_unref(Waker *waker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Waker, waker_unref)

/* There is something to send, or the stream is at its end: its read function will be called. */
void waker_wake(Waker *waker);

/* For the server. `pause` and `resume` stop and start the connection. */
typedef void (*WakerFunc)(gpointer connection);
void waker_bind(Waker *waker, gpointer connection, WakerFunc pause, WakerFunc resume);
/* After this neither function is called. */
void waker_unbind(Waker *waker);
/* Before the read function is asked. */
void waker_arm(Waker *waker);
/* The read function had nothing: pauses the connection. FALSE where the waker was woken since
 * waker_arm(): ask again. */
gboolean waker_sleep(Waker *waker);

#endif
