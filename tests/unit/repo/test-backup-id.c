/* SPDX-License-Identifier: Apache-2.0
 *
 * Backup ids and source names.
 */
#include "repo/backup-id.h"

#include <string.h>

static void test_make(void)
{
    gint64 when = G_GINT64_CONSTANT(1795312800000000); /* 2026-11-22T02:00:00Z */
    g_autofree char *full = backup_id_make(when, "market", "full");
    g_autofree char *incremental = backup_id_make(when, "a-full", "incremental");

    g_assert_true(g_str_has_prefix(full, "20261122T020000Z-market-full-"));
    g_assert_cmpuint(strlen(full), ==, strlen("20261122T020000Z-market-full-k3f9"));
    g_assert_true(g_str_has_prefix(incremental, "20261122T020000Z-a-full-incr-"));
    g_assert_true(backup_id_valid(full));
    g_assert_true(backup_id_valid(incremental));
}

static void test_valid(void)
{
    static const char *const bad[] = {
        "",
        "20261122T020000Z",
        "20261122T020000Z-market-full-k3f",
        "20261122T020000Z-market-full-k3f91",
        "20261122T020000Z-market-full-K3F9",
        "20261122T020000Z-market-half-k3f9",
        "20261122T020000Z-full-k3f9",
        "20261122T020000Z--full-k3f9",
        "20261122T020000Z-Market-full-k3f9",
        "20261122T020000Z-a/b-full-k3f9",
        "20261122T020000Z--a-full-k3f9",
        "20261322T020000Z-market-full-k3f9",
        "2026-11-22T02:00-market-full-k3f9",
        "20261122T020000-market-full-k3f9x",
        "../122T020000Z00-market-full-k3f9",
    };

    g_assert_true(backup_id_valid("20261122T020000Z-market-full-k3f9"));
    g_assert_true(backup_id_valid("20261122T020000Z-m-incr-aaaa"));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(backup_id_valid(bad[i]));
}

static void test_source_names(void)
{
    g_autofree char *longest = g_strnfill(40, 'a');
    g_autofree char *longer = g_strnfill(41, 'a');

    g_assert_true(source_name_valid("market"));
    g_assert_true(source_name_valid("a-b_2"));
    g_assert_true(source_name_valid(longest));
    g_assert_false(source_name_valid(longer));
    g_assert_false(source_name_valid(""));
    g_assert_false(source_name_valid("-a"));
    g_assert_false(source_name_valid("a-"));
    g_assert_false(source_name_valid("A"));
    g_assert_false(source_name_valid("a.b"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/backup-id/make", test_make);
    g_test_add_func("/repo/backup-id/valid", test_valid);
    g_test_add_func("/repo/backup-id/source-names", test_source_names);
    return g_test_run();
}
