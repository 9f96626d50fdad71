/* SPDX-License-Identifier: Apache-2.0
 *
 * What a physical backup records, written into a store in memory and read back; hostile lists of
 * files; when the times of files may be trusted; torn and corrupt pages.
 */
#include "postgres/physical.h"

#include <string.h>

#include "../stores.h"
#include "base/error.h"
#include "base/time.h"
#include "postgres/base.h"
#include "postgres/copy-local.h"
#include "postgres/page-check.h"
#include "repo/lease.h"

#define ID "20261122T020000Z-market-full-k3f9"

typedef struct {
    StoreFixture store;
    Repository *repository;
    Lease *lease;
    BackupWriter *writer;
    PoolWriter *pool;
} Fixture;

static void fixture_open(Fixture *fixture, gconstpointer data)
{
    g_autofree char *run = NULL;
    LeaseRequest request = {.operation = "backup", .backup = ID};
    PoolWriterOptions options = {.backup_id = ID,
                                 .compression = COMPRESS_DEFAULT,
                                 .hash_key = G_MAXUINT64 - 5};

    store_fixture_open(&fixture->store, GINT_TO_POINTER(STORE_MEMORY));
    request.runtime_directory = run = fixture_path(&fixture->store, "run");
    fixture->repository = repository_create(fixture->store.store, COMPRESS_DEFAULT, NULL);
    fixture->lease = lease_acquire(fixture->repository, &request, NULL);
    fixture->writer = backup_writer_new(fixture->repository, fixture->lease, ID, NULL);
    options.backup = fixture->writer;
    fixture->pool = pool_writer_new(&options, NULL);
    g_assert_nonnull(fixture->pool);
}

static void fixture_close(Fixture *fixture, gconstpointer data)
{
    pool_writer_free(fixture->pool);
    backup_writer_free(fixture->writer);
    lease_release(fixture->lease);
    repository_unref(fixture->repository);
    store_fixture_close(&fixture->store, NULL);
}

static PgFile *new_file(const char *path, PgFileKind kind)
{
    PgFile *file = pg_file_new(path, kind);

    file->mode = kind == PG_FILE_DIRECTORY ? 0700 : 0600;
    return file;
}

static PgFile *add_content(Fixture *fixture, PgPhysical *physical, const char *path,
                           const char *text)
{
    PgFile *file = new_file(path, PG_FILE_REGULAR);
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

    file->settled = TRUE;
    file->modified = 1234567;
    file->changed = 1234568;
    file->inode = 99;
    g_assert_true(pg_copy_bytes(fixture->pool, file, bytes, NULL));
    g_ptr_array_add(physical->files, file);
    return file;
}

static PgPhysical *new_physical(void)
{
    PgPhysical *physical = pg_physical_new();

    physical->server.version = g_strdup("15.20");
    physical->server.version_num = 150020;
    physical->system_identifier = G_MAXUINT64 - 1;
    physical->timeline = 3;
    physical->start = G_GUINT64_CONSTANT(0x1600000028);
    physical->stop = G_GUINT64_CONSTANT(0x1600000138);
    physical->checkpoint = G_GUINT64_CONSTANT(0x1600000060);
    physical->start_time = 1000 * TIME_SECOND;
    physical->stop_time = 1010 * TIME_SECOND;
    physical->segment_size = 16 * 1024 * 1024;
    physical->block_size = 8192;
    physical->relation_segment_blocks = 131072;
    physical->access = g_strdup("local");
    physical->host_id = g_strdup("host:1");
    physical->boot_id = g_strdup("boot");
    physical->clock_offset = 500 * TIME_SECOND;
    physical->page_checksums = TRUE;
    physical->hash_key = G_MAXUINT64 - 5;
    pg_physical_add_tablespace(physical, 16390, "fast", "/mnt/f\xff");
    pg_physical_add_tablespace(physical, 16391, "inside", NULL);
    pg_physical_add_failure(physical, "base/5/16385.1", 131080);
    g_ptr_array_add(physical->databases, g_strdup("5\tpostgres"));
    g_ptr_array_add(physical->settings, g_strdup("max_connections\t100"));
    return physical;
}

/* Writes the details and commits; NULL where reading them back fails. */
static PgPhysical *commit_and_read(Fixture *fixture, const PgPhysical *physical, GError **error)
{
    g_autoptr(Manifest) manifest = manifest_new(ID, "market", "postgresql", BACKUP_FULL);
    g_autoptr(Backup) backup = NULL;
    PgPhysical *read = NULL;

    g_assert_true(pool_writer_finish(fixture->pool, NULL));
    g_assert_true(
        pg_physical_write(physical, fixture->pool, fixture->writer, COMPRESS_DEFAULT, NULL));
    manifest_set_times(manifest, 1, 2);
    g_assert_true(backup_writer_commit(fixture->writer, manifest, NULL));
    backup = backup_open(fixture->repository, ID, NULL);
    g_assert_nonnull(backup);
    return pg_physical_read(backup, &read, error) ? read : NULL;
}

static void test_round_trip(Fixture *fixture, gconstpointer data)
{
    g_autoptr(PgPhysical) physical = new_physical();
    g_autoptr(PgPhysical) read = NULL;
    g_autoptr(GError) error = NULL;
    const PgTablespace *space;
    const PgPageFailure *failure;
    const PgFile *file;

    add_content(fixture, physical, "PG_VERSION", "15\n");
    g_ptr_array_add(physical->files, new_file("base", PG_FILE_DIRECTORY));
    add_content(fixture, physical, "base/odd\xfename", "content");
    g_ptr_array_add(physical->files, new_file("pg_wal", PG_FILE_LINK));
    ((PgFile *)physical->files->pdata[3])->target = g_strdup("/wal");
    read = commit_and_read(fixture, physical, &error);
    g_assert_no_error(error);

    g_assert_cmpuint(read->system_identifier, ==, G_MAXUINT64 - 1);
    g_assert_cmpuint(read->hash_key, ==, G_MAXUINT64 - 5);
    g_assert_cmpuint(read->timeline, ==, 3);
    g_assert_cmphex(read->start, ==, physical->start);
    g_assert_cmphex(read->stop, ==, physical->stop);
    g_assert_cmphex(read->checkpoint, ==, physical->checkpoint);
    g_assert_cmpint(read->stop_time, ==, physical->stop_time);
    g_assert_cmpstr(read->host_id, ==, "host:1");
    g_assert_cmpint(read->clock_offset, ==, physical->clock_offset);
    g_assert_true(read->page_checksums);
    space = g_ptr_array_index(read->tablespaces, 0);
    g_assert_cmpstr(space->location, ==, "/mnt/f\xff");
    space = g_ptr_array_index(read->tablespaces, 1);
    g_assert_null(space->location);
    failure = g_ptr_array_index(read->failures, 0);
    g_assert_cmpuint(failure->block, ==, 131080);
    g_assert_cmpstr(g_ptr_array_index(read->databases, 0), ==, "5\tpostgres");
    g_assert_cmpstr(g_ptr_array_index(read->settings, 0), ==, "max_connections\t100");

    g_assert_cmpuint(read->files->len, ==, 4);
    file = g_ptr_array_index(read->files, 2);
    g_assert_cmpstr(file->path, ==, "base/odd\xfename");
    g_assert_true(file->settled);
    g_assert_cmpuint(file->mode, ==, 0600);
    g_assert_cmpint(file->modified, ==, 1234567);
    g_assert_cmpint(file->changed, ==, 1234568);
    g_assert_cmpuint(file->inode, ==, 99);
    g_assert_cmphex(file->crc32c, ==, crc32c(0, "content", 7));
    g_assert_cmpuint(file->content.size, ==, 7);
    file = g_ptr_array_index(read->files, 3);
    g_assert_cmpstr(file->target, ==, "/wal");
}

static void test_hostile_paths(Fixture *fixture, gconstpointer data)
{
    const char *path = data;
    g_autoptr(PgPhysical) physical = new_physical();
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(physical->files, new_file("b", PG_FILE_DIRECTORY));
    g_ptr_array_add(physical->files, new_file(path, PG_FILE_DIRECTORY));
    g_assert_null(commit_and_read(fixture, physical, &error));
    g_assert_true(error_is(error, ERROR_FORMAT));
}

/* --- times ------------------------------------------------------------------------------------ */

static void test_times(void)
{
    g_autoptr(PgPhysical) base = new_physical();
    g_autoptr(PgPhysical) now = new_physical();

    now->start = base->stop;
    now->start_time = base->stop_time;
    g_assert_null(pg_base_times_reason(now, base));
    now->start_time--;
    g_assert_nonnull(pg_base_times_reason(now, base));
    now->start_time++;
    now->start--;
    g_assert_nonnull(pg_base_times_reason(now, base));
    now->start++;
    now->timeline++;
    g_assert_nonnull(pg_base_times_reason(now, base));
    now->timeline--;
    /* The clock: forward is fine, back is not, and after a new boot nothing is known of it. */
    now->clock_offset += TIME_HOUR;
    g_assert_null(pg_base_times_reason(now, base));
    now->clock_offset -= TIME_HOUR + TIME_SECOND;
    g_assert_nonnull(pg_base_times_reason(now, base));
    now->boot_id[0] = 'B';
    g_assert_null(pg_base_times_reason(now, base));
    now->host_id[0] = 'H';
    g_assert_nonnull(pg_base_times_reason(now, base));
    g_clear_pointer(&base->host_id, g_free);
    g_clear_pointer(&now->host_id, g_free);
    g_assert_nonnull(pg_base_times_reason(now, base));
}

/* --- pages ------------------------------------------------------------------------------------ */

#define PAGES 3

/* A page with its checksum in place; `lsn` goes into its head. */
static void make_page(guint8 *page, guint32 block, guint32 lsn)
{
    guint16 checksum;

    memset(page, (int)block + 1, 8192);
    memset(page, 0, 4);
    memcpy(page + 4, &lsn, sizeof lsn);
    checksum = pg_page_checksum(page, 8192, block);
    memcpy(page + 8, &checksum, sizeof checksum);
}

/* Three pages, the middle one wrong in memory; what the file has there is `in_file`, or nothing can
 * be read again. */
static guint64 count_failures(const guint8 *pages, const guint8 *in_file, PgLsn start, PgLsn stop,
                              gboolean ret_same[1])
{
    g_autoptr(PgPageCheck) check = pg_page_check_new(8192, 131072);
    g_autoptr(PgPhysical) physical = new_physical();
    g_autofree guint8 *piece = g_memdup2(pages, PAGES * 8192);
    PgRelationName name = {.relation = 1, .segment = 1};
    FILE_AUTO_FD fd = -1;
    guint64 count;

    g_ptr_array_set_size(physical->failures, 0);
    physical->start = start;
    physical->stop = stop;
    if (in_file != NULL) {
        g_assert_true(file_open_unnamed(g_get_tmp_dir(), &fd, NULL));
        g_assert_true(file_write_all(fd, in_file, PAGES * 8192, "scratch", NULL));
    }
    pg_page_check_piece(check, "base/5/1.1", &name, fd, piece, PAGES * 8192, 0);
    pg_page_check_report(check, physical, &count);
    if (count > 0) {
        const PgPageFailure *failure = g_ptr_array_index(physical->failures, 0);

        g_assert_cmpstr(failure->path, ==, "base/5/1.1");
        g_assert_cmpuint(failure->block, ==, 131073);
    }
    ret_same[0] = memcmp(piece, pages, PAGES * 8192) == 0;
    return count;
}

static void test_torn_pages(void)
{
    g_autofree guint8 *good = g_malloc(PAGES * 8192);
    g_autofree guint8 *torn = NULL, *moving = NULL;
    gboolean same[1];

    for (guint32 i = 0; i < PAGES; i++)
        make_page(good + i * 8192, 131072 + i, 0x5000);
    torn = g_memdup2(good, PAGES * 8192);
    torn[8192 + 6000] ^= 1;
    moving = g_memdup2(torn, PAGES * 8192);
    moving[8192 + 7000] ^= 1;

    g_assert_cmpuint(count_failures(good, NULL, 0x6000, 0x7000, same), ==, 0);
    /* Corrupt: it stays wrong, whether it can be read again or not. */
    g_assert_cmpuint(count_failures(torn, torn, 0x6000, 0x7000, same), ==, 1);
    g_assert_cmpuint(count_failures(torn, NULL, 0x6000, 0x7000, same), ==, 1);
    /* Changed since the start: the WAL has it. Beyond the stop: no server wrote that. */
    g_assert_cmpuint(count_failures(torn, torn, 0x4000, 0x7000, same), ==, 0);
    g_assert_cmpuint(count_failures(torn, torn, 0x1000, 0x4fff, same), ==, 1);
    /* Torn: whole when it is read again, and taken as it is then; or in motion. */
    g_assert_cmpuint(count_failures(torn, good, 0x6000, 0x7000, same), ==, 0);
    g_assert_false(same[0]);
    g_assert_cmpuint(count_failures(torn, moving, 0x6000, 0x7000, same), ==, 0);
}

int main(int argc, char **argv)
{
    static const char *const hostile[] = {"../x", "b/../../x", "/x", "b//x", "b/.", "b", "a"};

    g_test_init(&argc, &argv, NULL);
    g_test_add("/physical/round-trip", Fixture, NULL, fixture_open, test_round_trip, fixture_close);
    for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
        g_autofree char *name = g_strdup_printf("/physical/hostile-path/%" G_GSIZE_FORMAT, i);

        g_test_add(name, Fixture, hostile[i], fixture_open, test_hostile_paths, fixture_close);
    }
    g_test_add_func("/physical/times", test_times);
    g_test_add_func("/physical/torn-pages", test_torn_pages);
    return g_test_run();
}
