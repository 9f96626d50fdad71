/* SPDX-License-Identifier: Apache-2.0
 *
 * Encodings of byte arrays.
 */
#include "parquet/strings.h"

#include <string.h>

#include "base/error.h"
#include "parquet/delta.h"

gsize strings_plain_bound(const guint32 *offsets, gsize count)
{
    return 4 * count + (offsets[count] - offsets[0]);
}

gsize strings_plain_encode(const guint32 *offsets, const guint8 *bytes, gsize count, guint8 *out)
{
    guint8 *start = out;

    for (gsize i = 0; i < count; i++) {
        guint32 length = offsets[i + 1] - offsets[i];

        memcpy(out, &length, 4);
        memcpy(out + 4, bytes + offsets[i], length);
        out += 4 + length;
    }
    return (gsize)(out - start);
}

gsize strings_delta_bound(const guint32 *offsets, gsize count)
{
    return delta_bound(count) + (offsets[count] - offsets[0]);
}

gsize strings_delta_encode(const guint32 *offsets, const guint8 *bytes, gsize count, guint8 *out)
{
    g_autofree gint32 *lengths = g_new(gint32, count);
    gsize total = offsets[count] - offsets[0];
    gsize used;

    for (gsize i = 0; i < count; i++)
        lengths[i] = (gint32)(offsets[i + 1] - offsets[i]);
    used = delta_encode_32(lengths, count, out);
    if (total > 0)
        memcpy(out + used, bytes + offsets[0], total);
    return used + total;
}

void string_run_init(StringRun *run, Budget *budget)
{
    memset(run, 0, sizeof *run);
    run->offsets.budget = run->bytes.budget = budget;
    run->lengths[0].budget = run->lengths[1].budget = budget;
}

void string_run_clear(StringRun *run)
{
    block_clear(&run->offsets);
    block_clear(&run->bytes);
    block_clear(&run->lengths[0]);
    block_clear(&run->lengths[1]);
}

static gboolean fail(GError **error, const char *reason)
{
    error_set(error, ERROR_FORMAT, "byte arrays: %s", reason);
    return FALSE;
}

static gboolean reserve(StringRun *run, gsize count, guint64 bytes, GError **error)
{
    if (bytes > G_MAXINT32) {
        error_set(error, ERROR_LIMIT, "byte arrays of a page take more than 2 GiB");
        return FALSE;
    }
    return block_reserve_array(&run->offsets, count + 1, sizeof(guint32), error) &&
           block_reserve(&run->bytes, (gsize)bytes, error);
}

gboolean strings_plain_decode(const guint8 *in, gsize length, gsize count, StringRun *run,
                              GError **error)
{
    const guint8 *end = in + length;
    guint32 *offsets, at = 0, room;
    guint8 *out;

    if (length / 4 < count)
        return fail(error, "they end too early");
    if (!reserve(run, count, length - 4 * count, error))
        return FALSE;
    room = (guint32)(length - 4 * count);
    offsets = (guint32 *)(gpointer)run->offsets.data;
    out = run->bytes.data;
    offsets[0] = 0;
    for (gsize i = 0; i < count; i++) {
        guint32 size;

        if (end - in < 4)
            return fail(error, "they end too early");
        memcpy(&size, in, 4);
        in += 4;
        /* The room for bytes is what the lengths of all values leave of the page. */
        if (size > (gsize)(end - in) || size > room - at)
            return fail(error, "one is longer than what is left");
        memcpy(out + at, in, size);
        in += size;
        at += size;
        offsets[i + 1] = at;
    }
    return in == end || fail(error, "there are more bytes than values");
}

/* Lengths in DELTA_BINARY_PACKED. *ret_total is their sum. */
static gboolean read_lengths(const guint8 *in, gsize length, gsize count, Block *lengths,
                             gsize *ret_used, guint64 *ret_total, GError **error)
{
    gint32 *values;
    guint64 total = 0;

    if (!block_reserve_array(lengths, count, sizeof(gint32), error))
        return FALSE;
    values = (gint32 *)(gpointer)lengths->data;
    if (!delta_decode_32(in, length, values, count, ret_used, error))
        return FALSE;
    for (gsize i = 0; i < count; i++) {
        if (values[i] < 0)
            return fail(error, "a length is negative");
        total += (guint64)values[i];
    }
    *ret_total = total;
    return TRUE;
}

gboolean strings_delta_decode(const guint8 *in, gsize length, gsize count, StringRun *run,
                              GError **error)
{
    const gint32 *lengths;
    guint32 *offsets;
    guint64 total;
    gsize used;

    if (!read_lengths(in, length, count, &run->lengths[0], &used, &total, error))
        return FALSE;
    if (total != length - used)
        return fail(error, "their lengths do not add up to their bytes");
    if (!reserve(run, count, total, error))
        return FALSE;
    lengths = (const gint32 *)(gconstpointer)run->lengths[0].data;
    offsets = (guint32 *)(gpointer)run->offsets.data;
    offsets[0] = 0;
    for (gsize i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + (guint32)lengths[i];
    memcpy(run->bytes.data, in + used, total);
    return TRUE;
}

/* Puts prefixes, which are taken from the value before, and suffixes together. */
static gboolean join(StringRun *run, const guint8 *in, gsize count, GError **error)
{
    const gint32 *prefixes = (const gint32 *)(gconstpointer)run->lengths[0].data;
    const gint32 *suffixes = (const gint32 *)(gconstpointer)run->lengths[1].data;
    guint32 *offsets = (guint32 *)(gpointer)run->offsets.data;
    guint8 *bytes = run->bytes.data;

    offsets[0] = 0;
    for (gsize i = 0; i < count; i++) {
        guint32 last = i == 0 ? 0 : offsets[i] - offsets[i - 1];
        guint32 prefix = (guint32)prefixes[i];

        if (prefix > last)
            return fail(error, "a prefix is longer than the value before it");
        if (prefix > 0)
            memcpy(bytes + offsets[i], bytes + offsets[i - 1], prefix);
        memcpy(bytes + offsets[i] + prefix, in, (gsize)suffixes[i]);
        in += suffixes[i];
        offsets[i + 1] = offsets[i] + prefix + (guint32)suffixes[i];
    }
    return TRUE;
}

gboolean strings_front_coded_decode(const guint8 *in, gsize length, gsize count, StringRun *run,
                                    GError **error)
{
    guint64 prefixes, suffixes;
    gsize used;

    if (!read_lengths(in, length, count, &run->lengths[0], &used, &prefixes, error))
        return FALSE;
    in += used;
    length -= used;
    if (!read_lengths(in, length, count, &run->lengths[1], &used, &suffixes, error))
        return FALSE;
    if (suffixes != length - used)
        return fail(error, "their lengths do not add up to their bytes");
    return reserve(run, count, prefixes + suffixes, error) && join(run, in + used, count, error);
}
