/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the directory at a pack's end.
 */
#include <stdint.h>
#include <string.h>

#include "pool/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(PackEntry));
    g_autoptr(GError) error = NULL;
    guint64 pack_size = PACK_HEADER_SIZE + 100000 + (guint64)size;

    if (!pack_directory_read(data, size, pack_size, "a pack", entries, &error)) {
        if (error == NULL)
            g_error("a failure without an error");
        return 0;
    }
    for (guint i = 0; i < entries->len; i++) {
        const PackEntry *entry = &g_array_index(entries, PackEntry, i);

        if (entry->offset < PACK_HEADER_SIZE ||
            (guint64)entry->offset + entry->length > pack_size - size)
            g_error("an extent outside of its pack");
    }
    return 0;
}
