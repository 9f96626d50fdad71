/* SPDX-License-Identifier: Apache-2.0
 *
 * The statement that counts several tables; counting itself is a matter of the system tests.
 */
#include "postgres/count.h"

static void test_sql(void)
{
    PgTable one = {.schema = (char *)"public", .name = (char *)"t"};
    PgTable other = {.schema = (char *)"a.b", .name = (char *)"x\"y"};
    g_autoptr(GPtrArray) tables = g_ptr_array_new();
    g_autofree char *sql = NULL, *single = NULL;
    const guint order[] = {1, 0};

    g_ptr_array_add(tables, &one);
    g_ptr_array_add(tables, &other);
    sql = pg_count_sql(tables, order, 2);
    g_assert_cmpstr(sql, ==,
                    "select 1, pg_catalog.count(*) from only \"a.b\".\"x\"\"y\" union all "
                    "select 0, pg_catalog.count(*) from only \"public\".\"t\"");
    single = pg_count_sql(tables, order + 1, 1);
    g_assert_cmpstr(single, ==, "select 0, pg_catalog.count(*) from only \"public\".\"t\"");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/count/sql", test_sql);
    return g_test_run();
}
