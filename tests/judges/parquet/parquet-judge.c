/* SPDX-License-Identifier: Apache-2.0
 *
 * Our side of the comparison with other implementations of Parquet (judge.mjs has the other).
 *
 * parquet-judge write DIRECTORY [full]       writes files of all types, encodings and codecs, with
 *                                            what must be read
 * parquet-judge check FILE EXPECTED [...]    reads files and compares each; stops at the first that
 *                                            differs
 *
 * What must be read stands in NAME.expected: a column after the other, each value as a length in 32
 * bits (all ones: it is missing) and its bytes in PLAIN form. cases.json lists files and columns.
 */
#include "parquet/sample.h"

#include <stdio.h>
#include <string.h>

#define MISSING G_MAXUINT32

/* Rows of the longer files; judge.mjs knows the number too. */
#define LONG 4096

static const ParquetCodec codecs[] = {PARQUET_CODEC_NONE, PARQUET_CODEC_SNAPPY, PARQUET_CODEC_GZIP,
                                      PARQUET_CODEC_ZSTD, PARQUET_CODEC_LZ4_RAW};

static const ParquetEncoding encodings[] = {
    PARQUET_ENCODING_AUTO,       PARQUET_PLAIN, PARQUET_RLE_DICTIONARY,
    PARQUET_DELTA_BINARY_PACKED, PARQUET_RLE,   PARQUET_DELTA_LENGTH_BYTE_ARRAY,
    PARQUET_BYTE_STREAM_SPLIT,
};

/* Columns of one file. */
typedef struct {
    GPtrArray *samples;
    GArray *encodings;
} Case;

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

static void case_add(Case *item, const ParquetColumn *column, ParquetEncoding encoding, guint kind,
                     guint nulls, gsize rows)
{
    g_autofree char *name =
        g_strdup_printf("%s-%s-%u-%u", column->name,
                        encoding == PARQUET_ENCODING_AUTO ? "AUTO"
                                                          : parquet_encoding_name(encoding),
                        kind, nulls);

    g_ptr_array_add(item->samples, sample_new(column, name, kind, nulls, rows, item->samples->len));
    g_array_append_val(item->encodings, encoding);
}

static void write_expected(const Case *item, const char *path)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    for (guint c = 0; c < item->samples->len; c++) {
        const Sample *sample = item->samples->pdata[c];

        for (gsize i = 0; i < sample->rows; i++) {
            gsize length;
            const guint8 *value = array_value(&sample->column, &sample->array, i, &length);
            guint32 size = value == NULL ? MISSING : (guint32)length;

            g_byte_array_append(out, (const guint8 *)&size, 4);
            if (value != NULL)
                g_byte_array_append(out, value, (guint)length);
        }
    }
    if (!g_file_set_contents(path, (const char *)out->data, out->len, &error))
        g_error("%s", error->message);
}

static void describe(const Case *item, const char *name, GString *json)
{
    g_string_append_printf(json, "%s\n{\"name\":\"%s\",\"rows\":%" G_GSIZE_FORMAT ",\"columns\":[",
                           json->len > 1 ? "," : "", name,
                           ((const Sample *)item->samples->pdata[0])->rows);
    for (guint c = 0; c < item->samples->len; c++) {
        const ParquetColumn *column = &((const Sample *)item->samples->pdata[c])->column;
        g_autofree char *logical = parquet_logical_text(column);

        g_string_append_printf(json,
                               "%s{\"name\":\"%s\",\"type\":\"%s\",\"logical\":\"%s\","
                               "\"scale\":%d,\"unit\":%d}",
                               c > 0 ? "," : "", column->name, parquet_type_name(column->type),
                               logical, column->scale, (int)column->unit);
    }
    g_string_append(json, "]}");
}

static void case_write(Case *item, const char *directory, const char *name, ParquetCodec codec,
                       GString *json)
{
    g_autofree char *path = g_strdup_printf("%s/%s.parquet", directory, name);
    g_autofree char *expected = g_strdup_printf("%s/%s.expected", directory, name);
    g_autoptr(GByteArray) file = NULL;
    g_autoptr(GError) error = NULL;
    ParquetWriterOptions options;

    parquet_writer_options_init(&options);
    options.codec = codec;
    options.threads = 2;
    options.row_group_bytes = 1024 * 1024 * 1024;
    options.memory_limit = (gsize)4096 * 1024 * 1024;
    options.page_rows = 1000;
    file = sample_write((Sample **)item->samples->pdata, item->samples->len,
                        (const ParquetEncoding *)(gconstpointer)item->encodings->data, &options,
                        100000);
    if (!g_file_set_contents(path, (const char *)file->data, file->len, &error))
        g_error("%s", error->message);
    write_expected(item, expected);
    describe(item, name, json);
    g_ptr_array_set_size(item->samples, 0);
    g_array_set_size(item->encodings, 0);
}

/* Every type, encoding, kind of values and share of nulls: a column each. */
static void add_all_columns(Case *item, gsize rows)
{
    guint count;
    const ParquetColumn *columns = sample_columns(&count);

    for (guint c = 0; c < count; c++) {
        for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
            for (guint k = 0; k < SAMPLE_KINDS * SAMPLE_NULLS; k++) {
                if (can_encode(&columns[c], encodings[e]))
                    case_add(item, &columns[c], encodings[e], k / SAMPLE_NULLS, k % SAMPLE_NULLS,
                             rows);
            }
        }
    }
}

/* One kind of values and share of nulls for each type and encoding, another for each codec. */
static void add_some_columns(Case *item, gsize rows, guint turn)
{
    guint count;
    const ParquetColumn *columns = sample_columns(&count);

    for (guint c = 0; c < count; c++) {
        for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
            guint k = (c + e + turn) % (SAMPLE_KINDS * SAMPLE_NULLS);

            if (can_encode(&columns[c], encodings[e]))
                case_add(item, &columns[c], encodings[e], k % SAMPLE_KINDS, k / SAMPLE_KINDS, rows);
        }
    }
}

/* A million rows: of the same, a fifth for each codec. */
static void add_long_columns(Case *item, gsize rows, guint turn)
{
    guint count;
    const ParquetColumn *columns = sample_columns(&count);

    for (guint c = 0; c < count; c++) {
        for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
            guint k = (c + e + turn) % (SAMPLE_KINDS * SAMPLE_NULLS);

            if ((c + e) % G_N_ELEMENTS(codecs) == turn && can_encode(&columns[c], encodings[e]))
                case_add(item, &columns[c], encodings[e], k % SAMPLE_KINDS, k / SAMPLE_KINDS, rows);
        }
    }
}

static void add_large_strings(Case *item)
{
    static const ParquetColumn column = {.name = "large", .type = PARQUET_BYTE_ARRAY};

    for (guint e = 0; e < G_N_ELEMENTS(encodings); e++) {
        Sample *sample;
        guint32 end;

        if (!can_encode(&column, encodings[e]))
            continue;
        case_add(item, &column, encodings[e], SAMPLE_WILD, SAMPLE_SOME_NULLS, 12);
        sample = item->samples->pdata[item->samples->len - 1];
        end = sample->bytes->len;
        g_byte_array_set_size(sample->bytes, end + 1024 * 1024);
        memset(sample->bytes->data + end, 0xfe, 1024 * 1024);
        g_array_index(sample->offsets, guint32, 12) += 1024 * 1024;
        sample->validity->data[1] |= 8;
        sample->array.bytes = sample->bytes->data;
    }
}

static int run_write(const char *directory, gboolean full)
{
    static const gsize sizes[] = {0, 1, 7, 8, 9, LONG};
    g_autoptr(GString) json = g_string_new("[");
    g_autofree char *path = g_strdup_printf("%s/cases.json", directory);
    Case item = {g_ptr_array_new_with_free_func((GDestroyNotify)sample_free),
                 g_array_new(FALSE, FALSE, sizeof(ParquetEncoding))};

    for (guint c = 0; c < G_N_ELEMENTS(codecs); c++) {
        for (guint s = 0; s < G_N_ELEMENTS(sizes); s++) {
            g_autofree char *name = g_strdup_printf("ours-%s-%" G_GSIZE_FORMAT,
                                                    parquet_codec_name(codecs[c]), sizes[s]);

            /* What is compressed is the same for all codecs: long files have every column in one
             * of them, unless everything is asked for. */
            if (full || sizes[s] < LONG || codecs[c] == PARQUET_CODEC_ZSTD)
                add_all_columns(&item, sizes[s]);
            else
                add_some_columns(&item, sizes[s], c);
            case_write(&item, directory, name, codecs[c], json);
        }
        if (full) {
            g_autofree char *name =
                g_strdup_printf("ours-%s-million", parquet_codec_name(codecs[c]));

            add_long_columns(&item, 1000000, c);
            case_write(&item, directory, name, codecs[c], json);
        }
    }
    add_large_strings(&item);
    case_write(&item, directory, "ours-large", PARQUET_CODEC_ZSTD, json);
    g_string_append(json, "\n]\n");
    g_ptr_array_unref(item.samples);
    g_array_unref(item.encodings);
    return g_file_set_contents(path, json->str, -1, NULL) ? 0 : 1;
}

/* Takes a value from what is expected and compares. */
static gboolean compare_value(const guint8 **at, const guint8 *end, const guint8 *value,
                              gsize length)
{
    guint32 size;

    if (end - *at < 4)
        return FALSE;
    memcpy(&size, *at, 4);
    *at += 4;
    if (size == MISSING)
        return value == NULL;
    if (value == NULL || size != length || (gsize)(end - *at) < size ||
        memcmp(*at, value, size) != 0)
        return FALSE;
    *at += size;
    return TRUE;
}

static gboolean check_column(const ParquetReader *reader, guint column, const guint8 **at,
                             const guint8 *end, GError **error)
{
    const ParquetColumn *info =
        parquet_schema_column(parquet_reader_metadata(reader)->schema, column);
    g_autoptr(ParquetScan) scan = parquet_scan_new(reader, &column, 1, NULL, error);
    ParquetBatch batch;
    gsize done = 0;

    if (scan == NULL)
        return FALSE;
    do {
        if (!parquet_scan_next(scan, 5000, &batch, error))
            return FALSE;
        for (gsize i = 0; i < batch.rows; i++, done++) {
            gsize length;
            const guint8 *value = array_value(info, &batch.arrays[0], i, &length);

            if (compare_value(at, end, value, length))
                continue;
            g_set_error(error, G_FILE_ERROR, 0, "column %s, row %" G_GSIZE_FORMAT " differs",
                        info->name, done);
            return FALSE;
        }
    } while (batch.rows > 0);
    return TRUE;
}

static int run_check(const char *path, const char *expected_path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ParquetFile) file = parquet_file_open(path, &error);
    g_autoptr(ParquetReader) reader =
        file == NULL ? NULL : parquet_reader_open(parquet_file_source(file), NULL, &error);
    g_autofree char *expected = NULL;
    const guint8 *at;
    gsize length;

    if (reader == NULL || !g_file_get_contents(expected_path, &expected, &length, &error)) {
        fprintf(stderr, "%s: %s\n", path, error->message);
        return 1;
    }
    at = (const guint8 *)expected;
    for (guint c = 0; c < parquet_schema_count(parquet_reader_metadata(reader)->schema); c++) {
        if (!check_column(reader, c, &at, (const guint8 *)expected + length, &error)) {
            fprintf(stderr, "%s: %s\n", path, error->message);
            return 1;
        }
    }
    if (at != (const guint8 *)expected + length) {
        fprintf(stderr, "%s: rows or columns are missing\n", path);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "write") == 0)
        return run_write(argv[2], argc > 3 && strcmp(argv[3], "full") == 0);
    if (argc >= 4 && argc % 2 == 0 && strcmp(argv[1], "check") == 0) {
        for (int i = 2; i < argc; i += 2) {
            if (run_check(argv[i], argv[i + 1]) != 0)
                return 1;
        }
        return 0;
    }
    fprintf(stderr, "usage: parquet-judge write DIRECTORY [full] | check FILE EXPECTED [...]\n");
    return 2;
}
