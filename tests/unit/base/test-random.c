/* SPDX-License-Identifier: Apache-2.0
 *
 * Random bytes and names.
 */
#include "base/random.h"

#include <string.h>

static void count_up(void *buffer, gsize length, gpointer data)
{
    guint8 *next = data;

    for (gsize i = 0; i < length; i++)
        ((guint8 *)buffer)[i] = (*next)++;
}

static void test_source(void)
{
    guint8 next = 254;
    guint8 bytes[4];
    g_autofree char *name = NULL;

    random_set_source(count_up, &next);
    random_fill(bytes, sizeof bytes);
    g_assert_cmpmem(bytes, sizeof bytes, "\xfe\xff\x00\x01", 4);
    next = 0;
    name = random_name(34);
    random_set_source(NULL, NULL);
    g_assert_cmpstr(name, ==, "abcdefghijklmnopqrstuvwxyz234567ab");
}

/* The kernel's bytes: each value comes, and no two names are the same. */
static void test_real(void)
{
    g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint8 bytes[20000];
    gboolean seen[256] = {FALSE};

    memset(bytes, 0, sizeof bytes);
    random_fill(bytes, sizeof bytes);
    for (guint i = 0; i < sizeof bytes; i++)
        seen[bytes[i]] = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(seen); i++)
        g_assert_true(seen[i]);
    for (guint i = 0; i < 1000; i++) {
        char *name = random_name(16);

        g_assert_cmpuint(strspn(name, "abcdefghijklmnopqrstuvwxyz234567"), ==, 16);
        g_assert_cmpuint(strlen(name), ==, 16);
        g_assert_true(g_hash_table_add(names, name));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/random/source", test_source);
    g_test_add_func("/base/random/real", test_real);
    return g_test_run();
}
