/* SPDX-License-Identifier: Apache-2.0
 *
 * What the catalog keeps of what was told, and which jobs it forgets.
 */
#include "catalog/catalog.h"

#include "base/time.h"

static gint64 clock_now;

static gint64 test_time(gpointer data)
{
    return clock_now;
}

typedef struct {
    Store *store;
    Repository *repository;
    Catalog *catalog;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    clock_now = 1000 * TIME_DAY;
    time_set_source(test_time, NULL);
    fixture->store = store_new_memory();
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    fixture->catalog = catalog_open(fixture->repository, NULL, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    catalog_free(fixture->catalog);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    time_set_source(NULL, NULL);
}

static void run_job(Fixture *fixture, const char *id, const char *operation, const char *state)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(catalog_job_begin(fixture->catalog, id, operation, "main", NULL, &error));
    clock_now += TIME_SECOND;
    if (state != NULL)
        g_assert_true(catalog_job_end(fixture->catalog, id, state, NULL, NULL, &error));
    g_assert_no_error(error);
}

/* Ids with blanks; takes the array. */
static char *join(GPtrArray *jobs)
{
    GString *ids = g_string_new(NULL);

    for (guint i = 0; i < jobs->len; i++)
        g_string_append_printf(ids, "%s ", ((CatalogJob *)g_ptr_array_index(jobs, i))->id);
    g_ptr_array_unref(jobs);
    return g_string_free(ids, FALSE);
}

static void assert_untold(Fixture *fixture, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *ids = NULL;
    GPtrArray *jobs;

    g_assert_true(catalog_jobs_untold(fixture->catalog, 10, &jobs, &error));
    ids = join(jobs);
    g_assert_cmpstr(ids, ==, expected);
}

static void test_untold(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    run_job(fixture, "a", "x", "succeeded");
    run_job(fixture, "b", "x", NULL);
    run_job(fixture, "c", "x", "failed");
    assert_untold(fixture, "a c ");
    g_assert_true(catalog_job_told(fixture->catalog, "a", &error));
    assert_untold(fixture, "c ");
    clock_now += TIME_SECOND;
    g_assert_true(catalog_job_end(fixture->catalog, "b", "cancelled", NULL, NULL, &error));
    assert_untold(fixture, "c b ");
}

static void test_prune(Fixture *fixture, gconstpointer data)
{
    const CatalogJobFilter all = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ids = NULL;
    g_autofree char *left = NULL;
    GPtrArray *jobs;

    run_job(fixture, "a", "x", NULL);
    run_job(fixture, "b", "x", "failed");
    clock_now += TIME_DAY;
    run_job(fixture, "c", "x", "succeeded");
    run_job(fixture, "d", "x", "succeeded");
    run_job(fixture, "e", "y", "succeeded");
    g_assert_true(catalog_jobs_prune(fixture->catalog, clock_now - TIME_HOUR, 2, &ids, &error));
    g_assert_cmpuint(ids->len, ==, 2);
    g_assert_true(catalog_jobs_filtered(fixture->catalog, &all, 10, &jobs, &error));
    left = join(jobs);
    g_assert_cmpstr(left, ==, "e d a ");
}

static void test_last_and_counts(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) counts = NULL;
    g_autofree char *last = NULL;
    GPtrArray *jobs;
    guint64 failed = 0;

    run_job(fixture, "a", "x", "failed");
    run_job(fixture, "b", "x", "succeeded");
    run_job(fixture, "c", "y", "failed");
    run_job(fixture, "d", "x", NULL);
    g_assert_true(catalog_jobs_last(fixture->catalog, &jobs, &error));
    last = join(jobs);
    g_assert_cmpstr(last, ==, "b c ");
    g_assert_true(catalog_jobs_count(fixture->catalog, &counts, &error));
    g_assert_cmpuint(counts->len, ==, 3);
    for (guint i = 0; i < counts->len; i++) {
        const CatalogJobCount *count = &g_array_index(counts, CatalogJobCount, i);

        if (g_str_equal(count->state, "failed"))
            failed = count->count;
    }
    g_assert_cmpuint(failed, ==, 2);
}

static void test_events(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) events = NULL;

    for (guint64 id = 1; id <= 5; id++)
        g_assert_true(catalog_event_add(fixture->catalog, id, "job", "{}", &error));
    g_assert_true(catalog_events_trim(fixture->catalog, 2, &error));
    g_assert_true(catalog_events(fixture->catalog, 2, &events, &error));
    g_assert_cmpuint(events->len, ==, 2);
    g_assert_cmpuint(((CatalogEvent *)g_ptr_array_index(events, 0))->id, ==, 4);
    g_clear_pointer(&events, g_ptr_array_unref);
    g_assert_true(catalog_events(fixture->catalog, 10, &events, &error));
    g_assert_cmpuint(events->len, ==, 3);
}

static void test_messages(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) messages = NULL;
    gint64 first, second;

    g_assert_true(catalog_message_add(fixture->catalog, "n", "{}", &first, &error));
    g_assert_true(catalog_message_add(fixture->catalog, "m", "[]", &second, &error));
    g_assert_true(catalog_message_remove(fixture->catalog, first, &error));
    g_assert_true(catalog_messages(fixture->catalog, &messages, &error));
    g_assert_cmpuint(messages->len, ==, 1);
    g_assert_cmpint(((CatalogMessage *)g_ptr_array_index(messages, 0))->id, ==, second);
    g_assert_cmpstr(((CatalogMessage *)g_ptr_array_index(messages, 0))->target, ==, "m");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/told/untold", Fixture, NULL, set_up, test_untold, tear_down);
    g_test_add("/told/prune", Fixture, NULL, set_up, test_prune, tear_down);
    g_test_add("/told/last", Fixture, NULL, set_up, test_last_and_counts, tear_down);
    g_test_add("/told/events", Fixture, NULL, set_up, test_events, tear_down);
    g_test_add("/told/messages", Fixture, NULL, set_up, test_messages, tear_down);
    return g_test_run();
}
