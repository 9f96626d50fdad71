/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of pg_control.
 */
#include <stdint.h>
#include <string.h>

#include "codec/hash.h"
#include "postgres/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *file = g_malloc0(PG_CONTROL_FILE_SIZE);
    PgControl control;
    uint32_t crc;

    /* With the checksum made right the fields are reached. */
    memcpy(file, data, MIN(size, PG_CONTROL_FILE_SIZE));
    crc = crc32c(0, file, 288);
    memcpy(file + 288, &crc, sizeof crc);
    (void)!pg_control_parse(file, PG_CONTROL_FILE_SIZE, &control, NULL);
    (void)!pg_control_parse(data, size, &control, NULL);
    return 0;
}
