/* SPDX-License-Identifier: Apache-2.0
 *
 * The hybrid of run lengths and bit packing.
 */
#include "parquet/hybrid.h"

#include <string.h>

#include "base/error.h"
#include "parquet/bits.h"
#include "parquet/varint.h"

/* Values that a run must have to be worth ending the packed run before it. */
#define RUN_MIN 16
/* The same for bitmaps, in bytes. */
#define BITMAP_RUN_MIN 8

gsize hybrid_bound(gsize count, guint width)
{
    /* Every run of RUN_MIN values or more takes at most 2 headers and a value. */
    return (count + 7) / 8 * width + (count / RUN_MIN + 2) * (2 * VARINT_MAX + 4);
}

static gsize run_length(const guint32 *values, gsize count)
{
    gsize length = 1;

    while (length < count && values[length] == values[0])
        length++;
    return length;
}

/* Packs `count` values, filled with zeros to a multiple of eight. */
static guint8 *put_packed(const guint32 *values, gsize count, guint width, guint8 *out)
{
    gsize groups = (count + 7) / 8, i = 0;
    guint32 rest[32] = {0};
    guint8 packed[4 * 32];

    out += varint_put(out, groups << 1 | 1);
    for (; count - i >= 32; i += 32) {
        bits_pack_32(values + i, width, out);
        out += 4 * width;
    }
    if (i < count) {
        gsize bytes = (count - i + 7) / 8 * width;

        memcpy(rest, values + i, (count - i) * sizeof *values);
        bits_pack_32(rest, width, packed);
        memcpy(out, packed, bytes);
        out += bytes;
    }
    return out;
}

static guint8 *put_run(guint32 value, gsize count, guint width, guint8 *out)
{
    out += varint_put(out, count << 1);
    memcpy(out, &value, (width + 7) / 8);
    return out + (width + 7) / 8;
}

gsize hybrid_encode(const guint32 *values, gsize count, guint width, guint8 *out)
{
    guint8 *start = out;
    gsize packed_from = 0, at = 0;

    while (at < count) {
        gsize run = run_length(values + at, count - at);

        if (run < RUN_MIN) {
            at += MIN(8, count - at);
            continue;
        }
        if (at > packed_from)
            out = put_packed(values + packed_from, at - packed_from, width, out);
        out = put_run(values[at], run, width, out);
        at += run;
        packed_from = at;
    }
    if (at > packed_from)
        out = put_packed(values + packed_from, at - packed_from, width, out);
    return (gsize)(out - start);
}

static gboolean fail_short(GError **error)
{
    error_set(error, ERROR_FORMAT, "run-length encoded values end too early");
    return FALSE;
}

static const guint8 *unpack(const guint8 *in, guint width, guint32 *values, gsize count)
{
    guint8 packed[4 * 32] = {0};
    guint32 rest[32];
    gsize i = 0;

    for (; count - i >= 32; i += 32) {
        bits_unpack_32(in, width, values + i);
        in += 4 * width;
    }
    if (i < count) {
        memcpy(packed, in, ((count - i) * width + 7) / 8);
        bits_unpack_32(packed, width, rest);
        memcpy(values + i, rest, (count - i) * sizeof *values);
    }
    return in;
}

gboolean hybrid_decode(const guint8 *in, gsize length, guint width, guint32 *values, gsize count,
                       GError **error)
{
    const guint8 *end = in + length;
    gsize value_bytes = (width + 7) / 8;

    if (width > 32) {
        error_set(error, ERROR_FORMAT, "run-length encoded values of %u bits", width);
        return FALSE;
    }
    while (count > 0) {
        guint64 head;
        gsize run;

        if (!varint_get(&in, end, &head))
            return fail_short(error);
        if ((head & 1) != 0) {
            guint64 groups = head >> 1, room = (guint64)(end - in);

            /* The last group may be cut behind its last value. */
            run = groups > count / 8 ? count : (gsize)groups * 8;
            if (run == 0 || ((guint64)run * width + 7) / 8 > room)
                return fail_short(error);
            unpack(in, width, values, run);
            in += groups > room / MAX(width, 1) ? room : groups * width;
        } else {
            guint32 value = 0;

            run = (gsize)MIN(head >> 1, count);
            if (run == 0 || (gsize)(end - in) < value_bytes)
                return fail_short(error);
            memcpy(&value, in, value_bytes);
            in += value_bytes;
            for (gsize i = 0; i < run; i++)
                values[i] = value;
        }
        values += run;
        count -= run;
    }
    return TRUE;
}

gsize hybrid_bitmap_bound(gsize count)
{
    return (count + 7) / 8 + (count / (8 * BITMAP_RUN_MIN) + 2) * (2 * VARINT_MAX + 1);
}

/* Bytes from `at` on that are all ones or all zeros like the first; 0 where the first is
 * neither. */
static gsize uniform_bytes(const guint8 *bytes, gsize count)
{
    gsize length = 1;

    if (bytes[0] != 0 && bytes[0] != 0xff)
        return 0;
    while (length < count && bytes[length] == bytes[0])
        length++;
    return length;
}

static guint8 *put_packed_bytes(const guint8 *bytes, gsize count, guint8 *out)
{
    out += varint_put(out, count << 1 | 1);
    memcpy(out, bytes, count);
    return out + count;
}

gsize hybrid_encode_bitmap(const guint8 *bitmap, gsize from, gsize count, guint8 *out)
{
    guint8 *start = out;
    const guint8 *bytes;
    gsize whole = count / 8, packed_from = 0, at = 0;

    if (bitmap == NULL || count == 0)
        return (gsize)(put_run(1, count, 1, out) - out);
    bytes = bitmap + from / 8;
    while (at < whole) {
        gsize run = uniform_bytes(bytes + at, whole - at);

        if (run < BITMAP_RUN_MIN) {
            at += MAX(run, 1);
            continue;
        }
        if (at > packed_from)
            out = put_packed_bytes(bytes + packed_from, at - packed_from, out);
        out = put_run(bytes[at] & 1, run * 8, 1, out);
        at += run;
        packed_from = at;
    }
    if (packed_from < (count + 7) / 8)
        out = put_packed_bytes(bytes + packed_from, (count + 7) / 8 - packed_from, out);
    return (gsize)(out - start);
}

gboolean hybrid_decode_bitmap(const guint8 *in, gsize length, guint8 *bitmap, gsize count,
                              GError **error)
{
    const guint8 *end = in + length;
    gsize at = 0;

    while (at < count) {
        gsize left = count - at, run;
        guint64 head;

        if (!varint_get(&in, end, &head))
            return fail_short(error);
        if ((head & 1) != 0) {
            guint64 groups = head >> 1, room = (guint64)(end - in);

            run = groups > left / 8 ? left : (gsize)groups * 8;
            if (run == 0 || (run + 7) / 8 > room)
                return fail_short(error);
            bitmap_copy(bitmap, at, in, 0, run);
            in += MIN(groups, room);
        } else {
            run = (gsize)MIN(head >> 1, left);
            if (run == 0 || in == end)
                return fail_short(error);
            if (*in > 1) {
                error_set(error, ERROR_FORMAT, "one-bit value is %d", *in);
                return FALSE;
            }
            bitmap_fill(bitmap, at, run, *in++ != 0);
        }
        at += run;
    }
    return TRUE;
}
