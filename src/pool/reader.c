/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading extents and files. Nothing that stands in an index or a map is believed: handles, offsets
 * and lengths are held against the pack table, plain bytes against their hash.
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"
#include "repo/stored.h"

/* What a thread reads ahead at most. */
#define WINDOW_SIZE ((gsize)1024 * 1024)
/* Reading ahead begins with so much, and doubles. */
#define WINDOW_START ((gsize)128 * 1024)
/* Bytes between two extents that are still "one after the other": a map. */
#define GAP_LIMIT ((guint64)64 * 1024)

typedef struct {
    guint8 digest[SHA256_SIZE];
    guint8 written_as[SHA256_SIZE]; /* maps know it by that */
    guint64 size;
    guint64 alive;
    char *name;
    gint known; /* atomic: its header was read and is good */
} Pack;

struct PoolReader {
    Repository *repository;
    guint64 hash_key;
    guint64 serial; /* tells readers apart that had the same address */
    Pack *packs;
    guint32 pack_count;
    GHashTable *by_name; /* written_as, inside of packs, to handle */
};

/* --- The pack table --------------------------------------------------------------------------- */

void pool_reader_free(PoolReader *reader)
{
    if (reader == NULL)
        return;
    for (guint32 i = 0; i < reader->pack_count; i++)
        g_free(reader->packs[i].name);
    g_free(reader->packs);
    g_hash_table_unref(reader->by_name);
    repository_unref(reader->repository);
    g_free(reader);
}

static gboolean read_digest(const char *hex, guint8 ret_digest[SHA256_SIZE])
{
    return strlen(hex) == SHA256_HEX_SIZE - 1 && sha256_from_hex(hex, ret_digest);
}

static gboolean read_pack(const json_t *json, Pack *pack, GError **error)
{
    const char *what = "the table of packs";
    const char *hex, *written_as;

    if (!json_need_string(json, "sha256", what, &hex, error) ||
        !json_need_uint(json, "size", what, &pack->size, error) ||
        !json_need_uint(json, "alive", what, &pack->alive, error))
        return FALSE;
    written_as = json_get_string(json, POOL_WRITTEN_AS, hex);
    if (!read_digest(hex, pack->digest) || !read_digest(written_as, pack->written_as) ||
        pack->size > POOL_PACK_LIMIT || pack->alive > pack->size) {
        error_set(error, ERROR_FORMAT, "%s has an impossible entry", what);
        return FALSE;
    }
    pack->name = pool_object_name(pack->digest);
    return TRUE;
}

PoolReader *pool_reader_new(Repository *repository, const json_t *packs, guint64 hash_key,
                            GError **error)
{
    static gint serials;
    g_autoptr(PoolReader) reader = g_new0(PoolReader, 1);
    gsize count = json_array_size(packs);

    reader->repository = repository_ref(repository);
    reader->hash_key = hash_key;
    reader->serial = (guint64)g_atomic_int_add(&serials, 1) + 1;
    reader->by_name = g_hash_table_new(pool_digest_hash, pool_digest_equal);
    if (!json_is_array(packs) || count > POOL_PACK_COUNT_LIMIT) {
        error_set(error, ERROR_FORMAT, "the table of packs is none");
        return NULL;
    }
    reader->packs = g_new0(Pack, MAX(count, 1));
    for (gsize i = 0; i < count; i++) {
        Pack *pack = &reader->packs[i];

        if (!read_pack(json_array_get(packs, i), pack, error))
            return NULL;
        reader->pack_count++;
        g_hash_table_insert(reader->by_name, pack->written_as, GUINT_TO_POINTER((guint)i));
    }
    return g_steal_pointer(&reader);
}

guint32 pool_reader_pack_count(const PoolReader *reader)
{
    return reader->pack_count;
}

guint64 pool_reader_pack_size(const PoolReader *reader, guint32 pack)
{
    return reader->packs[pack].size;
}

guint64 pool_reader_pack_alive(const PoolReader *reader, guint32 pack)
{
    return reader->packs[pack].alive;
}

void pool_reader_pack_digest(const PoolReader *reader, guint32 pack, guint8 ret_digest[SHA256_SIZE])
{
    memcpy(ret_digest, reader->packs[pack].digest, SHA256_SIZE);
}

void pool_reader_pack_written_as(const PoolReader *reader, guint32 pack,
                                 guint8 ret_digest[SHA256_SIZE])
{
    memcpy(ret_digest, reader->packs[pack].written_as, SHA256_SIZE);
}

guint64 pool_reader_hash_key(const PoolReader *reader)
{
    return reader->hash_key;
}

gboolean pool_reader_range_valid(const PoolReader *reader, guint32 pack, guint64 offset,
                                 guint64 length)
{
    return pack < reader->pack_count && offset >= PACK_HEADER_SIZE &&
           length <= reader->packs[pack].size && offset <= reader->packs[pack].size - length &&
           length <= reader->packs[pack].alive;
}

/* --- Stored bytes ----------------------------------------------------------------------------- */

/* What a thread read last. */
typedef struct {
    guint64 serial; /* of the reader; 0: nothing was read */
    guint32 pack;
    guint64 start;
    gsize length;
    gsize ahead; /* how much the last read went for, 0 while reads are not in order */
    guint8 *buffer;
    gsize capacity;
} Window;

static void window_free(gpointer data)
{
    Window *window = data;

    g_free(window->buffer);
    g_free(window);
}

static GPrivate thread_window = G_PRIVATE_INIT(window_free);

static Window *get_window(void)
{
    Window *window = g_private_get(&thread_window);

    if (window == NULL) {
        window = g_new0(Window, 1);
        g_private_set(&thread_window, window);
    }
    return window;
}

/* A pack is known by its header when it is first touched: what a newer version wrote is not guessed
 * at. */
static gboolean know_pack(PoolReader *reader, guint32 pack, GError **error)
{
    Pack *entry = &reader->packs[pack];
    g_autoptr(GError) local_error = NULL;
    guint8 bytes[PACK_HEADER_SIZE];
    PackHeader header;
    gsize length;

    if (g_atomic_int_get(&entry->known))
        return TRUE;
    if (!stored_read(reader->repository, SEAL_POOL, entry->name, 0, bytes, sizeof bytes, &length,
                     &local_error)) {
        if (error_is(local_error, ERROR_NOT_FOUND))
            error_set(error, ERROR_DAMAGED, "%s is missing", entry->name);
        else
            g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    if (!pack_header_read(bytes, length, entry->name, &header, error))
        return FALSE;
    g_atomic_int_set(&entry->known, 1);
    return TRUE;
}

/* How much to read for these bytes: more than them where the thread goes through the pack in
 * order. */
static gsize choose_length(const PoolReader *reader, Window *window, guint32 pack, guint64 offset,
                           gsize length, gsize ahead)
{
    guint64 left = reader->packs[pack].size - offset;
    gboolean in_order = window->serial == reader->serial && window->pack == pack &&
                        offset >= window->start &&
                        offset <= window->start + window->length + GAP_LIMIT;

    window->ahead = in_order ? CLAMP(window->ahead * 2, WINDOW_START, WINDOW_SIZE) : 0;
    return (gsize)MIN(left, MAX(length, MAX(ahead, window->ahead)));
}

/* The bytes of a range, in this thread's window until its next read. `ahead`: so many from `offset`
 * will be wanted. */
static const guint8 *fetch(PoolReader *reader, guint32 pack, guint64 offset, gsize length,
                           gsize ahead, GError **error)
{
    Window *window = get_window();
    gsize wanted, got;

    if (window->serial == reader->serial && window->pack == pack && offset >= window->start &&
        offset + length <= window->start + window->length)
        return window->buffer + (offset - window->start);
    if (!know_pack(reader, pack, error))
        return NULL;
    wanted = choose_length(reader, window, pack, offset, length, ahead);
    window->serial = 0;
    if (window->capacity < wanted) {
        g_free(window->buffer);
        window->capacity = MAX(wanted, WINDOW_SIZE);
        window->buffer = g_malloc(window->capacity);
    }
    if (!stored_read(reader->repository, SEAL_POOL, reader->packs[pack].name, offset,
                     window->buffer, wanted, &got, error))
        return NULL;
    if (got < length) {
        error_set(error, ERROR_DAMAGED, "%s ends before its byte %" G_GUINT64_FORMAT,
                  reader->packs[pack].name, offset + length);
        return NULL;
    }
    window->serial = reader->serial;
    window->pack = pack;
    window->start = offset;
    window->length = got;
    return window->buffer;
}

/* --- Extents ---------------------------------------------------------------------------------- */

/* Every codec's frames begin with a magic number: RFC 8878, RFC 1952, the LZ4 frame format. */
static gboolean codec_of_frame(const guint8 *bytes, gsize length, Codec *ret_codec)
{
    static const struct {
        Codec codec;
        guint length;
        guint8 magic[4];
    } frames[] = {
        {CODEC_ZSTD, 4, {0x28, 0xb5, 0x2f, 0xfd}},
        {CODEC_LZ4, 4, {0x04, 0x22, 0x4d, 0x18}},
        {CODEC_GZIP, 2, {0x1f, 0x8b}},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(frames); i++) {
        if (length < frames[i].length || memcmp(bytes, frames[i].magic, frames[i].length) != 0)
            continue;
        *ret_codec = frames[i].codec;
        return TRUE;
    }
    return FALSE;
}

static gboolean decode(const PoolExtent *extent, const guint8 *stored, guint8 *out,
                       gsize plain_length, guint64 hash_key, GError **error)
{
    Codec codec;
    gsize length;
    Hash128 hash;

    if (extent->length == plain_length) {
        memcpy(out, stored, plain_length);
    } else {
        if (!codec_of_frame(stored, extent->length, &codec)) {
            error_set(error, ERROR_DAMAGED, "the extent has no known form");
            return FALSE;
        }
        if (!decompress_buffer(codec, stored, extent->length, out, plain_length, &length, error))
            return FALSE;
        if (length != plain_length) {
            error_set(error, ERROR_DAMAGED, "the extent is shorter than it was");
            return FALSE;
        }
    }
    hash = xxh3_buffer(out, plain_length, hash_key);
    if (hash.low == extent->hash.low && hash.high == extent->hash.high)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "the extent has another hash than was recorded");
    return FALSE;
}

static const guint8 *fetch_extent(PoolReader *reader, const PoolExtent *extent, void *out,
                                  gsize plain_length, gsize ahead, GError **error)
{
    const guint8 *stored;

    if (plain_length > POOL_EXTENT_LARGEST || extent->length > plain_length ||
        !pool_reader_range_valid(reader, extent->pack, extent->offset, extent->length)) {
        error_set(error, ERROR_DAMAGED, "an extent lies outside of its pack");
        return NULL;
    }
    stored = fetch(reader, extent->pack, extent->offset, extent->length, ahead, error);
    if (stored == NULL)
        return NULL;
    if (decode(extent, stored, out, plain_length, reader->hash_key, error))
        return stored;
    g_prefix_error(error, "%s at byte %u: ", reader->packs[extent->pack].name, extent->offset);
    return NULL;
}

const guint8 *pool_extent_fetch(PoolReader *reader, const PoolExtent *extent, void *out,
                                gsize plain_length, GError **error)
{
    return fetch_extent(reader, extent, out, plain_length, 0, error);
}

gboolean pool_extent_read(PoolReader *reader, const PoolExtent *extent, void *out,
                          gsize plain_length, GError **error)
{
    if (extent->length > 0)
        return fetch_extent(reader, extent, out, plain_length, 0, error) != NULL;
    memset(out, 0, plain_length);
    return TRUE;
}

/* --- Files ------------------------------------------------------------------------------------ */

/* From a map's index of a pack to the reader's handle. */
static gboolean resolve_packs(PoolReader *reader, const PoolFile *file, const PoolMap *map,
                              guint32 *handles)
{
    static const guint8 own[SHA256_SIZE];

    for (guint32 i = 0; i < map->pack_count; i++) {
        const guint8 *digest = map->digests + (gsize)i * SHA256_SIZE;
        gpointer handle = GUINT_TO_POINTER(file->map_pack);

        if (memcmp(digest, own, SHA256_SIZE) != 0 &&
            !g_hash_table_lookup_extended(reader->by_name, digest, NULL, &handle))
            return FALSE;
        handles[i] = GPOINTER_TO_UINT(handle);
    }
    return TRUE;
}

static gboolean take_map(PoolReader *reader, const PoolFile *file, const PoolMap *map,
                         const char *what, GError **error)
{
    g_autofree guint32 *handles = g_new(guint32, MAX(map->pack_count, 1));

    if (map->size != file->size || map->extent_size != file->extent_size) {
        error_set(error, ERROR_DAMAGED, "%s is of another file", what);
        return FALSE;
    }
    if (!resolve_packs(reader, file, map, handles)) {
        error_set(error, ERROR_DAMAGED, "%s names a pack that the backup does not have", what);
        return FALSE;
    }
    for (guint32 i = 0; i < map->extent_count; i++) {
        PoolExtent *extent = &map->extents[i];

        if (extent->length == 0)
            continue;
        extent->pack = handles[extent->pack];
        if (!pool_reader_range_valid(reader, extent->pack, extent->offset, extent->length)) {
            error_set(error, ERROR_DAMAGED, "extent %u of %s lies outside of its pack", i, what);
            return FALSE;
        }
    }
    return TRUE;
}

GArray *pool_file_extents(PoolReader *reader, const PoolFile *file, GError **error)
{
    GArray *extents;
    g_autofree char *what = NULL;
    const guint8 *bytes;
    PoolMap map;

    if (!pool_file_has_map(file)) {
        extents = g_array_sized_new(FALSE, FALSE, sizeof(PoolExtent), file->extent_count);
        return g_array_append_vals(extents, pool_file_inline(file), file->extent_count);
    }
    bytes = fetch(reader, file->map_pack, file->map_offset, file->map_length, 0, error);
    if (bytes == NULL)
        return NULL;
    what = g_strdup_printf("the map at byte %u of %s", file->map_offset,
                           reader->packs[file->map_pack].name);
    if (!pool_map_read(bytes, file->map_length, reader->hash_key, what, &map, error))
        return NULL;
    if (!take_map(reader, file, &map, what, error)) {
        g_free(map.extents);
        return NULL;
    }
    extents = g_array_sized_new(FALSE, FALSE, sizeof(PoolExtent), map.extent_count);
    g_array_append_vals(extents, map.extents, map.extent_count);
    g_free(map.extents);
    return extents;
}

/* Stored bytes from this extent on that lie one after the other, up to what a window holds. */
static gsize run_length(const GArray *extents, guint index)
{
    const PoolExtent *extent = &g_array_index(extents, PoolExtent, index);
    gsize length = extent->length;

    for (guint i = index + 1; i < extents->len && length < WINDOW_SIZE; i++) {
        const PoolExtent *next = &g_array_index(extents, PoolExtent, i);

        if (next->length == 0)
            continue;
        if (next->pack != extent->pack || next->offset != extent->offset + length ||
            length + next->length > WINDOW_SIZE)
            break;
        length += next->length;
    }
    return length;
}

gboolean pool_file_read(PoolReader *reader, const PoolFile *file, PoolSink sink, gpointer data,
                        GCancellable *cancellable, GError **error)
{
    g_autoptr(GArray) extents = pool_file_extents(reader, file, error);
    g_autofree guint8 *plain = NULL;

    if (extents == NULL)
        return FALSE;
    plain = g_malloc(MAX(MIN(file->size, file->extent_size), 1));
    for (guint i = 0; i < extents->len; i++) {
        const PoolExtent *extent = &g_array_index(extents, PoolExtent, i);
        guint32 length = pool_extent_plain(file->size, file->extent_size, i);
        guint64 offset = (guint64)i * file->extent_size;

        if (g_cancellable_is_cancelled(cancellable)) {
            error_set(error, ERROR_CANCELLED, "reading a file was cancelled");
            return FALSE;
        }
        if (extent->length > 0 &&
            fetch_extent(reader, extent, plain, length, run_length(extents, i), error) == NULL) {
            g_prefix_error(error, "bytes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ": ", offset,
                           offset + length - 1);
            return FALSE;
        }
        if (!sink(offset, extent->length > 0 ? plain : NULL, length, data, error))
            return FALSE;
    }
    return TRUE;
}
