/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing rows by statistics and page index: no row that meets the conditions is left out, and
 * most of the others are.
 */
#include "parquet/sample.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "parquet/statistics.h"

#define ROWS 20000

typedef struct {
    guint64 met;  /* rows that meet the conditions, among those that were found */
    guint64 read; /* rows that were found */
} Found;

static gboolean meets(const ParquetColumn *column, const ParquetCondition *condition,
                      const ParquetArray *array, gsize row)
{
    Order order = order_of(column);
    gsize length;
    const guint8 *value = array_value(column, array, row, &length);

    if (value == NULL || order_is_nan(order, value))
        return FALSE;
    return (condition->low == NULL ||
            order_compare(order, value, length, condition->low, condition->low_length) >= 0) &&
           (condition->high == NULL ||
            order_compare(order, value, length, condition->high, condition->high_length) <= 0);
}

static gboolean meets_all(Sample **samples, const ParquetCondition *conditions, guint count,
                          const ParquetArray *arrays, gsize row)
{
    for (guint i = 0; i < count; i++) {
        guint column = conditions[i].column;

        if (!meets(&samples[column]->column, &conditions[i], &arrays[column], row))
            return FALSE;
    }
    return TRUE;
}

static Found find(Sample **samples, guint count, const GByteArray *file,
                  const ParquetCondition *conditions, guint condition_count)
{
    guint chosen[4] = {0, 1, 2, 3};
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    g_autoptr(GArray) rows = NULL;
    g_autoptr(GError) error = NULL;
    ParquetMemory memory;
    ParquetBatch batch;
    Found found = {0};

    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, &error);
    g_assert_no_error(error);
    rows = parquet_reader_find(reader, conditions, condition_count, &error);
    g_assert_no_error(error);
    scan = parquet_scan_new(reader, chosen, count, rows, &error);
    g_assert_no_error(error);
    do {
        g_assert_true(parquet_scan_next(scan, 999, &batch, &error));
        for (gsize i = 0; i < batch.rows; i++)
            found.met += meets_all(samples, conditions, condition_count, batch.arrays, i);
        found.read += batch.rows;
        for (guint c = 0; c < count && batch.rows > 0; c++)
            sample_assert_equal(samples[c], batch.group * 5000 + batch.first_row, &batch.arrays[c],
                                batch.rows);
    } while (batch.rows > 0);
    return found;
}

static guint64 count_all(Sample **samples, const ParquetCondition *conditions, guint count)
{
    ParquetArray arrays[4];
    guint64 met = 0;

    for (guint i = 0; i < 4; i++)
        arrays[i] = samples[i]->array;
    for (gsize i = 0; i < ROWS; i++)
        met += meets_all(samples, conditions, count, arrays, i);
    return met;
}

static void make(Sample *samples[4], GByteArray **ret_file)
{
    static const ParquetColumn columns[] = {
        {.name = "ts", .type = PARQUET_INT64},
        {.name = "name", .type = PARQUET_BYTE_ARRAY, .logical = PARQUET_STRING},
        {.name = "value", .type = PARQUET_DOUBLE},
        {.name = "wild", .type = PARQUET_DOUBLE},
    };
    ParquetWriterOptions options;

    for (guint i = 0; i < 4; i++)
        samples[i] = sample_new(&columns[i], columns[i].name, i == 3 ? SAMPLE_WILD : SAMPLE_RISING,
                                i >= 2 ? SAMPLE_SOME_NULLS : SAMPLE_NO_NULLS, ROWS, i);
    parquet_writer_options_init(&options);
    options.row_group_rows = 5000;
    options.page_rows = 400;
    options.page_bytes = 2000;
    *ret_file = sample_write(samples, 4, NULL, &options, 3333);
}

static void test_find(void)
{
    const gint64 low = 7000 * 1000, high = 7100 * 1000, beyond = 999999999;
    const double value_low = 200, value_high = 201, zero = 0.0, minus_zero = -0.0;
    const struct {
        ParquetCondition conditions[2];
        guint count;
        guint64 most; /* rows to be read for it */
    } cases[] = {
        {{{0}}, 0, ROWS},
        {{{0, &low, &high, 8, 8}}, 1, 1000},
        {{{0, &beyond, NULL, 8, 0}}, 1, 0},
        {{{0, NULL, &low, 0, 8}}, 1, 7400},
        {{{1, "sensor-00003000", "sensor-00003000", 15, 15}}, 1, 1200},
        {{{1, "zzz", NULL, 3, 0}}, 1, 0},
        {{{1, NULL, "", 0, 0}}, 1, 0},
        {{{2, &value_low, &value_high, 8, 8}}, 1, 2000},
        {{{0, &low, &high, 8, 8}, {1, "sensor-00003000", "sensor-00003000", 15, 15}}, 2, 0},
        {{{3, &zero, &zero, 8, 8}}, 1, ROWS},
        {{{3, &minus_zero, &minus_zero, 8, 8}}, 1, ROWS},
    };
    Sample *samples[4];
    g_autoptr(GByteArray) file = NULL;

    make(samples, &file);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Found found = find(samples, 4, file, cases[i].conditions, cases[i].count);

        g_assert_cmpuint(found.met, ==, count_all(samples, cases[i].conditions, cases[i].count));
        g_assert_cmpuint(found.read, <=, cases[i].most);
    }
    for (guint i = 0; i < 4; i++)
        sample_free(samples[i]);
}

static void test_usage(void)
{
    const ParquetCondition wrong[] = {{9, "x", NULL, 1, 0}, {0, "x", NULL, 1, 0}};
    const ParquetRows rows[] = {{0, 0, 6000}, {7, 0, 1}};
    Sample *samples[4];
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    ParquetMemory memory;
    guint column = 0, none = 4;

    make(samples, &file);
    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(parquet_reader_find(reader, &wrong[i], 1, &error));
        g_assert_true(error_is(error, ERROR_USAGE));
    }
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(ParquetRows));

        g_array_append_val(chosen, rows[i]);
        g_assert_null(parquet_scan_new(reader, &column, 1, chosen, &error));
        g_assert_true(error_is(error, ERROR_USAGE));
    }
    g_assert_null(parquet_scan_new(reader, &none, 1, NULL, NULL));
    for (guint i = 0; i < 4; i++)
        sample_free(samples[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/find/conditions", test_find);
    g_test_add_func("/parquet/find/usage", test_usage);
    return g_test_run();
}
