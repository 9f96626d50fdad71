/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds: what the format wants of NaN and of both zeros, orders of each type, long values that are
 * cut and stay bounds.
 */
#include <math.h>
#include <string.h>

#include "parquet/statistics.h"

static void assert_bytes(GBytes *got, const void *wanted, gsize length)
{
    g_assert_nonnull(got);
    g_assert_cmpmem(g_bytes_get_data(got, NULL), g_bytes_get_size(got), wanted, length);
    g_bytes_unref(got);
}

/* The bounds of some doubles, found at once and one by one. */
static void check_doubles(const double *values, gsize count, const double *wanted)
{
    Range whole = {0}, single = {0};
    gboolean exact;

    range_of_values(&whole, ORDER_DOUBLE, values, count, sizeof *values);
    for (gsize i = 0; i < count; i++)
        range_add(&single, ORDER_DOUBLE, (const guint8 *)&values[i], sizeof *values);
    for (guint i = 0; i < 2; i++) {
        const Range *range = i == 0 ? &whole : &single;

        g_assert_cmpint(range->any, ==, wanted != NULL);
        if (wanted == NULL) {
            g_assert_null(range_min_bytes(range, ORDER_DOUBLE, FALSE, &exact));
            g_assert_null(range_max_bytes(range, ORDER_DOUBLE, FALSE, &exact));
            continue;
        }
        assert_bytes(range_min_bytes(range, ORDER_DOUBLE, FALSE, &exact), &wanted[0], 8);
        g_assert_true(exact);
        assert_bytes(range_max_bytes(range, ORDER_DOUBLE, FALSE, &exact), &wanted[1], 8);
        g_assert_true(exact);
    }
}

static void test_doubles(void)
{
    static const double zeros[] = {0.0, -0.0, 0.0}, both[] = {-0.0, 0.0};
    static const double below[] = {-3, 0.0}, below_bounds[] = {-3, 0.0};
    static const double above[] = {-0.0, 3}, above_bounds[] = {-0.0, 3};
    double nans[20], mixed[20], mixed_bounds[] = {-5, 7};
    double endless[] = {1, -INFINITY, INFINITY, NAN}, endless_bounds[] = {-INFINITY, INFINITY};

    for (guint i = 0; i < 20; i++) {
        nans[i] = NAN;
        mixed[i] = i % 3 == 0 ? NAN : 1;
    }
    mixed[7] = -5;
    mixed[19] = 7;
    check_doubles(NULL, 0, NULL);
    check_doubles(nans, 20, NULL);
    check_doubles(mixed, 20, mixed_bounds);
    check_doubles(endless, 4, endless_bounds);
    check_doubles(zeros, 3, both);
    check_doubles(below, 2, below_bounds);
    check_doubles(above, 2, above_bounds);
}

static void test_floats(void)
{
    static const float zeros[] = {0.0f, 0.0f}, wanted[] = {-0.0f, 0.0f};
    const float nan[] = {NAN, 2.5f, NAN};
    Range range = {0}, other = {0};
    gboolean exact;

    range_of_values(&range, ORDER_FLOAT, zeros, 2, 4);
    assert_bytes(range_min_bytes(&range, ORDER_FLOAT, FALSE, &exact), &wanted[0], 4);
    assert_bytes(range_max_bytes(&range, ORDER_FLOAT, FALSE, &exact), &wanted[1], 4);
    range_of_values(&other, ORDER_FLOAT, nan, 3, 4);
    assert_bytes(range_min_bytes(&other, ORDER_FLOAT, FALSE, &exact), &nan[1], 4);
    assert_bytes(range_max_bytes(&other, ORDER_FLOAT, FALSE, &exact), &nan[1], 4);
}

/* The same bits are in another order with and without a sign. */
static void test_integers(void)
{
    static const gint32 values[] = {5, -1, 0, G_MAXINT32, G_MININT32, 7, 8, 9, 10, 11};
    static const gint32 with_sign[] = {G_MININT32, G_MAXINT32}, without[] = {0, -1};
    const struct {
        ParquetColumn column;
        Order order;
        const gint32 *bounds;
    } cases[] = {
        {{.type = PARQUET_INT32}, ORDER_INT32, with_sign},
        {{.type = PARQUET_INT32, .logical = PARQUET_INTEGER, .bits = 32, .is_signed = TRUE},
         ORDER_INT32,
         with_sign},
        {{.type = PARQUET_INT32, .logical = PARQUET_INTEGER, .bits = 32}, ORDER_UINT32, without},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        Range range = {0};
        gboolean exact;

        g_assert_cmpint(order_of(&cases[i].column), ==, cases[i].order);
        range_of_values(&range, cases[i].order, values, G_N_ELEMENTS(values), 4);
        assert_bytes(range_min_bytes(&range, cases[i].order, FALSE, &exact), &cases[i].bounds[0],
                     4);
        assert_bytes(range_max_bytes(&range, cases[i].order, FALSE, &exact), &cases[i].bounds[1],
                     4);
    }
}

static void test_decimals(void)
{
    static const guint8 minus_one[16] = {[0 ... 15] = 0xff}, one[16] = {[15] = 1};
    static const guint8 lowest[16] = {[0] = 0x80};
    Range range = {0};
    gboolean exact;

    range_add(&range, ORDER_DECIMAL, one, 16);
    range_add(&range, ORDER_DECIMAL, minus_one, 16);
    assert_bytes(range_min_bytes(&range, ORDER_DECIMAL, FALSE, &exact), minus_one, 16);
    range_add(&range, ORDER_DECIMAL, lowest, 16);
    assert_bytes(range_min_bytes(&range, ORDER_DECIMAL, FALSE, &exact), lowest, 16);
    assert_bytes(range_max_bytes(&range, ORDER_DECIMAL, FALSE, &exact), one, 16);
}

/* A cut bound still bounds: the smallest is a prefix, the largest is above every value that begins
 * like it, and text stays text. */
static void check_cut(const GString *value, gboolean text, gsize min_length, const char *max,
                      gssize max_length)
{
    Range range = {0};
    gboolean exact;
    GBytes *bound;

    range_add(&range, ORDER_BYTES, (const guint8 *)value->str, value->len);
    assert_bytes(range_min_bytes(&range, ORDER_BYTES, text, &exact), value->str, min_length);
    g_assert_cmpint(exact, ==, min_length == value->len);
    bound = range_max_bytes(&range, ORDER_BYTES, text, &exact);
    g_assert_cmpint(order_compare(ORDER_BYTES, g_bytes_get_data(bound, NULL),
                                  g_bytes_get_size(bound), (const guint8 *)value->str, value->len),
                    >=, 0);
    g_assert_cmpint(exact, ==, g_bytes_get_size(bound) == value->len);
    assert_bytes(bound, max, (gsize)max_length);
}

static void fill(GString *value, const char *piece, gsize piece_length, guint count)
{
    g_string_truncate(value, 0);
    for (guint i = 0; i < count; i++)
        g_string_append_len(value, piece, (gssize)piece_length);
}

static void test_strings(void)
{
    g_autoptr(GString) value = g_string_new(NULL);
    g_autoptr(GString) wanted = g_string_new(NULL);

    fill(value, "a", 1, 64);
    check_cut(value, TRUE, 64, value->str, 64);
    fill(value, "a", 1, 65);
    fill(wanted, "a", 1, 63);
    g_string_append_c(wanted, 'b');
    check_cut(value, TRUE, 64, wanted->str, 64);
    check_cut(value, FALSE, 64, wanted->str, 64);
    /* Three bytes a letter: the 22nd does not fit, the 21st is raised from U+20AC to U+20AD. */
    fill(value, "\xe2\x82\xac", 3, 30);
    fill(wanted, "\xe2\x82\xac", 3, 20);
    g_string_append(wanted, "\xe2\x82\xad");
    check_cut(value, TRUE, 63, wanted->str, 63);
    /* No letter is above U+10FFFF: the one before it is raised, and what follows is dropped. */
    fill(value, "a", 1, 4);
    for (guint i = 0; i < 20; i++)
        g_string_append(value, "\xf4\x8f\xbf\xbf");
    check_cut(value, TRUE, 64, "aaab", 4);
    /* Surrogates are no letters: U+D7FF is followed by U+E000. */
    fill(value, "a", 1, 61);
    g_string_append(value, "\xed\x9f\xbfz");
    fill(wanted, "a", 1, 61);
    g_string_append(wanted, "\xee\x80\x80");
    check_cut(value, TRUE, 64, wanted->str, 64);
    /* U+007F would be followed by a letter of two bytes, so the one before it is raised. */
    fill(value, "a", 1, 63);
    g_string_append(value, "\x7fz");
    fill(wanted, "a", 1, 62);
    g_string_append_c(wanted, 'b');
    check_cut(value, TRUE, 64, wanted->str, 63);
    fill(value, "\x01\xff", 2, 1);
    for (guint i = 0; i < 80; i++)
        g_string_append_c(value, '\xff');
    check_cut(value, FALSE, 64, "\x02", 1);
    /* Nothing short is above it: the bound stays whole. */
    fill(value, "\xff", 1, 80);
    check_cut(value, FALSE, 64, value->str, 80);
}

/* Where no order is known there are no bounds. */
static void test_no_order(void)
{
    const ParquetColumn columns[] = {
        {.type = PARQUET_INT96},
        {.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_DECIMAL, .precision = 9},
        {.type = PARQUET_FIXED, .length = 2, .logical = PARQUET_FLOAT16},
        {.type = PARQUET_INT64, .logical = PARQUET_OTHER},
    };

    for (guint i = 0; i < G_N_ELEMENTS(columns); i++)
        g_assert_cmpint(order_of(&columns[i]), ==, ORDER_NONE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/statistics/doubles", test_doubles);
    g_test_add_func("/parquet/statistics/floats", test_floats);
    g_test_add_func("/parquet/statistics/integers", test_integers);
    g_test_add_func("/parquet/statistics/decimals", test_decimals);
    g_test_add_func("/parquet/statistics/strings", test_strings);
    g_test_add_func("/parquet/statistics/no-order", test_no_order);
    return g_test_run();
}
