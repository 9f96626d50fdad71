/* SPDX-License-Identifier: Apache-2.0
 *
 * The script of roles and tablespaces, cut into statements.
 */
#include "postgres/globals.h"

#include "base/error.h"

static const char sample[] =
    "--\n-- PostgreSQL database cluster dump\n--\n\n"
    "\\restrict abc\n\n"
    "SET standard_conforming_strings = on;\n\n"
    "CREATE ROLE bob;\n"
    "ALTER ROLE bob WITH NOSUPERUSER PASSWORD 'SCRAM-SHA-256$4096:a;b''c';\n"
    "CREATE ROLE \"we\"\"ird;\n-- r\";\n"
    "ALTER ROLE \"we\"\"ird;\n-- r\" SET search_path TO 'x;y';\n"
    "COMMENT ON ROLE bob IS E'a\\'b;';\n"
    "GRANT bob TO \"we\"\"ird;\n-- r\" GRANTED BY postgres;\n"
    "CREATE TABLESPACE fast OWNER bob LOCATION '/mnt/it''s';\n"
    "GRANT ALL ON TABLESPACE fast TO bob;\n"
    "\\unrestrict abc\n";

static const PgGlobal *at(const GPtrArray *globals, guint index)
{
    return g_ptr_array_index(globals, index);
}

static void test_parse(void)
{
    g_autoptr(GPtrArray) globals = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(pg_globals_parse(sample, &globals, &error));
    g_assert_cmpuint(globals->len, ==, 9);
    g_assert_cmpint(at(globals, 0)->kind, ==, PG_GLOBAL_OTHER);
    g_assert_cmpint(at(globals, 1)->kind, ==, PG_GLOBAL_ROLE);
    g_assert_true(at(globals, 1)->create);
    g_assert_cmpstr(at(globals, 1)->name, ==, "bob");
    g_assert_cmpstr(at(globals, 2)->name, ==, "bob");
    g_assert_false(at(globals, 2)->create);
    g_assert_true(g_str_has_suffix(at(globals, 2)->sql, "a;b''c';"));
    g_assert_cmpstr(at(globals, 3)->name, ==, "we\"ird;\n-- r");
    g_assert_true(at(globals, 3)->create);
    g_assert_cmpstr(at(globals, 4)->name, ==, "we\"ird;\n-- r");
    g_assert_cmpstr(at(globals, 5)->name, ==, "bob");
    g_assert_cmpstr(at(globals, 5)->sql, ==, "COMMENT ON ROLE bob IS E'a\\'b;';");
    g_assert_cmpint(at(globals, 6)->kind, ==, PG_GLOBAL_OTHER);
    g_assert_cmpint(at(globals, 7)->kind, ==, PG_GLOBAL_TABLESPACE);
    g_assert_cmpstr(at(globals, 7)->name, ==, "fast");
    g_assert_cmpstr(at(globals, 7)->location, ==, "/mnt/it's");
    g_assert_cmpint(at(globals, 8)->kind, ==, PG_GLOBAL_TABLESPACE);
    g_assert_cmpstr(at(globals, 8)->name, ==, "fast");
    g_assert_false(at(globals, 8)->create);
}

static void test_open_quotes(void)
{
    static const char *const bad[] = {"CREATE ROLE \"a;", "COMMENT ON ROLE a IS 'b", "x E'\\'"};

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GPtrArray) globals = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_false(pg_globals_parse(bad[i], &globals, &error));
        g_assert_true(error_is(error, ERROR_FORMAT));
    }
}

static void test_nothing(void)
{
    g_autoptr(GPtrArray) globals = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(pg_globals_parse("-- nothing\n\n\\restrict x", &globals, &error));
    g_assert_cmpuint(globals->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/globals/parse", test_parse);
    g_test_add_func("/globals/open-quotes", test_open_quotes);
    g_test_add_func("/globals/nothing", test_nothing);
    return g_test_run();
}
