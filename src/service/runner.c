/* SPDX-License-Identifier: Apache-2.0
 *
 * Running one job. Everything happens in one main loop: the lines of the child, a tick a second, the
 * child's end.
 */
#include "service/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "operation/clear.h"
#include "operation/job.h"
#include "operation/open.h"
#include "service/roots.h"
#include "service/withheld.h"

#define LINE_LIMIT   (64 * 1024)
#define RESULT_LIMIT (256 * 1024)
/* How long an operation has for a clean end after SIGTERM. */
#define END_TICKS 30
/* Ticks that a child's pipes may stay open after its end, held by a grandchild. */
#define PIPE_TICKS 2

typedef struct {
    Repository *repository;
    Catalog *catalog;
    CatalogJob *job;
    RunFile *run;
    char *cancel_file;
    int log;
    GMainLoop *loop;
    GSubprocess *child;
    GString *line, *result; /* of its standard error, its standard output */
    gboolean line_cut, result_cut;
    json_t *progress;
    char *code, *message; /* of its error, or NULL */
    gint64 began;         /* monotonic */
    gboolean cancelled, timed_out, exited;
    guint open_pipes;
    guint ticks_ending; /* since the child was asked to end */
    guint ticks_exited;
} Runner;

static char *job_file(const char *directory, const char *id, const char *suffix)
{
    g_autofree char *name = g_strconcat(id, suffix, NULL);

    return g_build_filename(directory, "jobs", name, NULL);
}

char *runner_run_file(const Config *config, const char *id)
{
    return job_file(config_runtime_directory(config), id, ".run");
}

char *runner_cancel_file(const Config *config, const char *id)
{
    return job_file(config_runtime_directory(config), id, ".cancel");
}

char *runner_log_file(const Config *config, const char *id)
{
    return job_file(config_state_directory(config), id, ".log");
}

static void runner_clear(Runner *runner)
{
    if (runner->line != NULL)
        g_string_free(runner->line, TRUE);
    if (runner->result != NULL)
        g_string_free(runner->result, TRUE);
    g_clear_pointer(&runner->progress, json_decref);
    g_clear_object(&runner->child);
    g_clear_pointer(&runner->loop, g_main_loop_unref);
    file_close_fd(&runner->log);
    run_file_release(runner->run);
    catalog_job_free(runner->job);
    catalog_free(runner->catalog);
    if (runner->repository != NULL)
        repository_unref(runner->repository);
    g_free(runner->cancel_file);
    g_free(runner->code);
    g_free(runner->message);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Runner, runner_clear)

/* --- the log ---------------------------------------------------------------------------------- */

static void write_log(Runner *runner, const char *kind, const char *text)
{
    g_autofree char *when = time_format(time_now() / TIME_SECOND * TIME_SECOND);
    g_autofree char *line = g_strdup_printf("%s %s: %s", when, kind, text);
    g_autofree char *whole = NULL;

    for (char *at = line; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at))
            *at = ' ';
    }
    whole = g_strconcat(line, "\n", NULL);
    /* A full disk is the operation's to report; here there is no better place to tell it. */
    if (!file_write_all(runner->log, whole, strlen(whole), "the job's log", NULL))
        return;
}

/* {"warning": "text", "hint": "…"} and its like. */
static void log_notice(Runner *runner, const char *kind, const char *text, const char *hint)
{
    g_autofree char *whole = hint != NULL ? g_strdup_printf("%s (%s)", text, hint) : g_strdup(text);

    /* What is kept in the clear must not name a table. */
    if (repository_is_encrypted(runner->repository))
        write_log(runner, kind, "(the text is not kept: the repository is encrypted)");
    else
        write_log(runner, kind, whole);
}

/* --- what the child says ---------------------------------------------------------------------- */

static void take_error(Runner *runner, const json_t *body)
{
    const char *text = json_get_string(body, "message", "");

    g_free(runner->code);
    g_free(runner->message);
    runner->code = g_strdup(json_get_string(body, "code", "internal"));
    runner->message = repository_is_encrypted(runner->repository)
                          ? g_strdup_printf("failed: %s", runner->code)
                          : g_strdup(text);
    log_notice(runner, "error", text, json_get_string(body, "hint", NULL));
}

static void take_line(Runner *runner, const char *line)
{
    static const char *const kinds[] = {"warning", "info", "debug"};
    g_autoptr(json_t) json = json_read_object(line, strlen(line), "a line", NULL);
    json_t *body;

    if (json == NULL) {
        g_autofree char *valid = g_utf8_make_valid(line, -1);

        log_notice(runner, "output", valid, NULL);
        return;
    }
    body = json_object_get(json, "progress");
    if (json_is_object(body)) {
        json_decref(runner->progress);
        runner->progress = json_incref(body);
        return;
    }
    body = json_object_get(json, "error");
    if (json_is_object(body)) {
        take_error(runner, body);
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const char *text = json_get_string(json, kinds[i], NULL);

        if (text != NULL)
            log_notice(runner, kinds[i], text, json_get_string(json, "hint", NULL));
    }
}

static void take_bytes(Runner *runner, const char *bytes, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        if (bytes[i] != '\n') {
            if (runner->line->len < LINE_LIMIT)
                g_string_append_c(runner->line, bytes[i]);
            else
                runner->line_cut = TRUE;
            continue;
        }
        if (runner->line->len > 0 && !runner->line_cut)
            take_line(runner, runner->line->str);
        g_string_truncate(runner->line, 0);
        runner->line_cut = FALSE;
    }
}

/* Reads what is there; *ret_open is FALSE at the end. */
static gssize read_some(int fd, char *buffer, gsize size)
{
    gssize got;

    do {
        got = read(fd, buffer, size);
    } while (got < 0 && errno == EINTR);
    return got;
}

static void end_if_done(Runner *runner)
{
    if (runner->exited && (runner->open_pipes == 0 || runner->ticks_exited >= PIPE_TICKS))
        g_main_loop_quit(runner->loop);
}

static gboolean on_messages(int fd, GIOCondition condition, gpointer data)
{
    Runner *runner = data;
    char buffer[8192];
    gssize got = read_some(fd, buffer, sizeof(buffer));

    if (got > 0) {
        take_bytes(runner, buffer, (gsize)got);
        return G_SOURCE_CONTINUE;
    }
    runner->open_pipes--;
    end_if_done(runner);
    return G_SOURCE_REMOVE;
}

static gboolean on_result(int fd, GIOCondition condition, gpointer data)
{
    Runner *runner = data;
    char buffer[8192];
    gssize got = read_some(fd, buffer, sizeof(buffer));

    if (got > 0) {
        if (runner->result->len + (gsize)got <= RESULT_LIMIT)
            g_string_append_len(runner->result, buffer, got);
        else
            runner->result_cut = TRUE;
        return G_SOURCE_CONTINUE;
    }
    runner->open_pipes--;
    end_if_done(runner);
    return G_SOURCE_REMOVE;
}

static void on_child_exit(GObject *object, GAsyncResult *result, gpointer data)
{
    Runner *runner = data;

    runner->exited = g_subprocess_wait_finish(G_SUBPROCESS(object), result, NULL);
    end_if_done(runner);
}

/* --- heartbeat, cancel, time limit ------------------------------------------------------------ */

static void beat(Runner *runner)
{
    g_autofree char *now = time_format(time_now());
    g_autoptr(json_t) json =
        json_pack("{s:s, s:i, s:s, s:O?}", "job", runner->job->id, "attempt",
                  (int)runner->job->attempt, "heartbeat", now, "progress", runner->progress);
    g_autofree char *text = json_write(json, FALSE);
    g_autoptr(GError) problem = NULL;

    if (!run_file_update(runner->run, text, &problem))
        write_log(runner, "warning", problem->message);
}

static void end_child(Runner *runner)
{
    if (runner->ticks_ending == 0)
        g_subprocess_send_signal(runner->child, SIGTERM);
    else if (runner->ticks_ending == END_TICKS)
        g_subprocess_force_exit(runner->child);
    runner->ticks_ending++;
}

static gboolean on_tick(gpointer data)
{
    Runner *runner = data;
    gint64 limit = runner->job->time_limit;

    beat(runner);
    if (runner->exited) {
        runner->ticks_exited++;
        end_if_done(runner);
        return G_SOURCE_CONTINUE;
    }
    if (!runner->cancelled && g_file_test(runner->cancel_file, G_FILE_TEST_EXISTS)) {
        write_log(runner, "info", "it is to be cancelled");
        runner->cancelled = TRUE;
    }
    if (!runner->timed_out && limit > 0 && time_monotonic() - runner->began > limit) {
        write_log(runner, "error", "the time limit is reached");
        runner->timed_out = TRUE;
    }
    if (runner->cancelled || runner->timed_out)
        end_child(runner);
    return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gpointer data)
{
    Runner *runner = data;

    if (!runner->cancelled && !runner->exited) {
        runner->cancelled = TRUE;
        end_child(runner);
    }
    return G_SOURCE_CONTINUE;
}

/* --- starting --------------------------------------------------------------------------------- */

/* In the child, before exec: it must not outlive us unseen. */
static void follow_parent(gpointer data)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != (pid_t)GPOINTER_TO_INT(data))
        _exit(1);
}

/* The operation's argv: our own program, the job's words, and what every job gets. */
static char **make_argv(const Runner *runner, const Config *config, GError **error)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(json_t) words = json_loads(runner->job->command, 0, NULL);
    char *program;
    size_t index;
    json_t *word;

    if (withheld_is(words)) {
        json_decref(words);
        words = withheld_read(config, runner->job->id, error);
        if (words == NULL)
            return NULL;
    }
    program = process_own_command();
    if (program == NULL || !json_is_array(words)) {
        g_free(program);
        error_set(error, ERROR_INTERNAL, "job %s has no command that can be run", runner->job->id);
        return NULL;
    }
    g_ptr_array_add(argv, program);
    if (g_str_has_prefix(runner->job->operation, "restore ") &&
        !roots_check_words(config, words, error))
        return NULL;
    json_array_foreach(words, index, word) g_ptr_array_add(argv, g_strdup(json_string_value(word)));
    g_ptr_array_add(argv, g_strdup("--json"));
    g_ptr_array_add(argv, g_strdup("--config"));
    g_ptr_array_add(argv, g_strdup(config_path(config)));
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

static void watch_pipe(Runner *runner, GInputStream *pipe, GUnixFDSourceFunc func)
{
    g_unix_fd_add(g_unix_input_stream_get_fd(G_UNIX_INPUT_STREAM(pipe)),
                  G_IO_IN | G_IO_HUP | G_IO_ERR, func, runner);
    runner->open_pipes++;
}

static gboolean start_child(Runner *runner, const Config *config, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
    g_auto(GStrv) argv = make_argv(runner, config, error);
    GError *problem = NULL;

    if (argv == NULL)
        return FALSE;
    g_subprocess_launcher_setenv(launcher, JOB_ENVIRONMENT, runner->job->id, TRUE);
    g_subprocess_launcher_unsetenv(launcher, "NOTIFY_SOCKET");
    g_subprocess_launcher_set_child_setup(launcher, follow_parent, GINT_TO_POINTER((int)getpid()),
                                          NULL);
    runner->child = g_subprocess_launcher_spawnv(launcher, (const char *const *)argv, &problem);
    if (runner->child == NULL) {
        error_take(error, ERROR_SUBPROCESS, problem);
        return FALSE;
    }
    runner->began = time_monotonic();
    watch_pipe(runner, g_subprocess_get_stdout_pipe(runner->child), on_result);
    watch_pipe(runner, g_subprocess_get_stderr_pipe(runner->child), on_messages);
    g_subprocess_wait_async(runner->child, NULL, on_child_exit, runner);
    return TRUE;
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Failures that may be gone in a minute. */
static gboolean is_passing(const char *code)
{
    static const char *const codes[] = {"unreachable", "busy", "vanished", "timeout", NULL};

    return code != NULL && g_strv_contains(codes, code);
}

/* The document that the operation printed, where it is one and may be kept in the clear. */
static char *take_result(const Runner *runner)
{
    g_autoptr(json_t) json = NULL;
    g_autoptr(json_t) clear = NULL;

    if (runner->result->len == 0 || runner->result_cut)
        return NULL;
    json = json_loadb(runner->result->str, runner->result->len, 0, NULL);
    if (json == NULL || (!json_is_object(json) && repository_is_encrypted(runner->repository)))
        return NULL;
    clear = json_is_object(json) ? clear_json(runner->repository, json) : json_incref(json);
    return json_write(clear, FALSE);
}

static const char *end_state(Runner *runner)
{
    gboolean exited = g_subprocess_get_if_exited(runner->child);
    int status = exited ? g_subprocess_get_exit_status(runner->child)
                        : g_subprocess_get_term_sig(runner->child);

    if (exited && status == 0)
        return "succeeded";
    if (runner->timed_out) {
        g_free(runner->message);
        runner->message = g_strdup("it took longer than its time limit");
        g_free(runner->code);
        runner->code = g_strdup("timeout");
        return "failed";
    }
    if (runner->cancelled || g_strcmp0(runner->code, "cancelled") == 0)
        return "cancelled";
    if (runner->message == NULL)
        runner->message =
            g_strdup_printf(exited ? "it ended with exit status %d" : "it was killed by signal %d",
                            status);
    return "failed";
}

static gboolean enter_end(Runner *runner, const Config *config, GError **error)
{
    CatalogJob *job = runner->job;
    const char *state = end_state(runner);
    gboolean again = strcmp(state, "failed") == 0 && !runner->timed_out &&
                     job->attempt < job->attempts && is_passing(runner->code);
    g_autofree char *result = take_result(runner);
    g_autofree char *text = NULL;

    if (!catalog_job_note(runner->catalog, job->id, result, runner->message, runner->code, error))
        return FALSE;
    if (!again) {
        withheld_forget(config, job->id);
        write_log(runner, "info", state);
        return catalog_job_end(runner->catalog, job->id, state, NULL, NULL, error);
    }
    text = g_strdup_printf("attempt %u of %u failed, it will be tried again", job->attempt,
                           job->attempts);
    write_log(runner, "warning", text);
    return catalog_job_retry(runner->catalog, job->id,
                             time_now() + (job->retry_after << MIN(job->attempt - 1, 10)), error);
}

/* --- all -------------------------------------------------------------------------------------- */

static gboolean open_log(Runner *runner, const Config *config, const char *id, GError **error)
{
    g_autofree char *path = runner_log_file(config, id);
    g_autofree char *directory = g_path_get_dirname(path);

    if (!directory_make(directory, 0700, error))
        return FALSE;
    runner->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (runner->log < 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return FALSE;
    }
    file_give_at(runner->log, path);
    return TRUE;
}

static gboolean open_rest(Runner *runner, Config *config, const char *id, GError **error)
{
    g_autofree char *run_file = runner_run_file(config, id);
    g_autofree char *directory = g_path_get_dirname(run_file);

    runner->cancel_file = runner_cancel_file(config, id);
    runner->repository = operation_open_repository(config, error);
    if (runner->repository == NULL)
        return FALSE;
    runner->catalog = catalog_open(runner->repository, config_state_directory(config), error);
    if (runner->catalog == NULL || !directory_make(directory, 0700, error))
        return FALSE;
    runner->run = run_file_acquire(run_file, "{}", error);
    return runner->run != NULL;
}

/* What keeps a job from beginning stands in its log: there is nobody else to tell it to. */
static gboolean open_all(Runner *runner, Config *config, const char *id, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;

    if (!open_log(runner, config, id, error))
        return FALSE;
    if (open_rest(runner, config, id, &problem))
        return TRUE;
    text = error_text(problem);
    write_log(runner, "error", text);
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static void run_loop(Runner *runner)
{
    guint tick = g_timeout_add_seconds(1, on_tick, runner);
    guint terminate = g_unix_signal_add(SIGTERM, on_signal, runner);
    guint interrupt = g_unix_signal_add(SIGINT, on_signal, runner);

    beat(runner);
    g_main_loop_run(runner->loop);
    g_source_remove(tick);
    g_source_remove(terminate);
    g_source_remove(interrupt);
    if (runner->line->len > 0)
        take_bytes(runner, "\n", 1);
}

gboolean runner_run(Config *config, const char *id, GError **error)
{
    g_auto(Runner) runner = {.log = -1};
    g_autoptr(GError) problem = NULL;
    g_autofree char *command = NULL;
    gboolean started;

    if (!open_all(&runner, config, id, error) ||
        !catalog_job_start(runner.catalog, id, run_file_path(runner.run), &started, error))
        return FALSE;
    if (!started)
        return TRUE;
    runner.job = catalog_job_find(runner.catalog, id, error);
    if (runner.job == NULL)
        return FALSE;
    runner.line = g_string_new(NULL);
    runner.result = g_string_new(NULL);
    runner.loop = g_main_loop_new(NULL, FALSE);
    command = g_strdup_printf("attempt %u: %s", runner.job->attempt, runner.job->command);
    write_log(&runner, "info", command);
    if (!start_child(&runner, config, &problem)) {
        g_autofree char *text = error_text(problem);

        write_log(&runner, "error", text);
        return catalog_job_end(runner.catalog, id, "failed", NULL, text, error);
    }
    run_loop(&runner);
    (void)g_unlink(runner.cancel_file);
    return enter_end(&runner, config, error);
}
