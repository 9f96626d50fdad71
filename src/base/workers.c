/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker group: a queue, N threads of its own, and one place where the first error is kept.
 */
#include "base/workers.h"

#include "base/error.h"

struct Workers {
    WorkerFunc func;
    gpointer data;
    GDestroyNotify task_free;
    guint queue_limit;

    GCancellable *caller; /* NULL: the caller never cancels */
    gulong caller_handler;
    GCancellable *stop; /* what the tasks see: the caller's cancel, a failure, the end */

    GPtrArray *threads;
    GMutex mutex;
    GCond work; /* there is a task, or the group closes */
    GCond room; /* a task was taken, or the group stops */
    GCond idle; /* the queue is empty and nobody works */
    GQueue queue;
    guint running;
    gboolean closing;
    GError *error; /* the first one */
};

static void free_task(const Workers *workers, gpointer task)
{
    if (workers->task_free != NULL)
        workers->task_free(task);
}

static gboolean stopped(Workers *workers)
{
    return g_cancellable_is_cancelled(workers->stop);
}

/* Takes the waiting tasks away and tells everybody who waits. Called without the mutex, since
 * freeing a task may do anything. */
static void drop_waiting(Workers *workers)
{
    GQueue dropped;
    gpointer task;

    g_mutex_lock(&workers->mutex);
    dropped = workers->queue;
    g_queue_init(&workers->queue);
    g_cond_broadcast(&workers->room);
    if (workers->running == 0)
        g_cond_broadcast(&workers->idle);
    g_mutex_unlock(&workers->mutex);

    while ((task = g_queue_pop_head(&dropped)) != NULL)
        free_task(workers, task);
}

static void on_caller_cancelled(GCancellable *caller, gpointer data)
{
    Workers *workers = data;

    g_cancellable_cancel(workers->stop);
    drop_waiting(workers);
}

/* Keeps the first error and stops the rest. A failure that comes after the stop is its consequence
 * and is not told. */
static void note_failure(Workers *workers, GError *failure)
{
    GError *first = NULL;

    if (failure == NULL)
        error_set(&first, ERROR_INTERNAL, "a task failed without saying why");
    else
        error_take(&first, ERROR_INTERNAL, failure);

    g_mutex_lock(&workers->mutex);
    if (workers->error == NULL && !stopped(workers))
        workers->error = g_steal_pointer(&first);
    g_mutex_unlock(&workers->mutex);
    g_clear_error(&first);
    g_cancellable_cancel(workers->stop);
    drop_waiting(workers);
}

/* Waits for a task; FALSE when the group closes. The task counts as running until task_done(). */
static gboolean take_task(Workers *workers, gpointer *ret_task)
{
    gboolean taken;

    g_mutex_lock(&workers->mutex);
    while (g_queue_is_empty(&workers->queue) && !workers->closing)
        g_cond_wait(&workers->work, &workers->mutex);
    taken = !g_queue_is_empty(&workers->queue);
    if (taken) {
        *ret_task = g_queue_pop_head(&workers->queue);
        workers->running++;
        g_cond_signal(&workers->room);
    }
    g_mutex_unlock(&workers->mutex);
    return taken;
}

static void task_done(Workers *workers)
{
    g_mutex_lock(&workers->mutex);
    workers->running--;
    if (workers->running == 0 && g_queue_is_empty(&workers->queue))
        g_cond_broadcast(&workers->idle);
    g_mutex_unlock(&workers->mutex);
}

static gpointer work(gpointer data)
{
    Workers *workers = data;
    gpointer task = NULL;

    while (take_task(workers, &task)) {
        GError *failure = NULL;

        if (!stopped(workers) && !workers->func(task, workers->data, workers->stop, &failure))
            note_failure(workers, failure);
        free_task(workers, task);
        task_done(workers);
    }
    return NULL;
}

Workers *workers_new(guint threads, guint queue_limit, WorkerFunc func, gpointer data,
                     GDestroyNotify task_free, GCancellable *cancellable)
{
    Workers *workers = g_new0(Workers, 1);

    workers->func = func;
    workers->data = data;
    workers->task_free = task_free;
    workers->queue_limit = queue_limit;
    workers->stop = g_cancellable_new();
    workers->threads = g_ptr_array_new();
    g_mutex_init(&workers->mutex);
    g_cond_init(&workers->work);
    g_cond_init(&workers->room);
    g_cond_init(&workers->idle);
    g_queue_init(&workers->queue);
    for (guint i = 0; i < MAX(threads, 1); i++)
        g_ptr_array_add(workers->threads, g_thread_new("worker", work, workers));
    if (cancellable != NULL) {
        workers->caller = g_object_ref(cancellable);
        workers->caller_handler =
            g_cancellable_connect(cancellable, G_CALLBACK(on_caller_cancelled), workers, NULL);
    }
    return workers;
}

static gboolean push(Workers *workers, gpointer task, void (*add)(GQueue *, gpointer))
{
    gboolean taken;

    g_mutex_lock(&workers->mutex);
    while (workers->queue_limit > 0 &&
           g_queue_get_length(&workers->queue) >= workers->queue_limit && !stopped(workers))
        g_cond_wait(&workers->room, &workers->mutex);
    taken = !stopped(workers);
    if (taken) {
        add(&workers->queue, task);
        g_cond_signal(&workers->work);
    }
    g_mutex_unlock(&workers->mutex);
    if (!taken)
        free_task(workers, task);
    return taken;
}

gboolean workers_push(Workers *workers, gpointer task)
{
    return push(workers, task, g_queue_push_tail);
}

gboolean workers_push_first(Workers *workers, gpointer task)
{
    return push(workers, task, g_queue_push_head);
}

gboolean workers_wait(Workers *workers, GError **error)
{
    gboolean failed;

    g_mutex_lock(&workers->mutex);
    while (workers->running > 0 || !g_queue_is_empty(&workers->queue))
        g_cond_wait(&workers->idle, &workers->mutex);
    failed = workers->error != NULL;
    if (failed && error != NULL)
        *error = g_error_copy(workers->error);
    g_mutex_unlock(&workers->mutex);
    if (!failed && stopped(workers)) {
        error_set(error, ERROR_CANCELLED, "cancelled");
        return FALSE;
    }
    return !failed;
}

void workers_free(Workers *workers)
{
    if (workers == NULL)
        return;
    /* Waits for a handler that is just running: after this nobody else touches the group. */
    if (workers->caller != NULL)
        g_cancellable_disconnect(workers->caller, workers->caller_handler);
    g_cancellable_cancel(workers->stop);
    drop_waiting(workers);
    g_mutex_lock(&workers->mutex);
    workers->closing = TRUE;
    g_cond_broadcast(&workers->work);
    g_mutex_unlock(&workers->mutex);
    for (guint i = 0; i < workers->threads->len; i++)
        g_thread_join(workers->threads->pdata[i]);

    g_ptr_array_unref(workers->threads);
    g_clear_object(&workers->caller);
    g_object_unref(workers->stop);
    g_clear_error(&workers->error);
    g_cond_clear(&workers->work);
    g_cond_clear(&workers->room);
    g_cond_clear(&workers->idle);
    g_mutex_clear(&workers->mutex);
    g_free(workers);
}
