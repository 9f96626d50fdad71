/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of physical backups: by their end, then by their place in the WAL, never by their ids.
 */
#include "postgres/wal-position.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/lease.h"
#include "repo/writer.h"

#define SECOND "20261122T020000Z"

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    gint64 second; /* that all the ids tell */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->store = store_new_memory();
    fixture->directory = g_dir_make_tmp("holdfast-position-XXXXXX", NULL);
    fixture->repository = repository_create(fixture->store, COMPRESS_DEFAULT, NULL);
    g_assert_nonnull(fixture->repository);
    g_assert_true(time_parse(SECOND, NULL, &fixture->second, NULL));
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_assert_cmpint(g_remove(fixture->directory), ==, 0);
    g_free(fixture->directory);
}

/* A backup that begins and ends so many microseconds behind the second; lsn NULL: a logical one. */
static void add_backup(Fixture *fixture, const char *id, const char *source, gint64 begin,
                       gint64 end, const char *lsn)
{
    const LeaseRequest request = {.operation = "backup", .runtime_directory = fixture->directory};
    g_autoptr(GError) error = NULL;
    g_autoptr(Lease) lease = lease_acquire(fixture->repository, &request, &error);
    g_autoptr(Manifest) manifest = manifest_new(id, source, "postgresql", BACKUP_FULL);
    g_autoptr(BackupWriter) writer = NULL;

    g_assert_no_error(error);
    writer = backup_writer_new(fixture->repository, lease, id, &error);
    g_assert_no_error(error);
    manifest_set_times(manifest, fixture->second + begin, fixture->second + end);
    manifest_set_method(manifest, lsn != NULL ? "physical" : "logical");
    if (lsn != NULL) {
        manifest_set_field(manifest, "system_identifier", json_string("7000000000000000001"));
        manifest_set_field(manifest, "timeline", json_integer(1));
        manifest_set_field(manifest, "start_lsn", json_string("0/2000028"));
        manifest_set_field(manifest, "stop_lsn", json_string(lsn));
        manifest_set_field(manifest, "segment_size", json_integer(16 << 20));
    }
    g_assert_true(backup_writer_commit(writer, manifest, &error));
    g_assert_no_error(error);
}

static char *order(Fixture *fixture, const char *source)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GPtrArray) backups = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(wal_backups(fixture->repository, source, &backups, &error));
    g_assert_no_error(error);
    for (guint i = 0; i < backups->len; i++) {
        const WalBackup *backup = backups->pdata[i];
        gsize length = strlen(backup->id);

        g_string_append_printf(text, "%s%s%s", i > 0 ? " " : "", backup->id + length - 4,
                               backup->problem != NULL ? "!" : "");
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void test_one_second(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    add_backup(fixture, SECOND "-pg-full-zzzz", "pg", 100, 200000, "0/3000100");
    add_backup(fixture, SECOND "-pg-full-mmmm", "pg", 300000, 400000, "0/4000100");
    add_backup(fixture, SECOND "-pg-incr-aaaa", "pg", 500000, 600000, "0/5000100");
    text = order(fixture, "pg");
    g_assert_cmpstr(text, ==, "zzzz mmmm aaaa");
}

static void test_one_moment(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    add_backup(fixture, SECOND "-pg-full-aaaa", "pg", 100, 200000, "1/100");
    add_backup(fixture, SECOND "-pg-full-mmmm", "pg", 100, 200000, "0/FFFF0000");
    add_backup(fixture, SECOND "-pg-full-zzzz", "pg", 100, 200000, "0/4000100");
    text = order(fixture, "pg");
    g_assert_cmpstr(text, ==, "zzzz mmmm aaaa");
}

/* What begins later may end earlier. */
static void test_long_backup(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    add_backup(fixture, SECOND "-pg-full-long", "pg", 0, 3 * TIME_HOUR, "0/9000100");
    add_backup(fixture, "20261122T030000Z-pg-incr-hour", "pg", TIME_HOUR, TIME_HOUR + 5,
               "0/4000100");
    text = order(fixture, "pg");
    g_assert_cmpstr(text, ==, "hour long");
}

static void test_others(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL, *other = NULL;

    add_backup(fixture, SECOND "-pg-full-phys", "pg", 10, 20, "0/4000100");
    add_backup(fixture, SECOND "-pg-full-text", "pg", 10, 20, NULL);
    add_backup(fixture, SECOND "-x-pg-full-else", "x-pg", 10, 20, "0/4000100");
    add_backup(fixture, SECOND "-pg-full-hurt", "pg", 10, 20, "0/4000100");
    g_assert_true(
        store_delete(fixture->store, "backups/" SECOND "-pg-full-hurt/manifest.json", NULL));
    text = order(fixture, "pg");
    g_assert_cmpstr(text, ==, "hurt! phys");
    other = order(fixture, "x-pg");
    g_assert_cmpstr(other, ==, "else");
}

/* A place that makes no sense is the problem of one backup. */
static void test_senseless_place(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;

    add_backup(fixture, SECOND "-pg-full-good", "pg", 10, 20, "0/4000100");
    add_backup(fixture, SECOND "-pg-full-lost", "pg", 10, 20, "0/100");
    text = order(fixture, "pg");
    g_assert_cmpstr(text, ==, "lost! good");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/wal-position/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("one-second", test_one_second);
    ADD("one-moment", test_one_moment);
    ADD("long-backup", test_long_backup);
    ADD("others", test_others);
    ADD("senseless-place", test_senseless_place);
    return g_test_run();
}
