/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure of a pack: its header and its directory, without reading an extent.
 */
#include "pool/private.h"

#include "base/error.h"
#include "repo/stored.h"

static gboolean read_exactly(Repository *repository, const char *name, guint64 offset, void *bytes,
                             gsize length, GError **error)
{
    gsize got;

    if (!stored_read(repository, SEAL_POOL, name, offset, bytes, length, &got, error))
        return FALSE;
    if (got == length)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s was cut", name);
    return FALSE;
}

gboolean pool_pack_check(Repository *repository, const char *name, guint64 *ret_extents,
                         GError **error)
{
    guint8 head[PACK_HEADER_SIZE], trailer[PACK_DIRECTORY_TRAILER];
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(PackEntry));
    g_autofree guint8 *bytes = NULL;
    PackHeader header;
    guint64 size;
    gsize length;

    if (!stored_size(repository, SEAL_POOL, name, &size, error))
        return FALSE;
    if (size < sizeof head + sizeof trailer) {
        error_set(error, ERROR_DAMAGED, "%s is too short for a pack", name);
        return FALSE;
    }
    if (!read_exactly(repository, name, 0, head, sizeof head, error) ||
        !pack_header_read(head, sizeof head, name, &header, error) ||
        !read_exactly(repository, name, size - sizeof trailer, trailer, sizeof trailer, error) ||
        !pack_directory_length(trailer, size, name, &length, error))
        return FALSE;
    bytes = g_malloc(length);
    if (!read_exactly(repository, name, size - length, bytes, length, error) ||
        !pack_directory_read(bytes, length, size, name, entries, error))
        return FALSE;
    *ret_extents = entries->len;
    return TRUE;
}
