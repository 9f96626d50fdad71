/* SPDX-License-Identifier: Apache-2.0
 *
 * Blocks that a real server sent, decoded to the rows that its row interface gave; blocks that were
 * broken afterwards.
 */
#include "tdengine/block.h"

#include "base/json.h"

#include <string.h>

#define BLOCKS       GOLDEN "/tdengine/blocks"
#define REPLY_HEADER 55 /* before the block in a whole reply without a message */

/* --- recorded blocks -------------------------------------------------------------------------- */

static json_t *read_json(const char *name)
{
    g_autofree char *path = g_build_filename(BLOCKS, name, NULL);
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize length;
    json_t *json;

    g_assert_true(g_file_get_contents(path, &text, &length, &error));
    json = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    g_assert_nonnull(json);
    return json;
}

static guint8 *read_block(const char *name, gsize *ret_length)
{
    g_autofree char *path = g_build_filename(BLOCKS, name, NULL);
    char *bytes;

    g_assert_true(g_file_get_contents(path, &bytes, ret_length, NULL));
    return (guint8 *)bytes;
}

/* The unscaled number of up to 16 bytes as the recordings write it: no fraction on a zero. */
static char *decimal_text(const guint8 *bytes, guint width, guint scale)
{
    __int128 number = 0;
    unsigned __int128 rest;
    g_autoptr(GString) digits = g_string_new(NULL);

    if (width == 8) {
        gint64 narrow;

        memcpy(&narrow, bytes, 8);
        number = narrow;
    } else {
        memcpy(&number, bytes, 16);
    }
    if (number == 0)
        return g_strdup("0");
    rest = number < 0 ? -(unsigned __int128)number : (unsigned __int128)number;
    for (guint i = 0; rest != 0 || i <= scale; i++, rest /= 10) {
        if (i == scale && scale != 0)
            g_string_prepend_c(digits, '.');
        g_string_prepend_c(digits, (char)('0' + (int)(rest % 10)));
    }
    if (number < 0)
        g_string_prepend_c(digits, '-');
    return g_string_free(g_steal_pointer(&digits), FALSE);
}

static gint64 integer_of(const TdBlockColumn *column, const guint8 *bytes)
{
    guint64 number = 0;
    const guint spare = 64 - 8 * column->width;

    memcpy(&number, bytes, column->width);
    if (column->type == TD_BOOL || (column->type >= TD_UTINYINT && column->type <= TD_UBIGINT))
        return (gint64)number;
    return (gint64)(number << spare) >> spare;
}

static void expect_real(const json_t *want, double got)
{
    double number;

    if (json_is_string(want)) { /* NaN, Infinity, -Infinity */
        number = g_ascii_strtod(json_string_value(want), NULL);
        if (number != number) {
            g_assert_true(got != got);
            return;
        }
    } else {
        g_assert_true(json_is_number(want));
        number = json_number_value(want);
    }
    g_assert_cmpmem(&number, sizeof number, &got, sizeof got);
}

static void expect_bytes(const json_t *want, TdType type, const guint8 *bytes, guint32 length)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const json_t *hex = json_is_object(want) ? json_object_get(want, "hex") : NULL;

    if (type == TD_NCHAR) {
        g_assert_true(td_nchar_to_utf8(bytes, length, text, NULL));
    } else if (hex != NULL || type == TD_VARBINARY || type == TD_GEOMETRY || type == TD_BLOB) {
        want = hex != NULL ? hex : want;
        for (guint32 i = 0; i < length; i++)
            g_string_append_printf(text, "%02x", bytes[i]);
    } else {
        g_string_append_len(text, (const char *)bytes, length);
    }
    g_assert_true(json_is_string(want));
    g_assert_cmpmem(text->str, text->len, json_string_value(want), json_string_length(want));
}

static void expect_value(const json_t *want, const TdBlockColumn *column, guint32 row)
{
    guint32 length;
    const guint8 *bytes;
    g_autofree char *text = NULL;
    float narrow;
    double wide;

    if (td_block_is_null(column, row)) {
        g_assert_true(json_is_null(want));
        return;
    }
    bytes = td_block_value(column, row, &length);
    switch (column->type) {
    case TD_BOOL:
        g_assert_true(json_is_boolean(want));
        g_assert_cmpint(json_is_true(want), ==, bytes[0]);
        return;
    case TD_FLOAT:
        memcpy(&narrow, bytes, sizeof narrow);
        if (json_is_number(want)) { /* the shortest decimal of the same four bytes */
            const float number = (float)json_number_value(want);

            g_assert_cmpmem(&number, sizeof number, bytes, length);
            return;
        }
        expect_real(want, (double)narrow);
        return;
    case TD_DOUBLE:
        memcpy(&wide, bytes, sizeof wide);
        expect_real(want, wide);
        return;
    case TD_DECIMAL:
    case TD_DECIMAL64:
        text = decimal_text(bytes, column->width, column->scale);
        g_assert_cmpstr(json_string_value(want), ==, text);
        return;
    default:
        break;
    }
    if (column->width == 0) {
        expect_bytes(want, column->type, bytes, length);
    } else if (json_is_integer(want)) {
        g_assert_cmpint(json_integer_value(want), ==, integer_of(column, bytes));
    } else {
        text = column->type == TD_UBIGINT
                   ? g_strdup_printf("%" G_GUINT64_FORMAT, (guint64)integer_of(column, bytes))
                   : g_strdup_printf("%" G_GINT64_FORMAT, integer_of(column, bytes));
        g_assert_cmpstr(json_string_value(want), ==, text);
    }
}

static void expect_columns(const json_t *columns, const TdBlock *block)
{
    g_assert_cmpuint(json_array_size(columns), ==, block->n_columns);
    for (guint i = 0; i < block->n_columns; i++) {
        const json_t *want = json_array_get(columns, i);
        const TdBlockColumn *column = &block->columns[i];

        g_assert_cmpuint(json_get_uint(want, "type", 0), ==, column->type);
        if (column->type == TD_DECIMAL || column->type == TD_DECIMAL64) {
            g_assert_cmpuint(json_get_uint(want, "precision", 0), ==, column->precision);
            g_assert_cmpuint(json_get_uint(want, "scale", 0), ==, column->scale);
        }
    }
}

/* Decodes the blocks of one recorded query; gives the number of blocks. */
static guint check_recording(const char *name)
{
    g_autoptr(json_t) want = read_json(name);
    const json_t *files = json_object_get(want, "files");
    const json_t *rows = json_object_get(want, "rows");
    const json_t *told = json_object_get(want, "blocks");
    const gboolean reply = g_str_has_prefix(name, "ws_reply");
    g_auto(TdBlock) block = {0};
    guint seen = 0, row = 0;

    for (guint i = 0; i < json_array_size(files); i++) {
        gsize length;
        g_autofree guint8 *bytes = read_block(json_string_value(json_array_get(files, i)), &length);
        const gsize skip = reply ? REPLY_HEADER : 0;
        g_autoptr(GError) error = NULL;

        if (reply && json_array_size(rows) == 0) /* finished, or an error */
            continue;
        g_assert_true(td_block_decode(&block, bytes + skip, length - skip, &error));
        g_assert_no_error(error);
        expect_columns(json_object_get(want, "columns"), &block);
        if (told != NULL) {
            const char *group = json_get_string(json_array_get(told, i), "group_id", "");

            g_assert_cmpuint(g_ascii_strtoull(group, NULL, 10), ==, block.group);
        }
        for (guint r = 0; r < block.rows; r++, row++)
            for (guint c = 0; c < block.n_columns; c++)
                expect_value(json_array_get(json_array_get(rows, row), c), &block.columns[c], r);
        seen++;
    }
    g_assert_cmpuint(row, ==, json_array_size(rows));
    return seen;
}

static void test_recorded(void)
{
    g_autoptr(GDir) directory = g_dir_open(BLOCKS, 0, NULL);
    guint blocks = 0;

    g_assert_nonnull(directory);
    for (const char *name; (name = g_dir_read_name(directory)) != NULL;)
        if (g_str_has_suffix(name, ".json"))
            blocks += check_recording(name);
    g_assert_cmpuint(blocks, ==, 60);
}

/* --- broken blocks ---------------------------------------------------------------------------- */

/* Reads every value, so that the sanitizers see what lies outside. */
static void touch(const TdBlock *block)
{
    guint sum = 0;

    for (guint c = 0; c < block->n_columns; c++)
        for (guint r = 0; r < block->rows; r++) {
            guint32 length;
            const guint8 *value;

            if (td_block_is_null(&block->columns[c], r))
                continue;
            value = td_block_value(&block->columns[c], r, &length);
            for (guint32 i = 0; i < length; i++)
                sum += value[i];
        }
    g_assert_cmpuint(sum, <, G_MAXUINT);
}

static void expect_refused(const guint8 *bytes, gsize length, const char *word)
{
    g_autofree guint8 *copy = g_memdup2(bytes, length); /* no byte behind it */
    g_auto(TdBlock) block = {0};
    g_autoptr(GError) error = NULL;

    g_assert_false(td_block_decode(&block, copy, length, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, word));
}

static void put32(guint8 *bytes, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(bytes, &value, sizeof value);
}

static void test_cut(void)
{
    gsize length;
    g_autofree guint8 *bytes = read_block("ms_all_types.bin", &length);

    for (gsize cut = 0; cut < length; cut++) {
        expect_refused(bytes, cut, "block");
        if (cut < 8)
            continue;
        put32(bytes + 4, (guint32)cut); /* a length that agrees with the cut */
        expect_refused(bytes, cut, "block");
    }
}

/* Every single byte changed to a few values: refused, or values that lie inside. */
static void test_changed(void)
{
    static const guint8 values[] = {0, 1, 0x7f, 0x80, 0xff};
    gsize length;
    g_autofree guint8 *bytes = read_block("ms_all_types.bin", &length);

    for (gsize at = 0; at < length; at++)
        for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
            g_autofree guint8 *copy = g_memdup2(bytes, length);
            g_auto(TdBlock) block = {0};
            g_autoptr(GError) error = NULL;

            copy[at] = values[i];
            if (td_block_decode(&block, copy, length, &error))
                touch(&block);
            else
                g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
        }
}

/* ms_varchar.bin: two columns, a timestamp and a VARCHAR. */
static void test_refused(void)
{
    gsize length;
    g_autofree guint8 *bytes = read_block("ms_varchar.bin", &length);
    const guint32 rows = bytes[8];
    const gsize offsets = 28 + 9 * 2 + (rows + 7) / 8 + 8 * rows;
    const guint32 offset = bytes[offsets];

    g_assert_cmpuint(bytes[12], ==, 2);
    put32(bytes + offsets, (guint32)-2);
    expect_refused(bytes, length, "value 0 of block column 1");
    put32(bytes + offsets, (guint32)length);
    expect_refused(bytes, length, "value 0 of block column 1");
    put32(bytes + offsets, offset);
    bytes[offsets + 4 * rows] = 0xff; /* its length */
    bytes[offsets + 4 * rows + 1] = 0xff;
    expect_refused(bytes, length, "value 0 of block column 1");
    put32(bytes + 8, 0x10000001); /* rows whose bytes overflow 32 bits */
    expect_refused(bytes, length, "block column 0");
    bytes[28] = 22;
    expect_refused(bytes, length, "type 22");
    put32(bytes + 16, 0);
    expect_refused(bytes, length, "types of its columns");
    put32(bytes + 12, 0x80000001);
    expect_refused(bytes, length, "columns");
    put32(bytes, 3);
    expect_refused(bytes, length, "version 3");
}

static void test_nchar(void)
{
    static const guint8 good[] = {'a', 0, 0, 0, 0, 0, 0, 0, 0x00, 0xf6, 0x01, 0, 0xff, 0xff, 0, 0};
    static const guint8 surrogate[] = {0x00, 0xd8, 0, 0};
    static const guint8 high[] = {0, 0, 0x11, 0};
    g_autoptr(GString) text = g_string_new("x");
    g_autoptr(GError) error = NULL;

    g_assert_true(td_nchar_to_utf8(good, sizeof good, text, &error));
    g_assert_cmpmem(text->str, text->len, "xa\0\xf0\x9f\x98\x80\xef\xbf\xbf", 10);
    g_assert_false(td_nchar_to_utf8(surrogate, 4, text, &error));
    g_assert_error(error, ERROR_DOMAIN, ERROR_FORMAT);
    g_clear_error(&error);
    g_assert_false(td_nchar_to_utf8(high, 4, text, &error));
    g_clear_error(&error);
    g_assert_false(td_nchar_to_utf8(good, 5, text, &error));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/block/recorded", test_recorded);
    g_test_add_func("/tdengine/block/cut", test_cut);
    g_test_add_func("/tdengine/block/changed", test_changed);
    g_test_add_func("/tdengine/block/refused", test_refused);
    g_test_add_func("/tdengine/block/nchar", test_nchar);
    return g_test_run();
}
