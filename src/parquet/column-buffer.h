/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of one column of the row group that is being filled: those that are there, one behind
 * the other, and a bitmap of the rows that have one.
 */
#ifndef HOLDFAST_PARQUET_COLUMN_BUFFER_H
#define HOLDFAST_PARQUET_COLUMN_BUFFER_H

#include <glib.h>

#include "parquet/array.h"
#include "parquet/schema.h"

typedef struct {
    const ParquetColumn *column; /* borrowed */
    gsize width;
    gsize rows, count; /* rows, and values among them */
    guint8 *values;    /* fixed width */
    guint32 *offsets;  /* byte arrays: count + 1, from 0 on */
    guint8 *bytes;
    guint8 *validity; /* NULL while every row has a value */
    gsize values_room, offsets_room, bytes_room, validity_room; /* bytes that are allocated */
} ColumnBuffer;

void column_buffer_init(ColumnBuffer *buffer, const ParquetColumn *column);
void column_buffer_clear(ColumnBuffer *buffer);

/* Empties the buffer but keeps its memory. */
void column_buffer_reset(ColumnBuffer *buffer);

/* Bytes that rows [from, from + count) of an array take in a buffer. */
gsize column_array_bytes(const ParquetColumn *column, const ParquetArray *array, gsize from,
                         gsize count);

/* Copies rows [from, from + count) of an array to the end. ERROR_LIMIT where memory runs out or the
 * byte arrays take more than 4 GiB. ERROR_USAGE for a missing value in a required column and for
 * falling offsets. */
gboolean column_buffer_append(ColumnBuffer *buffer, const ParquetArray *array, gsize from,
                              gsize count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Values among rows [from, from + count). */
gsize column_buffer_count(const ColumnBuffer *buffer, gsize from, gsize count);

#endif
