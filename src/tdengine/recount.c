/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting once more.
 */
#include "tdengine/recount.h"

#include "tdengine/connect.h"
#include "tdengine/ddl.h"

/* Counts that are none. */
enum { NOT_COUNTED = -1, GONE = -2 };

/* From where to where rows are counted: all that was asked for, or in a quick increment the file sets
 * from its first to its last place, and what is behind them. A count that cuts none is the quickest.
 * FALSE: nothing was read. */
static gboolean was_read(const TdRecount *limits, const TdScanTable *scan, TdPlace *ret_place)
{
    const TdPrecision precision = scan->database->precision;

    if (scan->quick && scan->ranges->len == 0)
        return FALSE;
    *ret_place =
        (TdPlace){td_border_ticks(limits->from, precision), td_border_ticks(limits->to, precision)};
    if (scan->quick)
        *ret_place = (TdPlace){
            td_plan_file_set(scan->table->plan, g_array_index(scan->ranges, TdRange, 0).from),
            G_MAXINT64,
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

static gboolean recount(TdClient *client, gpointer task, gpointer data, GCancellable *cancellable,
                        GError **error)
{
    TdScanTable *scan = task;
    const TdTable *table = scan->table;
    g_autoptr(GString) sql = g_string_new("SELECT COUNT(*) FROM ");
    g_autoptr(GError) problem = NULL;
    TdPlace place;

    scan->recount = NOT_COUNTED;
    if (scan->only != NULL || table->plan == NULL || !was_read(data, scan, &place))
        return TRUE;
    td_append_table(sql, table->database, table->name);
    td_append_range(sql, table, place.from, place.to);
    if (td_ask_number(client, sql->str, &scan->recount, cancellable, &problem))
        return TRUE;
    if (td_error_is_gone(problem)) {
        scan->recount = GONE;
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean td_recount_ask(TdScanner *scanner, GPtrArray *scans, const TdRecount *limits,
                        GCancellable *cancellable, GError **error)
{
    TdRecount copy = *limits;

    return td_scan_each(scanner, scans, recount, &copy, cancellable, error);
}

/* A count that differs at the end: the table was written to while it was read. */
static gboolean differs(const TdRecount *limits, const TdScanTable *scan)
{
    TdPlace place;

    if (scan->recount == GONE)
        return TRUE;
    return scan->recount != NOT_COUNTED && was_read(limits, scan, &place) &&
           (guint64)scan->recount != rows_in(scan, &place);
}

void td_recount_compare(GPtrArray *scans, const TdRecount *limits)
{
    for (guint i = 0; i < scans->len; i++) {
        const TdScanTable *scan = g_ptr_array_index(scans, i);

        if (differs(limits, scan))
            g_ptr_array_add(scan->database->recounted, g_strdup(scan->table->name));
    }
}
