/* SPDX-License-Identifier: Apache-2.0
 *
 * holdfast parquet cat: the rows of a Parquet file, as CSV or as JSON lines.
 */
#include <string.h>

#include "base/error.h"
#include "base/suggest.h"
#include "cli/commands.h"
#include "cli/parquet-input.h"
#include "cli/words.h"
#include "parquet/reader.h"
#include "parquet/text.h"

#define BATCH_ROWS 4096

static struct {
    gint64 limit;
    char **columns;
    gboolean csv;
} options = {.limit = G_MAXINT64};

/* The columns that were asked for: all without a word about it. */
static gboolean choose_columns(const ParquetSchema *schema, char **names, GArray *chosen,
                               GError **error)
{
    guint count = names != NULL ? g_strv_length(names) : parquet_schema_count(schema);

    for (guint i = 0; i < count; i++) {
        guint index = i;

        if (names != NULL && !parquet_schema_find(schema, names[i], &index)) {
            g_autoptr(GPtrArray) known = g_ptr_array_new();
            const char *nearest;

            for (guint k = 0; k < parquet_schema_count(schema); k++)
                g_ptr_array_add(known, (gpointer)parquet_schema_column(schema, k)->name);
            g_ptr_array_add(known, NULL);
            error_set(error, ERROR_USAGE, "--columns: the file has no column \"%s\"", names[i]);
            nearest = suggest_nearest(names[i], (const char *const *)known->pdata);
            if (nearest != NULL)
                error_add_hint(error, "did you mean %s?", nearest);
            return FALSE;
        }
        g_array_append_val(chosen, index);
    }
    return TRUE;
}

static void append_json_text(GString *line, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    for (const char *at = valid; *at != '\0'; at++) {
        guchar c = (guchar)*at;

        if (c == '"' || c == '\\')
            g_string_append_printf(line, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            g_string_append_printf(line, "\\u%04x", c);
        else
            g_string_append_c(line, *at);
    }
}

static void append_json_string(GString *line, const char *text, gsize length)
{
    g_string_append_c(line, '"');
    for (gsize at = 0; at < length; at++) {
        gsize there = strnlen(text + at, length - at);
        g_autofree char *piece = g_strndup(text + at, there);

        append_json_text(line, piece);
        at += there;
        if (at < length)
            g_string_append(line, "\\u0000");
    }
    g_string_append_c(line, '"');
}

/* RFC 4180: quotes where they are needed. An empty string is quoted, a missing value is nothing. */
static void append_csv_string(GString *line, const char *text, gsize length)
{
    if (length > 0 && strcspn(text, "\",\r\n") >= length) {
        g_string_append_len(line, text, (gssize)length);
        return;
    }
    g_string_append_c(line, '"');
    for (gsize i = 0; i < length; i++) {
        if (text[i] == '"')
            g_string_append_c(line, '"');
        g_string_append_c(line, text[i]);
    }
    g_string_append_c(line, '"');
}

static void print_header(Output *output, const ParquetSchema *schema, const GArray *chosen)
{
    g_autoptr(GString) line = g_string_new(NULL);

    for (guint i = 0; i < chosen->len; i++) {
        const char *name = parquet_schema_column(schema, g_array_index(chosen, guint, i))->name;

        if (i > 0)
            g_string_append_c(line, ',');
        append_csv_string(line, name, strlen(name));
    }
    g_string_append_c(line, '\n');
    output_bytes(output, line->str, line->len);
}

static void append_value(GString *line, GString *scratch, const ParquetColumn *column,
                         const ParquetArray *array, gsize row, gboolean json)
{
    gboolean bare;

    if (!parquet_array_is_valid(array, row)) {
        g_string_append(line, json ? "null" : "");
        return;
    }
    g_string_truncate(scratch, 0);
    bare = parquet_text_append_row(scratch, column, array, row);
    if (bare)
        g_string_append_len(line, scratch->str, (gssize)scratch->len);
    else if (json)
        append_json_string(line, scratch->str, scratch->len);
    else
        append_csv_string(line, scratch->str, scratch->len);
}

static void append_row(GString *line, GString *scratch, const ParquetSchema *schema,
                       const GArray *chosen, const ParquetBatch *batch, gsize row, gboolean json)
{
    if (json)
        g_string_append_c(line, '{');
    for (guint i = 0; i < chosen->len; i++) {
        const ParquetColumn *column =
            parquet_schema_column(schema, g_array_index(chosen, guint, i));

        if (i > 0)
            g_string_append(line, json ? ", " : ",");
        if (json) {
            append_json_string(line, column->name, strlen(column->name));
            g_string_append(line, ": ");
        }
        append_value(line, scratch, column, &batch->arrays[i], row, json);
    }
    g_string_append(line, json ? "}\n" : "\n");
}

static gboolean print_rows(CommandRun *run, const ParquetReader *reader, const GArray *chosen,
                           GError **error)
{
    const ParquetSchema *schema = parquet_reader_metadata(reader)->schema;
    g_autoptr(ParquetScan) scan =
        parquet_scan_new(reader, (const guint *)(gconstpointer)chosen->data, chosen->len, NULL,
                         error);
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GString) scratch = g_string_new(NULL);
    gboolean json = output_is_json(run->output);
    guint64 left = (guint64)options.limit;
    ParquetBatch batch = {.rows = 1};

    if (scan == NULL)
        return FALSE;
    if (!json)
        print_header(run->output, schema, chosen);
    while (left > 0 && batch.rows > 0) {
        if (!error_unless_cancelled(run->cancellable, error) ||
            !parquet_scan_next(scan, (gsize)MIN(left, BATCH_ROWS), &batch, error))
            return FALSE;
        for (gsize i = 0; i < batch.rows; i++) {
            append_row(line, scratch, schema, chosen, &batch, i, json);
            output_bytes(run->output, line->str, line->len);
            g_string_truncate(line, 0);
        }
        left -= batch.rows;
    }
    return TRUE;
}

static gboolean run_parquet_cat(CommandRun *run, GError **error)
{
    g_autoptr(ParquetInput) input = NULL;
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(guint));
    g_auto(GStrv) names = NULL;

    if (options.csv && output_is_json(run->output)) {
        error_set(error, ERROR_USAGE, "--csv and --json exclude each other");
        return FALSE;
    }
    if (options.limit < 0) {
        error_set(error, ERROR_USAGE, "--limit: %" G_GINT64_FORMAT " is no number of rows",
                  options.limit);
        return FALSE;
    }
    if (!words_split("--columns", options.columns, &names, error))
        return FALSE;
    input = parquet_input_open(run, error);
    if (input == NULL)
        return FALSE;
    reader = parquet_reader_open(parquet_input_source(input), NULL, error);
    return reader != NULL &&
           choose_columns(parquet_reader_metadata(reader)->schema, names, chosen, error) &&
           print_rows(run, reader, chosen, error);
}

static const GOptionEntry entries[] = {
    {"limit", 0, 0, G_OPTION_ARG_INT64, &options.limit, "at most so many rows", "N"},
    {"columns", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.columns, "only these, in this order",
     "NAMES"},
    {"csv", 0, 0, G_OPTION_ARG_NONE, &options.csv, "CSV with a line of names (the default)", NULL},
    {NULL},
};

const Command command_parquet_cat = {
    .words = "parquet cat",
    .arguments = "FILE",
    .minimum = 1,
    .maximum = 1,
    .summary = "print the rows of a Parquet file as CSV or JSON lines",
    .description = PARQUET_INPUT_HELP
    "\n"
    "Times are ISO 8601 with their unit's digits, decimals keep all their digits, bytes\n"
    "without annotation are hexadecimal. With --json a row is an object on a line.",
    .example = "holdfast parquet cat trades.parquet --columns ts,price --limit 10 --json",
    .options = entries,
    .reads_only = TRUE,
    .run = run_parquet_cat,
};
