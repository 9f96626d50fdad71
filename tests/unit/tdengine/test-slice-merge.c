/* SPDX-License-Identifier: Apache-2.0
 *
 * Row groups as one stream: by table, and of a table in the order in which they were added.
 */
#include "tdengine/slice-merge.h"

#include <string.h>

#include "parquet/writer.h"

#define FILES_MAX 4

/* Files in memory that a merge reads. */
typedef struct {
    GByteArray *bytes[FILES_MAX];
    ParquetMemory memory[FILES_MAX];
    ParquetReader *readers[FILES_MAX];
    guint count;
    TdMerge *merge;
} World;

static void world_clear(World *world)
{
    td_merge_free(world->merge);
    for (guint i = 0; i < world->count; i++) {
        parquet_reader_free(world->readers[i]);
        g_byte_array_unref(world->bytes[i]);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static gboolean keep(const void *bytes, gsize length, gpointer data, GError **error)
{
    (void)error;
    g_byte_array_append(data, bytes, (guint)length);
    return TRUE;
}

static void add_rows(ParquetWriter *writer, const char *table, gint64 time)
{
    const guint32 offsets[] = {0, (guint32)strlen(table)};
    const ParquetArray arrays[] = {{.values = &time},
                                   {.offsets = offsets, .bytes = (const guint8 *)table}};

    g_assert_true(parquet_writer_add(writer, arrays, 1, NULL));
}

/* "a1 a2 b1|c1": a row is a name and a digit, its time; a bar ends a row group. Gives all of them to
 * the merge as one scan. */
static void add_file(World *world, const char *text, gboolean named)
{
    const guint columns[] = {0, 1};
    const guint at = world->count++;
    g_autoptr(ParquetSchema) schema = parquet_schema_new();
    g_autoptr(ParquetWriter) writer = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) groups = g_strsplit(text, "|", -1);
    ParquetWriterOptions options;

    g_assert_true(
        parquet_schema_add(schema, &(ParquetColumn){.name = "ts", .type = PARQUET_INT64}, NULL));
    g_assert_true(parquet_schema_add(schema,
                                     &(ParquetColumn){.name = "tbname", .type = PARQUET_BYTE_ARRAY},
                                     NULL));
    parquet_writer_options_init(&options);
    world->bytes[at] = g_byte_array_new();
    writer = parquet_writer_new(schema, &options, keep, world->bytes[at], NULL, NULL);
    for (guint i = 0; groups[i] != NULL; i++) {
        g_auto(GStrv) rows = g_strsplit(groups[i], " ", -1);

        for (guint k = 0; rows[k] != NULL; k++) {
            const gsize length = strlen(rows[k]);
            g_autofree char *name = g_strndup(rows[k], length > 0 ? length - 1 : 0);

            if (length > 0)
                add_rows(writer, name, rows[k][length - 1] - '0');
        }
        g_assert_true(parquet_writer_end_row_group(writer, NULL));
    }
    g_assert_true(parquet_writer_finish(writer, NULL));
    parquet_memory_init(&world->memory[at], world->bytes[at]->data, world->bytes[at]->len, "file");
    world->readers[at] = parquet_reader_open(&world->memory[at].source, NULL, &error);
    g_assert_no_error(error);
    g_assert_true(td_merge_add(world->merge,
                               parquet_scan_new(world->readers[at], columns, 2, NULL, NULL),
                               named ? 1 : -1, at, &error));
    g_assert_no_error(error);
}

/* What comes, "name:source:times" for each stretch. */
static char *read_all(World *world)
{
    GString *out = g_string_new(NULL);

    for (;;) {
        TdMergeRows rows;

        g_assert_true(td_merge_next(world->merge, &rows, NULL));
        if (rows.from == rows.to)
            break;
        g_string_append_printf(out, "%s%.*s:%u:", out->len > 0 ? " " : "", (int)rows.name_length,
                               rows.name, rows.source);
        for (gsize row = rows.from; row < rows.to; row++)
            g_string_append_printf(out, "%" G_GINT64_FORMAT,
                                   ((const gint64 *)rows.arrays[0].values)[row]);
    }
    return g_string_free(out, FALSE);
}

static void test_order(void)
{
    g_auto(World) world = {.merge = td_merge_new()};
    g_autofree char *found = NULL;

    add_file(&world, "a1 a2 ab1 b1", TRUE);
    add_file(&world, "a3 b2 b3 c1", TRUE);
    add_file(&world, "", TRUE);
    add_file(&world, "ab2 c2", TRUE);
    found = read_all(&world);
    g_assert_cmpstr(found, ==, "a:0:12 a:1:3 ab:0:1 ab:3:2 b:0:1 b:1:23 c:1:1 c:3:2");
}

/* Row groups of one scan begin the order anew: every row comes all the same. */
static void test_not_sorted(void)
{
    g_auto(World) world = {.merge = td_merge_new()};
    g_autofree char *found = NULL;

    add_file(&world, "b1 c1|a1 b2", TRUE);
    add_file(&world, "a2 b3", TRUE);
    found = read_all(&world);
    g_assert_cmpstr(found, ==, "a:1:2 b:0:1 b:1:3 c:0:1 a:0:1 b:0:2");
}

static void test_without_names(void)
{
    g_auto(World) world = {.merge = td_merge_new()};
    g_autofree char *found = NULL;

    add_file(&world, "x1 y2|x3", FALSE);
    found = read_all(&world);
    g_assert_cmpstr(found, ==, ":0:12 :0:3");
}

static void test_nothing(void)
{
    g_auto(World) world = {.merge = td_merge_new()};
    g_autofree char *found = read_all(&world);

    g_assert_cmpstr(found, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/slice-merge/order", test_order);
    g_test_add_func("/slice-merge/not-sorted", test_not_sorted);
    g_test_add_func("/slice-merge/without-names", test_without_names);
    g_test_add_func("/slice-merge/nothing", test_nothing);
    return g_test_run();
}
