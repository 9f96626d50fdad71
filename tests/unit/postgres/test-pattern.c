/* SPDX-License-Identifier: Apache-2.0
 *
 * The patterns of --tables.
 */
#include "postgres/pattern.h"

#include "base/error.h"

typedef struct {
    const char *pattern, *database, *schema, *table;
    gboolean fits;
} Case;

static void test_match(void)
{
    static const Case cases[] = {
        {"public.trades", "d", "public", "trades", TRUE},
        {"public.trades", "d", "public", "Trades", FALSE},
        {"public.trades", "d", "public", "trades2", FALSE},
        {"news.*", "d", "news", "", TRUE},
        {"news.*", "d", "newsx", "a", FALSE},
        {"*.*", "d", "a.b", "c", TRUE},
        {"p*c.t*a*s", "d", "public", "trades", TRUE},
        {"p*c.t*a*s", "d", "pc", "tas", TRUE},
        {"p*c.t*a*s", "d", "pc", "ta", FALSE},
        {"a.ab*ab", "d", "a", "ab", FALSE},
        {"a.ab*ab", "d", "a", "abab", TRUE},
        {"a.*x*x*", "d", "a", "x", FALSE},
        {"a.*x*x*", "d", "a", "yxzx", TRUE},
        {"a.**", "d", "a", "anything", TRUE},
        {"a.\\*", "d", "a", "*", TRUE},
        {"a.\\*", "d", "a", "x", FALSE},
        {"a\\.b.c", "d", "a.b", "c", TRUE},
        {"a.b\\\\c", "d", "a", "b\\c", TRUE},
        {"a.b\\,c", "d", "a", "b,c", TRUE},
        {"\"a.b\".\"c,*\"", "d", "a.b", "c,*", TRUE},
        {"\"a.b\".\"c,*\"", "d", "a.b", "c,x", FALSE},
        {"a.\"say \"\"hi\"\"\"", "d", "a", "say \"hi\"", TRUE},
        {"a.\"b\\c\"", "d", "a", "b\\c", TRUE},
        {"a.x\"*\"*", "d", "a", "x*y", TRUE},
        {"a.x\"*\"*", "d", "a", "xy", FALSE},
        {"d.s.t", "d", "s", "t", TRUE},
        {"d.s.t", "e", "s", "t", FALSE},
        {"*.s.t", "any", "s", "t", TRUE},
        {"s.\xc3\xbc*", "d", "s", "\xc3\xbc\xc3\xb6", TRUE},
        {"s. ", "d", "s", " ", TRUE},
        {"s.\"\"", "d", "s", "", TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *const texts[] = {cases[i].pattern, NULL};
        g_autoptr(GPtrArray) patterns = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].pattern);
        g_assert_true(pg_patterns_parse(texts, &patterns, &error));
        g_assert_cmpuint(patterns->len, ==, 1);
        g_assert_cmpstr(pg_pattern_text(g_ptr_array_index(patterns, 0)), ==, cases[i].pattern);
        g_assert_cmpint(pg_pattern_match(g_ptr_array_index(patterns, 0), cases[i].database,
                                         cases[i].schema, cases[i].table),
                        ==, cases[i].fits);
    }
}

static void test_lists(void)
{
    const char *const texts[] = {"a.b,d.c.d", "\"x,y\".z,a\\,b.c", NULL};
    g_autoptr(GPtrArray) patterns = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(pg_patterns_parse(texts, &patterns, &error));
    g_assert_cmpuint(patterns->len, ==, 4);
    g_assert_false(pg_pattern_has_database(g_ptr_array_index(patterns, 0)));
    g_assert_true(pg_pattern_has_database(g_ptr_array_index(patterns, 1)));
    g_assert_true(pg_pattern_match(g_ptr_array_index(patterns, 2), "d", "x,y", "z"));
    g_assert_true(pg_pattern_match(g_ptr_array_index(patterns, 3), "d", "a,b", "c"));
}

static void test_refused(void)
{
    static const char *const bad[] = {"",  "trades", "a.b.c.d", "a.",        ".b",   "a..b", "a.b,",
                                      ",", "a.b\\",  "\"a.b",   "a.\"b\"\"", "a.b.", "\"\""};

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *const texts[] = {bad[i], NULL};
        g_autoptr(GPtrArray) patterns = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", bad[i]);
        g_assert_false(pg_patterns_parse(texts, &patterns, &error));
        g_assert_true(error_is(error, ERROR_USAGE));
        g_assert_null(patterns);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pattern/match", test_match);
    g_test_add_func("/pattern/lists", test_lists);
    g_test_add_func("/pattern/refused", test_refused);
    return g_test_run();
}
