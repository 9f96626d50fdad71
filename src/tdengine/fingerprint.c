/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows as bytes, column by column, and their sums.
 */
#include "tdengine/fingerprint.h"

#include <string.h>

#include "codec/hash.h"

/* Rows that are laid out as bytes at the same time, at most: they fit the processor's cache. */
#define BATCH_ROWS 512u

void td_fingerprint_add(TdFingerprint *sum, TdFingerprint more)
{
    sum->low += more.low;
    sum->high += more.high + (sum->low < more.low);
}

void td_fingerprint_subtract(TdFingerprint *sum, TdFingerprint less)
{
    gboolean borrow = sum->low < less.low;

    sum->low -= less.low;
    sum->high -= less.high + borrow;
}

gboolean td_fingerprint_equal(TdFingerprint a, TdFingerprint b)
{
    return a.low == b.low && a.high == b.high;
}

void td_fingerprint_to_hex(TdFingerprint fingerprint, char hex[TD_FINGERPRINT_HEX_SIZE])
{
    g_snprintf(hex, TD_FINGERPRINT_HEX_SIZE, "%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x",
               fingerprint.high, fingerprint.low);
}

gboolean td_fingerprint_from_hex(const char *hex, TdFingerprint *ret_fingerprint)
{
    guint64 half[2] = {0, 0};

    if (strlen(hex) != TD_FINGERPRINT_HEX_SIZE - 1)
        return FALSE;
    for (guint i = 0; i < TD_FINGERPRINT_HEX_SIZE - 1; i++) {
        int digit = g_ascii_xdigit_value(hex[i]);

        if (digit < 0)
            return FALSE;
        half[i / 16] = half[i / 16] << 4 | (guint64)digit;
    }
    *ret_fingerprint = (TdFingerprint){.high = half[0], .low = half[1]};
    return TRUE;
}

void td_fingerprint_to_bytes(TdFingerprint fingerprint, guint8 bytes[TD_FINGERPRINT_SIZE])
{
    guint64 halves[2] = {GUINT64_TO_BE(fingerprint.high), GUINT64_TO_BE(fingerprint.low)};

    memcpy(bytes, halves, sizeof halves);
}

TdFingerprint td_fingerprint_from_bytes(const guint8 bytes[TD_FINGERPRINT_SIZE])
{
    guint64 halves[2];

    memcpy(halves, bytes, sizeof halves);
    return (TdFingerprint){.high = GUINT64_FROM_BE(halves[0]), .low = GUINT64_FROM_BE(halves[1])};
}

/* --- Rows ------------------------------------------------------------------------------------- */

struct TdHasher {
    guint64 seed; /* of the columns */
    guint n_columns;
    guint bitmap;  /* bytes */
    guint fixed;   /* bytes of bitmap and fixed columns: where the variable ones begin */
    guint *offset; /* of each fixed column in a row */
    gboolean variable;
    GByteArray *rows;               /* of a batch, one after the other */
    guint32 starts[BATCH_ROWS + 1]; /* where each begins */
    guint32 at[BATCH_ROWS];         /* where its next variable value goes */
};

static guint64 schema_seed(guint64 key, const TdColumn *columns, guint n_columns)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < n_columns; i++) {
        g_string_append_len(text, columns[i].name, (gssize)strlen(columns[i].name) + 1);
        g_string_append(text, td_type_name(columns[i].type));
        if (columns[i].type == TD_DECIMAL || columns[i].type == TD_DECIMAL64)
            g_string_append_printf(text, "(%u,%u)", columns[i].precision, columns[i].scale);
        g_string_append_c(text, '\0');
    }
    return xxh3_buffer(text->str, text->len, key).low;
}

TdHasher *td_hasher_new(guint64 key, const TdColumn *columns, guint n_columns)
{
    TdHasher *hasher = g_new0(TdHasher, 1);

    hasher->seed = schema_seed(key, columns, n_columns);
    hasher->n_columns = n_columns;
    hasher->bitmap = (n_columns + 7) / 8;
    hasher->fixed = hasher->bitmap;
    hasher->offset = g_new0(guint, n_columns);
    for (guint i = 0; i < n_columns; i++) {
        guint width = td_type_width(columns[i].type);

        hasher->offset[i] = hasher->fixed;
        hasher->fixed += width;
        hasher->variable = hasher->variable || width == 0;
    }
    hasher->rows = g_byte_array_new();
    return hasher;
}

void td_hasher_free(TdHasher *hasher)
{
    if (hasher == NULL)
        return;
    g_free(hasher->offset);
    g_byte_array_unref(hasher->rows);
    g_free(hasher);
}

guint64 td_hasher_table_seed(const TdHasher *hasher, const char *table, gsize length)
{
    return xxh3_buffer(table, length, hasher->seed).low;
}

/* Where each row of the batch begins: sums up the lengths of the variable values. */
static void measure(TdHasher *hasher, const TdBlockColumn *columns, guint32 from, guint32 count)
{
    guint32 start = 0;

    for (guint32 row = 0; row < count; row++)
        hasher->at[row] = hasher->fixed;
    for (guint i = 0; hasher->variable && i < hasher->n_columns; i++) {
        if (columns[i].width != 0)
            continue;
        for (guint32 row = 0; row < count; row++) {
            guint32 length = 0;

            if (!td_block_is_null(&columns[i], from + row))
                (void)td_block_value(&columns[i], from + row, &length);
            hasher->at[row] += 4 + length;
        }
    }
    for (guint32 row = 0; row < count; row++) {
        hasher->starts[row] = start;
        start += hasher->at[row];
        hasher->at[row] = hasher->starts[row] + hasher->fixed;
    }
    hasher->starts[count] = start;
}

/* A width that the compiler knows becomes a single store. */
#define LAY_OUT(width_)                                                                            \
    for (guint32 row = 0; row < count; row++)                                                      \
    memcpy(to + hasher->starts[row], values + (gsize)row * (width_), (width_))

static void lay_out_fixed(TdHasher *hasher, guint index, const TdBlockColumn *column, guint32 from,
                          guint32 count)
{
    guint8 *to = hasher->rows->data + hasher->offset[index];
    const guint8 *values = column->values + (gsize)from * column->width;

    switch (column->width) {
    case 1:
        LAY_OUT(1);
        break;
    case 2:
        LAY_OUT(2);
        break;
    case 4:
        LAY_OUT(4);
        break;
    case 8:
        LAY_OUT(8);
        break;
    default:
        LAY_OUT(column->width);
        break;
    }
}

static void lay_out_variable(TdHasher *hasher, const TdBlockColumn *column, guint32 from,
                             guint32 count)
{
    for (guint32 row = 0; row < count; row++) {
        guint8 *to = hasher->rows->data + hasher->at[row];
        const guint8 *value = NULL;
        guint32 length = 0, stored;

        if (!td_block_is_null(column, from + row))
            value = td_block_value(column, from + row, &length);
        stored = GUINT32_TO_LE(length);
        memcpy(to, &stored, 4);
        if (length > 0)
            memcpy(to + 4, value, length);
        hasher->at[row] += 4 + length;
    }
}

/* Marks NULLs, and clears the bytes that a block has in their place. */
static void lay_out_nulls(TdHasher *hasher, guint index, const TdBlockColumn *column, guint32 from,
                          guint32 count)
{
    for (guint32 row = 0; row < count; row++) {
        guint8 *to = hasher->rows->data + hasher->starts[row];

        if (!td_block_is_null(column, from + row))
            continue;
        to[index / 8] |= (guint8)(1u << index % 8);
        if (column->width != 0)
            memset(to + hasher->offset[index], 0, column->width);
    }
}

static void add_batch(TdHasher *hasher, guint64 table_seed, const TdBlockColumn *columns,
                      guint32 from, guint32 count, TdFingerprint *sum)
{
    measure(hasher, columns, from, count);
    g_byte_array_set_size(hasher->rows, hasher->starts[count]);
    for (guint32 row = 0; row < count; row++)
        memset(hasher->rows->data + hasher->starts[row], 0, hasher->bitmap);
    for (guint i = 0; i < hasher->n_columns; i++) {
        if (columns[i].width != 0)
            lay_out_fixed(hasher, i, &columns[i], from, count);
        else
            lay_out_variable(hasher, &columns[i], from, count);
        lay_out_nulls(hasher, i, &columns[i], from, count);
    }
    for (guint32 row = 0; row < count; row++) {
        Hash128 hash = xxh3_buffer(hasher->rows->data + hasher->starts[row],
                                   hasher->starts[row + 1] - hasher->starts[row], table_seed);

        td_fingerprint_add(sum, (TdFingerprint){.low = hash.low, .high = hash.high});
    }
}

/* Rows that are laid out together: few where they are long. */
static guint32 batch_rows(const TdHasher *hasher)
{
    return CLAMP(4u * 1024 * 1024 / (hasher->fixed + hasher->n_columns * 64), 1, BATCH_ROWS);
}

void td_hasher_add(TdHasher *hasher, guint64 table_seed, const TdBlockColumn *columns, guint32 from,
                   guint32 count, TdFingerprint *sum)
{
    const guint32 most = batch_rows(hasher);

    while (count > 0) {
        guint32 batch = MIN(count, most);

        add_batch(hasher, table_seed, columns, from, batch, sum);
        from += batch;
        count -= batch;
    }
}
