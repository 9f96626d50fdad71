/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of events: ids that rise, replay, what is dropped, readers that are too slow.
 */
#include "service/events.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    Events *events;
    guint woken;
} Fixture;

static gint64 fixed_time(gpointer data)
{
    return 1000 * TIME_SECOND;
}

static void reopen(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    events_free(fixture->events);
    fixture->events = events_open(fixture->repository, fixture->directory, &error);
    g_assert_no_error(error);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    time_set_source(fixed_time, NULL);
    fixture->directory = g_dir_make_tmp("holdfast-events-XXXXXX", &error);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    reopen(fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    events_free(fixture->events);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, &error));
    g_free(fixture->directory);
    time_set_source(NULL, NULL);
}

static void add(Fixture *fixture, const char *text, const char *key)
{
    events_add(fixture->events, "x", json_pack("{s:s}", "n", text), key);
}

/* All that the reader has, by buffers of this size; NULL when it was dropped. */
static char *read_all(EventReader *reader, gsize size)
{
    GString *text = g_string_new(NULL);
    g_autofree char *buffer = g_malloc(size);
    gssize got;

    while ((got = event_reader_read(reader, buffer, size)) > 0)
        g_string_append_len(text, buffer, got);
    return g_string_free(text, got < 0);
}

static void assert_reads(EventReader *reader, const char *expected)
{
    g_autofree char *text = read_all(reader, 7);

    g_assert_cmpstr(text, ==, expected);
}

#define EVENT(id, text) "id: " #id "\nevent: x\ndata: {\"n\":\"" text "\"}\n\n"

static void test_live(Fixture *fixture, gconstpointer data)
{
    g_autoptr(EventReader) reader = NULL;

    add(fixture, "before", NULL);
    reader = event_reader_new(fixture->events, FALSE, 0);
    assert_reads(reader, "");
    add(fixture, "line\\n", NULL);
    add(fixture, "b", NULL);
    assert_reads(reader, EVENT(1001, "line\\\\n") EVENT(1002, "b"));
    assert_reads(reader, "");
    g_assert_cmpuint(events_reader_count(fixture->events), ==, 1);
}

static void test_replay(Fixture *fixture, gconstpointer data)
{
    g_autoptr(EventReader) all = NULL;
    g_autoptr(EventReader) some = NULL;
    g_autoptr(EventReader) none = NULL;
    g_autoptr(EventReader) ahead = NULL;

    add(fixture, "a", NULL);
    add(fixture, "b", NULL);
    add(fixture, "c", NULL);
    all = event_reader_new(fixture->events, TRUE, 999);
    some = event_reader_new(fixture->events, TRUE, 1001);
    none = event_reader_new(fixture->events, TRUE, 1002);
    /* An id of the future: of another repository, say. */
    ahead = event_reader_new(fixture->events, TRUE, G_MAXINT64);
    assert_reads(all, EVENT(1000, "a") EVENT(1001, "b") EVENT(1002, "c"));
    assert_reads(some, EVENT(1002, "c"));
    assert_reads(none, "");
    assert_reads(ahead, "");
}

/* Over a restart ids go on, further away, and what was told before can be replayed. */
static void test_restart(Fixture *fixture, gconstpointer data)
{
    g_autoptr(EventReader) reader = NULL;

    add(fixture, "a", NULL);
    add(fixture, "progress", "job");
    reopen(fixture);
    add(fixture, "b", NULL);
    reader = event_reader_new(fixture->events, TRUE, 999);
    assert_reads(reader, EVENT(1000, "a") EVENT(2000, "b"));
}

/* Of events with a key only the newest is replayed, and none after it was forgotten. */
static void test_keys(Fixture *fixture, gconstpointer data)
{
    EventReader *reader;

    add(fixture, "a", NULL);
    for (guint i = 0; i < 5000; i++)
        add(fixture, "p", "job");
    add(fixture, "q", "other");
    reader = event_reader_new(fixture->events, TRUE, 999);
    assert_reads(reader, EVENT(1000, "a") EVENT(6000, "p") EVENT(6001, "q"));
    event_reader_free(reader);
    events_forget(fixture->events, "job");
    events_forget(fixture->events, "job");
    reader = event_reader_new(fixture->events, TRUE, 1000);
    assert_reads(reader, EVENT(6001, "q"));
    event_reader_free(reader);
}

static void add_large(Fixture *fixture, guint count)
{
    g_autofree char *large = g_strnfill(1024 * 1024, 'x');

    for (guint i = 0; i < count; i++)
        add(fixture, large, NULL);
}

/* The ring holds 8 MiB: a reader that has not read what fell out is dropped; who comes back is told
 * that something is missing. */
static void test_slow(Fixture *fixture, gconstpointer data)
{
    g_autoptr(EventReader) slow = event_reader_new(fixture->events, FALSE, 0);
    g_autoptr(EventReader) late = NULL;
    g_autofree char *text = NULL;
    char byte[4];

    add(fixture, "first", NULL);
    g_assert_cmpint(event_reader_read(slow, byte, sizeof byte), ==, 4);
    add_large(fixture, 9);
    g_assert_cmpint(event_reader_read(slow, byte, sizeof byte), ==, -1);
    late = event_reader_new(fixture->events, TRUE, 1000);
    text = read_all(late, 1024 * 1024);
    g_assert_true(g_str_has_prefix(text, "id: 1002\nevent: missed\ndata: {\"after\":1000}\n\n"
                                         "id: 1003\nevent: x\n"));
}

static void wake(gpointer data)
{
    ((Fixture *)data)->woken++;
}

/* Only a reader that was told "nothing" is woken, and once. */
static void test_wake(Fixture *fixture, gconstpointer data)
{
    g_autoptr(EventReader) reader = event_reader_new(fixture->events, FALSE, 0);

    event_reader_watch(reader, wake, fixture);
    add(fixture, "a", NULL);
    g_assert_cmpuint(fixture->woken, ==, 0);
    assert_reads(reader, EVENT(1000, "a"));
    add(fixture, "b", NULL);
    add(fixture, "c", NULL);
    g_assert_cmpuint(fixture->woken, ==, 1);
    events_beat(fixture->events);
    g_assert_cmpuint(fixture->woken, ==, 1);
}

/* A long result of a job is left to whoever asks for the job. */
static void test_long_result(Fixture *fixture, gconstpointer data)
{
    g_autoptr(EventReader) reader = event_reader_new(fixture->events, FALSE, 0);
    g_autofree char *large = g_strnfill(20000, 'x');

    events_add(fixture->events, "x", json_pack("{s:[s]}", "result", large), NULL);
    assert_reads(reader, "id: 1000\nevent: x\ndata: {\"result\":null,\"result_omitted\":true}\n\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/events/live", Fixture, NULL, set_up, test_live, tear_down);
    g_test_add("/events/replay", Fixture, NULL, set_up, test_replay, tear_down);
    g_test_add("/events/restart", Fixture, NULL, set_up, test_restart, tear_down);
    g_test_add("/events/keys", Fixture, NULL, set_up, test_keys, tear_down);
    g_test_add("/events/slow", Fixture, NULL, set_up, test_slow, tear_down);
    g_test_add("/events/wake", Fixture, NULL, set_up, test_wake, tear_down);
    g_test_add("/events/long-result", Fixture, NULL, set_up, test_long_result, tear_down);
    return g_test_run();
}
