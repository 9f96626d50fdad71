/* SPDX-License-Identifier: Apache-2.0
 *
 * Two hashes in step, against OpenSSL's one.
 */
#include "codec/hash-pair.h"

#include <string.h>

#define SIZE 5000

typedef Sha256Pair *(*Maker)(void);

/* Hashes two messages in pieces of random lengths and compares. */
static void compare(Sha256Pair *pair, const guint8 *const messages[SHA256_STREAMS],
                    const gsize lengths[SHA256_STREAMS], gsize most)
{
    gsize done[SHA256_STREAMS] = {0, 0};
    guint8 expected[SHA256_SIZE], found[SHA256_SIZE];

    while (done[0] < lengths[0] || done[1] < lengths[1]) {
        const void *bytes[SHA256_STREAMS];
        gsize pieces[SHA256_STREAMS];

        for (guint i = 0; i < SHA256_STREAMS; i++) {
            gsize piece = (gsize)g_test_rand_int_range(0, (gint32)most + 1);

            pieces[i] = MIN(piece, lengths[i] - done[i]);
            bytes[i] = pieces[i] > 0 ? messages[i] + done[i] : NULL;
            done[i] += pieces[i];
        }
        sha256_pair_update(pair, bytes, pieces);
    }
    for (guint i = 0; i < SHA256_STREAMS; i++) {
        sha256_buffer(messages[i], lengths[i], expected);
        sha256_pair_finish(pair, i, found);
        g_assert_cmpmem(found, SHA256_SIZE, expected, SHA256_SIZE);
    }
}

static void test_random(gconstpointer data)
{
    Maker make = *(const Maker *)data;
    g_autoptr(Sha256Pair) pair = make();
    g_autofree guint8 *first = g_malloc(SIZE), *second = g_malloc(SIZE);
    const guint8 *const messages[SHA256_STREAMS] = {first, second};

    for (gsize i = 0; i < SIZE; i++) {
        first[i] = (guint8)g_test_rand_int();
        second[i] = (guint8)g_test_rand_int();
    }
    /* Every length about the ends of blocks, where the padding takes one or two of them. */
    for (gsize length = 0; length <= 200; length++) {
        compare(pair, messages, (gsize[]){length, 200 - length}, SIZE);
        compare(pair, messages, (gsize[]){length, length}, 70);
    }
    for (guint turn = 0; turn < 200; turn++) {
        gsize lengths[SHA256_STREAMS] = {(gsize)g_test_rand_int_range(0, SIZE),
                                         (gsize)g_test_rand_int_range(0, SIZE)};

        compare(pair, messages, lengths, (gsize)g_test_rand_int_range(1, 1000));
    }
}

/* One stream ends and begins anew while the other goes on. */
static void test_one_ends(gconstpointer data)
{
    Maker make = *(const Maker *)data;
    g_autoptr(Sha256Pair) pair = make();
    guint8 digest[SHA256_SIZE], expected[SHA256_SIZE], both[300];

    memset(both, 'x', sizeof both);
    sha256_pair_update(pair, (const void *[]){both, "abc"}, (gsize[]){100, 3});
    sha256_pair_finish(pair, 1, digest);
    sha256_buffer("abc", 3, expected);
    g_assert_cmpmem(digest, SHA256_SIZE, expected, SHA256_SIZE);
    sha256_pair_update(pair, (const void *[]){both + 100, both}, (gsize[]){200, 130});
    sha256_pair_finish(pair, 0, digest);
    sha256_buffer(both, 300, expected);
    g_assert_cmpmem(digest, SHA256_SIZE, expected, SHA256_SIZE);
    sha256_pair_finish(pair, 1, digest);
    sha256_buffer(both, 130, expected);
    g_assert_cmpmem(digest, SHA256_SIZE, expected, SHA256_SIZE);
    sha256_pair_free(NULL);
}

int main(int argc, char **argv)
{
    static const Maker makers[] = {sha256_pair_new, sha256_pair_new_portable};

    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/hash-pair/random/processor", &makers[0], test_random);
    g_test_add_data_func("/hash-pair/random/portable", &makers[1], test_random);
    g_test_add_data_func("/hash-pair/one-ends/processor", &makers[0], test_one_ends);
    g_test_add_data_func("/hash-pair/one-ends/portable", &makers[1], test_one_ends);
    return g_test_run();
}
