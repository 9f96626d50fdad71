/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory at a pack's end: what is in the pack, so that a later run can find the extents of an
 * interrupted one that has left no index.
 *
 *      28 E  per extent: offset (4), stored length (4), plain length (4), hash (8 low, 8 high),
 *            little-endian as all numbers
 *    0   8   magic: the trailer, the last bytes of the pack
 *    8   4   format version
 *   12   4   number of extents (E)
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"

#define ENTRY_SIZE        28
#define DIRECTORY_VERSION 1

static const guint8 magic[8] = {'H', 'F', 'D', 'I', 'R', 'S', '\r', '\n'};

static void add_u32(GByteArray *directory, guint32 value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(directory, (const guint8 *)&value, sizeof value);
}

static void add_u64(GByteArray *directory, guint64 value)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(directory, (const guint8 *)&value, sizeof value);
}

void pack_directory_add(GByteArray *directory, const PackEntry *entry)
{
    add_u32(directory, entry->offset);
    add_u32(directory, entry->length);
    add_u32(directory, entry->plain_length);
    add_u64(directory, entry->hash.low);
    add_u64(directory, entry->hash.high);
}

void pack_directory_end(GByteArray *directory)
{
    guint32 count = directory->len / ENTRY_SIZE;

    g_byte_array_append(directory, magic, sizeof magic);
    add_u32(directory, DIRECTORY_VERSION);
    add_u32(directory, count);
}

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

gboolean pack_directory_length(const guint8 trailer[PACK_DIRECTORY_TRAILER], guint64 pack_size,
                               const char *what, gsize *ret_length, GError **error)
{
    guint64 length = (guint64)get_u32(trailer + 12) * ENTRY_SIZE + PACK_DIRECTORY_TRAILER;

    if (memcmp(trailer, magic, sizeof magic) != 0 || get_u32(trailer + 8) != DIRECTORY_VERSION ||
        pack_size > POOL_PACK_LIMIT || length > pack_size - MIN(pack_size, PACK_HEADER_SIZE)) {
        error_set(error, ERROR_DAMAGED, "%s has no directory at its end", what);
        return FALSE;
    }
    *ret_length = (gsize)length;
    return TRUE;
}

gboolean pack_directory_read(const guint8 *bytes, gsize length, guint64 pack_size, const char *what,
                             GArray *entries, GError **error)
{
    gsize expected;

    if (length < PACK_DIRECTORY_TRAILER) {
        error_set(error, ERROR_DAMAGED, "%s ends within its directory", what);
        return FALSE;
    }
    if (!pack_directory_length(bytes + length - PACK_DIRECTORY_TRAILER, pack_size, what, &expected,
                               error))
        return FALSE;
    if (expected != length) {
        error_set(error, ERROR_DAMAGED, "the directory of %s has another length", what);
        return FALSE;
    }
    for (gsize at = 0; at + PACK_DIRECTORY_TRAILER < length; at += ENTRY_SIZE) {
        PackEntry entry = {
            .offset = get_u32(bytes + at),
            .length = get_u32(bytes + at + 4),
            .plain_length = get_u32(bytes + at + 8),
            .hash = {.low = get_u64(bytes + at + 12), .high = get_u64(bytes + at + 20)},
        };

        if (entry.offset < PACK_HEADER_SIZE || entry.length == 0 ||
            entry.length > entry.plain_length || entry.plain_length > POOL_EXTENT_LARGEST ||
            (guint64)entry.offset + entry.length > pack_size - length) {
            error_set(error, ERROR_DAMAGED, "the directory of %s has an impossible entry", what);
            return FALSE;
        }
        g_array_append_val(entries, entry);
    }
    return TRUE;
}
