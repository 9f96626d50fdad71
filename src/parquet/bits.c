/* SPDX-License-Identifier: Apache-2.0
 *
 * Bit packing, unrolled by the compiler for every width, and bitmaps.
 */
#include "parquet/bits.h"

#include <string.h>

#include "parquet/cpu.h"

/* Calls CASE(width) for each width of a switch. */
#define CASES_8(m, w)                                                                              \
    m(w) m((w) + 1) m((w) + 2) m((w) + 3) m((w) + 4) m((w) + 5) m((w) + 6) m((w) + 7)
#define CASES_32(m, w) CASES_8(m, w) CASES_8(m, (w) + 8) CASES_8(m, (w) + 16) CASES_8(m, (w) + 24)

CPU_INLINE guint64 load_64(const guint8 *in)
{
    guint64 value;

    memcpy(&value, in, sizeof value);
    return value;
}

/* Word `index` of the packed run. 32 values are a whole number of 32-bit halves, so the last word
 * may be a half. */
CPU_INLINE guint64 packed_word(const guint8 *in, guint width, guint index)
{
    guint32 half;

    if (8 * (index + 1) <= 4 * width)
        return load_64(in + 8 * index);
    memcpy(&half, in + 8 * index, sizeof half);
    return half;
}

CPU_INLINE guint64 packed_value(const guint8 *in, guint width, guint i)
{
    guint word = i * width / 64, shift = i * width % 64;
    guint64 value;

    if (width == 0)
        return 0;
    value = packed_word(in, width, word) >> shift;
    if (shift + width > 64)
        value |= packed_word(in, width, word + 1) << (64 - shift);
    return width == 64 ? value : value & ((G_GUINT64_CONSTANT(1) << width) - 1);
}

/* Collects values into 64-bit words. With a constant width every shift is a constant. */
#define PACK_BODY(values, width, out)                                                              \
    do {                                                                                           \
        guint64 word = 0;                                                                          \
        guint filled = 0;                                                                          \
        _Pragma("GCC unroll 32") for (guint i = 0; i < 32; i++)                                    \
        {                                                                                          \
            guint64 value = (values)[i];                                                           \
                                                                                                   \
            word |= value << filled;                                                               \
            if (filled + (width) < 64) {                                                           \
                filled += (width);                                                                 \
                continue;                                                                          \
            }                                                                                      \
            memcpy((out), &word, 8);                                                               \
            (out) += 8;                                                                            \
            word = filled == 0 ? 0 : value >> (64 - filled);                                       \
            filled = filled + (width)-64;                                                          \
        }                                                                                          \
        if (filled > 0)                                                                            \
            memcpy((out), &word, 4);                                                               \
    } while (0)

CPU_INLINE void pack_64(const guint64 *values, const guint width, guint8 *out)
{
    PACK_BODY(values, width, out);
}

CPU_INLINE void pack_32(const guint32 *values, const guint width, guint8 *out)
{
    PACK_BODY(values, width, out);
}

CPU_INLINE void unpack_64(const guint8 *in, const guint width, guint64 *values)
{
    _Pragma("GCC unroll 32") for (guint i = 0; i < 32; i++)
    {
        values[i] = packed_value(in, width, i);
    }
}

CPU_INLINE void unpack_32(const guint8 *in, const guint width, guint32 *values)
{
    _Pragma("GCC unroll 32") for (guint i = 0; i < 32; i++)
    {
        values[i] = (guint32)packed_value(in, width, i);
    }
}

void bits_pack_64(const guint64 values[32], guint width, guint8 *out)
{
    switch (width) {
#define CASE(w)                                                                                    \
    case w:                                                                                        \
        pack_64(values, w, out);                                                                   \
        return;
        CASES_32(CASE, 1)
        CASES_32(CASE, 33)
#undef CASE
    default:
        return;
    }
}

void bits_pack_32(const guint32 values[32], guint width, guint8 *out)
{
    switch (width) {
#define CASE(w)                                                                                    \
    case w:                                                                                        \
        pack_32(values, w, out);                                                                   \
        return;
        CASES_32(CASE, 1)
#undef CASE
    default:
        return;
    }
}

void bits_unpack_64(const guint8 *in, guint width, guint64 values[32])
{
    switch (width) {
#define CASE(w)                                                                                    \
    case w:                                                                                        \
        unpack_64(in, w, values);                                                                  \
        return;
        CASES_32(CASE, 1)
        CASES_32(CASE, 33)
#undef CASE
    default:
        memset(values, 0, 32 * sizeof *values);
    }
}

void bits_unpack_32(const guint8 *in, guint width, guint32 values[32])
{
    switch (width) {
#define CASE(w)                                                                                    \
    case w:                                                                                        \
        unpack_32(in, w, values);                                                                  \
        return;
        CASES_32(CASE, 1)
#undef CASE
    default:
        memset(values, 0, 32 * sizeof *values);
    }
}

gsize bitmap_count(const guint8 *bitmap, gsize from, gsize count)
{
    gsize ones = 0, end = from + count;

    while (from < end && (from & 7) != 0)
        ones += bitmap_get(bitmap, from++);
    for (; end - from >= 64; from += 64)
        ones += (gsize)__builtin_popcountll(load_64(bitmap + (from >> 3)));
    while (from < end)
        ones += bitmap_get(bitmap, from++);
    return ones;
}

static void put_bit(guint8 *bitmap, gsize index, gboolean value)
{
    guint8 mask = (guint8)(1u << (index & 7));

    if (value)
        bitmap[index >> 3] |= mask;
    else
        bitmap[index >> 3] &= (guint8)~mask;
}

void bitmap_fill(guint8 *bitmap, gsize from, gsize count, gboolean value)
{
    gsize end = from + count;

    while (from < end && (from & 7) != 0)
        put_bit(bitmap, from++, value);
    if (end - from >= 8) {
        memset(bitmap + (from >> 3), value ? 0xff : 0, (end - from) >> 3);
        from += (end - from) & ~(gsize)7;
    }
    while (from < end)
        put_bit(bitmap, from++, value);
}

void bitmap_copy(guint8 *to, gsize to_from, const guint8 *from, gsize from_from, gsize count)
{
    guint shift;

    while (count > 0 && (to_from & 7) != 0) {
        put_bit(to, to_from++, bitmap_get(from, from_from++));
        count--;
    }
    from += from_from >> 3;
    to += to_from >> 3;
    shift = from_from & 7;
    if (shift == 0) {
        memcpy(to, from, count >> 3);
    } else {
        /* Byte i of the result takes bits of bytes i and i + 1, which both lie inside the run. */
        for (gsize i = 0; i < count >> 3; i++)
            to[i] = (guint8)(from[i] >> shift | from[i + 1] << (8 - shift));
    }
    for (gsize i = count & ~(gsize)7; i < count; i++)
        put_bit(to, i, bitmap_get(from, shift + i));
}

void bitmap_to_bytes(const guint8 *bitmap, gsize count, guint8 *bytes)
{
    gsize i = 0;

    for (; count - i >= 8; i += 8) {
        /* Spreads the eight bits over eight bytes: each byte keeps its own bit, which is then moved
         * to the lowest. */
        guint64 spread = bitmap[i >> 3] * G_GUINT64_CONSTANT(0x0101010101010101);

        spread &= G_GUINT64_CONSTANT(0x8040201008040201);
        spread = (spread + G_GUINT64_CONSTANT(0x7f7f7f7f7f7f7f7f)) >> 7;
        spread &= G_GUINT64_CONSTANT(0x0101010101010101);
        memcpy(bytes + i, &spread, 8);
    }
    for (; i < count; i++)
        bytes[i] = (guint8)bitmap_get(bitmap, i);
}

void bitmap_from_bytes(const guint8 *bytes, gsize count, guint8 *bitmap)
{
    gsize i = 0;

    for (; count - i >= 8; i += 8) {
        guint64 eight = load_64(bytes + i) & G_GUINT64_CONSTANT(0x0101010101010101);

        /* The product gathers the lowest bits of the eight bytes in the highest byte. */
        bitmap[i >> 3] = (guint8)((eight * G_GUINT64_CONSTANT(0x0102040810204080)) >> 56);
    }
    if (i < count)
        bitmap[i >> 3] = 0;
    for (; i < count; i++)
        bitmap[i >> 3] |= (guint8)((bytes[i] & 1) << (i & 7));
}

/* Length of the run of equal bits that starts at `from`, up to `end`; *ret_ones says which they
 * are. */
static gsize run_of_bits(const guint8 *bitmap, gsize from, gsize end, gboolean *ret_ones)
{
    gboolean ones = bitmap_get(bitmap, from);
    guint64 flip = ones ? ~G_GUINT64_CONSTANT(0) : 0;
    gsize at = from;

    *ret_ones = ones;
    while (at < end) {
        gsize byte = at >> 3, shift = at & 7, room = end - at;
        guint64 bits = 0;
        gsize got;

        memcpy(&bits, bitmap + byte, MIN(8, (end + 7) / 8 - byte));
        bits = (bits ^ flip) >> shift;
        got = bits != 0 ? (gsize)__builtin_ctzll(bits) : 64 - shift;
        at += MIN(got, room);
        if (got < 64 - shift)
            break;
    }
    return at - from;
}

gsize bitmap_compact(const guint8 *bitmap, gsize from, gsize count, const void *in, gsize width,
                     void *out)
{
    const guint8 *slots = in;
    guint8 *to = out;
    gsize at = from, end = from + count;
    gboolean ones;

    while (at < end) {
        gsize run = run_of_bits(bitmap, at, end, &ones);

        if (ones) {
            memcpy(to, slots + (at - from) * width, run * width);
            to += run * width;
        }
        at += run;
    }
    return (gsize)(to - (guint8 *)out) / width;
}

void bitmap_expand(const guint8 *bitmap, gsize count, const void *in, gsize width, void *out)
{
    const guint8 *values = in;
    guint8 *to = out;
    gsize at = 0;
    gboolean ones;

    while (at < count) {
        gsize run = run_of_bits(bitmap, at, count, &ones);

        if (ones) {
            memcpy(to + at * width, values, run * width);
            values += run * width;
        } else {
            memset(to + at * width, 0, run * width);
        }
        at += run;
    }
}
