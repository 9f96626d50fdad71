/* SPDX-License-Identifier: Apache-2.0
 *
 * Windows of row groups.
 */
#include "tdengine/restore-windows.h"

/* Rows of a table in a slice, on average, from which on it does not matter how many binds they are. */
#define ROWS_ENOUGH 500u
/* What a scan decodes at once, at most: a page (parquet/writer.h). */
#define PAGE_ROWS 65536u

/* A row group that is to have its place. */
typedef struct {
    TdWindowPart part;
    guint slice;  /* its number */
    double place; /* of the slice: 0 to 1 */
    guint64 bytes;
} Group;

GArray *td_window_new(const TdSlice *slice)
{
    const TdWindowPart whole = {slice, TD_EVERY_GROUP};
    GArray *window = g_array_new(FALSE, FALSE, sizeof(TdWindowPart));

    g_array_append_val(window, whole);
    return window;
}

static gboolean are_scattered(const TdTagSet *set, const GPtrArray *slices)
{
    guint64 rows = 0, tables = set != NULL ? td_names_count(set->names) : 0;

    for (guint i = 0; i < slices->len; i++)
        rows += ((const TdSlice *)g_ptr_array_index(slices, i))->rows;
    return slices->len > 1 && rows < ROWS_ENOUGH * tables * slices->len;
}

/* About what reading it takes: stored, decompressed, and a page of values. */
static guint64 group_bytes(const ParquetRowGroup *group, guint columns)
{
    return (guint64)group->stored_bytes + (guint64)group->plain_bytes +
           MIN((guint64)group->rows, PAGE_ROWS) * columns * sizeof(gint64);
}

/* Appends the slice's row groups. *ret_bytes is of the largest. */
static gboolean look_at_slice(Backup *backup, const TdSlice *slice, guint number, GArray *groups,
                              guint64 *ret_bytes, GError **error)
{
    g_auto(TdObjectFile) file = {0};
    const ParquetMetadata *metadata;
    guint64 rows = 0, largest = 0;

    if (!td_object_file_open(&file, backup, &slice->data, error))
        return FALSE;
    metadata = parquet_reader_metadata(file.reader);
    for (guint i = 0; i < metadata->row_groups->len; i++) {
        const ParquetRowGroup *row_group = parquet_metadata_group(metadata, i);
        Group group = {.part = {slice, i},
                       .slice = number,
                       .place = (i + 0.5) / metadata->row_groups->len,
                       .bytes = group_bytes(row_group, file.columns->len)};

        rows += (guint64)row_group->rows;
        largest = MAX(largest, group.bytes);
        g_array_append_val(groups, group);
    }
    *ret_bytes = largest;
    if (rows == slice->rows)
        return TRUE;
    error_set(error, ERROR_DAMAGED,
              "%s has %" G_GUINT64_FORMAT " rows instead of %" G_GUINT64_FORMAT, file.path, rows,
              slice->rows);
    return FALSE;
}

static int compare_places(gconstpointer a, gconstpointer b)
{
    const Group *left = a, *right = b;

    return left->place < right->place ? -1 : left->place > right->place;
}

static int compare_slices(gconstpointer a, gconstpointer b)
{
    const Group *left = a, *right = b;

    if (left->slice != right->slice)
        return left->slice < right->slice ? -1 : 1;
    return left->part.group < right->part.group ? -1 : left->part.group > right->part.group;
}

static void add_window(GPtrArray *windows, GArray *groups)
{
    GArray *window;

    if (groups->len == 0)
        return;
    window = g_array_sized_new(FALSE, FALSE, sizeof(TdWindowPart), groups->len);
    g_array_sort(groups, compare_slices);
    for (guint i = 0; i < groups->len; i++)
        g_array_append_val(window, g_array_index(groups, Group, i).part);
    g_ptr_array_add(windows, window);
    g_array_set_size(groups, 0);
}

/* Cuts row groups of slices, of which one each fits, into windows about alike, as many for each job.
 * Empties the array. */
static void cut(GPtrArray *windows, GArray *groups, guint jobs, guint64 bytes)
{
    g_autoptr(GArray) window = g_array_new(FALSE, FALSE, sizeof(Group));
    guint64 total = 0, done = 0, count, next = 1;

    for (guint i = 0; i < groups->len; i++)
        total += g_array_index(groups, Group, i).bytes;
    count = (total / (bytes * jobs) + 1) * jobs;
    g_array_sort(groups, compare_places);
    for (guint i = 0; i < groups->len; i++) {
        const Group *group = &g_array_index(groups, Group, i);

        g_array_append_val(window, *group);
        done += group->bytes;
        if (done * count < total * next)
            continue;
        add_window(windows, window);
        next = done * count / total + 1;
    }
    add_window(windows, window);
    g_array_set_size(groups, 0);
}

GPtrArray *td_restore_windows(Backup *backup, const TdTagSet *set, const GPtrArray *slices,
                              guint jobs, gsize bytes, GError **error)
{
    g_autoptr(GPtrArray) windows = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(Group));
    g_autoptr(GArray) next = g_array_new(FALSE, FALSE, sizeof(Group));
    const gboolean together = are_scattered(set, slices);
    guint64 across = 0; /* a row group of each slice */

    for (guint i = 0; i < slices->len; i++) {
        const TdSlice *slice = g_ptr_array_index(slices, i);
        guint64 largest;

        if (!together) {
            g_ptr_array_add(windows, td_window_new(slice));
            continue;
        }
        g_array_set_size(next, 0);
        if (!look_at_slice(backup, slice, i, next, &largest, error))
            return NULL;
        if (across + largest > bytes) {
            cut(windows, groups, jobs, bytes);
            across = 0;
        }
        across += largest;
        g_array_append_vals(groups, next->data, next->len);
    }
    cut(windows, groups, jobs, bytes);
    return g_steal_pointer(&windows);
}
