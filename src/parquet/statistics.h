/* SPDX-License-Identifier: Apache-2.0
 *
 * The smallest and largest of values, by the order that the format defines for a column's type, and
 * what is written of them.
 *
 * Rules: NaN is left out; a bound of zero is written as -0 (smallest) or +0 (largest); long byte
 * arrays are cut, the largest then being raised so that it stays a bound.
 *
 * Source: parquet.thrift, ColumnOrder and Statistics.
 */
#ifndef HOLDFAST_PARQUET_STATISTICS_H
#define HOLDFAST_PARQUET_STATISTICS_H

#include <glib.h>

#include "parquet/schema.h"

/* Byte arrays are cut to so many bytes. */
#define STATISTICS_BOUND_MAX 64

typedef enum {
    ORDER_NONE, /* no order is defined or known: no bounds */
    ORDER_BOOLEAN,
    ORDER_INT32,
    ORDER_UINT32,
    ORDER_INT64,
    ORDER_UINT64,
    ORDER_FLOAT,
    ORDER_DOUBLE,
    ORDER_BYTES,  /* unsigned, byte by byte */
    ORDER_DECIMAL /* FIXED: big-endian two's complement */
} Order;

Order order_of(const ParquetColumn *column);

/* Below, at or above 0 as `a` is smaller, equal or larger. Both are values in PLAIN form (byte
 * arrays without their length); where the order has a fixed width, so have they. Not for NaN. */
gint order_compare(Order order, const guint8 *a, gsize a_length, const guint8 *b, gsize b_length);

/* Bytes of a value in this order: 1, 4, 8; 0 where it is the column's. */
gsize order_width(Order order);

/* True for a float or double NaN. */
gboolean order_is_nan(Order order, const guint8 *value);

/* A range of values; all zero is the empty one. The pointers are into the caller's data, or into
 * `store`: do not copy. */
typedef struct {
    gboolean any;
    const guint8 *min, *max;
    gsize min_length, max_length;
    guint8 store[2][8];
} Range;

/* Widens a range by one value. */
void range_add(Range *range, Order order, const guint8 *value, gsize length);

/* Sets an empty range to that of `count` values of `width` bytes. */
void range_of_values(Range *range, Order order, const void *values, gsize count, gsize width);

/* What is written of a range: new bytes, cut where they are long. `text` cuts between characters.
 * NULL where there is no bound. *ret_exact is false where it was cut. */
GBytes *range_min_bytes(const Range *range, Order order, gboolean text, gboolean *ret_exact);
GBytes *range_max_bytes(const Range *range, Order order, gboolean text, gboolean *ret_exact);

#endif
