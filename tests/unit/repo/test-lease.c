/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases: one holder at a time, whoever comes at once; renewal; who counts as dead.
 */
#include "../stores.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/lease-identity.h"
#include "repo/lease.h"

#define KEY "backup/market/full"

/* How far the tests' clock is ahead of the real one. */
static _Atomic gint64 clock_offset;

/* A lock that ends when the clock has been asked so often. */
static _Atomic int lingering_fd = -1;
static _Atomic int lingering_calls;

static gint64 test_clock(gpointer data)
{
    int fd = atomic_load(&lingering_fd);

    if (fd >= 0 && atomic_fetch_sub(&lingering_calls, 1) == 1) {
        close(fd);
        atomic_store(&lingering_fd, -1);
    }
    return g_get_real_time() + atomic_load(&clock_offset);
}

static Repository *make_repository(Store *store)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(store, COMPRESS_DEFAULT, &error);

    g_assert_no_error(error);
    return repository;
}

static Lease *take(Repository *repository, const StoreFixture *fixture, const char *key,
                   GError **error)
{
    g_autofree char *directory = fixture_path(fixture, "run");
    static const char *const uses[] = {"one", "two", NULL};
    LeaseRequest request = {.operation = "backup",
                            .source = "market",
                            .exclusive = key,
                            .backup = "20261122T020000Z-market-full-k3f9",
                            .uses = uses,
                            .runtime_directory = directory};

    return lease_acquire(repository, &request, error);
}

static GPtrArray *views_of(Repository *repository)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *views = NULL;

    g_assert_true(lease_list(repository, &views, &error));
    g_assert_no_error(error);
    return views;
}

static gboolean only_lease_lives(Repository *repository)
{
    g_autoptr(GPtrArray) views = views_of(repository);

    g_assert_cmpuint(views->len, ==, 1);
    return ((const LeaseView *)views->pdata[0])->live;
}

static void test_acquire_release(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    Lease *lease = take(repository, fixture, KEY, &error);
    g_autoptr(GPtrArray) views = NULL;
    g_autofree char *names = NULL;
    g_autofree char *run = fixture_path(fixture, "run");
    const LeaseView *view;

    g_assert_no_error(error);
    g_assert_true(lease_check(lease, &error));
    views = views_of(repository);
    g_assert_cmpuint(views->len, ==, 1);
    view = views->pdata[0];
    g_assert_cmpstr(view->id, ==, lease_id(lease));
    g_assert_cmpstr(view->operation, ==, "backup");
    g_assert_cmpstr(view->source, ==, "market");
    g_assert_null(view->type);
    g_assert_cmpstr(view->exclusive, ==, KEY);
    g_assert_cmpstr(view->backup, ==, "20261122T020000Z-market-full-k3f9");
    g_assert_cmpuint(g_strv_length(view->uses), ==, 2);
    g_assert_cmpstr(view->uses[1], ==, "two");
    g_assert_cmpstr(view->host, ==, g_get_host_name());
    g_assert_cmpint(ABS(view->started - time_now()), <, TIME_MINUTE);
    g_assert_true(view->live);
    g_assert_true(view->readable);
    g_assert_false(directory_is_empty(run));
    lease_release(lease);
    names = list_names(fixture->store, "leases/");
    g_assert_cmpstr(names, ==, "");
    g_assert_true(directory_is_empty(run));
}

static void test_busy(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) first = take(repository, fixture, KEY, &error);
    g_autoptr(Lease) other = take(repository, fixture, "backup/market/incremental", &error);
    g_autoptr(Lease) shared = take(repository, fixture, NULL, &error);
    g_autoptr(GPtrArray) views = NULL;

    g_assert_no_error(error);
    g_assert_nonnull(other);
    g_assert_nonnull(shared);
    g_assert_null(take(repository, fixture, KEY, &error));
    g_assert_true(error_is(error, ERROR_BUSY));
    g_assert_nonnull(strstr(error->message, KEY));
    g_assert_nonnull(strstr(error->message, g_get_host_name()));
    g_clear_error(&error);
    /* The loser left nothing. */
    views = views_of(repository);
    g_assert_cmpuint(views->len, ==, 3);
    lease_release(g_steal_pointer(&first));
    first = take(repository, fixture, KEY, &error);
    g_assert_no_error(error);
}

#define THREADS 6
#define ROUNDS  5

typedef struct {
    StoreFixture *fixture;
    Repository *repository;
    atomic_int holders;
    atomic_int won;
} Contest;

static gpointer contend(gpointer data)
{
    Contest *contest = data;

    for (guint i = 0; i < ROUNDS; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Lease) lease = take(contest->repository, contest->fixture, KEY, &error);

        if (lease == NULL) {
            if (!error_is(error, ERROR_BUSY))
                g_error("%s", error->message);
            continue;
        }
        g_assert_cmpint(atomic_fetch_add(&contest->holders, 1), ==, 0);
        g_usleep(2000);
        atomic_fetch_add(&contest->won, 1);
        atomic_fetch_sub(&contest->holders, 1);
    }
    return NULL;
}

static void test_contest(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    Contest contest = {.fixture = fixture, .repository = repository};
    GThread *threads[THREADS];
    g_autofree char *names = NULL;

    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("contender", contend, &contest);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    g_assert_cmpint(atomic_load(&contest.won), >=, 1);
    names = list_names(fixture->store, "leases/");
    g_assert_cmpstr(names, ==, "");
}

/* Waits up to five seconds for a renewal with at least this number. */
static void wait_for_renewal(Store *store, guint number)
{
    for (guint i = 0; i < 500; i++) {
        g_autofree char *names = list_names(store, "leases/");
        const char *dot = strrchr(names, '.');

        if (dot != NULL && g_ascii_strtoull(dot + 1, NULL, 10) >= number)
            return;
        g_usleep(10000);
    }
    g_error("lease was not renewed");
}

static void test_renewal(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    Lease *lease;
    g_autofree char *during = NULL;
    g_autofree char *after = NULL;
    g_auto(GStrv) parts = NULL;

    lease_set_renewal_period(10000);
    lease = take(repository, fixture, KEY, &error);
    g_assert_no_error(error);
    wait_for_renewal(fixture->store, 5);
    during = list_names(fixture->store, "leases/");
    parts = g_strsplit(during, " ", -1);
    g_assert_cmpuint(g_strv_length(parts), <=, 3);
    g_assert_true(lease_check(lease, &error));
    g_assert_true(only_lease_lives(repository));
    lease_release(lease);
    lease_set_renewal_period(0);
    after = list_names(fixture->store, "leases/");
    g_assert_cmpstr(after, ==, "");
}

/* A renewal that fails is tried again; nothing is left behind in the end, not even of the failed
 * ones. */
static void test_renewal_fails(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    Lease *lease;
    g_autofree char *after = NULL;

    lease_set_renewal_period(10000);
    lease = take(repository, fixture, KEY, &error);
    g_assert_no_error(error);
    store_fault_arm(fixture->store, STORE_FAULT_NO_SPACE, 1, 0);
    g_usleep(60000);
    store_fault_arm(fixture->store, STORE_FAULT_DONE, 3, ERROR_IO);
    g_usleep(60000);
    store_fault_arm(fixture->store, STORE_FAULT_NONE, 0, 0);
    wait_for_renewal(fixture->store, 8);
    g_assert_true(lease_check(lease, &error));
    lease_release(lease);
    lease_set_renewal_period(0);
    after = list_names(fixture->store, "leases/");
    g_assert_cmpstr(after, ==, "");
}

static void test_expiry(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = take(repository, fixture, KEY, &error);

    atomic_store(&clock_offset, LEASE_EXPIRY / 2);
    g_assert_true(lease_check(lease, &error));
    g_assert_true(only_lease_lives(repository));
    /* Its holder stops trusting it before others take it for dead. */
    atomic_store(&clock_offset, LEASE_EXPIRY - TIME_MINUTE);
    g_assert_false(lease_check(lease, &error));
    g_assert_true(error_is(error, ERROR_TIMEOUT));
    g_clear_error(&error);
    g_assert_true(only_lease_lives(repository));
    atomic_store(&clock_offset, LEASE_EXPIRY + TIME_SECOND);
    g_assert_false(only_lease_lives(repository));
    /* And never again, whatever the clock says. */
    atomic_store(&clock_offset, 0);
    g_assert_false(lease_check(lease, &error));
}

/* A machine that slept wakes up and renews: too late. */
static void test_gap(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = NULL;

    lease_set_renewal_period(50000);
    lease = take(repository, fixture, KEY, &error);
    atomic_store(&clock_offset, LEASE_EXPIRY + TIME_MINUTE);
    wait_for_renewal(fixture->store, 1);
    g_assert_false(lease_check(lease, &error));
    g_assert_true(error_is(error, ERROR_TIMEOUT));
    lease_set_renewal_period(0);
    atomic_store(&clock_offset, 0);
}

/* Puts a lease of our own making; each value may be changed. */
static void put_lease(Store *store, const char *id, const char *host, const char *machine,
                      const char *boot, const char *run_file)
{
    g_autoptr(json_t) document =
        json_pack("{s:i, s:s, s:s, s:n, s:n, s:s, s:n, s:[], s:s, s:s, s:s, s:s, s:s}",
                  "format_version", 1, "id", id, "operation", "backup", "source", "type",
                  "exclusive", KEY, "backup", "uses", "started", "2026-11-22T02:00:00Z", "host",
                  host, "machine_id", machine, "boot_id", boot, "run_file", run_file);
    g_autofree char *text = json_write(document, TRUE);
    g_autofree char *name = g_strdup_printf("leases/%s.000000", id);
    g_autoptr(GError) error = NULL;

    g_assert_true(store_delete(store, name, &error));
    put_text(store, name, text);
}

static void write_file(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, text, -1, &error));
}

static void test_dead_holders(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    const LeaseIdentity *self = lease_identity();
    g_autofree char *path = fixture_path(fixture, "l1.run");
    g_autoptr(GError) error = NULL;
    g_autoptr(RunFile) held = NULL;

    /* Missing proves nothing. */
    put_lease(fixture->store, "l1", self->host, self->machine_id, self->boot_id, path);
    g_assert_true(only_lease_lives(repository));
    /* There, of this lease, held by nobody: dead. */
    write_file(path, "l1");
    g_assert_false(only_lease_lives(repository));
    /* Another lease's file. */
    write_file(path, "l2");
    g_assert_true(only_lease_lives(repository));
    /* Held. */
    held = run_file_acquire(path, "l1", &error);
    g_assert_no_error(error);
    g_assert_true(only_lease_lives(repository));
    run_file_release(g_steal_pointer(&held));
    /* Another kernel's locks say nothing here. */
    write_file(path, "l1");
    put_lease(fixture->store, "l1", "elsewhere", "m", "b", path);
    g_assert_true(only_lease_lives(repository));
    put_lease(fixture->store, "l1", self->host, self->machine_id, "", path);
    g_assert_true(only_lease_lives(repository));
    put_lease(fixture->store, "l1", self->host, "", "b", path);
    g_assert_true(only_lease_lives(repository));
    put_lease(fixture->store, "l1", "elsewhere", self->machine_id, "b", path);
    g_assert_true(only_lease_lives(repository));
    if (self->machine_id[0] != '\0' && self->boot_id[0] != '\0') {
        /* This machine has booted since. */
        put_lease(fixture->store, "l1", self->host, self->machine_id, "b", path);
        g_assert_false(only_lease_lives(repository));
    }
}

/* The holder was killed while it started a child, which closes the run file a moment later. */
static void test_lingering_lock(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    const LeaseIdentity *self = lease_identity();
    g_autofree char *path = fixture_path(fixture, "l1.run");
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = NULL;
    int fd;

    write_file(path, "0");
    fd = open(path, O_RDWR | O_CLOEXEC);
    g_assert_cmpint(fcntl(fd, F_OFD_SETLK, &lock), ==, 0);
    /* An id that is older than any newcomer's. */
    put_lease(fixture->store, "0", self->host, self->machine_id, self->boot_id, path);
    g_assert_true(only_lease_lives(repository));
    /* The newcomer asks for its id, for the date of its object and with each look. */
    atomic_store(&lingering_calls, 4);
    atomic_store(&lingering_fd, fd);
    lease = take(repository, fixture, KEY, &error);
    g_assert_no_error(error);
    g_assert_nonnull(lease);
    g_assert_cmpint(atomic_load(&lingering_fd), ==, -1);
}

/* What cannot be read might hold any key, for ten minutes. */
static void test_unreadable(StoreFixture *fixture, gconstpointer data)
{
    static const char *const bad[] = {"", "{", "{\"format_version\": 1}",
                                      "{\"format_version\": 2, \"id\": \"l1\"}"};
    g_autoptr(Repository) repository = make_repository(fixture->store);

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) views = NULL;
        const LeaseView *view;

        put_text(fixture->store, "leases/0", bad[i]);
        views = views_of(repository);
        view = views->pdata[0];
        g_assert_true(view->live);
        g_assert_false(view->readable);
        g_assert_null(take(repository, fixture, KEY, &error));
        g_assert_true(error_is(error, ERROR_BUSY));
        g_clear_error(&error);
        atomic_store(&clock_offset, LEASE_EXPIRY + TIME_SECOND);
        g_assert_false(only_lease_lives(repository));
        atomic_store(&clock_offset, 0);
        g_assert_true(store_delete(fixture->store, "leases/0", &error));
    }
}

/* A lease that could not be taken does not stand in the way of the next. */
static void test_every_fault(StoreFixture *fixture, gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_NO_SPACE, STORE_FAULT_DONE,
                                        STORE_FAULT_SHORT};
    g_autoptr(Repository) repository = make_repository(fixture->store);
    gboolean through = FALSE;

    for (guint64 nth = 1; !through; nth++) {
        through = TRUE;
        for (gsize i = 0; i < G_N_ELEMENTS(faults); i++) {
            guint64 calls = store_fault_calls(fixture->store);
            g_autoptr(GError) error = NULL;
            Lease *lease;

            store_fault_arm(fixture->store, faults[i], nth, ERROR_IO);
            lease = take(repository, fixture, KEY, &error);
            g_assert_true((lease == NULL) == (error != NULL));
            lease_release(lease);
            if (store_fault_calls(fixture->store) - calls >= nth)
                through = FALSE;
            store_fault_arm(fixture->store, STORE_FAULT_NONE, 0, 0);
            g_clear_error(&error);
            lease = take(repository, fixture, KEY, &error);
            g_assert_no_error(error);
            lease_release(lease);
        }
        g_assert_cmpuint(nth, <, 100);
    }
}

static void keep_quiet(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

static void add_faulty(const char *path, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER(STORE_FAULTY_MEMORY), store_fixture_open, test,
               store_fixture_close);
}

static void add_memory(const char *path, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER(STORE_MEMORY), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    time_set_source(test_clock, NULL);
    log_set_writer(keep_quiet, NULL);
    add_store_test("/repo/lease/acquire-release", STORE_MEMORY, test_acquire_release);
    add_store_test("/repo/lease/busy", STORE_MEMORY, test_busy);
    add_store_test("/repo/lease/contest", STORE_MEMORY, test_contest);
    add_store_test("/repo/lease/renewal", STORE_MEMORY, test_renewal);
    add_store_test("/repo/lease/dead-holders", STORE_MEMORY, test_dead_holders);
    add_memory("/repo/lease/lingering-lock", test_lingering_lock);
    add_memory("/repo/lease/expiry", test_expiry);
    add_memory("/repo/lease/gap", test_gap);
    add_memory("/repo/lease/unreadable", test_unreadable);
    add_faulty("/repo/lease/renewal-fails", test_renewal_fails);
    add_faulty("/repo/lease/every-fault", test_every_fault);
    return g_test_run();
}
