/* SPDX-License-Identifier: Apache-2.0
 *
 * What only a store of files has: modes, temporary files, empty directories, strange neighbours.
 */
#include "../stores.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/time.h"

static void test_open(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *missing = fixture_path(fixture, "missing");
    g_autofree char *file = fixture_path(fixture, "file");
    g_autoptr(GError) error = NULL;

    g_assert_null(store_open_posix(missing, &error));
    g_assert_true(error_is(error, ERROR_UNREACHABLE));
    g_assert_nonnull(error_hint(error));
    g_clear_error(&error);
    g_assert_true(g_file_set_contents(file, "x", 1, &error));
    g_assert_null(store_open_posix(file, &error));
    g_assert_true(error_is(error, ERROR_UNREACHABLE));
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    g_assert_cmpint(stat(path, &info), ==, 0);
    return info.st_mode & 07777;
}

static void test_modes(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *directory = fixture_path(fixture, "store/a/b");
    g_autofree char *object = fixture_path(fixture, "store/a/b/c");
    mode_t old = umask(0);

    put_text(fixture->store, "a/b/c", "x");
    umask(old);
    g_assert_cmpint(mode_of(directory), ==, 0750);
    g_assert_cmpint(mode_of(object), ==, 0440);
}

/* Writers leave nothing when they are given up; deletes take empty directories along. */
static void test_nothing_left(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *root = fixture_path(fixture, "store");
    g_autoptr(GError) error = NULL;
    StoreWriter *writer = store_begin(fixture->store, "a/b/c", &error);

    g_assert_true(store_write(writer, "x", 1, &error));
    store_writer_free(writer);
    g_assert_false(store_put(fixture->store, "..", "", 0, NULL));
    put_text(fixture->store, "a/b/c", "x");
    put_text(fixture->store, "a/d", "x");
    g_assert_true(store_delete(fixture->store, "a/b/c", &error));
    g_assert_true(store_delete(fixture->store, "a/d", &error));
    g_assert_no_error(error);
    g_assert_true(directory_is_empty(root));
}

/* The directory goes between two objects; the next one makes it again. */
static void test_directory_vanishes(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *a = fixture_path(fixture, "store/a");
    g_autofree char *x = fixture_path(fixture, "store/a/b/x");
    g_autoptr(GError) error = NULL;

    put_text(fixture->store, "a/b/c", "x");
    g_assert_true(directory_remove(a, &error));
    put_text(fixture->store, "a/b/x", "x");
    g_assert_true(g_file_test(x, G_FILE_TEST_IS_REGULAR));
}

/* What was fsynced, by the last part of its path, a space behind each. */
static GString *synced;

/* Stands before the C library's. */
int fsync(int fd)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);
    g_autofree char *name = path != NULL ? g_path_get_basename(path) : NULL;

    if (synced != NULL && name != NULL)
        g_string_append_printf(synced, "%s ", g_str_has_prefix(name, ".tmp-") ? "object" : name);
    return (int)syscall(SYS_fsync, fd);
}

static void put_and_expect(Store *store, const char *object, const char *expected)
{
    g_string_truncate(synced, 0);
    put_text(store, object, "x");
    g_assert_cmpstr(synced->str, ==, expected);
}

/* A new directory's entry is durable before anything is put into it; an empty one may be another
 * writer's that has not come so far; one that holds anything is durable with all above it. */
static void test_directories_durable(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *empty = fixture_path(fixture, "store/a/empty");
    g_autoptr(GString) names = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    StoreWriter *writer;

    synced = names;
    put_and_expect(fixture->store, "a/b/c", "store a object b ");
    put_and_expect(fixture->store, "a/b/d", "object b ");
    put_and_expect(fixture->store, "e", "object store ");
    g_assert_cmpint(g_mkdir(empty, 0750), ==, 0);
    put_and_expect(fixture->store, "a/empty/c", "a object empty ");
    g_string_truncate(names, 0);
    writer = store_begin_below(fixture->store, "a/", &error);
    g_assert_no_error(error);
    g_assert_true(store_commit_as(writer, "a/late/c", &error));
    store_writer_free(writer);
    g_assert_cmpstr(names->str, ==, "object a late ");
    synced = NULL;
}

static void set_age(const char *path, gint64 age)
{
    struct timespec times[2];
    gint64 when = time_now() - age;

    times[0].tv_sec = times[1].tv_sec = when / TIME_SECOND;
    times[0].tv_nsec = times[1].tv_nsec = 0;
    g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
}

static void test_clean(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *old = fixture_path(fixture, "store/a/b/.tmp-old");
    g_autofree char *young = fixture_path(fixture, "store/.tmp-young");
    g_autofree char *directory = fixture_path(fixture, "store/a/b");
    g_autoptr(GError) error = NULL;
    g_autofree char *names = NULL;
    guint64 count, bytes;
    gint64 now;

    put_text(fixture->store, "a/b/c", "x");
    put_text(fixture->store, "a/d", "x");
    g_assert_true(store_delete(fixture->store, "a/b/c", &error));
    g_assert_true(directory_make(directory, 0750, &error));
    g_assert_true(g_file_set_contents(old, "12345", 5, &error));
    g_assert_true(g_file_set_contents(young, "123", 3, &error));
    set_age(old, 2 * TIME_HOUR);
    g_assert_true(store_time(fixture->store, &now, &error));
    g_assert_true(store_clean(fixture->store, now - TIME_HOUR, TRUE, &count, &bytes, &error));
    g_assert_cmpuint(count, ==, 1);
    g_assert_cmpuint(bytes, ==, 5);
    g_assert_true(g_file_test(old, G_FILE_TEST_EXISTS));
    g_assert_true(store_clean(fixture->store, now - TIME_HOUR, FALSE, &count, &bytes, &error));
    g_assert_cmpuint(count, ==, 1);
    g_assert_false(g_file_test(old, G_FILE_TEST_EXISTS));
    g_assert_false(g_file_test(directory, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(young, G_FILE_TEST_EXISTS));
    names = list_names(fixture->store, "");
    g_assert_cmpstr(names, ==, "a/d");
}

/* Pipes, odd names, dangling links and a file system's own directory are nobody's objects, and
 * block nobody. */
static void test_neighbours(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *pipe = fixture_path(fixture, "store/pipe");
    g_autofree char *odd = fixture_path(fixture, "store/an odd name");
    g_autofree char *dangling = fixture_path(fixture, "store/link");
    g_autofree char *found = fixture_path(fixture, "store/lost+found");
    g_autofree char *elsewhere = fixture_path(fixture, "elsewhere");
    g_autofree char *pool = fixture_path(fixture, "store/pool");
    g_autofree char *names = NULL;
    g_autoptr(GError) error = NULL;
    StoreInfo info;

    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    g_assert_true(g_file_set_contents(odd, "x", 1, &error));
    g_assert_cmpint(symlink("/nowhere", dangling), ==, 0);
    g_assert_cmpint(g_mkdir(found, 0), ==, 0);
    /* A part of the repository may live on another disk. */
    g_assert_cmpint(g_mkdir(elsewhere, 0700), ==, 0);
    g_assert_cmpint(symlink(elsewhere, pool), ==, 0);
    put_text(fixture->store, "pool/x", "x");
    names = list_names(fixture->store, "");
    g_assert_cmpstr(names, ==, "pool/x");
    g_assert_false(store_stat(fixture->store, "pipe", &info, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_null(store_get(fixture->store, "pipe", 10, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_false(store_put(fixture->store, "pipe", "x", 1, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
}

/* Objects are dated when they are committed, not when their first byte was written. */
static void test_dates(StoreFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(StoreWriter) writer = store_begin(fixture->store, "x", &error);
    StoreInfo info;
    gint64 between;

    g_assert_true(store_write(writer, "x", 1, &error));
    g_usleep(20000);
    g_assert_true(store_time(fixture->store, &between, &error));
    g_assert_true(store_commit(writer, &error));
    g_assert_true(store_stat(fixture->store, "x", &info, &error));
    g_assert_cmpint(info.modified, >=, between);
    g_assert_cmpint(ABS(info.modified - time_now()), <, TIME_MINUTE);
}

/* Who may not write can read all the same, and has a clock. */
static void test_read_only(StoreFixture *fixture, gconstpointer data)
{
    g_autofree char *root = fixture_path(fixture, "store");
    g_autoptr(GError) error = NULL;
    g_autofree char *names = NULL;
    gint64 now;

    if (geteuid() == 0) {
        g_test_skip("root may write everywhere");
        return;
    }
    put_text(fixture->store, "a", "x");
    g_assert_cmpint(chmod(root, 0500), ==, 0);
    names = list_names(fixture->store, "");
    g_assert_cmpstr(names, ==, "a");
    g_assert_true(store_time(fixture->store, &now, &error));
    g_assert_cmpint(ABS(now - time_now()), <, TIME_MINUTE);
    g_assert_false(store_put(fixture->store, "b", "x", 1, &error));
    g_assert_true(error_is(error, ERROR_PERMISSION));
    g_assert_cmpint(chmod(root, 0700), ==, 0);
}

/* The service's account can use what root has written. */
static void test_owner(StoreFixture *fixture, gconstpointer data)
{
    static const char *const names[] = {"store/a", "store/a/b", "store/a/b/c"};
    g_autofree char *root = fixture_path(fixture, "store");

    if (geteuid() != 0) {
        g_test_skip("only root gives files away");
        return;
    }
    g_assert_cmpint(chown(root, 12345, 12346), ==, 0);
    put_text(fixture->store, "a/b/c", "x");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = fixture_path(fixture, names[i]);
        struct stat info;

        g_assert_cmpint(stat(path, &info), ==, 0);
        g_assert_cmpint(info.st_uid, ==, 12345);
        g_assert_cmpint(info.st_gid, ==, 12346);
    }
}

static void add(const char *path, StoreTest test)
{
    g_test_add(path, StoreFixture, GINT_TO_POINTER(STORE_POSIX), store_fixture_open, test,
               store_fixture_close);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/store/posix/open", test_open);
    add("/store/posix/modes", test_modes);
    add("/store/posix/owner", test_owner);
    add("/store/posix/nothing-left", test_nothing_left);
    add("/store/posix/directory-vanishes", test_directory_vanishes);
    add("/store/posix/directories-durable", test_directories_durable);
    add("/store/posix/clean", test_clean);
    add("/store/posix/neighbours", test_neighbours);
    add("/store/posix/dates", test_dates);
    add("/store/posix/read-only", test_read_only);
    return g_test_run();
}
