/* SPDX-License-Identifier: Apache-2.0
 *
 * What the writer writes, the reader reads: every type, encoding, codec, kind of values and share
 * of nulls.
 */
#include "parquet/sample.h"

#include <string.h>

static const ParquetCodec codecs[] = {PARQUET_CODEC_NONE, PARQUET_CODEC_SNAPPY, PARQUET_CODEC_GZIP,
                                      PARQUET_CODEC_ZSTD, PARQUET_CODEC_LZ4_RAW};

static const ParquetEncoding encodings[] = {
    PARQUET_PLAIN,         PARQUET_RLE_DICTIONARY,          PARQUET_DELTA_BINARY_PACKED,
    PARQUET_ENCODING_AUTO, PARQUET_DELTA_LENGTH_BYTE_ARRAY, PARQUET_BYTE_STREAM_SPLIT,
    PARQUET_RLE,
};

/* True where a column can be written so; asked of the writer itself. */
static gboolean can_encode(const ParquetColumn *column, ParquetEncoding encoding)
{
    g_autoptr(ParquetSchema) schema = parquet_schema_new();
    g_autoptr(ParquetWriter) writer = NULL;
    ParquetWriterOptions options;

    g_assert_true(parquet_schema_add(schema, column, NULL));
    parquet_writer_options_init(&options);
    writer = parquet_writer_new(schema, &options, sample_sink, NULL, NULL, NULL);
    return parquet_writer_set_encoding(writer, 0, encoding, NULL);
}

/* One file with a column of each kind and share of nulls. */
static void check(const ParquetColumn *column, ParquetEncoding encoding,
                  const ParquetWriterOptions *options, gsize rows, gsize batch)
{
    Sample *samples[SAMPLE_KINDS * SAMPLE_NULLS];
    ParquetEncoding chosen[SAMPLE_KINDS * SAMPLE_NULLS];
    g_autoptr(GByteArray) file = NULL;
    guint count = 0;

    for (guint kind = 0; kind < SAMPLE_KINDS; kind++) {
        for (guint nulls = 0; nulls < SAMPLE_NULLS; nulls++) {
            g_autofree char *name = g_strdup_printf("%s-%u-%u", column->name, kind, nulls);

            chosen[count] = encoding;
            samples[count] = sample_new(column, name, kind, nulls, rows, count);
            count++;
        }
    }
    file = sample_write(samples, count, chosen, options, batch);
    sample_assert_file(samples, count, file, batch);
    for (guint i = 0; i < count; i++)
        sample_free(samples[i]);
}

static void test_everything(void)
{
    static const gsize sizes[] = {0, 1, 7, 8, 9, 700};
    const ParquetColumn *columns;
    guint column_count;

    columns = sample_columns(&column_count);
    for (guint c = 0; c < column_count; c++) {
        for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
            if (!can_encode(&columns[c], encodings[e]))
                continue;
            for (guint k = 0; k < G_N_ELEMENTS(codecs); k++) {
                for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
                    ParquetWriterOptions options;

                    parquet_writer_options_init(&options);
                    options.codec = codecs[k];
                    check(&columns[c], encodings[e], &options, sizes[s], 1000);
                }
            }
        }
    }
}

/* Pages, row groups and batches of sizes that never fit each other, and a dictionary that
 * overflows. */
static void test_layouts(void)
{
    static const gsize row_groups[] = {1, 1000, 100000}, pages[] = {8, 100, 65536};
    const ParquetColumn *columns;
    guint column_count;

    columns = sample_columns(&column_count);
    for (guint c = 0; c < column_count; c++) {
        for (guint g = 0; g < G_N_ELEMENTS(row_groups); g++) {
            for (guint p = 0; p < G_N_ELEMENTS(pages); p++) {
                ParquetWriterOptions options;

                parquet_writer_options_init(&options);
                options.row_group_rows = row_groups[g];
                options.page_rows = pages[p];
                options.page_bytes = 600;
                options.dictionary_bytes = 500;
                options.threads = 2;
                check(&columns[c], PARQUET_ENCODING_AUTO, &options, row_groups[g] == 1 ? 20 : 3001,
                      777);
                if (columns[c].type != PARQUET_BOOLEAN && row_groups[g] > 1)
                    check(&columns[c], PARQUET_RLE_DICTIONARY, &options, 3001, 64);
            }
        }
    }
}

/* Values larger than a page, and rows that close a row group by their bytes. */
static void test_large_strings(void)
{
    ParquetColumn column = {"large", PARQUET_BYTE_ARRAY, .optional = TRUE};
    ParquetWriterOptions options;

    for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
        g_autoptr(Sample) sample = NULL;
        g_autoptr(GByteArray) file = NULL;
        g_autofree guint8 *large = g_malloc0(1024 * 1024);
        guint32 end;

        if (!can_encode(&column, encodings[e]))
            continue;
        sample = sample_new(&column, "large", SAMPLE_WILD, SAMPLE_SOME_NULLS, 20, 5);
        for (guint i = 20; i > 10; i--)
            g_array_index(sample->offsets, guint32, i) += (i - 10) * 1024 * 1024;
        end = g_array_index(sample->offsets, guint32, 20);
        while (sample->bytes->len < end)
            g_byte_array_append(sample->bytes, large, MIN(1024 * 1024, end - sample->bytes->len));
        sample->array.bytes = sample->bytes->data;
        parquet_writer_options_init(&options);
        options.memory_limit = 16 * 1024 * 1024;
        file = sample_write(&sample, 1, &encodings[e], &options, 20);
        sample_assert_file(&sample, 1, file, 3);
    }
}

/* Puts another footer under a file, with the only column in another type of the same width. */
static void set_type(GByteArray *file, const ParquetColumn *column)
{
    g_autoptr(ParquetSchema) schema = parquet_schema_new();
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetMetadata) metadata = NULL;
    g_autoptr(GByteArray) footer = g_byte_array_new();
    ParquetMemory memory;
    ParquetRowGroup group;
    guint32 length;

    parquet_memory_init(&memory, file->data, file->len, "memory");
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    g_assert_true(parquet_schema_add(schema, column, NULL));
    metadata = parquet_metadata_new(schema);
    metadata->rows = parquet_reader_metadata(reader)->rows;
    metadata->version = 2;
    metadata->created_by = g_strdup("a test");
    group = *parquet_metadata_group(parquet_reader_metadata(reader), 0);
    group.sorting_count = 0;
    group.sorting = NULL;
    group.chunks = g_memdup2(group.chunks, sizeof *group.chunks);
    group.chunks->type = column->type;
    group.chunks->statistics = (ParquetStatistics){.null_count = -1};
    g_array_append_val(metadata->row_groups, group);
    parquet_metadata_write(metadata, footer);
    memcpy(&length, file->data + file->len - 8, sizeof length);
    g_byte_array_set_size(file, file->len - 8 - length);
    length = footer->len;
    g_byte_array_append(footer, (const guint8 *)&length, sizeof length);
    g_byte_array_append(footer, (const guint8 *)PARQUET_MAGIC, 4);
    g_byte_array_append(file, footer->data, footer->len);
}

/* Nobody writes INT96 any more, but old files have their times in it. */
static void test_int96(void)
{
    const ParquetColumn fixed = {.name = "t", .type = PARQUET_FIXED, .length = 12};
    const ParquetColumn old = {.name = "t", .type = PARQUET_INT96, .optional = TRUE};
    const ParquetEncoding used[] = {PARQUET_PLAIN, PARQUET_RLE_DICTIONARY};

    for (guint i = 0; i < G_N_ELEMENTS(used); i++) {
        g_autoptr(Sample) sample = sample_new(&fixed, "t", SAMPLE_WILD, SAMPLE_SOME_NULLS, 5000, 7);
        g_autoptr(GByteArray) file = NULL;
        ParquetWriterOptions options;

        parquet_writer_options_init(&options);
        file = sample_write(&sample, 1, &used[i], &options, 5000);
        set_type(file, &old);
        sample->column.type = PARQUET_INT96;
        sample->column.length = 0;
        sample_assert_file(&sample, 1, file, 999);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/round-trip/everything", test_everything);
    g_test_add_func("/parquet/round-trip/layouts", test_layouts);
    g_test_add_func("/parquet/round-trip/large-strings", test_large_strings);
    g_test_add_func("/parquet/round-trip/int96", test_int96);
    return g_test_run();
}
