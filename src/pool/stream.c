/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's stream of packs.
 */
#include "pool/private.h"

#include "base/error.h"

#define NO_PACK G_MAXUINT32

struct PoolStream {
    PoolWriter *writer;
    PackWriter *pack;
    guint32 handle;  /* of the open pack */
    guint32 sealed;  /* of the pack whose commit is under way, or NO_PACK */
    guint8 *scratch; /* NULL until it is needed */
    PoolFileFunc func;
    gpointer data;
    PoolFileWriter *file;

    /* What pool_writer_refer() said about the packs of one reader; FORGOTTEN where it was not
     * asked. */
    PoolReader *reader;
    guint32 *referred;
};

#define FORGOTTEN G_MAXUINT32
#define LEFT      (G_MAXUINT32 - 1)

/* PackDurableFunc */
static void note_pack(const guint8 digest[SHA256_SIZE], guint64 size, gpointer data)
{
    pool_writer_note_pack(data, digest, size);
}

PoolStream *pool_stream_new(PoolWriter *writer)
{
    PoolStream *stream = g_new0(PoolStream, 1);
    gsize room = compress_bound(pool_writer_compression(writer), POOL_EXTENT_LARGEST);

    stream->writer = writer;
    stream->pack = pack_writer_new(pool_writer_repository(writer), MAX(room, POOL_EXTENT_LARGEST),
                                   note_pack, writer);
    stream->sealed = NO_PACK;
    return stream;
}

void pool_stream_free(PoolStream *stream)
{
    if (stream == NULL)
        return;
    pool_file_writer_destroy(stream->file);
    pack_writer_free(stream->pack);
    g_free(stream->referred);
    g_free(stream->scratch);
    g_free(stream);
}

void pool_stream_set_func(PoolStream *stream, PoolFileFunc func, gpointer data)
{
    stream->func = func;
    stream->data = data;
}

PoolWriter *pool_stream_writer(const PoolStream *stream)
{
    return stream->writer;
}

PackWriter *pool_stream_pack(PoolStream *stream)
{
    return stream->pack;
}

guint32 pool_stream_pack_handle(const PoolStream *stream)
{
    return stream->handle;
}

PoolFileWriter **pool_stream_file(PoolStream *stream)
{
    return &stream->file;
}

guint8 *pool_stream_scratch(PoolStream *stream)
{
    if (stream->scratch == NULL)
        stream->scratch = g_malloc(POOL_EXTENT_LARGEST);
    return stream->scratch;
}

/* --- Packs ------------------------------------------------------------------------------------ */

static gboolean wait_for_sealed(PoolStream *stream, GError **error)
{
    if (!pack_writer_wait(stream->pack, error))
        return FALSE;
    if (stream->sealed != NO_PACK)
        pool_writer_pack_durable(stream->writer, stream->sealed);
    stream->sealed = NO_PACK;
    return TRUE;
}

static gboolean seal(PoolStream *stream, GError **error)
{
    guint8 digest[SHA256_SIZE];
    guint64 size;

    if (!wait_for_sealed(stream, error) || !pack_writer_seal(stream->pack, digest, &size, error))
        return FALSE;
    stream->sealed = stream->handle;
    pool_writer_seal_pack(stream->writer, stream->handle, digest, size);
    return TRUE;
}

gboolean pool_stream_ready(PoolStream *stream, GError **error)
{
    PackHeader header;

    if (pack_writer_is_open(stream->pack)) {
        if (pack_writer_size(stream->pack) < POOL_PACK_SIZE)
            return TRUE;
        if (!seal(stream, error))
            return FALSE;
    }
    stream->handle = pool_writer_open_pack(stream->writer, &header);
    return pack_writer_begin(stream->pack, &header, error);
}

gboolean pool_stream_close(PoolStream *stream, GError **error)
{
    if (pack_writer_is_open(stream->pack) && !seal(stream, error))
        return FALSE;
    return wait_for_sealed(stream, error);
}

/* --- Files ------------------------------------------------------------------------------------ */

gboolean pool_stream_refer(PoolStream *stream, PoolReader *reader, guint32 pack, guint32 *ret_pack)
{
    if (stream->reader != reader) {
        gsize count = pool_reader_pack_count(reader);

        g_free(stream->referred);
        stream->referred = g_new(guint32, MAX(count, 1));
        for (gsize i = 0; i < count; i++)
            stream->referred[i] = FORGOTTEN;
        stream->reader = reader;
    }
    if (stream->referred[pack] == FORGOTTEN &&
        !pool_writer_refer(stream->writer, reader, pack, &stream->referred[pack]))
        stream->referred[pack] = LEFT;
    if (stream->referred[pack] == LEFT)
        return FALSE;
    *ret_pack = stream->referred[pack];
    return TRUE;
}

void pool_stream_deliver(PoolStream *stream, PoolFile *file, gpointer tag, const PoolStats *stats)
{
    pool_writer_account(stream->writer, file, stats);
    if (stream->func != NULL)
        stream->func(file, tag, stream->data);
    else
        pool_file_clear(file);
}
