/* SPDX-License-Identifier: Apache-2.0
 *
 * The patterns of --tables.
 */
#include "tdengine/pattern.h"

#include "base/error.h"

static void test_match(void)
{
    static const struct {
        const char *pattern, *database, *table;
        gboolean matches;
    } cases[] = {
        {"t", "d", "t", TRUE},         {"t", "d", "T", FALSE},        {"t*", "d", "table", TRUE},
        {"*a*b", "d", "xaxbxb", TRUE}, {"*a*b", "d", "xaxbx", FALSE}, {"d.t", "d", "t", TRUE},
        {"d.t", "e", "t", FALSE},      {"*.t", "e", "t", TRUE},       {"t\\*", "d", "t*", TRUE},
        {"t\\*", "d", "tt", FALSE},    {"a\\.b", "d", "a.b", TRUE},   {"*", "d", "", TRUE},
        {"\\\\", "d", "\\", TRUE},     {"群*", "d", "群组", TRUE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *texts[] = {cases[i].pattern, NULL};
        g_autoptr(TdPatterns) patterns = NULL;

        g_assert_true(td_patterns_parse(texts, &patterns, NULL));
        g_assert_false(td_patterns_all(patterns));
        g_assert_cmpint(td_patterns_match(patterns, cases[i].database, cases[i].table), ==,
                        cases[i].matches);
        g_assert_cmpstr(td_patterns_unused(patterns), ==,
                        cases[i].matches ? NULL : cases[i].pattern);
    }
}

static void test_parse(void)
{
    static const char *const broken[] = {"", ".t", "d.", "a.b.c"};
    g_autoptr(TdPatterns) all = NULL;

    g_assert_true(td_patterns_parse(NULL, &all, NULL));
    g_assert_true(td_patterns_all(all));
    g_assert_true(td_patterns_match(all, "d", "t"));
    g_assert_null(td_patterns_unused(all));
    for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
        const char *texts[] = {broken[i], NULL};
        g_autoptr(TdPatterns) patterns = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_false(td_patterns_parse(texts, &patterns, &error));
        g_assert_true(error_is(error, ERROR_USAGE));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pattern/match", test_match);
    g_test_add_func("/pattern/parse", test_parse);
    return g_test_run();
}
