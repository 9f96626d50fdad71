/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the encoding of a column in a row group by trying the candidates on a sample of its
 * values.
 */
#ifndef HOLDFAST_PARQUET_CHOOSE_H
#define HOLDFAST_PARQUET_CHOOSE_H

#include <glib.h>

#include "parquet/encoder.h"

typedef struct {
    ParquetEncoding encoding;
    ParquetEncoding fallback; /* for what does not fit the dictionary */
    gboolean aligned;         /* dictionary indexes take whole bytes */
    ParquetCodec codec;       /* the one asked for, or NONE where it gains nothing */
} Choice;

gboolean choose_encoding(const ColumnBuffer *buffer, const EncoderSettings *settings,
                         Choice *ret_choice, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
