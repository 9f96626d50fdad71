/* SPDX-License-Identifier: Apache-2.0
 *
 * Progress: nothing is lost between threads, and the watcher is not called too often.
 */
#include "base/progress.h"

#include "base/time.h"

typedef struct {
    ProgressView last;
    gint calls; /* atomic: the adding threads look */
    guint finals;
    gint inside; /* calls of the watcher that run now */
} Seen;

static void watch(const ProgressView *view, gpointer data)
{
    Seen *seen = data;

    g_assert_cmpint(g_atomic_int_add(&seen->inside, 1), ==, 0);
    seen->last = *view;
    g_atomic_int_inc(&seen->calls);
    if (view->final)
        seen->finals++;
    g_atomic_int_add(&seen->inside, -1);
}

static void test_phases(void)
{
    Seen seen = {0};
    g_autoptr(Progress) progress = progress_new(watch, &seen);

    /* Outside a phase nothing is told. */
    progress_add(progress, 1, 1);
    progress_end(progress);
    g_assert_cmpint(seen.calls, ==, 0);

    progress_begin(progress, "dumping", 1000, 0);
    g_assert_cmpint(seen.calls, ==, 1);
    g_assert_cmpstr(seen.last.phase, ==, "dumping");
    g_assert_cmpuint(seen.last.bytes_done, ==, 0);
    g_assert_cmpuint(seen.last.bytes_total, ==, 1000);
    g_assert_cmpint(seen.last.left, ==, -1);
    g_assert_false(seen.last.final);
    progress_add(progress, 600, 6);
    progress_add(progress, 400, 4);

    progress_begin(progress, "counting", 0, 5);
    g_assert_cmpuint(seen.finals, ==, 1);
    g_assert_cmpstr(seen.last.phase, ==, "counting");
    g_assert_cmpuint(seen.last.bytes_done, ==, 0);
    progress_add(progress, 0, 5);
    progress_end(progress);
    g_assert_cmpuint(seen.finals, ==, 2);
    g_assert_cmpuint(seen.last.rows_done, ==, 5);
    g_assert_cmpuint(seen.last.rows_total, ==, 5);
    g_assert_cmpint(seen.last.left, ==, 0);
    g_assert_true(seen.last.final);
    progress_end(progress);
    g_assert_cmpuint(seen.finals, ==, 2);
}

static void test_nobody(void)
{
    g_autoptr(Progress) progress = progress_new(NULL, NULL);

    progress_begin(progress, "dumping", 1, 1);
    progress_add(progress, 1, 1);
    progress_end(progress);
    progress_begin(NULL, "dumping", 1, 1);
    progress_add(NULL, 1, 1);
    progress_end(NULL);
    progress_free(NULL);
}

typedef struct {
    Progress *progress;
    Seen *seen;
} Shared;

/* Adds until the watcher was called four times: at the beginning and three times since. */
static gpointer add_for_a_while(gpointer data)
{
    const Shared *shared = data;
    gsize added = 0;

    while (g_atomic_int_get(&shared->seen->calls) < 4) {
        progress_add(shared->progress, 10, 1);
        added++;
    }
    return GSIZE_TO_POINTER(added);
}

static void test_threads(void)
{
    Seen seen = {0};
    g_autoptr(Progress) progress = progress_new(watch, &seen);
    Shared shared = {progress, &seen};
    GThread *threads[4];
    guint64 added = 0;

    progress_begin(progress, "dumping", G_MAXUINT64, 0);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("add", add_for_a_while, &shared);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        added += GPOINTER_TO_SIZE(g_thread_join(threads[i]));
    progress_end(progress);
    g_assert_cmpuint(seen.last.rows_done, ==, added);
    g_assert_cmpuint(seen.last.bytes_done, ==, 10 * added);
    g_assert_cmpfloat(seen.last.rate, >, 0);
    /* The beginning, the end, and at most ten a second between. */
    g_assert_cmpint(seen.calls, <=, 2 + (gint)(seen.last.elapsed / (TIME_SECOND / 10)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/progress/phases", test_phases);
    g_test_add_func("/base/progress/nobody", test_nobody);
    g_test_add_func("/base/progress/threads", test_threads);
    return g_test_run();
}
