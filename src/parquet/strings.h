/* SPDX-License-Identifier: Apache-2.0
 *
 * The encodings of byte arrays: PLAIN, DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY (the last is
 * only read).
 *
 * Source: Encodings.md of the Apache Parquet format.
 */
#ifndef HOLDFAST_PARQUET_STRINGS_H
#define HOLDFAST_PARQUET_STRINGS_H

#include <glib.h>

#include "parquet/block.h"

/* Value i is bytes[offsets[i]] up to bytes[offsets[i + 1]]. Give the bytes written. */
gsize strings_plain_bound(const guint32 *offsets, gsize count);
gsize strings_plain_encode(const guint32 *offsets, const guint8 *bytes, gsize count, guint8 *out);
gsize strings_delta_bound(const guint32 *offsets, gsize count);
gsize strings_delta_encode(const guint32 *offsets, const guint8 *bytes, gsize count, guint8 *out);

/* What decoding gives: count + 1 offsets from 0 on and the bytes. */
typedef struct {
    Block offsets; /* of guint32 */
    Block bytes;
    Block lengths[2]; /* used while decoding */
} StringRun;

void string_run_init(StringRun *run, Budget *budget);
void string_run_clear(StringRun *run);

static inline const guint32 *string_run_offsets(const StringRun *run)
{
    return (const guint32 *)(gconstpointer)run->offsets.data;
}

/* Decode exactly `count` values, replacing what is in `run`. ERROR_FORMAT where the bytes do not
 * hold them, ERROR_LIMIT where they would take too much memory or 2 GiB. */
gboolean strings_plain_decode(const guint8 *in, gsize length, gsize count, StringRun *run,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean strings_delta_decode(const guint8 *in, gsize length, gsize count, StringRun *run,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean strings_front_coded_decode(const guint8 *in, gsize length, gsize count, StringRun *run,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
