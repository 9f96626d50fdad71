/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the pool's writing and reading: round trips, what an incremental refers to, damage.
 */
#include "pool-fixture.h"

#include "base/error.h"
#include "pool/private.h"

#define FULL "20261122T020000Z-market-full-aaaa"
#define NEXT "20261122T030000Z-market-incr-bbbb"
#define LAST "20261122T040000Z-market-incr-cccc"

#define KIB 1024
#define MIB (1024 * 1024)

static Repository *make_repository(StoreFixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Repository *repository = repository_create(fixture->store, COMPRESS_DEFAULT, &error);

    g_assert_no_error(error);
    return repository;
}

static void begin(TestBackup *backup, Repository *repository, StoreFixture *fixture, const char *id,
                  const char *uses)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(test_backup_begin(backup, repository, fixture->directory, id, uses,
                                    COMPRESS_DEFAULT, &error));
    g_assert_no_error(error);
}

static void finish(TestBackup *backup)
{
    g_autoptr(GError) error = NULL;

    test_backup_commit(backup, &error);
    g_assert_no_error(error);
    test_backup_end(backup);
}

static void write_file(TestBackup *backup, const guint8 *bytes, gsize length, gsize piece,
                       PoolReader *reader, const PoolFile *base)
{
    g_autoptr(GError) error = NULL;

    test_backup_write(backup, bytes, length, piece, reader, base, &error);
    g_assert_no_error(error);
}

static void open_backup(TestRead *read, Repository *repository, const char *id)
{
    g_autoptr(GError) error = NULL;

    test_read_begin(read, repository, id, &error);
    g_assert_no_error(error);
}

static void assert_file(TestRead *read, guint index, const guint8 *bytes, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) found = test_read_file(read, index, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(found->len, ==, length);
    g_assert_true(length == 0 || memcmp(found->data, bytes, length) == 0);
}

static void place(TestRead *read, guint index, PoolFile *file)
{
    g_autoptr(GError) error = NULL;

    test_read_place(read, index, file, &error);
    g_assert_no_error(error);
}

static void test_round_trip(StoreFixture *fixture, gconstpointer data)
{
    static const gsize sizes[] = {0,           1,
                                  8192,        128 * KIB - 1,
                                  128 * KIB,   128 * KIB + 1,
                                  512 * KIB,   512 * KIB + 1,
                                  3 * MIB + 5, 40 * MIB};
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autoptr(GError) error = NULL;
    const Checksums *checksums;
    TestBackup backup;
    TestRead read;

    begin(&backup, repository, fixture, FULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree guint8 *bytes = make_bytes(sizes[i], i);

        write_file(&backup, bytes, sizes[i], i % 2 != 0 ? 8192 : 3 * MIB - 1, NULL, NULL);
    }
    finish(&backup);
    open_backup(&read, repository, FULL);
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree guint8 *bytes = make_bytes(sizes[i], i);

        assert_file(&read, i, bytes, sizes[i]);
    }
    checksums = backup_checksums(read.backup);
    for (guint i = 0; i < checksums_count(checksums); i++) {
        g_assert_true(backup_check_object(read.backup, checksums_entry(checksums, i)->path, NULL,
                                          NULL, &error));
        g_assert_no_error(error);
    }
    test_read_end(&read);
}

/* What an incremental writes: the changed extents only, and nothing for a file that it takes
 * over. */
static void test_incremental(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *large = make_bytes(5 * MIB, 1);
    g_autofree guint8 *same = make_bytes(2 * MIB, 2);
    g_autofree guint8 *small = make_bytes(8192, 3);
    TestBackup backup;
    TestRead base, read;
    PoolFile files[3];
    PoolStats stats;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, large, 4 * MIB + 100, MIB, NULL, NULL);
    write_file(&backup, same, 2 * MIB, MIB, NULL, NULL);
    write_file(&backup, small, 8192, MIB, NULL, NULL);
    finish(&backup);

    open_backup(&base, repository, FULL);
    for (guint i = 0; i < 3; i++)
        place(&base, i, &files[i]);
    large[MIB] ^= 1; /* one extent; the file grows too */
    begin(&backup, repository, fixture, NEXT, FULL);
    write_file(&backup, large, 5 * MIB, MIB, base.reader, &files[0]);
    g_assert_true(pool_file_reuse(backup.stream, base.reader, &files[1], NULL, NULL));
    g_assert_true(pool_file_reuse(backup.stream, base.reader, &files[2], NULL, NULL));
    pool_writer_stats(backup.pool, &stats);
    /* 32 whole extents were there: one changed; the one that grew and seven new ones. */
    g_assert_cmpuint(stats.plain, ==, 128 * KIB + MIB);
    g_assert_cmpuint(stats.reused_plain, ==, 31 * 128 * KIB + 2 * MIB + 8192);
    g_assert_cmpuint(stats.packs_total, ==, 2);
    finish(&backup);
    for (guint i = 0; i < 3; i++)
        pool_file_clear(&files[i]);
    test_read_end(&base);

    open_backup(&read, repository, NEXT);
    assert_file(&read, 0, large, 5 * MIB);
    assert_file(&read, 1, same, 2 * MIB);
    assert_file(&read, 2, small, 8192);
    test_read_end(&read);
}

static guint count_pool_objects(Store *store)
{
    g_autofree char *names = list_names(store, "pool/");
    g_auto(GStrv) parts = g_strsplit(names, " ", -1);

    return names[0] != '\0' ? g_strv_length(parts) : 0;
}

/* Nothing changed: nothing is written into the pool. */
static void test_unchanged(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(3 * MIB, 1);
    TestBackup backup;
    TestRead base, read;
    PoolFile file;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, bytes, 3 * MIB, MIB, NULL, NULL);
    finish(&backup);
    g_assert_cmpuint(count_pool_objects(fixture->store), ==, 1);
    open_backup(&base, repository, FULL);
    place(&base, 0, &file);
    begin(&backup, repository, fixture, NEXT, FULL);
    g_assert_true(pool_file_reuse(backup.stream, base.reader, &file, NULL, NULL));
    finish(&backup);
    g_assert_cmpuint(count_pool_objects(fixture->store), ==, 1);
    pool_file_clear(&file);
    test_read_end(&base);
    open_backup(&read, repository, NEXT);
    assert_file(&read, 0, bytes, 3 * MIB);
    test_read_end(&read);
}

/* The next full writes everything anew under other names. */
static void test_full_shares_nothing(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(MIB, 1);
    TestBackup backup;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, bytes, MIB, MIB, NULL, NULL);
    finish(&backup);
    begin(&backup, repository, fixture, LAST, NULL);
    write_file(&backup, bytes, MIB, MIB, NULL, NULL);
    finish(&backup);
    g_assert_cmpuint(count_pool_objects(fixture->store), ==, 2);
}

/* A pack of which little is alive is left behind: what is alive of it is copied, and the file that
 * has its map there gets a new one. */
static void test_copy_forward(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *gone = make_bytes(6 * MIB, 1);
    g_autofree guint8 *kept = make_bytes(2 * MIB + 7, 2);
    g_autofree guint8 *small = make_bytes(100, 3);
    const ChecksumEntry *old_pack;
    TestBackup backup;
    TestRead base, middle, read;
    PoolFile file, tiny;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, gone, 6 * MIB, MIB, NULL, NULL);
    write_file(&backup, kept, 2 * MIB + 7, MIB, NULL, NULL);
    write_file(&backup, small, 100, MIB, NULL, NULL);
    finish(&backup);
    open_backup(&base, repository, FULL);
    place(&base, 1, &file);
    place(&base, 2, &tiny);
    begin(&backup, repository, fixture, NEXT, FULL);
    g_assert_cmpuint(pool_writer_leave_sparse(backup.pool, base.reader), ==, 0);
    g_assert_true(pool_file_reuse(backup.stream, base.reader, &file, NULL, NULL));
    g_assert_true(pool_file_reuse(backup.stream, base.reader, &tiny, NULL, NULL));
    finish(&backup);
    pool_file_clear(&file);
    pool_file_clear(&tiny);

    open_backup(&middle, repository, NEXT);
    place(&middle, 0, &file);
    place(&middle, 1, &tiny);
    begin(&backup, repository, fixture, LAST, NEXT);
    g_assert_cmpuint(pool_writer_leave_sparse(backup.pool, middle.reader), ==, 1);
    g_assert_true(pool_file_reuse(backup.stream, middle.reader, &file, NULL, NULL));
    /* The file is read again, and did not change: its extents may not be referred to either. */
    write_file(&backup, small, 100, MIB, middle.reader, &tiny);
    finish(&backup);
    pool_file_clear(&file);
    pool_file_clear(&tiny);
    test_read_end(&middle);

    open_backup(&read, repository, LAST);
    assert_file(&read, 0, kept, 2 * MIB + 7);
    assert_file(&read, 1, small, 100);
    old_pack = checksums_entry(backup_checksums(base.backup), 0);
    g_assert_nonnull(strstr(old_pack->path, "pool/"));
    g_assert_null(checksums_find(backup_checksums(read.backup), old_pack->path));
    test_read_end(&read);
    test_read_end(&base);
}

/* A file of zeros takes a map and no more; random bytes take no more than they have. */
static void test_zero_and_random(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *zero = g_malloc0(2 * MIB + 3);
    g_autofree guint8 *noise = g_malloc(300 * KIB);
    TestBackup backup;
    TestRead read;
    PoolStats stats;
    PoolFile file;

    for (gsize i = 0; i < 300 * KIB; i++)
        noise[i] = (guint8)g_random_int();
    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, zero, 2 * MIB + 3, MIB, NULL, NULL);
    write_file(&backup, noise, 300 * KIB, MIB, NULL, NULL);
    pool_writer_stats(backup.pool, &stats);
    g_assert_cmpuint(stats.stored, ==, 300 * KIB);
    finish(&backup);
    open_backup(&read, repository, FULL);
    assert_file(&read, 0, zero, 2 * MIB + 3);
    assert_file(&read, 1, noise, 300 * KIB);
    place(&read, 1, &file);
    g_assert_cmpuint(file.extent_count, ==, 3);
    g_assert_cmpuint(pool_file_inline(&file)[0].length, ==, 128 * KIB);
    pool_file_clear(&file);
    test_read_end(&read);
}

/* Workers side by side, more than a pack each. */
typedef struct {
    TestBackup *backup;
    guint32 seed;
    gsize count; /* files */
    json_t *index;
} Worker;

#define WORKER_FILE (5 * MIB + 3)

static void take_workers_file(PoolFile *file, gpointer tag, gpointer data)
{
    json_array_append_new(((Worker *)data)->index, pool_file_to_json(file));
    pool_file_clear(file);
}

static gpointer run_worker(gpointer data)
{
    Worker *worker = data;
    g_autoptr(PoolStream) stream = pool_stream_new(worker->backup->pool);
    g_autoptr(GError) error = NULL;

    pool_stream_set_func(stream, take_workers_file, worker);
    for (gsize i = 0; i < worker->count; i++) {
        g_autofree guint8 *bytes = make_bytes(WORKER_FILE, worker->seed + (guint32)i);
        g_autoptr(PoolFileWriter) file =
            pool_file_begin(stream, WORKER_FILE, NULL, NULL, NULL, &error);

        g_assert_no_error(error);
        g_assert_true(pool_file_write(file, bytes, WORKER_FILE, &error));
        g_assert_true(pool_file_finish(file, &error));
    }
    g_assert_true(pool_stream_close(stream, &error));
    g_assert_no_error(error);
    return NULL;
}

static void test_workers(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    Worker workers[3];
    GThread *threads[3];
    TestBackup backup;
    TestRead read;
    PoolStats stats;

    begin(&backup, repository, fixture, FULL, NULL);
    for (guint i = 0; i < 3; i++) {
        workers[i] = (Worker){&backup, 100 * i, 20, json_array()};
        threads[i] = g_thread_new("worker", run_worker, &workers[i]);
    }
    for (guint i = 0; i < 3; i++) {
        g_thread_join(threads[i]);
        json_array_extend(backup.index, workers[i].index);
        json_decref(workers[i].index);
    }
    pool_writer_stats(backup.pool, &stats);
    g_assert_cmpuint(stats.plain, ==, 60 * (guint64)WORKER_FILE);
    g_assert_cmpuint(stats.packs_written, >=, 6);
    finish(&backup);
    open_backup(&read, repository, FULL);
    for (guint i = 0; i < 60; i++) {
        g_autofree guint8 *bytes = make_bytes(WORKER_FILE, 100 * (i / 20) + i % 20);

        assert_file(&read, i, bytes, WORKER_FILE);
    }
    test_read_end(&read);
}

/* A file that is given up leaves no trace in the backup, and the stream goes on. */
static void test_forgotten_file(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(2 * MIB, 1);
    g_autoptr(GError) error = NULL;
    PoolFileWriter *file;
    TestBackup backup;
    TestRead read;

    begin(&backup, repository, fixture, FULL, NULL);
    file = pool_file_begin(backup.stream, 2 * MIB, NULL, NULL, NULL, &error);
    g_assert_true(pool_file_write(file, bytes, MIB + 5, &error));
    g_assert_null(pool_file_begin(backup.stream, 1, NULL, NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    pool_file_free(file);
    write_file(&backup, bytes, 2 * MIB, MIB, NULL, NULL);
    finish(&backup);
    open_backup(&read, repository, FULL);
    g_assert_cmpuint(json_array_size(read.files), ==, 1);
    assert_file(&read, 0, bytes, 2 * MIB);
    test_read_end(&read);
}

/* A base whose hashes have another key says nothing about what changed, and cannot be referred
 * to. */
static void test_other_key(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(MIB, 1);
    g_autoptr(PoolReader) stranger = NULL;
    g_autoptr(GError) error = NULL;
    TestBackup backup;
    TestRead base;
    PoolStats stats;
    PoolFile file;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, bytes, MIB, MIB, NULL, NULL);
    finish(&backup);
    open_backup(&base, repository, FULL);
    place(&base, 0, &file);
    stranger =
        pool_reader_new(repository, json_object_get(base.details, "packs"), TEST_KEY + 1, &error);
    begin(&backup, repository, fixture, NEXT, FULL);
    write_file(&backup, bytes, MIB, MIB, stranger, &file);
    pool_writer_stats(backup.pool, &stats);
    g_assert_cmpuint(stats.plain, ==, MIB);
    g_assert_cmpuint(stats.reused_plain, ==, 0);
    g_assert_false(pool_file_reuse(backup.stream, stranger, &file, NULL, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    test_backup_end(&backup);
    pool_file_clear(&file);
    test_read_end(&base);
}

/* The answer to the putting of a pack is lost: what stands there is read, and counts. */
static void test_lost_answer(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(MIB, 1);
    g_autoptr(GError) error = NULL;
    TestBackup backup;
    TestRead read;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, bytes, MIB, MIB, NULL, NULL);
    /* A last write, then the commit. */
    store_fault_arm(fixture->store, STORE_FAULT_DONE, 2, ERROR_UNREACHABLE);
    g_assert_true(pool_stream_close(backup.stream, &error));
    g_assert_no_error(error);
    finish(&backup);
    open_backup(&read, repository, FULL);
    assert_file(&read, 0, bytes, MIB);
    test_read_end(&read);
}

static void test_failed_pack(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(MIB, 1);
    g_autoptr(GError) error = NULL;
    TestBackup backup;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, bytes, MIB, MIB, NULL, NULL);
    g_assert_false(pool_writer_finish(backup.pool, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    g_clear_error(&error);
    store_fault_arm(fixture->store, STORE_FAULT_NO_SPACE, 2, 0);
    g_assert_false(pool_stream_close(backup.stream, &error));
    g_assert_true(error_is(error, ERROR_NO_SPACE));
    g_clear_error(&error);
    g_assert_false(test_backup_commit(&backup, &error));
    test_backup_end(&backup);
}

/* --- Damage ----------------------------------------------------------------------------------- */

/* Replaces the only pool object. */
static void replace_pack(Store *store, const guint8 *bytes, gsize length)
{
    g_autofree char *name = list_names(store, "pool/");
    g_autoptr(GError) error = NULL;

    g_assert_true(store_delete(store, name, &error));
    if (bytes != NULL)
        g_assert_true(store_put(store, name, bytes, length, &error));
    g_assert_no_error(error);
}

static void assert_damaged(Repository *repository, guint index, const char *part)
{
    g_autoptr(GByteArray) found = NULL;
    g_autoptr(GError) error = NULL;
    TestRead read;

    open_backup(&read, repository, FULL);
    found = test_read_file(&read, index, &error);
    g_assert_null(found);
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_assert_nonnull(strstr(error->message, part));
    test_read_end(&read);
}

static void test_damage(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(Repository) repository = make_repository(fixture);
    g_autofree guint8 *bytes = make_bytes(MIB, 1);
    g_autofree guint8 *copy = NULL;
    g_autofree char *name = NULL;
    g_autoptr(GBytes) pack = NULL;
    TestBackup backup;
    TestRead read;
    PoolFile file;
    gsize length;

    begin(&backup, repository, fixture, FULL, NULL);
    write_file(&backup, bytes, MIB, MIB, NULL, NULL);
    write_file(&backup, bytes, 1000, MIB, NULL, NULL);
    finish(&backup);
    name = list_names(fixture->store, "pool/");
    pack = store_get(fixture->store, name, POOL_PACK_LIMIT, NULL);
    length = g_bytes_get_size(pack);
    copy = g_memdup2(g_bytes_get_data(pack, NULL), length);
    open_backup(&read, repository, FULL);
    place(&read, 0, &file);
    test_read_end(&read);

    /* A byte of an extent, spread over the pack, the map's and the header's. */
    for (gsize at = PACK_HEADER_SIZE; at < file.map_offset; at += 20011) {
        copy[at] ^= 1;
        replace_pack(fixture->store, copy, length);
        assert_damaged(repository, 0, "pool/");
        copy[at] ^= 1;
    }
    copy[file.map_offset + 50] ^= 1;
    replace_pack(fixture->store, copy, length);
    assert_damaged(repository, 0, "the map at byte");
    copy[file.map_offset + 50] ^= 1;
    copy[3] ^= 1;
    replace_pack(fixture->store, copy, length);
    assert_damaged(repository, 1, "is no pack");
    copy[3] ^= 1;
    replace_pack(fixture->store, copy, file.map_offset);
    assert_damaged(repository, 0, "ends before");
    replace_pack(fixture->store, copy, length);
    open_backup(&read, repository, FULL);
    assert_file(&read, 0, bytes, MIB);
    test_read_end(&read);
    replace_pack(fixture->store, NULL, 0);
    assert_damaged(repository, 0, "is missing");
    pool_file_clear(&file);
}

static void add(const char *path, StoreKind kind, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER((int)kind), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add_store_test("/pool/round-trip", STORE_FAULTY_POSIX, test_round_trip);
    add("/pool/incremental", STORE_MEMORY, test_incremental);
    add("/pool/unchanged", STORE_MEMORY, test_unchanged);
    add("/pool/full-shares-nothing", STORE_MEMORY, test_full_shares_nothing);
    add("/pool/copy-forward", STORE_MEMORY, test_copy_forward);
    add("/pool/zero-and-random", STORE_MEMORY, test_zero_and_random);
    add("/pool/workers", STORE_MEMORY, test_workers);
    add("/pool/forgotten-file", STORE_MEMORY, test_forgotten_file);
    add("/pool/other-key", STORE_MEMORY, test_other_key);
    add("/pool/lost-answer", STORE_FAULTY_MEMORY, test_lost_answer);
    add("/pool/failed-pack", STORE_FAULTY_MEMORY, test_failed_pack);
    add("/pool/damage", STORE_MEMORY, test_damage);
    return g_test_run();
}
