/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing and reading one object of the WAL archive.
 */
#include "postgres/wal-object.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lane.h"
#include "repo/stored.h"

/* Plain bytes of one zstd frame: small enough that a reader decompresses it in one go, without a
 * window of its own, and that reading, compressing and hashing find it in the cache. */
#define FRAME ((gsize)128 << 10)
/* What a frame that is read may hold. */
#define FRAME_LARGEST ((gsize)4 << 20)
/* Plain bytes that are read at once, and go from one thread to the other. */
#define CHUNK ((gsize)256 << 10)
/* Plain bytes of which the compressed ones are kept until the digest that stands before them is
 * known. What is larger is compressed twice. */
#define KEPT_LIMIT ((guint64)64 << 20)
/* Plain bytes from which on a second thread saves more than it costs. */
#define LANE_MINIMUM ((guint64)2 << 20)

/* --- plain bytes ------------------------------------------------------------------------------ */

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

gboolean wal_plain_hash(const WalPlain *plain, guint8 digest[SHA256_SIZE], GError **error)
{
    g_autoptr(Sha256) hash = sha256_new();
    g_autofree guint8 *buffer = plain->bytes == NULL ? g_malloc(CHUNK) : NULL;

    for (guint64 offset = 0; offset < plain->size; offset += CHUNK) {
        gsize length = (gsize)MIN(plain->size - offset, CHUNK);

        if (buffer != NULL && !read_chunk(plain, offset, buffer, length, error))
            return FALSE;
        sha256_update(hash, buffer != NULL ? buffer : plain->bytes + offset, length);
    }
    sha256_finish(hash, digest);
    return TRUE;
}

/* --- compressing ------------------------------------------------------------------------------ */

/* A chunk's zstd frames. They are made in place, in room for the worst case of which only what is
 * written to is ever backed by memory. */
typedef struct {
    guint8 *frames;
    gsize room, length;
    gint ready; /* atomic: the length and the frames are those of the chunk */
} Slot;

static gboolean slot_fill(Slot *slot, CompressSpec spec, const guint8 *bytes, gsize length,
                          GError **error)
{
    slot->length = 0;
    for (gsize offset = 0; offset < length; offset += FRAME) {
        gsize stored;

        if (!compress_buffer(spec, bytes + offset, MIN(length - offset, FRAME),
                             slot->frames + slot->length, slot->room - slot->length, &stored,
                             error))
            return FALSE;
        slot->length += stored;
    }
    g_atomic_int_set(&slot->ready, TRUE);
    return TRUE;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* One pass over the plain bytes, a part of at most KEPT_LIMIT at a time. */
typedef struct {
    Sha256 *plain_hash, *stored_hash;
    CompressSpec spec;
    guint8 *frames; /* the room of all slots */
    Slot *slots;
    guint count, hashed;  /* slots that the current part fills; those whose frames are hashed */
    StoredWriter *writer; /* NULL: only measured */
    guint64 stored_size;
} Pass;

static void pass_clear(Pass *pass)
{
    g_free(pass->frames);
    g_free(pass->slots);
    sha256_free(pass->plain_hash);
    sha256_free(pass->stored_hash);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pass, pass_clear)

static void pass_begin(Pass *pass, const WalPlain *plain, int level)
{
    guint slots = (guint)((MIN(plain->size, KEPT_LIMIT) + CHUNK - 1) / CHUNK);
    gsize room;

    pass->spec = (CompressSpec){CODEC_ZSTD, level, COMPRESS_SMALL_RECORDS};
    room = compress_bound(pass->spec, FRAME) * (CHUNK / FRAME);
    pass->plain_hash = sha256_new();
    pass->stored_hash = sha256_new();
    pass->frames = g_malloc_n(slots, room);
    pass->slots = g_new0(Slot, slots);
    for (guint i = 0; i < slots; i++)
        pass->slots[i] = (Slot){.frames = pass->frames + i * room, .room = room};
}

static gboolean fill_from_memory(Pass *pass, const guint8 *bytes, gsize length, GError **error)
{
    for (gsize offset = 0; offset < length; offset += CHUNK) {
        gsize part = MIN(length - offset, CHUNK);

        if (!slot_fill(&pass->slots[pass->count++], pass->spec, bytes + offset, part, error))
            return FALSE;
    }
    sha256_update(pass->plain_hash, bytes, length);
    return TRUE;
}

static gboolean fill_alone(Pass *pass, const WalPlain *plain, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(plain->size);

    return read_chunk(plain, 0, buffer, plain->size, error) &&
           fill_from_memory(pass, buffer, plain->size, error);
}

/* In the lane: hashes all, and compresses what comes with a slot. */
static gboolean hash_and_fill(const LaneBuffer *buffer, gpointer data, GError **error)
{
    Pass *pass = data;

    sha256_update(pass->plain_hash, buffer->bytes, buffer->length);
    return buffer->tag == NULL ||
           slot_fill(buffer->tag, pass->spec, buffer->bytes, buffer->length, error);
}

/* The frames are hashed in their order, whoever makes them. */
static void hash_ready(Pass *pass)
{
    while (pass->hashed < pass->count && g_atomic_int_get(&pass->slots[pass->hashed].ready)) {
        const Slot *slot = &pass->slots[pass->hashed++];

        sha256_update(pass->stored_hash, slot->frames, slot->length);
        pass->stored_size += slot->length;
    }
}

/* Hashing takes a third of the time of compressing: a second thread does that of all plain bytes,
 * and compresses too when it has nothing else to do. It has a chunk before we compress it, or it
 * would have none meanwhile, and never be found idle. */
static gboolean fill_with_lane(Pass *pass, const WalPlain *plain, guint64 start, gsize length,
                               GError **error)
{
    g_autoptr(Lane) lane = lane_new("wal-push", CHUNK, hash_and_fill, pass);

    for (gsize offset = 0; offset < length; offset += CHUNK) {
        LaneBuffer *buffer = lane_take(lane);
        Slot *slot = &pass->slots[pass->count++];
        gsize part = buffer->length = MIN(length - offset, CHUNK);
        gboolean ours = lane_pending(lane) >= 0;

        buffer->tag = ours ? NULL : slot;
        if (!read_chunk(plain, start + offset, buffer->bytes, buffer->length, error))
            return FALSE;
        if (!lane_give(lane, buffer))
            break;
        if (ours && !slot_fill(slot, pass->spec, buffer->bytes, part, error))
            return FALSE;
        hash_ready(pass);
    }
    return lane_end(lane, error);
}

/* Fills the slots with the part that begins at `start`. */
static gboolean fill(Pass *pass, const WalPlain *plain, guint64 start, gsize length, GError **error)
{
    for (guint i = 0; i < pass->count; i++)
        pass->slots[i].ready = FALSE;
    pass->count = pass->hashed = 0;
    if (plain->bytes != NULL)
        return fill_from_memory(pass, plain->bytes + start, length, error);
    if (plain->size < LANE_MINIMUM)
        return fill_alone(pass, plain, error);
    return fill_with_lane(pass, plain, start, length, error);
}

static gboolean write_slots(const Pass *pass, StoredWriter *writer, GError **error)
{
    for (guint i = 0; i < pass->count; i++) {
        if (!stored_write(writer, pass->slots[i].frames, pass->slots[i].length, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean pass_run(Pass *pass, const WalPlain *plain, int level, WalFrame *frame,
                         GError **error)
{
    pass_begin(pass, plain, level);
    for (guint64 start = 0; start < plain->size; start += KEPT_LIMIT) {
        gsize length = (gsize)MIN(plain->size - start, KEPT_LIMIT);

        if (!fill(pass, plain, start, length, error))
            return FALSE;
        hash_ready(pass);
        if (pass->writer != NULL && !write_slots(pass, pass->writer, error))
            return FALSE;
    }
    frame->plain_size = plain->size;
    frame->stored_size = pass->stored_size;
    sha256_finish(pass->plain_hash, frame->plain_sha256);
    sha256_finish(pass->stored_hash, frame->stored_sha256);
    return TRUE;
}

/* The frame has been written: what follows must be what it says, even where the file changed
 * between the passes. */
static gboolean write_again(StoredWriter *writer, const WalPlain *plain, int level,
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

gboolean wal_object_write(Repository *repository, const char *object, const WalPlain *plain,
                          int level, WalFrame *frame, GError **error)
{
    g_auto(Pass) pass = {0};
    g_autoptr(StoredWriter) writer = NULL;
    guint8 head[WAL_FRAME_SIZE];
    guint64 size;

    if (!pass_run(&pass, plain, level, frame, error))
        return FALSE;
    wal_frame_write(frame, head);
    writer = stored_begin(repository, SEAL_WAL, object, NULL, error);
    if (writer == NULL || !stored_write(writer, head, sizeof head, error))
        return FALSE;
    if (plain->size <= KEPT_LIMIT ? !write_slots(&pass, writer, error)
                                  : !write_again(writer, plain, level, frame, error))
        return FALSE;
    return stored_finish(writer, &size, error) && stored_commit(writer, error);
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

    /* Into a file: frames are decompressed apart from each other, here and in a second thread. */
    int fd;
    const char *path;
    GByteArray *rest; /* stored bytes of which no whole frame has come yet */
    Lane *lane;
    guint8 *plain, *lane_plain; /* room for a frame for each of the two */
} Reading;

static void reading_clear(Reading *reading)
{
    lane_free(reading->lane);
    g_clear_pointer(&reading->rest, g_byte_array_unref);
    g_free(reading->plain);
    g_free(reading->lane_plain);
    decompressor_free(reading->decompressor);
    sha256_free(reading->stored_hash);
    sha256_free(reading->plain_hash);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

/* The stream tells that more comes out of it than its metadata says. */
static gboolean count_plain(Reading *reading, guint64 length, GError **error)
{
    reading->plain_size += length;
    if (reading->plain_size <= reading->frame.plain_size)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "it holds more bytes than its metadata says");
    return FALSE;
}

static gboolean give_plain(const void *bytes, gsize length, gpointer data, GError **error)
{
    Reading *reading = data;

    if (!count_plain(reading, length, error))
        return FALSE;
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

static gboolean write_at(const Reading *reading, const guint8 *bytes, gsize length, guint64 offset,
                         GError **error)
{
    while (length > 0) {
        ssize_t done = pwrite(reading->fd, bytes, length, (off_t)offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            error_set_errno(error, errno, "cannot write %s", reading->path);
            return FALSE;
        }
        bytes += done;
        length -= (gsize)done;
        offset += (guint64)done;
    }
    return TRUE;
}

/* Whole frames, one behind the other; what they hold goes to `offset` of the file. */
static gboolean place_frames(const Reading *reading, guint8 *plain, const guint8 *bytes,
                             gsize length, guint64 offset, GError **error)
{
    while (length > 0) {
        guint64 size = 0;
        gsize stored = 0, made;

        if (!compress_zstd_frame(bytes, length, &stored, &size) ||
            !decompress_buffer(CODEC_ZSTD, bytes, stored, plain, FRAME_LARGEST, &made, NULL) ||
            made != size) {
            error_set(error, ERROR_DAMAGED, "its zstd stream is broken");
            return FALSE;
        }
        if (!write_at(reading, plain, made, offset, error))
            return FALSE;
        bytes += stored;
        length -= stored;
        offset += made;
    }
    return TRUE;
}

static gboolean place_in_lane(const LaneBuffer *buffer, gpointer data, GError **error)
{
    const Reading *reading = data;

    return place_frames(reading, reading->lane_plain, buffer->bytes, buffer->length,
                        GPOINTER_TO_SIZE(buffer->tag), error);
}

/* To the lane, unless it has something to go on with. */
static gboolean share_frames(Reading *reading, const guint8 *bytes, gsize length, guint64 offset,
                             GError **error)
{
    LaneBuffer *buffer;

    if (reading->lane == NULL && reading->frame.plain_size >= LANE_MINIMUM) {
        reading->lane_plain = g_malloc(FRAME_LARGEST);
        reading->lane = lane_new("wal-get", CHUNK, place_in_lane, reading);
    }
    if (reading->lane == NULL || length > CHUNK || lane_pending(reading->lane) > 0)
        return place_frames(reading, reading->plain, bytes, length, offset, error);
    buffer = lane_take(reading->lane);
    memcpy(buffer->bytes, bytes, length);
    buffer->length = length;
    buffer->tag = GSIZE_TO_POINTER(offset);
    return lane_give(reading->lane, buffer) || lane_end(reading->lane, error);
}

/* The whole frames that the bytes begin with, as many as fit a buffer of the lane, at least one; 0
 * where none is whole. *ret_plain is what they hold. */
static gsize measure_frames(const guint8 *bytes, gsize length, guint64 *ret_plain)
{
    gsize end = 0, stored;
    guint64 plain;

    *ret_plain = 0;
    while (compress_zstd_frame(bytes + end, length - end, &stored, &plain) &&
           (end == 0 || end + stored <= CHUNK)) {
        end += stored;
        *ret_plain += plain;
    }
    return end;
}

/* Places all whole frames; *ret_taken is their length. */
static gboolean take_whole(Reading *reading, const guint8 *bytes, gsize length, gsize *ret_taken,
                           GError **error)
{
    gsize taken = 0, whole;
    guint64 plain;

    while ((whole = measure_frames(bytes + taken, length - taken, &plain)) > 0) {
        guint64 offset = reading->plain_size;

        if (!count_plain(reading, plain, error) ||
            !share_frames(reading, bytes + taken, whole, offset, error))
            return FALSE;
        taken += whole;
    }
    *ret_taken = taken;
    return TRUE;
}

/* A frame that the last piece ended in is made whole in the rest; all others are taken where they
 * are. */
static gboolean take_frames(Reading *reading, const guint8 *bytes, gsize length, GError **error)
{
    gsize room = compress_bound((CompressSpec){CODEC_ZSTD}, FRAME);
    gsize before = reading->rest->len, taken = 0;

    if (before > 0) {
        g_byte_array_append(reading->rest, bytes, (guint)MIN(length, room));
        if (!take_whole(reading, reading->rest->data, reading->rest->len, &taken, error))
            return FALSE;
        g_byte_array_set_size(reading->rest, taken > 0 ? 0 : (guint)before);
        bytes += taken > 0 ? taken - before : 0;
        length -= taken > 0 ? taken - before : 0;
    }
    if (reading->rest->len == 0) {
        if (!take_whole(reading, bytes, length, &taken, error))
            return FALSE;
        g_byte_array_append(reading->rest, bytes + taken, (guint)(length - taken));
    } else {
        /* A frame larger than those that we write. */
        g_byte_array_append(reading->rest, bytes, (guint)length);
        if (!take_whole(reading, reading->rest->data, reading->rest->len, &taken, error))
            return FALSE;
        g_byte_array_remove_range(reading->rest, 0, (guint)taken);
    }
    if (reading->rest->len <= compress_bound((CompressSpec){CODEC_ZSTD}, FRAME_LARGEST))
        return TRUE;
    error_set(error, ERROR_DAMAGED, "its zstd stream is broken");
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
    if (reading->rest != NULL)
        return take_frames(reading, at, length, error);
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
    if (reading->decompressor == NULL && reading->rest == NULL)
        return TRUE;
    if (reading->lane != NULL && !lane_end(reading->lane, error))
        return FALSE;
    if (reading->rest != NULL && reading->rest->len > 0) {
        error_set(error, ERROR_DAMAGED, "it is cut short");
        return FALSE;
    }
    if (reading->decompressor != NULL && !decompressor_finish(reading->decompressor, error))
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

gboolean wal_object_frame(Repository *repository, const char *object, WalFrame *ret_frame,
                          GError **error)
{
    guint8 head[WAL_FRAME_SIZE];
    gsize length;

    if (!stored_read(repository, SEAL_WAL, object, 0, head, sizeof head, &length, error))
        return FALSE;
    if (wal_frame_read(head, length, ret_frame, error))
        return TRUE;
    g_prefix_error(error, "%s in %s: ", object, store_location(repository_store(repository)));
    return FALSE;
}

static gboolean read_through(Reading *reading, Repository *repository, const char *object,
                             GError **error)
{
    g_autoptr(GError) problem = NULL;

    reading->stored_hash = sha256_new();
    if (stored_stream(repository, SEAL_WAL, object, take_piece, reading, NULL, &problem) &&
        check_ends(reading, &problem))
        return TRUE;
    if (error_is(problem, ERROR_DAMAGED) || error_is(problem, ERROR_NEWER_FORMAT))
        g_prefix_error(&problem, "%s in %s: ", object,
                       store_location(repository_store(repository)));
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean wal_object_check(Repository *repository, const char *object, WalFrame *ret_frame,
                          GError **error)
{
    g_auto(Reading) reading = {0};

    if (!read_through(&reading, repository, object, error))
        return FALSE;
    if (ret_frame != NULL)
        *ret_frame = reading.frame;
    return TRUE;
}

gboolean wal_object_read(Repository *repository, const char *object, CodecSink sink, gpointer data,
                         WalFrame *ret_frame, GError **error)
{
    g_auto(Reading) reading = {.sink = sink, .data = data};

    reading.plain_hash = sink == NULL ? sha256_new() : NULL;
    reading.decompressor = decompressor_new(CODEC_ZSTD, give_plain, &reading);
    if (!read_through(&reading, repository, object, error))
        return FALSE;
    if (ret_frame != NULL)
        *ret_frame = reading.frame;
    return TRUE;
}

gboolean wal_object_read_into(Repository *repository, const char *object, int fd, const char *path,
                              WalFrame *ret_frame, GError **error)
{
    g_auto(Reading) reading = {.fd = fd, .path = path};

    reading.rest = g_byte_array_new();
    reading.plain = g_malloc(FRAME_LARGEST);
    if (!read_through(&reading, repository, object, error))
        return FALSE;
    *ret_frame = reading.frame;
    return TRUE;
}
