/* SPDX-License-Identifier: Apache-2.0
 *
 * A backup that is deleted and taken into use at the same moment: one of both gives way, however
 * their steps fall.
 */
#include "../stores.h"

#include "base/error.h"
#include "base/log.h"
#include "repo/backup.h"
#include "repo/deletion.h"

#define ID     "20261122T020000Z-market-full-k3f9"
#define COMMIT "backups/" ID "/SHA256SUMS"
#define ROUNDS 60

static const char *const uses[] = {ID, NULL};

typedef struct {
    Repository *repository;
    char *directory;
    Store *store;
} Place;

static void place_init(Place *place, const StoreFixture *fixture)
{
    g_autoptr(GError) error = NULL;

    place->store = fixture->store;
    place->directory = fixture_path(fixture, "run");
    place->repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    put_text(place->store, COMMIT, "# end 0 objects\n");
}

static void place_clear(Place *place)
{
    repository_unref(place->repository);
    g_free(place->directory);
}

static Lease *use(const Place *place)
{
    const LeaseRequest request = {.operation = "restore",
                                  .uses = uses,
                                  .runtime_directory = place->directory};
    g_autoptr(GError) error = NULL;
    Lease *lease = lease_acquire(place->repository, &request, &error);

    g_assert_no_error(error);
    return lease;
}

static Lease *announce(const Place *place)
{
    Lease *lease = deletion_announce(place->repository, uses, place->directory);

    g_assert_nonnull(lease);
    return lease;
}

/* As whoever deletes does it: TRUE when the backup is gone. */
static gboolean delete_unless_used(const Place *place)
{
    g_autoptr(Lease) lease = announce(place);
    g_autoptr(GPtrArray) views = NULL;

    g_assert_true(lease_list(place->repository, &views, NULL));
    for (guint i = 0; i < views->len; i++) {
        if (g_strv_contains((const char *const *)((LeaseView *)views->pdata[i])->uses, ID))
            return FALSE;
    }
    g_assert_true(store_delete(place->store, COMMIT, NULL));
    return TRUE;
}

static gpointer delete_in_thread(gpointer data)
{
    return GINT_TO_POINTER(delete_unless_used(data));
}

typedef enum { WAIT_THERE, WAIT_VANISHED, WAIT_FAILED } Waited;

static Waited wait_for_it(const Place *place)
{
    g_autoptr(GError) error = NULL;

    if (deletion_wait(place->repository, uses, &error))
        return WAIT_THERE;
    return error_is(error, ERROR_VANISHED) ? WAIT_VANISHED : WAIT_FAILED;
}

static gpointer wait_in_thread(gpointer data)
{
    return GINT_TO_POINTER(wait_for_it(data));
}

/* Who uses was first, who deletes was first, who deletes is in between and thinks better of it. */
static void test_order(StoreFixture *fixture, gconstpointer data)
{
    Place place;
    Lease *lease;
    GThread *thread;

    place_init(&place, fixture);
    lease = use(&place);
    g_assert_cmpint(wait_for_it(&place), ==, WAIT_THERE);
    g_assert_false(delete_unless_used(&place));
    lease_release(lease);

    lease = announce(&place);
    thread = g_thread_new("wait", wait_in_thread, &place);
    lease_release(lease);
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, WAIT_THERE);

    /* The commit object is gone: nobody waits for the rest of the deletion. */
    lease = announce(&place);
    thread = g_thread_new("wait", wait_in_thread, &place);
    g_assert_true(store_delete(place.store, COMMIT, NULL));
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==, WAIT_VANISHED);
    lease_release(lease);
    g_assert_cmpint(wait_for_it(&place), ==, WAIT_VANISHED);
    place_clear(&place);
}

/* Both at once, many times: what is used stays, what goes is not used. */
static void test_at_once(StoreFixture *fixture, gconstpointer data)
{
    Place place;

    place_init(&place, fixture);
    for (guint i = 0; i < ROUNDS; i++) {
        GThread *thread = g_thread_new("delete", delete_in_thread, &place);
        Lease *lease = use(&place);
        Waited waited = wait_for_it(&place);
        gboolean deleted = GPOINTER_TO_INT(g_thread_join(thread));

        g_assert_cmpint(waited, ==, deleted ? WAIT_VANISHED : WAIT_THERE);
        lease_release(lease);
        if (deleted)
            put_text(place.store, COMMIT, "# end 0 objects\n");
    }
    place_clear(&place);
}

static void ignore_log(LogLevel level, const char *text, const LogField *fields, gpointer data)
{
}

/* A full disk: the deletion, which makes room, goes on without a lease. */
static void test_no_room(StoreFixture *fixture, gconstpointer data)
{
    Place place;

    place_init(&place, fixture);
    log_set_writer(ignore_log, NULL);
    store_fault_arm(fixture->store, STORE_FAULT_NO_SPACE, 1, ERROR_IO);
    g_assert_null(deletion_announce(place.repository, uses, place.directory));
    log_set_writer(NULL, NULL);
    place_clear(&place);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_store_test("/repo/deletion/order", STORE_MEMORY, test_order);
    g_test_add("/repo/deletion/at-once", StoreFixture, GINT_TO_POINTER(STORE_MEMORY),
               store_fixture_open, test_at_once, store_fixture_close);
    g_test_add("/repo/deletion/no-room", StoreFixture, GINT_TO_POINTER(STORE_FAULTY_MEMORY),
               store_fixture_open, test_no_room, store_fixture_close);
    return g_test_run();
}
