/* SPDX-License-Identifier: Apache-2.0
 *
 * Bind data, byte for byte as a real gateway took it.
 */
#include "tdengine/bind.h"

#include <string.h>

static char *to_hex(const GByteArray *bytes)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < bytes->len; i++)
        g_string_append_printf(text, "%02x", bytes->data[i]);
    return g_string_free(text, FALSE);
}

#define BYTES(value) ((const guint8 *)(value))

/* The binds of ws/stmt2_super_table.jsonl: "INSERT INTO ? USING st TAGS(?,?) VALUES(?,?,?)" with the
 * tags INT and NCHAR, the columns TIMESTAMP, INT and VARCHAR; two tables in each. */
static const char first_bind[] =
    "300100000200000002000000030000001c00000026000000880000000300030073310073320032000000280000"
    "001600000004000000010000000000040000000b0000001c0000000a0000000100000000010600000006000000"
    "c3a9f09f9880120000000400000001000000010000000000160000000a00000001000000010100000000000000"
    "005a000000460000002300000009000000020000000000001000000000f451c28c01000001f451c28c0100001b"
    "00000004000000020000000001000800000001000000000000001c000000080000000200000000010101000000"
    "0000000001000000611a000000090000000100000000000800000000f451c28c01000016000000040000000100"
    "00000000040000000200000016000000080000000100000000010000000000000000";
static const char second_bind[] =
    "270100000200000002000000030000001c00000026000000910000000300030073310073330032000000310000"
    "001600000004000000010000000000040000000b0000001c0000000a0000000100000000010600000006000000"
    "c3a9f09f9880160000000400000001000000000004000000030000001b0000000a000000010000000001050000"
    "0005000000746872656547000000470000001a000000090000000100000000000800000002f451c28c01000016"
    "00000004000000010000000000040000000300000017000000080000000100000000010100000001000000621a"
    "000000090000000100000000000800000000f451c28c0100001600000004000000010000000000040000000200"
    "0000170000000800000001000000000101000000010000007a";

static const guint8 null[] = {1};
static const gint32 two = 2, three = 3, eleven = 11;
static const gint64 times[] = {1704067200000, 1704067200001, 1704067200002};
static const guint32 zero_lengths[] = {0}, one_byte[] = {1}, five_bytes[] = {5}, six_bytes[] = {6};

static void expect_bind(const TdInsertTable *tables, const char *expected)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *hex = NULL;

    g_byte_array_append(data, BYTES("head"), 4); /* of the request: it is kept */
    g_assert_true(td_bind_build(data, tables, 2, 2, 3, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(data->data, 4, "head", 4);
    g_byte_array_remove_range(data, 0, 4);
    hex = to_hex(data);
    g_assert_cmpstr(hex, ==, expected);
}

static void test_first(void)
{
    static const guint8 second_is_null[] = {0, 1};
    static const gint32 numbers[] = {1, 0};
    static const guint32 one_and_none[] = {1, 0};
    const TdBinding tags[][2] = {
        {{TD_INT, NULL, BYTES(&eleven), NULL}, {TD_NCHAR, NULL, BYTES("é😀"), six_bytes}},
        {{TD_INT, null, NULL, NULL}, {TD_NCHAR, null, NULL, zero_lengths}},
    };
    const TdBinding columns[][3] = {
        {{TD_TIMESTAMP, NULL, BYTES(times), NULL},
         {TD_INT, second_is_null, BYTES(numbers), NULL},
         {TD_VARCHAR, second_is_null, BYTES("a"), one_and_none}},
        {{TD_TIMESTAMP, NULL, BYTES(times), NULL},
         {TD_INT, NULL, BYTES(&two), NULL},
         {TD_VARCHAR, NULL, BYTES(""), zero_lengths}},
    };
    const TdInsertTable tables[] = {{"s1", 2, tags[0], columns[0]}, {"s2", 1, tags[1], columns[1]}};

    expect_bind(tables, first_bind);
}

static void test_second(void)
{
    const TdBinding tags[][2] = {
        {{TD_INT, NULL, BYTES(&eleven), NULL}, {TD_NCHAR, NULL, BYTES("é😀"), six_bytes}},
        {{TD_INT, NULL, BYTES(&three), NULL}, {TD_NCHAR, NULL, BYTES("three"), five_bytes}},
    };
    const TdBinding columns[][3] = {
        {{TD_TIMESTAMP, NULL, BYTES(times + 2), NULL},
         {TD_INT, NULL, BYTES(&three), NULL},
         {TD_VARCHAR, NULL, BYTES("b"), one_byte}},
        {{TD_TIMESTAMP, NULL, BYTES(times), NULL},
         {TD_INT, NULL, BYTES(&two), NULL},
         {TD_VARCHAR, NULL, BYTES("z"), one_byte}},
    };
    const TdInsertTable tables[] = {{"s1", 1, tags[0], columns[0]}, {"s3", 1, tags[1], columns[1]}};

    expect_bind(tables, second_bind);
}

/* Without tags: "INSERT INTO ? VALUES(?)". */
static void test_no_tags(void)
{
    const TdBinding column = {TD_TIMESTAMP, NULL, BYTES(times), NULL};
    const TdInsertTable table = {"nt", 1, NULL, &column};
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autofree char *hex = NULL;

    g_assert_true(td_bind_build(data, &table, 1, 0, 1, NULL));
    hex = to_hex(data);
    g_assert_cmpstr(hex, ==,
                    "3f0000000100000000000000010000001c000000000000002100000003006e74001a0000001a00"
                    "0000090000000100000000000800000000f451c28c010000");
}

static void expect_too_much(const TdInsertTable *table)
{
    g_autoptr(GByteArray) data = g_byte_array_new();
    g_autoptr(GError) error = NULL;

    g_assert_false(td_bind_build(data, table, 1, 0, 1, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_LIMIT);
}

static void test_limits(void)
{
    static const guint32 huge[] = {300u * 1024 * 1024};
    const TdBinding column = {TD_BOOL, NULL, BYTES("x"), NULL};
    const TdBinding blob = {TD_BLOB, NULL, BYTES("x"), huge};
    g_autofree char *name = g_strnfill(193, 'n');

    expect_too_much(&(TdInsertTable){"t", 0, NULL, &column});
    expect_too_much(&(TdInsertTable){"t", 32768, NULL, &column});
    expect_too_much(&(TdInsertTable){name, 1, NULL, &column});
    expect_too_much(&(TdInsertTable){"t", 1, NULL, &blob});
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/bind/first", test_first);
    g_test_add_func("/tdengine/bind/second", test_second);
    g_test_add_func("/tdengine/bind/no-tags", test_no_tags);
    g_test_add_func("/tdengine/bind/limits", test_limits);
    return g_test_run();
}
