/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps: the extents of one file as pool content. A map names packs by their digests and not by
 * handles, so that the next backup can take it over as it is. Its own pack's digest cannot be known
 * while it is written: zeros stand for it.
 *
 *    0  8  magic
 *    8  4  format version, little-endian as all numbers
 *   12  4  extent size
 *   16  8  size of the file
 *   24  4  number of packs (P)
 *   28  4  number of extents (E)
 *   32     P digests of 32 bytes
 *          E extents of 28 bytes: pack (4), offset (4), stored length (4), hash (8 low, 8 high)
 *          keyed XXH3-128 of all before (8 low, 8 high)
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"

#define HEADER_SIZE 32
#define ENTRY_SIZE  28
#define HASH_SIZE   16
#define MAP_VERSION 1

static const guint8 magic[8] = {'H', 'F', 'M', 'A', 'P', 'S', '\r', '\n'};

/* --- Sizes ------------------------------------------------------------------------------------ */

guint32 pool_extent_size(guint64 size)
{
    guint32 extent_size = POOL_EXTENT_SMALLEST;

    /* Double where a file would have more than 256 extents. */
    while (extent_size < POOL_EXTENT_LARGEST && size / extent_size > 256)
        extent_size *= 2;
    return extent_size;
}

gboolean pool_extent_size_valid(guint64 extent_size)
{
    return extent_size >= POOL_EXTENT_SMALLEST && extent_size <= POOL_EXTENT_LARGEST &&
           (extent_size & (extent_size - 1)) == 0;
}

guint64 pool_extent_count(guint64 size, guint32 extent_size)
{
    return size / extent_size + (size % extent_size != 0);
}

guint32 pool_extent_plain(guint64 size, guint32 extent_size, guint64 index)
{
    guint64 start = index * extent_size;

    return (guint32)MIN(size - start, extent_size);
}

guint64 pool_map_length(guint64 pack_count, guint64 extent_count)
{
    return HEADER_SIZE + pack_count * SHA256_SIZE + extent_count * ENTRY_SIZE + HASH_SIZE;
}

/* --- Files ------------------------------------------------------------------------------------ */

void pool_file_clear(PoolFile *file)
{
    if (file->extent_count == 0)
        g_free(file->uses);
    else if (file->extent_count > 1)
        g_free(file->several);
    *file = (PoolFile){0};
}

const PoolExtent *pool_file_inline(const PoolFile *file)
{
    return file->extent_count == 1 ? &file->one : file->several;
}

gboolean pool_file_has_map(const PoolFile *file)
{
    return file->extent_count == 0 && file->map_length > 0;
}

PoolExtent *pool_file_make_inline(PoolFile *file, guint32 count)
{
    file->extent_count = count;
    if (count > 1)
        return file->several = g_new0(PoolExtent, count);
    file->one = (PoolExtent){0};
    return &file->one;
}

static int compare_uses(gconstpointer a, gconstpointer b)
{
    guint32 left = ((const PoolUse *)a)->pack, right = ((const PoolUse *)b)->pack;

    return left < right ? -1 : left > right;
}

static void add_use(GArray *uses, guint32 pack, guint32 bytes)
{
    PoolUse *last = uses->len > 0 ? &g_array_index(uses, PoolUse, uses->len - 1) : NULL;
    PoolUse use = {.pack = pack, .bytes = bytes};

    /* Neighbours are mostly in one pack. */
    if (last != NULL && last->pack == pack)
        last->bytes += bytes;
    else
        g_array_append_val(uses, use);
}

void pool_file_set_uses(PoolFile *file, const PoolExtent *extents, guint32 count)
{
    g_autoptr(GArray) uses = g_array_new(FALSE, FALSE, sizeof(PoolUse));
    guint kept = 0;

    for (guint32 i = 0; i < count; i++) {
        if (extents[i].length > 0)
            add_use(uses, extents[i].pack, extents[i].length);
    }
    add_use(uses, file->map_pack, file->map_length);
    g_array_sort(uses, compare_uses);
    for (guint i = 0; i < uses->len; i++) {
        const PoolUse use = g_array_index(uses, PoolUse, i);
        PoolUse *last = kept > 0 ? &g_array_index(uses, PoolUse, kept - 1) : NULL;

        if (last != NULL && last->pack == use.pack)
            last->bytes += use.bytes;
        else
            g_array_index(uses, PoolUse, kept++) = use;
    }
    file->use_count = kept;
    file->uses = g_memdup2(uses->data, kept * sizeof(PoolUse));
}

/* --- Writing ---------------------------------------------------------------------------------- */

static guint8 *put_u32(guint8 *out, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

static guint8 *put_u64(guint8 *out, guint64 value)
{
    value = GUINT64_TO_LE(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

static guint8 *put_hash(guint8 *out, Hash128 hash)
{
    return put_u64(put_u64(out, hash.low), hash.high);
}

guint8 *pool_map_write(const PoolMap *map, guint64 hash_key, gsize *ret_length)
{
    gsize length = (gsize)pool_map_length(map->pack_count, map->extent_count);
    guint8 *bytes = g_malloc(length);
    guint8 *at = bytes + sizeof magic;

    memcpy(bytes, magic, sizeof magic);
    at = put_u32(at, MAP_VERSION);
    at = put_u32(at, map->extent_size);
    at = put_u64(at, map->size);
    at = put_u32(at, map->pack_count);
    at = put_u32(at, map->extent_count);
    if (map->pack_count > 0)
        memcpy(at, map->digests, (gsize)map->pack_count * SHA256_SIZE);
    at += (gsize)map->pack_count * SHA256_SIZE;
    for (guint32 i = 0; i < map->extent_count; i++) {
        const PoolExtent *extent = &map->extents[i];

        at = put_u32(at, extent->pack);
        at = put_u32(at, extent->offset);
        at = put_u32(at, extent->length);
        at = put_hash(at, extent->hash);
    }
    put_hash(at, xxh3_buffer(bytes, length - HASH_SIZE, hash_key));
    *ret_length = length;
    return bytes;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static guint32 get_u32(const guint8 *bytes)
{
    guint32 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

static guint64 get_u64(const guint8 *bytes)
{
    guint64 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT64_FROM_LE(value);
}

static gboolean check_map(const PoolMap *map, gsize length)
{
    return pool_extent_size_valid(map->extent_size) && map->size <= POOL_FILE_LIMIT &&
           map->extent_count == pool_extent_count(map->size, map->extent_size) &&
           map->pack_count <= POOL_PACK_COUNT_LIMIT &&
           length == pool_map_length(map->pack_count, map->extent_count);
}

static gboolean read_extents(PoolMap *map, const guint8 *at)
{
    for (guint32 i = 0; i < map->extent_count; i++, at += ENTRY_SIZE) {
        PoolExtent *extent = &map->extents[i];

        extent->pack = get_u32(at);
        extent->offset = get_u32(at + 4);
        extent->length = get_u32(at + 8);
        extent->hash = (Hash128){.low = get_u64(at + 12), .high = get_u64(at + 20)};
        if (extent->length > pool_extent_plain(map->size, map->extent_size, i))
            return FALSE;
        if (extent->length > 0 && extent->pack >= map->pack_count)
            return FALSE;
    }
    return TRUE;
}

gboolean pool_map_read(const guint8 *bytes, gsize length, guint64 hash_key, const char *what,
                       PoolMap *ret_map, GError **error)
{
    PoolMap map = {0};
    Hash128 hash;

    if (length < HEADER_SIZE + HASH_SIZE || memcmp(bytes, magic, sizeof magic) != 0) {
        error_set(error, ERROR_DAMAGED, "%s is no map", what);
        return FALSE;
    }
    if (get_u32(bytes + 8) > MAP_VERSION) {
        error_set(error, ERROR_NEWER_FORMAT,
                  "%s has format version %u, and this program knows up to %d", what,
                  get_u32(bytes + 8), MAP_VERSION);
        error_add_hint(error, "update holdfast to the version that wrote it, or a newer one");
        return FALSE;
    }
    hash = xxh3_buffer(bytes, length - HASH_SIZE, hash_key);
    if (hash.low != get_u64(bytes + length - HASH_SIZE) ||
        hash.high != get_u64(bytes + length - HASH_SIZE + 8)) {
        error_set(error, ERROR_DAMAGED, "%s has another hash than was recorded", what);
        return FALSE;
    }
    map.extent_size = get_u32(bytes + 12);
    map.size = get_u64(bytes + 16);
    map.pack_count = get_u32(bytes + 24);
    map.extent_count = get_u32(bytes + 28);
    map.digests = bytes + HEADER_SIZE;
    if (get_u32(bytes + 8) == 0 || !check_map(&map, length)) {
        error_set(error, ERROR_DAMAGED, "%s has impossible sizes", what);
        return FALSE;
    }
    map.extents = g_new(PoolExtent, MAX(map.extent_count, 1));
    if (!read_extents(&map, map.digests + (gsize)map.pack_count * SHA256_SIZE)) {
        g_free(map.extents);
        error_set(error, ERROR_DAMAGED, "%s has an impossible extent", what);
        return FALSE;
    }
    *ret_map = map;
    return TRUE;
}
