/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast parquet show: what stands in a Parquet file beside its values.
 */
#include <string.h>

#include "base/size.h"
#include "cli/commands.h"
#include "cli/parquet-input.h"
#include "parquet/reader.h"
#include "parquet/statistics.h"
#include "parquet/text.h"

/* Characters of a value of the metadata. */
#define VALUE_SHOWN 200

/* A column over all row groups. */
typedef struct {
    guint32 encodings, codecs; /* bit n for the encoding or codec n */
    guint64 stored, plain;
    gint64 nulls;      /* -1: not known */
    GBytes *min, *max; /* borrowed; NULL: not known for all of them */
} ColumnSum;

/* The outermost of two bounds; NULL where one is not known. */
static GBytes *outer_bound(Order order, GBytes *a, GBytes *b, gint sign)
{
    if (a == NULL || b == NULL || order == ORDER_NONE)
        return NULL;
    return sign * order_compare(order, g_bytes_get_data(a, NULL), g_bytes_get_size(a),
                                g_bytes_get_data(b, NULL), g_bytes_get_size(b)) <=
                   0
               ? a
               : b;
}

/* A bound as far as its size is right: this is shown, so it is checked. */
static GBytes *usable_bound(const ParquetColumn *column, GBytes *bound)
{
    gsize width = parquet_column_width(column);

    return bound != NULL && (width == 0 || g_bytes_get_size(bound) == width) ? bound : NULL;
}

static ColumnSum sum_up(const ParquetMetadata *metadata, guint index)
{
    const ParquetColumn *column = parquet_schema_column(metadata->schema, index);
    Order order = order_of(column);
    ColumnSum sum = {0};

    for (guint g = 0; g < metadata->row_groups->len; g++) {
        const ParquetChunk *chunk = &parquet_metadata_group(metadata, g)->chunks[index];
        const ParquetStatistics *statistics = &chunk->statistics;
        GBytes *min = usable_bound(column, statistics->min);
        GBytes *max = usable_bound(column, statistics->max);

        sum.encodings |= chunk->encodings;
        sum.codecs |= (guint)chunk->codec < 32 ? 1u << chunk->codec : 0;
        sum.stored += (guint64)chunk->stored_bytes;
        sum.plain += (guint64)chunk->plain_bytes;
        sum.nulls =
            sum.nulls < 0 || statistics->null_count < 0 ? -1 : sum.nulls + statistics->null_count;
        sum.min = g == 0 ? min : outer_bound(order, sum.min, min, 1);
        sum.max = g == 0 ? max : outer_bound(order, sum.max, max, -1);
    }
    return sum;
}

static char *encoding_list(guint32 encodings)
{
    GString *text = g_string_new(NULL);

    for (gint e = 0; e < 32; e++) {
        if (encodings >> e & 1)
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "",
                                   parquet_encoding_name((ParquetEncoding)e));
    }
    return g_string_free(text, FALSE);
}

static char *codec_list(guint32 codecs)
{
    GString *text = g_string_new(NULL);

    for (gint c = 0; c < 32; c++) {
        if (codecs >> c & 1)
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "",
                                   parquet_codec_name((ParquetCodec)c));
    }
    return g_string_free(text, FALSE);
}

static char *bound_text(const ParquetColumn *column, GBytes *bound)
{
    GString *text = g_string_new(NULL);
    gsize length;
    const guint8 *value;

    if (bound == NULL)
        return g_string_free(text, FALSE);
    value = g_bytes_get_data(bound, &length);
    parquet_text_append(text, column, value, length);
    return g_string_free(text, FALSE);
}

static void print_columns(Output *output, const ParquetMetadata *metadata)
{
    static const char *const headings[] = {"COLUMN", "TYPE",      "LOGICAL", "NULLS",
                                           "CODEC",  "STORED",    "PLAIN",   "MIN",
                                           "MAX",    "ENCODINGS", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "lllrlrrlll");

    for (guint i = 0; i < parquet_schema_count(metadata->schema); i++) {
        const ParquetColumn *column = parquet_schema_column(metadata->schema, i);
        ColumnSum sum = sum_up(metadata, i);
        char **cells = g_new0(char *, 11);

        cells[0] = g_strdup(column->name);
        cells[1] = column->type == PARQUET_FIXED ? g_strdup_printf("FIXED(%u)", column->length)
                                                 : g_strdup(parquet_type_name(column->type));
        cells[2] = parquet_logical_text(column);
        cells[3] = !column->optional ? g_strdup("required")
                   : sum.nulls < 0   ? g_strdup("?")
                                     : count_format((guint64)sum.nulls);
        cells[4] = codec_list(sum.codecs);
        cells[5] = size_format(sum.stored);
        cells[6] = size_format(sum.plain);
        cells[7] = bound_text(column, sum.min);
        cells[8] = bound_text(column, sum.max);
        cells[9] = encoding_list(sum.encodings);
        output_table_add(table, cells);
    }
    output_table_print(output, table);
}

static void print_groups(Output *output, const ParquetMetadata *metadata)
{
    static const char *const headings[] = {"ROW GROUP", "ROWS", "STORED", "PLAIN", NULL};
    g_autoptr(OutputTable) table = output_table_new(headings, "rrrr");

    for (guint g = 0; g < metadata->row_groups->len; g++) {
        const ParquetRowGroup *group = parquet_metadata_group(metadata, g);
        char **cells = g_new0(char *, 5);

        cells[0] = g_strdup_printf("%u", g);
        cells[1] = count_format((guint64)group->rows);
        cells[2] = size_format((guint64)group->stored_bytes);
        cells[3] = size_format((guint64)group->plain_bytes);
        output_table_add(table, cells);
    }
    output_table_print(output, table);
}

/* As the first row group says it: writers sort all of them alike. */
static void print_sorting(Output *output, const ParquetMetadata *metadata)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const ParquetRowGroup *group;

    if (metadata->row_groups->len == 0)
        return;
    group = parquet_metadata_group(metadata, 0);
    for (guint i = 0; i < group->sorting_count; i++) {
        const ParquetSorting *sorting = &group->sorting[i];

        g_string_append_printf(text, "%s%s%s", i > 0 ? ", " : "",
                               parquet_schema_column(metadata->schema, sorting->column)->name,
                               sorting->descending ? " (descending)" : "");
    }
    if (text->len > 0)
        output_line(output, "each sorted by %s", text->str);
}

/* What other programs put there for themselves can be very long. */
static void print_pair(Output *output, const ParquetKeyValue *pair)
{
    const char *value = pair->value != NULL ? pair->value : "";
    const gsize length = strlen(value);
    g_autofree char *start = NULL;

    if (g_utf8_strlen(value, -1) <= VALUE_SHOWN) {
        output_line(output, "%s = %s", pair->key, value);
        return;
    }
    start = g_utf8_substring(value, 0, VALUE_SHOWN);
    output_line(output, "%s = %s… (%" G_GSIZE_FORMAT " bytes; --json has them all)", pair->key,
                start, length);
}

static void print_file(Output *output, const ParquetMetadata *metadata, const char *path,
                       guint64 size)
{
    g_autofree char *rows = count_format((guint64)metadata->rows);
    g_autofree char *bytes = size_format(size);

    output_line(output, "%s: %s rows in %u row %s, %s, written by %s", path, rows,
                metadata->row_groups->len, metadata->row_groups->len == 1 ? "group" : "groups",
                bytes, metadata->created_by != NULL ? metadata->created_by : "an unknown writer");
    output_line(output, "%s", "");
    print_columns(output, metadata);
    output_line(output, "%s", "");
    print_groups(output, metadata);
    print_sorting(output, metadata);
    if (metadata->key_values->len > 0)
        output_line(output, "%s", "");
    for (guint i = 0; i < metadata->key_values->len; i++) {
        const ParquetKeyValue *pair = &g_array_index(metadata->key_values, ParquetKeyValue, i);

        print_pair(output, pair);
    }
}

/* --- For programs --- */

static json_t *bound_json(const ParquetColumn *column, GBytes *bound)
{
    g_autofree char *text = bound_text(column, usable_bound(column, bound));

    return bound == NULL ? json_null() : json_text(text);
}

static json_t *chunk_json(const ParquetColumn *column, const ParquetChunk *chunk)
{
    json_t *encodings = json_array();
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:I, s:I}", "column", column->name, "codec",
                  parquet_codec_name(chunk->codec), "stored", (json_int_t)chunk->stored_bytes,
                  "plain", (json_int_t)chunk->plain_bytes, "offset",
                  (json_int_t)chunk->data_offset);

    for (gint e = 0; e < 32; e++) {
        if (chunk->encodings >> e & 1)
            json_array_append_new(encodings,
                                  json_string(parquet_encoding_name((ParquetEncoding)e)));
    }
    json_object_set_new(json, "encodings", encodings);
    json_object_set_new(json, "nulls",
                        chunk->statistics.null_count < 0
                            ? json_null()
                            : json_integer(chunk->statistics.null_count));
    json_object_set_new(json, "min", bound_json(column, chunk->statistics.min));
    json_object_set_new(json, "max", bound_json(column, chunk->statistics.max));
    json_object_set_new(json, "page_index", json_boolean(chunk->offset_index_offset != 0));
    return json;
}

static json_t *sorting_json(const ParquetMetadata *metadata, const ParquetRowGroup *group)
{
    json_t *array = json_array();

    for (guint i = 0; i < group->sorting_count; i++) {
        const ParquetSorting *sorting = &group->sorting[i];

        json_array_append_new(
            array,
            json_pack("{s:s, s:b, s:b}", "column",
                      parquet_schema_column(metadata->schema, sorting->column)->name, "descending",
                      sorting->descending, "nulls_first", sorting->nulls_first));
    }
    return array;
}

static json_t *group_json(const ParquetMetadata *metadata, const ParquetRowGroup *group)
{
    json_t *columns = json_array();
    json_t *json = json_pack("{s:I, s:I}", "rows", (json_int_t)group->rows, "stored",
                             (json_int_t)group->stored_bytes);

    for (guint i = 0; i < parquet_schema_count(metadata->schema); i++)
        json_array_append_new(columns, chunk_json(parquet_schema_column(metadata->schema, i),
                                                  &group->chunks[i]));
    json_object_set_new(json, "columns", columns);
    json_object_set_new(json, "sorting", sorting_json(metadata, group));
    return json;
}

static json_t *schema_json(const ParquetMetadata *metadata)
{
    json_t *columns = json_array();

    for (guint i = 0; i < parquet_schema_count(metadata->schema); i++) {
        const ParquetColumn *column = parquet_schema_column(metadata->schema, i);
        g_autofree char *logical = parquet_logical_text(column);

        json_array_append_new(columns, json_pack("{s:s, s:s, s:s, s:i, s:b}", "name", column->name,
                                                 "type", parquet_type_name(column->type), "logical",
                                                 logical, "length", (int)column->length, "optional",
                                                 column->optional));
    }
    return columns;
}

/* The format allows a name to come again: then it has a list. */
static void add_pair(json_t *pairs, const ParquetKeyValue *pair)
{
    json_t *before = json_object_get(pairs, pair->key);

    if (before == NULL) {
        json_object_set_new(pairs, pair->key, json_text(pair->value));
        return;
    }
    if (!json_is_array(before))
        json_object_set_new(pairs, pair->key, json_pack("[O]", before));
    json_array_append_new(json_object_get(pairs, pair->key), json_text(pair->value));
}

static json_t *file_json(const ParquetMetadata *metadata, guint64 size)
{
    json_t *groups = json_array(), *pairs = json_object();
    json_t *json = json_pack("{s:I, s:I, s:i}", "bytes", (json_int_t)size, "rows",
                             (json_int_t)metadata->rows, "version", metadata->version);

    json_object_set_new(json, "created_by", json_text(metadata->created_by));
    json_object_set_new(json, "schema", schema_json(metadata));
    for (guint g = 0; g < metadata->row_groups->len; g++)
        json_array_append_new(groups, group_json(metadata, parquet_metadata_group(metadata, g)));
    json_object_set_new(json, "row_groups", groups);
    for (guint i = 0; i < metadata->key_values->len; i++) {
        const ParquetKeyValue *pair = &g_array_index(metadata->key_values, ParquetKeyValue, i);

        add_pair(pairs, pair);
    }
    json_object_set_new(json, "metadata", pairs);
    return json;
}

static gboolean run_parquet_show(CommandRun *run, GError **error)
{
    const char *path = run->arguments[0];
    g_autoptr(ParquetInput) input = parquet_input_open(run, error);
    g_autoptr(ParquetReader) reader =
        input == NULL ? NULL : parquet_reader_open(parquet_input_source(input), NULL, error);
    const ParquetMetadata *metadata;
    guint64 size;

    if (reader == NULL)
        return FALSE;
    metadata = parquet_reader_metadata(reader);
    size = parquet_input_source(input)->size;
    if (output_is_json(run->output))
        output_json(run->output, file_json(metadata, size));
    else
        print_file(run->output, metadata, path, size);
    return TRUE;
}

const Command command_parquet_show = {
    .words = "parquet show",
    .arguments = "FILE",
    .minimum = 1,
    .maximum = 1,
    .summary = "show columns, row groups and metadata of a Parquet file",
    .description = PARQUET_INPUT_HELP " Reads the\n"
                                      "end of the file only. Bounds of long strings may be cut.",
    .example = "holdfast parquet show trades.parquet",
    .reads_only = TRUE,
    .run = run_parquet_show,
};
