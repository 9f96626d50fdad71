/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes what the server's stop call gives: backup_label, and with the same bytes tablespace_map.
 */
#include <stdint.h>
#include <string.h>

#include "postgres/backup-session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(PgPhysical) physical = pg_physical_new();
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GHashTable) oids = pg_tablespace_map_oids(text);
    g_autoptr(GError) error = NULL;

    if (g_hash_table_contains(oids, GUINT_TO_POINTER(0)))
        g_error("a tablespace without a number");
    if (!pg_backup_label_parse(text, physical, &error)) {
        if (error == NULL)
            g_error("a failure without an error");
    } else if (physical->timeline == 0) {
        g_error("a timeline that no server has");
    }
    return 0;
}
