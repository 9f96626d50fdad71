/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of taking over from an interrupted run: the directory of a pack, what is found and reused,
 * what is not, and that no sweep takes it away meanwhile.
 */
#include "pool-fixture.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "pool/private.h"
#include "pool/sweep.h"
#include "repo/sweep.h"

#define DEAD "20261122T020000Z-market-full-aaaa"
#define NEXT "20261122T030000Z-market-full-bbbb"
#define LAST "20261122T040000Z-market-full-cccc"

#define SIZE ((gsize)700 * 1024)

static const CompressSpec fast = {CODEC_NONE, 0};

static Repository *make_repository(StoreFixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(fixture->store, fast, &error);

    g_assert_no_error(error);
    return repository;
}

static void begin(TestBackup *backup, StoreFixture *fixture, Repository *repository, const char *id,
                  const Unfinished *unfinished)
{
    g_autoptr(GError) error = NULL;

    test_backup_begin_over(backup, repository, fixture->directory, id, NULL, unfinished, fast,
                           &error);
    g_assert_no_error(error);
}

static void write_bytes(TestBackup *backup, guint32 seed)
{
    g_autofree guint8 *bytes = make_bytes(SIZE, seed);
    g_autoptr(GError) error = NULL;

    test_backup_write(backup, bytes, SIZE, SIZE, NULL, NULL, &error);
    g_assert_no_error(error);
}

/* A run with one pack that is durable and one that is not, and then no end. */
static void make_dead(StoreFixture *fixture, Repository *repository, const char *id,
                      const Unfinished *unfinished)
{
    g_autoptr(GError) error = NULL;
    TestBackup backup;

    begin(&backup, fixture, repository, id, unfinished);
    write_bytes(&backup, 1);
    write_bytes(&backup, 2);
    g_assert_true(pool_stream_close(backup.stream, &error));
    g_assert_no_error(error);
    write_bytes(&backup, 3);
    test_backup_end(&backup);
}

static Unfinished *find(Repository *repository)
{
    g_autoptr(GError) error = NULL;
    Unfinished *unfinished = NULL;

    g_assert_true(unfinished_find(repository, "market", "full", &unfinished, &error));
    g_assert_no_error(error);
    return unfinished;
}

/* Takes over, writes the three files and commits; says how much was taken over. */
static guint64 finish_after(StoreFixture *fixture, Repository *repository, const char *id,
                            const Unfinished *unfinished)
{
    g_autoptr(GError) error = NULL;
    TestBackup backup;
    TestRead read;
    PoolStats stats;

    begin(&backup, fixture, repository, id, unfinished);
    for (guint32 seed = 1; seed <= 3; seed++)
        write_bytes(&backup, seed);
    test_backup_commit(&backup, &error);
    g_assert_no_error(error);
    pool_writer_stats(backup.pool, &stats);
    g_assert_cmpuint(stats.plain + stats.resumed_plain, ==, 3 * SIZE);
    test_backup_end(&backup);

    test_read_begin(&read, repository, id, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < 3; i++) {
        g_autofree guint8 *bytes = make_bytes(SIZE, i + 1);
        g_autoptr(GByteArray) found = test_read_file(&read, i, &error);

        g_assert_no_error(error);
        g_assert_cmpmem(found->data, found->len, bytes, SIZE);
    }
    test_read_end(&read);
    return stats.resumed_plain;
}

static void test_reuse(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autoptr(Unfinished) unfinished = NULL;
    g_autofree char *notes = NULL;

    make_dead(fixture, repository, DEAD, NULL);
    unfinished = find(repository);
    g_assert_nonnull(unfinished);
    g_assert_cmpstr(unfinished->id, ==, DEAD);
    g_assert_cmpuint(finish_after(fixture, repository, NEXT, unfinished), ==, 2 * SIZE);
    /* The backup's own notes went with its commit. */
    notes = list_names(fixture->store, "backups/" NEXT "/" UNFINISHED_NOTES);
    g_assert_cmpstr(notes, ==, "");
}

static Repository *make_encrypted(StoreFixture *fixture)
{
    static const char key[] = "0123456789abcdef0123456789abcdef";
    g_autofree char *directory = g_dir_make_tmp("holdfast-resume-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "key", NULL);
    g_autofree char *text = g_strconcat("key-file=", path, NULL);
    g_autoptr(KeyForm) form = key_form_parse(text, NULL);
    g_autoptr(GError) error = NULL;
    Repository *repository;

    g_assert_true(file_replace(path, key, strlen(key), 0600, NULL));
    repository = repository_create_encrypted(fixture->store, fast, form, &error);
    g_assert_no_error(error);
    g_assert_true(directory_remove(directory, NULL));
    return repository;
}

static gboolean look_into_note(const char *name, const StoreInfo *info, gpointer data,
                               GError **error)
{
    g_autoptr(GBytes) bytes = store_get(data, name, 1024 * 1024, error);

    g_assert_nonnull(bytes);
    g_assert_null(
        g_strstr_len(g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), "hash_key"));
    return TRUE;
}

static void test_encrypted(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_encrypted(fixture);
    g_autoptr(Unfinished) unfinished = NULL;
    g_autoptr(GError) error = NULL;

    make_dead(fixture, repository, DEAD, NULL);
    g_assert_true(store_list(fixture->store, "backups/" DEAD "/" UNFINISHED_NOTES, look_into_note,
                             fixture->store, &error));
    g_assert_no_error(error);
    unfinished = find(repository);
    g_assert_nonnull(unfinished);
    g_assert_cmpuint(finish_after(fixture, repository, NEXT, unfinished), ==, 2 * SIZE);
}

/* An interrupted run that itself had taken over. */
static void test_twice(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autoptr(Unfinished) first = NULL, second = NULL;

    make_dead(fixture, repository, DEAD, NULL);
    first = find(repository);
    make_dead(fixture, repository, NEXT, first);
    second = find(repository);
    g_assert_cmpstr(second->id, ==, NEXT);
    g_assert_cmpint(second->since, ==, first->since);
    g_assert_cmpuint(finish_after(fixture, repository, LAST, second), ==, 2 * SIZE);
}

static void test_others_are_left(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autoptr(GError) error = NULL;
    Unfinished *unfinished = NULL;
    TestBackup running;

    g_assert_null(find(repository));
    make_dead(fixture, repository, DEAD, NULL);
    g_assert_true(unfinished_find(repository, "market", "incremental", &unfinished, &error));
    g_assert_null(unfinished);
    g_assert_true(unfinished_find(repository, "other", "full", &unfinished, &error));
    g_assert_null(unfinished);
    /* One that runs is nobody's to take over. */
    begin(&running, fixture, repository, NEXT, NULL);
    write_bytes(&running, 1);
    g_assert_true(pool_stream_close(running.stream, &error));
    unfinished = find(repository);
    g_assert_cmpstr(unfinished->id, ==, DEAD);
    unfinished_free(unfinished);
    test_backup_end(&running);
}

/* The only pack, with a byte changed at `at` (from its end if negative), or cut there. */
static void damage_pack(Store *store, gint64 at, gboolean cut)
{
    g_autofree char *name = list_names(store, "pool/");
    g_autoptr(GBytes) pack = store_get(store, name, POOL_PACK_LIMIT, NULL);
    gsize length = g_bytes_get_size(pack);
    g_autofree guint8 *copy = g_memdup2(g_bytes_get_data(pack, NULL), length);
    gsize position = at < 0 ? length - (gsize)-at : (gsize)at;

    copy[position] ^= 1;
    g_assert_true(store_delete(store, name, NULL));
    g_assert_true(store_put(store, name, copy, cut ? position : length, NULL));
}

/* What is not what was written is not taken over, and the backup is whole all the same. */
static void test_damage(StoreFixture *fixture, gconstpointer data)
{
    static const struct {
        gint64 at;
        gboolean cut;
    } cases[] = {{5000, FALSE}, {-1, FALSE}, {-40, FALSE}, {-16, FALSE}, {5000, TRUE}, {3, TRUE}};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Store) store = store_new_memory();
        StoreFixture own = {.store = store, .directory = fixture->directory};
        g_autoptr(Repository) repository = make_repository(&own);
        g_autoptr(Unfinished) unfinished = NULL;

        make_dead(&own, repository, DEAD, NULL);
        damage_pack(store, cases[i].at, cases[i].cut);
        unfinished = find(repository);
        g_assert_cmpuint(finish_after(&own, repository, NEXT, unfinished), ==, 0);
    }
}

static void test_other_key(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autoptr(Unfinished) unfinished = NULL;
    guint64 key;

    make_dead(fixture, repository, DEAD, NULL);
    unfinished = find(repository);
    g_assert_true(pool_unfinished_hash_key(unfinished, &key));
    g_assert_cmpuint(key, ==, TEST_KEY);
    json_object_set_new(unfinished->notes->pdata[0], "hash_key", json_string("1"));
    g_assert_cmpuint(finish_after(fixture, repository, NEXT, unfinished), ==, 0);
}

static gint64 moment;

static gint64 read_moment(gpointer data)
{
    return ++moment;
}

/* Sweeps with no grace time while the next run is at work: its lease goes back to the dead run's
 * start. Without such a lease the packs go. */
static void test_sweep(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = NULL;
    g_autoptr(Unfinished) unfinished = NULL;
    g_autoptr(GError) error = NULL;
    PoolSweepResult swept;
    SweepResult remains;
    TestBackup backup;

    moment = 1795305600 * TIME_SECOND;
    time_set_source(read_moment, NULL);
    repository = make_repository(fixture);
    make_dead(fixture, repository, DEAD, NULL);
    moment += TIME_HOUR;
    unfinished = find(repository);
    begin(&backup, fixture, repository, NEXT, unfinished);
    moment += TIME_MINUTE;
    g_assert_true(sweep_remains(repository, 0, FALSE, &remains, &error));
    g_assert_true(pool_sweep(repository, 0, FALSE, &swept, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(swept.deleted, ==, 0);
    for (guint32 seed = 1; seed <= 3; seed++)
        write_bytes(&backup, seed);
    test_backup_commit(&backup, &error);
    g_assert_no_error(error);
    test_backup_end(&backup);

    make_dead(fixture, repository, LAST, NULL);
    moment += TIME_MINUTE;
    g_assert_true(pool_sweep(repository, 0, FALSE, &swept, &error));
    g_assert_cmpuint(swept.deleted, ==, 1);
    time_set_source(NULL, NULL);
}

static void test_directory(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(PackEntry));
    g_autoptr(GError) error = NULL;
    PackEntry entry = {PACK_HEADER_SIZE, 100, 4096, {7, 9}};
    gsize length;

    pack_directory_add(bytes, &entry);
    entry.offset = PACK_HEADER_SIZE + 100;
    pack_directory_add(bytes, &entry);
    pack_directory_end(bytes);
    g_assert_true(pack_directory_length(bytes->data + bytes->len - PACK_DIRECTORY_TRAILER, 4096,
                                        "a pack", &length, &error));
    g_assert_cmpuint(length, ==, bytes->len);
    g_assert_true(pack_directory_read(bytes->data, bytes->len, 4096, "a pack", entries, &error));
    g_assert_cmpuint(entries->len, ==, 2);
    g_assert_cmpuint(g_array_index(entries, PackEntry, 1).offset, ==, PACK_HEADER_SIZE + 100);
    g_assert_cmpuint(g_array_index(entries, PackEntry, 1).hash.high, ==, 9);
    /* A pack that is too small for what it says. */
    g_assert_false(pack_directory_read(bytes->data, bytes->len, PACK_HEADER_SIZE + bytes->len + 199,
                                       "a pack", entries, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

static void add(const char *path, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER((int)STORE_MEMORY), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/resume/directory", test_directory);
    add("/resume/reuse", test_reuse);
    add("/resume/encrypted", test_encrypted);
    add("/resume/twice", test_twice);
    add("/resume/others-are-left", test_others_are_left);
    add("/resume/damage", test_damage);
    add("/resume/other-key", test_other_key);
    add("/resume/sweep", test_sweep);
    return g_test_run();
}
