/* SPDX-License-Identifier: Apache-2.0
 *
 * Run files, among threads and processes.
 */
#include "base/lock.h"

#include "base/error.h"
#include "base/file.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *directory;
    char *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = g_dir_make_tmp("holdfast-lock-XXXXXX", NULL);
    g_assert_nonnull(fixture->directory);
    fixture->path = g_build_filename(fixture->directory, "job.run", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
    g_free(fixture->path);
}

static void assert_state(const char *path, RunFileState expected, const char *expected_content)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *content = NULL;
    RunFileState state = RUN_FILE_DEAD;

    g_assert_true(run_file_inspect(path, &state, &content, &error));
    g_assert_no_error(error);
    g_assert_cmpint(state, ==, expected);
    g_assert_cmpstr(content, ==, expected_content);
}

static void test_life(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    RunFile *run;
    struct stat info;

    assert_state(fixture->path, RUN_FILE_MISSING, NULL);
    run = run_file_acquire(fixture->path, "first\n", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(run_file_path(run), ==, fixture->path);
    g_assert_cmpint(g_stat(fixture->path, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 07777, ==, 0600);
    assert_state(fixture->path, RUN_FILE_HELD, "first\n");

    /* The same process asks a second time: that is somebody else too. */
    g_assert_null(run_file_acquire(fixture->path, "second", &error));
    g_assert_true(error_is(error, ERROR_BUSY));
    g_assert_nonnull(strstr(error->message, fixture->path));
    assert_state(fixture->path, RUN_FILE_HELD, "first\n");
    run_file_release(run);
    assert_state(fixture->path, RUN_FILE_MISSING, NULL);
    run_file_release(NULL);

    /* Given up, the file stays with what it said, and is free. */
    run = run_file_acquire(fixture->path, "left", &error);
    run_file_abandon(run);
    assert_state(fixture->path, RUN_FILE_DEAD, "left");
}

static void test_dead(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(RunFile) run = NULL;
    g_autofree char *large = g_strnfill(10000, 'x');
    g_autofree char *start = g_strndup(large, 4096);

    g_assert_true(file_replace(fixture->path, large, strlen(large), 0600, &error));
    assert_state(fixture->path, RUN_FILE_DEAD, start);
    run = run_file_acquire(fixture->path, "new", &error);
    g_assert_no_error(error);
    assert_state(fixture->path, RUN_FILE_HELD, "new");
}

/* Removed by hand and made by another one: the first holder must not remove what is the other's. */
static void test_replaced(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    RunFile *first = run_file_acquire(fixture->path, "first", &error);
    RunFile *second;

    g_assert_cmpint(g_unlink(fixture->path), ==, 0);
    second = run_file_acquire(fixture->path, "second", &error);
    g_assert_no_error(error);
    run_file_release(first);
    assert_state(fixture->path, RUN_FILE_HELD, "second");
    run_file_release(second);
}

static void test_errors(Fixture *fixture, gconstpointer data)
{
    g_autofree char *nowhere = g_build_filename(fixture->directory, "no", "job.run", NULL);
    g_autoptr(GError) error = NULL;
    RunFileState state = RUN_FILE_HELD;

    g_assert_null(run_file_acquire(nowhere, "x", &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
    g_clear_error(&error);
    g_assert_cmpint(symlink("/etc/passwd", fixture->path), ==, 0);
    g_assert_null(run_file_acquire(fixture->path, "x", &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_false(run_file_inspect(fixture->path, &state, NULL, &error));
    g_assert_nonnull(error);
}

/* A holder that is killed leaves its file, and the file says so. */
static void test_killed(Fixture *fixture, gconstpointer data)
{
    int ready[2];
    char byte;
    pid_t child;

    g_assert_cmpint(pipe(ready), ==, 0);
    child = fork();
    if (child == 0) {
        RunFile *run = run_file_acquire(fixture->path, "child", NULL);

        if (run == NULL || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    assert_state(fixture->path, RUN_FILE_HELD, "child");
    kill(child, SIGKILL);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    assert_state(fixture->path, RUN_FILE_DEAD, "child");
    close(ready[0]);
    close(ready[1]);
}

static gint holders;

static gpointer compete(gpointer data)
{
    const char *path = data;
    guint got = 0;

    for (guint i = 0; i < 500; i++) {
        RunFile *run = run_file_acquire(path, "x", NULL);

        if (run == NULL)
            continue;
        g_assert_cmpint(g_atomic_int_add(&holders, 1), ==, 0);
        got++;
        g_atomic_int_add(&holders, -1);
        run_file_release(run);
    }
    return GUINT_TO_POINTER(got);
}

/* Never two holders, whatever the moment between open, lock and remove. */
static void test_race(Fixture *fixture, gconstpointer data)
{
    GThread *threads[4];
    guint got = 0;

    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("compete", compete, fixture->path);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        got += GPOINTER_TO_UINT(g_thread_join(threads[i]));
    g_assert_cmpuint(got, >, 0);
    assert_state(fixture->path, RUN_FILE_MISSING, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add("/base/lock/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("life", test_life);
    ADD("dead", test_dead);
    ADD("replaced", test_replaced);
    ADD("errors", test_errors);
    ADD("killed", test_killed);
    ADD("race", test_race);
#undef ADD
    return g_test_run();
}
