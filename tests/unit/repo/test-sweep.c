/* SPDX-License-Identifier: Apache-2.0
 *
 * What interrupted runs left goes; what lives, is young or was committed stays.
 */
#include "../stores.h"

#include <stdatomic.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/lease.h"
#include "repo/sweep.h"

#define DEAD      "20261122T020000Z-market-full-aaaa"
#define LIVE      "20261122T030000Z-market-full-bbbb"
#define COMMITTED "20261122T040000Z-market-full-cccc"

static _Atomic gint64 clock_offset;

static gint64 test_clock(gpointer data)
{
    return g_get_real_time() + atomic_load(&clock_offset);
}

static Repository *make_repository(Store *store)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(store, COMPRESS_DEFAULT, &error);

    g_assert_no_error(error);
    return repository;
}

static Lease *take(Repository *repository, const StoreFixture *fixture, const char *backup)
{
    g_autofree char *directory = fixture_path(fixture, "run");
    LeaseRequest request = {.operation = "backup",
                            .backup = backup,
                            .runtime_directory = directory};
    g_autoptr(GError) error = NULL;
    Lease *lease = lease_acquire(repository, &request, &error);

    g_assert_no_error(error);
    return lease;
}

static void put_folders(Store *store)
{
    put_text(store, "backups/" DEAD "/data/a", "12345");
    put_text(store, "backups/" DEAD "/manifest.json", "123");
    put_text(store, "backups/" LIVE "/data/a", "1");
    put_text(store, "backups/" COMMITTED "/SHA256SUMS", "# end 0 objects\n");
    put_text(store, "backups/notes/x", "somebody's own");
}

static SweepResult sweep(Repository *repository, gint64 grace, gboolean dry_run)
{
    g_autoptr(GError) error = NULL;
    SweepResult result = {0};

    g_assert_true(sweep_remains(repository, grace, dry_run, &result, &error));
    g_assert_no_error(error);
    return result;
}

static void test_folders(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(Lease) lease = take(repository, fixture, LIVE);
    g_autofree char *names = NULL;
    SweepResult result;

    put_folders(fixture->store);
    /* Young. */
    result = sweep(repository, SWEEP_GRACE_DEFAULT, FALSE);
    g_assert_cmpuint(result.backups, ==, 0);
    /* The clock of files moves in ticks: let one pass. */
    g_usleep(20000);
    result = sweep(repository, 0, TRUE);
    g_assert_cmpuint(result.backups, ==, 1);
    result = sweep(repository, 0, FALSE);
    g_assert_cmpuint(result.backups, ==, 1);
    g_assert_cmpuint(result.objects, ==, 2);
    g_assert_cmpuint(result.bytes, ==, 8);
    g_assert_cmpuint(result.leases, ==, 0);
    names = list_names(fixture->store, "backups/");
    g_assert_cmpstr(names, ==,
                    "backups/" LIVE "/data/a backups/" COMMITTED "/SHA256SUMS backups/notes/x");
}

static void test_grace(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);

    put_folders(fixture->store);
    atomic_store(&clock_offset, TIME_HOUR - TIME_MINUTE);
    /* One young object keeps its folder. */
    put_text(fixture->store, "backups/" LIVE "/data/b", "1");
    g_assert_cmpuint(sweep(repository, TIME_HOUR, FALSE).backups, ==, 0);
    atomic_store(&clock_offset, TIME_HOUR + TIME_MINUTE);
    g_assert_cmpuint(sweep(repository, TIME_HOUR, FALSE).backups, ==, 1);
    atomic_store(&clock_offset, 3 * TIME_HOUR);
    g_assert_cmpuint(sweep(repository, TIME_HOUR, FALSE).backups, ==, 1);
    atomic_store(&clock_offset, 0);
}

static void test_dead_lease(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(Lease) lease = take(repository, fixture, LIVE);
    g_autofree char *names = NULL;
    SweepResult result;

    put_folders(fixture->store);
    atomic_store(&clock_offset, LEASE_EXPIRY + TIME_MINUTE);
    result = sweep(repository, TIME_MINUTE, TRUE);
    g_assert_cmpuint(result.backups, ==, 2);
    g_assert_cmpuint(result.leases, ==, 1);
    names = list_names(fixture->store, "leases/");
    g_assert_cmpstr(names, !=, "");
    g_clear_pointer(&names, g_free);
    result = sweep(repository, TIME_MINUTE, FALSE);
    g_assert_cmpuint(result.backups, ==, 2);
    g_assert_cmpuint(result.leases, ==, 1);
    names = list_names(fixture->store, "leases/");
    g_assert_cmpstr(names, ==, "");
    atomic_store(&clock_offset, 0);
}

/* A live lease that cannot be read may be about any folder. */
static void test_unreadable_lease(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);

    put_folders(fixture->store);
    atomic_store(&clock_offset, TIME_HOUR);
    put_text(fixture->store, "leases/x", "{");
    g_assert_cmpuint(sweep(repository, TIME_MINUTE, FALSE).backups, ==, 0);
    atomic_store(&clock_offset, 2 * TIME_HOUR);
    g_assert_cmpuint(sweep(repository, TIME_MINUTE, FALSE).backups, ==, 2);
    atomic_store(&clock_offset, 0);
}

static void test_temporaries(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = NULL;
    g_autofree char *old = fixture_path(fixture, "store/backups/.tmp-old");
    SweepResult result;

    put_folders(fixture->store);
    g_assert_true(g_file_set_contents(old, "123", 3, &error));
    g_usleep(20000);
    lease = take(repository, fixture, LIVE);
    {
        g_autoptr(StoreWriter) writer = store_begin(fixture->store, "backups/" LIVE "/b", &error);

        g_assert_true(store_write(writer, "x", 1, &error));
        g_usleep(20000);
        result = sweep(repository, 0, FALSE);
        g_assert_cmpuint(result.backups, ==, 1);
        g_assert_cmpuint(result.objects, ==, 3);
        g_assert_cmpuint(result.bytes, ==, 11);
        g_assert_false(g_file_test(old, G_FILE_TEST_EXISTS));
        /* The live backup's own was left alone. */
        g_assert_true(store_commit(writer, &error));
        g_assert_no_error(error);
    }
}

/* Whatever call fails: nothing that lives or was committed is touched, and a second run ends the
 * work. */
static void test_every_fault(StoreFixture *fixture, gconstpointer data)
{
    gboolean through = FALSE;

    for (guint64 nth = 1; !through; nth++) {
        g_autoptr(Store) store = store_new_fault(store_new_memory());
        g_autoptr(Repository) repository = make_repository(store);
        g_autoptr(Lease) lease = take(repository, fixture, LIVE);
        g_autofree char *names = NULL;
        guint64 calls;
        SweepResult result;

        put_folders(store);
        g_usleep(1);
        calls = store_fault_calls(store);
        store_fault_arm(store, nth % 2 == 0 ? STORE_FAULT_ERROR : STORE_FAULT_DONE, nth, ERROR_IO);
        through = sweep_remains(repository, 0, FALSE, &result, NULL);
        g_assert_true(through == (store_fault_calls(store) - calls < nth));
        store_fault_arm(store, STORE_FAULT_NONE, 0, 0);
        sweep(repository, 0, FALSE);
        names = list_names(store, "backups/");
        g_assert_cmpstr(names, ==,
                        "backups/" LIVE "/data/a backups/" COMMITTED "/SHA256SUMS backups/notes/x");
        g_assert_cmpuint(nth, <, 100);
    }
}

static void add_kind(const char *path, StoreKind kind, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER((int)kind), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    time_set_source(test_clock, NULL);
    add_store_test("/repo/sweep/folders", STORE_MEMORY, test_folders);
    add_kind("/repo/sweep/grace", STORE_MEMORY, test_grace);
    add_kind("/repo/sweep/dead-lease", STORE_MEMORY, test_dead_lease);
    add_kind("/repo/sweep/unreadable-lease", STORE_MEMORY, test_unreadable_lease);
    add_kind("/repo/sweep/temporaries", STORE_POSIX, test_temporaries);
    add_kind("/repo/sweep/every-fault", STORE_FAULTY_MEMORY, test_every_fault);
    return g_test_run();
}
