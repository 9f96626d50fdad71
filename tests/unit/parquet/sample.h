/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns of values for the tests of Parquet: every type, with extreme values, made from a seed;
 * and files in memory.
 */
#ifndef HOLDFAST_TESTS_PARQUET_SAMPLE_H
#define HOLDFAST_TESTS_PARQUET_SAMPLE_H

#include <glib.h>

#include "parquet/reader.h"
#include "parquet/writer.h"

typedef enum {
    SAMPLE_WILD,   /* any bits: extremes, NaN with payload, both zeros, empty strings */
    SAMPLE_RISING, /* like a clock or a counter */
    SAMPLE_FEW,    /* ten distinct values */
    SAMPLE_KINDS
} SampleKind;

typedef enum { SAMPLE_NO_NULLS, SAMPLE_SOME_NULLS, SAMPLE_ALL_NULLS, SAMPLE_NULLS } SampleNulls;

typedef struct {
    ParquetColumn column; /* the name belongs to the sample */
    gsize rows;
    ParquetArray array;
    GByteArray *values, *bytes, *validity;
    GArray *offsets;
} Sample;

/* The columns of all types that are written: *ret_count of them, static. */
const ParquetColumn *sample_columns(guint *ret_count);

/* `column` is copied; it becomes optional unless `nulls` is SAMPLE_NO_NULLS. */
Sample *sample_new(const ParquetColumn *column, const char *name, SampleKind kind,
                   SampleNulls nulls, gsize rows, guint32 seed);
void sample_free(Sample *sample);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sample, sample_free)

/* Value `row` of an array in PLAIN form without a length; NULL where it is missing. */
const guint8 *array_value(const ParquetColumn *column, const ParquetArray *array, gsize row,
                          gsize *ret_length);

/* Fails the test where rows [first, first + rows) of the sample are not what `array` holds. */
void sample_assert_equal(const Sample *sample, gsize first, const ParquetArray *array, gsize rows);

/* Writes samples of the same number of rows as one file into memory. encodings[i] is for sample i;
 * NULL: looked at. */
GByteArray *sample_write(Sample **samples, guint count, const ParquetEncoding *encodings,
                         const ParquetWriterOptions *options, gsize batch);

/* Reads a whole file back and compares everything. */
void sample_assert_file(Sample **samples, guint count, const GByteArray *file, gsize batch);

/* A ParquetSink into a GByteArray. */
gboolean sample_sink(const void *bytes, gsize length, gpointer data, GError **error);

#endif
