/* SPDX-License-Identifier: Apache-2.0
 *
 * Child programs with pipes: pg_dump, pg_restore, psql. Arguments are passed as they are, never
 * through a shell. Secrets go through the environment or a pipe, never through arguments. What the
 * child prints on standard error is drained by a thread into a bounded buffer, so that a talkative
 * child never blocks, and its last lines become part of the error.
 *
 * Threads: one Process may be used by one thread at a time, except that one may write while another
 * reads, and for process_kill().
 */
#ifndef HOLDFAST_BASE_PROCESS_H
#define HOLDFAST_BASE_PROCESS_H

#include <gio/gio.h>

typedef struct Process Process;

typedef enum {
    PROCESS_STDIN_PIPE = 1 << 0,  /* else /dev/null */
    PROCESS_STDOUT_PIPE = 1 << 1, /* else /dev/null */
} ProcessFlags;

typedef struct {
    const char *const *argv; /* NULL-terminated; argv[0] is looked up on the PATH */
    const char *const
        *environment; /* "NAME=value" to set, "NAME" to unset; NULL-terminated or NULL */
    ProcessFlags flags;
    int keep_fd; /* one descriptor of ours (above 2) that the child keeps, under the same number, for
                    /proc/self/fd paths; -1: none */
} ProcessSpec;

/* Starts the child. A program that is not there is ERROR_CLIENT_VERSION. From the first call on
 * this process ignores SIGPIPE; children get the usual signals. */
Process *process_start(const ProcessSpec *spec, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends the child if it still runs (SIGTERM, after 5 s SIGKILL), reaps it, closes the pipes. NULL is
 * fine. */
void process_free(Process *process);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Process, process_free)

/* Reads what is there from the child's standard output, at least one byte unless it is at its end
 * (*ret_length 0). */
gboolean process_read(Process *process, void *buffer, gsize size, gsize *ret_length,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes all bytes to the child's standard input. When the child has closed it, the result is FALSE
 * with ERROR_SUBPROCESS: call process_wait(), whose error tells the child's own reason. */
gboolean process_write(Process *process, const void *bytes, gsize length, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes our end of the child's standard input, so that it sees the end. */
void process_close_stdin(Process *process);

/* Waits for the end. Exit status 0 is success; anything else is ERROR_SUBPROCESS with the program's
 * name, its status or signal, and its last lines of standard error. A cancel kills the child first
 * (SIGTERM, after 5 s SIGKILL). Standard input is closed; output that was not read is thrown away.
 * Grandchildren that hold the pipes are not waited for. */
gboolean process_wait(Process *process, GCancellable *cancellable,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The last lines that the child printed on standard error (at most 16 KiB), valid UTF-8. After
 * process_wait() all of them. Free with g_free(). */
char *process_stderr(Process *process);

/* The exit status of a child that process_wait() has seen the end of; -1 where it was killed. */
int process_exit_status(const Process *process);

/* SIGKILL, at once. process_wait() tells of it. */
void process_kill(Process *process);

/* Runs a child to its end and hands back its standard output (at most `limit` bytes, more is
 * ERROR_LIMIT). The bytes are followed by a NUL. ret_output may be NULL: the output goes to
 * /dev/null. The flags of the spec do not count; standard input is /dev/null. */
gboolean process_run(const ProcessSpec *spec, gsize limit, char **ret_output, gsize *ret_length,
                     GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The path by which another program, a server, is to call us: that of the small executable `holdfast`
 * beside this program or where it is installed with it, else of this program itself. NULL where that
 * is not known. Free with g_free(). */
char *process_own_command(void);

#endif
