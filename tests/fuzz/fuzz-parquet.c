/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes the reader of Parquet files: footer, page index, pages of every column. Any bytes give
 * values or an error, within the limits.
 */
#include <stdint.h>

#include "parquet/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* So many rows are enough to see what is wrong with a page. */
#define ROWS_MAX 100000

/* Touches every value, so that a sanitizer sees one that is not there. */
static guint64 touch(const ParquetColumn *column, const ParquetArray *array, gsize rows)
{
    gsize width = parquet_column_width(column);
    guint64 sum = 0;

    for (gsize i = 0; i < rows; i++) {
        sum += parquet_array_is_valid(array, i);
        if (width > 0) {
            sum += ((const guint8 *)array->values)[i * width];
            sum += ((const guint8 *)array->values)[i * width + width - 1];
        } else if (array->offsets[i + 1] > array->offsets[i]) {
            sum += array->bytes[array->offsets[i]];
            sum += array->bytes[array->offsets[i + 1] - 1];
        }
    }
    return sum;
}

static void scan_column(const ParquetReader *reader, guint column, const GArray *rows)
{
    const ParquetColumn *info =
        parquet_schema_column(parquet_reader_metadata(reader)->schema, column);
    g_autoptr(GError) error = NULL;
    g_autoptr(ParquetScan) scan = parquet_scan_new(reader, &column, 1, rows, &error);
    volatile guint64 sum = 0;
    ParquetBatch batch;
    gsize done = 0;

    if (scan == NULL)
        return;
    do {
        if (!parquet_scan_next(scan, 1000, &batch, &error)) {
            g_assert_nonnull(error);
            return;
        }
        if (batch.rows > 0)
            sum += touch(info, &batch.arrays[0], batch.rows);
        done += batch.rows;
    } while (batch.rows > 0 && done < ROWS_MAX);
}

/* Rows between two values of the first bytes that there are, by statistics and page index. */
static void find_rows(const ParquetReader *reader, guint column)
{
    const ParquetColumn *info =
        parquet_schema_column(parquet_reader_metadata(reader)->schema, column);
    gsize width = parquet_column_width(info), length = width > 0 ? width : 3;
    g_autofree guint8 *bound = g_malloc0(length);
    ParquetCondition condition = {column, bound, bound, length, length};
    g_autoptr(GArray) rows = parquet_reader_find(reader, &condition, 1, NULL);

    if (rows != NULL)
        scan_column(reader, column, rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(GError) error = NULL;
    ParquetReaderLimits limits;
    ParquetMemory memory;
    guint columns;

    parquet_reader_limits_init(&limits);
    limits.memory = 32 * 1024 * 1024;
    limits.page_bytes = 4 * 1024 * 1024;
    limits.string_bytes = 1024 * 1024;
    parquet_memory_init(&memory, data, size, "input");
    reader = parquet_reader_open(&memory.source, &limits, &error);
    if (reader == NULL) {
        g_assert_nonnull(error);
        return 0;
    }
    columns = parquet_schema_count(parquet_reader_metadata(reader)->schema);
    for (guint i = 0; i < MIN(columns, 32); i++) {
        scan_column(reader, i, NULL);
        find_rows(reader, i);
    }
    return 0;
}
