/* SPDX-License-Identifier: Apache-2.0
 *
 * DELTA_BINARY_PACKED: integers as packed differences, in blocks of 128 with 4 widths each.
 * Differences wrap around in the value's own size, so every sequence can be written.
 *
 * Source: Encodings.md of the Apache Parquet format, "Delta Encoding".
 */
#ifndef HOLDFAST_PARQUET_DELTA_H
#define HOLDFAST_PARQUET_DELTA_H

#include <glib.h>

/* The most bytes that encoding `count` values takes. */
gsize delta_bound(gsize count);

/* Give the bytes written. */
gsize delta_encode_32(const gint32 *values, gsize count, guint8 *out);
gsize delta_encode_64(const gint64 *values, gsize count, guint8 *out);

/* Decode exactly `count` values. *ret_used is the length of the encoded run. ERROR_FORMAT where the
 * bytes are no such run or hold another number of values. */
gboolean delta_decode_32(const guint8 *in, gsize length, gint32 *values, gsize count,
                         gsize *ret_used, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean delta_decode_64(const guint8 *in, gsize length, gint64 *values, gsize count,
                         gsize *ret_used, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
