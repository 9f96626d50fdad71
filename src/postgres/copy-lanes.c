/* SPDX-License-Identifier: Apache-2.0
 *
 * Lanes: a queue of pieces and a worker each.
 */
#include "postgres/copy-lanes.h"

#include "base/error.h"
#include "base/workers.h"
#include "postgres/copy-local.h"
#include "postgres/file-list.h"

#include <string.h>

/* A whole number of extents and pages. */
#define PIECE_SIZE POOL_EXTENT_LARGEST
/* What waits in a lane, with something for the pieces themselves: files may be tiny. */
#define LANE_LIMIT ((gsize)24 * 1024 * 1024)
#define PIECE_COST 256
/* How soon a waiting worker sees a cancel. */
#define WAKE_PERIOD (G_USEC_PER_SEC / 10)

typedef struct {
    PgFile *file;
    PgFile *base; /* with a file's first piece, owned */
    guint64 size; /* of the file */
    guint64 offset;
    gsize length, room;
    guint8 bytes[];
} Piece;

typedef struct {
    PgCopyLanes *lanes;
    GMutex mutex;
    GCond work, room;
    GQueue pieces;
    gsize waiting;   /* bytes in the queue */
    gboolean closed; /* nothing more will come */
    gboolean gone;   /* nobody takes anything any more */
} Lane;

struct PgCopyLanes {
    PgCopyLanesOptions options;
    Workers *workers;
    Lane *lane; /* options.jobs of them */
    Lane *current;
    Piece *piece; /* being filled */
    guint64 size; /* of the file that is being fed */
};

static void piece_free(Piece *piece)
{
    if (piece == NULL)
        return;
    pg_file_free(piece->base);
    g_free(piece);
}

/* --- workers ---------------------------------------------------------------------------------- */

/* NULL: no more, or cancelled. */
static Piece *take_piece(Lane *lane, GCancellable *cancellable)
{
    Piece *piece;

    g_mutex_lock(&lane->mutex);
    while (g_queue_is_empty(&lane->pieces) && !lane->closed &&
           !g_cancellable_is_cancelled(cancellable))
        g_cond_wait_until(&lane->work, &lane->mutex, g_get_monotonic_time() + WAKE_PERIOD);
    piece = g_queue_pop_head(&lane->pieces);
    if (piece != NULL) {
        lane->waiting -= piece->room + PIECE_COST;
        g_cond_signal(&lane->room);
    }
    g_mutex_unlock(&lane->mutex);
    return piece;
}

static void take_content(PoolFile *content, gpointer tag, gpointer data)
{
    PgFile *file = tag;

    file->content = *content;
}

/* *target is the file that is being written, from its first piece to its last. */
static gboolean write_piece(const PgCopyLanesOptions *options, PoolStream *stream, Piece *piece,
                            PoolFileWriter **target, GError **error)
{
    PgFile *file = piece->file;
    PgRelationName name;

    if (piece->offset == 0) {
        *target = pool_file_begin(stream, piece->size, options->base_reader,
                                  piece->base != NULL ? &piece->base->content : NULL, file, error);
        if (*target == NULL)
            return FALSE;
    }
    if (options->pages != NULL && pg_file_is_relation(file->path, &name))
        pg_page_check_piece(options->pages, file->path, &name, -1, piece->bytes, piece->length,
                            piece->offset);
    file->crc32c = crc32c(file->crc32c, piece->bytes, piece->length);
    if (!pool_file_write(*target, piece->bytes, piece->length, error))
        return FALSE;
    progress_add(options->progress, piece->length, 0);
    return piece->offset + piece->length < piece->size ||
           pool_file_finish(g_steal_pointer(target), error);
}

static gboolean work_lane(Lane *lane, PoolStream *stream, GCancellable *cancellable, GError **error)
{
    g_autoptr(PoolFileWriter) target = NULL;
    Piece *piece;

    while ((piece = take_piece(lane, cancellable)) != NULL) {
        gboolean written = write_piece(&lane->lanes->options, stream, piece, &target, error);

        if (!written)
            g_prefix_error(error, "%s: ", piece->file->path);
        piece_free(piece);
        if (!written)
            return FALSE;
    }
    if (!error_unless_cancelled(cancellable, error))
        return FALSE;
    return pool_stream_close(stream, error);
}

static gboolean run_lane(gpointer task, gpointer data, GCancellable *cancellable, GError **error)
{
    Lane *lane = task;
    g_autoptr(PoolStream) stream = pool_stream_new(lane->lanes->options.pool);
    gboolean result;

    if (lane->lanes->options.nice)
        pg_copy_give_way();
    pool_stream_set_func(stream, take_content, NULL);
    result = work_lane(lane, stream, cancellable, error);
    g_mutex_lock(&lane->mutex);
    lane->gone = TRUE;
    g_cond_broadcast(&lane->room);
    g_mutex_unlock(&lane->mutex);
    return result;
}

/* --- feeding ---------------------------------------------------------------------------------- */

PgCopyLanes *pg_copy_lanes_new(const PgCopyLanesOptions *options)
{
    PgCopyLanes *lanes = g_new0(PgCopyLanes, 1);

    lanes->options = *options;
    lanes->lane = g_new0(Lane, options->jobs);
    lanes->workers = workers_new(options->jobs, 0, run_lane, lanes, NULL, options->cancellable);
    for (guint i = 0; i < options->jobs; i++) {
        Lane *lane = &lanes->lane[i];

        lane->lanes = lanes;
        g_mutex_init(&lane->mutex);
        g_cond_init(&lane->work);
        g_cond_init(&lane->room);
        g_queue_init(&lane->pieces);
        /* After a cancel nobody takes from the lane. */
        lane->gone = !workers_push(lanes->workers, lane);
    }
    return lanes;
}

void pg_copy_lanes_free(PgCopyLanes *lanes)
{
    if (lanes == NULL)
        return;
    workers_free(lanes->workers);
    for (guint i = 0; i < lanes->options.jobs; i++) {
        Lane *lane = &lanes->lane[i];

        g_queue_clear_full(&lane->pieces, (GDestroyNotify)piece_free);
        g_cond_clear(&lane->room);
        g_cond_clear(&lane->work);
        g_mutex_clear(&lane->mutex);
    }
    piece_free(lanes->piece);
    g_free(lanes->lane);
    g_free(lanes);
}

static void close_lanes(PgCopyLanes *lanes)
{
    for (guint i = 0; i < lanes->options.jobs; i++) {
        Lane *lane = &lanes->lane[i];

        g_mutex_lock(&lane->mutex);
        lane->closed = TRUE;
        g_cond_broadcast(&lane->work);
        g_mutex_unlock(&lane->mutex);
    }
}

/* A lane is gone before its time only when it has failed, or after a cancel: the group knows
 * why. */
static gboolean tell_failure(PgCopyLanes *lanes, GError **error)
{
    close_lanes(lanes);
    if (workers_wait(lanes->workers, error))
        error_set(error, ERROR_CANCELLED, "cancelled");
    return FALSE;
}

/* Hands the piece over that is being filled. */
static gboolean push_piece(PgCopyLanes *lanes, GError **error)
{
    Lane *lane = lanes->current;
    gboolean gone;

    g_mutex_lock(&lane->mutex);
    while (lane->waiting > LANE_LIMIT && !lane->gone)
        g_cond_wait(&lane->room, &lane->mutex);
    gone = lane->gone;
    if (!gone) {
        lane->waiting += lanes->piece->room + PIECE_COST;
        g_queue_push_tail(&lane->pieces, g_steal_pointer(&lanes->piece));
        g_cond_signal(&lane->work);
    }
    g_mutex_unlock(&lane->mutex);
    return !gone || tell_failure(lanes, error);
}

static Lane *least_busy(PgCopyLanes *lanes)
{
    Lane *best = NULL;
    gsize least = G_MAXSIZE;

    for (guint i = 0; i < lanes->options.jobs; i++) {
        Lane *lane = &lanes->lane[i];

        g_mutex_lock(&lane->mutex);
        if (best == NULL || lane->waiting < least) {
            best = lane;
            least = lane->waiting;
        }
        g_mutex_unlock(&lane->mutex);
    }
    return best;
}

static void new_piece(PgCopyLanes *lanes, PgFile *file, guint64 offset)
{
    gsize room = (gsize)MIN(PIECE_SIZE, lanes->size - offset);
    Piece *piece = g_malloc(sizeof(Piece) + room);

    *piece = (Piece){.file = file, .size = lanes->size, .offset = offset, .room = room};
    lanes->piece = piece;
}

gboolean pg_copy_lanes_begin(PgCopyLanes *lanes, PgFile *file, guint64 size, PgFile *base,
                             GError **error)
{
    lanes->current = least_busy(lanes);
    lanes->size = size;
    file->crc32c = 0;
    new_piece(lanes, file, 0);
    lanes->piece->base = base;
    return size > 0 || push_piece(lanes, error);
}

gboolean pg_copy_lanes_write(PgCopyLanes *lanes, const guint8 *bytes, gsize length, GError **error)
{
    while (length > 0) {
        Piece *piece = lanes->piece;
        gsize take;

        if (piece == NULL) {
            error_set(error, ERROR_INTERNAL, "a file got more bytes than it has");
            return FALSE;
        }
        take = MIN(length, piece->room - piece->length);
        memcpy(piece->bytes + piece->length, bytes, take);
        piece->length += take;
        bytes += take;
        length -= take;
        if (piece->length == piece->room) {
            PgFile *file = piece->file;
            guint64 next = piece->offset + piece->length;

            if (!push_piece(lanes, error))
                return FALSE;
            if (next < lanes->size)
                new_piece(lanes, file, next);
        }
    }
    return TRUE;
}

gboolean pg_copy_lanes_finish(PgCopyLanes *lanes, GError **error)
{
    close_lanes(lanes);
    return workers_wait(lanes->workers, error);
}
