/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the rows that may meet conditions: first by the statistics of row groups, then by the page
 * index.
 */
#include "parquet/reader.h"

#include <string.h>

#include "base/error.h"
#include "parquet/statistics.h"

/* A condition with what is known about its column. */
typedef struct {
    const ParquetCondition *condition;
    const ParquetColumn *column;
    Order order;
    gsize width; /* of a value; 0 where it varies */
} Test;

static gboolean make_test(const ParquetMetadata *metadata, const ParquetCondition *condition,
                          Test *ret_test, GError **error)
{
    const ParquetColumn *column;
    gsize width;

    if (condition->column >= parquet_schema_count(metadata->schema)) {
        error_set(error, ERROR_USAGE, "a condition on column %u, which is none", condition->column);
        return FALSE;
    }
    column = parquet_schema_column(metadata->schema, condition->column);
    width = parquet_column_width(column);
    if (width > 0 && ((condition->low != NULL && condition->low_length != width) ||
                      (condition->high != NULL && condition->high_length != width))) {
        error_set(error, ERROR_USAGE, "a bound for column %s has not its %" G_GSIZE_FORMAT " bytes",
                  column->name, width);
        return FALSE;
    }
    *ret_test = (Test){condition, column, order_of(column), width};
    return TRUE;
}

/* A bound from the file can be compared: it has the right size, and is a number. */
static gboolean is_usable(const Test *test, GBytes *bound)
{
    return bound != NULL && test->order != ORDER_NONE &&
           (test->width == 0 || g_bytes_get_size(bound) == test->width) &&
           !order_is_nan(test->order, g_bytes_get_data(bound, NULL));
}

static gboolean may_hold(const Test *test, GBytes *min, GBytes *max)
{
    const ParquetCondition *condition = test->condition;

    if (condition->high != NULL && is_usable(test, min) &&
        order_compare(test->order, g_bytes_get_data(min, NULL), g_bytes_get_size(min),
                      condition->high, condition->high_length) > 0)
        return FALSE;
    return condition->low == NULL || !is_usable(test, max) ||
           order_compare(test->order, g_bytes_get_data(max, NULL), g_bytes_get_size(max),
                         condition->low, condition->low_length) >= 0;
}

static gboolean may_hold_in_group(const Test *test, const ParquetMetadata *metadata,
                                  const ParquetRowGroup *group)
{
    const ParquetChunk *chunk = &group->chunks[test->condition->column];
    const ParquetStatistics *statistics = &chunk->statistics;

    if (statistics->null_count >= 0 && statistics->null_count == chunk->values)
        return FALSE;
    /* Without column orders nobody knows how min and max were compared. */
    return !metadata->typed_order || may_hold(test, statistics->min, statistics->max);
}

/* Adds a run of rows, joined to the last one where they touch. */
static void add_rows(GArray *rows, guint group, guint64 first, guint64 count)
{
    ParquetRows part = {group, first, count};
    ParquetRows *last = rows->len == 0 ? NULL : &g_array_index(rows, ParquetRows, rows->len - 1);

    if (count == 0)
        return;
    if (last != NULL && last->group == group && last->first + last->count == first)
        last->count += count;
    else
        g_array_append_val(rows, part);
}

/* Rows of the pages that may have what the test wants. */
static GArray *rows_of_pages(const Test *test, const ParquetMetadata *metadata, guint group,
                             const ParquetPageIndex *index)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(ParquetRows));
    guint64 total = (guint64)parquet_metadata_group(metadata, group)->rows;

    if (index == NULL || index->bounds == NULL || !metadata->typed_order) {
        add_rows(rows, group, 0, total);
        return rows;
    }
    for (guint i = 0; i < index->locations->len; i++) {
        const ParquetPageBounds *bounds = parquet_page_bounds(index, i);
        guint64 first = (guint64)parquet_page_location(index, i)->first_row;
        guint64 end = i + 1 < index->locations->len
                          ? (guint64)parquet_page_location(index, i + 1)->first_row
                          : total;

        if (!bounds->null_page && may_hold(test, bounds->min, bounds->max))
            add_rows(rows, group, first, end - first);
    }
    return rows;
}

/* Rows that are in both lists. Both are of one row group and sorted. */
static GArray *intersect(const GArray *a, const GArray *b)
{
    GArray *both = g_array_new(FALSE, FALSE, sizeof(ParquetRows));
    guint i = 0, k = 0;

    while (i < a->len && k < b->len) {
        const ParquetRows *x = &g_array_index(a, ParquetRows, i);
        const ParquetRows *y = &g_array_index(b, ParquetRows, k);
        guint64 first = MAX(x->first, y->first);
        guint64 x_end = x->first + x->count, y_end = y->first + y->count;

        if (MIN(x_end, y_end) > first)
            add_rows(both, x->group, first, MIN(x_end, y_end) - first);
        if (x_end < y_end)
            i++;
        else
            k++;
    }
    return both;
}

static gboolean find_in_group(const ParquetReader *reader, const Test *tests, guint count,
                              guint group, GArray *rows, GError **error)
{
    const ParquetMetadata *metadata = parquet_reader_metadata(reader);
    const ParquetRowGroup *info = parquet_metadata_group(metadata, group);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(ParquetRows));

    for (guint i = 0; i < count; i++) {
        if (!may_hold_in_group(&tests[i], metadata, info))
            return TRUE;
    }
    add_rows(found, group, 0, (guint64)info->rows);
    for (guint i = 0; i < count && found->len > 0; i++) {
        g_autoptr(ParquetPageIndex) index = NULL;
        g_autoptr(GArray) pages = NULL;
        GArray *both;

        if (!parquet_reader_page_index(reader, group, tests[i].condition->column, &index, error))
            return FALSE;
        pages = rows_of_pages(&tests[i], metadata, group, index);
        both = intersect(found, pages);
        g_array_unref(found);
        found = both;
    }
    g_array_append_vals(rows, found->data, found->len);
    return TRUE;
}

GArray *parquet_reader_find(const ParquetReader *reader, const ParquetCondition *conditions,
                            guint count, GError **error)
{
    const ParquetMetadata *metadata = parquet_reader_metadata(reader);
    g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(ParquetRows));
    g_autofree Test *tests = g_new0(Test, count);

    for (guint i = 0; i < count; i++) {
        if (!make_test(metadata, &conditions[i], &tests[i], error))
            return NULL;
    }
    for (guint i = 0; i < metadata->row_groups->len; i++) {
        if (!find_in_group(reader, tests, count, i, rows, error))
            return NULL;
    }
    return g_steal_pointer(&rows);
}
