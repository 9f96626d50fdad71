/* SPDX-License-Identifier: Apache-2.0
 *
 * Timeline history files.
 */
#include "postgres/wal-history.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define HISTORY_LIMIT ((gsize)4 << 20)

/* "1<tab>0/3000148<tab>no recovery target specified" */
static gboolean parse_line(const char *line, WalAncestor *ret_ancestor)
{
    g_auto(GStrv) words = g_strsplit_set(line, "\t ", 3);
    guint64 timeline;

    if (words[0] == NULL || words[1] == NULL ||
        !g_ascii_string_to_unsigned(words[0], 10, 1, G_MAXUINT32, &timeline, NULL) ||
        !pg_lsn_parse(words[1], &ret_ancestor->end, NULL))
        return FALSE;
    ret_ancestor->timeline = (guint32)timeline;
    return TRUE;
}

GArray *wal_history_parse(const char *text, gsize length, guint32 timeline, GError **error)
{
    g_autofree char *copy = g_strndup(text, length);
    g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
    g_autoptr(GArray) ancestors = g_array_new(FALSE, FALSE, sizeof(WalAncestor));
    WalAncestor before = {0}, ancestor;

    for (guint i = 0; lines[i] != NULL; i++) {
        const char *line = g_strstrip(lines[i]);

        if (line[0] == '\0' || line[0] == '#')
            continue;
        /* Timelines only ever grow, and so do the places where they are left. */
        if (!parse_line(line, &ancestor) || ancestor.timeline <= before.timeline ||
            ancestor.timeline >= timeline || ancestor.end < before.end) {
            error_set(error, ERROR_DAMAGED, "%08X.history: line %u is not that of an ancestor",
                      timeline, i + 1);
            return NULL;
        }
        g_array_append_val(ancestors, ancestor);
        before = ancestor;
    }
    return g_steal_pointer(&ancestors);
}

GArray *wal_history_load(const WalArchive *archive, guint32 timeline, GError **error)
{
    g_autofree char *name = wal_history_format(timeline);
    g_autoptr(GBytes) bytes = NULL;

    if (timeline <= 1)
        return g_array_new(FALSE, FALSE, sizeof(WalAncestor));
    bytes = wal_archive_load(archive, name, HISTORY_LIMIT, error);
    if (bytes == NULL)
        return NULL;
    return wal_history_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), timeline,
                             error);
}
