/* SPDX-License-Identifier: Apache-2.0
 *
 * The encodings on their own: examples from the format's documents, every width, every short
 * length, and bytes that are wrong.
 */
#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"
#include "parquet/delta.h"
#include "parquet/hybrid.h"
#include "parquet/split.h"
#include "parquet/strings.h"

static guint64 seed = 1;

static guint64 next_random(void)
{
    seed = seed * G_GUINT64_CONSTANT(6364136223846793005) + G_GUINT64_CONSTANT(1442695040888963407);
    return seed ^ seed >> 29;
}

static void test_bits(void)
{
    guint64 values[32], back[32];
    guint32 narrow[32], narrow_back[32];

    for (guint width = 0; width <= 64; width++) {
        /* Of exact size, so that a byte too many is seen by a sanitizer. */
        g_autofree guint8 *packed = g_malloc(MAX(4 * width, 1));
        guint64 mask = width == 64 ? G_MAXUINT64 : (G_GUINT64_CONSTANT(1) << width) - 1;

        for (guint i = 0; i < 32; i++) {
            values[i] = next_random() & mask;
            narrow[i] = (guint32)values[i];
        }
        bits_pack_64(values, width, packed);
        bits_unpack_64(packed, width, back);
        g_assert_cmpmem(values, sizeof values, back, sizeof back);
        if (width > 32)
            continue;
        bits_pack_32(narrow, width, packed);
        bits_unpack_32(packed, width, narrow_back);
        g_assert_cmpmem(narrow, sizeof narrow, narrow_back, sizeof narrow_back);
    }
}

static void test_bitmaps(void)
{
    guint8 bitmap[40], copy[40];
    guint8 bytes[300], spread[300];
    guint32 values[300], dense[300], back[300];

    for (guint i = 0; i < sizeof bitmap; i++)
        bitmap[i] = i % 3 == 0 ? 0xff : (guint8)next_random();
    for (guint from = 0; from < 20; from++) {
        for (guint count = 0; count < 280; count++) {
            guint ones = 0;

            for (guint i = 0; i < count; i++)
                ones += bitmap_get(bitmap, from + i);
            g_assert_cmpuint(bitmap_count(bitmap, from, count), ==, ones);
            memset(copy, 0xa5, sizeof copy);
            bitmap_copy(copy, count % 9, bitmap, from, count);
            for (guint i = 0; i < count; i++)
                g_assert_cmpint(bitmap_get(copy, count % 9 + i), ==, bitmap_get(bitmap, from + i));
            g_assert_cmpint(bitmap_get(copy, count % 9 + count), ==,
                            0xa5 >> ((count % 9 + count) & 7) & 1);
            for (guint i = 0; i < count; i++)
                values[i] = (guint32)next_random();
            g_assert_cmpuint(bitmap_compact(bitmap, from, count, values, 4, dense), ==, ones);
            memset(copy, 0, sizeof copy);
            bitmap_copy(copy, 0, bitmap, from, count);
            bitmap_expand(copy, count, dense, 4, back);
            for (guint i = 0; i < count; i++)
                g_assert_cmpuint(back[i], ==, bitmap_get(copy, i) ? values[i] : 0);
            bitmap_to_bytes(copy, count, bytes);
            bitmap_from_bytes(bytes, count, (guint8 *)back);
            bitmap_to_bytes((guint8 *)back, count, spread);
            g_assert_cmpmem(bytes, count, spread, count);
        }
    }
}

static void check_hybrid(const guint32 *values, gsize count, guint width)
{
    g_autofree guint8 *out = g_malloc(hybrid_bound(count, width));
    gsize length = hybrid_encode(values, count, width, out);
    g_autofree guint8 *exact = g_memdup2(out, length);
    g_autofree guint32 *back = g_new(guint32, count + 1);
    g_autoptr(GError) error = NULL;

    g_assert_cmpuint(length, <=, hybrid_bound(count, width));
    g_assert_true(hybrid_decode(exact, length, width, back, count, &error));
    g_assert_cmpmem(values, count * 4, back, count * 4);
    for (gsize cut = 0; cut < length && count > 0; cut += 1 + cut / 4) {
        g_clear_error(&error);
        /* Only the filling of the last group may go. */
        if (hybrid_decode(exact, cut, width, back, count, &error))
            g_assert_cmpmem(values, count * 4, back, count * 4);
        else
            g_assert_true(error_is(error, ERROR_FORMAT));
    }
}

static void test_hybrid(void)
{
    guint32 values[1000];

    for (guint width = 1; width <= 32; width++) {
        guint32 mask = width == 32 ? G_MAXUINT32 : (1u << width) - 1;

        for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
            values[i] = i / 50 % 2 == 0 ? (guint32)(i / 100) & mask : (guint32)next_random() & mask;
        for (gsize count = 0; count < 70; count++)
            check_hybrid(values + 30, count, width);
        check_hybrid(values, G_N_ELEMENTS(values), width);
    }
}

/* Encodings.md: 0 to 7 in three bits are 88 c6 fa; a run is its length shifted, then the value. */
static void test_hybrid_examples(void)
{
    static const guint8 packed[] = {0x03, 0x88, 0xc6, 0xfa}, run[] = {0x14, 0x05};
    guint32 values[10];
    guint8 bitmap[2] = {0};

    g_assert_true(hybrid_decode(packed, sizeof packed, 3, values, 8, NULL));
    for (guint i = 0; i < 8; i++)
        g_assert_cmpuint(values[i], ==, i);
    g_assert_true(hybrid_decode(run, sizeof run, 3, values, 10, NULL));
    for (guint i = 0; i < 10; i++)
        g_assert_cmpuint(values[i], ==, 5);
    g_assert_false(hybrid_decode(run, sizeof run, 3, values, 11, NULL));
    g_assert_false(hybrid_decode(run, sizeof run, 33, values, 1, NULL));
    g_assert_false(hybrid_decode((const guint8 *)"\0\0", 2, 3, values, 1, NULL));
    g_assert_true(hybrid_decode_bitmap((const guint8 *)"\x06\x01\x03\x05", 4, bitmap, 11, NULL));
    g_assert_cmpuint(bitmap[0] | bitmap[1] << 8, ==, 0x7 | 0x5 << 3);
    g_assert_false(hybrid_decode_bitmap((const guint8 *)"\x06\x02", 2, bitmap, 3, NULL));
}

static void check_bitmap(const guint8 *bitmap, gsize from, gsize count)
{
    g_autofree guint8 *out = g_malloc(hybrid_bitmap_bound(count));
    gsize length = hybrid_encode_bitmap(bitmap, from, count, out);
    g_autofree guint8 *back = g_malloc0((count + 7) / 8 + 1);

    g_assert_cmpuint(length, <=, hybrid_bitmap_bound(count));
    g_assert_true(hybrid_decode_bitmap(out, length, back, count, NULL));
    for (gsize i = 0; i < count; i++)
        g_assert_cmpint(bitmap_get(back, i), ==, bitmap == NULL || bitmap_get(bitmap, from + i));
}

static void test_hybrid_bitmaps(void)
{
    guint8 bitmap[200];

    for (guint i = 0; i < sizeof bitmap; i++)
        bitmap[i] = i / 20 % 3 == 0 ? 0xff : i / 20 % 3 == 1 ? 0 : (guint8)next_random();
    for (gsize count = 1; count < 8 * sizeof bitmap - 16; count += 1 + count / 40) {
        check_bitmap(bitmap, 16, count);
        check_bitmap(NULL, 0, count);
    }
}

static void check_delta(const gint64 *values, gsize count)
{
    g_autofree guint8 *out = g_malloc(delta_bound(count));
    g_autofree gint64 *back = g_new(gint64, count + 1);
    g_autofree gint32 *narrow = g_new(gint32, count + 1);
    g_autofree gint32 *narrow_back = g_new(gint32, count + 1);
    gsize length = delta_encode_64(values, count, out), used;

    g_assert_cmpuint(length, <=, delta_bound(count));
    g_assert_true(delta_decode_64(out, length, back, count, &used, NULL));
    g_assert_cmpuint(used, ==, length);
    g_assert_cmpmem(values, count * 8, back, count * 8);
    g_assert_false(delta_decode_64(out, length, back, count + 1, &used, NULL));
    for (gsize cut = 0; cut < length; cut += 1 + cut / 8)
        g_assert_false(delta_decode_64(out, cut, back, count, &used, NULL));
    for (gsize i = 0; i < count; i++)
        narrow[i] = (gint32)values[i];
    length = delta_encode_32(narrow, count, out);
    g_assert_true(delta_decode_32(out, length, narrow_back, count, &used, NULL));
    g_assert_cmpuint(used, ==, length);
    g_assert_cmpmem(narrow, count * 4, narrow_back, count * 4);
}

static void test_delta(void)
{
    gint64 values[700];

    for (guint kind = 0; kind < 4; kind++) {
        for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
            gint64 random = (gint64)next_random();

            values[i] = kind == 0   ? random
                        : kind == 1 ? (gint64)i * 1000 + random % 50
                        : kind == 2 ? (i & 1 ? G_MAXINT64 : G_MININT64)
                                    : 42;
        }
        for (gsize count = 0; count < 300; count++)
            check_delta(values, count);
        check_delta(values, G_N_ELEMENTS(values));
    }
}

/* Encodings.md: 1 to 5, and 7, 5, 3, 1, 2, 3, 4, 5. */
static void test_delta_examples(void)
{
    static const guint8 rising[] = {0x80, 0x01, 4, 5, 2, 2, 0, 0, 0, 0};
    static const guint8 sizes[] = {0x80, 0x01, 3, 5, 2, 2, 0, 0, 0, 0};
    static const guint8 falling[] = {0x80, 0x01, 4,    8, 14, 3, 2, 0, 0,
                                     0,    0xc0, 0x3f, 0, 0,  0, 0, 0, 0};
    gint64 values[8];
    gsize used;

    g_assert_true(delta_decode_64(rising, sizeof rising, values, 5, &used, NULL));
    for (gint i = 0; i < 5; i++)
        g_assert_cmpint(values[i], ==, i + 1);
    g_assert_false(delta_decode_64(sizes, sizeof sizes, values, 5, &used, NULL));
    g_assert_true(delta_decode_64(falling, sizeof falling, values, 8, &used, NULL));
    g_assert_cmpint(values[3], ==, 1);
    g_assert_cmpint(values[7], ==, 5);
}

static void test_split(void)
{
    guint8 in[16 * 100], out[16 * 100], back[16 * 100];

    for (guint i = 0; i < sizeof in; i++)
        in[i] = (guint8)next_random();
    for (gsize width = 1; width <= 16; width++) {
        for (gsize count = 0; count <= 100; count++) {
            split_encode(in, count, width, out);
            for (gsize i = 0; i < count * width; i++)
                g_assert_cmpint(out[i % width * count + i / width], ==, in[i]);
            split_decode(out, count, width, back);
            g_assert_cmpmem(in, count * width, back, count * width);
        }
    }
}

static void test_strings(void)
{
    static const guint32 offsets[] = {0, 5, 5, 10, 14};
    static const guint8 bytes[] = "HelloWorldFoo!";
    static const gint32 prefixes[] = {0, 2, 2}, suffixes[] = {4, 2, 2},
                        wrong_prefixes[] = {0, 5, 2};
    Budget budget = {0, 100000}, small = {0, 10};
    guint8 out[2000];
    StringRun run;
    gsize length;

    string_run_init(&run, &budget);
    length = strings_plain_encode(offsets, bytes, 4, out);
    g_assert_cmpuint(length, ==, strings_plain_bound(offsets, 4));
    g_assert_true(strings_plain_decode(out, length, 4, &run, NULL));
    g_assert_cmpmem(string_run_offsets(&run), sizeof offsets, offsets, sizeof offsets);
    g_assert_cmpmem(run.bytes.data, 14, bytes, 14);
    for (gsize cut = 0; cut < length; cut++)
        g_assert_false(strings_plain_decode(out, cut, 4, &run, NULL));
    length = strings_delta_encode(offsets, bytes, 4, out);
    g_assert_true(strings_delta_decode(out, length, 4, &run, NULL));
    g_assert_cmpmem(string_run_offsets(&run), sizeof offsets, offsets, sizeof offsets);
    g_assert_cmpmem(run.bytes.data, 14, bytes, 14);
    for (gsize cut = 0; cut < length; cut++)
        g_assert_false(strings_delta_decode(out, cut, 4, &run, NULL));
    length = delta_encode_32(prefixes, 3, out);
    length += delta_encode_32(suffixes, 3, out + length);
    memcpy(out + length, "axisleyl", 8);
    g_assert_true(strings_front_coded_decode(out, length + 8, 3, &run, NULL));
    g_assert_cmpmem(run.bytes.data, 12, "axisaxleaxyl", 12);
    g_assert_false(strings_front_coded_decode(out, length + 7, 3, &run, NULL));
    length = delta_encode_32(wrong_prefixes, 3, out);
    length += delta_encode_32(suffixes, 3, out + length);
    g_assert_false(strings_front_coded_decode(out, length + 8, 3, &run, NULL));
    length = strings_delta_encode(offsets, bytes, 4, out);
    string_run_clear(&run);
    g_assert_cmpuint(budget.used, ==, 0);
    string_run_init(&run, &small);
    g_assert_false(strings_delta_decode(out, length, 4, &run, NULL));
    string_run_clear(&run);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/encodings/bits", test_bits);
    g_test_add_func("/parquet/encodings/bitmaps", test_bitmaps);
    g_test_add_func("/parquet/encodings/hybrid", test_hybrid);
    g_test_add_func("/parquet/encodings/hybrid-examples", test_hybrid_examples);
    g_test_add_func("/parquet/encodings/hybrid-bitmaps", test_hybrid_bitmaps);
    g_test_add_func("/parquet/encodings/delta", test_delta);
    g_test_add_func("/parquet/encodings/delta-examples", test_delta_examples);
    g_test_add_func("/parquet/encodings/split", test_split);
    g_test_add_func("/parquet/encodings/strings", test_strings);
    return g_test_run();
}
