/* SPDX-License-Identifier: Apache-2.0
 *
 * The workers that read a data directory.
 */
#include "postgres/copy-local.h"

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "base/workers.h"
#include "postgres/file-list.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whole extents of every size, so that the pool can work in place. */
#define PIECE_SIZE POOL_EXTENT_LARGEST

/* A file system may date its files to the second only, and the kernel's clock for them lags by a
 * tick. What was changed at least this long ago will get another time with its next change. */
#define SETTLE_TIME (TIME_SECOND + 50 * 1000)

#define NICE_LEVEL 10

void pg_copy_item_clear(PgCopyItem *item)
{
    if (item->base != NULL)
        pool_file_clear(item->base);
    g_clear_pointer(&item->base, g_free);
}

typedef struct {
    const PgCopyLocal *copy;
    int directory;
    guint next; /* atomic: the next item */
} Shared;

typedef struct {
    Shared *shared;
    PoolStream *stream;
    guint8 *piece;
    GCancellable *cancellable;
} Worker;

/* --- one file --------------------------------------------------------------------------------- */

/* PoolFileFunc */
static void take_content(PoolFile *content, gpointer tag, gpointer data)
{
    PgFile *file = tag;

    file->content = *content;
}

static gboolean has_settled(const PgFile *file, gint64 now)
{
    return MAX(file->modified, file->changed) + SETTLE_TIME <= now;
}

/* FALSE without an error: the file is not there any more. */
static gboolean open_file(const Worker *worker, const char *path, int *ret_fd, GError **error)
{
    const Shared *shared = worker->shared;
    FILE_AUTO_FD fd = openat(shared->directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;

    if (fd < 0) {
        /* A directory that was dropped and made again as something else has vanished, too. */
        if (errno != ENOENT && errno != ENOTDIR)
            error_set_errno(error, errno, "cannot open %s/%s", shared->copy->data_directory, path);
        return FALSE;
    }
    if (fstat(fd, &info) != 0) {
        error_set_errno(error, errno, "cannot look at %s/%s", shared->copy->data_directory, path);
        return FALSE;
    }
    if (!S_ISREG(info.st_mode))
        return FALSE;
    *ret_fd = fd;
    fd = -1;
    return TRUE;
}

static gboolean copy_pieces(Worker *worker, PgFile *file, guint64 size, int fd,
                            PoolFileWriter *target, GError **error)
{
    const PgCopyLocal *copy = worker->shared->copy;
    PgRelationName name;
    gboolean has_pages = copy->pages != NULL && pg_file_is_relation(file->path, &name);
    guint32 crc = 0;

    for (guint64 offset = 0; offset < size;) {
        gsize want = (gsize)MIN(PIECE_SIZE, size - offset), got;

        if (!throttle_take(copy->throttle, want, worker->cancellable, error) ||
            !file_read_all(fd, worker->piece, want, &got, file->path, error))
            return FALSE;
        if (has_pages)
            pg_page_check_piece(copy->pages, file->path, &name, fd, worker->piece, got, offset);
        crc = crc32c(crc, worker->piece, got);
        if (!pool_file_write(target, worker->piece, got, error))
            return FALSE;
        progress_add(copy->progress, got, 0);
        offset += got;
        if (got < want)
            break;
    }
    file->crc32c = crc;
    return TRUE;
}

static gboolean copy_file(Worker *worker, PgCopyItem *item, GError **error)
{
    const PgCopyLocal *copy = worker->shared->copy;
    g_autoptr(PoolFileWriter) target = NULL;
    FILE_AUTO_FD fd = -1;
    PgFile *file = item->file;
    guint64 size = file->content.size;
    GError *problem = NULL;

    if (!open_file(worker, file->path, &fd, &problem)) {
        item->vanished = problem == NULL;
        if (problem != NULL)
            g_propagate_error(error, problem);
        return item->vanished;
    }
    file->settled = has_settled(file, time_now());
    if (size > PIECE_SIZE)
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    target = pool_file_begin(worker->stream, size, copy->base_reader, item->base, file, error);
    return target != NULL && copy_pieces(worker, file, size, fd, target, error) &&
           pool_file_finish(g_steal_pointer(&target), error);
}

static gboolean reuse_file(Worker *worker, PgCopyItem *item, GError **error)
{
    PoolFile base = item->file->content;
    gboolean result;

    item->file->content = (PoolFile){0};
    result = pool_file_reuse(worker->stream, worker->shared->copy->base_reader, &base, item->file,
                             error);
    pool_file_clear(&base);
    return result;
}

/* --- workers ---------------------------------------------------------------------------------- */

void pg_copy_give_way(void)
{
    enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_BEST_EFFORT_LOWEST = 2 << 13 | 7 };
    id_t self = (id_t)syscall(SYS_gettid);

    (void)setpriority(PRIO_PROCESS, self, NICE_LEVEL);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, self, IOPRIO_BEST_EFFORT_LOWEST);
}

static gboolean run_worker(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    Shared *shared = data;
    GArray *items = shared->copy->items;
    g_autoptr(PoolStream) stream = pool_stream_new(shared->copy->pool);
    g_autofree guint8 *piece = g_malloc(PIECE_SIZE);
    Worker worker = {shared, stream, piece, cancellable};

    if (shared->copy->nice)
        pg_copy_give_way();
    pool_stream_set_func(stream, take_content, NULL);
    for (;;) {
        guint index = (guint)g_atomic_int_add((gint *)&shared->next, 1);
        PgCopyItem *item;

        if (index >= items->len)
            return pool_stream_close(stream, error);
        if (!error_unless_cancelled(cancellable, error))
            return FALSE;
        item = &g_array_index(items, PgCopyItem, index);
        if (!(item->same ? reuse_file(&worker, item, error) : copy_file(&worker, item, error))) {
            g_prefix_error(error, "%s: ", item->file->path);
            return FALSE;
        }
        pg_copy_item_clear(item);
    }
}

/* What needs no reading first; then the biggest files, so that no worker is left with one at the
 * end; what was changed a moment ago last: by then it may have settled. */
static int compare_items(gconstpointer a, gconstpointer b, gpointer data)
{
    const gint64 *now = data;
    const PgCopyItem *first = a, *second = b;
    gboolean first_settled = has_settled(first->file, *now);
    guint64 first_size = first->file->content.size, second_size = second->file->content.size;

    if (first->same != second->same)
        return first->same ? -1 : 1;
    if (first_settled != has_settled(second->file, *now))
        return first_settled ? -1 : 1;
    if (first_size != second_size)
        return first_size > second_size ? -1 : 1;
    return strcmp(first->file->path, second->file->path);
}

static guint64 bytes_to_read(const GArray *items)
{
    guint64 bytes = 0;

    for (guint i = 0; i < items->len; i++) {
        const PgCopyItem *item = &g_array_index(items, PgCopyItem, i);

        bytes += item->same ? 0 : item->file->content.size;
    }
    return bytes;
}

gboolean pg_copy_local(const PgCopyLocal *copy, GError **error)
{
    FILE_AUTO_FD directory = open(copy->data_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Shared shared = {copy, directory, 0};
    g_autoptr(Workers) workers = NULL;
    gint64 now = time_now();

    if (directory < 0) {
        error_set_errno(error, errno, "cannot open the data directory %s", copy->data_directory);
        return FALSE;
    }
    progress_begin(copy->progress, "copying", bytes_to_read(copy->items), 0);
    g_array_sort_with_data(copy->items, compare_items, &now);
    workers = workers_new(copy->jobs, 0, run_worker, &shared, NULL, copy->cancellable);
    for (guint i = 0; i < copy->jobs; i++)
        if (!workers_push(workers, GUINT_TO_POINTER(i + 1)))
            break;
    return workers_wait(workers, error);
}

gboolean pg_copy_bytes(PoolWriter *pool, PgFile *file, GBytes *bytes, GError **error)
{
    g_autoptr(PoolStream) stream = pool_stream_new(pool);
    g_autoptr(PoolFileWriter) target = NULL;
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);

    pool_stream_set_func(stream, take_content, NULL);
    file->crc32c = crc32c(0, data, length);
    target = pool_file_begin(stream, length, NULL, NULL, file, error);
    return target != NULL && pool_file_write(target, data, length, error) &&
           pool_file_finish(g_steal_pointer(&target), error) && pool_stream_close(stream, error);
}
