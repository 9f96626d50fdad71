/* SPDX-License-Identifier: Apache-2.0
 *
 * Child programs through posix_spawn(3), which does not copy the page tables of a large parent, and
 * a pidfd(2), which can be polled beside the pipes and a cancellable and which never means another
 * process. GSubprocess has neither.
 */
#include "base/process.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIPE_SIZE    (1 << 20)
#define STDERR_LIMIT ((gsize)16 << 10)
/* Of the child's words this much goes into an error: lines, and characters of each. */
#define ERROR_LINES       8
#define ERROR_LINE_LENGTH 400
/* How long a child has between SIGTERM and SIGKILL. */
#define GRACE (5 * TIME_SECOND)

struct Process {
    char *name; /* of the program, for errors */
    pid_t pid;
    int pidfd;
    int stdin_fd;  /* -1: none, or closed */
    int stdout_fd; /* -1: none, or at its end while waiting */
    gboolean reaped;
    siginfo_t ending; /* when reaped */

    /* The thread that drains standard error. */
    GThread *drain; /* NULL when it has been joined */
    int stderr_fd;
    int drain_stop; /* eventfd: the child has ended, take what is there and end */
    GMutex mutex;   /* for what follows */
    GString *stderr_text;
    gboolean stderr_cut; /* its beginning was dropped */
};

/* ---- pipes ---- */

/* The four ends of ours and the child's; -1 where there is none. */
typedef struct {
    int stdin_child, stdin_ours;
    int stdout_child, stdout_ours;
    int stderr_child, stderr_ours;
} Pipes;

static void pipes_clear(Pipes *pipes)
{
    file_close_fd(&pipes->stdin_child);
    file_close_fd(&pipes->stdin_ours);
    file_close_fd(&pipes->stdout_child);
    file_close_fd(&pipes->stdout_ours);
    file_close_fd(&pipes->stderr_child);
    file_close_fd(&pipes->stderr_ours);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pipes, pipes_clear)

/* Our end does not block, so that poll() can wait for a cancel too; the child's end is as every
 * program expects it. */
static gboolean make_pipe(int *ret_read, int *ret_write, gboolean we_read, GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        error_set_errno(error, errno, "cannot make a pipe");
        return FALSE;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    if (fcntl(we_read ? fds[0] : fds[1], F_SETFL, O_NONBLOCK) != 0) {
        error_set_errno(error, errno, "cannot set up a pipe");
        return FALSE;
    }
    return TRUE;
}

/* A data pipe is made large: fewer switches between the two processes. The kernel may refuse; then
 * it stays small. */
static void enlarge(int fd)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
}

static gboolean make_pipes(ProcessFlags flags, Pipes *pipes, GError **error)
{
    if ((flags & PROCESS_STDIN_PIPE) != 0 &&
        !make_pipe(&pipes->stdin_child, &pipes->stdin_ours, FALSE, error))
        return FALSE;
    if ((flags & PROCESS_STDOUT_PIPE) != 0 &&
        !make_pipe(&pipes->stdout_ours, &pipes->stdout_child, TRUE, error))
        return FALSE;
    enlarge(pipes->stdin_ours);
    enlarge(pipes->stdout_ours);
    return make_pipe(&pipes->stderr_ours, &pipes->stderr_child, TRUE, error);
}

/* ---- standard error ---- */

static void keep_stderr(Process *process, const char *bytes, gsize length)
{
    gsize excess;

    g_mutex_lock(&process->mutex);
    g_string_append_len(process->stderr_text, bytes, (gssize)length);
    /* Cut seldom: moving the text at every piece would cost more than the memory. */
    if (process->stderr_text->len > 2 * STDERR_LIMIT) {
        excess = process->stderr_text->len - STDERR_LIMIT;
        g_string_erase(process->stderr_text, 0, (gssize)excess);
        process->stderr_cut = TRUE;
    }
    g_mutex_unlock(&process->mutex);
}

/* Reads to the end, or until it is told that the child has ended and nothing more is there: a
 * grandchild (a server that was started) may hold the pipe open for ever. */
static gpointer drain_stderr(gpointer data)
{
    Process *process = data;
    struct pollfd fds[] = {{process->stderr_fd, POLLIN, 0}, {process->drain_stop, POLLIN, 0}};
    char bytes[4096];

    for (;;) {
        gboolean ended = fds[1].revents != 0;
        ssize_t got = read(process->stderr_fd, bytes, sizeof bytes);

        if (got > 0)
            keep_stderr(process, bytes, (gsize)got);
        else if (got == 0 || (errno != EAGAIN && errno != EINTR) || (errno == EAGAIN && ended))
            return NULL;
        else if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
            return NULL;
    }
}

static void finish_drain(Process *process)
{
    if (process->drain == NULL)
        return;
    (void)eventfd_write(process->drain_stop, 1);
    g_thread_join(g_steal_pointer(&process->drain));
}

char *process_stderr(Process *process)
{
    const char *from;
    const char *line;
    char *text;

    g_mutex_lock(&process->mutex);
    from = process->stderr_text->str;
    if (process->stderr_text->len > STDERR_LIMIT)
        from += process->stderr_text->len - STDERR_LIMIT;
    /* Half a line, or half a character, says nothing. */
    if (process->stderr_cut || from != process->stderr_text->str) {
        line = strchr(from, '\n');
        if (line != NULL)
            from = line + 1;
    }
    text = g_utf8_make_valid(from, -1);
    g_mutex_unlock(&process->mutex);
    return text;
}

/* The last lines on one line, for an error; NULL when the child said nothing. */
static char *last_words(Process *process)
{
    g_autofree char *text = process_stderr(process);
    g_auto(GStrv) lines = NULL;
    guint count;

    lines = g_strsplit(g_strstrip(text), "\n", -1);
    count = g_strv_length(lines);
    if (count == 0 || text[0] == '\0')
        return NULL;
    for (guint i = 0; i < count; i++) {
        g_strstrip(lines[i]);
        if (g_utf8_strlen(lines[i], -1) > ERROR_LINE_LENGTH)
            *g_utf8_offset_to_pointer(lines[i], ERROR_LINE_LENGTH) = '\0';
    }
    return g_strjoinv("; ", lines + (count > ERROR_LINES ? count - ERROR_LINES : 0));
}

/* ---- start ---- */

static char **make_environment(const char *const *changes)
{
    char **environment = g_get_environ();

    for (; changes != NULL && *changes != NULL; changes++) {
        const char *equals = strchr(*changes, '=');
        g_autofree char *name = NULL;

        if (equals == NULL) {
            environment = g_environ_unsetenv(environment, *changes);
            continue;
        }
        name = g_strndup(*changes, (gsize)(equals - *changes));
        environment = g_environ_setenv(environment, name, equals + 1, TRUE);
    }
    return environment;
}

/* What the child does with its descriptors between fork and exec. The calls fail only without
 * memory. */
static void plan_descriptors(posix_spawn_file_actions_t *actions, const Pipes *pipes, int keep_fd)
{
    if (pipes->stdin_child >= 0)
        posix_spawn_file_actions_adddup2(actions, pipes->stdin_child, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (pipes->stdout_child >= 0)
        posix_spawn_file_actions_adddup2(actions, pipes->stdout_child, STDOUT_FILENO);
    else
        posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(actions, pipes->stderr_child, STDERR_FILENO);
    /* Onto its own number: that only takes close-on-exec away. All others of ours close on exec,
     * those below keep_fd by their flag alone. */
    if (keep_fd >= 0)
        posix_spawn_file_actions_adddup2(actions, keep_fd, keep_fd);
    posix_spawn_file_actions_addclosefrom_np(actions, MAX(keep_fd, STDERR_FILENO) + 1);
}

/* Signals as every program expects them: we ignore SIGPIPE, and a service blocks some. */
static void plan_signals(posix_spawnattr_t *attributes)
{
    static const int to_default[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
    sigset_t defaults, blocked;

    sigemptyset(&blocked);
    sigemptyset(&defaults);
    for (guint i = 0; i < G_N_ELEMENTS(to_default); i++)
        sigaddset(&defaults, to_default[i]);
    posix_spawnattr_setsigmask(attributes, &blocked);
    posix_spawnattr_setsigdefault(attributes, &defaults);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
}

static gboolean spawn(const ProcessSpec *spec, const Pipes *pipes, pid_t *ret_pid, GError **error)
{
    g_autofree char *program = g_find_program_in_path(spec->argv[0]);
    g_auto(GStrv) environment = make_environment(spec->environment);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int result = ENOENT;

    if (program != NULL) {
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        plan_descriptors(&actions, pipes, spec->keep_fd);
        plan_signals(&attributes);
        result = posix_spawn(ret_pid, program, &actions, &attributes, (char *const *)spec->argv,
                             environment);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
    }
    if (result == 0)
        return TRUE;
    if (result == ENOENT) {
        error_set(error, ERROR_CLIENT_VERSION, "the program %s is not there", spec->argv[0]);
        error_add_hint(error, "install it, or add its directory to PATH");
    } else {
        error_set_errno(error, result, "cannot start %s", spec->argv[0]);
    }
    return FALSE;
}

/* A child that goes away while we write to it must be an error of that write, not our end. */
static void ignore_sigpipe(void)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        signal(SIGPIPE, SIG_IGN);
        g_once_init_leave(&done, 1);
    }
}

Process *process_start(const ProcessSpec *spec, GError **error)
{
    g_auto(Pipes) pipes = {-1, -1, -1, -1, -1, -1};
    FILE_AUTO_FD drain_stop = -1;
    g_autoptr(Process) process = NULL;
    pid_t pid = 0;

    g_return_val_if_fail(spec->keep_fd == -1 || spec->keep_fd > STDERR_FILENO, NULL);
    ignore_sigpipe();
    drain_stop = eventfd(0, EFD_CLOEXEC);
    if (drain_stop < 0) {
        error_set_errno(error, errno, "cannot start %s", spec->argv[0]);
        return NULL;
    }
    if (!make_pipes(spec->flags, &pipes, error) || !spawn(spec, &pipes, &pid, error))
        return NULL;

    process = g_new0(Process, 1);
    process->name = g_path_get_basename(spec->argv[0]);
    process->pid = pid;
    process->pidfd = pidfd_open(pid, 0);
    process->stdin_fd = g_steal_fd(&pipes.stdin_ours);
    process->stdout_fd = g_steal_fd(&pipes.stdout_ours);
    process->stderr_fd = g_steal_fd(&pipes.stderr_ours);
    process->drain_stop = g_steal_fd(&drain_stop);
    process->stderr_text = g_string_new(NULL);
    g_mutex_init(&process->mutex);
    if (process->pidfd < 0) {
        error_set_errno(error, errno, "cannot watch %s", spec->argv[0]);
        return NULL;
    }
    process->drain = g_thread_new("stderr", drain_stderr, process);
    return g_steal_pointer(&process);
}

/* ---- waiting ---- */

typedef enum { WAKE_READY, WAKE_CANCELLED, WAKE_TIMEOUT } Wake;

/* Waits until one of the descriptors is ready (a negative one is not looked at), the caller
 * cancels, or a monotonic time has come (-1: never). */
static Wake wait_for(struct pollfd *first, struct pollfd *second, GCancellable *cancellable,
                     gint64 until)
{
    struct pollfd fds[3] = {*first, *second, {.fd = -1}};
    GPollFD cancel = {.fd = -1};
    gboolean watched = cancellable != NULL && g_cancellable_make_pollfd(cancellable, &cancel);
    Wake wake = WAKE_READY;
    int result;

    fds[2].fd = cancel.fd;
    fds[2].events = POLLIN;
    do {
        gint64 left = until < 0 ? -1 : MAX(until - time_monotonic(), 0);
        int ms = left < 0 ? -1 : (int)MIN(left / 1000 + 1, G_MAXINT);

        result = poll(fds, G_N_ELEMENTS(fds), left == 0 ? 0 : ms);
    } while (result < 0 && errno == EINTR);
    if (watched)
        g_cancellable_release_fd(cancellable);
    first->revents = fds[0].revents;
    second->revents = fds[1].revents;
    if (fds[2].revents != 0)
        wake = WAKE_CANCELLED;
    else if (result == 0)
        wake = WAKE_TIMEOUT;
    return wake;
}

static void set_cancelled(const Process *process, GError **error)
{
    error_set(error, ERROR_CANCELLED, "cancelled while %s was running", process->name);
}

/* Waits until one pipe can be used. */
static gboolean wait_for_pipe(const Process *process, int fd, short events,
                              GCancellable *cancellable, GError **error)
{
    struct pollfd pipe = {fd, events, 0};
    struct pollfd none = {-1, 0, 0};

    if (wait_for(&pipe, &none, cancellable, -1) != WAKE_CANCELLED)
        return TRUE;
    set_cancelled(process, error);
    return FALSE;
}

static void reap(Process *process)
{
    int result;

    do
        result = waitid(P_PIDFD, (id_t)process->pidfd, &process->ending, WEXITED);
    while (result != 0 && errno == EINTR);
    /* Somebody else in this process took the child's status: all that is known is that it ended. */
    if (result != 0)
        memset(&process->ending, 0, sizeof process->ending);
    process->reaped = TRUE;
}

/* Throws away what the caller did not read: a child that blocks on a full pipe would never end. */
static void discard_stdout(Process *process)
{
    char bytes[16384];
    ssize_t got = read(process->stdout_fd, bytes, sizeof bytes);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        file_close_fd(&process->stdout_fd);
}

/* Waits for the child's end and reaps it; FALSE when something else comes first. */
static gboolean wait_for_end(Process *process, GCancellable *cancellable, gint64 until)
{
    while (!process->reaped) {
        struct pollfd end = {process->pidfd, POLLIN, 0};
        struct pollfd output = {process->stdout_fd, POLLIN, 0};

        if (wait_for(&end, &output, cancellable, until) != WAKE_READY)
            return FALSE;
        if (end.revents != 0)
            reap(process);
        else if (output.revents != 0)
            discard_stdout(process);
    }
    return TRUE;
}

/* SIGTERM first: pg_dump and psql then cancel what they run on the server. */
static void stop_child(Process *process)
{
    if (process->reaped)
        return;
    (void)pidfd_send_signal(process->pidfd, SIGTERM, NULL, 0);
    if (wait_for_end(process, NULL, time_monotonic() + GRACE))
        return;
    (void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
    (void)wait_for_end(process, NULL, -1);
}

void process_kill(Process *process)
{
    (void)pidfd_send_signal(process->pidfd, SIGKILL, NULL, 0);
}

void process_free(Process *process)
{
    if (process == NULL)
        return;
    process_close_stdin(process);
    if (process->pidfd >= 0) {
        stop_child(process);
    } else {
        /* It was never watched: process_start() failed. */
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    finish_drain(process);
    file_close_fd(&process->stdout_fd);
    file_close_fd(&process->stderr_fd);
    file_close_fd(&process->drain_stop);
    file_close_fd(&process->pidfd);
    g_string_free(process->stderr_text, TRUE);
    g_mutex_clear(&process->mutex);
    g_free(process->name);
    g_free(process);
}

/* ---- data ---- */

gboolean process_read(Process *process, void *buffer, gsize size, gsize *ret_length,
                      GCancellable *cancellable, GError **error)
{
    g_return_val_if_fail(process->stdout_fd >= 0, FALSE);
    for (;;) {
        ssize_t got;

        if (g_cancellable_is_cancelled(cancellable)) {
            set_cancelled(process, error);
            return FALSE;
        }
        got = read(process->stdout_fd, buffer, size);
        if (got >= 0) {
            *ret_length = (gsize)got;
            return TRUE;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            error_set_errno(error, errno, "cannot read from %s", process->name);
            return FALSE;
        }
        if (!wait_for_pipe(process, process->stdout_fd, POLLIN, cancellable, error))
            return FALSE;
    }
}

gboolean process_write(Process *process, const void *bytes, gsize length, GCancellable *cancellable,
                       GError **error)
{
    const guint8 *at = bytes;

    g_return_val_if_fail(process->stdin_fd >= 0, FALSE);
    while (length > 0) {
        ssize_t written;

        if (g_cancellable_is_cancelled(cancellable)) {
            set_cancelled(process, error);
            return FALSE;
        }
        written = write(process->stdin_fd, at, length);
        if (written > 0) {
            at += written;
            length -= (gsize)written;
        } else if (errno == EAGAIN) {
            if (!wait_for_pipe(process, process->stdin_fd, POLLOUT, cancellable, error))
                return FALSE;
        } else if (errno == EPIPE) {
            error_set(error, ERROR_SUBPROCESS, "%s has closed its input", process->name);
            return FALSE;
        } else if (errno != EINTR) {
            error_set_errno(error, errno, "cannot write to %s", process->name);
            return FALSE;
        }
    }
    return TRUE;
}

void process_close_stdin(Process *process)
{
    file_close_fd(&process->stdin_fd);
}

/* ---- the end ---- */

/* "pg_dump failed with exit status 1: …", "pg_dump was killed by SIGKILL: …" */
static void set_failure(Process *process, GError **error)
{
    g_autofree char *words = last_words(process);
    g_autofree char *how = NULL;
    int status = process->ending.si_status;

    if (process->ending.si_code == 0) {
        how = g_strdup("ended, and its status was lost");
    } else if (process->ending.si_code == CLD_EXITED) {
        how = g_strdup_printf("failed with exit status %d", status);
    } else {
        const char *name = sigabbrev_np(status);

        how = name != NULL ? g_strdup_printf("was killed by SIG%s", name)
                           : g_strdup_printf("was killed by signal %d", status);
    }
    error_set(error, ERROR_SUBPROCESS, "%s %s%s%s", process->name, how, words != NULL ? ": " : "",
              words != NULL ? words : "");
}

int process_exit_status(const Process *process)
{
    return process->ending.si_code == CLD_EXITED ? process->ending.si_status : -1;
}

gboolean process_wait(Process *process, GCancellable *cancellable, GError **error)
{
    process_close_stdin(process);
    if (!wait_for_end(process, cancellable, -1)) {
        stop_child(process);
        finish_drain(process);
        set_cancelled(process, error);
        return FALSE;
    }
    finish_drain(process);
    if (process_exit_status(process) == 0)
        return TRUE;
    set_failure(process, error);
    return FALSE;
}

/* Reads the child's output to its end. */
static gboolean read_output(Process *process, gsize limit, GString *output,
                            GCancellable *cancellable, GError **error)
{
    char bytes[16384];
    gsize length = 0;

    do {
        if (!process_read(process, bytes, sizeof bytes, &length, cancellable, error))
            return FALSE;
        if (length > limit - output->len) {
            error_set(error, ERROR_LIMIT, "%s printed more than %" G_GSIZE_FORMAT " bytes",
                      process->name, limit);
            return FALSE;
        }
        g_string_append_len(output, bytes, (gssize)length);
    } while (length > 0);
    return TRUE;
}

gboolean process_run(const ProcessSpec *spec, gsize limit, char **ret_output, gsize *ret_length,
                     GCancellable *cancellable, GError **error)
{
    ProcessSpec own = *spec;
    g_autoptr(Process) process = NULL;
    g_autoptr(GString) output = g_string_new(NULL);

    own.flags = ret_output != NULL ? PROCESS_STDOUT_PIPE : 0;
    process = process_start(&own, error);
    if (process == NULL)
        return FALSE;
    if (ret_output != NULL && !read_output(process, limit, output, cancellable, error))
        return FALSE;
    if (!process_wait(process, cancellable, error))
        return FALSE;
    if (ret_length != NULL)
        *ret_length = output->len;
    if (ret_output != NULL)
        *ret_output = g_string_free(g_steal_pointer(&output), FALSE);
    return TRUE;
}

/* ---- ourselves ---- */

char *process_own_command(void)
{
    /* A build directory; PREFIX/libexec/holdfast/holdfast-program and PREFIX/bin/holdfast. */
    static const char *const places[] = {"holdfast", "../../bin/holdfast"};
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = self != NULL ? g_path_get_dirname(self) : NULL;

    for (guint i = 0; directory != NULL && i < G_N_ELEMENTS(places); i++) {
        g_autofree char *path = g_canonicalize_filename(places[i], directory);

        if (g_file_test(path, G_FILE_TEST_IS_REGULAR) && access(path, X_OK) == 0)
            return g_steal_pointer(&path);
    }
    return g_steal_pointer(&self);
}
