/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and directories.
 */
#include "base/file.h"

#include "base/error.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *directory;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    fixture->directory = g_dir_make_tmp("holdfast-file-XXXXXX", &error);
    g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(directory_remove(fixture->directory, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(fixture->directory, G_FILE_TEST_EXISTS));
    g_free(fixture->directory);
}

static void replace(const char *path, const char *text, mode_t mode)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(file_replace(path, text, strlen(text), mode, &error));
    g_assert_no_error(error);
}

static void test_read(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "a", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *bytes = NULL;
    g_autofree char *other = NULL;
    gsize length = 0;

    replace(path, "hello", 0644);
    g_assert_true(file_read(path, 5, &bytes, &length, &error));
    g_assert_cmpmem(bytes, length + 1, "hello", 6);
    g_assert_false(file_read(path, 4, &other, &length, &error));
    g_assert_true(error_is(error, ERROR_LIMIT));
    g_assert_nonnull(strstr(error->message, path));
    g_assert_null(other);
    g_clear_error(&error);
    g_assert_false(file_read(fixture->directory, 10, &other, &length, &error));
    g_assert_true(error_is(error, ERROR_IO));
    g_clear_error(&error);
    g_unlink(path);
    g_assert_false(file_read(path, 10, &other, &length, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

/* A pipe has no size: the buffer grows, and the limit holds all the same. */
static void test_read_pipe(Fixture *fixture, gconstpointer data)
{
    for (int round = 0; round < 2; round++) {
        const gsize size = 50000;
        g_autofree char *sent = g_malloc0(size);
        g_autofree char *path = NULL;
        g_autofree char *bytes = NULL;
        g_autoptr(GError) error = NULL;
        gsize length = 0;
        int fds[2];

        g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
        g_assert_true(file_write_all(fds[1], sent, size, "pipe", &error));
        close(fds[1]);
        path = g_strdup_printf("/proc/self/fd/%d", fds[0]);
        if (round == 0) {
            g_assert_true(file_read(path, size, &bytes, &length, &error));
            g_assert_cmpmem(bytes, length, sent, size);
        } else {
            g_assert_false(file_read(path, size - 1, &bytes, &length, &error));
            g_assert_true(error_is(error, ERROR_LIMIT));
        }
        close(fds[0]);
    }
}

static void test_replace(Fixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "a", NULL);
    g_autofree char *nowhere = g_build_filename(fixture->directory, "no", "a", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *bytes = NULL;
    struct stat info;
    gsize length = 0;

    replace(path, "one", 0600);
    replace(path, "two", 0640);
    g_assert_true(file_read(path, 10, &bytes, &length, &error));
    g_assert_cmpstr(bytes, ==, "two");
    g_assert_cmpint(g_stat(path, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 07777, ==, 0640);
    g_assert_false(file_replace(nowhere, "x", 1, 0600, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);

    /* A directory in the way: an error, and nothing is left behind. */
    g_unlink(path);
    g_assert_true(directory_make(path, 0755, &error));
    g_assert_false(file_replace(path, "x", 1, 0600, &error));
    g_assert_nonnull(error);
    g_rmdir(path);
    g_assert_true(directory_is_empty(fixture->directory));
}

static void test_full_disk(void)
{
    FILE_AUTO_FD fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(fd, >=, 0);
    g_assert_false(file_write_all(fd, "x", 1, "/dev/full", &error));
    g_assert_true(error_is(error, ERROR_NO_SPACE));
}

static void test_directories(Fixture *fixture, gconstpointer data)
{
    g_autofree char *deep = g_build_filename(fixture->directory, "a", "b", "c", NULL);
    g_autofree char *top = g_build_filename(fixture->directory, "a", NULL);
    g_autofree char *file = g_build_filename(top, "file", NULL);
    g_autofree char *below_file = g_build_filename(file, "d", NULL);
    g_autofree char *outside = g_build_filename(fixture->directory, "outside", NULL);
    g_autofree char *link = g_build_filename(deep, "link", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(directory_make(deep, 0755, &error));
    g_assert_true(directory_make(deep, 0755, &error));
    g_assert_no_error(error);
    g_assert_true(directory_is_empty(deep));
    g_assert_false(directory_is_empty(top));
    g_assert_false(directory_is_empty(outside));

    replace(file, "x", 0600);
    g_assert_false(directory_make(file, 0755, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_false(directory_make(below_file, 0755, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_false(directory_remove(file, &error));
    g_clear_error(&error);

    /* What a link leads to stays. */
    g_assert_true(directory_make(outside, 0755, &error));
    g_assert_cmpint(symlink(outside, link), ==, 0);
    g_assert_false(directory_remove(link, &error));
    g_clear_error(&error);
    g_assert_true(directory_remove(top, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(top, G_FILE_TEST_EXISTS));
    g_assert_true(directory_is_empty(outside));
    g_assert_true(directory_remove(top, &error));
    g_assert_no_error(error);
}

static void test_private(Fixture *fixture, gconstpointer data)
{
    static const struct {
        mode_t mode;
        gboolean with_group, owner_only;
    } cases[] = {
        {0600, TRUE, TRUE},   {0400, TRUE, TRUE},   {0640, TRUE, FALSE},
        {0700, TRUE, TRUE},   {0660, FALSE, FALSE}, {0620, FALSE, FALSE},
        {0644, FALSE, FALSE}, {0604, FALSE, FALSE}, {0602, FALSE, FALSE},
    };
    g_autofree char *path = g_build_filename(fixture->directory, "secret", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_false(file_check_private(path, FALSE, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_false(file_check_private(fixture->directory, FALSE, &error));
    g_assert_true(error_is(error, ERROR_INSECURE_FILE));
    g_clear_error(&error);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        replace(path, "x", cases[i].mode);
        g_assert_cmpint(file_check_private(path, FALSE, &error), ==, cases[i].with_group);
        if (!cases[i].with_group) {
            g_assert_true(error_is(error, ERROR_INSECURE_FILE));
            g_assert_true(g_str_has_prefix(error_hint(error), "chmod 640 "));
        }
        g_clear_error(&error);
        g_assert_cmpint(file_check_private(path, TRUE, &error), ==, cases[i].owner_only);
        g_clear_error(&error);
    }
    if (geteuid() != 0) {
        g_test_skip("only root can give a file away");
        return;
    }
    replace(path, "x", 0600);
    g_assert_cmpint(chown(path, 12345, 0), ==, 0);
    g_assert_false(file_check_private(path, FALSE, &error));
    g_assert_true(error_is(error, ERROR_INSECURE_FILE));
}

static void test_free_space(Fixture *fixture, gconstpointer data)
{
    g_autofree char *missing = g_build_filename(fixture->directory, "x", "y", "z", NULL);
    g_autoptr(GError) error = NULL;
    guint64 here = 0, there = 0;

    g_assert_true(file_free_space(fixture->directory, &here, &error));
    g_assert_true(file_free_space(missing, &there, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(here, >, 0);
    g_assert_cmpuint(there, >, 0);
    g_assert_true(file_free_space("not-there-at-all", &here, &error));
}

static void test_unnamed(Fixture *fixture, gconstpointer data)
{
    g_autofree char *missing = g_build_filename(fixture->directory, "no", NULL);
    g_autoptr(GError) error = NULL;
    FILE_AUTO_FD fd = -1;
    char buffer[8];
    gsize length = 0;

    g_assert_true(file_open_unnamed(fixture->directory, &fd, &error));
    g_assert_no_error(error);
    g_assert_true(directory_is_empty(fixture->directory));
    g_assert_true(file_write_all(fd, "abc", 3, "unnamed", &error));
    g_assert_cmpint(lseek(fd, 0, SEEK_SET), ==, 0);
    g_assert_true(file_read_all(fd, buffer, sizeof buffer, &length, "unnamed", &error));
    g_assert_cmpmem(buffer, length, "abc", 3);
    file_close_fd(&fd);
    g_assert_false(file_open_unnamed(missing, &fd, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

static uid_t owner_of(const char *directory, const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    struct stat info;

    g_assert_cmpint(lstat(path, &info), ==, 0);
    return info.st_uid;
}

/* What root makes belongs to whom the directory belongs to; not what has another name already. */
static void test_give(Fixture *fixture, gconstpointer data)
{
    g_autofree char *home = g_build_filename(fixture->directory, "home", NULL);
    g_autofree char *deep = g_build_filename(home, "a", "b", NULL);
    g_autofree char *file = g_build_filename(deep, "file", NULL);
    g_autofree char *linked = g_build_filename(home, "linked", NULL);
    g_autofree char *outside = g_build_filename(fixture->directory, "outside", NULL);
    g_autoptr(GError) error = NULL;
    FILE_AUTO_FD fd = -1;

    if (geteuid() != 0) {
        g_test_skip("only root gives files away");
        return;
    }
    g_assert_true(directory_make(home, 0700, &error));
    g_assert_cmpint(owner_of(home, "."), ==, 0);
    g_assert_cmpint(chown(home, 12345, 12346), ==, 0);
    g_assert_true(directory_make(deep, 0700, &error));
    g_assert_true(file_replace(file, "x", 1, 0600, &error));
    g_assert_cmpint(owner_of(home, "a"), ==, 12345);
    g_assert_cmpint(owner_of(home, "a/b"), ==, 12345);
    g_assert_cmpint(owner_of(home, "a/b/file"), ==, 12345);

    g_assert_true(file_replace(outside, "x", 1, 0600, &error));
    g_assert_cmpint(link(outside, linked), ==, 0);
    fd = open(linked, O_RDWR | O_CLOEXEC);
    file_give_at(fd, linked);
    g_assert_cmpint(owner_of(home, "linked"), ==, 0);
    g_assert_cmpint(unlink(outside), ==, 0);
    file_give_at(fd, linked);
    g_assert_cmpint(owner_of(home, "linked"), ==, 12345);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/base/file/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("read", test_read);
    ADD("read-pipe", test_read_pipe);
    ADD("replace", test_replace);
    ADD("directories", test_directories);
    ADD("private", test_private);
    ADD("free-space", test_free_space);
    ADD("unnamed", test_unnamed);
    ADD("give", test_give);
#undef ADD
    g_test_add_func("/base/file/full-disk", test_full_disk);
    return g_test_run();
}
