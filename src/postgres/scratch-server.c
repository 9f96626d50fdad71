/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a private server.
 */
#include "postgres/scratch-server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/random.h"
#include "base/throttle.h"
#include "base/time.h"
#include "postgres/connection.h"
#include "postgres/scratch-guard.h"

#define LOG_TAIL  2000
#define LOG_LIMIT (64u << 20)
#define POLL      (50 * 1000)
/* pg_ctl comes back before the server has said that it is there. */
#define START_WAIT (10 * TIME_SECOND)
/* What pg_amcheck ends with where it found damage. */
#define AMCHECK_FOUND  2
#define FINDINGS_LIMIT 2000
/* A socket's path has 107 bytes at most, and is short in the common place of sockets. */
#define COMMON_PLACE "/tmp"
#define FOLDER_NAME  "hf-"
#define FOLDER_BYTES 6
#define SOCKET_NAME  "/.s.PGSQL.5432.lock"
#define SOCKET_LIMIT 107

struct PgScratch {
    PgScratchRequest request;
    char *pg_ctl;
    PgGuard *guard;
    char *folder; /* socket, configuration, log */
    char *conninfo;
    char *role; /* that connects */
    gboolean started;
    gboolean seen; /* it was running */
    gint64 began;
};

/* --- programs --------------------------------------------------------------------------------- */

static gboolean is_version(const char *program, int major, GCancellable *cancellable)
{
    const char *const argv[] = {program, "--version", NULL};
    const ProcessSpec spec = {.argv = argv, .keep_fd = -1};
    g_autofree char *output = NULL;
    const char *number;

    if (!process_run(&spec, 4096, &output, NULL, cancellable, NULL))
        return FALSE;
    number = strpbrk(output, "0123456789");
    return number != NULL && atoi(number) == major;
}

/* A data directory is read by servers of its own major version only. */
char *pg_server_program(const char *name, int major, GCancellable *cancellable, GError **error)
{
    g_autofree char *debian = g_strdup_printf("/usr/lib/postgresql/%d/bin/%s", major, name);
    g_autofree char *on_path = g_find_program_in_path(name);

    if (g_file_test(debian, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer(&debian);
    if (on_path != NULL && is_version(on_path, major, cancellable))
        return g_steal_pointer(&on_path);
    error_set(error, ERROR_CLIENT_VERSION, "%s of PostgreSQL %d is not installed here", name,
              major);
    error_add_hint(error, "apt install postgresql-%d", major);
    return NULL;
}

static gboolean run_as(const PgScratchRequest *request, const char *const *words, GError **error)
{
    return pg_run_as(request->user, words, NULL, request->cancellable, error);
}

/* --- its configuration ------------------------------------------------------------------------ */

/* Replay needs at least as much of these as the source had; and what its extensions log only they
 * can replay. */
static const char *const inherited[] = {
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    "shared_preload_libraries",
    "wal_level",
    "track_commit_timestamp",
    NULL,
};

static char *write_config(const PgScratch *scratch)
{
    const GPtrArray *settings = scratch->request.physical->settings;
    GString *text = g_string_new("# of a private server of holdfast\n");

    for (guint i = 0; i < settings->len; i++) {
        g_auto(GStrv) pair = g_strsplit(g_ptr_array_index(settings, i), "\t", 2);
        g_auto(GStrv) parts = NULL;
        g_autofree char *value = NULL;

        if (pair[0] == NULL || pair[1] == NULL || !g_strv_contains(inherited, pair[0]))
            continue;
        parts = g_strsplit(pair[1], "'", -1);
        value = g_strjoinv("''", parts);
        g_string_append_printf(text, "%s = '%s'\n", pair[0], value);
    }
    return g_string_free(text, FALSE);
}

static gboolean put_file(const PgScratch *scratch, const char *name, const char *text,
                         GError **error)
{
    g_autofree char *path = g_build_filename(scratch->folder, name, NULL);

    return file_replace(path, text, strlen(text), 0644, error);
}

/* No character that the shell sees: pg_ctl hands the path on through one. */
static gboolean can_hold_folder(const char *place)
{
    return strspn(place, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "/._-") == strlen(place) &&
           strlen(place) + strlen("/" FOLDER_NAME SOCKET_NAME) + FOLDER_BYTES <= SOCKET_LIMIT &&
           faccessat(AT_FDCWD, place, W_OK | X_OK, AT_EACCESS) == 0;
}

/* There are hosts that let only some accounts write into the common place. */
static char *name_folder(const PgScratchRequest *request)
{
    g_autofree char *random = random_name(FOLDER_BYTES);
    g_autofree char *name = g_strconcat(FOLDER_NAME, random, NULL);
    const char *place = COMMON_PLACE;

    if (!can_hold_folder(place) && can_hold_folder(request->run_directory))
        place = request->run_directory;
    return g_build_filename(place, name, NULL);
}

/* The folder can be entered by the server's account and root only: whoever gets to the socket is
 * trusted. */
static gboolean make_folder(PgScratch *scratch, GError **error)
{
    g_autofree char *config = write_config(scratch);
    g_autofree char *folder = name_folder(&scratch->request);
    const PgGuardRequest guarded = {.run_directory = scratch->request.run_directory,
                                    .remove = folder,
                                    .pg_ctl = scratch->pg_ctl,
                                    .directory = scratch->request.directory,
                                    .user = scratch->request.user};
    struct stat info;

    scratch->guard = pg_guard_new(&guarded, error);
    if (scratch->guard == NULL)
        return FALSE;
    if (stat(scratch->request.directory, &info) != 0 || mkdir(folder, 0700) != 0) {
        error_set_errno(error, errno, "cannot make the directory %s for the private server",
                        folder);
        return FALSE;
    }
    scratch->folder = g_steal_pointer(&folder);
    if (!put_file(scratch, "postgresql.conf", config, error) ||
        !put_file(scratch, "pg_hba.conf", "local all all trust\n", error) ||
        !put_file(scratch, "pg_ident.conf", "", error))
        return FALSE;
    if (scratch->request.user != NULL && chown(scratch->folder, info.st_uid, info.st_gid) != 0) {
        error_set_errno(error, errno, "cannot give %s to %s", scratch->folder,
                        scratch->request.user);
        return FALSE;
    }
    return TRUE;
}

/* On the command line they win over what ALTER SYSTEM has left in the restored directory. */
static char *server_options(const PgScratch *scratch)
{
    const char *folder = scratch->folder;

    return g_strdup_printf(
        "-c config_file=%s/postgresql.conf -c hba_file=%s/pg_hba.conf "
        "-c ident_file=%s/pg_ident.conf -c unix_socket_directories=%s -c port=5432 "
        "-c listen_addresses='' -c archive_mode=off -c hot_standby=on -c ssl=off "
        "-c logging_collector=off -c log_destination=stderr -c external_pid_file='' "
        "-c synchronous_standby_names='' -c max_logical_replication_workers=0",
        folder, folder, folder, folder);
}

/* --- starting and stopping -------------------------------------------------------------------- */

PgScratch *pg_scratch_start(const PgScratchRequest *request, GError **error)
{
    g_autoptr(PgScratch) scratch = g_new0(PgScratch, 1);
    int major = request->physical->server.version_num / 10000;
    g_autofree char *options = NULL, *log = NULL;

    scratch->request = *request;
    pg_guard_sweep(request->run_directory);
    scratch->pg_ctl = pg_server_program("pg_ctl", major, request->cancellable, error);
    if (scratch->pg_ctl == NULL || !make_folder(scratch, error))
        return NULL;
    options = server_options(scratch);
    log = g_build_filename(scratch->folder, "log", NULL);
    const char *const words[] = {
        scratch->pg_ctl, "start", "-W", "-s", "-D", request->directory, "-l", log, "-o",
        options,         NULL};
    scratch->started = TRUE;
    scratch->began = time_monotonic();
    if (!run_as(request, words, error)) {
        g_prefix_error(error, "starting a private server in %s: ", request->directory);
        return NULL;
    }
    return g_steal_pointer(&scratch);
}

static gboolean stop(PgScratch *scratch, const char *mode, GError **error)
{
    const char *const words[] = {scratch->pg_ctl,
                                 "stop",
                                 "-w",
                                 "-s",
                                 "-t",
                                 "3600",
                                 "-m",
                                 mode,
                                 "-D",
                                 scratch->request.directory,
                                 NULL};

    scratch->started = FALSE;
    return run_as(&scratch->request, words, error);
}

gboolean pg_scratch_stop(PgScratch *scratch, GError **error)
{
    return stop(scratch, "fast", error);
}

void pg_scratch_free(PgScratch *scratch)
{
    if (scratch == NULL)
        return;
    if (scratch->started) {
        /* A cancel must not keep it from being stopped. */
        scratch->request.cancellable = NULL;
        (void)!stop(scratch, "immediate", NULL);
    }
    if (scratch->folder != NULL)
        (void)!directory_remove(scratch->folder, NULL);
    pg_guard_free(scratch->guard);
    g_free(scratch->pg_ctl);
    g_free(scratch->folder);
    g_free(scratch->conninfo);
    g_free(scratch->role);
    g_free(scratch);
}

const char *pg_scratch_conninfo(const PgScratch *scratch)
{
    return scratch->conninfo;
}

/* --- waiting ---------------------------------------------------------------------------------- */

static gboolean is_running(PgScratch *scratch)
{
    const char *const words[] = {
        scratch->pg_ctl, "status", "-s", "-D", scratch->request.directory, NULL};

    if (run_as(&scratch->request, words, NULL)) {
        scratch->seen = TRUE;
        return TRUE;
    }
    return !scratch->seen && time_monotonic() < scratch->began + START_WAIT;
}

/* The role that initdb made is not known by name: the source's own, PostgreSQL's usual one, the
 * server's account. */
static PgConnection *try_connect(PgScratch *scratch)
{
    const PgScratchRequest *request = &scratch->request;
    PQconninfoOption *options =
        request->conninfo != NULL ? PQconninfoParse(request->conninfo, NULL) : NULL;
    const char *users[] = {NULL, "postgres",
                           request->user != NULL ? request->user : g_get_user_name()};
    PgConnection *connection = NULL;

    for (PQconninfoOption *at = options; at != NULL && at->keyword != NULL; at++)
        if (strcmp(at->keyword, "user") == 0)
            users[0] = at->val;
    for (guint i = 0; i < G_N_ELEMENTS(users) && connection == NULL; i++) {
        g_autofree char *conninfo = NULL;

        if (users[i] == NULL || strpbrk(users[i], "'\\") != NULL)
            continue;
        conninfo = g_strdup_printf("host=%s port=5432 user='%s' sslmode=disable", scratch->folder,
                                   users[i]);
        connection = pg_connect(conninfo, "template1", request->cancellable, NULL);
        if (connection != NULL) {
            g_free(scratch->conninfo);
            scratch->conninfo = g_steal_pointer(&conninfo);
            g_free(scratch->role);
            scratch->role = g_strdup(users[i]);
        }
    }
    PQconninfoFree(options);
    return connection;
}

/* *ret_done: recovery has come to its target, one way or the other. */
static gboolean ask_state(PgConnection *connection, gboolean *ret_done, PgScratchState *ret_state,
                          char **ret_lsn)
{
    g_autoptr(PGresult) result =
        pg_query(connection,
                 "SELECT pg_catalog.pg_is_in_recovery(), CASE WHEN pg_catalog.pg_is_in_recovery() "
                 "THEN pg_catalog.pg_is_wal_replay_paused() ELSE false END, "
                 "pg_catalog.pg_last_wal_replay_lsn()",
                 0, NULL, NULL);

    if (result == NULL || PQntuples(result) != 1)
        return FALSE;
    *ret_done = !pg_bool(result, 0, 0) || pg_bool(result, 0, 1);
    if (!*ret_done)
        return TRUE;
    *ret_state = pg_bool(result, 0, 0) ? PG_SCRATCH_PAUSED : PG_SCRATCH_PROMOTED;
    g_free(*ret_lsn);
    *ret_lsn = g_strdup(pg_text(result, 0, 2));
    return TRUE;
}

/* TRUE where the server ended as its target's action wanted. */
static gboolean judge_end(const PgScratch *scratch, GError **error)
{
    g_autofree char *path = g_build_filename(scratch->folder, "log", NULL);
    g_autofree char *log = NULL;
    gsize length;

    if (!file_read(path, LOG_LIMIT, &log, &length, error))
        return FALSE;
    if (strstr(log, "shutdown at recovery target") != NULL)
        return TRUE;
    error_set(error, ERROR_SUBPROCESS, "the private server has ended: %s",
              g_strchomp(length > LOG_TAIL ? log + length - LOG_TAIL : log));
    return FALSE;
}

gboolean pg_scratch_wait(PgScratch *scratch, PgScratchState *ret_state, char **ret_lsn,
                         GError **error)
{
    g_autofree char *lsn = NULL;
    gboolean done = FALSE;

    progress_begin(scratch->request.progress, "recovering", 0, 0);
    for (;;) {
        g_autoptr(PgConnection) connection = try_connect(scratch);

        if (connection != NULL && ask_state(connection, &done, ret_state, &lsn) && done) {
            *ret_lsn = g_steal_pointer(&lsn);
            return TRUE;
        }
        if (connection == NULL && !is_running(scratch)) {
            scratch->started = FALSE;
            *ret_state = PG_SCRATCH_ENDED;
            *ret_lsn = NULL;
            return judge_end(scratch, error);
        }
        g_clear_pointer(&connection, pg_connection_free);
        if (!throttle_pause(POLL, scratch->request.cancellable, error))
            return FALSE;
    }
}

/* --- --start ---------------------------------------------------------------------------------- */

/* pg_amcheck's findings come on standard output, all of which has to be read; the first are enough to tell. */
static gboolean read_findings(Process *process, GString *findings, GCancellable *cancellable,
                              GError **error)
{
    char bytes[4096];
    gsize length;

    do {
        if (!process_read(process, bytes, sizeof bytes, &length, cancellable, error))
            return FALSE;
        g_string_append_len(findings, bytes, (gssize)MIN(length, FINDINGS_LIMIT - findings->len));
    } while (length > 0);
    return TRUE;
}

/* Damage is only what the program calls so: one that was stopped, or lost its server, knows nothing. */
static gboolean run_amcheck(const PgScratchRequest *request, const char *const *words,
                            GError **error)
{
    g_autoptr(Process) process = pg_start_as(request->user, words, PROCESS_STDOUT_PIPE, error);
    g_autoptr(GString) findings = g_string_new(NULL);
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;

    if (process == NULL || !read_findings(process, findings, request->cancellable, error))
        return FALSE;
    if (process_wait(process, request->cancellable, &problem))
        return TRUE;
    if (process_exit_status(process) != AMCHECK_FOUND) {
        g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                                   "the restored server could not be checked: ");
        return FALSE;
    }
    text = g_utf8_make_valid(findings->str, (gssize)findings->len);
    g_strdelimit(g_strchomp(text), "\n", ' ');
    error_set(error, ERROR_DAMAGED, "pg_amcheck found damage in the restored server: %s", text);
    return FALSE;
}

/* Every index against its table, by PostgreSQL's own program, where it is installed. */
gboolean pg_scratch_amcheck(const PgScratch *scratch, EngineResult *result, GError **error)
{
    const PgScratchRequest *request = &scratch->request;
    int major = request->physical->server.version_num / 10000;
    g_autofree char *program = pg_server_program("pg_amcheck", major, request->cancellable, NULL);

    if (program == NULL) {
        g_ptr_array_add(result->warnings,
                        g_strdup(
                            "pg_amcheck is not installed: tables and indexes were not checked"));
        return TRUE;
    }
    const char *const words[] = {program, "--all", "--install-missing", "-h", scratch->folder, "-p",
                                 "5432",  "-U",    scratch->role,       NULL};
    progress_begin(request->progress, "checking with pg_amcheck", 0, 0);
    if (!run_amcheck(request, words, error))
        return FALSE;
    json_object_set_new(result->summary, "amcheck", json_string("passed"));
    return TRUE;
}

/* The private server archived nothing, and a history file is offered once only: the next server has
 * to be told of the one that the promotion wrote. Segments it finds by itself. */
static gboolean offer_histories(const PgPhysicalPlan *plan, GError **error)
{
    g_autofree char *folder = g_build_filename(plan->place->directory, "pg_wal", NULL);
    g_autoptr(GDir) entries = g_dir_open(folder, 0, NULL);
    const char *name;

    while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
        g_autofree char *path = g_strdup_printf("pg_wal/archive_status/%s.ready", name);
        WalName parsed;

        if (!wal_name_parse(name, &parsed) || parsed.kind != WAL_HISTORY ||
            g_ptr_array_find_with_equal_func(plan->route->histories, name, g_str_equal, NULL))
            continue;
        if (!pg_place_write(plan->place, path, "", 0, error))
            return FALSE;
    }
    return TRUE;
}

static const char *const state_names[] = {"promoted", "paused", "shut down"};

gboolean pg_scratch_recover(const PgPhysicalPlan *plan, EngineResult *result, GError **error)
{
    const EngineRestore *request = plan->request;
    const PgScratchRequest wanted = {.directory = plan->place->directory,
                                     .user = plan->place->user,
                                     .run_directory = request->scratch_directory,
                                     .physical = plan->physical,
                                     .conninfo = request->target->conninfo,
                                     .progress = request->progress,
                                     .cancellable = request->cancellable};
    g_autoptr(PgScratch) scratch = pg_scratch_start(&wanted, error);
    g_autofree char *lsn = NULL;
    PgScratchState state;

    if (scratch == NULL || !pg_scratch_wait(scratch, &state, &lsn, error))
        return FALSE;
    json_object_set_new(result->summary, "state", json_string(state_names[state]));
    json_object_set_new(result->summary, "replayed_to", json_text(lsn));
    if (state == PG_SCRATCH_ENDED)
        return TRUE;
    if (state == PG_SCRATCH_PROMOTED && !pg_scratch_amcheck(scratch, result, error))
        return FALSE;
    return pg_scratch_stop(scratch, error) &&
           (state != PG_SCRATCH_PROMOTED || offer_histories(plan, error));
}

gboolean pg_scratch_promote(const PgPhysicalPlan *plan, PgScratch **ret_scratch, GError **error)
{
    const EngineRestore *request = plan->request;
    const PgScratchRequest wanted = {.directory = plan->place->directory,
                                     .user = plan->place->user,
                                     .run_directory = request->scratch_directory,
                                     .physical = plan->physical,
                                     .conninfo = request->target->conninfo,
                                     .progress = request->progress,
                                     .cancellable = request->cancellable};
    g_autoptr(PgScratch) scratch = pg_scratch_start(&wanted, error);
    g_autofree char *lsn = NULL;
    PgScratchState state;

    if (scratch == NULL || !pg_scratch_wait(scratch, &state, &lsn, error))
        return FALSE;
    if (state != PG_SCRATCH_PROMOTED) {
        error_set(error, ERROR_INTERNAL, "the private server was not promoted");
        return FALSE;
    }
    *ret_scratch = g_steal_pointer(&scratch);
    return TRUE;
}
