/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as people read them: times in ISO 8601 with their unit's digits, decimals with their
 * point, UUIDs as 8-4-4-4-12, bytes without annotation as hexadecimal digits.
 */
#ifndef HOLDFAST_PARQUET_TEXT_H
#define HOLDFAST_PARQUET_TEXT_H

#include <glib.h>

#include "parquet/array.h"
#include "parquet/schema.h"

/* Appends a value, given in PLAIN form without a length: `length` bytes, as many as the column's
 * type has. TRUE where the text is a number or true or false in JSON; FALSE where it would be a
 * string there: NaN and infinities, decimals, times and all kinds of bytes. */
gboolean parquet_text_append(GString *text, const ParquetColumn *column, const guint8 *value,
                             gsize length);

/* The same for a value of an array that is there. */
gboolean parquet_text_append_row(GString *text, const ParquetColumn *column,
                                 const ParquetArray *array, gsize row);

#endif
