/* SPDX-License-Identifier: Apache-2.0
 *
 * BYTE_STREAM_SPLIT: byte k of every value stands in stream k. Nothing gets smaller, but what is
 * alike comes together, so that a codec finds it.
 *
 * Source: Encodings.md of the Apache Parquet format, "Byte Stream Split".
 */
#ifndef HOLDFAST_PARQUET_SPLIT_H
#define HOLDFAST_PARQUET_SPLIT_H

#include <glib.h>

/* `count` values of `width` bytes, from `in` to `out`, which do not overlap and have the same
 * size. */
void split_encode(const guint8 *in, gsize count, gsize width, guint8 *out);
void split_decode(const guint8 *in, gsize count, gsize width, guint8 *out);

#endif
