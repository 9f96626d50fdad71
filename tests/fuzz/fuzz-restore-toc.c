/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of pg_restore's lists: any bytes give a table of contents or an error.
 */
#include <stdint.h>

#include "postgres/restore-toc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PgToc) toc = pg_toc_parse((const char *)data, size, "input", &error);

    if ((toc == NULL) == (error == NULL))
        g_error("a table of contents and an error, or neither");
    for (guint i = 0; toc != NULL && i < toc->entries->len; i++) {
        const PgTocEntry *entry = g_ptr_array_index(toc->entries, i);

        if (pg_toc_find(toc, entry->dump_id) != entry)
            g_error("an entry is not found by its number");
    }
    return 0;
}
