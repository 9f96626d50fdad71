/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a run of a column's values in one encoding, without levels, header and compression.
 */
#ifndef HOLDFAST_PARQUET_VALUE_ENCODER_H
#define HOLDFAST_PARQUET_VALUE_ENCODER_H

#include <glib.h>

#include "parquet/column-buffer.h"
#include "parquet/metadata.h"

/* The most bytes that values [from, from + count) of a buffer take; any encoding but
 * dictionaries. */
gsize value_encoder_bound(const ColumnBuffer *buffer, ParquetEncoding encoding, gsize from,
                          gsize count);

/* Gives the bytes written. */
gsize value_encoder_run(const ColumnBuffer *buffer, ParquetEncoding encoding, gsize from,
                        gsize count, guint8 *out);

/* Bits for indexes into a dictionary of `entries` values. `aligned` takes whole bytes: more bits,
 * but a codec can find what neighbours have in common. */
guint index_width(gsize entries, gboolean aligned);

/* Indexes as they stand in a data page: their width, then the hybrid. */
gsize index_encoder_bound(gsize count);
gsize index_encoder_run(const guint32 *indexes, gsize count, guint width, guint8 *out);

#endif
