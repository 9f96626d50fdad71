/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as text.
 */
#include "parquet/text.h"

#include <math.h>
#include <string.h>

static void check(const ParquetColumn *column, const void *value, gsize length, const char *wanted,
                  gboolean bare)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_assert_cmpint(parquet_text_append(text, column, value, length), ==, bare);
    g_assert_cmpstr(text->str, ==, wanted);
}

static void check_int64(const ParquetColumn *column, gint64 value, const char *wanted)
{
    check(column, &value, sizeof value, wanted, column->logical == PARQUET_PLAIN_VALUE);
}

static void test_times(void)
{
    ParquetColumn column = {.type = PARQUET_INT64,
                            .logical = PARQUET_TIMESTAMP,
                            .unit = PARQUET_MILLIS,
                            .utc = TRUE};
    ParquetColumn old = {.type = PARQUET_INT96};
    gint32 day = -719162;
    guint8 int96[12] = {0};
    guint32 julian = 2440589;

    check_int64(&column, 0, "1970-01-01T00:00:00.000Z");
    check_int64(&column, -1, "1969-12-31T23:59:59.999Z");
    check_int64(&column, G_GINT64_CONSTANT(1795314896789), "2026-11-22T02:34:56.789Z");
    check_int64(&column, G_GINT64_CONSTANT(951782400000), "2000-02-29T00:00:00.000Z");
    column.unit = PARQUET_NANOS;
    column.utc = FALSE;
    check_int64(&column, G_MAXINT64, "2262-04-11T23:47:16.854775807");
    check_int64(&column, G_MININT64, "1677-09-21T00:12:43.145224192");
    column.unit = PARQUET_MICROS;
    check_int64(&column, G_MAXINT64, "+294247-01-10T04:00:54.775807");
    column.logical = PARQUET_TIME;
    check_int64(&column, G_GINT64_CONSTANT(3723000001), "01:02:03.000001");
    check_int64(&column, -5, "-5");
    column.type = PARQUET_INT32;
    column.logical = PARQUET_DATE;
    check(&column, &day, 4, "0001-01-01", FALSE);
    memcpy(int96 + 8, &julian, 4);
    int96[0] = 7;
    check(&old, int96, 12, "1970-01-02T00:00:00.000000007", FALSE);
}

static void test_decimals(void)
{
    ParquetColumn column = {.type = PARQUET_INT64,
                            .logical = PARQUET_DECIMAL,
                            .precision = 18,
                            .scale = 2};
    guint8 wide[16];

    check_int64(&column, 0, "0.00");
    check_int64(&column, 5, "0.05");
    check_int64(&column, -5, "-0.05");
    check_int64(&column, 12345, "123.45");
    check_int64(&column, G_MININT64, "-92233720368547758.08");
    column.scale = 0;
    check_int64(&column, -7, "-7");
    column.type = PARQUET_FIXED;
    column.length = 16;
    column.scale = 3;
    memset(wide, 0xff, 16);
    check(&column, wide, 16, "-0.001", FALSE);
    wide[0] = 0x7f;
    check(&column, wide, 16, "170141183460469231731687303715884105.727", FALSE);
}

static void test_numbers(void)
{
    ParquetColumn real = {.type = PARQUET_DOUBLE}, single = {.type = PARQUET_FLOAT};
    ParquetColumn plain = {.type = PARQUET_INT64};
    ParquetColumn natural = {.type = PARQUET_INT32, .logical = PARQUET_INTEGER, .bits = 32};
    double values[] = {0.1, 1e300, NAN, -INFINITY, -0.0, 1.0 / 3};
    float tenth = 0.1f;
    gint32 minus = -1;

    check(&real, &values[0], 8, "0.1", TRUE);
    check(&real, &values[1], 8, "1e+300", TRUE);
    check(&real, &values[2], 8, "NaN", FALSE);
    check(&real, &values[3], 8, "-Infinity", FALSE);
    check(&real, &values[4], 8, "-0", TRUE);
    check(&real, &values[5], 8, "0.3333333333333333", TRUE);
    check(&single, &tenth, 4, "0.1", TRUE);
    check_int64(&plain, G_MININT64, "-9223372036854775808");
    check(&natural, &minus, 4, "4294967295", TRUE);
}

static void test_bytes(void)
{
    ParquetColumn bytes = {.type = PARQUET_BYTE_ARRAY};
    ParquetColumn text = {.type = PARQUET_BYTE_ARRAY, .logical = PARQUET_STRING};
    ParquetColumn uuid = {.type = PARQUET_FIXED, .length = 16, .logical = PARQUET_UUID};

    check(&bytes,
          "\x00\xff"
          "a",
          3, "00ff61", FALSE);
    check(&text, "h\xc3\xa9", 3, "h\xc3\xa9", FALSE);
    check(&uuid, "\x12\x34\x56\x78\x9a\xbc\xde\xf0\x12\x34\x56\x78\x9a\xbc\xde\xf0", 16,
          "12345678-9abc-def0-1234-56789abcdef0", FALSE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/parquet/text/times", test_times);
    g_test_add_func("/parquet/text/decimals", test_decimals);
    g_test_add_func("/parquet/text/numbers", test_numbers);
    g_test_add_func("/parquet/text/bytes", test_bytes);
    return g_test_run();
}
