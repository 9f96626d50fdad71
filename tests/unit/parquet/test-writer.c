/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer's promises beside the values: what it refuses, what it records, where it closes row
 * groups.
 */
#include "parquet/sample.h"

#include <string.h>

#include "base/error.h"

static ParquetWriter *make_writer(const ParquetColumn *columns, guint count,
                                  const ParquetWriterOptions *options, ParquetSink sink,
                                  gpointer data, GCancellable *cancellable, GError **error)
{
    g_autoptr(ParquetSchema) schema = parquet_schema_new();

    for (guint i = 0; i < count; i++)
        g_assert_true(parquet_schema_add(schema, &columns[i], NULL));
    return parquet_writer_new(schema, options, sink, data, cancellable, error);
}

static void test_schema(void)
{
    const ParquetColumn wrong[] = {
        {.name = "", .type = PARQUET_INT32},
        {.name = "\xff", .type = PARQUET_INT32},
        {.name = "x", .type = PARQUET_FIXED},
        {.name = "x", .type = PARQUET_INT32, .logical = PARQUET_STRING},
        {.name = "x", .type = PARQUET_INT32, .logical = PARQUET_TIMESTAMP},
        {.name = "x", .type = PARQUET_INT32, .logical = PARQUET_INTEGER, .bits = 64},
        {.name = "x", .type = PARQUET_INT32, .logical = PARQUET_DECIMAL, .precision = 10},
        {.name = "x",
         .type = PARQUET_INT64,
         .logical = PARQUET_DECIMAL,
         .precision = 3,
         .scale = 4},
        {.name = "x",
         .type = PARQUET_BYTE_ARRAY,
         .logical = PARQUET_DECIMAL,
         .precision = 20000000,
         .scale = 20000000},
        {.name = "x",
         .type = PARQUET_FIXED,
         .length = 1 << 20,
         .logical = PARQUET_DECIMAL,
         .precision = 154},
        {.name = "taken", .type = PARQUET_INT64},
    };
    const ParquetColumn taken = {.name = "taken", .type = PARQUET_BOOLEAN};
    g_autoptr(ParquetSchema) schema = parquet_schema_new();

    g_assert_true(parquet_schema_add(schema, &taken, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_false(parquet_schema_add(schema, &wrong[i], &error));
        g_assert_true(error_is(error, ERROR_FORMAT));
    }
    g_assert_cmpuint(parquet_schema_count(schema), ==, 1);
}

/* After a failure nothing more is taken. */
static void assert_dead(ParquetWriter *writer, const ParquetArray *arrays)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(parquet_writer_add(writer, arrays, 1, &error));
    g_assert_true(error_is(error, ERROR_INTERNAL));
    g_assert_false(parquet_writer_finish(writer, NULL));
}

static void test_refused(void)
{
    static const guint8 large[600000], none = 0;
    static const guint32 falling[] = {5, 3, 9}, short_one[] = {0, 5}, long_one[] = {0, 600000};
    const ParquetColumn column = {.name = "bytes", .type = PARQUET_BYTE_ARRAY};
    const struct {
        ParquetArray array;
        ErrorCode code;
    } cases[] = {
        {{NULL, falling, large, NULL}, ERROR_USAGE},
        {{NULL, short_one, large, &none}, ERROR_USAGE},
        {{NULL, long_one, large, NULL}, ERROR_LIMIT},
    };
    ParquetWriterOptions options;

    parquet_writer_options_init(&options);
    options.memory_limit = 1024 * 1024;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) file = g_byte_array_new();
        g_autoptr(GError) error = NULL;
        g_autoptr(ParquetWriter) writer =
            make_writer(&column, 1, &options, sample_sink, file, NULL, &error);

        g_assert_no_error(error);
        g_assert_false(parquet_writer_add(writer, &cases[i].array, 1, &error));
        g_assert_true(error_is(error, cases[i].code) || i == 0);
        g_assert_nonnull(error);
        assert_dead(writer, &cases[i].array);
    }
}

static void test_options(void)
{
    const ParquetColumn column = {.name = "x", .type = PARQUET_INT64};
    const ParquetColumn old = {.name = "x", .type = PARQUET_INT96};
    const ParquetSorting sorting = {1, FALSE, FALSE};
    ParquetWriterOptions options[4];

    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autoptr(GError) error = NULL;

        parquet_writer_options_init(&options[i]);
        if (i == 0)
            options[i].codec = PARQUET_CODEC_BROTLI;
        if (i == 1)
            options[i].threads = 0;
        if (i == 2) {
            options[i].sorting = &sorting;
            options[i].sorting_count = 1;
        }
        g_assert_null(
            make_writer(i == 3 ? &old : &column, 1, &options[i], sample_sink, NULL, NULL, &error));
        g_assert_nonnull(error);
    }
}

static gboolean failing_sink(const void *bytes, gsize length, gpointer data, GError **error)
{
    error_set(error, ERROR_NO_SPACE, "full");
    return FALSE;
}

static void test_stopped(void)
{
    const ParquetColumn column = {.name = "x", .type = PARQUET_INT64};
    const gint64 value = 1;
    const ParquetArray array = {.values = &value};
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(ParquetWriter) broken = NULL;
    g_autoptr(ParquetWriter) cancelled = NULL;
    g_autoptr(GByteArray) file = g_byte_array_new();
    ParquetWriterOptions options;

    parquet_writer_options_init(&options);
    broken = make_writer(&column, 1, &options, failing_sink, NULL, NULL, NULL);
    g_assert_true(parquet_writer_add(broken, &array, 1, &error));
    g_assert_false(parquet_writer_finish(broken, &error));
    g_assert_true(error_is(error, ERROR_NO_SPACE));
    g_clear_error(&error);
    cancelled = make_writer(&column, 1, &options, sample_sink, file, cancellable, NULL);
    g_assert_true(parquet_writer_add(cancelled, &array, 1, &error));
    g_cancellable_cancel(cancellable);
    g_assert_false(parquet_writer_finish(cancelled, &error));
    g_assert_true(error_is(error, ERROR_CANCELLED));
}

/* Metadata, sorting, row groups by rows and by bytes, bounds. */
static void test_recorded(void)
{
    ParquetColumn column = {.name = "x", .type = PARQUET_DOUBLE};
    const ParquetSorting sorting = {0, TRUE, TRUE};
    g_autoptr(Sample) sample = sample_new(&column, "x", SAMPLE_WILD, SAMPLE_SOME_NULLS, 1000, 3);
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    const ParquetMetadata *metadata;
    const ParquetRowGroup *group;
    ParquetWriterOptions options;
    ParquetMemory memory;
    double bound;

    parquet_writer_options_init(&options);
    options.row_group_rows = 300;
    options.sorting = &sorting;
    options.sorting_count = 1;
    file = sample_write(&sample, 1, NULL, &options, 64);
    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    metadata = parquet_reader_metadata(reader);
    g_assert_cmpuint(metadata->row_groups->len, ==, 4);
    g_assert_cmpuint(metadata->key_values->len, ==, 1);
    g_assert_cmpstr(g_array_index(metadata->key_values, ParquetKeyValue, 0).value, ==, "test");
    g_assert_true(g_str_has_prefix(metadata->created_by, "holdfast version "));
    g_assert_true(metadata->typed_order);
    group = parquet_metadata_group(metadata, 3);
    g_assert_cmpint(group->rows, ==, 100);
    g_assert_cmpuint(group->sorting_count, ==, 1);
    g_assert_true(group->sorting[0].descending && group->sorting[0].nulls_first);
    memcpy(&bound, g_bytes_get_data(group->chunks[0].statistics.max, NULL), sizeof bound);
    g_assert_cmpfloat(bound, ==, G_MAXDOUBLE * 2);
    g_assert_cmpint(group->chunks[0].statistics.null_count, >, 0);
}

static void test_groups_by_bytes(void)
{
    ParquetColumn column = {.name = "x", .type = PARQUET_INT64};
    g_autoptr(Sample) sample = sample_new(&column, "x", SAMPLE_RISING, SAMPLE_NO_NULLS, 10000, 3);
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    ParquetWriterOptions options;
    ParquetMemory memory;

    parquet_writer_options_init(&options);
    options.row_group_bytes = 8 * 1000 + 125;
    file = sample_write(&sample, 1, NULL, &options, 10000);
    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    g_assert_cmpuint(parquet_reader_metadata(reader)->row_groups->len, ==, 10);
    sample_assert_file(&sample, 1, file, 999);
}

/* A column that was given a dictionary and turns out to have ever new values goes on without one:
 * the chunk has pages of both kinds, and every value. */
static void test_fallback(void)
{
    const ParquetColumn column = {.name = "x", .type = PARQUET_INT64};
    g_autoptr(Sample) sample = sample_new(&column, "x", SAMPLE_WILD, SAMPLE_NO_NULLS, 20000, 3);
    ParquetEncoding encoding = PARQUET_RLE_DICTIONARY;
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    const ParquetChunk *chunk;
    ParquetWriterOptions options;
    ParquetMemory memory;

    parquet_writer_options_init(&options);
    options.dictionary_bytes = 4096;
    options.page_rows = 1000;
    for (gsize i = 0; i < 5000; i++)
        memset(sample->values->data + 8 * i, (int)(i % 10), 8);
    file = sample_write(&sample, 1, &encoding, &options, 20000);
    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    chunk = &parquet_metadata_group(parquet_reader_metadata(reader), 0)->chunks[0];
    g_assert_cmpint(chunk->dictionary_offset, >, 0);
    g_assert_true((chunk->encodings & 1u << PARQUET_RLE_DICTIONARY) != 0);
    g_assert_true((chunk->encodings & 1u << PARQUET_PLAIN) != 0);
    g_assert_cmpint(chunk->data_offset - chunk->dictionary_offset, <=, 4096 + 200);
    sample_assert_file(&sample, 1, file, 999);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/writer/schema", test_schema);
    g_test_add_func("/parquet/writer/refused", test_refused);
    g_test_add_func("/parquet/writer/options", test_options);
    g_test_add_func("/parquet/writer/stopped", test_stopped);
    g_test_add_func("/parquet/writer/recorded", test_recorded);
    g_test_add_func("/parquet/writer/groups-by-bytes", test_groups_by_bytes);
    g_test_add_func("/parquet/writer/fallback", test_fallback);
    return g_test_run();
}
