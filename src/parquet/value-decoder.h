/* SPDX-License-Identifier: Apache-2.0
 *
 * The values of a page from their bytes in any encoding, without levels and dictionaries.
 */
#ifndef HOLDFAST_PARQUET_VALUE_DECODER_H
#define HOLDFAST_PARQUET_VALUE_DECODER_H

#include <glib.h>

#include "parquet/metadata.h"
#include "parquet/strings.h"

/* Decoded values, one behind the other. */
typedef struct {
    const ParquetColumn *column; /* borrowed */
    gsize width;
    const guint8 *values; /* fixed width: in `block`, or in the bytes that were decoded */
    Block block;
    StringRun strings; /* byte arrays */
} ValueRun;

void value_run_init(ValueRun *run, const ParquetColumn *column, Budget *budget);
void value_run_clear(ValueRun *run);

/* Decodes exactly `count` values, replacing what is in `run`. The bytes must live as long as the
 * result. ERROR_FORMAT where they do not hold so many, ERROR_UNSUPPORTED for an encoding that this
 * type does not have, ERROR_LIMIT. */
gboolean value_decoder_run(ValueRun *run, ParquetEncoding encoding, const guint8 *in, gsize length,
                           gsize count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Indexes of a data page: `count` of them, each checked to be below `entries`. */
gboolean index_decoder_run(const guint8 *in, gsize length, gsize count, gsize entries,
                           guint32 *indexes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* out[i] = values[indexes[i]] for values of `width` bytes. */
void gather_values(const guint8 *values, gsize width, const guint32 *indexes, gsize count,
                   guint8 *out);

#endif
