/* SPDX-License-Identifier: Apache-2.0
 *
 * Child programs: their data, their end, their words, and what they inherit.
 */
#include "base/process.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const ProcessFlags both = PROCESS_STDIN_PIPE | PROCESS_STDOUT_PIPE;

/* Runs a shell script. */
static Process *start(const char *script, ProcessFlags flags)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const ProcessSpec spec = {.argv = argv, .flags = flags, .keep_fd = -1};
    g_autoptr(GError) error = NULL;
    Process *process = process_start(&spec, &error);

    g_assert_no_error(error);
    return process;
}

static char *run(const char *script)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const ProcessSpec spec = {.argv = argv, .keep_fd = -1};
    g_autoptr(GError) error = NULL;
    char *output = NULL;
    gsize length = 0;

    g_assert_true(process_run(&spec, 100000, &output, &length, NULL, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(output), ==, length);
    return output;
}

static gpointer write_all(gpointer data)
{
    g_autofree char *bytes = g_malloc(1 << 20);
    g_autoptr(GError) error = NULL;

    memset(bytes, 'x', 1 << 20);
    for (guint i = 0; i < 8; i++)
        g_assert_true(process_write(data, bytes, 1 << 20, NULL, &error));
    process_close_stdin(data);
    return NULL;
}

/* Eight times what a pipe holds, there and back. (Reading and writing at once is for this test
 * only: the two sides do not touch each other's descriptor.) */
static void test_data(void)
{
    g_autoptr(Process) process = start("cat", both);
    GThread *thread = g_thread_new("write", write_all, process);
    g_autofree char *bytes = g_malloc(1 << 20);
    g_autoptr(GError) error = NULL;
    gsize length = 0, total = 0;

    do {
        g_assert_true(process_read(process, bytes, 1 << 20, &length, NULL, &error));
        total += length;
    } while (length > 0);
    g_thread_join(thread);
    g_assert_cmpuint(total, ==, 8 << 20);
    g_assert_true(process_wait(process, NULL, &error));
    g_assert_true(process_wait(process, NULL, &error));
    g_assert_no_error(error);
}

static void test_run(void)
{
    g_autofree char *output = run("printf 'a b'; cat; test ! -t 1");
    g_autofree char *nothing = run("true");
    const char *const argv[] = {"sh", "-c", "printf 12345", NULL};
    const ProcessSpec spec = {.argv = argv, .keep_fd = -1};
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_assert_cmpstr(output, ==, "a b");
    g_assert_cmpstr(nothing, ==, "");
    g_assert_true(process_run(&spec, 5, &text, NULL, NULL, &error));
    g_clear_pointer(&text, g_free);
    g_assert_false(process_run(&spec, 4, &text, NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_LIMIT));
    g_assert_null(text);
    g_clear_error(&error);
    g_assert_true(process_run(&spec, 0, NULL, NULL, NULL, &error));
    g_assert_no_error(error);
}

static void test_missing(void)
{
    const char *const argv[] = {"holdfast-no-such-program", NULL};
    const ProcessSpec spec = {.argv = argv, .flags = both, .keep_fd = -1};
    g_autoptr(GError) error = NULL;

    g_assert_null(process_start(&spec, &error));
    g_assert_true(error_is(error, ERROR_CLIENT_VERSION));
    g_assert_nonnull(strstr(error->message, argv[0]));
}

static void test_failure(void)
{
    g_autoptr(Process) process = start("echo one >&2; echo 'two \xff' >&2; exit 3", 0);
    g_autoptr(GError) error = NULL;
    g_autofree char *words = NULL;

    g_assert_false(process_wait(process, NULL, &error));
    g_assert_true(error_is(error, ERROR_SUBPROCESS));
    g_assert_cmpstr(error->message, ==, "sh failed with exit status 3: one; two \xef\xbf\xbd");
    words = process_stderr(process);
    g_assert_cmpstr(words, ==, "one\ntwo \xef\xbf\xbd\n");
}

static void test_signal(void)
{
    g_autoptr(Process) process = start("kill -SEGV $$", 0);
    g_autoptr(GError) error = NULL;

    g_assert_false(process_wait(process, NULL, &error));
    g_assert_cmpstr(error->message, ==, "sh was killed by SIGSEGV");
}

/* A megabyte of complaints: no deadlock, and the last ones are kept. */
static void test_talkative(void)
{
    g_autoptr(Process) process =
        start("i=0; while [ $i -lt 20000 ]; do echo \"complaint number $i, and some more words\"; "
              "i=$((i+1)); done >&2; exit 1",
              PROCESS_STDOUT_PIPE);
    g_autoptr(GError) error = NULL;
    g_autofree char *words = NULL;

    g_assert_false(process_wait(process, NULL, &error));
    words = process_stderr(process);
    g_assert_cmpuint(strlen(words), <=, 16384);
    g_assert_cmpuint(strlen(words), >, 16384 - 100);
    g_assert_true(g_str_has_prefix(words, "complaint number "));
    g_assert_true(g_str_has_suffix(words, " 19999, and some more words\n"));
    g_assert_nonnull(strstr(error->message, "number 19999"));
    g_assert_null(strstr(error->message, "number 19991"));
}

/* Output that nobody reads does not keep the child from its end. */
static void test_unread(void)
{
    g_autoptr(Process) process = start("head -c 3000000 /dev/zero", PROCESS_STDOUT_PIPE);
    g_autoptr(GError) error = NULL;

    g_assert_true(process_wait(process, NULL, &error));
    g_assert_no_error(error);
}

static void test_closed_input(void)
{
    g_autoptr(Process) process = start("exec <&-; echo 'no more' >&2; exit 4", both);
    g_autofree char *bytes = g_malloc0(4 << 20);
    g_autoptr(GError) error = NULL;

    g_assert_false(process_write(process, bytes, 4 << 20, NULL, &error));
    g_assert_true(error_is(error, ERROR_SUBPROCESS));
    g_clear_error(&error);
    g_assert_false(process_wait(process, NULL, &error));
    g_assert_cmpstr(error->message, ==, "sh failed with exit status 4: no more");
}

static gpointer cancel_soon(gpointer data)
{
    g_usleep(30000);
    g_cancellable_cancel(data);
    return NULL;
}

/* A cancel interrupts reading, writing and waiting, and the child is gone soon after. */
static void test_cancel(void)
{
    g_autofree char *bytes = g_malloc0(4 << 20);

    for (guint way = 0; way < 3; way++) {
        g_autoptr(Process) process = start("exec sleep 100", both);
        g_autoptr(GCancellable) cancellable = g_cancellable_new();
        GThread *thread = g_thread_new("cancel", cancel_soon, cancellable);
        g_autoptr(GError) error = NULL;
        gint64 began = time_monotonic();
        gsize length = 0;

        if (way == 0)
            g_assert_false(process_read(process, bytes, 100, &length, cancellable, &error));
        else if (way == 1)
            g_assert_false(process_write(process, bytes, 4 << 20, cancellable, &error));
        else
            g_assert_false(process_wait(process, cancellable, &error));
        g_assert_true(error_is(error, ERROR_CANCELLED));
        g_thread_join(thread);
        g_clear_pointer(&process, process_free);
        g_assert_cmpint(time_monotonic() - began, <, 4 * TIME_SECOND);
    }
}

static void test_kill(void)
{
    g_autoptr(Process) process = start("trap '' TERM; exec sleep 100", 0);
    g_autoptr(GError) error = NULL;

    process_kill(process);
    g_assert_false(process_wait(process, NULL, &error));
    g_assert_cmpstr(error->message, ==, "sh was killed by SIGKILL");
    process_kill(process);
}

/* A server that the child started holds the pipes on: the child's end is the end, and its words are
 * there. */
static void test_grandchild(void)
{
    g_autoptr(Process) process = start("sleep 30 & echo $! >&2; exit 1", PROCESS_STDOUT_PIPE);
    g_autoptr(GError) error = NULL;
    g_autofree char *words = NULL;
    gint64 began = time_monotonic();
    gint64 pid;

    g_assert_false(process_wait(process, NULL, &error));
    g_assert_cmpint(time_monotonic() - began, <, 10 * TIME_SECOND);
    words = process_stderr(process);
    pid = g_ascii_strtoll(words, NULL, 10);
    g_assert_cmpint(pid, >, 1);
    kill((pid_t)pid, SIGKILL);
}

static void test_environment(void)
{
    const char *const argv[] = {"sh", "-c", "printf '%s %s' \"$HF_SET\" \"${HF_UNSET-gone}\"",
                                NULL};
    const char *const environment[] = {"HF_SET=a=b", "HF_UNSET", NULL};
    const ProcessSpec spec = {.argv = argv, .environment = environment, .keep_fd = -1};
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;

    g_assert_cmpstr(g_getenv("HF_UNSET"), ==, "here");
    g_assert_true(process_run(&spec, 100, &output, NULL, NULL, &error));
    g_assert_cmpstr(output, ==, "a=b gone");
    g_assert_null(g_getenv("HF_SET"));
}

/* Only standard input, output and error, and the one that is to be kept. */
static void test_descriptors(void)
{
    FILE_AUTO_FD leaky = open("/dev/null", O_RDONLY);
    FILE_AUTO_FD secret = -1;
    g_autofree char *script = NULL;
    g_autofree char *output = NULL;
    g_autofree char *none = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(file_open_unnamed(g_get_tmp_dir(), &secret, &error));
    g_assert_true(file_write_all(secret, "hunter2", 7, "secret", &error));
    script = g_strdup_printf("cat /proc/self/fd/%d", secret);
    {
        const char *const argv[] = {"sh", "-c", script, NULL};
        const ProcessSpec spec = {.argv = argv, .keep_fd = secret};

        g_assert_true(process_run(&spec, 100, &output, NULL, NULL, &error));
    }
    g_assert_cmpstr(output, ==, "hunter2");
    g_assert_cmpint(fcntl(secret, F_GETFD) & FD_CLOEXEC, !=, 0);

    g_clear_pointer(&script, g_free);
    script = g_strdup_printf("test -e /proc/self/fd/%d -o -e /proc/self/fd/%d || printf none",
                             secret, leaky);
    none = run(script);
    g_assert_cmpstr(none, ==, "none");
}

/* We ignore SIGPIPE and may block signals; a child must not. (32 and 33 are the C library's own.)
 */
static void test_signals(void)
{
    g_autofree char *ignored = NULL;
    g_autofree char *blocked = NULL;
    g_autoptr(Process) process = NULL;
    g_autoptr(GError) error = NULL;
    sigset_t block, before;

    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &block, &before);
    blocked = run("sed -n 's/^SigBlk:[[:space:]]*//p' /proc/self/status");
    ignored = run("sed -n 's/^SigIgn:[[:space:]]*//p' /proc/self/status");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    g_assert_cmpstr(blocked, ==, "0000000000000000\n");
    g_assert_cmpuint(strlen(ignored), ==, 17);
    g_assert_cmphex(g_ascii_strtoull(ignored, NULL, 16) & 0x7fffffff, ==, 0);

    process = start("kill -PIPE $$", 0);
    g_assert_false(process_wait(process, NULL, &error));
    g_assert_cmpstr(error->message, ==, "sh was killed by SIGPIPE");
}

/* A test stands beside no `holdfast`: it is called by its own path. */
static void test_own_command(void)
{
    g_autofree char *command = process_own_command();

    g_assert_true(g_path_is_absolute(command));
    g_assert_true(g_str_has_suffix(command, "base-test-process"));
}

int main(int argc, char **argv)
{
    /* Before there are threads. */
    g_setenv("HF_UNSET", "here", TRUE);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/process/data", test_data);
    g_test_add_func("/base/process/run", test_run);
    g_test_add_func("/base/process/missing", test_missing);
    g_test_add_func("/base/process/failure", test_failure);
    g_test_add_func("/base/process/signal", test_signal);
    g_test_add_func("/base/process/talkative", test_talkative);
    g_test_add_func("/base/process/unread", test_unread);
    g_test_add_func("/base/process/closed-input", test_closed_input);
    g_test_add_func("/base/process/cancel", test_cancel);
    g_test_add_func("/base/process/kill", test_kill);
    g_test_add_func("/base/process/grandchild", test_grandchild);
    g_test_add_func("/base/process/environment", test_environment);
    g_test_add_func("/base/process/descriptors", test_descriptors);
    g_test_add_func("/base/process/signals", test_signals);
    g_test_add_func("/base/process/own-command", test_own_command);
    return g_test_run();
}
