/* SPDX-License-Identifier: Apache-2.0
 *
 * The workers that write a data directory's files from the pool. Work is handed out in the order in
 * which the bytes are stored, in pieces that are large enough for reading ahead and small enough
 * for an even end.
 */
#include "postgres/restore-place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/workers.h"
#include "postgres/file-list.h"

/* A file beyond this is written in several pieces, by whoever is free. */
#define PIECE_SIZE ((guint64)32 << 20)
/* What a worker takes at a time, at least. */
#define CLAIM_SIZE ((guint64)4 << 20)

/* Writing back is begun after so many bytes of a file, so that the disk has something to do while
 * extents are decompressed, and the sync at the end little. What is smaller is left to the kernel: one
 * by one small files would cost the disk more than all of them together. */
#define WRITE_BACK_STEP ((guint64)8 << 20)
#define WRITE_BACK_MIN  ((guint64)1 << 20)

/* A run of extents of one file. */
typedef struct {
    const PgFile *file;
    guint32 first, count; /* extents; a file without any has one piece as well */
    guint32 pack;         /* where its first stored extent is: */
    guint64 offset;       /* the order of work */
} Piece;

typedef struct {
    const PgFilesRestore *restore;
    int directory;
    GArray *pieces; /* Piece */
    GMutex lock;
    guint next; /* under lock */
    guint64 written;
} Shared;

typedef struct {
    Shared *shared;
    guint8 *plain, *present; /* an extent each; `present` for delta */
    guint64 written;
    GCancellable *cancellable;
} Worker;

/* --- pieces ----------------------------------------------------------------------------------- */

static guint32 extents_of(const PoolFile *content)
{
    if (content->size == 0)
        return 0;
    return (guint32)((content->size + content->extent_size - 1) / content->extent_size);
}

static void find_place(const PoolFile *content, Piece *piece)
{
    for (guint32 i = 0; i < content->extent_count; i++) {
        const PoolExtent *extent = &pool_file_inline(content)[i];

        if (extent->length == 0)
            continue;
        piece->pack = extent->pack;
        piece->offset = extent->offset;
        return;
    }
    if (!pool_file_has_map(content))
        return;
    /* Where the extents are, only the map says; most stand in the first of its packs. */
    piece->pack = content->use_count > 0 ? content->uses[0].pack : content->map_pack;
    piece->offset = content->map_pack == piece->pack ? content->map_offset : 0;
}

static void add_pieces(GArray *pieces, const PgFile *file)
{
    const PoolFile *content = &file->content;
    guint32 total = extents_of(content);
    guint32 step = total > 0 ? (guint32)MAX(PIECE_SIZE / content->extent_size, 1) : 1;
    Piece piece = {.file = file};

    find_place(content, &piece);
    do {
        piece.count = MIN(step, total - piece.first);
        g_array_append_val(pieces, piece);
        piece.first += piece.count;
    } while (piece.first < total);
}

static int compare_pieces(gconstpointer a, gconstpointer b)
{
    const Piece *left = a, *right = b;

    if (left->pack != right->pack)
        return left->pack < right->pack ? -1 : 1;
    if (left->offset != right->offset)
        return left->offset < right->offset ? -1 : 1;
    if (left->file != right->file)
        return strcmp(left->file->path, right->file->path);
    return left->first < right->first ? -1 : left->first > right->first;
}

static guint64 piece_bytes(const Piece *piece)
{
    return (guint64)piece->count * piece->file->content.extent_size;
}

/* The next pieces for one worker. */
static gboolean claim(Shared *shared, guint *ret_first, guint *ret_end)
{
    guint64 bytes = 0;
    guint at;

    g_mutex_lock(&shared->lock);
    *ret_first = at = shared->next;
    while (at < shared->pieces->len && bytes < CLAIM_SIZE)
        bytes += piece_bytes(&g_array_index(shared->pieces, Piece, at++)) + 1;
    *ret_end = shared->next = at;
    g_mutex_unlock(&shared->lock);
    return *ret_first < *ret_end;
}

/* --- one piece -------------------------------------------------------------------------------- */

static gboolean open_target(const Worker *worker, const Piece *piece, int *ret_fd, GError **error)
{
    const PgPlace *place = worker->shared->restore->place;
    const PgFile *file = piece->file;
    const char *path = strcmp(file->path, PG_CONTROL_PATH) == 0 ? PG_CONTROL_NEW : file->path;
    FILE_AUTO_FD fd = openat(worker->shared->directory, path,
                             O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
                             (mode_t)file->mode | S_IWUSR | S_IRUSR);
    struct stat info;

    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set_errno(error, errno, "cannot make %s/%s", place->directory, path);
        return FALSE;
    }
    if (!S_ISREG(info.st_mode)) {
        error_set(error, ERROR_REFUSED, "%s/%s is no file", place->directory, path);
        return FALSE;
    }
    if ((place->user != NULL && info.st_uid != place->uid &&
         fchown(fd, place->uid, place->gid) != 0) ||
        ((info.st_mode & 07777) != file->mode && fchmod(fd, (mode_t)file->mode) != 0) ||
        ((guint64)info.st_size > file->content.size &&
         ftruncate(fd, (off_t)file->content.size) != 0)) {
        error_set_errno(error, errno, "cannot set up %s/%s", place->directory, path);
        return FALSE;
    }
    *ret_fd = fd;
    fd = -1;
    return TRUE;
}

static gboolean write_at(int fd, const guint8 *bytes, gsize length, guint64 offset,
                         const char *path, GError **error)
{
    while (length > 0) {
        ssize_t done = pwrite(fd, bytes, length, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            error_set_errno(error, errno, "cannot write %s", path);
            return FALSE;
        }
        bytes += done;
        length -= (gsize)done;
        offset += (guint64)done;
    }
    return TRUE;
}

static gboolean is_zero(const guint8 *bytes, gsize length)
{
    return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

/* Whether these bytes of the file are there already. What cannot be read is not. */
static gboolean is_present(const Worker *worker, int fd, const PoolExtent *extent, guint64 offset,
                           gsize length)
{
    guint64 key = pool_reader_hash_key(worker->shared->restore->physical->reader);
    gsize done = 0;
    Hash128 hash;

    while (done < length) {
        ssize_t got = pread(fd, worker->present + done, length - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return FALSE;
        done += (gsize)got;
    }
    if (extent->length == 0)
        return is_zero(worker->present, length);
    hash = xxh3_buffer(worker->present, length, key);
    return hash.low == extent->hash.low && hash.high == extent->hash.high;
}

static gboolean restore_extent(Worker *worker, const Piece *piece, const PoolExtent *extent, int fd,
                               guint64 offset, gsize length, GError **error)
{
    const PgFilesRestore *restore = worker->shared->restore;
    guint32 block_size = restore->physical->block_size;

    if (restore->place->delta && is_present(worker, fd, extent, offset, length))
        return TRUE;
    if (!pool_extent_read(restore->physical->reader, extent, worker->plain, length, error)) {
        g_prefix_error(error, "blocks %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": ",
                       offset / block_size, (offset + length - 1) / block_size);
        return FALSE;
    }
    worker->written += length;
    return write_at(fd, worker->plain, length, offset, piece->file->path, error);
}

/* Begins to write the stretch back where it is large enough. Returns where the next one begins.
 * Whether the bytes are safe is what the sync at the end tells. */
static guint64 push(int fd, guint64 from, guint64 to, guint64 least)
{
    if (to - from < least)
        return from;
    (void)sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
    return to;
}

static gboolean restore_extents(Worker *worker, const Piece *piece, int fd, GError **error)
{
    const PgFilesRestore *restore = worker->shared->restore;
    const PoolFile *content = &piece->file->content;
    g_autoptr(GArray) extents = pool_file_extents(restore->physical->reader, content, error);
    guint64 pushed;

    if (extents == NULL)
        return FALSE;
    if (extents->len < piece->first + piece->count) {
        error_set(error, ERROR_DAMAGED, "the backup has too few extents of it");
        return FALSE;
    }
    pushed = (guint64)piece->first * content->extent_size;
    for (guint32 i = piece->first; i < piece->first + piece->count; i++) {
        const PoolExtent *extent = &g_array_index(extents, PoolExtent, i);
        guint64 offset = (guint64)i * content->extent_size;
        gsize length = (gsize)MIN(content->extent_size, content->size - offset);

        if (g_cancellable_is_cancelled(worker->cancellable)) {
            error_set(error, ERROR_CANCELLED, "the restore was cancelled");
            return FALSE;
        }
        if (!restore_extent(worker, piece, extent, fd, offset, length, error))
            return FALSE;
        progress_add(restore->progress, length, 0);
        pushed = push(fd, pushed, offset + length,
                      i + 1 < piece->first + piece->count ? WRITE_BACK_STEP : WRITE_BACK_MIN);
    }
    return TRUE;
}

static gboolean restore_piece(Worker *worker, const Piece *piece, GError **error)
{
    FILE_AUTO_FD fd = -1;

    if (!open_target(worker, piece, &fd, error))
        return FALSE;
    if (piece->count > 0 && !restore_extents(worker, piece, fd, error)) {
        g_prefix_error(error, "%s: ", piece->file->path);
        return FALSE;
    }
    /* Some file systems tell of a full disk only here. */
    if (close(g_steal_fd(&fd)) != 0) {
        error_set_errno(error, errno, "cannot close %s", piece->file->path);
        return FALSE;
    }
    return TRUE;
}

/* --- workers ---------------------------------------------------------------------------------- */

static gboolean run_worker(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    Shared *shared = data;
    g_autofree guint8 *plain = g_malloc(POOL_EXTENT_LARGEST);
    g_autofree guint8 *present =
        shared->restore->place->delta ? g_malloc(POOL_EXTENT_LARGEST) : NULL;
    Worker worker = {shared, plain, present, 0, cancellable};
    guint first, end;

    while (claim(shared, &first, &end)) {
        for (guint i = first; i < end; i++) {
            if (!restore_piece(&worker, &g_array_index(shared->pieces, Piece, i), error))
                return FALSE;
        }
    }
    g_mutex_lock(&shared->lock);
    shared->written += worker.written;
    g_mutex_unlock(&shared->lock);
    return TRUE;
}

static gboolean run_workers(Shared *shared, GError **error)
{
    const PgFilesRestore *restore = shared->restore;
    g_autoptr(Workers) workers =
        workers_new(restore->jobs, 0, run_worker, shared, NULL, restore->cancellable);

    for (guint i = 0; i < restore->jobs; i++)
        if (!workers_push(workers, GUINT_TO_POINTER(i + 1)))
            break;
    return workers_wait(workers, error);
}

gboolean pg_place_restore_files(const PgFilesRestore *restore, PgFilesResult *ret_result,
                                GError **error)
{
    g_autoptr(GArray) pieces =
        g_array_sized_new(FALSE, FALSE, sizeof(Piece), restore->physical->files->len);
    FILE_AUTO_FD directory = open(restore->place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    Shared shared = {.restore = restore, .directory = directory, .pieces = pieces};
    PgFilesResult result = {0};
    gboolean done;

    if (directory < 0) {
        error_set_errno(error, errno, "cannot open %s", restore->place->directory);
        return FALSE;
    }
    for (guint i = 0; i < restore->physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(restore->physical->files, i);

        if (file->kind != PG_FILE_REGULAR)
            continue;
        add_pieces(pieces, file);
        result.files++;
        result.bytes += file->content.size;
    }
    g_array_sort(pieces, compare_pieces);
    progress_begin(restore->progress, "restoring files", result.bytes, 0);
    g_mutex_init(&shared.lock);
    done = run_workers(&shared, error);
    g_mutex_clear(&shared.lock);
    if (!done)
        return FALSE;
    result.written = shared.written;
    *ret_result = result;
    return TRUE;
}
