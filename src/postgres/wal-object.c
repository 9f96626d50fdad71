/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading one object of the WAL archive.
 */
#include "postgres/wal-object.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

/* Plain bytes of one zstd frame. Frames of their own cost next to nothing at this size, and level 1
 * without the codec's tuning for long streams of text is both faster and smaller on WAL. */
#define CHUNK ((gsize)4 << 20)
/* Compressed bytes that are kept until the digest that stands before them is known. What is larger
 * is compressed twice. */
#define KEPT_LIMIT ((gsize)64 << 20)

/* --- plain bytes ------------------------------------------------------------------------------ */

typedef gboolean (*PlainFunc)(const guint8 *bytes, gsize length, gpointer data, GError **error);

static gboolean read_chunk(const WalPlain *plain, guint64 offset, guint8 *buffer, gsize length,
                           GError **error)
{
    gsize done = 0;

    while (done < length) {
        ssize_t got = pread(plain->fd, buffer + done, length - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_set_errno(error, errno, "cannot read %s", plain->path);
            return FALSE;
        }
        if (got == 0) {
            error_set(error, ERROR_VANISHED, "%s became shorter while it was read", plain->path);
            return FALSE;
        }
        done += (gsize)got;
    }
    return TRUE;
}

static gboolean plain_each(const WalPlain *plain, PlainFunc func, gpointer data, GError **error)
{
    g_autofree guint8 *buffer = plain->bytes == NULL ? g_malloc(CHUNK) : NULL;

    for (guint64 offset = 0; offset < plain->size;) {
        gsize length = (gsize)MIN(plain->size - offset, CHUNK);
        const guint8 *bytes = plain->bytes != NULL ? plain->bytes + offset : buffer;

        if (buffer != NULL && !read_chunk(plain, offset, buffer, length, error))
            return FALSE;
        if (!func(bytes, length, data, error))
            return FALSE;
        offset += length;
    }
    return TRUE;
}

static gboolean hash_chunk(const guint8 *bytes, gsize length, gpointer data, GError **error)
{
    sha256_update(data, bytes, length);
    return TRUE;
}

gboolean wal_plain_hash(const WalPlain *plain, guint8 digest[SHA256_SIZE], GError **error)
{
    g_autoptr(Sha256) hash = sha256_new();

    if (!plain_each(plain, hash_chunk, hash, error))
        return FALSE;
    sha256_finish(hash, digest);
    return TRUE;
}

/* --- hashing beside --------------------------------------------------------------------------- */

/* Compressing takes three times as long as hashing: a thread of its own hides the hash. Few buffers
 * go round, so that memory stays bounded whichever of the two is slower. */
#define LANE_BUFFERS 3
#define LANE_MINIMUM ((guint64)2 << 20) /* below, a thread costs more than it saves */

typedef struct {
    guint8 *bytes;
    gsize length; /* 0: the end */
} LaneBuffer;

typedef struct {
    LaneBuffer buffers[LANE_BUFFERS];
    GAsyncQueue *idle, *filled;
    Sha256 *hash;
    GThread *thread;
} HashLane;

static gpointer run_lane(gpointer data)
{
    HashLane *lane = data;

    for (;;) {
        LaneBuffer *buffer = g_async_queue_pop(lane->filled);

        if (buffer->length == 0)
            return NULL;
        sha256_update(lane->hash, buffer->bytes, buffer->length);
        g_async_queue_push(lane->idle, buffer);
    }
}

static HashLane *lane_new(Sha256 *hash)
{
    HashLane *lane = g_new0(HashLane, 1);

    lane->hash = hash;
    lane->idle = g_async_queue_new();
    lane->filled = g_async_queue_new();
    for (guint i = 0; i < LANE_BUFFERS; i++) {
        lane->buffers[i].bytes = g_malloc(CHUNK);
        g_async_queue_push(lane->idle, &lane->buffers[i]);
    }
    lane->thread = g_thread_new("hash", run_lane, lane);
    return lane;
}

/* Waits until all is hashed. */
static void lane_free(HashLane *lane)
{
    LaneBuffer end = {0};

    if (lane == NULL)
        return;
    g_async_queue_push(lane->filled, &end);
    (void)g_thread_join(lane->thread);
    for (guint i = 0; i < LANE_BUFFERS; i++)
        g_free(lane->buffers[i].bytes);
    g_async_queue_unref(lane->idle);
    g_async_queue_unref(lane->filled);
    g_free(lane);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HashLane, lane_free)

/* --- writing ---------------------------------------------------------------------------------- */

/* One pass over the plain bytes. The first one hashes and keeps what it makes; where that is too
 * much, a second writes it. */
typedef struct {
    Sha256 *plain_hash, *stored_hash;
    CompressSpec spec;
    guint8 *out;      /* room for a compressed chunk */
    GByteArray *kept; /* NULL: not kept */
    StoreWriter *writer;
    guint64 stored_size;
} Pass;

static void pass_clear(Pass *pass)
{
    g_free(pass->out);
    sha256_free(pass->plain_hash);
    sha256_free(pass->stored_hash);
    g_clear_pointer(&pass->kept, g_byte_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pass, pass_clear)

static gboolean take_stored(Pass *pass, const void *bytes, gsize length, GError **error)
{
    sha256_update(pass->stored_hash, bytes, length);
    pass->stored_size += length;
    if (pass->writer != NULL)
        return store_write(pass->writer, bytes, length, error);
    if (pass->kept != NULL && pass->kept->len + length > KEPT_LIMIT)
        g_clear_pointer(&pass->kept, g_byte_array_unref);
    if (pass->kept != NULL)
        g_byte_array_append(pass->kept, bytes, (guint)length);
    return TRUE;
}

static gboolean compress_chunk(Pass *pass, const guint8 *bytes, gsize length, GError **error)
{
    gsize stored;

    return compress_buffer(pass->spec, bytes, length, pass->out, compress_bound(pass->spec, CHUNK),
                           &stored, error) &&
           take_stored(pass, pass->out, stored, error);
}

static gboolean take_plain(const guint8 *bytes, gsize length, gpointer data, GError **error)
{
    Pass *pass = data;

    sha256_update(pass->plain_hash, bytes, length);
    return compress_chunk(pass, bytes, length, error);
}

/* Reads the file once; each part is hashed by the lane while the next one is compressed here. */
static gboolean run_beside(Pass *pass, const WalPlain *plain, GError **error)
{
    g_autoptr(HashLane) lane = lane_new(pass->plain_hash);

    for (guint64 offset = 0; offset < plain->size;) {
        gsize length = (gsize)MIN(plain->size - offset, CHUNK);
        LaneBuffer *buffer = g_async_queue_pop(lane->idle);

        if (!read_chunk(plain, offset, buffer->bytes, length, error))
            return FALSE;
        buffer->length = length;
        /* Compressed first: after that the lane may give the buffer back at any moment. The lane
         * hashes this part while the next one is compressed. */
        if (!compress_chunk(pass, buffer->bytes, length, error))
            return FALSE;
        g_async_queue_push(lane->filled, buffer);
        offset += length;
    }
    return TRUE;
}

static gboolean pass_run(Pass *pass, const WalPlain *plain, int level, WalFrame *frame,
                         GError **error)
{
    pass->plain_hash = sha256_new();
    pass->stored_hash = sha256_new();
    pass->spec = (CompressSpec){CODEC_ZSTD, level};
    pass->out = g_malloc(compress_bound(pass->spec, CHUNK));
    if (plain->bytes == NULL && plain->size >= LANE_MINIMUM
            ? !run_beside(pass, plain, error)
            : !plain_each(plain, take_plain, pass, error))
        return FALSE;
    frame->plain_size = plain->size;
    frame->stored_size = pass->stored_size;
    sha256_finish(pass->plain_hash, frame->plain_sha256);
    sha256_finish(pass->stored_hash, frame->stored_sha256);
    return TRUE;
}

/* The frame has been written: what follows must be what it says, even where the file changed
 * between the passes. */
static gboolean write_again(StoreWriter *writer, const WalPlain *plain, int level,
                            const WalFrame *frame, GError **error)
{
    g_auto(Pass) pass = {.writer = writer};
    WalFrame again = *frame;

    if (!pass_run(&pass, plain, level, &again, error))
        return FALSE;
    if (again.stored_size == frame->stored_size &&
        memcmp(again.plain_sha256, frame->plain_sha256, SHA256_SIZE) == 0 &&
        memcmp(again.stored_sha256, frame->stored_sha256, SHA256_SIZE) == 0)
        return TRUE;
    error_set(error, ERROR_VANISHED, "%s changed while it was read", plain->path);
    return FALSE;
}

gboolean wal_object_write(Store *store, const char *object, const WalPlain *plain, int level,
                          WalFrame *frame, GError **error)
{
    g_auto(Pass) pass = {.kept = g_byte_array_new()};
    g_autoptr(StoreWriter) writer = NULL;
    guint8 head[WAL_FRAME_SIZE];

    if (!pass_run(&pass, plain, level, frame, error))
        return FALSE;
    wal_frame_write(frame, head);
    writer = store_begin(store, object, error);
    if (writer == NULL || !store_write(writer, head, sizeof head, error))
        return FALSE;
    if (pass.kept != NULL ? !store_write(writer, pass.kept->data, pass.kept->len, error)
                          : !write_again(writer, plain, level, frame, error))
        return FALSE;
    return store_commit(writer, error);
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct {
    guint8 head[WAL_FRAME_SIZE];
    gsize head_length;
    WalFrame frame;
    Sha256 *stored_hash, *plain_hash; /* plain_hash is NULL where a sink takes the bytes */
    guint64 stored_size, plain_size;
    Decompressor *decompressor;
    CodecSink sink;
    gpointer data;
} Reading;

static void reading_clear(Reading *reading)
{
    decompressor_free(reading->decompressor);
    sha256_free(reading->stored_hash);
    sha256_free(reading->plain_hash);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

static gboolean give_plain(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;

    reading->plain_size += length;
    if (reading->plain_size > reading->frame.plain_size) {
        error_set(error, ERROR_DAMAGED, "it holds more bytes than its metadata says");
        return FALSE;
    }
    if (reading->plain_hash != NULL)
        sha256_update(reading->plain_hash, bytes, length);
    return reading->sink == NULL || reading->sink(bytes, length, reading->data, error);
}

/* We never write a window that the decompressor refuses: a stream that asks for one is broken. */
static gboolean decompress(Reading *reading, const guint8 *bytes, gsize length, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (decompressor_write(reading->decompressor, bytes, length, &problem))
        return TRUE;
    if (error_is(problem, ERROR_LIMIT))
        error_set(error, ERROR_DAMAGED, "its zstd stream is broken");
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

static gboolean take_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;
    const guint8 *at = bytes;
    gsize head = MIN(length, WAL_FRAME_SIZE - reading->head_length);

    if (head > 0) {
        memcpy(reading->head + reading->head_length, at, head);
        reading->head_length += head;
        if (reading->head_length == WAL_FRAME_SIZE &&
            !wal_frame_read(reading->head, WAL_FRAME_SIZE, &reading->frame, error))
            return FALSE;
        at += head;
        length -= head;
    }
    if (length == 0)
        return TRUE;
    sha256_update(reading->stored_hash, at, length);
    reading->stored_size += length;
    return reading->decompressor == NULL || decompress(reading, at, length, error);
}

static gboolean check_ends(Reading *reading, GError **error)
{
    guint8 digest[SHA256_SIZE];

    if (reading->head_length < WAL_FRAME_SIZE) {
        error_set(error, ERROR_DAMAGED, "it is cut short");
        return FALSE;
    }
    sha256_finish(reading->stored_hash, digest);
    if (reading->stored_size != reading->frame.stored_size ||
        memcmp(digest, reading->frame.stored_sha256, SHA256_SIZE) != 0) {
        error_set(error, ERROR_DAMAGED, "its bytes are not those that were written");
        return FALSE;
    }
    if (reading->decompressor == NULL)
        return TRUE;
    if (!decompressor_finish(reading->decompressor, error))
        return FALSE;
    if (reading->plain_hash != NULL)
        sha256_finish(reading->plain_hash, digest);
    if (reading->plain_size != reading->frame.plain_size ||
        (reading->plain_hash != NULL &&
         memcmp(digest, reading->frame.plain_sha256, SHA256_SIZE) != 0)) {
        error_set(error, ERROR_DAMAGED, "what it holds is not what was archived");
        return FALSE;
    }
    return TRUE;
}

gboolean wal_object_frame(Store *store, const char *object, WalFrame *ret_frame, GError **error)
{
    guint8 head[WAL_FRAME_SIZE];
    gsize length;

    if (!store_read(store, object, 0, head, sizeof head, &length, error))
        return FALSE;
    if (wal_frame_read(head, length, ret_frame, error))
        return TRUE;
    g_prefix_error(error, "%s in %s: ", object, store_location(store));
    return FALSE;
}

static gboolean read_through(Reading *reading, Store *store, const char *object, GError **error)
{
    g_autoptr(GError) problem = NULL;

    reading->stored_hash = sha256_new();
    if (store_stream(store, object, take_piece, reading, NULL, &problem) &&
        check_ends(reading, &problem))
        return TRUE;
    if (error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_NEWER_FORMAT))
        g_prefix_error(&problem, "%s in %s: ", object, store_location(store));
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean wal_object_check(Store *store, const char *object, GError **error)
{
    g_auto(Reading) reading = {0};

    return read_through(&reading, store, object, error);
}

gboolean wal_object_read(Store *store, const char *object, CodecSink sink, gpointer data,
                         WalFrame *ret_frame, GError **error)
{
    g_auto(Reading) reading = {.sink = sink, .data = data};

    reading.plain_hash = sink == NULL ? sha256_new() : NULL;
    reading.decompressor = decompressor_new(CODEC_ZSTD, give_plain, &reading);
    if (!read_through(&reading, store, object, error))
        return FALSE;
    if (ret_frame != NULL)
        *ret_frame = reading.frame;
    return TRUE;
}
