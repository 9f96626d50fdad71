/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of one column for a run of rows, as they pass between a caller and the writer or the
 * reader. The layout is Apache Arrow's but for BOOLEAN, which has a byte per value, so that most
 * callers need not copy.
 */
#ifndef HOLDFAST_PARQUET_ARRAY_H
#define HOLDFAST_PARQUET_ARRAY_H

#include <glib.h>

typedef struct {
    /* One slot a row, in the machine's byte order, parquet_column_width() bytes each. A slot
     * without a value is there too: the writer does not look at it, the reader leaves zero bytes.
     * NULL for BYTE_ARRAY. */
    const void *values;
    /* BYTE_ARRAY only: rows + 1 offsets into `bytes`, never falling; the first need not be 0. A row
     * without a value is an empty run (the writer does not look at it). */
    const guint32 *offsets;
    const guint8 *bytes;
    /* Bit i (the lowest bit of a byte first) is 1 where row i has a value. NULL: every row has one.
     * Bits behind the last row mean nothing. */
    const guint8 *validity;
} ParquetArray;

static inline gboolean parquet_array_is_valid(const ParquetArray *array, gsize row)
{
    return array->validity == NULL || (array->validity[row >> 3] >> (row & 7) & 1) != 0;
}

#endif
