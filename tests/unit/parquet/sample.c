/* SPDX-License-Identifier: Apache-2.0
 *
 * Test columns.
 */
#include "parquet/sample.h"

#include <math.h>
#include <string.h>

#define TIMESTAMP(text, unit_)                                                                     \
    {                                                                                              \
        .name = text, .type = PARQUET_INT64, .logical = PARQUET_TIMESTAMP, .unit = unit_,          \
        .utc = TRUE                                                                                \
    }
#define INTEGER(text, type_, bits_, signed_)                                                       \
    {                                                                                              \
        .name = text, .type = type_, .logical = PARQUET_INTEGER, .bits = bits_,                    \
        .is_signed = signed_                                                                       \
    }

static const ParquetColumn columns[] = {
    {.name = "boolean", .type = PARQUET_BOOLEAN},
    {.name = "int32", .type = PARQUET_INT32},
    {.name = "int64", .type = PARQUET_INT64},
    {.name = "float", .type = PARQUET_FLOAT},
    {.name = "double", .type = PARQUET_DOUBLE},
    {.name = "bytes", .type = PARQUET_BYTE_ARRAY},
    {.name = "fixed", .type = PARQUET_FIXED, .length = 5},
    {.name = "string", .type = PARQUET_BYTE_ARRAY, .logical = PARQUET_STRING},
    {.name = "json", .type = PARQUET_BYTE_ARRAY, .logical = PARQUET_JSON},
    INTEGER("int8", PARQUET_INT32, 8, TRUE),
    INTEGER("int16", PARQUET_INT32, 16, TRUE),
    INTEGER("signed32", PARQUET_INT32, 32, TRUE),
    INTEGER("signed64", PARQUET_INT64, 64, TRUE),
    INTEGER("uint8", PARQUET_INT32, 8, FALSE),
    INTEGER("uint16", PARQUET_INT32, 16, FALSE),
    INTEGER("uint32", PARQUET_INT32, 32, FALSE),
    INTEGER("uint64", PARQUET_INT64, 64, FALSE),
    TIMESTAMP("ms", PARQUET_MILLIS),
    TIMESTAMP("us", PARQUET_MICROS),
    TIMESTAMP("ns", PARQUET_NANOS),
    {.name = "local",
     .type = PARQUET_INT64,
     .logical = PARQUET_TIMESTAMP,
     .unit = PARQUET_MICROS,
     .utc = FALSE},
    {.name = "decimal9",
     .type = PARQUET_INT32,
     .logical = PARQUET_DECIMAL,
     .precision = 9,
     .scale = 2},
    {.name = "decimal18",
     .type = PARQUET_INT64,
     .logical = PARQUET_DECIMAL,
     .precision = 18,
     .scale = 6},
    {.name = "decimal38",
     .type = PARQUET_FIXED,
     .length = 16,
     .logical = PARQUET_DECIMAL,
     .precision = 38,
     .scale = 10},
};

const ParquetColumn *sample_columns(guint *ret_count)
{
    *ret_count = G_N_ELEMENTS(columns);
    return columns;
}

static guint64 next_random(guint64 *state)
{
    guint64 z = *state += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static gint64 make_integer(SampleKind kind, guint64 *state, gsize row)
{
    static const gint64 extremes[] = {G_MININT64, G_MAXINT64, 0, -1, 1, G_MININT32, G_MAXINT32};
    guint64 random = next_random(state);

    if (kind == SAMPLE_RISING)
        return (gint64)(row * 1000 + random % 700);
    if (kind == SAMPLE_FEW)
        return (gint64)(random % 10) * 7 - 30;
    return random % 5 == 0 ? extremes[random / 5 % G_N_ELEMENTS(extremes)] : (gint64)random;
}

/* Brings an integer into the range of its logical type. */
static gint64 fit_integer(const ParquetColumn *column, gint64 value)
{
    if (column->logical == PARQUET_DECIMAL)
        return column->type == PARQUET_INT32 ? value % 1000000000
                                             : value % G_GINT64_CONSTANT(1000000000000000000);
    /* Within the years that every reader knows. */
    if (column->logical == PARQUET_TIMESTAMP && column->unit == PARQUET_NANOS)
        return value % G_GINT64_CONSTANT(9000000000000000000);
    if (column->logical == PARQUET_TIMESTAMP)
        return value %
               (G_GINT64_CONSTANT(4000000000000) * (column->unit == PARQUET_MICROS ? 1000 : 1));
    if (column->logical == PARQUET_INTEGER && column->bits == 8)
        return column->is_signed ? (gint8)value : (guint8)value;
    if (column->logical == PARQUET_INTEGER && column->bits == 16)
        return column->is_signed ? (gint16)value : (guint16)value;
    return value;
}

static double make_double(SampleKind kind, guint64 *state, gsize row)
{
    guint64 random = next_random(state), bits;
    double value;

    if (kind == SAMPLE_RISING)
        return 100 + (double)row / 64 + (double)(random % 100) / 100;
    if (kind == SAMPLE_FEW)
        return (double)(random % 10) / 4 - 1;
    switch (random % 8) {
    case 0:
        return -0.0;
    case 1:
        return INFINITY;
    case 2:
        return -INFINITY;
    case 3:
        bits = G_GUINT64_CONSTANT(0x7ff8000000000000) | (random >> 8 & 0xffff);
        break;
    default:
        bits = next_random(state);
        /* A signalling NaN may be made a quiet one on its way through a reader. */
        if ((bits & G_GUINT64_CONSTANT(0x7ff0000000000000)) ==
            G_GUINT64_CONSTANT(0x7ff0000000000000))
            bits |= G_GUINT64_CONSTANT(0x8000000000000);
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void add_string(Sample *sample, SampleKind kind, guint64 *state, gsize row)
{
    static const char *const letters[] = {
        "a", "Z", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x92\xbe", "\"", "\\", "\x01", "9"};
    guint64 random = next_random(state);
    gboolean text = parquet_column_is_text(&sample->column);
    g_autofree char *name = NULL;
    gsize length = random % 41;

    if (sample->column.logical == PARQUET_JSON) {
        name = g_strdup_printf("{\"n\":%u}",
                               (guint)(kind == SAMPLE_FEW ? random % 10 : random % 1000000));
    } else if (kind == SAMPLE_FEW) {
        name = random % 10 == 0 ? g_strdup("") : g_strdup_printf("symbol-%u", (guint)(random % 10));
    } else if (kind == SAMPLE_RISING) {
        name = g_strdup_printf("sensor-%08" G_GSIZE_FORMAT, row / 3);
    }
    if (name != NULL) {
        g_byte_array_append(sample->bytes, (const guint8 *)name, (guint)strlen(name));
        return;
    }
    for (gsize i = 0; i < length; i++) {
        guint8 byte = (guint8)next_random(state);
        const char *letter = letters[byte % G_N_ELEMENTS(letters)];

        if (text)
            g_byte_array_append(sample->bytes, (const guint8 *)letter, (guint)strlen(letter));
        else
            g_byte_array_append(sample->bytes, &byte, 1);
    }
}

static void add_fixed(Sample *sample, SampleKind kind, guint64 *state, gsize row)
{
    guint8 value[32] = {0};
    gsize length = sample->column.length;
    gint64 number = make_integer(kind, state, row);
    guint64 low = GUINT64_TO_BE((guint64)number);

    /* A decimal: a 64-bit number, times a large one in the wild case, sign-extended to 16 bytes. */
    memset(value, number < 0 ? 0xff : 0, sizeof value);
    if (length >= 8)
        memcpy(value + length - 8, &low, 8);
    else
        memcpy(value, (guint8 *)&low + 8 - length, length);
    if (length == 16 && kind == SAMPLE_WILD)
        value[7] ^= (guint8)(next_random(state) & 0x3f);
    g_byte_array_append(sample->values, value, (guint)length);
}

static void add_value(Sample *sample, SampleKind kind, guint64 *state, gsize row)
{
    ParquetType type = sample->column.type;
    guint8 boolean;
    float single;
    double real;
    gint32 narrow;
    gint64 wide;

    switch (type) {
    case PARQUET_BOOLEAN:
        boolean = kind == SAMPLE_RISING ? row / 100 & 1 : next_random(state) & 1;
        g_byte_array_append(sample->values, &boolean, 1);
        break;
    case PARQUET_INT32:
        narrow = (gint32)fit_integer(&sample->column, make_integer(kind, state, row));
        g_byte_array_append(sample->values, (const guint8 *)&narrow, 4);
        break;
    case PARQUET_INT64:
        wide = fit_integer(&sample->column, make_integer(kind, state, row));
        g_byte_array_append(sample->values, (const guint8 *)&wide, 8);
        break;
    case PARQUET_FLOAT:
        single = (float)make_double(kind, state, row);
        g_byte_array_append(sample->values, (const guint8 *)&single, 4);
        break;
    case PARQUET_DOUBLE:
        real = make_double(kind, state, row);
        g_byte_array_append(sample->values, (const guint8 *)&real, 8);
        break;
    case PARQUET_FIXED:
        add_fixed(sample, kind, state, row);
        break;
    default:
        add_string(sample, kind, state, row);
        break;
    }
}

Sample *sample_new(const ParquetColumn *column, const char *name, SampleKind kind,
                   SampleNulls nulls, gsize rows, guint32 seed)
{
    Sample *sample = g_new0(Sample, 1);
    guint64 state = seed;
    guint32 end = 0;

    sample->column = *column;
    sample->column.name = g_strdup(name);
    sample->column.optional = nulls != SAMPLE_NO_NULLS;
    sample->rows = rows;
    sample->values = g_byte_array_new();
    sample->bytes = g_byte_array_new();
    sample->validity = g_byte_array_new();
    sample->offsets = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_byte_array_set_size(sample->validity, (guint)(rows / 8 + 1));
    memset(sample->validity->data, 0, rows / 8 + 1);
    g_array_append_val(sample->offsets, end);
    for (gsize i = 0; i < rows; i++) {
        /* Slots without a value hold something too: nobody may look at it. */
        add_value(sample, kind, &state, i);
        end = sample->bytes->len;
        g_array_append_val(sample->offsets, end);
        if (nulls == SAMPLE_NO_NULLS ||
            (nulls == SAMPLE_SOME_NULLS && next_random(&state) % 5 != 0))
            sample->validity->data[i / 8] |= (guint8)(1u << (i & 7));
    }
    if (column->type == PARQUET_BYTE_ARRAY) {
        sample->array.offsets = (const guint32 *)(gconstpointer)sample->offsets->data;
        sample->array.bytes = sample->bytes->data;
    } else {
        sample->array.values = sample->values->data;
    }
    if (nulls != SAMPLE_NO_NULLS)
        sample->array.validity = sample->validity->data;
    return sample;
}

void sample_free(Sample *sample)
{
    if (sample == NULL)
        return;
    g_free((gpointer)sample->column.name);
    g_byte_array_unref(sample->values);
    g_byte_array_unref(sample->bytes);
    g_byte_array_unref(sample->validity);
    g_array_unref(sample->offsets);
    g_free(sample);
}

const guint8 *array_value(const ParquetColumn *column, const ParquetArray *array, gsize row,
                          gsize *ret_length)
{
    gsize width = parquet_column_width(column);

    *ret_length = 0;
    if (!parquet_array_is_valid(array, row))
        return NULL;
    if (width > 0) {
        *ret_length = width;
        return (const guint8 *)array->values + row * width;
    }
    *ret_length = array->offsets[row + 1] - array->offsets[row];
    return *ret_length == 0 ? (const guint8 *)"" : array->bytes + array->offsets[row];
}

void sample_assert_equal(const Sample *sample, gsize first, const ParquetArray *array, gsize rows)
{
    for (gsize i = 0; i < rows; i++) {
        gsize wanted_length, length;
        const guint8 *wanted =
            array_value(&sample->column, &sample->array, first + i, &wanted_length);
        const guint8 *value = array_value(&sample->column, array, i, &length);

        if ((wanted == NULL) == (value == NULL) && wanted_length == length &&
            (length == 0 || memcmp(wanted, value, length) == 0))
            continue;
        g_error("column %s: row %" G_GSIZE_FORMAT " is not what was written", sample->column.name,
                first + i);
    }
}

gboolean sample_sink(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_byte_array_append(data, bytes, (guint)length);
    return TRUE;
}

/* The arrays of a few rows, as a caller with small batches would have them. */
static void slice(Sample **samples, guint count, gsize from, gsize rows, ParquetArray *arrays,
                  GByteArray **bitmaps)
{
    for (guint i = 0; i < count; i++) {
        const Sample *sample = samples[i];

        arrays[i] = sample->array;
        if (sample->array.values != NULL)
            arrays[i].values =
                (const guint8 *)sample->array.values + from * parquet_column_width(&sample->column);
        else
            arrays[i].offsets = sample->array.offsets + from;
        if (sample->array.validity == NULL)
            continue;
        g_byte_array_set_size(bitmaps[i], (guint)(rows / 8 + 1));
        memset(bitmaps[i]->data, 0, rows / 8 + 1);
        for (gsize k = 0; k < rows; k++) {
            if (parquet_array_is_valid(&sample->array, from + k))
                bitmaps[i]->data[k / 8] |= (guint8)(1u << (k & 7));
        }
        arrays[i].validity = bitmaps[i]->data;
    }
}

static void add_all(ParquetWriter *writer, Sample **samples, guint count, gsize batch)
{
    g_autofree ParquetArray *arrays = g_new0(ParquetArray, count);
    g_autofree GByteArray **bitmaps = g_new0(GByteArray *, count);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < count; i++)
        bitmaps[i] = g_byte_array_new();
    for (gsize from = 0; from < samples[0]->rows; from += batch) {
        gsize rows = MIN(batch, samples[0]->rows - from);

        slice(samples, count, from, rows, arrays, bitmaps);
        if (!parquet_writer_add(writer, arrays, rows, &error))
            g_error("%s", error->message);
    }
    for (guint i = 0; i < count; i++)
        g_byte_array_unref(bitmaps[i]);
}

GByteArray *sample_write(Sample **samples, guint count, const ParquetEncoding *encodings,
                         const ParquetWriterOptions *options, gsize batch)
{
    g_autoptr(ParquetSchema) schema = parquet_schema_new();
    g_autoptr(ParquetWriter) writer = NULL;
    g_autoptr(GError) error = NULL;
    GByteArray *file = g_byte_array_new();

    for (guint i = 0; i < count; i++) {
        if (!parquet_schema_add(schema, &samples[i]->column, &error))
            g_error("%s", error->message);
    }
    writer = parquet_writer_new(schema, options, sample_sink, file, NULL, &error);
    if (writer == NULL)
        g_error("%s", error->message);
    for (guint i = 0; encodings != NULL && i < count; i++) {
        if (!parquet_writer_set_encoding(writer, i, encodings[i], &error))
            g_error("%s", error->message);
    }
    parquet_writer_add_metadata(writer, "purpose", "test");
    add_all(writer, samples, count, batch);
    if (!parquet_writer_finish(writer, &error))
        g_error("%s", error->message);
    g_assert_cmpuint(parquet_writer_bytes(writer), ==, file->len);
    return file;
}

void sample_assert_file(Sample **samples, guint count, const GByteArray *file, gsize batch)
{
    g_autofree guint *chosen = g_new(guint, count);
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    g_autoptr(GError) error = NULL;
    ParquetMemory memory;
    ParquetBatch got;
    gsize done = 0;

    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, &error);
    if (reader == NULL)
        g_error("%s", error->message);
    g_assert_cmpint(parquet_reader_metadata(reader)->rows, ==, (gint64)samples[0]->rows);
    for (guint i = 0; i < count; i++)
        chosen[i] = i;
    scan = parquet_scan_new(reader, chosen, count, NULL, &error);
    if (scan == NULL)
        g_error("%s", error->message);
    do {
        if (!parquet_scan_next(scan, batch, &got, &error))
            g_error("%s", error->message);
        for (guint i = 0; i < count && got.rows > 0; i++)
            sample_assert_equal(samples[i], done, &got.arrays[i], got.rows);
        done += got.rows;
    } while (got.rows > 0);
    g_assert_cmpuint(done, ==, samples[0]->rows);
}
