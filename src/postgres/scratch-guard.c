/* SPDX-License-Identifier: Apache-2.0
 *
 * Private servers end with their program, and their places are removed.
 */
#include "postgres/scratch-guard.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/random.h"

#define OUTPUT_LIMIT (1024 * 1024)
#define PREFIX       "private-"
#define NAME_BYTES   8
#define WORD         "done\n"

/* The server may just be starting when the program dies: a few tries. Signals of a terminal are for
 * the program. */
static const char watch_script[] =
    "trap '' HUP INT TERM; read -r word; [ \"$word\" = done ] && exit 0; "
    "for try in 1 2 3 4 5 6 7 8 9 10; do "
    "\"$1\" stop -s -w -t 60 -m immediate -D \"$2\" >/dev/null 2>&1 && exit 0; sleep 1; done";

struct PgGuard {
    RunFile *run;
    Process *watcher; /* NULL: no server */
};

/* --- running as another account --------------------------------------------------------------- */

/* The directory that we are in may be one that the account cannot enter, which PostgreSQL's
 * programs complain of. */
static const char *const clean_environment[] = {"LC_ALL=C", "PGOPTIONS", "PGDATABASE", "PGSERVICE",
                                                NULL};

/* The words belong to the caller. */
static GPtrArray *words_as(const char *user, const char *const *words)
{
    GPtrArray *argv = g_ptr_array_new();

    if (user != NULL) {
        g_ptr_array_add(argv, (gpointer) "runuser");
        g_ptr_array_add(argv, (gpointer) "-u");
        g_ptr_array_add(argv, (gpointer)user);
        g_ptr_array_add(argv, (gpointer) "--");
    }
    for (guint i = 0; words[i] != NULL; i++)
        g_ptr_array_add(argv, (gpointer)words[i]);
    g_ptr_array_add(argv, NULL);
    return argv;
}

static ProcessSpec spec_of(const GPtrArray *argv, ProcessFlags flags)
{
    return (ProcessSpec){.argv = (const char *const *)argv->pdata,
                         .environment = clean_environment,
                         .flags = flags,
                         .keep_fd = -1};
}

Process *pg_start_as(const char *user, const char *const *words, ProcessFlags flags, GError **error)
{
    g_autoptr(GPtrArray) argv = words_as(user, words);
    const ProcessSpec spec = spec_of(argv, flags);

    return process_start(&spec, error);
}

gboolean pg_run_as(const char *user, const char *const *words, char **ret_output,
                   GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) argv = words_as(user, words);
    const ProcessSpec spec = spec_of(argv, 0);

    return process_run(&spec, OUTPUT_LIMIT, ret_output, NULL, cancellable, error);
}

/* --- a run ------------------------------------------------------------------------------------ */

static Process *start_watcher(const PgGuardRequest *request, GError **error)
{
    const char *const words[] = {
        "/bin/sh",          "-c", watch_script, "holdfast-watcher", request->pg_ctl,
        request->directory, NULL};

    return pg_start_as(request->user, words, PROCESS_STDIN_PIPE, error);
}

PgGuard *pg_guard_new(const PgGuardRequest *request, GError **error)
{
    g_autoptr(PgGuard) guard = g_new0(PgGuard, 1);
    g_autofree char *random = random_name(NAME_BYTES);
    g_autofree char *path = g_strdup_printf("%s/" PREFIX "%s.run", request->run_directory, random);
    g_autoptr(json_t) content = json_object();
    g_autofree char *text = NULL;

    json_object_set_new(content, "remove", json_text(request->remove));
    json_object_set_new(content, "pg_ctl", json_text(request->pg_ctl));
    json_object_set_new(content, "directory", json_text(request->directory));
    json_object_set_new(content, "user", json_text(request->user));
    text = json_write(content, FALSE);
    guard->run = run_file_acquire(path, text, error);
    if (guard->run == NULL)
        return NULL;
    if (request->pg_ctl != NULL) {
        guard->watcher = start_watcher(request, error);
        if (guard->watcher == NULL)
            return NULL;
    }
    return g_steal_pointer(&guard);
}

void pg_guard_free(PgGuard *guard)
{
    if (guard == NULL)
        return;
    if (guard->watcher != NULL) {
        (void)!process_write(guard->watcher, WORD, strlen(WORD), NULL, NULL);
        (void)!process_wait(guard->watcher, NULL, NULL);
        process_free(guard->watcher);
    }
    run_file_release(guard->run);
    g_free(guard);
}

/* --- dead runs -------------------------------------------------------------------------------- */

static gboolean stop_server(const json_t *content, GError **error)
{
    const char *directory = json_get_string(content, "directory", "");
    g_autofree char *pid_file = g_build_filename(directory, "postmaster.pid", NULL);
    const char *const words[] = {json_get_string(content, "pg_ctl", ""),
                                 "stop",
                                 "-s",
                                 "-w",
                                 "-m",
                                 "immediate",
                                 "-D",
                                 directory,
                                 NULL};

    /* Its watcher has done that already, in nearly every case: the file goes with the server. */
    return !g_file_test(pid_file, G_FILE_TEST_EXISTS) ||
           pg_run_as(json_get_string(content, "user", NULL), words, NULL, NULL, error);
}

/* Under the lock of the run file: two runs at once do not do the same. */
static gboolean remove_run(const char *path, const char *text, const json_t *content,
                           GError **error)
{
    g_autoptr(RunFile) run = run_file_acquire(path, text, error);
    const char *directory = json_get_string(content, "remove", NULL);
    g_autoptr(GError) problem = NULL;

    if (run == NULL)
        return FALSE;
    /* A stale postmaster.pid of a server that was killed itself: the place goes all the same. */
    if (json_get_string(content, "pg_ctl", NULL) != NULL && !stop_server(content, &problem))
        log_write(LOG_INFO, "a private server of a dead run could not be stopped: %s",
                  problem->message);
    if (directory == NULL || !g_path_is_absolute(directory) || directory_remove(directory, error))
        return TRUE;
    /* Releasing would forget it. */
    return FALSE;
}

static void sweep_one(const char *path, gboolean servers)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;
    g_autoptr(json_t) content = NULL;
    RunFileState state;

    if (!file_check_private(path, TRUE, &problem) ||
        !run_file_inspect(path, &state, &text, &problem)) {
        log_write(LOG_INFO, "%s is left as it is: %s", path, problem->message);
        return;
    }
    if (state != RUN_FILE_DEAD || text == NULL)
        return;
    content = json_read_object(text, strlen(text), path, NULL);
    if (content == NULL || (json_get_string(content, "pg_ctl", NULL) != NULL) != servers)
        return;
    if (!remove_run(path, text, content, &problem))
        log_write(LOG_INFO, "what a dead run left is still there: %s", problem->message);
}

static gboolean is_ours_alone(const char *directory)
{
    struct stat info;

    return lstat(directory, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

void pg_guard_sweep(const char *run_directory)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) entries =
        is_ours_alone(run_directory) ? g_dir_open(run_directory, 0, NULL) : NULL;
    const char *name;

    while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
        if (g_str_has_prefix(name, PREFIX) && g_str_has_suffix(name, ".run"))
            g_ptr_array_add(paths, g_build_filename(run_directory, name, NULL));
    }
    /* Servers first: their data lie in the places that go then. */
    for (guint i = 0; i < paths->len; i++)
        sweep_one(paths->pdata[i], TRUE);
    for (guint i = 0; i < paths->len; i++)
        sweep_one(paths->pdata[i], FALSE);
}
