/* SPDX-License-Identifier: Apache-2.0
 *
 * A heap of scans, the one with the least name at its top.
 */
#include "tdengine/slice-merge.h"

#include <string.h>

#include "parquet/statistics.h"

#define READ_ROWS 8192

/* A scan, and the rows of one table at which it stands. */
typedef struct {
    ParquetScan *scan;
    gint names;
    guint source, order;
    ParquetBatch batch;
    gsize from, to;
    const char *name;
    gsize name_length;
} Run;

struct TdMerge {
    GPtrArray *heap; /* Run */
    guint added;
    gboolean begun; /* the top's rows were handed out */
};

static void run_free(gpointer data)
{
    Run *run = data;

    parquet_scan_free(run->scan);
    g_free(run);
}

TdMerge *td_merge_new(void)
{
    TdMerge *merge = g_new0(TdMerge, 1);

    merge->heap = g_ptr_array_new_with_free_func(run_free);
    return merge;
}

void td_merge_free(TdMerge *merge)
{
    if (merge == NULL)
        return;
    g_ptr_array_unref(merge->heap);
    g_free(merge);
}

/* --- one scan --------------------------------------------------------------------------------- */

static const char *name_at(const Run *run, gsize row, gsize *ret_length)
{
    const ParquetArray *names = &run->batch.arrays[run->names];

    *ret_length = names->offsets[row + 1] - names->offsets[row];
    return (const char *)names->bytes + names->offsets[row];
}

/* Goes to the rows of the next table from run->to on; no rows: the end. */
static gboolean advance(Run *run, GError **error)
{
    run->from = run->to;
    if (run->from == run->batch.rows) {
        if (!parquet_scan_next(run->scan, READ_ROWS, &run->batch, error))
            return FALSE;
        run->from = 0;
    }
    run->to = run->batch.rows;
    if (run->names < 0 || run->batch.rows == 0)
        return TRUE;
    run->name = name_at(run, run->from, &run->name_length);
    for (gsize row = run->from + 1; row < run->batch.rows; row++) {
        gsize length;
        const char *name = name_at(run, row, &length);

        if (length != run->name_length || memcmp(name, run->name, length) != 0) {
            run->to = row;
            break;
        }
    }
    return TRUE;
}

/* --- the heap --------------------------------------------------------------------------------- */

static gboolean is_before(const Run *one, const Run *other)
{
    const gint order = order_compare(ORDER_BYTES, (const guint8 *)one->name, one->name_length,
                                     (const guint8 *)other->name, other->name_length);

    return order != 0 ? order < 0 : one->order < other->order;
}

static Run *run_at(const TdMerge *merge, guint at)
{
    return g_ptr_array_index(merge->heap, at);
}

static void swap(TdMerge *merge, guint one, guint other)
{
    gpointer *runs = merge->heap->pdata, kept = runs[one];

    runs[one] = runs[other];
    runs[other] = kept;
}

static void sift_up(TdMerge *merge, guint at)
{
    while (at > 0 && is_before(run_at(merge, at), run_at(merge, (at - 1) / 2))) {
        swap(merge, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sift_down(TdMerge *merge)
{
    guint at = 0;

    for (;;) {
        guint least = at;

        for (guint child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap->len; child++)
            if (is_before(run_at(merge, child), run_at(merge, least)))
                least = child;
        if (least == at)
            return;
        swap(merge, at, least);
        at = least;
    }
}

gboolean td_merge_add(TdMerge *merge, ParquetScan *scan, gint names, guint source, GError **error)
{
    Run *run = g_new0(Run, 1);

    g_return_val_if_fail(!merge->begun, FALSE);
    run->scan = scan;
    run->names = names;
    run->source = source;
    run->order = merge->added++;
    run->name = "";
    if (!advance(run, error)) {
        run_free(run);
        return FALSE;
    }
    if (run->batch.rows == 0) {
        run_free(run);
        return TRUE;
    }
    g_ptr_array_add(merge->heap, run);
    sift_up(merge, merge->heap->len - 1);
    return TRUE;
}

/* Past the rows that were handed out. */
static gboolean pass_top(TdMerge *merge, GError **error)
{
    Run *top = run_at(merge, 0);

    if (!advance(top, error))
        return FALSE;
    if (top->batch.rows == 0)
        g_ptr_array_remove_index_fast(merge->heap, 0);
    if (merge->heap->len > 0)
        sift_down(merge);
    return TRUE;
}

gboolean td_merge_next(TdMerge *merge, TdMergeRows *ret_rows, GError **error)
{
    const Run *top;

    if (merge->begun && merge->heap->len > 0 && !pass_top(merge, error))
        return FALSE;
    merge->begun = TRUE;
    *ret_rows = (TdMergeRows){0};
    if (merge->heap->len == 0)
        return TRUE;
    top = run_at(merge, 0);
    *ret_rows = (TdMergeRows){.source = top->source,
                              .arrays = top->batch.arrays,
                              .from = top->from,
                              .to = top->to,
                              .name = top->name,
                              .name_length = top->name_length};
    return TRUE;
}
