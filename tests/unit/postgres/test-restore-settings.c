/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of settings as SQL.
 */
#include "postgres/restore-settings.h"

static void check(const char *setting, const char *value, const char *expected)
{
    g_autofree char *sql = pg_setting_value_sql(setting, value);

    g_assert_cmpstr(sql, ==, expected);
}

static void test_values(void)
{
    check("work_mem", "7MB", "'7MB'");
    check("application_name", "it's, so", "'it''s, so'");
    check("search_path", "\"$user\", public", "'$user', 'public'");
    check("search_path", "\"a, \"\"b\"\"\",c", "'a, \"b\"', 'c'");
    check("search_path", "", "''");
    check("search_path", "\"\"", "''");
    check("temp_tablespaces", "a,b", "'a', 'b'");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/restore-settings/values", test_values);
    return g_test_run();
}
