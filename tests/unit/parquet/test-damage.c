/* SPDX-License-Identifier: Apache-2.0
 *
 * Damaged files: cut at every byte, every bit turned over. Reading ends with an error or with the
 * right values, and soon, within its limits.
 */
#include "parquet/sample.h"

#include <string.h>

#include "base/error.h"

#define ROWS 40

/* A small file with all the parts that files have. */
static GByteArray *make_file(Sample **samples, guint count, ParquetEncoding encoding,
                             ParquetCodec codec)
{
    ParquetEncoding encodings[8];
    ParquetWriterOptions options;

    for (guint i = 0; i < count; i++)
        encodings[i] = encoding;
    parquet_writer_options_init(&options);
    options.codec = codec;
    options.row_group_rows = ROWS / 2;
    options.page_rows = 8;
    return sample_write(samples, count, encodings, &options, ROWS);
}

/* TRUE where all was read; the values are right then. */
static gboolean read_all(Sample **samples, guint count, const guint8 *bytes, gsize length)
{
    g_autofree guint *chosen = g_new(guint, count);
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    g_autoptr(GError) error = NULL;
    ParquetReaderLimits limits;
    ParquetMemory memory;
    ParquetBatch batch;
    gsize done = 0;

    parquet_memory_init(&memory, bytes, length, "damaged");
    parquet_reader_limits_init(&limits);
    limits.memory = 16 * 1024 * 1024;
    reader = parquet_reader_open(&memory.source, &limits, &error);
    if (reader == NULL)
        return FALSE;
    for (guint i = 0; i < count; i++)
        chosen[i] = i;
    scan = parquet_scan_new(reader, chosen, count, NULL, &error);
    if (scan == NULL)
        return FALSE;
    do {
        if (!parquet_scan_next(scan, 1000, &batch, &error))
            return FALSE;
        for (guint i = 0; i < count && batch.rows > 0; i++)
            sample_assert_equal(samples[i], done, &batch.arrays[i], batch.rows);
        done += batch.rows;
    } while (batch.rows > 0);
    g_assert_cmpuint(done, ==, ROWS);
    return TRUE;
}

static void check_damage(Sample **samples, guint count, const GByteArray *file)
{
    g_autofree guint8 *copy = g_memdup2(file->data, file->len);
    guint unharmed = 0;

    g_assert_true(read_all(samples, count, copy, file->len));
    for (gsize length = 0; length < file->len; length++)
        g_assert_false(read_all(samples, count, copy, length));
    for (gsize bit = 0; bit < 8 * (gsize)file->len; bit++) {
        copy[bit / 8] ^= (guint8)(1u << (bit & 7));
        unharmed += read_all(samples, count, copy, file->len);
        copy[bit / 8] ^= (guint8)(1u << (bit & 7));
    }
    /* Names, statistics, the page index and the like do not matter to the values. */
    g_test_message("%u of %u bits do not matter", unharmed, 8 * file->len);
    g_assert_cmpuint(unharmed, <, 8 * file->len);
}

static void test_damage(void)
{
    guint column_count;
    const ParquetColumn *columns = sample_columns(&column_count);
    static const struct {
        ParquetEncoding encoding;
        ParquetCodec codec;
        const char *names[3];
    } files[] = {
        {PARQUET_ENCODING_AUTO, PARQUET_CODEC_ZSTD, {"boolean", "int64", "string"}},
        {PARQUET_PLAIN, PARQUET_CODEC_NONE, {"fixed", "double", "bytes"}},
        {PARQUET_RLE_DICTIONARY, PARQUET_CODEC_SNAPPY, {"decimal38", "float", "string"}},
        {PARQUET_DELTA_BINARY_PACKED, PARQUET_CODEC_LZ4_RAW, {"int32", "us", NULL}},
        {PARQUET_DELTA_LENGTH_BYTE_ARRAY, PARQUET_CODEC_GZIP, {"string", NULL, NULL}},
        {PARQUET_BYTE_STREAM_SPLIT, PARQUET_CODEC_NONE, {"double", "float", NULL}},
    };

    for (guint f = 0; f < G_N_ELEMENTS(files); f++) {
        Sample *samples[3];
        guint count = 0;
        g_autoptr(GByteArray) file = NULL;

        for (guint c = 0; c < column_count; c++) {
            for (guint n = 0; n < 3 && files[f].names[n] != NULL; n++) {
                if (strcmp(columns[c].name, files[f].names[n]) != 0)
                    continue;
                samples[count] =
                    sample_new(&columns[c], columns[c].name, SAMPLE_FEW + (count & 1),
                               count % 2 == 0 ? SAMPLE_SOME_NULLS : SAMPLE_NO_NULLS, ROWS, f);
                if (count % 2 == 1) {
                    sample_free(samples[count]);
                    samples[count] = sample_new(&columns[c], columns[c].name, SAMPLE_RISING,
                                                SAMPLE_NO_NULLS, ROWS, f);
                }
                count++;
            }
        }
        file = make_file(samples, count, files[f].encoding, files[f].codec);
        check_damage(samples, count, file);
        for (guint i = 0; i < count; i++)
            sample_free(samples[i]);
    }
}

/* What is no Parquet file at all. */
static void test_no_file(void)
{
    static const struct {
        const char *bytes;
        gsize length;
        ErrorCode code;
    } inputs[] = {
        {"", 0, ERROR_FORMAT},
        {"PAR1PAR1", 8, ERROR_FORMAT},
        {"PAR1\0\0\0\0PAR1", 12, ERROR_FORMAT},
        {"PAR1\xff\xff\xff\xffPAR1", 12, ERROR_FORMAT},
        {"PAR1\0\0\0\0PARE", 12, ERROR_UNSUPPORTED},
        {"hello, this is text", 19, ERROR_FORMAT},
    };

    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        g_autoptr(GError) error = NULL;
        ParquetMemory memory;

        parquet_memory_init(&memory, inputs[i].bytes, inputs[i].length, "text");
        g_assert_null(parquet_reader_open(&memory.source, NULL, &error));
        g_assert_true(error_is(error, inputs[i].code));
    }
}

static ErrorCode read_with_limits(Sample *sample, const GByteArray *file,
                                  const ParquetReaderLimits *limits)
{
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    g_autoptr(GError) error = NULL;
    ParquetMemory memory;
    ParquetBatch batch = {.rows = 1};
    guint column = 0;

    parquet_memory_init(&memory, file->data, file->len, "limited");
    reader = parquet_reader_open(&memory.source, limits, &error);
    scan = reader == NULL ? NULL : parquet_scan_new(reader, &column, 1, NULL, &error);
    while (scan != NULL && error == NULL && batch.rows > 0) {
        if (parquet_scan_next(scan, 100000, &batch, &error))
            continue;
    }
    g_assert_true(error == NULL || error->domain == ERROR_DOMAIN);
    return error == NULL ? ERROR_LAST : (ErrorCode)error->code;
}

/* A file of a few bytes that would become a gigabyte is refused where the limit is lower, and read
 * where it is not. */
static void test_limits(void)
{
    ParquetColumn column = {.name = "x", .type = PARQUET_INT64};
    g_autoptr(Sample) sample = sample_new(&column, "x", SAMPLE_RISING, SAMPLE_NO_NULLS, 100000, 1);
    ParquetEncoding encoding = PARQUET_RLE_DICTIONARY;
    g_autoptr(GByteArray) file = NULL;
    ParquetWriterOptions options;
    ParquetReaderLimits limits;

    memset(sample->values->data, 7, sample->values->len);
    parquet_writer_options_init(&options);
    options.page_rows = 100000;
    file = sample_write(&sample, 1, &encoding, &options, 100000);
    g_assert_cmpuint(file->len, <, 1000);
    parquet_reader_limits_init(&limits);
    g_assert_cmpint(read_with_limits(sample, file, &limits), ==, ERROR_LAST);
    limits.memory = 700000;
    g_assert_cmpint(read_with_limits(sample, file, &limits), ==, ERROR_LIMIT);
    parquet_reader_limits_init(&limits);
    limits.page_bytes = 4;
    g_assert_cmpint(read_with_limits(sample, file, &limits), ==, ERROR_LIMIT);
    parquet_reader_limits_init(&limits);
    limits.footer_bytes = 20;
    g_assert_cmpint(read_with_limits(sample, file, &limits), ==, ERROR_LIMIT);
    parquet_reader_limits_init(&limits);
    limits.chunks = 0;
    g_assert_cmpint(read_with_limits(sample, file, &limits), ==, ERROR_LIMIT);
}

/* Strings of a batch are bounded: more of them come in more batches. A single one may be larger. */
static void test_string_limit(void)
{
    const ParquetColumn column = {.name = "x", .type = PARQUET_BYTE_ARRAY};
    g_autoptr(Sample) sample = sample_new(&column, "x", SAMPLE_WILD, SAMPLE_NO_NULLS, 3000, 5);
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    ParquetWriterOptions options;
    ParquetReaderLimits limits;
    ParquetMemory memory;
    ParquetBatch batch;
    guint chosen = 0, batches = 0;
    gsize done = 0;

    parquet_writer_options_init(&options);
    file = sample_write(&sample, 1, NULL, &options, 3000);
    parquet_reader_limits_init(&limits);
    limits.string_bytes = 1000;
    parquet_memory_init(&memory, file->data, file->len, "limited");
    reader = parquet_reader_open(&memory.source, &limits, NULL);
    scan = parquet_scan_new(reader, &chosen, 1, NULL, NULL);
    do {
        g_assert_true(parquet_scan_next(scan, 3000, &batch, NULL));
        if (batch.rows == 0)
            break;
        g_assert_true(batch.rows == 1 ||
                      batch.arrays->offsets[batch.rows] - batch.arrays->offsets[0] <= 1000);
        sample_assert_equal(sample, done, batch.arrays, batch.rows);
        done += batch.rows;
        batches++;
    } while (batch.rows > 0);
    g_assert_cmpuint(done, ==, 3000);
    g_assert_cmpuint(batches, >, 10);
}

static void test_column_limit(void)
{
    const ParquetColumn column = {.name = "x", .type = PARQUET_INT32};
    Sample *samples[3];
    g_autoptr(GByteArray) file = NULL;
    ParquetWriterOptions options;
    ParquetReaderLimits limits;

    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("x%u", i);

        samples[i] = sample_new(&column, name, SAMPLE_FEW, SAMPLE_NO_NULLS, 10, i);
    }
    parquet_writer_options_init(&options);
    file = sample_write(samples, 3, NULL, &options, 10);
    parquet_reader_limits_init(&limits);
    limits.columns = 3;
    g_assert_cmpint(read_with_limits(samples[0], file, &limits), ==, ERROR_LAST);
    limits.columns = 2;
    g_assert_cmpint(read_with_limits(samples[0], file, &limits), ==, ERROR_LIMIT);
    for (guint i = 0; i < 3; i++)
        sample_free(samples[i]);
}

/* Where a page is damaged, the error names file, column, page and the byte where it begins. */
static void test_place(void)
{
    const ParquetColumn column = {.name = "price", .type = PARQUET_DOUBLE};
    g_autoptr(Sample) sample =
        sample_new(&column, "price", SAMPLE_RISING, SAMPLE_NO_NULLS, 1000, 1);
    ParquetEncoding encoding = PARQUET_PLAIN;
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetPageIndex) index = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *wanted = NULL;
    ParquetWriterOptions options;
    ParquetMemory memory;
    ParquetBatch batch = {.rows = 1};
    guint chosen = 0;
    gint64 at;

    parquet_writer_options_init(&options);
    options.page_rows = 250;
    file = sample_write(&sample, 1, &encoding, &options, 1000);
    parquet_memory_init(&memory, file->data, file->len, "some.parquet");
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    g_assert_true(parquet_reader_page_index(reader, 0, 0, &index, NULL));
    g_assert_cmpuint(index->locations->len, ==, 4);
    at = parquet_page_location(index, 2)->offset;
    file->data[at + parquet_page_location(index, 2)->stored_bytes - 1] ^= 1;
    scan = parquet_scan_new(reader, &chosen, 1, NULL, NULL);
    while (batch.rows > 0 && parquet_scan_next(scan, 1000, &batch, &error))
        continue;
    g_assert_true(error_is(error, ERROR_DAMAGED));
    wanted =
        g_strdup_printf("some.parquet: column price, page 2 at byte %" G_GINT64_FORMAT ": ", at);
    g_assert_true(g_str_has_prefix(error->message, wanted));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/damage/every-byte-and-bit", test_damage);
    g_test_add_func("/parquet/damage/no-file", test_no_file);
    g_test_add_func("/parquet/damage/limits", test_limits);
    g_test_add_func("/parquet/damage/string-limit", test_string_limit);
    g_test_add_func("/parquet/damage/column-limit", test_column_limit);
    g_test_add_func("/parquet/damage/place", test_place);
    return g_test_run();
}
