/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "codec/hash.h"

#define REPOSITORY "0b5b4c4e-2b9c-4d57-9d5c-0f1f2a3b4c5d"
#define OTHER      "0b5b4c4e-2b9c-4d57-9d5c-0f1f2a3b4c5e"
#define NAME       "backups/20261122T020000Z-market-full-k3f9/details.json.zst"
#define SMALL      ((guint32)4096)
#define SEALED     (SMALL + SEAL_TAG_SIZE)
#define MANY       ((gsize)100000)

static const guint8 data_key[SEAL_KEY_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8};

static const guint8 *find_key(guint32 generation, gpointer data, GError **error)
{
    if (generation == 7)
        return data_key;
    error_set(error, ERROR_CONFIG, "no key of generation %u", generation);
    return NULL;
}

static const SealScope scope = {SEAL_BACKUP, REPOSITORY, NAME, find_key, NULL};

static gboolean collect(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_byte_array_append(data, bytes, (guint)length);
    return TRUE;
}

static GByteArray *make_plain(gsize length)
{
    GByteArray *plain = g_byte_array_new();

    g_byte_array_set_size(plain, (guint)length);
    for (gsize i = 0; i < length; i++)
        plain->data[i] = (guint8)(i * 7 + i / 251);
    return plain;
}

/* Written in pieces of `piece` bytes. */
static GByteArray *seal(const SealHeader *header, const GByteArray *plain, gsize piece)
{
    GByteArray *stored = g_byte_array_new();
    g_autoptr(SealWriter) writer = seal_writer_new(header, data_key, NAME, collect, stored);

    for (gsize at = 0; at < plain->len; at += piece)
        g_assert_true(
            seal_writer_write(writer, plain->data + at, MIN(piece, plain->len - at), NULL));
    g_assert_true(seal_writer_finish(writer, NULL));
    return stored;
}

static GByteArray *seal_small(gsize length)
{
    g_autoptr(GByteArray) plain = make_plain(length);
    SealHeader header;

    seal_header_init(&header, SEAL_BACKUP, 7, REPOSITORY);
    header.segment_size = SMALL;
    return seal(&header, plain, 1000);
}

static gboolean unseal(const SealScope *expected, const guint8 *stored, gsize length, gsize piece,
                       GByteArray *plain, GError **error)
{
    g_autoptr(SealReader) reader = seal_reader_new(expected, collect, plain);

    for (gsize at = 0; at < length; at += piece) {
        if (!seal_reader_write(reader, stored + at, MIN(piece, length - at), error))
            return FALSE;
    }
    return seal_reader_finish(reader, error);
}

static void assert_refused(const SealScope *expected, const GByteArray *stored, ErrorCode code)
{
    g_autoptr(GByteArray) plain = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(unseal(expected, stored->data, stored->len, 777, plain, &error));
    g_assert_true(error_is(error, code));
}

static void test_round_trip(void)
{
    const gsize sizes[] = {0, 1, 65535, 65536, 65537, 131072, 131073, 1000000};
    const gsize pieces[] = {1000, 65536, 65552, 2000000};

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GByteArray) plain = make_plain(sizes[i]);

        for (guint j = 0; j < G_N_ELEMENTS(pieces); j++) {
            g_autoptr(GByteArray) again = g_byte_array_new();
            g_autoptr(GByteArray) stored = NULL;
            g_autoptr(GError) error = NULL;
            SealHeader header;

            seal_header_init(&header, SEAL_BACKUP, 7, REPOSITORY);
            stored = seal(&header, plain, pieces[j]);
            g_assert_cmpuint(stored->len, ==, seal_stored_size(plain->len));
            unseal(&scope, stored->data, stored->len, pieces[j], again, &error);
            g_assert_no_error(error);
            g_assert_cmpmem(plain->data, plain->len, again->data, again->len);
        }
    }
}

/* At each edge of a segment, and around it. */
static void test_truncation(void)
{
    g_autoptr(GByteArray) stored = seal_small(4 * SMALL);

    for (gsize edge = 0; edge <= 4; edge++) {
        for (int off = -17; off <= 17; off++) {
            gint64 length = (gint64)(SEAL_HEADER_SIZE + edge * SEALED) + off;
            g_autoptr(GByteArray) cut = g_byte_array_new();

            if (length >= stored->len)
                continue;
            g_byte_array_append(cut, stored->data, (guint)length);
            assert_refused(&scope, cut, ERROR_DAMAGED);
        }
    }
    g_byte_array_append(stored, (const guint8 *)"", 1);
    assert_refused(&scope, stored, ERROR_DAMAGED);
}

static void swap_bytes(guint8 *one, guint8 *other, gsize length)
{
    g_autofree guint8 *kept = g_memdup2(one, length);

    memcpy(one, other, length);
    memcpy(other, kept, length);
}

static void test_swapped_segments(void)
{
    g_autoptr(GByteArray) stored = seal_small(4 * SMALL);
    g_autoptr(GByteArray) other = seal_small(4 * SMALL);
    guint8 *segments = stored->data + SEAL_HEADER_SIZE;

    /* Within an object: two in the middle, then the last one to the front. */
    swap_bytes(segments + SEALED, segments + 2 * SEALED, SEALED);
    assert_refused(&scope, stored, ERROR_DAMAGED);
    swap_bytes(segments + SEALED, segments + 2 * SEALED, SEALED);
    swap_bytes(segments, segments + 3 * SEALED, SEALED);
    assert_refused(&scope, stored, ERROR_DAMAGED);
    swap_bytes(segments, segments + 3 * SEALED, SEALED);
    /* The same place of another object, which holds the same plain bytes. */
    swap_bytes(segments + SEALED, other->data + SEAL_HEADER_SIZE + SEALED, SEALED);
    assert_refused(&scope, stored, ERROR_DAMAGED);
    assert_refused(&scope, other, ERROR_DAMAGED);
}

/* The object itself is whole, and not where it belongs. */
static void test_swapped_objects(void)
{
    g_autoptr(GByteArray) stored = seal_small(100);
    SealScope wrong = scope;

    wrong.name = "backups/20261122T020000Z-market-full-k3f9/details-tables.jsonl.zst";
    assert_refused(&wrong, stored, ERROR_DAMAGED);
    wrong = scope;
    wrong.role = SEAL_POOL;
    assert_refused(&wrong, stored, ERROR_DAMAGED);
    wrong = scope;
    wrong.repository = OTHER;
    assert_refused(&wrong, stored, ERROR_DAMAGED);
}

/* Every byte counts: those of the header (where a flip makes another generation there is no key for
 * it), and those of salt, segments and tags. */
static void test_flipped_bits(void)
{
    g_autoptr(GByteArray) stored = seal_small(SMALL + 10);

    for (guint i = 0; i < stored->len; i++) {
        g_autoptr(GByteArray) plain = g_byte_array_new();
        g_autoptr(GError) error = NULL;

        if (i > 2 * SEAL_HEADER_SIZE && i < SEAL_HEADER_SIZE + SMALL - 10)
            i += 50;
        stored->data[i] ^= (guint8)(1 << (i % 8));
        g_assert_false(unseal(&scope, stored->data, stored->len, 100000, plain, &error));
        g_assert_nonnull(error);
        stored->data[i] ^= (guint8)(1 << (i % 8));
    }
    /* A header of another version is no damage. */
    stored->data[8] = 2;
    assert_refused(&scope, stored, ERROR_NEWER_FORMAT);
    stored->data[8] = 1;
    stored->data[20] = 9;
    assert_refused(&scope, stored, ERROR_CONFIG);
}

/* An empty segment behind a full one would be a second way to write the same object. */
static void test_one_form(void)
{
    SealHeader header;
    g_autoptr(SealCipher) cipher = NULL;
    g_autoptr(GByteArray) plain = make_plain(SMALL);
    g_autoptr(GByteArray) stored = g_byte_array_new();

    seal_header_init(&header, SEAL_BACKUP, 7, REPOSITORY);
    header.segment_size = SMALL;
    cipher = seal_cipher_new(&header, data_key, NAME);
    g_byte_array_set_size(stored, SEAL_HEADER_SIZE + SEALED + SEAL_TAG_SIZE);
    seal_header_write(&header, stored->data);
    seal_cipher_seal(cipher, 0, FALSE, plain->data, SMALL, stored->data + SEAL_HEADER_SIZE);
    seal_cipher_seal(cipher, 1, TRUE, plain->data, 0, stored->data + SEAL_HEADER_SIZE + SEALED);
    assert_refused(&scope, stored, ERROR_DAMAGED);
}

/* A key stream shows in what is stored of zeros: it never comes twice, neither in the segments of
 * an object nor in two objects. */
static void test_nonces_unique(void)
{
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    g_autoptr(GByteArray) plain = g_byte_array_new();

    g_byte_array_set_size(plain, 16 * SMALL);
    memset(plain->data, 0, plain->len);
    for (guint i = 0; i < 200; i++) {
        g_autoptr(GByteArray) stored = NULL;
        SealHeader header;

        seal_header_init(&header, SEAL_BACKUP, 7, REPOSITORY);
        header.segment_size = SMALL;
        stored = seal(&header, plain, plain->len);
        for (guint at = SEAL_HEADER_SIZE; at + 16 <= stored->len; at += SEALED)
            g_assert_true(g_hash_table_add(seen, g_bytes_new(stored->data + at, 16)));
        g_assert_true(g_hash_table_add(seen, g_bytes_new(header.salt, sizeof header.salt)));
    }
}

typedef struct {
    guint8 object[SEAL_ID_SIZE], salt[SEAL_SALT_SIZE];
} Drawn;

static int compare_drawn(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(Drawn));
}

/* An object's key follows from its header: no two of so many objects draw the same, neither id and
 * salt together nor one of them. */
static void test_keys_unique(void)
{
    g_autofree Drawn *drawn = g_new0(Drawn, MANY);

    for (gsize i = 0; i < MANY; i++) {
        SealHeader header;

        seal_header_init(&header, SEAL_BACKUP, 7, REPOSITORY);
        memcpy(drawn[i].object, header.object, SEAL_ID_SIZE);
        memcpy(drawn[i].salt, header.salt, SEAL_SALT_SIZE);
    }
    for (guint turn = 0; turn < 2; turn++) {
        qsort(drawn, MANY, sizeof(Drawn), compare_drawn);
        for (gsize i = 1; i < MANY; i++)
            g_assert_cmpint(memcmp(drawn[i - 1].object, drawn[i].object, SEAL_ID_SIZE), !=, 0);
        /* The second turn compares salts, of which the beginning is as long as an id. */
        for (gsize i = 0; i < MANY; i++)
            memcpy(drawn[i].object, drawn[i].salt, SEAL_ID_SIZE);
    }
}

static void test_many_objects(void)
{
    g_autoptr(GByteArray) plain = make_plain(100);
    gsize count = g_test_thorough() ? MANY : 2000;

    for (gsize i = 0; i < count; i++) {
        g_autoptr(GByteArray) stored = NULL;
        g_autoptr(GByteArray) again = g_byte_array_new();
        SealHeader header;

        seal_header_init(&header, SEAL_BACKUP, 7, REPOSITORY);
        stored = seal(&header, plain, 100);
        g_assert_true(unseal(&scope, stored->data, stored->len, stored->len, again, NULL));
        g_assert_cmpmem(plain->data, plain->len, again->data, again->len);
    }
}

/* RFC 5869, test case 1, of which 32 bytes are ours; RFC 7914, section 12. */
static void test_derivations(void)
{
    static const guint8 secret[22] = {11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11,
                                      11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11};
    static const guint8 salt[13] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const guint8 info[10] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9};
    const ScryptCost cost = {1024, 8, 16};
    const ScryptCost huge = {G_GUINT64_CONSTANT(1) << 40, 8, 1};
    const ScryptCost odd = {1000, 8, 1};
    g_autoptr(GError) error = NULL;
    guint8 key[SEAL_KEY_SIZE];
    char hex[SHA256_HEX_SIZE];

    seal_derive(secret, sizeof secret, salt, sizeof salt, info, sizeof info, key);
    sha256_to_hex(key, hex);
    g_assert_cmpstr(hex, ==, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    g_assert_true(seal_scrypt("password", 8, "NaCl", 4, &cost, key, NULL));
    sha256_to_hex(key, hex);
    g_assert_cmpstr(hex, ==, "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162");
    g_assert_false(seal_scrypt("password", 8, "NaCl", 4, &huge, key, &error));
    g_assert_true(error_is(error, ERROR_LIMIT));
    g_assert_false(seal_scrypt("password", 8, "NaCl", 4, &odd, key, NULL));
}

static void test_wrapping(void)
{
    guint8 wrapped[SEAL_WRAPPED_SIZE];
    guint8 other[SEAL_KEY_SIZE] = {9};
    guint8 key[SEAL_KEY_SIZE] = {0};

    seal_wrap(other, "slot a", data_key, wrapped);
    g_assert_true(seal_unwrap(other, "slot a", wrapped, key));
    g_assert_cmpmem(key, SEAL_KEY_SIZE, data_key, SEAL_KEY_SIZE);
    g_assert_false(seal_unwrap(other, "slot b", wrapped, key));
    g_assert_false(seal_unwrap(data_key, "slot a", wrapped, key));
    for (guint i = 0; i < sizeof wrapped; i++) {
        wrapped[i] ^= 0x10;
        g_assert_false(seal_unwrap(other, "slot a", wrapped, key));
        wrapped[i] ^= 0x10;
    }
}

/* --- test vectors, made by tests/system/unseal.py --------------------------------------------- */

static json_t *load_golden(const char *name)
{
    g_autofree char *path = g_build_filename(GOLDEN, "seal", name, NULL);
    g_autofree char *text = NULL;
    gsize length;

    g_assert_true(file_read(path, 1 << 20, &text, &length, NULL));
    return json_read_object(text, length, name, NULL);
}

static const guint8 *vector_key(guint32 generation, gpointer data, GError **error)
{
    g_assert_cmpuint(generation, ==, 7);
    return data;
}

/* Another implementation's bytes: they open, and sealing the same again gives the same. */
static void test_vectors(void)
{
    g_autoptr(json_t) document = load_golden("vectors.json");
    json_t *objects = json_object_get(document, "objects");
    guint8 key[SEAL_KEY_SIZE];
    json_t *vector;
    gsize i;

    g_assert_true(sha256_from_hex(json_get_string(document, "data_key", ""), key));
    g_assert_cmpuint(json_array_size(objects), ==, 6);
    json_array_foreach(objects, i, vector)
    {
        const char *name = json_get_string(vector, "name", "");
        SealScope vectors = {.role = (SealRole)json_get_uint(vector, "role", 0),
                             .repository = REPOSITORY,
                             .name = g_str_has_prefix(name, "pool/") ? "" : name,
                             .find_key = vector_key,
                             .data = key};
        g_autofree char *path =
            g_build_filename(GOLDEN, "seal", json_get_string(vector, "file", ""), NULL);
        g_autoptr(GByteArray) plain = make_plain(json_get_uint(vector, "plain_length", 0));
        g_autoptr(GByteArray) opened = g_byte_array_new();
        g_autoptr(GByteArray) again = g_byte_array_new();
        g_autoptr(SealWriter) writer = NULL;
        g_autofree char *stored = NULL;
        g_autoptr(GError) error = NULL;
        SealHeader header;
        gsize length;

        g_assert_true(file_read(path, 1 << 20, &stored, &length, &error));
        unseal(&vectors, (const guint8 *)stored, length, 5000, opened, &error);
        g_assert_no_error(error);
        g_assert_cmpmem(plain->data, plain->len, opened->data, opened->len);
        g_assert_true(seal_header_read((const guint8 *)stored, length, &header, NULL));
        writer = seal_writer_new(&header, key, vectors.name, collect, again);
        g_assert_true(seal_writer_write(writer, plain->data, plain->len, NULL));
        g_assert_true(seal_writer_finish(writer, NULL));
        g_assert_cmpmem(again->data, again->len, stored, length);
    }
}

static void test_sizes(void)
{
    guint64 plain;

    for (guint64 size = 0; size < 5 * SEAL_SEGMENT_SIZE; size += 4095) {
        g_assert_true(seal_plain_size(seal_stored_size(size), SEAL_SEGMENT_SIZE, &plain));
        g_assert_cmpuint(plain, ==, size);
    }
    g_assert_false(seal_plain_size(SEAL_HEADER_SIZE + SEAL_TAG_SIZE - 1, SMALL, &plain));
    g_assert_false(seal_plain_size(SEAL_HEADER_SIZE + SEALED + SEAL_TAG_SIZE, SMALL, &plain));
    g_assert_false(seal_plain_size(SEAL_HEADER_SIZE + SEALED + 3, SMALL, &plain));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/seal/round-trip", test_round_trip);
    g_test_add_func("/seal/truncation", test_truncation);
    g_test_add_func("/seal/swapped-segments", test_swapped_segments);
    g_test_add_func("/seal/swapped-objects", test_swapped_objects);
    g_test_add_func("/seal/flipped-bits", test_flipped_bits);
    g_test_add_func("/seal/one-form", test_one_form);
    g_test_add_func("/seal/nonces-unique", test_nonces_unique);
    g_test_add_func("/seal/keys-unique", test_keys_unique);
    g_test_add_func("/seal/many-objects", test_many_objects);
    g_test_add_func("/seal/derivations", test_derivations);
    g_test_add_func("/seal/wrapping", test_wrapping);
    g_test_add_func("/seal/vectors", test_vectors);
    g_test_add_func("/seal/sizes", test_sizes);
    return g_test_run();
}
