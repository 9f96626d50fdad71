/* SPDX-License-Identifier: Apache-2.0
 *
 * archive_command: one file, or all that are ready.
 */
#include "postgres/wal-push.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/size.h"
#include "base/time.h"
#include "base/workers.h"

/* What one call archives at most, so that the server is not kept waiting for minutes. */
#define BATCH_FILES 128
#define BATCH_BYTES ((guint64)2 << 30)

#define TICKET_SUFFIX ".ok"
#define TICKET_LIMIT  256
/* The list of what was dropped stops growing here; it has said enough. */
#define DROPPED_LIMIT (1024 * 1024)

const char *wal_push_result_text(WalPushResult result)
{
    static const char *const texts[] = {"archived", "archived before, the same",
                                        "archived by an earlier call", "dropped, not archived"};

    return texts[result];
}

/* --- the queue -------------------------------------------------------------------------------- */

/* History files first, as the server does; then by name. */
static int by_turn(gconstpointer a, gconstpointer b)
{
    const char *left = *(const char *const *)a, *right = *(const char *const *)b;
    gboolean left_history = g_str_has_suffix(left, ".history");
    gboolean right_history = g_str_has_suffix(right, ".history");

    return left_history != right_history ? (left_history ? -1 : 1) : strcmp(left, right);
}

gboolean wal_queue_read(const char *wal_directory, GPtrArray **ret_names, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = g_build_filename(wal_directory, "archive_status", NULL);
    g_autoptr(GError) problem = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &problem);
    const char *entry;
    WalName parts;

    if (directory == NULL) {
        error_take(error, ERROR_IO, g_steal_pointer(&problem));
        return FALSE;
    }
    while ((entry = g_dir_read_name(directory)) != NULL) {
        g_autofree char *name = NULL;

        if (!g_str_has_suffix(entry, ".ready"))
            continue;
        name = g_strndup(entry, strlen(entry) - strlen(".ready"));
        if (wal_name_parse(name, &parts))
            g_ptr_array_add(names, g_steal_pointer(&name));
    }
    g_ptr_array_sort(names, by_turn);
    *ret_names = g_steal_pointer(&names);
    return TRUE;
}

/* --- tickets ---------------------------------------------------------------------------------- */

/* What a ticket says about a file. NULL where the file cannot be looked at. */
static char *describe_file(const char *path)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return NULL;
    return g_strdup_printf("%llu %llu %llu %lld.%09ld\n", (unsigned long long)info.st_dev,
                           (unsigned long long)info.st_ino, (unsigned long long)info.st_size,
                           (long long)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

static char *ticket_path(const char *spool, const char *name)
{
    return g_strconcat(spool, "/", name, TICKET_SUFFIX, NULL);
}

/* Whether an earlier call archived this very file; its ticket is used up then. */
static gboolean take_ticket(const char *spool, const char *name, const char *path)
{
    g_autofree char *ticket = ticket_path(spool, name);
    g_autofree char *file = describe_file(path);
    g_autofree char *text = NULL;
    gsize length;

    if (!file_read(ticket, TICKET_LIMIT, &text, &length, NULL))
        return FALSE;
    (void)unlink(ticket);
    return g_strcmp0(text, file) == 0;
}

/* `file` is what the file was before it was archived: one that changed meanwhile has a ticket that
 * fits nothing. */
static void leave_ticket(const char *spool, const char *name, const char *file)
{
    g_autofree char *ticket = ticket_path(spool, name);
    g_autoptr(GError) problem = NULL;

    if (!g_file_set_contents_full(ticket, file, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
        log_write(LOG_WARNING, "the spool cannot be written: %s", problem->message);
}

/* Tickets of files that no longer wait: the server asked for them with another program, or another
 * way. */
static void clear_tickets(const char *spool, GPtrArray *waiting)
{
    g_autoptr(GDir) directory = g_dir_open(spool, 0, NULL);
    const char *entry;

    while (directory != NULL && (entry = g_dir_read_name(directory)) != NULL) {
        g_autofree char *name = g_strdup(entry);
        char *suffix = g_str_has_suffix(name, TICKET_SUFFIX) ? strrchr(name, '.') : NULL;
        g_autofree char *path = g_build_filename(spool, entry, NULL);

        if (suffix == NULL)
            continue;
        *suffix = '\0';
        if (!g_ptr_array_find_with_equal_func(waiting, name, g_str_equal, NULL))
            (void)unlink(path);
    }
}

/* --- all that is ready ------------------------------------------------------------------------ */

typedef struct {
    const WalArchive *archive;
    const char *spool, *directory;
    const char *own; /* the file that the server asked for */
    const char *own_path;
    WalPut own_put;
    GError *own_problem;
} Batch;

static gboolean push_one(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    Batch *batch = data;
    const char *name = task;
    g_autofree char *path = g_build_filename(batch->directory, name, NULL);
    g_autofree char *file = describe_file(path);
    g_autoptr(GError) problem = NULL;
    WalPut put;

    if (strcmp(name, batch->own) == 0)
        return wal_archive_put(batch->archive, name, batch->own_path, &batch->own_put, error);
    /* What goes wrong with another file is told when the server asks for it. */
    if (file != NULL && wal_archive_put(batch->archive, name, path, &put, &problem))
        leave_ticket(batch->spool, name, file);
    else if (problem != NULL)
        log_write(LOG_INFO, "%s", problem->message);
    return error_unless_cancelled(cancellable, error);
}

/* Those that are not archived yet, the server's own choice first. */
static GPtrArray *choose_batch(const Batch *batch, GPtrArray *waiting, guint32 segment_size)
{
    GPtrArray *chosen = g_ptr_array_new_with_free_func(g_free);
    guint64 limit = CLAMP(BATCH_BYTES / MAX(segment_size, 1), 1, BATCH_FILES);

    g_ptr_array_add(chosen, g_strdup(batch->own));
    for (guint i = 0; i < waiting->len && chosen->len < limit; i++) {
        const char *name = waiting->pdata[i];
        g_autofree char *ticket = ticket_path(batch->spool, name);

        if (strcmp(name, batch->own) != 0 && access(ticket, F_OK) != 0)
            g_ptr_array_add(chosen, g_strdup(name));
    }
    return chosen;
}

static gboolean push_batch(Batch *batch, guint jobs, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) waiting = NULL;
    g_autoptr(GPtrArray) chosen = NULL;
    g_autoptr(Workers) workers = NULL;

    if (!wal_queue_read(batch->directory, &waiting, error))
        return FALSE;
    clear_tickets(batch->spool, waiting);
    chosen = choose_batch(batch, waiting, batch->archive->segment_size);
    workers = workers_new(MIN(jobs, chosen->len), 0, push_one, batch, NULL, cancellable);
    for (guint i = 0; i < chosen->len; i++) {
        if (!workers_push(workers, chosen->pdata[i]))
            break;
    }
    return workers_wait(workers, error);
}

static char *make_spool(const Config *config, const WalArchive *archive, GError **error)
{
    g_autofree char *leaf =
        g_strdup_printf("%s-%" G_GUINT64_FORMAT, repository_id(archive->repository),
                        archive->system_identifier);
    g_autofree char *spool =
        g_build_filename(config_state_directory(config), "spool", archive->source, leaf, NULL);

    if (!directory_make(spool, 0700, error))
        return NULL;
    return g_steal_pointer(&spool);
}

static gboolean push_async(const WalPushRequest *request, const WalArchive *archive, guint jobs,
                           WalPushResult *ret_result, GError **error)
{
    g_autofree char *spool = make_spool(request->config, archive, error);
    g_autofree char *directory = g_path_get_dirname(request->path);
    g_autofree char *lock_path = spool != NULL ? g_build_filename(spool, "lock", NULL) : NULL;
    g_autoptr(RunFile) lock = NULL;
    g_autoptr(GError) problem = NULL;
    Batch batch = {.archive = archive,
                   .spool = spool,
                   .directory = directory,
                   .own = request->name,
                   .own_path = request->path};

    if (spool == NULL)
        return FALSE;
    if (take_ticket(spool, request->name, request->path)) {
        *ret_result = WAL_PUSH_SPOOLED;
        return TRUE;
    }
    lock = run_file_acquire(lock_path, "wal push\n", &problem);
    if (lock == NULL && !error_is(problem, ERROR_BUSY)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    /* Somebody else is at it (an archiver that was restarted): the one file then, and no more. */
    if (lock == NULL
            ? !wal_archive_put(archive, request->name, request->path, &batch.own_put, error)
            : !push_batch(&batch, jobs, request->cancellable, error))
        return FALSE;
    *ret_result = batch.own_put == WAL_PUT_SAME ? WAL_PUSH_SAME : WAL_PUSH_NEW;
    return TRUE;
}

/* --- the queue's limit ------------------------------------------------------------------------ */

char *wal_dropped_path(const Config *config, const char *source)
{
    return g_build_filename(config_state_directory(config), "spool", source, "dropped", NULL);
}

static gboolean note_dropped(const Config *config, const char *source, const char *name,
                             GError **error)
{
    g_autofree char *path = wal_dropped_path(config, source);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *when = time_format(time_now());
    g_autofree char *line = g_strdup_printf("%s %s\n", when, name);
    FILE_AUTO_FD fd = -1;
    struct stat info;

    if (!directory_make(directory, 0700, error))
        return FALSE;
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return FALSE;
    }
    return info.st_size > DROPPED_LIMIT ||
           (file_write_all(fd, line, strlen(line), path, error) && file_sync(fd, path, error));
}

/* Whether the repository's state, and not the file, is what is wrong. */
static gboolean is_outage(const GError *error)
{
    switch (error_info_of(error)->code) {
    case ERROR_UNREACHABLE:
    case ERROR_NO_SPACE:
    case ERROR_PERMISSION:
    case ERROR_READ_ONLY:
    case ERROR_IO:
    case ERROR_TIMEOUT:
        return TRUE;
    default:
        return FALSE;
    }
}

static guint64 queued_bytes(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autoptr(GPtrArray) waiting = NULL;
    struct stat info;

    if (stat(path, &info) != 0 || !wal_queue_read(directory, &waiting, NULL))
        return 0;
    return waiting->len * (guint64)info.st_size;
}

/* Rather a gap than a full disk, where the user said so. TRUE when the file was given up. */
static gboolean drop(const WalPushRequest *request, const GError *problem)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *text = error_text(problem), *size = NULL;
    const ConfigSource *settings =
        config_find_source(request->config, request->source, "postgresql", "physical", NULL);
    guint64 queued;

    if (settings == NULL || settings->archive_queue_max == 0 || !is_outage(problem))
        return FALSE;
    queued = queued_bytes(request->path);
    if (queued <= settings->archive_queue_max)
        return FALSE;
    size = size_format(queued);
    log_write(
        LOG_ERROR,
        "%s is DROPPED, not archived: %s wait, more than archive_queue_max, and: %s. There is "
        "a gap now; make a full backup as soon as the repository is back",
        request->name, size, text);
    if (!note_dropped(request->config, settings->name, request->name, &failure))
        log_write(LOG_WARNING, "%s", failure->message);
    return TRUE;
}

/* --- the whole -------------------------------------------------------------------------------- */

static gboolean push(const WalPushRequest *request, WalPushResult *ret_result, GError **error)
{
    const WalPlaceRequest where = {request->config, request->repository, request->source,
                                   request->path};
    g_auto(WalPlace) place = {0};
    WalArchive archive;
    WalPut put;

    if (!wal_place_for_push(&where, &place, error))
        return FALSE;
    archive = wal_place_archive(&place, request->repository);
    if (place.settings != NULL && place.settings->archive_async)
        return push_async(request, &archive, place.settings->jobs, ret_result, error);
    if (!wal_archive_put(&archive, request->name, request->path, &put, error))
        return FALSE;
    *ret_result = put == WAL_PUT_SAME ? WAL_PUSH_SAME : WAL_PUSH_NEW;
    return TRUE;
}

gboolean wal_push(const WalPushRequest *request, GError *problem, WalPushResult *ret_result,
                  GError **error)
{
    g_autoptr(GError) failure = problem;
    WalName parts;

    if (!wal_name_parse(request->name, &parts)) {
        error_set(error, ERROR_USAGE, "\"%.80s\" is no name of a WAL file", request->name);
        return FALSE;
    }
    if (request->repository != NULL && push(request, ret_result, &failure))
        return TRUE;
    if (drop(request, failure)) {
        *ret_result = WAL_PUSH_DROPPED;
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}
