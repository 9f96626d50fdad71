/* SPDX-License-Identifier: Apache-2.0
 *
 * Delta encoding of integers.
 */
#include "parquet/delta.h"

#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"
#include "parquet/cpu.h"
#include "parquet/varint.h"

#define BLOCK      128
#define MINIBLOCK  32
#define MINIBLOCKS (BLOCK / MINIBLOCK)
/* Refused above: no writer is known to use blocks of more than 1024 values. */
#define BLOCK_MAX 65536

gsize delta_bound(gsize count)
{
    gsize blocks = count / BLOCK + 1;

    return 4 * VARINT_MAX + blocks * (VARINT_MAX + MINIBLOCKS + BLOCK * 8);
}

static guint8 *put_header(gsize count, gint64 first, guint8 *out)
{
    out += varint_put(out, BLOCK);
    out += varint_put(out, MINIBLOCKS);
    out += varint_put(out, count);
    return out + varint_put(out, zigzag_encode(first));
}

/* Writes one block of differences. `deltas` is changed: each loses the smallest of them. */
CPU_INLINE guint8 *put_block(gint64 deltas[BLOCK], gsize count, guint8 *out)
{
    gint64 least = deltas[0];
    guint8 *widths;

    for (gsize i = count; i < BLOCK; i++)
        deltas[i] = least;
    for (gsize i = 0; i < BLOCK; i++)
        least = deltas[i] < least ? deltas[i] : least;
    out += varint_put(out, zigzag_encode(least));
    widths = out;
    out += MINIBLOCKS;
    for (gsize i = 0; i < BLOCK; i++)
        deltas[i] = (gint64)((guint64)deltas[i] - (guint64)least);
    for (gsize i = count; i < BLOCK; i++)
        deltas[i] = 0;
    for (gsize m = 0; m < MINIBLOCKS; m++) {
        const guint64 *mini = (const guint64 *)deltas + m * MINIBLOCK;
        guint64 all = 0;

        for (gsize i = 0; i < MINIBLOCK; i++)
            all |= mini[i];
        widths[m] = (guint8)bits_needed(all);
        bits_pack_64(mini, widths[m], out);
        out += 4 * widths[m];
    }
    return out;
}

CPU_INLINE gsize delta_encode_32_body(const gint32 *values, gsize count, guint8 *out)
{
    guint8 *start = out;
    gint64 deltas[BLOCK];

    out = put_header(count, count > 0 ? values[0] : 0, out);
    for (gsize at = 1; at < count; at += BLOCK) {
        gsize left = MIN(BLOCK, count - at);

        for (gsize i = 0; i < left; i++)
            deltas[i] = (gint32)((guint32)values[at + i] - (guint32)values[at + i - 1]);
        out = put_block(deltas, left, out);
    }
    return (gsize)(out - start);
}

CPU_DISPATCH(gsize, delta_encode_32, (const gint32 *values, gsize count, guint8 *out),
             (values, count, out))

CPU_INLINE gsize delta_encode_64_body(const gint64 *values, gsize count, guint8 *out)
{
    guint8 *start = out;
    gint64 deltas[BLOCK];

    out = put_header(count, count > 0 ? values[0] : 0, out);
    for (gsize at = 1; at < count; at += BLOCK) {
        gsize left = MIN(BLOCK, count - at);

        for (gsize i = 0; i < left; i++)
            deltas[i] = (gint64)((guint64)values[at + i] - (guint64)values[at + i - 1]);
        out = put_block(deltas, left, out);
    }
    return (gsize)(out - start);
}

CPU_DISPATCH(gsize, delta_encode_64, (const gint64 *values, gsize count, guint8 *out),
             (values, count, out))

/* A run being decoded. */
typedef struct {
    const guint8 *at, *end;
    gsize block, miniblocks, mini_values;
    guint64 first;
} Run;

static gboolean fail(GError **error, const char *reason)
{
    error_set(error, ERROR_FORMAT, "delta encoded values: %s", reason);
    return FALSE;
}

static gboolean read_header(Run *run, gsize count, GError **error)
{
    guint64 block, miniblocks, total, first;

    if (!varint_get(&run->at, run->end, &block) || !varint_get(&run->at, run->end, &miniblocks) ||
        !varint_get(&run->at, run->end, &total) || !varint_get(&run->at, run->end, &first))
        return fail(error, "the header is not whole");
    if (block == 0 || block > BLOCK_MAX || block % 128 != 0 || miniblocks == 0 ||
        block % miniblocks != 0 || block / miniblocks % 32 != 0)
        return fail(error, "the block size is none");
    if (total != count)
        return fail(error, "their number is not the page's");
    run->block = (gsize)block;
    run->miniblocks = (gsize)miniblocks;
    run->mini_values = run->block / run->miniblocks;
    run->first = (guint64)zigzag_decode(first);
    return TRUE;
}

/* Adds up 32 differences. The sums wrap in 64 bits; the lower 32 of them are right for INT32 as
 * well. */
static guint64 add_up(const guint64 deltas[32], guint64 least, guint64 sum, guint64 sums[32])
{
    for (guint i = 0; i < 32; i++) {
        sum += deltas[i] + least;
        sums[i] = sum;
    }
    return sum;
}

static void store(void *values, gsize at, const guint64 *sums, gsize count, gboolean wide)
{
    if (wide) {
        memcpy((gint64 *)values + at, sums, count * sizeof *sums);
        return;
    }
    for (gsize i = 0; i < count; i++)
        ((gint32 *)values)[at + i] = (gint32)sums[i];
}

/* One miniblock; `count` of its values are wanted. */
static gboolean read_miniblock(Run *run, guint width, guint64 least, guint64 *sum, void *values,
                               gsize at, gsize count, gboolean wide, GError **error)
{
    guint64 deltas[32], sums[32];

    /* Some writers take the differences of 32-bit values in 64 bits, and need a 33rd. */
    if (width > 64)
        return fail(error, "a width is too large");
    if ((gsize)(run->end - run->at) < run->mini_values / 8 * width)
        return fail(error, "they end too early");
    for (gsize i = 0; i < run->mini_values && i < count; i += 32) {
        gsize wanted = MIN(32, count - i);

        bits_unpack_64(run->at + i / 8 * width, width, deltas);
        if (wide && wanted == 32) {
            *sum = add_up(deltas, least, *sum, (guint64 *)values + at + i);
            continue;
        }
        *sum = add_up(deltas, least, *sum, sums);
        store(values, at + i, sums, wanted, wide);
    }
    run->at += run->mini_values / 8 * width;
    return TRUE;
}

static gboolean read_block(Run *run, guint64 *sum, void *values, gsize *at, gsize count,
                           gboolean wide, GError **error)
{
    const guint8 *widths;
    guint64 least;

    if (!varint_get(&run->at, run->end, &least) || (gsize)(run->end - run->at) < run->miniblocks)
        return fail(error, "they end too early");
    least = (guint64)zigzag_decode(least);
    widths = run->at;
    run->at += run->miniblocks;
    for (gsize m = 0; m < run->miniblocks && *at < count; m++) {
        if (!read_miniblock(run, widths[m], least, sum, values, *at, count - *at, wide, error))
            return FALSE;
        *at += MIN(run->mini_values, count - *at);
    }
    return TRUE;
}

static gboolean decode(const guint8 *in, gsize length, void *values, gsize count, gboolean wide,
                       gsize *ret_used, GError **error)
{
    Run run = {in, in + length};
    guint64 sum;
    gsize at = 1;

    if (!read_header(&run, count, error))
        return FALSE;
    sum = run.first;
    if (count > 0)
        store(values, 0, &sum, 1, wide);
    while (at < count) {
        if (!read_block(&run, &sum, values, &at, count, wide, error))
            return FALSE;
    }
    *ret_used = (gsize)(run.at - in);
    return TRUE;
}

gboolean delta_decode_32(const guint8 *in, gsize length, gint32 *values, gsize count,
                         gsize *ret_used, GError **error)
{
    return decode(in, length, values, count, FALSE, ret_used, error);
}

gboolean delta_decode_64(const guint8 *in, gsize length, gint64 *values, gsize count,
                         gsize *ret_used, GError **error)
{
    return decode(in, length, values, count, TRUE, ret_used, error);
}
