/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog is brought up to the repository by a thread of its own: who waits for it and who does
 * not.
 */
#include "service/refresher.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "repo/record.h"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    Catalog *catalog;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->directory = g_dir_make_tmp("holdfast-refresher-XXXXXX", &error);
    fixture->store = store_new_fault(store_new_memory());
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    fixture->catalog = catalog_open(fixture->repository, fixture->directory, &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    catalog_free(fixture->catalog);
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
}

/* As another host would. */
static void pin(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) body = json_pack("{s:s}", "backup", "20261122T020000Z-market-full-k3f9");

    g_assert_true(record_write(fixture->repository, "pin", body, NULL, &error));
    g_assert_no_error(error);
}

static guint count_pins(Fixture *fixture)
{
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(catalog_records(fixture->catalog, "pin", &records, &error));
    return records->len;
}

static void ask(Refresher *refresher)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(refresher_ask(refresher, &error));
    g_assert_no_error(error);
}

/* Without patience every answer is as new as its question. */
static void test_waits(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Refresher) refresher = refresher_start(fixture->catalog, 0, 0, NULL);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 3; i++) {
        g_assert_cmpuint(count_pins(fixture), ==, i);
        pin(fixture);
        ask(refresher);
        g_assert_cmpuint(count_pins(fixture), ==, i + 1);
    }
    store_fault_arm(fixture->store, STORE_FAULT_ERROR, 1, ERROR_UNREACHABLE);
    g_assert_false(refresher_ask(refresher, &error));
    g_assert_true(error_is(error, ERROR_UNREACHABLE));
    ask(refresher);
}

/* With patience only the first question waits; what is new comes with a later one, and a look that
 * fails is nobody's trouble. */
static void test_patient(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Refresher) refresher = refresher_start(fixture->catalog, 0, G_MAXINT64, NULL);
    guint64 calls;

    pin(fixture);
    ask(refresher);
    g_assert_cmpuint(count_pins(fixture), ==, 1);
    store_fault_arm(fixture->store, STORE_FAULT_ERROR, 1, ERROR_UNREACHABLE);
    calls = store_fault_calls(fixture->store);
    ask(refresher);
    while (store_fault_calls(fixture->store) == calls)
        g_usleep(100);
    pin(fixture);
    while (count_pins(fixture) < 2)
        ask(refresher);
}

/* Who asks again soon does not make it look. */
static void test_interval(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Refresher) refresher =
        refresher_start(fixture->catalog, G_MAXINT64, G_MAXINT64, NULL);

    ask(refresher);
    pin(fixture);
    for (guint i = 0; i < 100; i++)
        ask(refresher);
    g_assert_cmpuint(count_pins(fixture), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/refresher/waits", Fixture, NULL, set_up, test_waits, tear_down);
    g_test_add("/refresher/patient", Fixture, NULL, set_up, test_patient, tear_down);
    g_test_add("/refresher/interval", Fixture, NULL, set_up, test_interval, tear_down);
    return g_test_run();
}
