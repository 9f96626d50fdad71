/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker group: everything is done once, the first failure stops the rest, no task is leaked.
 */
#include "base/workers.h"

#include "base/error.h"

#include <string.h>

typedef struct {
    gint done;  /* tasks that ran */
    gint freed; /* tasks that were freed */
    gint most;  /* of them at the same time */
    gint now;
    gint fail_at;   /* the task that fails; 0: none */
    gboolean block; /* each task waits for the cancel */
} Work;

typedef struct {
    Work *work;
    gint number;
} Task;

static Task *task_new(Work *work, gint number)
{
    Task *task = g_new(Task, 1);

    task->work = work;
    task->number = number;
    return task;
}

static void task_free(gpointer data)
{
    Task *task = data;

    g_atomic_int_inc(&task->work->freed);
    g_free(task);
}

static void wait_for_cancel(GCancellable *cancellable)
{
    GPollFD fd;

    if (!g_cancellable_make_pollfd(cancellable, &fd))
        return;
    g_poll(&fd, 1, -1);
    g_cancellable_release_fd(cancellable);
}

static gboolean run(gpointer data, gpointer shared, GCancellable *cancellable, GError **error)
{
    Task *task = data;
    Work *work = shared;
    gint now = g_atomic_int_add(&work->now, 1) + 1;
    gint most;

    do
        most = g_atomic_int_get(&work->most);
    while (now > most && !g_atomic_int_compare_and_exchange(&work->most, most, now));
    g_atomic_int_inc(&work->done);
    if (work->fail_at == task->number) {
        error_set(error, ERROR_DAMAGED, "task %d", task->number);
        g_atomic_int_add(&work->now, -1);
        return FALSE;
    }
    if (work->block)
        wait_for_cancel(cancellable);
    g_atomic_int_add(&work->now, -1);
    if (!g_cancellable_is_cancelled(cancellable))
        return TRUE;
    error_set(error, ERROR_IO, "a consequence");
    return FALSE;
}

static void test_all(void)
{
    static const guint threads[] = {0, 1, 4};

    for (guint t = 0; t < G_N_ELEMENTS(threads); t++) {
        for (guint limit = 0; limit < 3; limit++) {
            Work work = {0};
            g_autoptr(Workers) workers =
                workers_new(threads[t], limit, run, &work, task_free, NULL);
            g_autoptr(GError) error = NULL;

            /* Twice, since a group can be used again. */
            for (gint round = 1; round <= 2; round++) {
                for (gint i = 1; i <= 300; i++)
                    g_assert_true(workers_push(workers, task_new(&work, i)));
                g_assert_true(workers_wait(workers, &error));
                g_assert_no_error(error);
                g_assert_cmpint(work.done, ==, 300 * round);
                g_assert_cmpint(work.freed, ==, 300 * round);
                g_assert_cmpint(work.most, <=, (gint)MAX(threads[t], 1));
            }
        }
    }
}

static Workers *nested;

/* A task hands in two more, which come before what waits. */
static gboolean run_nested(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    GString *order = data;
    const char *name = task;
    static const char *const children[] = {"a1", "a2"};

    g_string_append_printf(order, "%s ", name);
    for (guint i = 0; strcmp(name, "a") == 0 && i < G_N_ELEMENTS(children); i++)
        g_assert_true(workers_push_first(nested, (gpointer)children[i]));
    return TRUE;
}

static void test_push_first(void)
{
    g_autoptr(GString) order = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    nested = workers_new(1, 0, run_nested, order, NULL, NULL);
    g_assert_true(workers_push(nested, "a"));
    g_assert_true(workers_wait(nested, &error));
    g_assert_cmpstr(order->str, ==, "a a2 a1 ");
    workers_free(nested);
}

static void test_nothing(void)
{
    Work work = {0};
    g_autoptr(Workers) workers = workers_new(2, 0, run, &work, task_free, NULL);

    g_assert_true(workers_wait(workers, NULL));
    workers_free(NULL);
}

/* The failing task is the one that is told, not those that it stopped. */
static void test_failure(void)
{
    for (guint threads = 1; threads <= 4; threads++) {
        Work work = {.fail_at = 4, .block = threads > 3};
        Workers *workers = workers_new(threads, 2, run, &work, task_free, NULL);
        g_autoptr(GError) error = NULL;
        gint pushed = 0;

        do
            pushed++;
        while (workers_push(workers, task_new(&work, pushed)));
        g_assert_false(workers_wait(workers, &error));
        g_assert_true(error_is(error, ERROR_DAMAGED));
        g_assert_cmpstr(error->message, ==, "task 4");
        g_clear_error(&error);
        g_assert_false(workers_push(workers, task_new(&work, ++pushed)));
        g_assert_false(workers_wait(workers, &error));
        g_assert_true(error_is(error, ERROR_DAMAGED));
        workers_free(workers);
        g_assert_cmpint(work.freed, ==, pushed);
        g_assert_cmpint(work.done, <, pushed);
    }
}

static gpointer cancel_soon(gpointer data)
{
    g_usleep(20000);
    g_cancellable_cancel(data);
    return NULL;
}

/* The caller cancels while the producer waits for room and a task runs. */
static void test_cancel(void)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Work work = {.block = TRUE};
    Workers *workers = workers_new(1, 1, run, &work, task_free, cancellable);
    GThread *thread = g_thread_new("cancel", cancel_soon, cancellable);
    g_autoptr(GError) error = NULL;
    gint pushed = 0;

    do
        pushed++;
    while (workers_push(workers, task_new(&work, pushed)));
    g_assert_false(workers_wait(workers, &error));
    g_assert_true(error_is(error, ERROR_CANCELLED));
    g_thread_join(thread);
    workers_free(workers);
    g_assert_cmpint(work.freed, ==, pushed);
}

static void test_cancelled_before(void)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Work work = {0};
    g_autoptr(Workers) workers = NULL;

    g_cancellable_cancel(cancellable);
    workers = workers_new(2, 0, run, &work, task_free, cancellable);
    g_assert_false(workers_push(workers, task_new(&work, 1)));
    g_assert_false(workers_wait(workers, NULL));
    g_assert_cmpint(work.done, ==, 0);
    g_assert_cmpint(work.freed, ==, 1);
}

/* Freeing a group in the middle of its work stops it. */
static void test_free(void)
{
    Work work = {.block = TRUE};
    Workers *workers = workers_new(2, 0, run, &work, task_free, NULL);

    for (gint i = 1; i <= 50; i++)
        g_assert_true(workers_push(workers, task_new(&work, i)));
    workers_free(workers);
    g_assert_cmpint(work.freed, ==, 50);
    g_assert_cmpint(work.done, <=, 2);
}

static gboolean fail_silently(gpointer task, gpointer data, GCancellable *cancellable,
                              GError **error)
{
    return FALSE;
}

static void test_silent(void)
{
    g_autoptr(Workers) workers = workers_new(1, 0, fail_silently, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(workers_push(workers, NULL));
    g_assert_false(workers_wait(workers, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/workers/all", test_all);
    g_test_add_func("/base/workers/push-first", test_push_first);
    g_test_add_func("/base/workers/nothing", test_nothing);
    g_test_add_func("/base/workers/failure", test_failure);
    g_test_add_func("/base/workers/cancel", test_cancel);
    g_test_add_func("/base/workers/cancelled-before", test_cancelled_before);
    g_test_add_func("/base/workers/free", test_free);
    g_test_add_func("/base/workers/silent", test_silent);
    return g_test_run();
}
