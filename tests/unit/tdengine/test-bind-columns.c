/* SPDX-License-Identifier: Apache-2.0
 *
 * From Parquet's arrays to bindings and to literals.
 */
#include "tdengine/bind-columns.h"

#include <math.h>
#include <string.h>

#include "tdengine/restore-children.h"

static ParquetColumn plain(ParquetType type)
{
    return (ParquetColumn){.name = "c", .type = type, .optional = TRUE};
}

static void init(TdBindColumn *column, TdType type, ParquetType file)
{
    const TdField field = {.name = (char *)"c", .type = type, .length = 20};
    ParquetColumn parquet = plain(file);
    g_autoptr(GError) error = NULL;

    parquet.length = file == PARQUET_FIXED ? 16 : 0;
    if (type == TD_NCHAR)
        parquet.logical = PARQUET_STRING;
    g_assert_true(td_bind_column_init(column, &field, &parquet, &error));
    g_assert_no_error(error);
}

static void test_narrowed(void)
{
    const gint32 values[] = {-128, 5, 127, 0};
    const guint8 validity = 0x07;
    const ParquetArray array = {.values = values, .validity = &validity};
    TdBindColumn column;
    TdBinding binding;

    init(&column, TD_TINYINT, PARQUET_INT32);
    g_assert_true(td_bind_column_add(&column, &array, 0, 3, NULL));
    g_assert_false(column.nulls);
    g_assert_true(td_bind_column_add(&column, &array, 2, 2, NULL));
    td_bind_column_get(&column, 1, &binding);
    g_assert_cmpmem(binding.values, 4, "\x05\x7f\x7f\x00", 4);
    g_assert_cmpmem(binding.nulls, 4, "\0\0\0\1", 4);
    td_bind_column_reset(&column);
    g_assert_cmpuint(column.rows, ==, 0);
    td_bind_column_clear(&column);
}

static void test_decimal(void)
{
    guint8 value[16] = {0};
    const ParquetArray array = {.values = value};
    TdBindColumn column;
    TdBinding binding;

    value[15] = 1;
    init(&column, TD_DECIMAL, PARQUET_FIXED);
    g_assert_true(td_bind_column_add(&column, &array, 0, 1, NULL));
    td_bind_column_get(&column, 0, &binding);
    g_assert_cmpuint(binding.values[0], ==, 1);
    g_assert_cmpuint(binding.values[15], ==, 0);
    td_bind_column_clear(&column);
}

static void test_text_and_nulls(void)
{
    const guint32 offsets[] = {3, 5, 5, 8};
    const ParquetArray array = {.offsets = offsets, .bytes = (const guint8 *)"xxxab\xe4\xb8\xad"};
    TdBindColumn column;
    TdBinding binding;

    init(&column, TD_NCHAR, PARQUET_BYTE_ARRAY);
    g_assert_true(td_bind_column_add(&column, &array, 0, 3, NULL));
    td_bind_column_add_nulls(&column, 2);
    g_assert_true(td_bind_column_add(&column, &array, 0, 1, NULL));
    td_bind_column_get(&column, 2, &binding);
    g_assert_cmpmem(binding.values, 5,
                    "\xe4\xb8\xad"
                    "ab",
                    5);
    g_assert_cmpuint(binding.lengths[0], ==, 3);
    g_assert_cmpuint(binding.lengths[1], ==, 0);
    g_assert_cmpmem(binding.nulls, 4, "\0\1\1\0", 4);
    td_bind_column_clear(&column);
}

static void test_refused(void)
{
    const TdField field = {.name = (char *)"c", .type = TD_INT};
    const ParquetColumn parquet = plain(PARQUET_BYTE_ARRAY);
    g_autoptr(GError) error = NULL;
    TdBindColumn column;

    g_assert_false(td_bind_column_init(&column, &field, &parquet, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
}

/* The literal of one value; "" where there is none that is exact. */
static void check_literal(TdType type, ParquetType file, const void *value, gsize length,
                          const char *expected)
{
    const guint32 offsets[] = {0, (guint32)length};
    const ParquetArray array = {.values = value, .offsets = offsets, .bytes = value};
    g_autoptr(GString) sql = g_string_new(NULL);
    TdBindColumn column;

    init(&column, type, file);
    g_assert_true(td_bind_column_add(&column, &array, 0, 1, NULL));
    g_assert_cmpint(td_append_literal(sql, &column, 0), ==, expected[0] != '\0');
    g_assert_cmpstr(sql->str, ==, expected);
    td_bind_column_clear(&column);
}

static void test_literals(void)
{
    const gint32 least = -128;
    const gint64 lowest = G_MININT64;
    const float tenth = 0.1F, denormal = 1e-45F;
    const double big = 1e300, nan_value = NAN, minus_zero = -0.0;

    check_literal(TD_TINYINT, PARQUET_INT32, &least, 0, "-128");
    check_literal(TD_BIGINT, PARQUET_INT64, &lowest, 0, "-9223372036854775808");
    check_literal(TD_UBIGINT, PARQUET_INT64, &lowest, 0, "9223372036854775808");
    check_literal(TD_FLOAT, PARQUET_FLOAT, &tenth, 0, "0.100000001");
    check_literal(TD_FLOAT, PARQUET_FLOAT, &denormal, 0, "");
    check_literal(TD_DOUBLE, PARQUET_DOUBLE, &big, 0, "1.0000000000000001e+300");
    check_literal(TD_DOUBLE, PARQUET_DOUBLE, &nan_value, 0, "");
    check_literal(TD_DOUBLE, PARQUET_DOUBLE, &minus_zero, 0, "");
    check_literal(TD_VARCHAR, PARQUET_BYTE_ARRAY, "it's \\", 6, "'it\\'s \\\\'");
    check_literal(TD_VARCHAR, PARQUET_BYTE_ARRAY, "a\0b", 3, "");
    check_literal(TD_VARCHAR, PARQUET_BYTE_ARRAY, "\xff", 1, "");
    check_literal(TD_VARBINARY, PARQUET_BYTE_ARRAY, "\0\xff", 2, "'\\x00ff'");
    check_literal(TD_GEOMETRY, PARQUET_BYTE_ARRAY, "\1", 1, "");
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/bind-columns/narrowed", test_narrowed);
    g_test_add_func("/bind-columns/decimal", test_decimal);
    g_test_add_func("/bind-columns/text", test_text_and_nulls);
    g_test_add_func("/bind-columns/refused", test_refused);
    g_test_add_func("/bind-columns/literals", test_literals);
    return g_test_run();
}
