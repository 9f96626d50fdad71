/* SPDX-License-Identifier: Apache-2.0
 *
 * Fingerprints: sums, their forms, and rows of recorded and of made blocks.
 */
#include "tdengine/fingerprint.h"

#include <string.h>

/* A table of two columns of fixed and one of variable width, as a block has them. */
typedef struct {
    guint32 rows;
    guint8 bitmap[2][8];
    gint64 times[64];
    gint32 numbers[64];
    guint32 offsets[64];
    GByteArray *text;
    TdBlockColumn columns[3];
} Rows;

static const TdColumn columns[] = {{.name = "ts", .type = TD_TIMESTAMP},
                                   {.name = "v", .type = TD_INT},
                                   {.name = "s", .type = TD_VARCHAR, .bytes = 10}};

static void rows_init(Rows *rows)
{
    memset(rows, 0, sizeof *rows);
    rows->text = g_byte_array_new();
}

static void rows_clear(Rows *rows)
{
    g_byte_array_unref(rows->text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rows, rows_clear)

static void set_null(guint8 *bitmap, guint32 row)
{
    bitmap[row / 8] |= (guint8)(0x80 >> row % 8);
}

/* text NULL: NULL; number NULL: NULL, with rubbish in its place. */
static void add_row(Rows *rows, gint64 time, const gint32 *number, const char *text)
{
    guint32 row = rows->rows++;
    guint16 length = text != NULL ? (guint16)strlen(text) : 0;

    rows->times[row] = time;
    rows->numbers[row] = number != NULL ? *number : (gint32)(0x55aa0000 + row);
    if (number == NULL)
        set_null(rows->bitmap[1], row);
    rows->offsets[row] = text != NULL ? rows->text->len : G_MAXUINT32;
    if (text == NULL)
        return;
    g_byte_array_append(rows->text, (const guint8 *)&length, 2);
    g_byte_array_append(rows->text, (const guint8 *)text, length);
}

static TdFingerprint sum_of(Rows *rows, guint64 key, const char *table, guint32 from, guint32 count)
{
    g_autoptr(TdHasher) hasher = td_hasher_new(key, columns, G_N_ELEMENTS(columns));
    TdFingerprint sum = {0};
    TdBlockColumn views[] = {{.type = TD_TIMESTAMP,
                              .width = 8,
                              .bitmap = rows->bitmap[0],
                              .values = (const guint8 *)rows->times},
                             {.type = TD_INT,
                              .width = 4,
                              .bitmap = rows->bitmap[1],
                              .values = (const guint8 *)rows->numbers},
                             {.type = TD_VARCHAR,
                              .values = rows->text->data,
                              .offsets = (const guint8 *)rows->offsets,
                              .length = rows->text->len}};

    td_hasher_add(hasher, td_hasher_table_seed(hasher, table, strlen(table)), views, from, count,
                  &sum);
    return sum;
}

static void test_sums(void)
{
    TdFingerprint sum = {.low = G_MAXUINT64, .high = 7};
    const TdFingerprint one = {.low = 1}, before = sum;
    TdFingerprint again;
    char hex[TD_FINGERPRINT_HEX_SIZE];
    guint8 bytes[TD_FINGERPRINT_SIZE];

    td_fingerprint_add(&sum, one);
    g_assert_cmpuint(sum.low, ==, 0);
    g_assert_cmpuint(sum.high, ==, 8);
    td_fingerprint_subtract(&sum, one);
    g_assert_true(td_fingerprint_equal(sum, before));
    td_fingerprint_to_hex(sum, hex);
    g_assert_cmpstr(hex, ==, "0000000000000007ffffffffffffffff");
    g_assert_true(td_fingerprint_from_hex(hex, &again));
    g_assert_true(td_fingerprint_equal(again, before));
    g_assert_false(td_fingerprint_from_hex("7", &again));
    g_assert_false(td_fingerprint_from_hex("000000000000000gffffffffffffffff", &again));
    td_fingerprint_to_bytes(before, bytes);
    g_assert_cmpuint(bytes[7], ==, 7);
    g_assert_true(td_fingerprint_equal(td_fingerprint_from_bytes(bytes), before));
}

static void test_order_and_parts(void)
{
    g_auto(Rows) forward = {0}, backward = {0};
    TdFingerprint whole, parts;
    gint32 number;

    rows_init(&forward);
    rows_init(&backward);
    for (gint32 i = 0; i < 40; i++) {
        number = i * 3;
        add_row(&forward, i, i % 7 == 0 ? NULL : &number, i % 5 == 0 ? NULL : "text");
    }
    for (gint32 i = 39; i >= 0; i--) {
        number = i * 3;
        add_row(&backward, i, i % 7 == 0 ? NULL : &number, i % 5 == 0 ? NULL : "text");
    }
    whole = sum_of(&forward, 5, "t", 0, 40);
    g_assert_true(td_fingerprint_equal(whole, sum_of(&backward, 5, "t", 0, 40)));
    parts = sum_of(&forward, 5, "t", 0, 13);
    td_fingerprint_add(&parts, sum_of(&forward, 5, "t", 13, 27));
    g_assert_true(td_fingerprint_equal(whole, parts));
    g_assert_false(td_fingerprint_equal(whole, sum_of(&forward, 6, "t", 0, 40)));
    g_assert_false(td_fingerprint_equal(whole, sum_of(&forward, 5, "u", 0, 40)));
}

static void test_values(void)
{
    const gint32 zero = 0, one = 1;
    const struct {
        const gint32 *number;
        const char *text;
    } rows[] = {{NULL, NULL}, {&zero, NULL}, {NULL, ""}, {&zero, ""}, {&one, "a"}, {&one, "b"}};
    TdFingerprint sums[G_N_ELEMENTS(rows)];

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Rows) single = {0};

        rows_init(&single);
        add_row(&single, 100, rows[i].number, rows[i].text);
        sums[i] = sum_of(&single, 1, "t", 0, 1);
        for (guint j = 0; j < i; j++)
            g_assert_false(td_fingerprint_equal(sums[i], sums[j]));
    }
}

/* The bytes in the place of a NULL are rubbish, and differ from row to row. */
static void test_null_bytes(void)
{
    g_auto(Rows) first = {0}, second = {0};
    const gint32 number = 9;

    rows_init(&first);
    rows_init(&second);
    add_row(&first, 1, NULL, "x");
    add_row(&second, 0, &number, "y");
    add_row(&second, 1, NULL, "x");
    g_assert_true(
        td_fingerprint_equal(sum_of(&first, 1, "t", 0, 1), sum_of(&second, 1, "t", 1, 1)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fingerprint/sums", test_sums);
    g_test_add_func("/fingerprint/order-and-parts", test_order_and_parts);
    g_test_add_func("/fingerprint/values", test_values);
    g_test_add_func("/fingerprint/null-bytes", test_null_bytes);
    return g_test_run();
}
