/* SPDX-License-Identifier: Apache-2.0
 *
 * Which failures are news, and that every ended job is told once.
 */
#include "service/feed.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

static void test_news(void)
{
    g_autofree char *kept = NULL;
    char *again = NULL;

    g_assert_true(feed_is_news(NULL, "unreachable", TIME_DAY, &kept));
    g_assert_false(feed_is_news(kept, "unreachable", TIME_DAY + TIME_HOUR, &again));
    g_assert_true(feed_is_news(kept, "no-space", TIME_DAY + TIME_HOUR, &again));
    g_clear_pointer(&again, g_free);
    g_assert_true(feed_is_news(kept, NULL, TIME_DAY + TIME_HOUR, &again));
    g_clear_pointer(&again, g_free);
    g_assert_true(feed_is_news(kept, "unreachable", 2 * TIME_DAY, &again));
    g_clear_pointer(&again, g_free);
    /* The clock went back. */
    g_assert_true(feed_is_news(kept, "unreachable", TIME_HOUR, &again));
    g_clear_pointer(&again, g_free);
    g_assert_true(feed_is_news("rubbish", "unreachable", TIME_HOUR, &again));
    g_free(again);
}

static void count_end(gpointer data)
{
    ++*(guint *)data;
}

static void run_job(Catalog *catalog, const char *id, const char *state, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(catalog_job_begin(catalog, id, "cleanup", NULL, NULL, &error));
    g_assert_true(catalog_job_end(catalog, id, state, NULL, message, &error));
    g_assert_no_error(error);
}

static guint count_words(const char *text, const char *word)
{
    g_auto(GStrv) parts = g_strsplit(text, word, -1);

    return g_strv_length(parts) - 1;
}

/* Jobs that somebody ran by hand: two failures of one kind are one message, a success ends the row. */
static void test_ended(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *directory = g_dir_make_tmp("holdfast-feed-XXXXXX", &error);
    g_autofree char *text =
        g_strdup_printf("[general]\nstate_directory = %s\n[repository]\npath = /r\n"
                        "[notify n]\ntype = command\ncommand = sh -c \"cat >> %s/told\"\n"
                        "on = failure\n",
                        directory, directory);
    g_autofree char *told = g_build_filename(directory, "told", NULL);
    g_autoptr(Config) config = config_parse(text, strlen(text), "x.conf", &error);
    Store *store = store_new_memory();
    Repository *repository = repository_create(store, COMPRESS_DEFAULT, &error);
    Catalog *catalog = catalog_open(repository, directory, &error);
    Jobs *jobs = jobs_open(config, repository, &error);
    Events *events = events_open(repository, directory, &error);
    Notifier *notifier = notify_open(config, repository, &error);
    guint ends = 0;
    Feed *feed = feed_new(jobs, catalog, events, notifier, count_end, &ends);
    EventReader *reader = event_reader_new(events, FALSE, 0);
    g_autofree char *stream = g_malloc0(65536);
    g_autofree char *messages = NULL;
    guint64 waiting = 1;

    g_assert_no_error(error);
    run_job(catalog, "a", "failed", "no luck");
    run_job(catalog, "b", "failed", "no luck");
    run_job(catalog, "c", "succeeded", NULL);
    run_job(catalog, "d", "failed", "no luck");
    run_job(catalog, "e", "cancelled", NULL);
    feed_look(feed);
    feed_look(feed);
    g_assert_cmpuint(ends, ==, 1);
    g_assert_cmpint(event_reader_read(reader, stream, 65535), >, 0);
    g_assert_cmpuint(count_words(stream, "event: job\n"), ==, 5);
    while (waiting > 0) {
        g_autoptr(GArray) counts = notify_counts(notifier);

        waiting = g_array_index(counts, NotifyCount, 0).waiting;
        g_usleep(1000);
    }
    g_assert_true(g_file_get_contents(told, &messages, NULL, &error));
    g_assert_cmpuint(count_words(messages, "\"subject\":\"cleanup failed\""), ==, 2);
    event_reader_free(reader);
    feed_free(feed);
    notify_free(notifier);
    events_free(events);
    jobs_free(jobs);
    catalog_free(catalog);
    repository_unref(repository);
    store_unref(store);
    g_assert_true(directory_remove(directory, &error));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/feed/news", test_news);
    g_test_add_func("/feed/ended", test_ended);
    return g_test_run();
}
