/* SPDX-License-Identifier: Apache-2.0
 *
 * Which row groups are written together: all of them once, those of one place side by side, and not
 * more than memory allows.
 */
#include "../stores.h"

#include <string.h>

#include "base/error.h"
#include "repo/lease.h"
#include "repo/writer.h"
#include "tdengine/parquet-object.h"
#include "tdengine/restore-windows.h"

#define ID     "20261122T020000Z-market-full-k3f9"
#define TABLES 10u
#define GROUPS 8u /* of a slice, where there are many */
#define ROOM   (64u * 1024 * 1024)

/* A repository with a backup that has nothing in it, child tables, and slices in the pool. */
typedef struct {
    Repository *repository;
    Backup *backup;
    TdTagSet set; /* names alone */
    GPtrArray *slices;
} World;

static void write_backup(World *world, const StoreFixture *fixture)
{
    g_autofree char *directory = fixture_path(fixture, "run");
    const LeaseRequest request = {.operation = "backup",
                                  .source = "market",
                                  .type = "full",
                                  .backup = ID,
                                  .runtime_directory = directory};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = lease_acquire(world->repository, &request, &error);
    g_autoptr(BackupWriter) writer = backup_writer_new(world->repository, lease, ID, &error);
    g_autoptr(Manifest) manifest = manifest_new(ID, "market", "tdengine", BACKUP_FULL);

    g_assert_no_error(error);
    manifest_set_times(manifest, 1, 2);
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    world->backup = backup_open(world->repository, ID, &error);
    g_assert_no_error(error);
}

static void world_init(World *world, const StoreFixture *fixture)
{
    g_autoptr(GError) error = NULL;

    *world = (World){.repository =
                         repository_create(fixture->store, (CompressSpec){CODEC_NONE, 0}, &error)};
    g_assert_no_error(error);
    write_backup(world, fixture);
    world->set.names = td_names_new();
    for (guint i = 0; i < TABLES; i++) {
        const char name[] = {'t', (char)('a' + i)};

        td_names_add(world->set.names, name, sizeof name);
    }
    world->slices = g_ptr_array_new_with_free_func(g_free);
}

static void world_clear(World *world)
{
    g_ptr_array_unref(world->slices);
    td_names_free(world->set.names);
    backup_unref(world->backup);
    repository_unref(world->repository);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

/* A slice of row groups with so many rows each. */
static void add_slice(World *world, guint groups, guint rows)
{
    const TdParquetColumn columns[] = {
        {.column = {.name = "tbname", .type = PARQUET_BYTE_ARRAY, .logical = PARQUET_STRING},
         .role = "tbname"},
        {.column = {.name = "ts", .type = PARQUET_INT64}, .role = "time"}};
    const TdParquetSpec spec = {.repository = world->repository,
                                .backup_id = ID,
                                .object = "slice",
                                .database = "d",
                                .table = "st"};
    g_autoptr(GError) error = NULL;
    g_autoptr(TdParquet) parquet = td_parquet_new(&spec, columns, 2, &error);
    TdSlice *slice = g_new0(TdSlice, 1);
    TdGather gathers[2];

    g_assert_no_error(error);
    for (guint i = 0; i < 2; i++)
        td_gather_init(&gathers[i], &columns[i].column);
    for (guint group = 0; group < groups; group++) {
        for (gint64 time = 0; time < rows; time++) {
            /* No two slices are the same object. */
            const gint64 stamp = time + world->slices->len * G_GINT64_CONSTANT(1000000);

            td_gather_add_text(&gathers[0], "ta", 2, 1);
            td_gather_add_value(&gathers[1], &stamp);
        }
        g_assert_true(td_parquet_add(parquet, gathers, &error));
        g_assert_true(td_parquet_end_group(parquet, &error));
    }
    g_assert_true(td_parquet_finish(parquet, &slice->data, &error));
    g_assert_no_error(error);
    for (guint i = 0; i < 2; i++)
        td_gather_clear(&gathers[i]);
    slice->rows = slice->data.rows;
    g_ptr_array_add(world->slices, slice);
}

static GPtrArray *make_windows(World *world, guint jobs, gsize bytes)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *windows =
        td_restore_windows(world->backup, &world->set, world->slices, jobs, bytes, &error);

    g_assert_no_error(error);
    return windows;
}

static guint number_of(const World *world, const TdSlice *slice)
{
    guint number;

    g_assert_true(g_ptr_array_find(world->slices, slice, &number));
    return number;
}

/* "0:0 1:0|0:1 1:1": slice and row group, "*" for all of them; a bar between windows. */
static char *describe(const World *world, const GPtrArray *windows)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < windows->len; i++) {
        const GArray *window = g_ptr_array_index(windows, i);

        for (guint k = 0; k < window->len; k++) {
            const TdWindowPart *part = &g_array_index(window, TdWindowPart, k);

            g_string_append_printf(text, "%s%u:",
                                   k > 0   ? " "
                                   : i > 0 ? "|"
                                           : "",
                                   number_of(world, part->slice));
            if (part->group == TD_EVERY_GROUP)
                g_string_append_c(text, '*');
            else
                g_string_append_printf(text, "%u", part->group);
        }
    }
    return g_string_free(text, FALSE);
}

static void assert_windows(World *world, guint jobs, gsize bytes, const char *expected)
{
    g_autoptr(GPtrArray) windows = make_windows(world, jobs, bytes);
    g_autofree char *found = describe(world, windows);

    g_assert_cmpstr(found, ==, expected);
}

static void test_whole_slices(StoreFixture *fixture, gconstpointer data)
{
    g_auto(World) world = {0};
    g_autoptr(GPtrArray) windows = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *normal = NULL;

    (void)data;
    world_init(&world, fixture);
    assert_windows(&world, 2, ROOM, "");
    add_slice(&world, 2, 1000);
    assert_windows(&world, 2, ROOM, "0:*"); /* nothing to be read beside it */
    add_slice(&world, 3, 3000);
    assert_windows(&world, 2, ROOM, "0:*|1:*"); /* 11,000 rows: 550 of each table in each slice */
    ((TdSlice *)g_ptr_array_index(world.slices, 1))->rows = 7000;
    windows = td_restore_windows(world.backup, NULL, world.slices, 2, ROOM, &error);
    g_assert_no_error(error);
    normal = describe(&world, windows);
    g_assert_cmpstr(normal, ==, "0:*|1:*"); /* a normal table has its rows in one run */
}

/* Row groups of the same place, one window for each job at least. */
static void test_side_by_side(StoreFixture *fixture, gconstpointer data)
{
    g_auto(World) world = {0};

    (void)data;
    world_init(&world, fixture);
    for (guint i = 0; i < 3; i++)
        add_slice(&world, 4, 10);
    assert_windows(&world, 1, ROOM, "0:0 0:1 0:2 0:3 1:0 1:1 1:2 1:3 2:0 2:1 2:2 2:3");
    assert_windows(&world, 2, ROOM, "0:0 0:1 1:0 1:1 2:0 2:1|0:2 0:3 1:2 1:3 2:2 2:3");
    assert_windows(&world, 4, ROOM, "0:0 1:0 2:0|0:1 1:1 2:1|0:2 1:2 2:2|0:3 1:3 2:3");
}

/* A slice with fewer row groups: each of them stands for a longer stretch. */
static void test_unlike_slices(StoreFixture *fixture, gconstpointer data)
{
    g_auto(World) world = {0};

    (void)data;
    world_init(&world, fixture);
    add_slice(&world, 4, 10);
    add_slice(&world, 2, 20);
    add_slice(&world, 0, 0);
    assert_windows(&world, 2, ROOM, "0:0 0:1 1:0|0:2 0:3 1:1");
}

static void assert_all_once(const World *world, const GPtrArray *windows)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < windows->len; i++) {
        const GArray *window = g_ptr_array_index(windows, i);

        g_assert_cmpuint(window->len, >, 0);
        for (guint k = 0; k < window->len; k++) {
            const TdWindowPart *part = &g_array_index(window, TdWindowPart, k);

            g_assert_cmpuint(part->group, <, GROUPS);
            g_assert_true(
                g_hash_table_add(seen, g_strdup_printf("%u:%u", number_of(world, part->slice),
                                                       part->group)));
        }
    }
    g_assert_cmpuint(g_hash_table_size(seen), ==, world->slices->len * GROUPS);
}

/* Stored and decompressed. */
static guint64 bytes_of(const World *world, const TdWindowPart *part)
{
    g_auto(TdObjectFile) file = {0};
    g_autoptr(GError) error = NULL;
    const ParquetRowGroup *group;

    g_assert_true(td_object_file_open(&file, world->backup, &part->slice->data, &error));
    group = parquet_metadata_group(parquet_reader_metadata(file.reader), part->group);
    return (guint64)(group->stored_bytes + group->plain_bytes);
}

/* What is read side by side fits into memory. */
static void test_memory(StoreFixture *fixture, gconstpointer data)
{
    g_auto(World) world = {0};

    (void)data;
    world_init(&world, fixture);
    for (guint i = 0; i < 12; i++)
        add_slice(&world, GROUPS, 100);
    for (gsize bytes = 8 * 1024; bytes < 1024 * 1024; bytes *= 2) {
        g_autoptr(GPtrArray) windows = make_windows(&world, 2, bytes);

        assert_all_once(&world, windows);
        for (guint i = 0; i < windows->len; i++) {
            const GArray *window = g_ptr_array_index(windows, i);
            guint64 taken = 0;

            for (guint k = 0; k < window->len; k++)
                taken += bytes_of(&world, &g_array_index(window, TdWindowPart, k));
            g_assert_cmpuint(taken, <=, bytes);
        }
    }
}

/* Where there is no room for a row group of each slice: some slices first, then the others. */
static void test_many_slices(StoreFixture *fixture, gconstpointer data)
{
    g_auto(World) world = {0};
    guint64 one;

    (void)data;
    world_init(&world, fixture);
    for (guint i = 0; i < 6; i++)
        add_slice(&world, 2, 200);
    one = bytes_of(&world, &(TdWindowPart){g_ptr_array_index(world.slices, 0), 0}) +
          200 * 2 * sizeof(gint64);
    assert_windows(&world, 1, 3 * one + one / 2, "0:0 1:0 2:0|0:1 1:1 2:1|3:0 4:0 5:0|3:1 4:1 5:1");
}

static void test_other_rows_than_told(StoreFixture *fixture, gconstpointer data)
{
    g_auto(World) world = {0};
    g_autoptr(GError) error = NULL;
    TdSlice *slice;

    (void)data;
    world_init(&world, fixture);
    for (guint i = 0; i < 3; i++)
        add_slice(&world, 2, 10);
    slice = g_ptr_array_index(world.slices, 1);
    slice->rows++;
    g_assert_null(td_restore_windows(world.backup, &world.set, world.slices, 2, ROOM, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_DAMAGED);
    g_assert_nonnull(strstr(error->message, slice->data.sha256));
    g_assert_nonnull(strstr(error->message, "20 rows instead of 21"));
}

static void add(const char *name, StoreTest test)
{
    g_test_add(name, StoreFixture, GINT_TO_POINTER(STORE_MEMORY), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/restore-windows/whole-slices", test_whole_slices);
    add("/restore-windows/side-by-side", test_side_by_side);
    add("/restore-windows/unlike-slices", test_unlike_slices);
    add("/restore-windows/memory", test_memory);
    add("/restore-windows/many-slices", test_many_slices);
    add("/restore-windows/other-rows-than-told", test_other_rows_than_told);
    return g_test_run();
}
