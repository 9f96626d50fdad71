/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows taken apart: whatever the order in which they come, each stands once in its slice, sorted,
 * and the counts and fingerprints say so.
 */
#include "tdengine/regroup.h"

#include <string.h>

#include "parquet/reader.h"
#include "tdengine/ddl.h"

#define ROWS_MAX 512
#define UNIT     100 /* ticks of a file set */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdTable, td_table_free)

/* A block of tbname, time, INT and VARCHAR. */
typedef struct {
    guint32 rows;
    GByteArray *names, *texts;
    guint32 name_offsets[ROWS_MAX], text_offsets[ROWS_MAX];
    gint64 times[ROWS_MAX];
    gint32 numbers[ROWS_MAX];
    guint8 nulls[ROWS_MAX / 8], none[ROWS_MAX / 8];
} Rows;

static Rows *rows_new(void)
{
    Rows *rows = g_new0(Rows, 1);

    rows->names = g_byte_array_new();
    rows->texts = g_byte_array_new();
    return rows;
}

static void rows_free(Rows *rows)
{
    g_byte_array_unref(rows->names);
    g_byte_array_unref(rows->texts);
    g_free(rows);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rows, rows_free)

static guint32 put_text(GByteArray *bytes, const char *text)
{
    guint32 offset = bytes->len;
    guint16 length = GUINT16_TO_LE((guint16)strlen(text));

    g_byte_array_append(bytes, (const guint8 *)&length, 2);
    g_byte_array_append(bytes, (const guint8 *)text, (guint)strlen(text));
    return offset;
}

/* No table: its name is NULL. A number below zero: NULL. */
static void add_row(Rows *rows, const char *table, gint64 time, gint32 number, const char *text)
{
    guint32 row = rows->rows++;

    g_assert_cmpuint(row, <, ROWS_MAX);
    rows->name_offsets[row] = table != NULL ? put_text(rows->names, table) : G_MAXUINT32;
    rows->times[row] = time;
    rows->numbers[row] = number;
    if (number < 0)
        rows->nulls[row / 8] |= (guint8)(0x80 >> row % 8);
    rows->text_offsets[row] = text != NULL ? put_text(rows->texts, text) : G_MAXUINT32;
}

static void feed(TdRegroup *regroup, Rows *rows, gint *ret_binary)
{
    g_autoptr(GError) error = NULL;
    TdBlockColumn columns[] = {{.type = TD_VARCHAR,
                                .values = rows->names->data,
                                .offsets = (const guint8 *)rows->name_offsets,
                                .length = rows->names->len},
                               {.type = TD_TIMESTAMP,
                                .width = 8,
                                .bitmap = rows->none,
                                .values = (const guint8 *)rows->times,
                                .length = rows->rows * 8},
                               {.type = TD_INT,
                                .width = 4,
                                .bitmap = rows->nulls,
                                .values = (const guint8 *)rows->numbers,
                                .length = rows->rows * 4},
                               {.type = TD_VARCHAR,
                                .values = rows->texts->data,
                                .offsets = (const guint8 *)rows->text_offsets,
                                .length = rows->texts->len}};
    TdBlock block = {.rows = rows->rows, .n_columns = G_N_ELEMENTS(columns), .columns = columns};

    g_assert_true(td_regroup_add(regroup, &block, ret_binary, &error));
    g_assert_no_error(error);
}

static void add_field(TdTable *table, const char *name, TdType type, guint length)
{
    TdField *field = g_new0(TdField, 1);

    field->name = g_strdup(name);
    field->type = type;
    field->length = length;
    g_ptr_array_add(table->columns, field);
}

static TdTable *make_table(void)
{
    TdTable *table = td_table_new("d", "st", TD_TABLE_SUPER);

    add_field(table, "ts", TD_TIMESTAMP, 8);
    add_field(table, "v", TD_INT, 4);
    add_field(table, "s", TD_VARCHAR, 20);
    return table;
}

/* What a test needs, and what came of it. */
typedef struct {
    Repository *repository;
    TdTable *table;
    TdPlan *plan;
    TdSliceShape *shape;
    GArray *slices;
} World;

static void world_init(World *world)
{
    g_autoptr(Store) store = store_new_memory();
    g_autoptr(GError) error = NULL;
    TdSliceOptions options = {.backup_id = "20261122T020000Z-market-full-aaaa",
                              .compression = COMPRESS_DEFAULT,
                              .fingerprint_key = 7,
                              .precision = TD_MILLISECONDS};

    world->repository = repository_create(store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    options.repository = world->repository;
    world->table = make_table();
    world->plan = td_plan_new(UNIT);
    world->shape = td_slice_shape_new(world->table, &options, NULL, FALSE);
    world->slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
}

static void world_clear(World *world)
{
    g_array_unref(world->slices);
    td_slice_shape_free(world->shape);
    td_plan_free(world->plan);
    td_table_free(world->table);
    repository_unref(world->repository);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static TdRegroup *begin(World *world, gsize memory)
{
    return td_regroup_new(&(TdRegroupOptions){.table = world->table,
                                              .plan = world->plan,
                                              .from = G_MININT64,
                                              .to = G_MAXINT64,
                                              .shape = world->shape,
                                              .memory = memory});
}

static void finish(World *world, TdRegroup *regroup)
{
    g_autoptr(GError) error = NULL;
    gint binary;

    g_assert_true(td_regroup_finish(regroup, world->slices, &binary, &error));
    g_assert_no_error(error);
    g_assert_cmpint(binary, ==, -1);
}

/* Appends the rows of a slice as "table time number text" lines; each row group is sorted. */
static void read_slice(const World *world, const TdSlice *slice, GString *out)
{
    g_autofree char *name = g_strdup_printf("pool/%.2s/%s", slice->data.sha256, slice->data.sha256);
    g_autoptr(GBytes) bytes = store_get(repository_store(world->repository), name, 1 << 20, NULL);
    const guint columns[] = {0, 1, 2, 3};
    g_autoptr(ParquetReader) reader = NULL;
    g_autoptr(ParquetScan) scan = NULL;
    g_autofree char *before = g_strdup("");
    ParquetMemory memory;
    ParquetBatch batch;
    guint group = G_MAXUINT;

    g_assert_nonnull(bytes);
    parquet_memory_init(&memory, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), name);
    reader = parquet_reader_open(&memory.source, NULL, NULL);
    g_assert_nonnull(reader);
    g_assert_cmpint(parquet_reader_metadata(reader)->rows, ==, (gint64)slice->rows);
    scan = parquet_scan_new(reader, columns, 4, NULL, NULL);
    for (;;) {
        g_assert_true(parquet_scan_next(scan, 7, &batch, NULL));
        if (batch.rows == 0)
            return;
        for (gsize i = 0; i < batch.rows; i++) {
            const ParquetArray *arrays = batch.arrays;
            g_autofree char *table = g_strndup((const char *)arrays[0].bytes + arrays[0].offsets[i],
                                               arrays[0].offsets[i + 1] - arrays[0].offsets[i]);
            g_autofree char *text = g_strndup((const char *)arrays[3].bytes + arrays[3].offsets[i],
                                              arrays[3].offsets[i + 1] - arrays[3].offsets[i]);
            gint64 time = ((const gint64 *)arrays[1].values)[i];
            g_autofree char *order =
                g_strdup_printf("%s %020" G_GINT64_FORMAT, table, time + UNIT * UNIT);

            if (batch.group == group)
                g_assert_cmpstr(before, <=, order);
            group = batch.group;
            g_free(before);
            before = g_steal_pointer(&order);
            g_assert_cmpint(time, >=, slice->from);
            g_assert_cmpint(time, <, slice->to);
            g_string_append_printf(out, "%s %" G_GINT64_FORMAT " %d %s\n", table, time,
                                   parquet_array_is_valid(&arrays[2], i)
                                       ? ((const gint32 *)arrays[2].values)[i]
                                       : -1,
                                   parquet_array_is_valid(&arrays[3], i) ? text : "-");
        }
    }
}

static int compare_lines(gconstpointer a, gconstpointer b, gpointer data)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All rows of all slices, in the order of the text, whatever order they stood in. */
static char *all_rows(const World *world, const char *expected, char **ret_expected)
{
    g_autoptr(GString) out = g_string_new(NULL);
    g_auto(GStrv) found = NULL, wanted = g_strsplit(expected, "\n", -1);

    for (guint i = 0; i < world->slices->len; i++)
        read_slice(world, &g_array_index(world->slices, TdSlice, i), out);
    found = g_strsplit(out->str, "\n", -1);
    g_qsort_with_data(found, (gint)g_strv_length(found), sizeof *found, compare_lines, NULL);
    g_qsort_with_data(wanted, (gint)g_strv_length(wanted), sizeof *wanted, compare_lines, NULL);
    *ret_expected = g_strjoinv("\n", wanted);
    return g_strjoinv("\n", found);
}

static void expect_rows(const World *world, const char *expected)
{
    g_autofree char *wanted = NULL;
    g_autofree char *found = all_rows(world, expected, &wanted);

    g_assert_cmpstr(found, ==, wanted);
}

/* Tables in turns, times that fall, rows of one table in two overlapping runs, two file sets. */
static void test_orders(void)
{
    g_auto(World) world = {0};
    g_autoptr(TdRegroup) regroup = NULL;
    g_autoptr(Rows) first = rows_new();
    g_autoptr(Rows) second = rows_new();
    gint binary;

    world_init(&world);
    regroup = begin(&world, 1 << 20);
    add_row(first, "b", 10, 1, "x");
    add_row(first, "b", 30, 2, NULL);
    add_row(first, "a", -5, 3, "");
    add_row(first, "a", 150, -1, "y");
    add_row(first, "b", 20, 4, "z");
    feed(regroup, first, &binary);
    add_row(second, "a", 149, 5, "w");
    add_row(second, "b", 5, 6, "v");
    feed(regroup, second, &binary);
    finish(&world, regroup);
    g_assert_cmpuint(world.slices->len, ==, 3);
    expect_rows(&world, "a -5 3 \nb 5 6 v\nb 10 1 x\nb 20 4 z\nb 30 2 -\na 149 5 w\na 150 -1 y\n");
}

/* The same rows in one go, and in row groups of a few rows: the same counts, the same sums. */
static void test_bounded_memory(void)
{
    g_auto(World) whole = {0}, small = {0};
    g_autoptr(TdRegroup) at_once = NULL, in_parts = NULL;
    TdFingerprint sums[2] = {0};
    const World *worlds[] = {&whole, &small};

    world_init(&whole);
    world_init(&small);
    at_once = begin(&whole, 1 << 24);
    in_parts = begin(&small, 1);
    for (guint block = 0; block < 8; block++) {
        g_autoptr(Rows) rows = rows_new();
        gint binary;

        for (gint row = 0; row < 300; row++) {
            g_autofree char *name = g_strdup_printf("t%d", row / 50);

            add_row(rows, name, (gint64)(block * 50) + row % 50, row % 9 - 1, row % 4 ? "s" : NULL);
        }
        feed(at_once, rows, &binary);
        feed(in_parts, rows, &binary);
    }
    finish(&whole, at_once);
    finish(&small, in_parts);
    g_assert_cmpuint(whole.slices->len, ==, 4);
    g_assert_cmpuint(small.slices->len, ==, 4);
    for (guint i = 0; i < 2; i++) {
        guint64 rows = 0;

        for (guint j = 0; j < worlds[i]->slices->len; j++) {
            const TdSlice *slice = &g_array_index(worlds[i]->slices, TdSlice, j);
            g_autoptr(GString) out = g_string_new(NULL);

            read_slice(worlds[i], slice, out);
            td_fingerprint_add(&sums[i], slice->fingerprint);
            rows += slice->rows;
        }
        g_assert_cmpuint(rows, ==, 2400);
    }
    g_assert_true(td_fingerprint_equal(sums[0], sums[1]));
}

static void test_no_text(void)
{
    g_auto(World) world = {0};
    g_autoptr(TdRegroup) regroup = NULL;
    g_autoptr(Rows) rows = rows_new();
    gint binary;

    world_init(&world);
    regroup = begin(&world, 1);
    add_row(rows, "a", 1, 1, "fine");
    add_row(rows, "a", 2, 1, "\xff");
    feed(regroup, rows, &binary);
    g_assert_cmpint(binary, ==, 2);
}

static gboolean only_b(const char *name, gsize length, gpointer data)
{
    return length == 1 && name[0] == 'b';
}

static void test_chosen_tables(void)
{
    g_auto(World) world = {0};
    g_autoptr(TdRegroup) regroup = NULL;
    g_autoptr(Rows) rows = rows_new();
    gint binary;

    world_init(&world);
    regroup = td_regroup_new(&(TdRegroupOptions){.table = world.table,
                                                 .plan = world.plan,
                                                 .from = 20,
                                                 .to = 160,
                                                 .shape = world.shape,
                                                 .memory = 1 << 20,
                                                 .name = only_b});
    add_row(rows, "a", 50, 1, NULL);
    add_row(rows, "b", 50, 2, NULL);
    add_row(rows, "b", 150, 3, NULL);
    feed(regroup, rows, &binary);
    finish(&world, regroup);
    g_assert_cmpuint(world.slices->len, ==, 2);
    /* Cut to what was asked for. */
    g_assert_cmpint(g_array_index(world.slices, TdSlice, 0).from, ==, 20);
    g_assert_cmpint(g_array_index(world.slices, TdSlice, 1).to, ==, 160);
    expect_rows(&world, "b 50 2 -\nb 150 3 -\n");
}

/* Rows of a table that was dropped while it was read. */
static void test_nameless(void)
{
    g_auto(World) world = {0};
    g_autoptr(TdRegroup) regroup = NULL;
    g_autoptr(Rows) rows = rows_new();
    gint binary;

    world_init(&world);
    regroup = begin(&world, 1 << 20);
    add_row(rows, NULL, 1, 1, NULL);
    add_row(rows, "a", 2, 2, NULL);
    add_row(rows, NULL, 3, 3, NULL);
    add_row(rows, "a", 4, 4, NULL);
    add_row(rows, NULL, 5, 5, NULL);
    feed(regroup, rows, &binary);
    finish(&world, regroup);
    g_assert_cmpuint(td_regroup_nameless(regroup), ==, 3);
    expect_rows(&world, "a 2 2 -\na 4 4 -\n");
}

static void test_names(void)
{
    g_autoptr(TdNames) names = td_names_new();
    guint32 id;

    for (guint i = 0; i < 5000; i++) {
        g_autofree char *name = g_strdup_printf("table_%u", i);

        g_assert_cmpuint(td_names_add(names, name, strlen(name)), ==, i);
    }
    g_assert_cmpuint(td_names_add(names, "table_77", 8), ==, 77);
    g_assert_cmpuint(td_names_count(names), ==, 5000);
    g_assert_true(td_names_find(names, "table_4999", 10, &id));
    g_assert_cmpuint(id, ==, 4999);
    g_assert_cmpstr(td_names_get(names, id, NULL), ==, "table_4999");
    g_assert_false(td_names_find(names, "table_5000", 10, &id));
    g_assert_false(td_names_find(names, "table", 5, &id));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/regroup/orders", test_orders);
    g_test_add_func("/regroup/bounded-memory", test_bounded_memory);
    g_test_add_func("/regroup/no-text", test_no_text);
    g_test_add_func("/regroup/chosen-tables", test_chosen_tables);
    g_test_add_func("/regroup/nameless", test_nameless);
    g_test_add_func("/regroup/names", test_names);
    return g_test_run();
}
