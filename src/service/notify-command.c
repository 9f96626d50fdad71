/* SPDX-License-Identifier: Apache-2.0
 *
 * The message to a program: JSON on its standard input.
 */
#include "service/notify-private.h"

#include <string.h>

#include "base/error.h"
#include "base/process.h"
#include "base/time.h"

/* Cancels when the time is over, or when somebody else cancels. */
typedef struct {
    GCancellable *cancellable, *outer;
    gulong handler;
    GThread *thread;
    GMutex mutex;
    GCond wake;
    gint64 end; /* monotonic */
    gboolean done, over;
} Deadline;

static gpointer wait_for_end(gpointer data)
{
    Deadline *deadline = data;

    g_mutex_lock(&deadline->mutex);
    while (!deadline->done && !deadline->over)
        deadline->over = !g_cond_wait_until(&deadline->wake, &deadline->mutex, deadline->end);
    g_mutex_unlock(&deadline->mutex);
    if (deadline->over)
        g_cancellable_cancel(deadline->cancellable);
    return NULL;
}

static void pass_on(GCancellable *outer, gpointer data)
{
    g_cancellable_cancel(data);
}

static void deadline_begin(Deadline *deadline, gint64 timeout, GCancellable *outer)
{
    g_mutex_init(&deadline->mutex);
    g_cond_init(&deadline->wake);
    deadline->cancellable = g_cancellable_new();
    deadline->end = g_get_monotonic_time() + timeout;
    deadline->outer = outer;
    if (outer != NULL)
        deadline->handler =
            g_cancellable_connect(outer, G_CALLBACK(pass_on), deadline->cancellable, NULL);
    deadline->thread = g_thread_new("notify-deadline", wait_for_end, deadline);
}

/* Whether the time was over. */
static gboolean deadline_end(Deadline *deadline)
{
    g_mutex_lock(&deadline->mutex);
    deadline->done = TRUE;
    g_cond_signal(&deadline->wake);
    g_mutex_unlock(&deadline->mutex);
    g_thread_join(deadline->thread);
    if (deadline->outer != NULL)
        g_cancellable_disconnect(deadline->outer, deadline->handler);
    g_object_unref(deadline->cancellable);
    g_cond_clear(&deadline->wake);
    g_mutex_clear(&deadline->mutex);
    return deadline->over;
}

/* Our environment may hold what is not for the program (PGPASSWORD and the like): it gets little of
 * it. */
static char **make_environment(const char *event)
{
    static const char *const kept[] = {"PATH", "HOME",    "LANG",   "LC_ALL", "TZ",
                                       "USER", "LOGNAME", "TMPDIR", NULL};
    g_auto(GStrv) names = g_listenv();
    g_autoptr(GPtrArray) environment = g_ptr_array_new();

    for (guint i = 0; names[i] != NULL; i++) {
        if (!g_strv_contains(kept, names[i]))
            g_ptr_array_add(environment, g_strdup(names[i]));
    }
    g_ptr_array_add(environment, g_strconcat("HOLDFAST_EVENT=", event, NULL));
    g_ptr_array_add(environment, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&environment), FALSE);
}

static gboolean run(const ProcessSpec *spec, const char *body, GCancellable *cancellable,
                    GError **error)
{
    g_autoptr(Process) process = process_start(spec, error);
    g_autofree char *line = g_strconcat(body, "\n", NULL);

    if (process == NULL)
        return FALSE;
    /* A program need not read what it is told: its exit status says what became of it. */
    if (!process_write(process, line, strlen(line), cancellable, NULL) &&
        g_cancellable_is_cancelled(cancellable))
        process_kill(process);
    process_close_stdin(process);
    return process_wait(process, cancellable, error);
}

gboolean notify_send_command(const NotifyTarget *target, const char *body,
                             GCancellable *cancellable, char **ret_answer, GError **error)
{
    g_autoptr(json_t) json = json_read_object(body, strlen(body), "a message", error);
    g_auto(GStrv) environment = NULL;
    const ProcessSpec plain = {.argv = (const char *const *)target->argv,
                               .flags = PROCESS_STDIN_PIPE,
                               .keep_fd = -1};
    ProcessSpec spec = plain;
    Deadline deadline = {0};
    GError *problem = NULL;
    gboolean done;

    if (json == NULL)
        return FALSE;
    environment = make_environment(json_get_string(json, "event", ""));
    spec.environment = (const char *const *)environment;
    deadline_begin(&deadline, target->timeout, cancellable);
    done = run(&spec, body, deadline.cancellable, &problem);
    if (deadline_end(&deadline) && !done) {
        g_clear_error(&problem);
        error_set(&problem, ERROR_TIMEOUT, "it took longer than its time limit");
    }
    if (!done) {
        g_propagate_prefixed_error(error, problem, "[notify %s]: ", target->name);
        return FALSE;
    }
    *ret_answer = g_strdup("the command ended with exit status 0");
    return TRUE;
}
