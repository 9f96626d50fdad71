/* SPDX-License-Identifier: Apache-2.0
 *
 * Places, clean and dirty.
 */
#include "tdengine/survey.h"

#include <string.h>

/* The base's first slice that does not begin before `from`: they are sorted. */
static guint find_slice(const GArray *slices, gint64 from)
{
    guint low = 0, high = slices->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(slices, TdSlice, middle).from < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- Choosing --------------------------------------------------------------------------------- */

/* Whether the base's slices of a place say that the server said then what it says now, and have as
 * many rows. *ret_slices: how many they are. */
static gboolean is_clean(const TdScanTable *scan, const char *schema, const TdSums *now,
                         guint *ret_slices)
{
    const GArray *slices = scan->base->slices;
    char sums[TD_FINGERPRINT_HEX_SIZE];
    gboolean clean = now->known;
    guint64 rows = 0;

    *ret_slices = 0;
    td_fingerprint_to_hex(now->sums, sums);
    for (guint i = find_slice(slices, now->from); i < slices->len; i++) {
        const TdSlice *slice = &g_array_index(slices, TdSlice, i);

        if (slice->from >= now->to)
            break;
        clean = clean && slice->to <= now->to && strcmp(slice->schema, schema) == 0 &&
                strcmp(slice->sums, sums) == 0;
        rows += slice->rows;
        (*ret_slices)++;
    }
    return clean && rows == now->rows;
}

static gboolean touches(const GArray *dirty, const TdSums *sums)
{
    for (guint i = 0; dirty != NULL && i < dirty->len; i++) {
        const TdPlace *place = &g_array_index(dirty, TdPlace, i);

        if (place->from < sums->to && place->to > sums->from)
            return TRUE;
    }
    return FALSE;
}

/* Ranges beside each other that are read alike become one. */
static void add_range(GArray *ranges, gint64 from, gint64 to, gboolean compare)
{
    TdRange *last = ranges->len > 0 ? &g_array_index(ranges, TdRange, ranges->len - 1) : NULL;
    TdRange fresh = {from, to, compare};

    if (last != NULL && last->to == from && last->compare == compare)
        last->to = to;
    else
        g_array_append_val(ranges, fresh);
}

/* A scan leaves out no time: what lies between two places is read with the one before it. */
static void close_gaps(GArray *ranges)
{
    if (ranges->len == 0)
        add_range(ranges, G_MININT64, G_MAXINT64, FALSE);
    for (guint i = 0; i + 1 < ranges->len; i++)
        g_array_index(ranges, TdRange, i).to = g_array_index(ranges, TdRange, i + 1).from;
    g_array_index(ranges, TdRange, 0).from = G_MININT64;
    g_array_index(ranges, TdRange, ranges->len - 1).to = G_MAXINT64;
}

void td_survey_choose(TdScanTable *scan, TdReading reading, const GArray *dirty)
{
    g_autofree char *schema = td_fields_hash(scan->table->columns);

    g_clear_pointer(&scan->ranges, g_array_unref);
    scan->quick = FALSE;
    if (reading == TD_READ_ALL || scan->base == NULL)
        return;
    scan->quick = reading == TD_READ_QUICK;
    scan->ranges = g_array_new(FALSE, FALSE, sizeof(TdRange));
    for (guint i = 0; i < scan->sums->len; i++) {
        TdSums *sums = &g_array_index(scan->sums, TdSums, i);

        guint slices;

        sums->clean = is_clean(scan, schema, sums, &slices) && !touches(dirty, sums);
        /* Most slices of a dirty place of many are what they were. */
        if (!sums->clean || !scan->quick)
            add_range(scan->ranges, sums->from, sums->to, sums->clean || slices > 1);
    }
    if (!scan->quick)
        close_gaps(scan->ranges);
}

guint64 td_survey_rows(const TdScanTable *scan)
{
    guint64 rows = 0;

    if (!scan->quick)
        for (guint i = 0; i < scan->counts->len; i++)
            rows += g_array_index(scan->counts, TdCount, i).rows;
    for (guint i = 0; scan->quick && i < scan->sums->len; i++) {
        const TdSums *sums = &g_array_index(scan->sums, TdSums, i);

        rows += sums->clean ? 0 : sums->rows;
    }
    return rows;
}

/* --- Afterwards ------------------------------------------------------------------------------- */

/* What is known of a slice's place, where that holds all of it. */
static const TdSums *find_sums(const TdScanTable *scan, const TdSlice *slice)
{
    const TdSums *sums = td_scan_place(scan, slice->from);

    return sums != NULL && slice->to <= sums->to ? sums : NULL;
}

void td_survey_finish(TdScanTable *scan)
{
    for (guint i = 0; scan->quick && i < scan->base->slices->len; i++) {
        TdSlice slice = g_array_index(scan->base->slices, TdSlice, i);
        const TdSums *sums = find_sums(scan, &slice);

        if (sums == NULL || !sums->clean)
            continue;
        slice.reused = TRUE;
        g_array_append_val(scan->slices, slice);
    }
    for (guint i = 0; i < scan->slices->len; i++) {
        TdSlice *slice = &g_array_index(scan->slices, TdSlice, i);
        const TdSums *sums = find_sums(scan, slice);

        slice->sums[0] = '\0';
        if (sums != NULL && sums->known)
            td_fingerprint_to_hex(sums->sums, slice->sums);
    }
}
