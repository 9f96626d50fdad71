/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds of values.
 */
#include "parquet/statistics.h"

#include <math.h>
#include <string.h>

#include "parquet/cpu.h"

Order order_of(const ParquetColumn *column)
{
    gboolean is_unsigned = column->logical == PARQUET_INTEGER && !column->is_signed;

    if (column->logical == PARQUET_OTHER || column->logical == PARQUET_FLOAT16)
        return ORDER_NONE;
    switch (column->type) {
    case PARQUET_BOOLEAN:
        return ORDER_BOOLEAN;
    case PARQUET_INT32:
        return is_unsigned ? ORDER_UINT32 : ORDER_INT32;
    case PARQUET_INT64:
        return is_unsigned ? ORDER_UINT64 : ORDER_INT64;
    case PARQUET_FLOAT:
        return ORDER_FLOAT;
    case PARQUET_DOUBLE:
        return ORDER_DOUBLE;
    case PARQUET_FIXED:
        return column->logical == PARQUET_DECIMAL ? ORDER_DECIMAL : ORDER_BYTES;
    case PARQUET_BYTE_ARRAY:
        /* Decimals of varying length compare by value, which nobody needs here. */
        return column->logical == PARQUET_DECIMAL ? ORDER_NONE : ORDER_BYTES;
    case PARQUET_INT96:
        return ORDER_NONE;
    }
    return ORDER_NONE;
}

gsize order_width(Order order)
{
    switch (order) {
    case ORDER_BOOLEAN:
        return 1;
    case ORDER_INT32:
    case ORDER_UINT32:
    case ORDER_FLOAT:
        return 4;
    case ORDER_INT64:
    case ORDER_UINT64:
    case ORDER_DOUBLE:
        return 8;
    default:
        return 0;
    }
}

static gint compare_bytes(const guint8 *a, gsize a_length, const guint8 *b, gsize b_length)
{
    gsize common = MIN(a_length, b_length);
    /* Bytes of length 0 may have no address. */
    gint result = common == 0 ? 0 : memcmp(a, b, common);

    return result != 0 ? result : (a_length > b_length) - (a_length < b_length);
}

#define COMPARE_AS(type)                                                                           \
    do {                                                                                           \
        type x, y;                                                                                 \
        memcpy(&x, a, sizeof x);                                                                   \
        memcpy(&y, b, sizeof y);                                                                   \
        return (x > y) - (x < y);                                                                  \
    } while (0)

gint order_compare(Order order, const guint8 *a, gsize a_length, const guint8 *b, gsize b_length)
{
    switch (order) {
    case ORDER_BOOLEAN:
        COMPARE_AS(guint8);
    case ORDER_INT32:
        COMPARE_AS(gint32);
    case ORDER_UINT32:
        COMPARE_AS(guint32);
    case ORDER_INT64:
        COMPARE_AS(gint64);
    case ORDER_UINT64:
        COMPARE_AS(guint64);
    case ORDER_FLOAT:
        COMPARE_AS(float);
    case ORDER_DOUBLE:
        COMPARE_AS(double);
    case ORDER_DECIMAL:
        /* With the sign bit turned around, two's complement compares like unsigned bytes. */
        if (a_length > 0 && b_length > 0 && ((a[0] ^ b[0]) & 0x80) != 0)
            return (a[0] & 0x80) != 0 ? -1 : 1;
        return compare_bytes(a, a_length, b, b_length);
    case ORDER_BYTES:
    case ORDER_NONE:
        return compare_bytes(a, a_length, b, b_length);
    }
    return 0;
}

gboolean order_is_nan(Order order, const guint8 *value)
{
    float f;
    double d;

    if (order == ORDER_FLOAT) {
        memcpy(&f, value, sizeof f);
        return isnan(f);
    }
    if (order == ORDER_DOUBLE) {
        memcpy(&d, value, sizeof d);
        return isnan(d);
    }
    return FALSE;
}

void range_add(Range *range, Order order, const guint8 *value, gsize length)
{
    if (order_is_nan(order, value))
        return;
    if (!range->any || order_compare(order, value, length, range->min, range->min_length) < 0) {
        range->min = value;
        range->min_length = length;
    }
    if (!range->any || order_compare(order, value, length, range->max, range->max_length) > 0) {
        range->max = value;
        range->max_length = length;
    }
    range->any = TRUE;
}

/* Smallest and largest of a run without NaN, in several lanes, which the compiler turns into
 * vectors. */
#define DEFINE_BOUNDS(name, type)                                                                  \
    CPU_INLINE void name##_body(const type *values, gsize count, type *bounds)                     \
    {                                                                                              \
        type low[8], high[8];                                                                      \
        gsize i = 0;                                                                               \
                                                                                                   \
        for (guint k = 0; k < 8; k++)                                                              \
            low[k] = high[k] = values[0];                                                          \
        for (; count - i >= 8; i += 8) {                                                           \
            for (guint k = 0; k < 8; k++) {                                                        \
                low[k] = values[i + k] < low[k] ? values[i + k] : low[k];                          \
                high[k] = values[i + k] > high[k] ? values[i + k] : high[k];                       \
            }                                                                                      \
        }                                                                                          \
        for (; i < count; i++) {                                                                   \
            low[0] = values[i] < low[0] ? values[i] : low[0];                                      \
            high[0] = values[i] > high[0] ? values[i] : high[0];                                   \
        }                                                                                          \
        for (guint k = 1; k < 8; k++) {                                                            \
            low[0] = low[k] < low[0] ? low[k] : low[0];                                            \
            high[0] = high[k] > high[0] ? high[k] : high[0];                                       \
        }                                                                                          \
        bounds[0] = low[0];                                                                        \
        bounds[1] = high[0];                                                                       \
    }                                                                                              \
    static void name(const type *values, gsize count, type *bounds);                               \
    CPU_DISPATCH(void, name, (const type *values, gsize count, type *bounds),                      \
                 (values, count, bounds))

DEFINE_BOUNDS(bounds_i32, gint32)
DEFINE_BOUNDS(bounds_u32, guint32)
DEFINE_BOUNDS(bounds_i64, gint64)
DEFINE_BOUNDS(bounds_u64, guint64)
DEFINE_BOUNDS(bounds_f32, float)
DEFINE_BOUNDS(bounds_f64, double)

/* Comparing with a NaN is false either way, so a NaN in the middle changes nothing; only the first
 * value of a lane must be a number. */
static gsize leading_nans(Order order, const guint8 *values, gsize count, gsize width)
{
    gsize i = 0;

    while (i < count && order_is_nan(order, values + i * width))
        i++;
    return i;
}

static void range_keep(Range *range, const void *low, const void *high, gsize width)
{
    memcpy(range->store[0], low, width);
    memcpy(range->store[1], high, width);
    range->min = range->store[0];
    range->max = range->store[1];
    range->min_length = range->max_length = width;
    range->any = TRUE;
}

#define RANGE_AS(bounds_of, type)                                                                  \
    do {                                                                                           \
        type bounds[2];                                                                            \
        bounds_of((const type *)(gconstpointer)at, count, bounds);                                 \
        range_keep(range, &bounds[0], &bounds[1], sizeof(type));                                   \
        return;                                                                                    \
    } while (0)

void range_of_values(Range *range, Order order, const void *values, gsize count, gsize width)
{
    const guint8 *at = values;
    gsize skipped = leading_nans(order, at, count, width);

    at += skipped * width;
    count -= skipped;
    if (count == 0)
        return;
    switch (order) {
    case ORDER_INT32:
        RANGE_AS(bounds_i32, gint32);
    case ORDER_UINT32:
        RANGE_AS(bounds_u32, guint32);
    case ORDER_INT64:
        RANGE_AS(bounds_i64, gint64);
    case ORDER_UINT64:
        RANGE_AS(bounds_u64, guint64);
    case ORDER_FLOAT:
        RANGE_AS(bounds_f32, float);
    case ORDER_DOUBLE:
        RANGE_AS(bounds_f64, double);
    case ORDER_BOOLEAN:
    case ORDER_BYTES:
    case ORDER_DECIMAL:
        for (gsize i = 0; i < count; i++)
            range_add(range, order, at + i * width, width);
        return;
    case ORDER_NONE:
        return;
    }
}

static GBytes *float_bytes(const guint8 *value, gboolean largest)
{
    float number;

    memcpy(&number, value, sizeof number);
    if (number == 0)
        number = largest ? 0.0f : -0.0f;
    return g_bytes_new(&number, sizeof number);
}

static GBytes *double_bytes(const guint8 *value, gboolean largest)
{
    double number;

    memcpy(&number, value, sizeof number);
    if (number == 0)
        number = largest ? 0.0 : -0.0;
    return g_bytes_new(&number, sizeof number);
}

/* Bytes to keep of a long value: at most STATISTICS_BOUND_MAX, and no part of a character where it
 * is text. */
static gsize cut_length(const guint8 *value, gboolean text)
{
    gsize length = STATISTICS_BOUND_MAX;

    while (text && length > 0 && (value[length] & 0xc0) == 0x80)
        length--;
    return length;
}

GBytes *range_min_bytes(const Range *range, Order order, gboolean text, gboolean *ret_exact)
{
    *ret_exact = TRUE;
    if (!range->any)
        return NULL;
    if (order == ORDER_FLOAT)
        return float_bytes(range->min, FALSE);
    if (order == ORDER_DOUBLE)
        return double_bytes(range->min, FALSE);
    if (order != ORDER_BYTES || range->min_length <= STATISTICS_BOUND_MAX)
        return g_bytes_new(range->min, range->min_length);
    *ret_exact = FALSE;
    return g_bytes_new(range->min, cut_length(range->min, text));
}

/* Raises the last character that can be, and drops what is behind it. Gives the new length; 0 where
 * there is none. */
static gsize raise_text(guint8 *value, gsize length)
{
    while (length > 0) {
        gsize start = length - 1;
        gunichar letter;

        while (start > 0 && (value[start] & 0xc0) == 0x80)
            start--;
        letter = g_utf8_get_char_validated((const char *)value + start, (gssize)(length - start));
        if (letter < 0x10ffff) {
            char raised[6];
            gint size;

            letter = letter == 0xd7ff ? 0xe000 : letter + 1;
            size = g_unichar_to_utf8(letter, raised);
            /* A longer character may not fit what was cut. */
            if ((gsize)size <= length - start) {
                memcpy(value + start, raised, (gsize)size);
                return start + (gsize)size;
            }
        }
        length = start;
    }
    return 0;
}

static gsize raise_bytes(guint8 *value, gsize length)
{
    while (length > 0 && value[length - 1] == 0xff)
        length--;
    if (length > 0)
        value[length - 1]++;
    return length;
}

GBytes *range_max_bytes(const Range *range, Order order, gboolean text, gboolean *ret_exact)
{
    guint8 cut[STATISTICS_BOUND_MAX];
    gsize length;

    *ret_exact = TRUE;
    if (!range->any)
        return NULL;
    if (order == ORDER_FLOAT)
        return float_bytes(range->max, TRUE);
    if (order == ORDER_DOUBLE)
        return double_bytes(range->max, TRUE);
    if (order != ORDER_BYTES || range->max_length <= STATISTICS_BOUND_MAX)
        return g_bytes_new(range->max, range->max_length);
    length = cut_length(range->max, text);
    memcpy(cut, range->max, length);
    length = text ? raise_text(cut, length) : raise_bytes(cut, length);
    /* Nothing short is above a run of the highest byte. */
    if (length == 0)
        return g_bytes_new(range->max, range->max_length);
    *ret_exact = FALSE;
    return g_bytes_new(cut, length);
}
