/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of blocks as Parquet has them: every width, NULLs in every place, text and what is none.
 */
#include "tdengine/columns.h"

#include <string.h>

#include "parquet/text.h"

#define ROWS 20u

/* A column of fixed width whose every third value is NULL, with rubbish in its place. */
typedef struct {
    guint8 bitmap[(ROWS + 7) / 8];
    guint8 values[ROWS * 16];
    TdBlockColumn column;
} Fixed;

static void make_fixed(Fixed *fixed, TdType type)
{
    memset(fixed, 0, sizeof *fixed);
    for (guint i = 0; i < sizeof fixed->values; i++)
        fixed->values[i] = (guint8)(i * 37 + 11);
    for (guint row = 0; row < ROWS; row += 3)
        fixed->bitmap[row / 8] |= (guint8)(0x80 >> row % 8);
    fixed->column = (TdBlockColumn){.type = type,
                                    .width = td_type_width(type),
                                    .bitmap = fixed->bitmap,
                                    .values = fixed->values,
                                    .length = ROWS * td_type_width(type)};
}

/* In pieces, so that bits do not begin at whole bytes. */
static void gather_all(TdGather *gather, const TdBlockColumn *column)
{
    g_assert_true(td_gather_add(gather, column, 1, 1));
    g_assert_true(td_gather_add(gather, column, 2, 9));
    g_assert_true(td_gather_add(gather, column, 11, 9));
    g_assert_cmpuint(gather->rows, ==, ROWS - 1);
}

/* What a value's bytes are in Parquet: widened with its sign, decimals turned round. */
static void widen(const Fixed *fixed, guint row, gsize width, guint8 out[16])
{
    const guint8 *value = fixed->values + row * fixed->column.width;
    gboolean is_signed = fixed->column.type == TD_TINYINT || fixed->column.type == TD_SMALLINT;
    guint8 fill = is_signed && value[fixed->column.width - 1] >= 0x80 ? 0xff : 0;

    memset(out, fill, 16);
    memcpy(out, value, fixed->column.width);
    for (guint i = 0; fixed->column.type == TD_DECIMAL && i < width; i++)
        out[i] = value[width - 1 - i];
}

static void test_fixed(void)
{
    static const TdType types[] = {TD_BOOL,    TD_TINYINT,   TD_SMALLINT,  TD_INT,      TD_BIGINT,
                                   TD_FLOAT,   TD_DOUBLE,    TD_TIMESTAMP, TD_UINT,     TD_UTINYINT,
                                   TD_UBIGINT, TD_USMALLINT, TD_DECIMAL,   TD_DECIMAL64};

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        const TdField field = {.name = (char *)"c", .type = types[i], .precision = 18, .scale = 4};
        TdGather gather;
        ParquetArray array;
        Fixed fixed;

        make_fixed(&fixed, types[i]);
        td_gather_init_field(&gather, &field, TD_NANOSECONDS, TRUE);
        gather_all(&gather, &fixed.column);
        td_gather_array(&gather, &array);
        for (guint row = 1; row < ROWS; row++) {
            guint8 expected[16];

            g_assert_cmpint(parquet_array_is_valid(&array, row - 1), ==, row % 3 != 0);
            if (row % 3 == 0)
                continue;
            widen(&fixed, row, gather.width, expected);
            g_assert_cmpmem((const guint8 *)array.values + (row - 1) * gather.width, gather.width,
                            expected, gather.width);
        }
        td_gather_clear(&gather);
    }
}

/* One value of variable length, behind its length; NULL: none. */
static gboolean gather_text(const TdField *field, const char *bytes, gsize length, char **ret_text)
{
    g_autoptr(GByteArray) values = g_byte_array_new();
    const guint16 prefix = GUINT16_TO_LE((guint16)length);
    const guint32 offset = 0;
    TdBlockColumn column = {.type = field->type, .offsets = (const guint8 *)&offset};
    ParquetArray array;
    TdGather gather;
    gboolean done;

    g_byte_array_append(values, (const guint8 *)&prefix, 2);
    g_byte_array_append(values, (const guint8 *)bytes, (guint)length);
    column.values = values->data;
    column.length = values->len;
    td_gather_init_field(&gather, field, TD_MILLISECONDS, TRUE);
    done = td_gather_add(&gather, &column, 0, 1);
    if (done) {
        g_autoptr(GString) text = g_string_new(NULL);

        td_gather_array(&gather, &array);
        parquet_text_append_row(text, &gather.column, &array, 0);
        *ret_text = g_string_free(g_steal_pointer(&text), FALSE);
    }
    td_gather_clear(&gather);
    return done;
}

static void test_text(void)
{
    static const struct {
        TdType type;
        gboolean binary;
        const char *bytes;
        gsize length;
        const char *expected; /* NULL: no text */
    } cases[] = {
        {TD_VARCHAR, FALSE, "plain", 5, "plain"},
        {TD_VARCHAR, FALSE, "", 0, ""},
        {TD_VARCHAR, FALSE, "\xe4\xb8\xad\xf0\x9f\x98\x80", 7, "中😀"},
        {TD_VARCHAR, FALSE, "\xe4\xb8", 2, NULL},
        {TD_VARCHAR, FALSE, "\xc0\x80", 2, NULL},
        {TD_VARCHAR, FALSE, "\xed\xa0\x80", 3, NULL},
        {TD_VARCHAR, FALSE, "\xe4\0\xad", 3, NULL},
        {TD_VARCHAR, TRUE, "\xff\0", 2, "ff00"},
        {TD_NCHAR, FALSE, "a\0\0\0\x00\xf6\x01\0", 8, "a😀"},
        {TD_NCHAR, FALSE, "\0\xd8\0\0", 4, NULL},
        {TD_NCHAR, FALSE, "abc", 3, NULL},
        {TD_NCHAR, TRUE, "\0\xd8\0\0", 4, "00d80000"},
        {TD_VARBINARY, FALSE, "\xff\xfe", 2, "fffe"},
        {TD_GEOMETRY, FALSE, "\x01", 1, "01"},
        {TD_JSON, FALSE, "{\"a\":1}", 7, "{\"a\":1}"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const TdField field = {.name = (char *)"c",
                               .type = cases[i].type,
                               .length = 20,
                               .binary = cases[i].binary};
        g_autofree char *text = NULL;

        g_assert_cmpint(gather_text(&field, cases[i].bytes, cases[i].length, &text), ==,
                        cases[i].expected != NULL);
        g_assert_cmpstr(text, ==, cases[i].expected);
    }
}

/* NUL is a character of UTF-8 that C's strings do not have. */
static void test_nul_in_text(void)
{
    const TdField field = {.name = (char *)"c", .type = TD_VARCHAR, .length = 20};
    g_autofree char *text = NULL;

    g_assert_true(gather_text(&field, "\xc3\xa4\0\xc3\xa4", 5, &text));
    g_assert_cmpmem(text, 5, "\xc3\xa4\0\xc3\xa4", 5);
}

static void test_own_values(void)
{
    const ParquetColumn column = {.name = "n", .type = PARQUET_INT64, .optional = TRUE};
    const gint64 values[] = {5, -7};
    ParquetArray array;
    TdGather gather;

    td_gather_init(&gather, &column);
    td_gather_add_value(&gather, &values[0]);
    td_gather_add_value(&gather, NULL);
    td_gather_add_value(&gather, &values[1]);
    td_gather_array(&gather, &array);
    g_assert_true(parquet_array_is_valid(&array, 0));
    g_assert_false(parquet_array_is_valid(&array, 1));
    g_assert_true(parquet_array_is_valid(&array, 2));
    g_assert_cmpint(((const gint64 *)array.values)[2], ==, -7);
    td_gather_reset(&gather);
    td_gather_add_value(&gather, &values[0]);
    td_gather_array(&gather, &array);
    g_assert_null(array.validity);
    td_gather_clear(&gather);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/columns/fixed", test_fixed);
    g_test_add_func("/columns/text", test_text);
    g_test_add_func("/columns/nul-in-text", test_nul_in_text);
    g_test_add_func("/columns/own-values", test_own_values);
    return g_test_run();
}
