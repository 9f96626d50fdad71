/* SPDX-License-Identifier: Apache-2.0
 *
 * Which archived WAL goes and which stays: timelines, systems, names, ages.
 */
#include "postgres/wal-trim.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/backup-id.h"
#include "repo/lease.h"
#include "repo/writer.h"

#define SYSTEM "7000000000000000001"
#define OLDER  "6000000000000000001"

typedef struct {
    char *directory;
    Repository *repository;
    GHashTable *named;
    GStrvBuilder *onward;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(Store) store = store_new_memory();

    fixture->directory = g_dir_make_tmp("holdfast-trim-XXXXXX", NULL);
    fixture->repository = repository_create(store, COMPRESS_DEFAULT, NULL);
    g_assert_nonnull(fixture->repository);
    fixture->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fixture->onward = g_strv_builder_new();
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    repository_unref(fixture->repository);
    g_hash_table_unref(fixture->named);
    g_strv_builder_unref(fixture->onward);
    g_assert_cmpint(g_remove(fixture->directory), ==, 0);
    g_free(fixture->directory);
}

static char *object_of(const char *system, guint32 timeline, guint number, const char *suffix)
{
    return g_strdup_printf("wal/main/%s/%08X/%08X00000000/%08X00000000%08X%s", system, timeline,
                           timeline, timeline, number, suffix);
}

static void put(Fixture *fixture, const char *system, guint32 timeline, guint first, guint last)
{
    for (guint i = first; i <= last; i++) {
        g_autofree char *object = object_of(system, timeline, i, "");

        g_assert_true(store_put(repository_store(fixture->repository), object, "segment", 7, NULL));
    }
}

/* A backup whose WAL goes on, from a segment of 16 MiB. */
static void add_backup(Fixture *fixture, const char *source, const char *system, guint32 timeline,
                       guint start)
{
    const LeaseRequest request = {.operation = "backup", .runtime_directory = fixture->directory};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = lease_acquire(fixture->repository, &request, &error);
    g_autofree char *id = backup_id_make(time_now(), source, "full");
    g_autoptr(Manifest) manifest = manifest_new(id, source, "postgresql", BACKUP_FULL);
    g_autoptr(BackupWriter) writer = NULL;
    g_autofree char *from = g_strdup_printf("0/%X000028", start);
    g_autofree char *to = g_strdup_printf("0/%X000100", start);

    g_assert_no_error(error);
    writer = backup_writer_new(fixture->repository, lease, id, &error);
    g_assert_no_error(error);
    manifest_set_times(manifest, time_now(), time_now());
    manifest_set_method(manifest, "physical");
    manifest_set_field(manifest, "system_identifier", json_string(system));
    manifest_set_field(manifest, "timeline", json_integer(timeline));
    manifest_set_field(manifest, "start_lsn", json_string(from));
    manifest_set_field(manifest, "stop_lsn", json_string(to));
    manifest_set_field(manifest, "segment_size", json_integer(16 << 20));
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    g_assert_no_error(error);
    g_strv_builder_add(fixture->onward, id);
}

static guint trim(Fixture *fixture, gint64 before, gboolean limited, gboolean dry_run)
{
    g_auto(GStrv) onward = g_strv_builder_end(fixture->onward);
    const EngineTrim request = {.repository = fixture->repository,
                                .source = "main",
                                .onward = (const char *const *)onward,
                                .named = fixture->named,
                                .before = before,
                                .limited = limited,
                                .dry_run = dry_run};
    g_auto(EngineTrimResult) result = {0};
    g_autoptr(GError) error = NULL;

    g_assert_true(pg_wal_trim(&request, &result, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(result.bytes, ==, result.files * 7);
    for (guint i = 0; onward[i] != NULL; i++)
        g_strv_builder_add(fixture->onward, onward[i]);
    return (guint)result.files;
}

static gboolean has(Fixture *fixture, const char *system, guint32 timeline, guint number)
{
    g_autofree char *object = object_of(system, timeline, number, "");
    StoreInfo info;

    return store_stat(repository_store(fixture->repository), object, &info, NULL);
}

static void test_start(Fixture *fixture, gconstpointer data)
{
    put(fixture, SYSTEM, 1, 1, 9);
    add_backup(fixture, "main", SYSTEM, 1, 4);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, TRUE), ==, 3);
    g_assert_true(has(fixture, SYSTEM, 1, 1));
    g_assert_cmpuint(trim(fixture, 0, FALSE, FALSE), ==, 0); /* all of it is too young */
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, FALSE), ==, 3);
    g_assert_false(has(fixture, SYSTEM, 1, 3));
    g_assert_true(has(fixture, SYSTEM, 1, 4));
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, FALSE), ==, 0);
}

/* Timeline 2 leaves 1 at segment 5; a backup of each. */
static void test_timelines(Fixture *fixture, gconstpointer data)
{
    put(fixture, SYSTEM, 1, 1, 9);
    put(fixture, SYSTEM, 2, 5, 9);
    add_backup(fixture, "main", SYSTEM, 2, 7);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, TRUE), ==, 9 + 2);
    add_backup(fixture, "main", SYSTEM, 1, 3);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, FALSE), ==, 2);
    g_assert_true(has(fixture, SYSTEM, 2, 5));
    g_assert_true(has(fixture, SYSTEM, 1, 9));
}

static void test_named(Fixture *fixture, gconstpointer data)
{
    put(fixture, SYSTEM, 1, 1, 9);
    g_hash_table_add(fixture->named, object_of(SYSTEM, 1, 2, ""));
    add_backup(fixture, "main", SYSTEM, 1, 4);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, FALSE), ==, 2);
    g_assert_true(has(fixture, SYSTEM, 1, 2));
}

/* History files, what the archive keeps about systems, and what nobody knows stay. */
static void test_other_objects(Fixture *fixture, gconstpointer data)
{
    static const char *const stay[] = {"wal/main/" SYSTEM "/00000002/00000002.history",
                                       "wal/main/" SYSTEM "/system.json",
                                       "wal/main/" SYSTEM "/00000001/notes"};
    g_autofree char *piece = object_of(SYSTEM, 1, 2, ".00100000.part");
    g_autofree char *label = object_of(SYSTEM, 1, 2, ".00000028.backup");
    Store *store = repository_store(fixture->repository);
    StoreInfo info;

    for (guint i = 0; i < G_N_ELEMENTS(stay); i++)
        g_assert_true(store_put(store, stay[i], "segment", 7, NULL));
    g_assert_true(store_put(store, piece, "segment", 7, NULL));
    g_assert_true(store_put(store, label, "segment", 7, NULL));
    add_backup(fixture, "main", SYSTEM, 1, 4);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, FALSE), ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(stay); i++)
        g_assert_true(store_stat(store, stay[i], &info, NULL));
}

/* WAL that no backup of its server follows: it may be all that there is. */
static void test_systems(Fixture *fixture, gconstpointer data)
{
    put(fixture, OLDER, 1, 1, 2);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, TRUE), ==, 0);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, TRUE, TRUE), ==, 2);
    add_backup(fixture, "another", SYSTEM, 1, 4);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, TRUE), ==, 0);
    add_backup(fixture, "main", SYSTEM, 1, 4);
    g_assert_cmpuint(trim(fixture, G_MAXINT64, FALSE, TRUE), ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                                        \
    g_test_add("/wal-trim/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("start", test_start);
    ADD("timelines", test_timelines);
    ADD("named", test_named);
    ADD("other-objects", test_other_objects);
    ADD("systems", test_systems);
    return g_test_run();
}
