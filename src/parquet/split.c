/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte stream split. Widths 4 and 8 are done 16 values at a time by interleaving vectors. Think of
 * the bits of a byte's address, vector number before position: interleaving the bytes of two
 * vectors whose numbers differ in bit x puts x behind the position and the position's highest bit
 * in the place of x. A few such turns bring the bits of the value's number and of the byte's number
 * to where they belong.
 */
#include "parquet/split.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* Values from `from` on, one byte at a time. */
static void encode_plain(const guint8 *in, gsize from, gsize count, gsize width, guint8 *out)
{
    for (gsize k = 0; k < width; k++) {
        for (gsize i = from; i < count; i++)
            out[k * count + i] = in[i * width + k];
    }
}

static void decode_plain(const guint8 *in, gsize from, gsize count, gsize width, guint8 *out)
{
    for (gsize k = 0; k < width; k++) {
        for (gsize i = from; i < count; i++)
            out[i * width + k] = in[k * count + i];
    }
}

#if defined(__SSE2__)

/* One turn over all pairs of vectors whose numbers differ in the bit `stride`. */
static inline __attribute__((always_inline)) void turn(__m128i *v, guint vectors, guint stride)
{
    for (guint i = 0; i < vectors; i++) {
        if ((i & stride) == 0) {
            __m128i low = _mm_unpacklo_epi8(v[i], v[i | stride]);

            v[i | stride] = _mm_unpackhi_epi8(v[i], v[i | stride]);
            v[i] = low;
        }
    }
}

static void load(__m128i *v, guint vectors, const guint8 *in, gsize step)
{
    for (guint i = 0; i < vectors; i++)
        v[i] = _mm_loadu_si128((const __m128i *)(in + i * step));
}

static gsize encode_8(const guint8 *in, gsize count, guint8 *out)
{
    gsize at = 0;
    __m128i v[8];

    for (; count - at >= 16; at += 16) {
        load(v, 8, in + at * 8, 16);
        turn(v, 8, 4);
        turn(v, 8, 2);
        turn(v, 8, 1);
        turn(v, 8, 4);
        for (guint i = 0; i < 8; i++) {
            /* The turns leave the byte's number rotated by one bit. */
            guint k = (i << 1 & 6) | i >> 2;

            _mm_storeu_si128((__m128i *)(out + k * count + at), v[i]);
        }
    }
    return at;
}

static gsize encode_4(const guint8 *in, gsize count, guint8 *out)
{
    gsize at = 0;
    __m128i v[4];

    for (; count - at >= 16; at += 16) {
        load(v, 4, in + at * 4, 16);
        turn(v, 4, 2);
        turn(v, 4, 1);
        turn(v, 4, 2);
        turn(v, 4, 1);
        for (guint k = 0; k < 4; k++)
            _mm_storeu_si128((__m128i *)(out + k * count + at), v[k]);
    }
    return at;
}

static gsize decode_8(const guint8 *in, gsize count, guint8 *out)
{
    gsize at = 0;
    __m128i v[8];

    for (; count - at >= 16; at += 16) {
        load(v, 8, in + at, count);
        turn(v, 8, 4);
        turn(v, 8, 2);
        turn(v, 8, 1);
        for (guint i = 0; i < 8; i++)
            _mm_storeu_si128((__m128i *)(out + at * 8 + i * 16), v[i]);
    }
    return at;
}

static gsize decode_4(const guint8 *in, gsize count, guint8 *out)
{
    gsize at = 0;
    __m128i v[4];

    for (; count - at >= 16; at += 16) {
        load(v, 4, in + at, count);
        turn(v, 4, 2);
        turn(v, 4, 1);
        for (guint i = 0; i < 4; i++)
            _mm_storeu_si128((__m128i *)(out + at * 4 + i * 16), v[i]);
    }
    return at;
}

void split_encode(const guint8 *in, gsize count, gsize width, guint8 *out)
{
    gsize done = width == 8 ? encode_8(in, count, out) : width == 4 ? encode_4(in, count, out) : 0;

    encode_plain(in, done, count, width, out);
}

void split_decode(const guint8 *in, gsize count, gsize width, guint8 *out)
{
    gsize done = width == 8 ? decode_8(in, count, out) : width == 4 ? decode_4(in, count, out) : 0;

    decode_plain(in, done, count, width, out);
}

#else

void split_encode(const guint8 *in, gsize count, gsize width, guint8 *out)
{
    encode_plain(in, 0, count, width, out);
}

void split_decode(const guint8 *in, gsize count, gsize width, guint8 *out)
{
    decode_plain(in, 0, count, width, out);
}

#endif
