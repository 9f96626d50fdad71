/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing files: cut into extents, compared with the base, compressed, mapped.
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"

struct PoolFileWriter {
    PoolStream *stream;
    gboolean busy; /* between begin and finish or free */
    gpointer tag;
    guint64 size; /* bytes so far */
    guint32 extent_size;
    gsize pending; /* bytes in the stream's scratch that are no whole extent yet */
    GArray *extents;
    PoolReader *reader;
    GArray *base; /* its extents, or NULL */
    guint64 base_size;
    PoolStats stats;
};

void pool_file_writer_destroy(PoolFileWriter *file)
{
    if (file == NULL)
        return;
    g_clear_pointer(&file->base, g_array_unref);
    g_array_unref(file->extents);
    g_free(file);
}

/* The writer is the stream's and is used for one file after the other: a million small files shall
 * not cost allocations. */
static PoolFileWriter *take_writer(PoolStream *stream, gpointer tag, GError **error)
{
    PoolFileWriter **file = pool_stream_file(stream);

    if (*file == NULL) {
        *file = g_new0(PoolFileWriter, 1);
        (*file)->stream = stream;
        (*file)->extents = g_array_new(FALSE, FALSE, sizeof(PoolExtent));
    }
    if ((*file)->busy) {
        error_set(error, ERROR_INTERNAL, "a stream writes one file at a time");
        return NULL;
    }
    (*file)->busy = TRUE;
    (*file)->tag = tag;
    (*file)->size = 0;
    (*file)->pending = 0;
    (*file)->stats = (PoolStats){0};
    return *file;
}

void pool_file_free(PoolFileWriter *file)
{
    if (file == NULL)
        return;
    file->busy = FALSE;
    g_array_set_size(file->extents, 0);
    g_clear_pointer(&file->base, g_array_unref);
}

PoolFileWriter *pool_file_begin(PoolStream *stream, guint64 expected_size, PoolReader *reader,
                                const PoolFile *base, gpointer tag, GError **error)
{
    g_autoptr(PoolFileWriter) file = take_writer(stream, tag, error);

    if (file == NULL)
        return NULL;
    file->extent_size = pool_extent_size(expected_size);
    /* Hashes under another key say nothing. */
    if (base == NULL ||
        pool_reader_hash_key(reader) != pool_writer_hash_key(pool_stream_writer(stream)))
        return g_steal_pointer(&file);
    file->base = pool_file_extents(reader, base, error);
    if (file->base == NULL)
        return NULL;
    file->reader = reader;
    file->base_size = base->size;
    file->extent_size = base->extent_size;
    return g_steal_pointer(&file);
}

/* --- Extents ---------------------------------------------------------------------------------- */

/* Whether the base has the very same extent in a pack that stays; fills in where it is. */
static gboolean refer_to_base(PoolFileWriter *file, gsize length, PoolExtent *extent)
{
    guint index = file->extents->len;
    const PoolExtent *old;

    if (file->base == NULL || index >= file->base->len)
        return FALSE;
    old = &g_array_index(file->base, PoolExtent, index);
    if (old->hash.low != extent->hash.low || old->hash.high != extent->hash.high ||
        pool_extent_plain(file->base_size, file->extent_size, index) != length)
        return FALSE;
    if (old->length > 0 && !pool_stream_refer(file->stream, file->reader, old->pack, &extent->pack))
        return FALSE;
    extent->offset = old->offset;
    extent->length = old->length;
    file->stats.reused_plain += length;
    file->stats.reused_stored += old->length;
    return TRUE;
}

/* Whether an interrupted run has written the very same bytes; fills in where they are. */
static gboolean take_over(PoolFileWriter *file, gsize length, PoolExtent *extent)
{
    if (!pool_writer_find_resumed(pool_stream_writer(file->stream), (guint32)length, extent))
        return FALSE;
    file->stats.resumed_plain += length;
    file->stats.resumed_stored += extent->length;
    return TRUE;
}

static gboolean is_zero(const guint8 *bytes, gsize length)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0;
}

/* Compresses straight into the pack's buffer; what does not get smaller is kept as it is. */
static gboolean append_extent(PoolFileWriter *file, const guint8 *bytes, gsize length,
                              PoolExtent *extent, GError **error)
{
    PoolStream *stream = file->stream;
    CompressSpec spec = pool_writer_compression(pool_stream_writer(stream));
    gsize bound = MAX(compress_bound(spec, length), length);
    gsize stored = length;
    PackWriter *pack;
    guint8 *room;

    if (!pool_stream_ready(stream, error))
        return FALSE;
    pack = pool_stream_pack(stream);
    room = pack_writer_room(pack, bound, error);
    if (room == NULL)
        return FALSE;
    if (spec.codec != CODEC_NONE &&
        !compress_buffer(spec, bytes, length, room, bound, &stored, error))
        return FALSE;
    if (stored >= length) {
        memcpy(room, bytes, length);
        stored = length;
    }
    extent->pack = pool_stream_pack_handle(stream);
    extent->offset = (guint32)pack_writer_size(pack);
    extent->length = (guint32)stored;
    pack_writer_advance(pack, stored);
    pack_writer_enter(pack, extent, (guint32)length);
    return TRUE;
}

static gboolean write_extent(PoolFileWriter *file, const guint8 *bytes, gsize length,
                             GError **error)
{
    guint64 key = pool_writer_hash_key(pool_stream_writer(file->stream));
    PoolExtent extent = {.hash = xxh3_buffer(bytes, length, key)};

    if (!refer_to_base(file, length, &extent) &&
        (is_zero(bytes, length) || !take_over(file, length, &extent))) {
        if (!is_zero(bytes, length) && !append_extent(file, bytes, length, &extent, error))
            return FALSE;
        file->stats.plain += length;
        file->stats.stored += extent.length;
    }
    g_array_append_val(file->extents, extent);
    return TRUE;
}

/* Fills the pending extent up, and writes it when it is whole. */
static gboolean write_pending(PoolFileWriter *file, const guint8 **bytes, gsize *length,
                              GError **error)
{
    guint8 *scratch = pool_stream_scratch(file->stream);
    gsize piece = MIN(*length, file->extent_size - file->pending);

    memcpy(scratch + file->pending, *bytes, piece);
    file->pending += piece;
    *bytes += piece;
    *length -= piece;
    if (file->pending < file->extent_size)
        return TRUE;
    file->pending = 0;
    return write_extent(file, scratch, file->extent_size, error);
}

gboolean pool_file_write(PoolFileWriter *file, const void *bytes, gsize length, GError **error)
{
    const guint8 *at = bytes;

    if (length > POOL_FILE_LIMIT - file->size) {
        error_set(error, ERROR_LIMIT, "a file is larger than 1 TiB");
        return FALSE;
    }
    file->size += length;
    while (length > 0) {
        if (file->pending > 0 || length < file->extent_size) {
            if (!write_pending(file, &at, &length, error))
                return FALSE;
            continue;
        }
        if (!write_extent(file, at, file->extent_size, error))
            return FALSE;
        at += file->extent_size;
        length -= file->extent_size;
    }
    return TRUE;
}

/* --- The end of a file ------------------------------------------------------------------------ */

/* The digests that a map names, and from handles to their indices. */
typedef struct {
    PoolStream *stream;
    GByteArray *digests;
    GHashTable *indices;
    guint32 last_handle, last_index;
} MapPacks;

/* The pack that is open has no name yet: it is the one that the map will be in, and zeros stand for
 * it. */
static guint32 map_pack(MapPacks *packs, guint32 handle)
{
    guint8 digest[SHA256_SIZE] = {0};
    gpointer index;

    if (packs->digests->len > 0 && packs->last_handle == handle)
        return packs->last_index;
    if (!g_hash_table_lookup_extended(packs->indices, GUINT_TO_POINTER(handle), NULL, &index)) {
        index = GUINT_TO_POINTER(packs->digests->len / SHA256_SIZE);
        if (!pool_writer_pack_name(pool_stream_writer(packs->stream), handle, digest))
            g_assert(handle == pool_stream_pack_handle(packs->stream));
        g_byte_array_append(packs->digests, digest, SHA256_SIZE);
        g_hash_table_insert(packs->indices, GUINT_TO_POINTER(handle), index);
    }
    packs->last_handle = handle;
    packs->last_index = GPOINTER_TO_UINT(index);
    return packs->last_index;
}

static gboolean write_map(PoolFileWriter *file, PoolFile *result, GError **error)
{
    PoolStream *stream = file->stream;
    g_autoptr(GByteArray) digests = g_byte_array_new();
    g_autoptr(GHashTable) indices = g_hash_table_new(NULL, NULL);
    g_autofree PoolExtent *extents =
        g_memdup2(file->extents->data, file->extents->len * sizeof(PoolExtent));
    g_autofree guint8 *bytes = NULL;
    MapPacks packs = {.stream = stream, .digests = digests, .indices = indices};
    PoolMap map = {.size = file->size, .extent_size = file->extent_size};
    gsize length;

    /* First, since it may seal the pack that is open and begin another. */
    if (!pool_stream_ready(stream, error))
        return FALSE;
    for (guint i = 0; i < file->extents->len; i++)
        extents[i].pack = extents[i].length > 0 ? map_pack(&packs, extents[i].pack) : 0;
    map.extents = extents;
    map.extent_count = file->extents->len;
    map.digests = digests->data;
    map.pack_count = digests->len / SHA256_SIZE;
    bytes = pool_map_write(&map, pool_writer_hash_key(pool_stream_writer(stream)), &length);
    result->map_pack = pool_stream_pack_handle(stream);
    result->map_offset = (guint32)pack_writer_size(pool_stream_pack(stream));
    result->map_length = (guint32)length;
    return pack_writer_append(pool_stream_pack(stream), bytes, length, error);
}

gboolean pool_file_finish(PoolFileWriter *file, GError **error)
{
    PoolFile result = {.size = file->size, .extent_size = file->extent_size};
    gsize pending = file->pending;

    file->pending = 0;
    if (pending > 0 && !write_extent(file, pool_stream_scratch(file->stream), pending, error))
        return FALSE;
    if (file->extents->len > POOL_INLINE_EXTENTS) {
        if (!write_map(file, &result, error))
            return FALSE;
        pool_file_set_uses(&result, (const PoolExtent *)(void *)file->extents->data,
                           file->extents->len);
    } else if (file->extents->len > 0) {
        memcpy(pool_file_make_inline(&result, file->extents->len), file->extents->data,
               file->extents->len * sizeof(PoolExtent));
    }
    file->busy = FALSE;
    pool_stream_deliver(file->stream, &result, file->tag, &file->stats);
    pool_file_free(file);
    return TRUE;
}

/* --- Files that did not change ---------------------------------------------------------------- */

static gboolean refer_extents(PoolStream *stream, PoolReader *reader, const PoolFile *base,
                              PoolFile *result)
{
    const PoolExtent *old = pool_file_inline(base);
    PoolExtent *extents = pool_file_make_inline(result, base->extent_count);

    for (guint32 i = 0; i < base->extent_count; i++) {
        extents[i] = old[i];
        if (old[i].length > 0 && !pool_stream_refer(stream, reader, old[i].pack, &extents[i].pack))
            return FALSE;
    }
    return TRUE;
}

static gboolean refer_map(PoolStream *stream, PoolReader *reader, const PoolFile *base,
                          PoolFile *result)
{
    result->map_offset = base->map_offset;
    result->map_length = base->map_length;
    result->use_count = base->use_count;
    result->uses = g_memdup2(base->uses, base->use_count * sizeof(PoolUse));
    for (guint32 i = 0; i < result->use_count; i++) {
        if (!pool_stream_refer(stream, reader, base->uses[i].pack, &result->uses[i].pack))
            return FALSE;
    }
    return pool_stream_refer(stream, reader, base->map_pack, &result->map_pack);
}

/* The same content under the writer's handles. FALSE when some of it is in a pack that is left
 * behind. */
static gboolean refer_whole(PoolStream *stream, PoolReader *reader, const PoolFile *base,
                            PoolFile *result)
{
    result->size = base->size;
    result->extent_size = base->extent_size;
    if (base->extent_count > 0)
        return refer_extents(stream, reader, base, result);
    return !pool_file_has_map(base) || refer_map(stream, reader, base, result);
}

static guint64 stored_size_of(const PoolFile *file)
{
    guint64 stored = 0;

    for (guint32 i = 0; i < file->extent_count; i++)
        stored += pool_file_inline(file)[i].length;
    for (guint32 i = 0; pool_file_has_map(file) && i < file->use_count; i++)
        stored += file->uses[i].bytes;
    return stored;
}

/* Copies an extent's stored bytes into the open pack. They are decoded for a check first: damage
 * must not get a new name that calls it whole. */
static gboolean copy_extent(PoolFileWriter *file, PoolReader *reader, PoolExtent *extent,
                            gsize plain_length, GError **error)
{
    PoolStream *stream = file->stream;
    const guint8 *stored =
        pool_extent_fetch(reader, extent, pool_stream_scratch(stream), plain_length, error);

    if (stored == NULL || !pool_stream_ready(stream, error))
        return FALSE;
    extent->pack = pool_stream_pack_handle(stream);
    extent->offset = (guint32)pack_writer_size(pool_stream_pack(stream));
    file->stats.plain += plain_length;
    file->stats.stored += extent->length;
    pack_writer_enter(pool_stream_pack(stream), extent, (guint32)plain_length);
    return pack_writer_append(pool_stream_pack(stream), stored, extent->length, error);
}

static gboolean copy_forward(PoolStream *stream, PoolReader *reader, const PoolFile *base,
                             gpointer tag, GError **error)
{
    g_autoptr(PoolFileWriter) file = pool_file_begin(stream, base->size, reader, base, tag, error);

    if (file == NULL)
        return FALSE;
    file->size = base->size;
    for (guint i = 0; i < file->base->len; i++) {
        PoolExtent extent = g_array_index(file->base, PoolExtent, i);
        guint32 plain = pool_extent_plain(base->size, base->extent_size, i);

        if (extent.length == 0 || pool_stream_refer(stream, reader, extent.pack, &extent.pack)) {
            file->stats.reused_plain += plain;
            file->stats.reused_stored += extent.length;
        } else if (!copy_extent(file, reader, &extent, plain, error)) {
            return FALSE;
        }
        g_array_append_val(file->extents, extent);
    }
    return pool_file_finish(file, error);
}

gboolean pool_file_reuse(PoolStream *stream, PoolReader *reader, const PoolFile *base, gpointer tag,
                         GError **error)
{
    PoolFile result = {0};
    PoolStats stats = {.reused_plain = base->size};

    if (pool_reader_hash_key(reader) != pool_writer_hash_key(pool_stream_writer(stream))) {
        error_set(error, ERROR_INTERNAL, "a file of another hash key cannot be referred to");
        return FALSE;
    }
    if (!refer_whole(stream, reader, base, &result)) {
        pool_file_clear(&result);
        return copy_forward(stream, reader, base, tag, error);
    }
    stats.reused_stored = stored_size_of(&result);
    pool_stream_deliver(stream, &result, tag, &stats);
    return TRUE;
}
