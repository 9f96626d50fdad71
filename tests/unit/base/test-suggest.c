/* SPDX-License-Identifier: Apache-2.0
 *
 * "Did you mean".
 */
#include "base/suggest.h"

static void test_nearest(void)
{
    static const char *const words[] = {"compression", "conninfo", "data_directory",
                                        "engine",      "jobs",     "rate",
                                        "to",          NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"compresion", "compression"},
        {"comprssino", "compression"},
        {"datadirectory", "data_directory"},
        {"data_driectory", "data_directory"},
        {"engnie", "engine"},
        {"ENGINE", "engine"},
        {"job", "jobs"},
        {"jbos", "jobs"},
        {"rte", "rate"},
        {"rat", "rate"},
        {"", NULL},
        {"xyzzy", NULL},
        {"joseph", NULL},
        {"listen", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpstr(suggest_nearest(cases[i].word, words), ==, cases[i].nearest);
}

static void test_bounds(void)
{
    static const char *const none[] = {NULL};
    g_autofree char *longest = g_strnfill(64, 'a');
    g_autofree char *too_long = g_strnfill(65, 'a');
    const char *const words[] = {too_long, longest, NULL};

    g_assert_null(suggest_nearest("jobs", none));
    g_assert_true(suggest_nearest(longest, words) == longest);
    g_assert_null(suggest_nearest(too_long, words));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/suggest/nearest", test_nearest);
    g_test_add_func("/base/suggest/bounds", test_bounds);
    return g_test_run();
}
