/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of sealed objects: its header, and what stands behind a good one.
 */
#include <stdint.h>
#include <string.h>

#include "codec/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const guint8 *find_key(guint32 generation, gpointer data, GError **error)
{
    static const guint8 key[SEAL_KEY_SIZE] = {1};

    return key;
}

/* Nothing that was not sealed may ever come out. */
static gboolean refuse(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_error("%zu bytes came out of a forged object", length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const SealScope scope = {SEAL_POOL, "00000000-0000-0000-0000-000000000000", "", find_key,
                                    NULL};
    g_autoptr(SealReader) reader = seal_reader_new(&scope, refuse, NULL);
    SealHeader header;
    size_t half = size / 2;

    if (seal_header_read(data, size, &header, NULL) &&
        (header.segment_size < 4096 || header.segment_size > 1024 * 1024))
        g_error("an impossible segment size");
    if (seal_reader_write(reader, data, half, NULL) &&
        seal_reader_write(reader, data + half, size - half, NULL))
        (void)!seal_reader_finish(reader, NULL);
    return 0;
}
