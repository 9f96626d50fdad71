/* SPDX-License-Identifier: Apache-2.0
 *
 * A file's content as a line of a backup's index has it, in JSON. Keys are short and numbers stand
 * in arrays, since there may be millions of lines:
 *
 *   {"size": S, "extent_size": E, "extents": [[pack, offset, length, "hash"], …]}
 *   {"size": S, "extent_size": E, "map": [pack, offset, length], "uses": [[pack, bytes], …]}
 *
 * Packs are handles: places in the details' table of packs.
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"

#define WHAT "the index of a file"

json_t *pool_file_to_json(const PoolFile *file)
{
    json_t *json = json_pack("{s:I, s:I}", "size", (json_int_t)file->size, "extent_size",
                             (json_int_t)file->extent_size);
    json_t *list = json_array();

    if (pool_file_has_map(file)) {
        json_object_set_new(json, "map",
                            json_pack("[I, I, I]", (json_int_t)file->map_pack,
                                      (json_int_t)file->map_offset, (json_int_t)file->map_length));
        for (guint32 i = 0; i < file->use_count; i++)
            json_array_append_new(list, json_pack("[I, I]", (json_int_t)file->uses[i].pack,
                                                  (json_int_t)file->uses[i].bytes));
        json_object_set_new(json, "uses", list);
        return json;
    }
    for (guint32 i = 0; i < file->extent_count; i++) {
        const PoolExtent *extent = &pool_file_inline(file)[i];
        char hash[33];

        g_snprintf(hash, sizeof hash, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
                   extent->hash.high, extent->hash.low);
        json_array_append_new(list, json_pack("[I, I, I, s]", (json_int_t)extent->pack,
                                              (json_int_t)extent->offset,
                                              (json_int_t)extent->length, hash));
    }
    json_object_set_new(json, "extents", list);
    return json;
}

/* A number of at most `limit` at a place in an array. */
static gboolean read_number(const json_t *array, size_t index, guint64 limit, guint64 *ret_value)
{
    const json_t *value = json_array_get(array, index);

    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (guint64)json_integer_value(value) > limit)
        return FALSE;
    *ret_value = (guint64)json_integer_value(value);
    return TRUE;
}

/* [pack, offset, length, …], checked against the pack. */
static gboolean read_range(PoolReader *reader, const json_t *array, guint32 *ret_pack,
                           guint32 *ret_offset, guint32 *ret_length)
{
    guint64 pack, offset, length;

    if (!read_number(array, 0, G_MAXUINT32, &pack) ||
        !read_number(array, 1, POOL_PACK_LIMIT, &offset) ||
        !read_number(array, 2, POOL_PACK_LIMIT, &length))
        return FALSE;
    if (length > 0 && !pool_reader_range_valid(reader, (guint32)pack, offset, length))
        return FALSE;
    *ret_pack = (guint32)pack;
    *ret_offset = (guint32)offset;
    *ret_length = (guint32)length;
    return TRUE;
}

static gboolean read_hash(const json_t *value, Hash128 *ret_hash)
{
    const char *text = json_string_value(value);
    g_autofree char *high = NULL;

    if (text == NULL || strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
        return FALSE;
    high = g_strndup(text, 16);
    ret_hash->high = g_ascii_strtoull(high, NULL, 16);
    ret_hash->low = g_ascii_strtoull(text + 16, NULL, 16);
    return TRUE;
}

static gboolean read_extents(PoolReader *reader, const json_t *list, PoolFile *file)
{
    guint64 count = pool_extent_count(file->size, file->extent_size);
    PoolExtent *extents;

    if (json_array_size(list) != count || count > POOL_INLINE_LIMIT)
        return FALSE;
    extents = count > 0 ? pool_file_make_inline(file, (guint32)count) : NULL;
    for (guint32 i = 0; i < file->extent_count; i++) {
        const json_t *entry = json_array_get(list, i);
        PoolExtent *extent = &extents[i];

        if (json_array_size(entry) != 4 ||
            !read_range(reader, entry, &extent->pack, &extent->offset, &extent->length) ||
            extent->length > pool_extent_plain(file->size, file->extent_size, i) ||
            !read_hash(json_array_get(entry, 3), &extent->hash))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_map(PoolReader *reader, const json_t *map, const json_t *uses, PoolFile *file)
{
    guint64 count = pool_extent_count(file->size, file->extent_size);
    guint64 packs = pool_reader_pack_count(reader);

    if (json_array_size(map) != 3 ||
        !read_range(reader, map, &file->map_pack, &file->map_offset, &file->map_length) ||
        file->map_length < pool_map_length(0, count) ||
        file->map_length > pool_map_length(MIN(count, packs), count) ||
        json_array_size(uses) == 0 || json_array_size(uses) > packs)
        return FALSE;
    file->use_count = (guint32)json_array_size(uses);
    file->uses = g_new0(PoolUse, file->use_count);
    for (guint32 i = 0; i < file->use_count; i++) {
        const json_t *entry = json_array_get(uses, i);
        guint64 pack, bytes;

        if (json_array_size(entry) != 2 || !read_number(entry, 0, packs - 1, &pack) ||
            !read_number(entry, 1, pool_reader_pack_alive(reader, (guint32)pack), &bytes))
            return FALSE;
        file->uses[i] = (PoolUse){.pack = (guint32)pack, .bytes = bytes};
    }
    return TRUE;
}

gboolean pool_file_from_json(PoolReader *reader, const json_t *json, PoolFile *ret_file,
                             GError **error)
{
    const json_t *map = json_object_get(json, "map");
    PoolFile file = {0};
    guint64 extent_size;
    gboolean good;

    if (!json_need_uint(json, "size", WHAT, &file.size, error) ||
        !json_need_uint(json, "extent_size", WHAT, &extent_size, error))
        return FALSE;
    good = file.size <= POOL_FILE_LIMIT && pool_extent_size_valid(extent_size);
    file.extent_size = (guint32)extent_size;
    if (good && map != NULL)
        good = read_map(reader, map, json_object_get(json, "uses"), &file);
    else if (good)
        good = read_extents(reader, json_object_get(json, "extents"), &file);
    if (!good) {
        pool_file_clear(&file);
        error_set(error, ERROR_DAMAGED, WHAT " has impossible numbers");
        return FALSE;
    }
    *ret_file = file;
    return TRUE;
}
