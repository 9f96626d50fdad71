/* SPDX-License-Identifier: Apache-2.0
 *
 * Which places are read, and which of the base's slices stand in the place of those that are not.
 */
#include "tdengine/survey.h"

#include <string.h>

/* A table of three file sets, 100 ticks each, with a slice of 10 rows each; the last has four steps. */
typedef struct {
    TdTable *table;
    TdDatabase *database;
    TdScanTable *scan;
} Fixture;

static TdFingerprint sums_of(gint64 from)
{
    return (TdFingerprint){(guint64)from + 7, 9};
}

static void add_place(Fixture *fixture, gint64 from, gint64 to, const char *schema)
{
    const TdSums sums = {.from = from, .to = to, .rows = 10, .known = TRUE, .sums = sums_of(from)};
    TdSlice slice = {.from = from, .to = to, .shards = 1, .rows = 10};

    g_strlcpy(slice.schema, schema, sizeof slice.schema);
    td_fingerprint_to_hex(sums.sums, slice.sums);
    g_array_append_val(fixture->scan->sums, sums);
    g_array_append_val(fixture->scan->base->slices, slice);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    TdField *field = g_new0(TdField, 1);
    g_autofree char *schema = NULL;
    const TdCount counts[] = {{0, 10}, {100, 10}, {200, 20}};

    field->name = g_strdup("ts");
    field->type = TD_TIMESTAMP;
    fixture->table = td_table_new("d", "st", TD_TABLE_SUPER);
    g_ptr_array_add(fixture->table->columns, field);
    fixture->database = td_database_new("d");
    fixture->scan = td_scan_table_new(fixture->table, fixture->database, NULL, NULL);
    g_array_append_vals(fixture->scan->counts, counts, G_N_ELEMENTS(counts));
    fixture->scan->base = g_new0(TdBaseTable, 1);
    fixture->scan->base->slices = g_array_new(FALSE, FALSE, sizeof(TdSlice));
    schema = td_fields_hash(fixture->table->columns);
    for (gint64 from = 0; from < 200; from += 100)
        add_place(fixture, from, from + 100, schema);
    for (gint64 from = 200; from < 300; from += 50)
        add_place(fixture, from, from + 50, schema);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    td_scan_table_free(fixture->scan);
    td_table_free(fixture->table);
    td_database_free(fixture->database);
}

static TdSums *sums_at(const Fixture *fixture, guint index)
{
    return &g_array_index(fixture->scan->sums, TdSums, index);
}

static TdSlice *base_at(const Fixture *fixture, guint index)
{
    return &g_array_index(fixture->scan->base->slices, TdSlice, index);
}

static void expect_range(const Fixture *fixture, guint index, gint64 from, gint64 to,
                         gboolean compare)
{
    const TdRange *range = &g_array_index(fixture->scan->ranges, TdRange, index);

    g_assert_cmpuint(index, <, fixture->scan->ranges->len);
    g_assert_cmpint(range->from, ==, from);
    g_assert_cmpint(range->to, ==, to);
    g_assert_cmpint(range->compare, ==, compare);
}

static void expect_ranges(const Fixture *fixture, guint count)
{
    g_assert_cmpuint(fixture->scan->ranges->len, ==, count);
}

static void test_all(Fixture *fixture, gconstpointer data)
{
    td_survey_choose(fixture->scan, TD_READ_ALL, NULL);
    g_assert_null(fixture->scan->ranges);
    g_assert_false(fixture->scan->quick);
    g_assert_cmpuint(td_survey_rows(fixture->scan), ==, 40);
}

/* A table that the base does not have is read whole, whatever the way. */
static void test_new_table(Fixture *fixture, gconstpointer data)
{
    g_clear_pointer(&fixture->scan->base, td_base_table_free);
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    g_assert_null(fixture->scan->ranges);
    g_assert_false(fixture->scan->quick);
}

static void test_nothing_dirty(Fixture *fixture, gconstpointer data)
{
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    expect_ranges(fixture, 0);
    g_assert_cmpuint(td_survey_rows(fixture->scan), ==, 0);
    td_survey_finish(fixture->scan);
    g_assert_cmpuint(fixture->scan->slices->len, ==, 4);
    for (guint i = 0; i < 4; i++) {
        const TdSlice *slice = &g_array_index(fixture->scan->slices, TdSlice, i);

        g_assert_true(slice->reused);
        g_assert_cmpstr(slice->sums, ==, base_at(fixture, i)->sums);
    }
}

static void expect_dirty(Fixture *fixture, guint place)
{
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    expect_ranges(fixture, 1);
    expect_range(fixture, 0, sums_at(fixture, place)->from, sums_at(fixture, place)->to, FALSE);
    g_assert_cmpuint(td_survey_rows(fixture->scan), ==, sums_at(fixture, place)->rows);
}

/* Each of what makes a place dirty does so alone. */
static void test_dirty(Fixture *fixture, gconstpointer data)
{
    sums_at(fixture, 1)->sums.high ^= 1;
    expect_dirty(fixture, 1);
    sums_at(fixture, 1)->sums.high ^= 1;
    sums_at(fixture, 2)->known = FALSE;
    expect_dirty(fixture, 2);
    sums_at(fixture, 2)->known = TRUE;
    sums_at(fixture, 0)->rows++;
    expect_dirty(fixture, 0);
    sums_at(fixture, 0)->rows--;
    base_at(fixture, 3)->sums[0] = '\0';
    expect_dirty(fixture, 3);
    td_fingerprint_to_hex(sums_at(fixture, 3)->sums, base_at(fixture, 3)->sums);
    base_at(fixture, 1)->schema[0] ^= 1;
    expect_dirty(fixture, 1);
    base_at(fixture, 1)->schema[0] ^= 1;
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    expect_ranges(fixture, 0);
}

/* Rows that came, or went, where there was nothing, or is nothing. */
static void test_came_and_went(Fixture *fixture, gconstpointer data)
{
    g_array_remove_index(fixture->scan->base->slices, 1);
    expect_dirty(fixture, 1);
    g_array_remove_index(fixture->scan->sums, 1);
    sums_at(fixture, 0)->rows = 0;
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    expect_ranges(fixture, 1);
    expect_range(fixture, 0, 0, 100, FALSE);
    td_survey_finish(fixture->scan);
    g_assert_cmpuint(fixture->scan->slices->len, ==, 2);
    g_assert_cmpint(g_array_index(fixture->scan->slices, TdSlice, 0).from, ==, 200);
}

/* Stretches that are dirty whatever the sums say: borders belong to what is behind them. */
static void test_named(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GArray) dirty = g_array_new(FALSE, FALSE, sizeof(TdPlace));
    const TdPlace middle = {99, 100}, end = {250, G_MAXINT64};

    g_array_append_val(dirty, middle);
    g_array_append_val(dirty, end);
    td_survey_choose(fixture->scan, TD_READ_QUICK, dirty);
    expect_ranges(fixture, 2);
    expect_range(fixture, 0, 0, 100, FALSE);
    expect_range(fixture, 1, 250, 300, FALSE);
    g_assert_cmpuint(td_survey_rows(fixture->scan), ==, 20);
}

/* A place of many slices is compared though it is dirty: most of them are what they were. */
static void test_many_slices(Fixture *fixture, gconstpointer data)
{
    TdSlice second = *base_at(fixture, 0);

    base_at(fixture, 0)->to = 50;
    base_at(fixture, 0)->rows = 4;
    second.from = 50;
    second.rows = 6;
    g_array_insert_val(fixture->scan->base->slices, 1, second);
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    expect_ranges(fixture, 0);
    sums_at(fixture, 0)->rows++;
    td_survey_choose(fixture->scan, TD_READ_QUICK, NULL);
    expect_ranges(fixture, 1);
    expect_range(fixture, 0, 0, 100, TRUE);
}

/* A scan leaves out no time, and takes no slice at the base's word. */
static void test_scan(Fixture *fixture, gconstpointer data)
{
    sums_at(fixture, 1)->sums.low++;
    td_survey_choose(fixture->scan, TD_READ_SCAN, NULL);
    expect_ranges(fixture, 3);
    expect_range(fixture, 0, G_MININT64, 100, TRUE);
    expect_range(fixture, 1, 100, 200, FALSE);
    expect_range(fixture, 2, 200, G_MAXINT64, TRUE);
    g_assert_cmpuint(td_survey_rows(fixture->scan), ==, 40);
    td_survey_finish(fixture->scan);
    g_assert_cmpuint(fixture->scan->slices->len, ==, 0);
    g_array_set_size(fixture->scan->sums, 0);
    td_survey_choose(fixture->scan, TD_READ_SCAN, NULL);
    expect_ranges(fixture, 1);
    expect_range(fixture, 0, G_MININT64, G_MAXINT64, FALSE);
}

/* What was read is recorded with what the server said of its place, or with nothing. */
static void test_recorded(Fixture *fixture, gconstpointer data)
{
    const TdSlice slices[] = {{.from = 100, .to = 200, .sums = "old"},
                              {.from = 200, .to = 250, .sums = "old"},
                              {.from = 250, .to = 350, .sums = "old"},
                              {.from = 900, .to = 1000, .sums = "old"}};
    char expected[TD_FINGERPRINT_HEX_SIZE];

    g_array_append_vals(fixture->scan->slices, slices, G_N_ELEMENTS(slices));
    sums_at(fixture, 2)->known = FALSE;
    td_survey_finish(fixture->scan);
    td_fingerprint_to_hex(sums_of(100), expected);
    g_assert_cmpuint(fixture->scan->slices->len, ==, G_N_ELEMENTS(slices));
    g_assert_cmpstr(g_array_index(fixture->scan->slices, TdSlice, 0).sums, ==, expected);
    for (guint i = 1; i < G_N_ELEMENTS(slices); i++)
        g_assert_cmpstr(g_array_index(fixture->scan->slices, TdSlice, i).sums, ==, "");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/survey/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("all", test_all);
    ADD("new-table", test_new_table);
    ADD("nothing-dirty", test_nothing_dirty);
    ADD("dirty", test_dirty);
    ADD("came-and-went", test_came_and_went);
    ADD("named", test_named);
    ADD("many-slices", test_many_slices);
    ADD("scan", test_scan);
    ADD("recorded", test_recorded);
    return g_test_run();
}
