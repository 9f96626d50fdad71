/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA256SUMS, written, read and refused.
 */
#include "repo/checksums.h"

#include <string.h>

#include "base/error.h"

#define HEX "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define END "# end 1 objects\n"

static void test_round_trip(void)
{
    g_autoptr(Checksums) sums = checksums_new();
    g_autoptr(Checksums) again = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    guint8 digest[SHA256_SIZE], other[SHA256_SIZE] = {1};
    gsize length;

    sha256_buffer("hello", 5, digest);
    checksums_add(sums, "manifest.json", digest);
    checksums_add(sums, "data/a", other);
    checksums_add(sums, "data/a", digest);
    checksums_add(sums, "../../pool/2c/" HEX, digest);
    text = checksums_write(sums, &length);
    g_assert_cmpstr(text, ==,
                    HEX "  ../../pool/2c/" HEX "\n" HEX "  data/a\n" HEX "  manifest.json\n"
                        "# end 3 objects\n");
    g_assert_cmpuint(length, ==, strlen(text));
    again = checksums_read(text, length, "sums", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(checksums_count(again), ==, 3);
    g_assert_cmpstr(checksums_entry(again, 1)->path, ==, "data/a");
    g_assert_cmpmem(checksums_find(again, "manifest.json")->digest, SHA256_SIZE, digest,
                    SHA256_SIZE);
    g_assert_null(checksums_find(again, "data/b"));
}

static void test_empty(void)
{
    g_autoptr(Checksums) sums = checksums_new();
    g_autoptr(Checksums) again = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;

    text = checksums_write(sums, &length);
    again = checksums_read(text, length, "sums", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(checksums_count(again), ==, 0);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "",
        "\n",
        HEX "  a\n",
        HEX "  a",
        HEX "  a\n# end 1 objects",
        HEX "  a\n# end 2 objects\n",
        HEX "  a\n# end 01 objects\n",
        HEX "  a\n# end 1 objects\n\n",
        HEX "  a\n# end 1 objects\n" HEX "  b\n",
        HEX "  a\n# a comment\n" END,
        HEX "  a\n" HEX "  a\n# end 2 objects\n",
        HEX " *a\n" END,
        HEX " a\n" END,
        HEX "\n" END,
        HEX "  \n" END,
        "x" HEX "  a\n" END,
        HEX "  /a\n" END,
        HEX "  ../a\n" END,
        HEX "  a/../b\n" END,
        HEX "  ../../a\n" END,
        HEX "  ../../pool\n" END,
        HEX "  ../../pool/\n" END,
        HEX "  ../../pool/../keys/a\n" END,
        HEX "  ../../../../etc/passwd\n" END,
        HEX "  SHA256SUMS\n" END,
        HEX "  a\r\n" END,
        "g" HEX "  a\n" END,
    };
    static const char with_nul[] = HEX "  a\0b\n" END;

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(checksums_read(bad[i], strlen(bad[i]), "sums", &error));
        g_assert_true(error_is(error, ERROR_DAMAGED));
    }
    g_assert_null(checksums_read(with_nul, sizeof with_nul - 1, "sums", NULL));
}

/* However the list is cut, it is noticed. */
static void test_cut(void)
{
    static const char text[] = HEX "  a\n" HEX "  ../../wal/m/1/2/3/4\n# end 2 objects\n";
    g_autoptr(Checksums) whole = checksums_read(text, strlen(text), "sums", NULL);

    g_assert_nonnull(whole);
    for (gsize length = 0; length < strlen(text); length++)
        g_assert_null(checksums_read(text, length, "sums", NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/checksums/round-trip", test_round_trip);
    g_test_add_func("/repo/checksums/empty", test_empty);
    g_test_add_func("/repo/checksums/refused", test_refused);
    g_test_add_func("/repo/checksums/cut", test_cut);
    return g_test_run();
}
