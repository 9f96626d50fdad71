/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded set of worker threads for one piece of work: tasks are pushed, run in order by at most
 * N threads, and collected. The first task that fails stops the rest: tasks that have not started
 * are dropped, running ones see the group's cancellable fire. The same code serves N = 1, so that
 * there is one path for errors.
 */
#ifndef HOLDFAST_BASE_WORKERS_H
#define HOLDFAST_BASE_WORKERS_H

#include <gio/gio.h>

typedef struct Workers Workers;

/* Does one task. `cancellable` fires when the caller cancels or another task has failed: give up
 * soon then. */
typedef gboolean (*WorkerFunc)(gpointer task, gpointer data, GCancellable *cancellable,
                               GError **error);

/* `task_free` (may be NULL) frees each task, run or dropped. `queue_limit` bounds the tasks that
 * wait (0: no bound); workers_push() blocks there. `cancellable` may be NULL. */
Workers *workers_new(guint threads, guint queue_limit, WorkerFunc func, gpointer data,
                     GDestroyNotify task_free, GCancellable *cancellable);

/* Hands a task over. After a failure or a cancel tasks are dropped at once. FALSE then: stop
 * producing. */
gboolean workers_push(Workers *workers, gpointer task);

/* The same, ahead of the tasks that wait. A running task may call it in a group without a bound. */
gboolean workers_push_first(Workers *workers, gpointer task);

/* Waits until all tasks are done and reports the first error. The group can be used again after
 * success. */
gboolean workers_wait(Workers *workers, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Cancels what runs, waits for it, frees. NULL is fine. */
void workers_free(Workers *workers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Workers, workers_free)

#endif
