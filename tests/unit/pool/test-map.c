/* SPDX-License-Identifier: Apache-2.0
 *
 * Tests of the pool's formats: pack headers, maps, index lines. What is not as it was written is
 * refused, whatever it is.
 */
#include "pool-fixture.h"

#include "base/error.h"
#include "pool/private.h"

#define KIB 1024
#define MIB (1024 * 1024)

static void test_sizes(void)
{
    g_assert_cmpuint(pool_extent_size(0), ==, 128 * KIB);
    g_assert_cmpuint(pool_extent_size(32 * MIB), ==, 128 * KIB);
    g_assert_cmpuint(pool_extent_size(G_GUINT64_CONSTANT(1) << 30), ==, MIB);
    g_assert_cmpuint(pool_extent_size(G_MAXUINT64), ==, MIB);
    g_assert_cmpuint(pool_extent_count(0, MIB), ==, 0);
    g_assert_cmpuint(pool_extent_count(1, MIB), ==, 1);
    g_assert_cmpuint(pool_extent_count(MIB, MIB), ==, 1);
    g_assert_cmpuint(pool_extent_count(MIB + 1, MIB), ==, 2);
    g_assert_cmpuint(pool_extent_plain(MIB + 1, MIB, 1), ==, 1);
    g_assert_false(pool_extent_size_valid(0));
    g_assert_false(pool_extent_size_valid(3 * 128 * KIB));
    g_assert_false(pool_extent_size_valid(2 * MIB));
}

static void test_names(void)
{
    guint8 digest[SHA256_SIZE], again[SHA256_SIZE];
    g_autofree char *name = NULL;

    sha256_buffer("x", 1, digest);
    name = pool_object_name(digest);
    g_assert_true(g_str_has_prefix(name, "pool/2d/2d711642"));
    g_assert_true(pool_object_digest(name, again));
    g_assert_cmpmem(digest, SHA256_SIZE, again, SHA256_SIZE);
    name[5] = '3';
    g_assert_false(pool_object_digest(name, again));
    g_assert_false(pool_object_digest("pool/2d", again));
    g_assert_false(pool_object_digest("", again));
}

static void test_pack_header(void)
{
    PackHeader header = {.number = 77}, again;
    guint8 bytes[PACK_HEADER_SIZE];
    g_autoptr(GError) error = NULL;

    g_strlcpy(header.backup_id, "20261122T020000Z-market-full-aaaa", PACK_ID_SIZE);
    pack_header_write(&header, bytes);
    g_assert_true(pack_header_read(bytes, sizeof bytes, "pack", &again, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(again.number, ==, 77);
    g_assert_cmpstr(again.backup_id, ==, header.backup_id);

    g_assert_false(pack_header_read(bytes, sizeof bytes - 1, "pack", &again, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_clear_error(&error);
    bytes[8] = 2;
    g_assert_false(pack_header_read(bytes, sizeof bytes, "pack", &again, &error));
    g_assert_true(error_is(error, ERROR_NEWER_FORMAT));
    g_clear_error(&error);
    bytes[8] = 1;
    memset(bytes + 32, 'x', PACK_ID_SIZE);
    g_assert_false(pack_header_read(bytes, sizeof bytes, "pack", &again, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

/* Two packs, three extents, the last one short and one of zeros. */
static guint8 *make_map(gsize *ret_length)
{
    static guint8 digests[2 * SHA256_SIZE];
    PoolExtent extents[] = {
        {.pack = 0, .offset = 128, .length = 1000, .hash = {1, 2}},
        {.pack = 0, .offset = 0, .length = 0, .hash = {3, 4}},
        {.pack = 1, .offset = 5000, .length = 7, .hash = {5, G_MAXUINT64}},
    };
    PoolMap map = {.size = 2 * 128 * KIB + 7,
                   .extent_size = 128 * KIB,
                   .pack_count = 2,
                   .digests = digests,
                   .extent_count = 3,
                   .extents = extents};

    sha256_buffer("a", 1, digests);
    return pool_map_write(&map, TEST_KEY, ret_length);
}

static gboolean map_reads(const guint8 *bytes, gsize length, guint64 key, ErrorCode code)
{
    g_autoptr(GError) error = NULL;
    PoolMap map;

    if (!pool_map_read(bytes, length, key, "map", &map, &error)) {
        g_assert_true(error_is(error, code));
        return FALSE;
    }
    g_free(map.extents);
    return TRUE;
}

static void test_map(void)
{
    gsize length;
    g_autofree guint8 *bytes = make_map(&length);
    g_autoptr(GError) error = NULL;
    PoolMap map;

    g_assert_cmpuint(length, ==, pool_map_length(2, 3));
    g_assert_true(pool_map_read(bytes, length, TEST_KEY, "map", &map, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(map.size, ==, 2 * 128 * KIB + 7);
    g_assert_cmpuint(map.pack_count, ==, 2);
    g_assert_cmpuint(map.extent_count, ==, 3);
    g_assert_cmpuint(map.extents[0].offset, ==, 128);
    g_assert_cmpuint(map.extents[2].pack, ==, 1);
    g_assert_cmpuint(map.extents[2].hash.high, ==, G_MAXUINT64);
    g_free(map.extents);
    g_assert_false(map_reads(bytes, length, TEST_KEY + 1, ERROR_DAMAGED));
}

/* Each single bit, and each length. */
static void test_map_damaged(void)
{
    gsize length;
    g_autofree guint8 *bytes = make_map(&length);

    for (gsize i = 0; i < length * 8; i++) {
        ErrorCode code = i / 8 >= 8 && i / 8 < 12 ? ERROR_NEWER_FORMAT : ERROR_DAMAGED;

        bytes[i / 8] ^= (guint8)(1u << i % 8);
        /* Version 1 without its one bit is 0, which is not newer. */
        if (i == 64)
            code = ERROR_DAMAGED;
        g_assert_false(map_reads(bytes, length, TEST_KEY, code));
        bytes[i / 8] ^= (guint8)(1u << i % 8);
    }
    for (gsize i = 0; i < length; i++)
        g_assert_false(map_reads(bytes, i, TEST_KEY, ERROR_DAMAGED));
    g_assert_true(map_reads(bytes, length, TEST_KEY, ERROR_DAMAGED));
}

/* Numbers that cannot be, under a hash that is right: no trust in the writer either. */
static void test_map_impossible(void)
{
    static const struct {
        gsize offset;
        guint32 value;
    } wrongs[] = {
        {8, 0},                           /* version */
        {12, 1000},                       /* extent size */
        {16, 2 * 128 * KIB},              /* size: two extents */
        {20, 1u << 31},                   /* size: beyond all limits */
        {24, 1},                          /* packs */
        {24, G_MAXUINT32},                /* packs */
        {28, 4},                          /* extents */
        {32 + 2 * 32, 2},                 /* the first extent's pack */
        {32 + 2 * 32 + 8, 128 * KIB + 1}, /* its length */
        {32 + 2 * 32 + 2 * 28 + 8, 8},    /* the short extent's length */
    };

    for (gsize i = 0; i < G_N_ELEMENTS(wrongs); i++) {
        gsize length;
        g_autofree guint8 *bytes = make_map(&length);
        guint32 value = GUINT32_TO_LE(wrongs[i].value);
        Hash128 hash;
        guint64 low, high;

        memcpy(bytes + wrongs[i].offset, &value, sizeof value);
        hash = xxh3_buffer(bytes, length - 16, TEST_KEY);
        low = GUINT64_TO_LE(hash.low);
        high = GUINT64_TO_LE(hash.high);
        memcpy(bytes + length - 16, &low, 8);
        memcpy(bytes + length - 8, &high, 8);
        g_assert_false(map_reads(bytes, length, TEST_KEY, ERROR_DAMAGED));
    }
}

/* --- Index lines ------------------------------------------------------------------------------ */

#define HASH "\"00000000000000010000000000000002\""

static PoolReader *make_reader(Repository *repository)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) packs =
        json_loads("[{\"sha256\": \"2d711642b726b04401627ca9fbac32f5c8530fb1903"
                   "cc4db02258717921a4881\", \"size\": 100000, \"alive\": "
                   "90000}, {\"sha256\": \"18ac3e7343f016890c510e93f935261169d"
                   "9e3f565436429830faf0934f4f8e4\", \"size\": 100000, "
                   "\"alive\": 0}]",
                   0, NULL);
    PoolReader *reader = pool_reader_new(repository, packs, TEST_KEY, &error);

    g_assert_no_error(error);
    return reader;
}

static gboolean line_reads(PoolReader *reader, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) json = json_loads(text, 0, NULL);
    PoolFile file;

    g_assert_nonnull(json);
    if (!pool_file_from_json(reader, json, &file, &error)) {
        g_assert_true(error_is(error, ERROR_DAMAGED) || error_is(error, ERROR_FORMAT));
        return FALSE;
    }
    pool_file_clear(&file);
    return TRUE;
}

static void test_index(void)
{
    static const char *const good[] = {
        "{\"size\": 0, \"extent_size\": 131072, \"extents\": []}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 128, 9, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 0, 0, " HASH "]]}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [0, 128, 304], \"uses\": [[0, "
        "304]]}",
    };
    static const char *const bad[] = {
        "{}",
        "{\"size\": 9, \"extent_size\": 131072}",
        "{\"size\": -9, \"extent_size\": 131072, \"extents\": []}",
        "{\"size\": 9, \"extent_size\": 131073, \"extents\": [[0, 128, 9, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": []}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 128, 10, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 127, 9, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 99992, 9, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[1, 128, 9, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[2, 128, 9, " HASH "]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 128, 9, \"01\"]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [[0, 128, 9]]}",
        "{\"size\": 9, \"extent_size\": 131072, \"extents\": [7]}",
        "{\"size\": 9000000000000000, \"extent_size\": 131072, \"extents\": []}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [0, 128, 271], \"uses\": [[0, 9]]}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [0, 128, 9999], \"uses\": [[0, 9]]}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [3, 128, 304], \"uses\": [[0, 9]]}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [0, 128, 304], \"uses\": []}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [0, 128, 304], \"uses\": [[2, 9]]}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": [0, 128, 304]}",
        "{\"size\": 1000000, \"extent_size\": 131072, \"map\": 5, \"uses\": [[0, 9]]}",
    };
    g_autoptr(Store) store = store_new_memory();
    g_autoptr(GError) error = NULL;
    g_autoptr(Repository) repository = repository_create(store, COMPRESS_DEFAULT, &error);
    g_autoptr(PoolReader) reader = make_reader(repository);

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(line_reads(reader, good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(line_reads(reader, bad[i]));
}

static void test_pack_table(void)
{
    static const char *const bad[] = {
        "{}",
        "[5]",
        "[{\"sha256\": \"2d71\", \"size\": 1, \"alive\": 1}]",
        "[{\"sha256\": \"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"}]",
        "[{\"sha256\": \"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\","
        " \"size\": 5, \"alive\": 6}]",
        "[{\"sha256\": \"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\","
        " \"size\": 999999999999, \"alive\": 6}]",
    };
    g_autoptr(Store) store = store_new_memory();
    g_autoptr(GError) error = NULL;
    g_autoptr(Repository) repository = repository_create(store, COMPRESS_DEFAULT, &error);

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(json_t) packs = json_loads(bad[i], 0, NULL);

        g_assert_null(pool_reader_new(repository, packs, TEST_KEY, &error));
        g_assert_true(error_is(error, ERROR_FORMAT));
        g_clear_error(&error);
    }
    g_assert_null(pool_reader_new(repository, NULL, TEST_KEY, &error));
    g_assert_true(error_is(error, ERROR_FORMAT));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool/sizes", test_sizes);
    g_test_add_func("/pool/names", test_names);
    g_test_add_func("/pool/pack-header", test_pack_header);
    g_test_add_func("/pool/map", test_map);
    g_test_add_func("/pool/map-damaged", test_map_damaged);
    g_test_add_func("/pool/map-impossible", test_map_impossible);
    g_test_add_func("/pool/index", test_index);
    g_test_add_func("/pool/pack-table", test_pack_table);
    return g_test_run();
}
