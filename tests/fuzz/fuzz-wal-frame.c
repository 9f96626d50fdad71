/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of the metadata that leads archived WAL.
 */
#include <stdint.h>
#include <string.h>

#include "codec/hash.h"
#include "postgres/wal-frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t bytes[WAL_FRAME_SIZE] = {0};
    WalFrame frame;
    uint32_t crc;

    memcpy(bytes, data, MIN(size, sizeof bytes));
    crc = GUINT32_TO_LE(crc32c(0, bytes, sizeof bytes - 4));
    memcpy(bytes + sizeof bytes - 4, &crc, sizeof crc);
    if (wal_frame_read(bytes, sizeof bytes, &frame, NULL) && strlen(frame.name) >= WAL_FRAME_NAME)
        g_error("a name without an end");
    (void)!wal_frame_read(data, size, &frame, NULL);
    return 0;
}
