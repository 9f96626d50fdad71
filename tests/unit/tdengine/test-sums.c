/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server is asked of windows of time: which columns are looked at, and where the windows begin.
 */
#include "tdengine/sums.h"

static void add_column(TdTable *table, const char *name, TdType type)
{
    TdField *field = g_new0(TdField, 1);

    field->name = g_strdup(name);
    field->type = type;
    g_ptr_array_add(table->columns, field);
}

static TdTable *make_table(void)
{
    TdTable *table = td_table_new("d", "st", TD_TABLE_SUPER);

    add_column(table, "ts", TD_TIMESTAMP);
    return table;
}

static void expect_question(const TdTable *table, TdPrecision precision, TdWindows windows,
                            const char *want)
{
    g_autofree char *sql = td_sums_question(table, precision, &windows);

    g_assert_cmpstr(sql, ==, want);
}

/* Texts have no sums; what is no number is made one. */
static void test_columns(void)
{
    TdTable *table = make_table();

    add_column(table, "i", TD_INT);
    add_column(table, "text", TD_VARCHAR);
    add_column(table, "b", TD_BOOL);
    add_column(table, "wide", TD_NCHAR);
    add_column(table, "t", TD_TIMESTAMP);
    add_column(table, "f", TD_FLOAT);
    expect_question(table, TD_MILLISECONDS, (TdWindows){0, 100, 100, 0},
                    "SELECT _wstart, COUNT(*), SPREAD(`ts`), COUNT(`i`), SUM(`i`), COUNT(`b`), "
                    "SUM(CAST(`b` AS BIGINT)), COUNT(`t`), SUM(CAST(`t` AS BIGINT)), COUNT(`f`), "
                    "SUM(`f`) FROM `d`.`st` WHERE `ts` >= 0 AND `ts` < 100 "
                    "INTERVAL(100a)");
    td_table_free(table);
}

/* Of normal tables texts are counted: nobody tells when one was altered. */
static void test_normal(void)
{
    TdTable *table = td_table_new("d", "n", TD_TABLE_NORMAL);

    add_column(table, "ts", TD_TIMESTAMP);
    add_column(table, "text", TD_VARCHAR);
    add_column(table, "i", TD_INT);
    add_column(table, "shape", TD_GEOMETRY);
    expect_question(table, TD_MILLISECONDS, (TdWindows){0, 100, 100, 0},
                    "SELECT _wstart, COUNT(*), SPREAD(`ts`), COUNT(`text`), COUNT(`i`), SUM(`i`), "
                    "COUNT(`shape`) FROM `d`.`n` WHERE `ts` >= 0 AND `ts` < 100 "
                    "INTERVAL(100a)");
    td_table_free(table);
}

/* Windows begin where they are to, in the unit of the database, before 1970 too. */
static void test_windows(void)
{
    TdTable *table = make_table();

    expect_question(table, TD_MILLISECONDS, (TdWindows){200, 400, 50, 200},
                    "SELECT _wstart, COUNT(*), SPREAD(`ts`) FROM `d`.`st` WHERE `ts` >= 200 AND "
                    "`ts` < 400 INTERVAL(50a)");
    expect_question(table, TD_MICROSECONDS, (TdWindows){230, 430, 50, 230},
                    "SELECT _wstart, COUNT(*), SPREAD(`ts`) FROM `d`.`st` WHERE `ts` >= 230 AND "
                    "`ts` < 430 INTERVAL(50u, 30u)");
    expect_question(table, TD_NANOSECONDS, (TdWindows){-130, 70, 50, -130},
                    "SELECT _wstart, COUNT(*), SPREAD(`ts`) FROM `d`.`st` WHERE `ts` >= -130 AND "
                    "`ts` < 70 INTERVAL(50b, 20b)");
    expect_question(table, TD_MILLISECONDS, (TdWindows){G_MININT64, G_MAXINT64, 50, 0, TRUE},
                    "SELECT _wstart, COUNT(*) FROM `d`.`st` INTERVAL(50a)");
    td_table_free(table);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/sums/columns", test_columns);
    g_test_add_func("/tdengine/sums/normal", test_normal);
    g_test_add_func("/tdengine/sums/windows", test_windows);
    return g_test_run();
}
