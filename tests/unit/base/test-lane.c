/* SPDX-License-Identifier: Apache-2.0
 *
 * The lane: everything arrives in order and once, the first failure is told and ends the work.
 */
#include "base/lane.h"

#include "base/error.h"

#define ROUNDS 1000

typedef struct {
    guint next; /* the tag that has to come now */
    guint64 bytes;
    guint fail_at; /* 0: never */
} Work;

static gboolean work_on(const LaneBuffer *buffer, gpointer data, GError **error)
{
    Work *work = data;

    g_assert_cmpuint(GPOINTER_TO_UINT(buffer->tag), ==, work->next);
    for (gsize i = 0; i < buffer->length; i++)
        g_assert_cmpuint(buffer->bytes[i], ==, work->next % 256);
    work->bytes += buffer->length;
    if (++work->next != work->fail_at)
        return TRUE;
    error_set(error, ERROR_IO, "broken");
    return FALSE;
}

/* How many were given when the lane asked to stop. */
static guint give(Lane *lane)
{
    for (guint i = 0; i < ROUNDS; i++) {
        LaneBuffer *buffer = lane_take(lane);

        g_assert_cmpuint(buffer->length, ==, 0);
        buffer->length = i % 16 + 1;
        memset(buffer->bytes, (int)(i % 256), buffer->length);
        buffer->tag = GUINT_TO_POINTER(i);
        if (!lane_give(lane, buffer))
            return i;
    }
    return ROUNDS;
}

static void test_order(void)
{
    Work work = {0};
    g_autoptr(Lane) lane = lane_new("test", 16, work_on, &work);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(give(lane), ==, ROUNDS);
    g_assert_true(lane_end(lane, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(work.next, ==, ROUNDS);
    g_assert_cmpuint(work.bytes, ==, ROUNDS / 16 * 136 + 36);
}

static void test_failure(void)
{
    Work work = {.fail_at = 10};
    g_autoptr(Lane) lane = lane_new("test", 16, work_on, &work);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(give(lane), <, ROUNDS);
    g_assert_false(lane_end(lane, &error));
    g_assert_true(error_is(error, ERROR_IO));
    g_assert_cmpuint(work.next, ==, 10);
}

/* Freed without an end: what was given is worked on all the same, and a failure is forgotten. */
static void test_free(void)
{
    Work work = {.fail_at = 2};
    Lane *lane = lane_new("test", 16, work_on, &work);

    for (guint i = 0; i < 2; i++) {
        LaneBuffer *buffer = lane_take(lane);

        buffer->tag = GUINT_TO_POINTER(i);
        (void)lane_give(lane, buffer);
    }
    lane_free(lane);
    g_assert_cmpuint(work.next, ==, 2);
    lane_free(NULL);
}

/* A thread that has nothing to do says so in the end. */
static void test_waits(void)
{
    Work work = {0};
    g_autoptr(Lane) lane = lane_new("test", 16, work_on, &work);

    while (lane_pending(lane) >= 0)
        g_usleep(100);
    g_assert_cmpuint(work.next, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/lane/order", test_order);
    g_test_add_func("/base/lane/failure", test_failure);
    g_test_add_func("/base/lane/free", test_free);
    g_test_add_func("/base/lane/waits", test_waits);
    return g_test_run();
}
