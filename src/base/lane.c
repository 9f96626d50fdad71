/* SPDX-License-Identifier: Apache-2.0
 *
 * A second thread for one stream of bytes.
 */
#include "base/lane.h"

#define BUFFERS 4

struct Lane {
    LaneBuffer buffers[BUFFERS];
    GAsyncQueue *idle, *filled;
    LaneFunc func;
    gpointer data;
    GThread *thread; /* NULL after its end */
    gint failed;     /* atomic */
    GError *problem; /* the thread's own until it has ended */
};

static gpointer run(gpointer data)
{
    Lane *lane = data;

    for (;;) {
        LaneBuffer *buffer = g_async_queue_pop(lane->filled);

        if (buffer->bytes == NULL)
            return NULL;
        if (lane->problem == NULL && !lane->func(buffer, lane->data, &lane->problem))
            g_atomic_int_set(&lane->failed, TRUE);
        g_async_queue_push(lane->idle, buffer);
    }
}

Lane *lane_new(const char *name, gsize size, LaneFunc func, gpointer data)
{
    Lane *lane = g_new0(Lane, 1);

    lane->func = func;
    lane->data = data;
    lane->idle = g_async_queue_new();
    lane->filled = g_async_queue_new();
    for (guint i = 0; i < BUFFERS; i++) {
        lane->buffers[i].bytes = g_malloc(size);
        g_async_queue_push(lane->idle, &lane->buffers[i]);
    }
    lane->thread = g_thread_new(name, run, lane);
    return lane;
}

LaneBuffer *lane_take(Lane *lane)
{
    LaneBuffer *buffer = g_async_queue_pop(lane->idle);

    buffer->length = 0;
    buffer->tag = NULL;
    return buffer;
}

gint lane_pending(Lane *lane)
{
    return g_async_queue_length(lane->filled);
}

gboolean lane_give(Lane *lane, LaneBuffer *buffer)
{
    g_async_queue_push(lane->filled, buffer);
    return !g_atomic_int_get(&lane->failed);
}

static void join(Lane *lane)
{
    LaneBuffer end = {0};

    if (lane->thread == NULL)
        return;
    g_async_queue_push(lane->filled, &end);
    (void)g_thread_join(g_steal_pointer(&lane->thread));
}

gboolean lane_end(Lane *lane, GError **error)
{
    join(lane);
    if (lane->problem == NULL)
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&lane->problem));
    return FALSE;
}

void lane_free(Lane *lane)
{
    if (lane == NULL)
        return;
    join(lane);
    g_clear_error(&lane->problem);
    for (guint i = 0; i < BUFFERS; i++)
        g_free(lane->buffers[i].bytes);
    g_async_queue_unref(lane->idle);
    g_async_queue_unref(lane->filled);
    g_free(lane);
}
