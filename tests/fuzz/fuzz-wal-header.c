/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of WAL segments: header and records.
 */
#include <stdint.h>
#include <string.h>

#include "codec/hash.h"
#include "postgres/wal-walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    WalScan scan;

    if (!wal_scan(data, size, &scan, &error) && error == NULL)
        g_error("a failure without an error");
    return 0;
}
