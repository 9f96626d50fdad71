/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs of integers packed to a fixed number of bits each, the lowest bit first, and bitmaps in the
 * same order.
 */
#ifndef HOLDFAST_PARQUET_BITS_H
#define HOLDFAST_PARQUET_BITS_H

#include <glib.h>

/* Packs 32 values of `width` bits (0 to 64; higher bits must be zero) to 4 * width bytes. */
void bits_pack_64(const guint64 values[32], guint width, guint8 *out);
/* The same for values of 0 to 32 bits. */
void bits_pack_32(const guint32 values[32], guint width, guint8 *out);

/* Unpacks 4 * width bytes to 32 values. Reads no byte more. */
void bits_unpack_64(const guint8 *in, guint width, guint64 values[32]);
void bits_unpack_32(const guint8 *in, guint width, guint32 values[32]);

/* Bits needed to write a value: 0 for 0, 3 for 5. */
static inline guint bits_needed(guint64 value)
{
    return value == 0 ? 0 : 64 - (guint)__builtin_clzll(value);
}

static inline gboolean bitmap_get(const guint8 *bitmap, gsize index)
{
    return bitmap[index >> 3] >> (index & 7) & 1;
}

/* Ones among `count` bits from bit `from` on. */
gsize bitmap_count(const guint8 *bitmap, gsize from, gsize count);
/* Sets `count` bits from `from` on to `value`. */
void bitmap_fill(guint8 *bitmap, gsize from, gsize count, gboolean value);
/* Copies `count` bits. The bitmaps do not overlap; bits of `to` outside the run are kept. */
void bitmap_copy(guint8 *to, gsize to_from, const guint8 *from, gsize from_from, gsize count);

/* A byte a bit, 0 or 1, and back. `count` bits from bit 0 on; the last byte is filled with
 * zeros. */
void bitmap_to_bytes(const guint8 *bitmap, gsize count, guint8 *bytes);
void bitmap_from_bytes(const guint8 *bytes, gsize count, guint8 *bitmap);

/* Moves the slots that have a value together: slot i of `in` where bit from + i is set. Gives their
 * number. `width` is bytes a slot. */
gsize bitmap_compact(const guint8 *bitmap, gsize from, gsize count, const void *in, gsize width,
                     void *out);
/* The reverse: spreads values to the slots whose bit is set, and clears the others. `in` holds as
 * many values as there are bits set, and does not overlap `out`. */
void bitmap_expand(const guint8 *bitmap, gsize count, const void *in, gsize width, void *out);

#endif
