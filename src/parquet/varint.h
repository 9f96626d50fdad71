/* SPDX-License-Identifier: Apache-2.0
 *
 * Integers in 7-bit pieces, the lowest first (unsigned LEB128), and zigzag, as Parquet's encodings
 * use them.
 */
#ifndef HOLDFAST_PARQUET_VARINT_H
#define HOLDFAST_PARQUET_VARINT_H

#include <glib.h>

#define VARINT_MAX 10 /* bytes */

/* Gives the bytes written, at most VARINT_MAX. */
static inline gsize varint_put(guint8 *out, guint64 value)
{
    gsize length = 0;

    while (value >= 0x80) {
        out[length++] = (guint8)(value | 0x80);
        value >>= 7;
    }
    out[length++] = (guint8)value;
    return length;
}

/* Moves *at behind the integer. FALSE where it is not whole or has more than 64 bits. */
static inline gboolean varint_get(const guint8 **at, const guint8 *end, guint64 *ret_value)
{
    guint64 value = 0;

    for (guint shift = 0; shift < 70 && *at < end; shift += 7) {
        guint8 byte = *(*at)++;

        if (shift == 63 && byte > 1)
            return FALSE;
        value |= (guint64)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            return TRUE;
        }
    }
    return FALSE;
}

static inline guint64 zigzag_encode(gint64 value)
{
    return ((guint64)value << 1) ^ (guint64)(value >> 63);
}

static inline gint64 zigzag_decode(guint64 value)
{
    return (gint64)(value >> 1) ^ -(gint64)(value & 1);
}

#endif
