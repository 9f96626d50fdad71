/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting once more.
 */
#include "tdengine/recount.h"

#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* Microseconds. */
typedef struct {
    gint64 from, to;
} Limits;

/* From where to where rows were read: all that was asked for, or in a quick increment what lies between
 * its first and its last place. FALSE: none were. */
static gboolean was_read(const Limits *limits, const TdScanTable *scan, TdPlace *ret_place)
{
    const TdPrecision precision = scan->database->precision;

    if (scan->quick && scan->ranges->len == 0)
        return FALSE;
    *ret_place =
        (TdPlace){td_border_ticks(limits->from, precision), td_border_ticks(limits->to, precision)};
    if (scan->quick)
        *ret_place = (TdPlace){
            g_array_index(scan->ranges, TdRange, 0).from,
            g_array_index(scan->ranges, TdRange, scan->ranges->len - 1).to,
        };
    return TRUE;
}

/* Rows of the backup in a stretch of time that cuts no slice. */
static guint64 rows_in(const TdScanTable *scan, const TdPlace *place)
{
    guint64 rows = 0;

    for (guint i = 0; i < scan->slices->len; i++) {
        const TdSlice *slice = &g_array_index(scan->slices, TdSlice, i);

        if (slice->last >= place->from && slice->first < place->to)
            rows += slice->rows;
    }
    return rows;
}

/* A count that differs at the end: the table was written to while it was read. */
static gboolean recount(TdClient *client, gpointer task, gpointer data, GCancellable *cancellable,
                        GError **error)
{
    TdScanTable *scan = task;
    const Limits *limits = data;
    const TdTable *table = scan->table;
    g_autoptr(GString) sql = g_string_new("SELECT COUNT(*) FROM ");
    g_autoptr(GError) problem = NULL;
    TdPlace place;
    gint64 rows;

    if (scan->only != NULL || table->plan == NULL || !was_read(limits, scan, &place))
        return TRUE;
    td_append_table(sql, table->database, table->name);
    td_append_range(sql, table, place.from, place.to);
    if (td_ask_number(client, sql->str, &rows, cancellable, &problem)) {
        scan->recounted = (guint64)rows != rows_in(scan, &place);
        return TRUE;
    }
    if (td_error_is_gone(problem)) {
        scan->recounted = TRUE;
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean td_recount(TdScanner *scanner, GPtrArray *scans, gint64 from, gint64 to, GError **error)
{
    Limits limits = {from, to};

    if (!td_scan_each(scanner, scans, recount, &limits, error))
        return FALSE;
    for (guint i = 0; i < scans->len; i++) {
        const TdScanTable *scan = g_ptr_array_index(scans, i);

        if (scan->recounted)
            g_ptr_array_add(scan->database->recounted, g_strdup(scan->table->name));
    }
    return TRUE;
}
