/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashes against published vectors, and pieces against the whole.
 */
#include "codec/hash.h"

#include <string.h>
#include <xxhash.h>

/* FIPS 180-2's examples. */
static const struct {
    const char *text, *hex;
} sha256_vectors[] = {
    {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void assert_digest(const guint8 digest[SHA256_SIZE], const char *expected)
{
    char hex[SHA256_HEX_SIZE];

    sha256_to_hex(digest, hex);
    g_assert_cmpstr(hex, ==, expected);
}

static void test_sha256(void)
{
    g_autoptr(Sha256) hash = sha256_new();
    guint8 digest[SHA256_SIZE];

    for (guint i = 0; i < G_N_ELEMENTS(sha256_vectors); i++) {
        const char *text = sha256_vectors[i].text;
        gsize half = strlen(text) / 2;

        sha256_buffer(text, strlen(text), digest);
        assert_digest(digest, sha256_vectors[i].hex);

        sha256_update(hash, text, half);
        sha256_update(hash, text + half, strlen(text) - half);
        sha256_finish(hash, digest);
        assert_digest(digest, sha256_vectors[i].hex);
        sha256_reset(hash);
    }
    /* A hash that was begun and given up leaves nothing behind. */
    sha256_update(hash, "left over", 9);
    sha256_reset(hash);
    sha256_update(hash, "abc", 3);
    sha256_finish(hash, digest);
    assert_digest(digest, sha256_vectors[1].hex);
    sha256_free(NULL);
}

static void test_hex(void)
{
    const char *lower = sha256_vectors[1].hex;
    g_autofree char *upper = g_ascii_strup(lower, -1);
    g_autofree char *longer = g_strconcat(lower, "0", NULL);
    g_autofree char *wrong = g_strdup(lower);
    guint8 digest[SHA256_SIZE], expected[SHA256_SIZE];

    sha256_buffer("abc", 3, expected);
    g_assert_true(sha256_from_hex(lower, digest));
    g_assert_cmpmem(digest, SHA256_SIZE, expected, SHA256_SIZE);
    memset(digest, 0, sizeof digest);
    g_assert_true(sha256_from_hex(upper, digest));
    g_assert_cmpmem(digest, SHA256_SIZE, expected, SHA256_SIZE);

    g_assert_false(sha256_from_hex("", digest));
    g_assert_false(sha256_from_hex("abc", digest));
    g_assert_false(sha256_from_hex(longer, digest));
    for (guint i = 0; i < SHA256_HEX_SIZE - 1; i++) {
        wrong[i] = 'g';
        g_assert_false(sha256_from_hex(wrong, digest));
        wrong[i] = '\0';
        g_assert_false(sha256_from_hex(wrong, digest));
        wrong[i] = lower[i];
    }
    g_assert_cmpmem(digest, SHA256_SIZE, expected, SHA256_SIZE);
}

static void test_xxh3(void)
{
    Hash128 empty = xxh3_buffer("", 0, 0);
    Hash128 seeded = xxh3_buffer("", 0, 1);

    /* XXH3_128bits of nothing, from the reference implementation's own test table. */
    g_assert_cmphex(empty.low, ==, G_GUINT64_CONSTANT(0x6001c324468d497f));
    g_assert_cmphex(empty.high, ==, G_GUINT64_CONSTANT(0x99aa06d3014798d8));
    g_assert_true(seeded.low != empty.low && seeded.high != empty.high);
}

/* Hashes stand in repositories: whichever vectors the processor has, they must be those of the plain
 * function. */
static void test_xxh3_by_processor(void)
{
    const gsize lengths[] = {1, 16, 17, 128, 129, 240, 241, 1024, 1025, 8192, 131072, 1048576};
    g_autofree guint8 *bytes = g_malloc(1048576 + 1);

    for (gsize i = 0; i <= 1048576; i++)
        bytes[i] = (guint8)(i * 2654435761U >> 24);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        for (guint64 seed = 0; seed < 3; seed++) {
            XXH128_hash_t plain = XXH3_128bits_withSeed(bytes + 1, lengths[i], seed);
            Hash128 hash = xxh3_buffer(bytes + 1, lengths[i], seed);

            g_assert_cmphex(hash.low, ==, plain.low64);
            g_assert_cmphex(hash.high, ==, plain.high64);
        }
    }
}

static void test_crc32c(void)
{
    guint8 bytes[300];
    guint32 whole;

    /* The check value of the Castagnoli polynomial, and RFC 3720's examples. */
    g_assert_cmphex(crc32c(0, "123456789", 9), ==, 0xe3069283);
    g_assert_cmphex(crc32c(0, "", 0), ==, 0);
    memset(bytes, 0, 32);
    g_assert_cmphex(crc32c(0, bytes, 32), ==, 0x8a9136aa);
    memset(bytes, 0xff, 32);
    g_assert_cmphex(crc32c(0, bytes, 32), ==, 0x62a8ab43);

    for (guint i = 0; i < sizeof bytes; i++)
        bytes[i] = (guint8)g_test_rand_int();
    whole = crc32c(0, bytes, sizeof bytes);
    for (guint cut = 0; cut <= sizeof bytes; cut++)
        g_assert_cmphex(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), ==, whole);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/codec/hash/sha256", test_sha256);
    g_test_add_func("/codec/hash/hex", test_hex);
    g_test_add_func("/codec/hash/xxh3", test_xxh3);
    g_test_add_func("/codec/hash/xxh3-by-processor", test_xxh3_by_processor);
    g_test_add_func("/codec/hash/crc32c", test_crc32c);
    return g_test_run();
}
