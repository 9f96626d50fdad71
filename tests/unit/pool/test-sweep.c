/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the sweep of the pool: what it keeps, what it deletes and when, beside backups that run,
 * beside other sweeps, and with every call of the store failing once.
 */
#include "pool-fixture.h"

#include <gio/gio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "pool/private.h"
#include "pool/sweep.h"
#include "repo/sweep.h"
#include "repo/tombstone.h"

#define FIRST  "20261122T020000Z-market-full-aaaa"
#define SECOND "20261122T030000Z-market-incr-bbbb"
#define THIRD  "20261122T040000Z-market-full-cccc"

#define MIB (1024 * 1024)
/* Enough for a map. */
#define SIZE (700 * 1024)

static const CompressSpec fast = {CODEC_NONE, 0};

/* A clock that tests move: the memory store dates its objects by it. */
static gint64 moment;

static gint jumping;

static gint64 read_moment(gpointer data)
{
    /* As if the machine had slept: every lease has expired. */
    if (g_atomic_int_get(&jumping) && g_random_int() % 300 == 0)
        __atomic_fetch_add(&moment, TIME_HOUR, __ATOMIC_SEQ_CST);
    /* Ever on, so that nothing has the date of the next thing. */
    return __atomic_fetch_add(&moment, 1, __ATOMIC_SEQ_CST);
}

static void set_clock(void)
{
    moment = 1795305600 * TIME_SECOND;
    time_set_source(read_moment, NULL);
}

static Repository *make_repository(Store *store)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(store, fast, &error);

    g_assert_no_error(error);
    return repository;
}

/* A backup with one file, written anew. */
static gboolean make_full(Repository *repository, const char *directory, const char *id,
                          guint32 seed, GError **error)
{
    g_autofree guint8 *bytes = make_bytes(SIZE, seed);
    TestBackup backup;
    gboolean done = test_backup_begin(&backup, repository, directory, id, NULL, fast, error) &&
                    test_backup_write(&backup, bytes, SIZE, MIB, NULL, NULL, error) &&
                    test_backup_commit(&backup, error);

    test_backup_end(&backup);
    return done;
}

/* A backup that takes over the one file of its base. */
static gboolean make_incremental(Repository *repository, const char *directory, const char *id,
                                 const char *base_id, GError **error)
{
    TestBackup backup;
    TestRead base = {0};
    PoolFile file = {0};
    gboolean done = test_backup_begin(&backup, repository, directory, id, base_id, fast, error) &&
                    test_read_begin(&base, repository, base_id, error) &&
                    test_read_place(&base, 0, &file, error) &&
                    pool_file_reuse(backup.stream, base.reader, &file, NULL, error) &&
                    test_backup_commit(&backup, error);

    pool_file_clear(&file);
    test_read_end(&base);
    test_backup_end(&backup);
    return done;
}

static void must(gboolean done, const GError *error)
{
    g_assert_no_error(error);
    g_assert_true(done);
}

/* For what a test lets fail. */
static void may_fail(gboolean done)
{
}

static void full(Repository *repository, StoreFixture *fixture, const char *id, guint32 seed)
{
    g_autoptr(GError) error = NULL;

    must(make_full(repository, fixture->directory, id, seed, &error), error);
}

static PoolSweepResult sweep(Repository *repository, gint64 grace, gboolean dry_run)
{
    g_autoptr(GError) error = NULL;
    PoolSweepResult result = {0};

    must(pool_sweep(repository, grace, dry_run, &result, &error), error);
    return result;
}

static void delete (Repository *repository, const char *id)
{
    g_autoptr(GError) error = NULL;

    must(backup_delete(repository, id, &error), error);
}

static guint count_objects(Repository *repository, const char *prefix)
{
    g_autofree char *names = list_names(repository_store(repository), prefix);
    g_auto(GStrv) parts = g_strsplit(names, " ", -1);

    return names[0] != '\0' ? g_strv_length(parts) : 0;
}

static void assert_whole(Repository *repository, const char *id)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Backup) backup = backup_open(repository, id, &error);
    const Checksums *checksums;

    g_assert_no_error(error);
    checksums = backup_checksums(backup);
    for (guint i = 0; i < checksums_count(checksums); i++)
        must(backup_check_object(backup, checksums_entry(checksums, i)->path, NULL, NULL, &error),
             error);
}

/* --- One after the other ---------------------------------------------------------------------- */

static void test_grace(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    PoolSweepResult result;

    full(repository, fixture, FIRST, 1);
    full(repository, fixture, THIRD, 2);
    result = sweep(repository, TIME_HOUR, FALSE);
    g_assert_cmpuint(result.live, ==, 2);
    g_assert_cmpuint(result.candidates, ==, 0);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 0);

    delete (repository, FIRST);
    result = sweep(repository, TIME_HOUR, TRUE);
    g_assert_cmpuint(result.candidates, ==, 1);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 0);
    result = sweep(repository, TIME_HOUR, FALSE);
    g_assert_cmpuint(result.candidates, ==, 1);
    g_assert_cmpuint(result.deleted, ==, 0);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 1);
    /* Too early: neither deleted nor named again. */
    moment += TIME_HOUR / 2;
    result = sweep(repository, TIME_HOUR, FALSE);
    g_assert_cmpuint(result.candidates, ==, 1);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 1);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 2);
    moment += TIME_HOUR;
    result = sweep(repository, TIME_HOUR, TRUE);
    g_assert_cmpuint(result.deleted, ==, 1);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 2);
    result = sweep(repository, TIME_HOUR, FALSE);
    g_assert_cmpuint(result.deleted, ==, 1);
    g_assert_cmpuint(result.deleted_bytes, >, SIZE);
    g_assert_cmpuint(result.candidates, ==, 0);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 1);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 0);
    assert_whole(repository, THIRD);
}

static void test_no_grace(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    PoolSweepResult result;

    full(repository, fixture, FIRST, 1);
    full(repository, fixture, THIRD, 2);
    delete (repository, FIRST);
    result = sweep(repository, 0, TRUE);
    g_assert_cmpuint(result.deleted, ==, 1);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 2);
    result = sweep(repository, 0, FALSE);
    g_assert_cmpuint(result.deleted, ==, 1);
    g_assert_cmpuint(result.candidates, ==, 0);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 1);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 0);
}

/* What the pool holds beside our own objects stays. */
static void test_strangers_stay(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);

    put_text(fixture->store, "pool/README", "do not touch");
    put_text(fixture->store, "pool/zz/0000", "do not touch");
    sweep(repository, 0, FALSE);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 2);
}

/* A SHA256SUMS that cannot be read: nobody knows what it names. */
static void test_damaged_checksums(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    PoolSweepResult result;

    full(repository, fixture, FIRST, 1);
    delete (repository, FIRST);
    put_text(fixture->store, "backups/" THIRD "/SHA256SUMS", "nonsense\n");
    g_assert_false(pool_sweep(repository, 0, FALSE, &result, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_assert_nonnull(error_hint(error));
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 1);
}

/* --- Beside a backup -------------------------------------------------------------------------- */

/* What a running backup has written is not dead, though nobody refers to it yet. */
static void test_running_backup(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autofree guint8 *bytes = make_bytes(SIZE, 1);
    g_autoptr(GError) error = NULL;
    PoolSweepResult result;
    TestBackup backup;

    must(test_backup_begin(&backup, repository, fixture->directory, FIRST, NULL, fast, &error),
         error);
    must(test_backup_write(&backup, bytes, SIZE, MIB, NULL, NULL, &error), error);
    must(pool_stream_close(backup.stream, &error), error);
    result = sweep(repository, 0, FALSE);
    g_assert_cmpuint(result.kept_young, ==, 1);
    g_assert_cmpuint(result.deleted, ==, 0);
    must(test_backup_commit(&backup, &error), error);
    test_backup_end(&backup);
    assert_whole(repository, FIRST);
}

/* A backup that was given up leaves packs; they go. */
static void test_abandoned_backup(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autofree guint8 *bytes = make_bytes(SIZE, 1);
    g_autoptr(GError) error = NULL;
    TestBackup backup;

    must(test_backup_begin(&backup, repository, fixture->directory, FIRST, NULL, fast, &error),
         error);
    must(test_backup_write(&backup, bytes, SIZE, MIB, NULL, NULL, &error), error);
    must(pool_stream_close(backup.stream, &error), error);
    test_backup_end(&backup);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 1);
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 1);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 0);
}

/* The base of a running incremental is deleted and the pool is swept: what the incremental uses
 * stays. */
static void test_base_deleted(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    TestBackup backup;
    TestRead base;
    PoolFile file;

    full(repository, fixture, FIRST, 1);
    must(test_backup_begin(&backup, repository, fixture->directory, SECOND, FIRST, fast, &error),
         error);
    must(test_read_begin(&base, repository, FIRST, &error), error);
    must(test_read_place(&base, 0, &file, &error), error);
    delete (repository, FIRST);
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 0);
    must(pool_file_reuse(backup.stream, base.reader, &file, NULL, &error), error);
    must(test_backup_commit(&backup, &error), error);
    pool_file_clear(&file);
    test_read_end(&base);
    test_backup_end(&backup);
    assert_whole(repository, SECOND);
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 0);
    assert_whole(repository, SECOND);
}

/* Names the only pool object in a tombstone, as a sweep does that began before the backup's
 * lease. */
static void put_tombstone(Repository *repository)
{
    g_autofree char *name = list_names(repository_store(repository), "pool/");
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(names, name);
    must(tombstone_write(repository, names, &error), error);
}

static void test_tombstone_stops_commit(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) ids = NULL;
    TestBackup backup;
    TestRead base;
    PoolFile file;

    full(repository, fixture, FIRST, 1);
    must(test_backup_begin(&backup, repository, fixture->directory, SECOND, FIRST, fast, &error),
         error);
    must(test_read_begin(&base, repository, FIRST, &error), error);
    must(test_read_place(&base, 0, &file, &error), error);
    must(pool_file_reuse(backup.stream, base.reader, &file, NULL, &error), error);
    put_tombstone(repository);
    g_assert_false(test_backup_commit(&backup, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    g_assert_nonnull(error_hint(error));
    pool_file_clear(&file);
    test_read_end(&base);
    test_backup_end(&backup);
    must(backup_list(repository, &ids, NULL), NULL);
    g_assert_cmpuint(ids->len, ==, 1);
}

/* The object went between the reading of the base and the commit. */
static void test_missing_stops_commit(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;
    TestBackup backup;
    TestRead base;
    PoolFile file;

    full(repository, fixture, FIRST, 1);
    must(test_backup_begin(&backup, repository, fixture->directory, SECOND, FIRST, fast, &error),
         error);
    must(test_read_begin(&base, repository, FIRST, &error), error);
    must(test_read_place(&base, 0, &file, &error), error);
    must(pool_file_reuse(backup.stream, base.reader, &file, NULL, &error), error);
    name = list_names(fixture->store, "pool/");
    must(store_delete(fixture->store, name, &error), error);
    g_assert_false(test_backup_commit(&backup, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    pool_file_clear(&file);
    test_read_end(&base);
    test_backup_end(&backup);
}

/* A tombstone on what is alive: it stays, nothing is deleted, and an incremental copies instead of
 * referring. */
static void test_tombstone_on_living(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    g_autoptr(GError) error = NULL;

    full(repository, fixture, FIRST, 1);
    put_tombstone(repository);
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 0);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 1);
    assert_whole(repository, FIRST);
    must(make_incremental(repository, fixture->directory, SECOND, FIRST, &error), error);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 2);
    delete (repository, FIRST);
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 1);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 0);
    assert_whole(repository, SECOND);
}

/* A lease that cannot be read may protect anything. */
static void test_unreadable_lease(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);

    full(repository, fixture, FIRST, 1);
    delete (repository, FIRST);
    put_text(fixture->store, "leases/strange.000001", "{}");
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 0);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 1);
    moment += TIME_HOUR;
    g_assert_cmpuint(sweep(repository, 0, FALSE).deleted, ==, 1);
}

/* --- Races ------------------------------------------------------------------------------------ */

typedef struct {
    Repository *repository;
    const char *directory;
    gint stop;
    gint sweeps;
} Race;

static gpointer sweep_on(gpointer data)
{
    Race *race = data;

    while (!g_atomic_int_get(&race->stop)) {
        g_autoptr(GError) error = NULL;
        PoolSweepResult result;

        if (!pool_sweep(race->repository, 0, FALSE, &result, &error))
            g_error("a sweep failed: %s", error->message);
        g_atomic_int_inc(&race->sweeps);
    }
    return NULL;
}

/* A chain of incrementals whose bases are deleted at once or while they run, two sweeps without
 * grace beside it all the time. A backup may give up; one that is committed is whole. */
static void test_race(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    Race race = {.repository = repository, .directory = fixture->directory};
    g_autofree char *base = g_strdup(FIRST);
    GThread *threads[2];
    guint committed = 0;

    full(repository, fixture, FIRST, 1);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("sweep", sweep_on, &race);
    for (guint i = 0; i < 150; i++) {
        g_autofree char *id =
            g_strdup_printf("20261122T%02u%02u00Z-market-incr-bbbb", 3 + i / 60, i % 60);
        g_autoptr(GError) error = NULL;

        if (!make_incremental(repository, fixture->directory, id, base, &error)) {
            if (!error_is(error, ERROR_VANISHED) && !error_is(error, ERROR_NOT_FOUND))
                g_error("a backup failed: %s", error->message);
            continue;
        }
        committed++;
        delete (repository, base);
        assert_whole(repository, id);
        g_free(base);
        base = g_strdup(id);
    }
    g_atomic_int_set(&race.stop, 1);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    g_assert_cmpuint(committed, >, 0);
    g_assert_cmpint(race.sweeps, >, 1);
    assert_whole(repository, base);
    g_test_message("%u backups committed beside %d sweeps", committed, race.sweeps);
}

static gpointer delete_on(gpointer data)
{
    Race *race = data;

    /* Whatever is there but the newest goes, in use or not. */
    while (!g_atomic_int_get(&race->stop)) {
        g_autoptr(GPtrArray) ids = NULL;

        if (!backup_list(race->repository, &ids, NULL))
            g_error("no list of backups");
        for (guint i = 0; i + 1 < ids->len; i++)
            may_fail(backup_delete(race->repository, ids->pdata[i], NULL));
    }
    return NULL;
}

/* A backup that its writer called committed is whole, or was deleted since. */
static void assert_whole_or_deleted(Repository *repository, const char *id)
{
    g_autoptr(Backup) backup = backup_open(repository, id, NULL);
    const Checksums *checksums;
    gboolean committed;

    if (backup == NULL)
        return;
    checksums = backup_checksums(backup);
    for (guint i = 0; i < checksums_count(checksums); i++) {
        if (backup_check_object(backup, checksums_entry(checksums, i)->path, NULL, NULL, NULL))
            continue;
        must(backup_is_committed(repository, id, &committed, NULL), NULL);
        g_assert_false(committed);
        return;
    }
}

/* The same with a third thread that deletes bases under the running backups, which makes them give
 * up more often. */
static void test_race_with_deletes(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    Race race = {.repository = repository, .directory = fixture->directory};
    g_autoptr(GPtrArray) ids = NULL;
    GThread *threads[3];

    full(repository, fixture, FIRST, 1);
    threads[0] = g_thread_new("sweep", sweep_on, &race);
    threads[1] = g_thread_new("sweep", sweep_on, &race);
    threads[2] = g_thread_new("delete", delete_on, &race);
    for (guint i = 0; i < 150; i++) {
        g_autofree char *id =
            g_strdup_printf("20261122T%02u%02u00Z-market-incr-bbbb", 3 + i / 60, i % 60);
        g_autoptr(GPtrArray) bases = NULL;
        g_autoptr(GError) error = NULL;

        must(backup_list(repository, &bases, &error), error);
        g_assert_cmpuint(bases->len, >, 0);
        if (make_incremental(repository, fixture->directory, id, bases->pdata[0], NULL))
            assert_whole_or_deleted(repository, id);
    }
    g_atomic_int_set(&race.stop, 1);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    must(backup_list(repository, &ids, NULL), NULL);
    g_assert_cmpuint(ids->len, >, 0);
    for (guint i = 0; i < ids->len; i++)
        assert_whole(repository, ids->pdata[i]);
}

/* And the same while leases expire at any moment: between the checks of a commit and its end,
 * too. */
static void test_race_with_lost_leases(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture->store);
    Race race = {.repository = repository, .directory = fixture->directory};
    g_autoptr(GPtrArray) ids = NULL;
    GThread *threads[3];

    g_atomic_int_set(&jumping, 1);
    threads[0] = g_thread_new("sweep", sweep_on, &race);
    threads[1] = g_thread_new("sweep", sweep_on, &race);
    threads[2] = g_thread_new("delete", delete_on, &race);
    for (guint i = 0; i < 200; i++) {
        g_autoptr(GPtrArray) bases = NULL;
        g_autofree char *id = NULL;
        g_autoptr(GError) error = NULL;

        must(backup_list(repository, &bases, &error), error);
        id = g_strdup_printf("20261122T%02u%02u00Z-market-%s-bbbb", 3 + i / 60, i % 60,
                             bases->len > 0 ? "incr" : "full");
        if (bases->len > 0
                ? make_incremental(repository, fixture->directory, id, bases->pdata[0], NULL)
                : make_full(repository, fixture->directory, id, i, NULL))
            assert_whole_or_deleted(repository, id);
    }
    g_atomic_int_set(&race.stop, 1);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    g_atomic_int_set(&jumping, 0);
    must(backup_list(repository, &ids, NULL), NULL);
    for (guint i = 0; i < ids->len; i++)
        assert_whole(repository, ids->pdata[i]);
    g_test_message("%u backups at the end", ids->len);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* Backups, a deletion and two sweeps; any of them may fail. */
static void run_scenario(Repository *repository, const char *directory)
{
    PoolSweepResult result;

    may_fail(make_full(repository, directory, FIRST, 1, NULL));
    may_fail(make_incremental(repository, directory, SECOND, FIRST, NULL));
    may_fail(make_full(repository, directory, THIRD, 2, NULL));
    may_fail(pool_sweep(repository, 0, FALSE, &result, NULL));
    may_fail(backup_delete(repository, FIRST, NULL));
    may_fail(pool_sweep(repository, 0, FALSE, &result, NULL));
    may_fail(backup_delete(repository, THIRD, NULL));
    may_fail(pool_sweep(repository, 0, FALSE, &result, NULL));
}

/* After whatever failed: what is listed is whole, and the next cleanups leave what backups need and
 * no more. */
static void check_aftermath(Repository *repository)
{
    g_autoptr(GPtrArray) ids = NULL;
    SweepResult remains;

    must(sweep_remains(repository, 0, FALSE, &remains, NULL), NULL);
    sweep(repository, 0, FALSE);
    must(backup_list(repository, &ids, NULL), NULL);
    for (guint i = 0; i < ids->len; i++)
        assert_whole(repository, ids->pdata[i]);
    for (guint i = 0; i < ids->len; i++)
        delete (repository, ids->pdata[i]);
    sweep(repository, 0, FALSE);
    g_assert_cmpuint(count_objects(repository, "pool/"), ==, 0);
    g_assert_cmpuint(count_objects(repository, "tombstones/"), ==, 0);
}

static void fail_each_call(const char *directory, StoreFault fault)
{
    for (guint64 nth = 1;; nth++) {
        g_autoptr(Store) store = store_new_fault(store_new_memory());
        g_autoptr(Repository) repository = make_repository(store);
        guint64 before = store_fault_calls(store);

        store_fault_arm(store, fault, nth, ERROR_IO);
        run_scenario(repository, directory);
        if (store_fault_calls(store) < before + nth)
            break;
        store_fault_arm(store, STORE_FAULT_NONE, 0, ERROR_IO);
        check_aftermath(repository);
    }
}

static void test_failing_calls(StoreFixture *fixture, gconstpointer data)
{
    fail_each_call(fixture->directory, STORE_FAULT_ERROR);
    fail_each_call(fixture->directory, STORE_FAULT_DONE);
    fail_each_call(fixture->directory, STORE_FAULT_SHORT);
    fail_each_call(fixture->directory, STORE_FAULT_NO_SPACE);
}

static void add(const char *path, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER(STORE_MEMORY), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    log_set_level(LOG_ERROR);
    set_clock();
    add("/pool/sweep/grace", test_grace);
    add("/pool/sweep/no-grace", test_no_grace);
    add("/pool/sweep/strangers-stay", test_strangers_stay);
    add("/pool/sweep/damaged-checksums", test_damaged_checksums);
    add("/pool/sweep/running-backup", test_running_backup);
    add("/pool/sweep/abandoned-backup", test_abandoned_backup);
    add("/pool/sweep/base-deleted", test_base_deleted);
    add("/pool/sweep/tombstone-stops-commit", test_tombstone_stops_commit);
    add("/pool/sweep/missing-stops-commit", test_missing_stops_commit);
    add("/pool/sweep/tombstone-on-living", test_tombstone_on_living);
    add("/pool/sweep/unreadable-lease", test_unreadable_lease);
    add("/pool/sweep/race", test_race);
    add("/pool/sweep/race-with-deletes", test_race_with_deletes);
    add("/pool/sweep/race-with-lost-leases", test_race_with_lost_leases);
    add("/pool/sweep/failing-calls", test_failing_calls);
    return g_test_run();
}
