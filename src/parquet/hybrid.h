/* SPDX-License-Identifier: Apache-2.0
 *
 * The RLE / bit-packing hybrid (encoding RLE), for dictionary indexes, and its one-bit case, for
 * definition levels and booleans, which works on bitmaps without unpacking them.
 *
 * Source: Encodings.md of the Apache Parquet format, "Run Length Encoding / Bit-Packing Hybrid".
 */
#ifndef HOLDFAST_PARQUET_HYBRID_H
#define HOLDFAST_PARQUET_HYBRID_H

#include <glib.h>

/* The most bytes that hybrid_encode() can write. */
gsize hybrid_bound(gsize count, guint width);

/* Encodes values of 1 to 32 bits. Gives the bytes written. */
gsize hybrid_encode(const guint32 *values, gsize count, guint width, guint8 *out);

/* Decodes exactly `count` values of 0 to 32 bits. ERROR_FORMAT where the bytes do not hold so many;
 * bytes behind them are not looked at. */
gboolean hybrid_decode(const guint8 *in, gsize length, guint width, guint32 *values, gsize count,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One-bit values from a bitmap, starting at bit `from`, which is a multiple of 8. A NULL bitmap is
 * all ones. */
gsize hybrid_bitmap_bound(gsize count);
gsize hybrid_encode_bitmap(const guint8 *bitmap, gsize from, gsize count, guint8 *out);
/* Fills `count` bits of a bitmap from bit 0 on. */
gboolean hybrid_decode_bitmap(const guint8 *in, gsize length, guint8 *bitmap, gsize count,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
