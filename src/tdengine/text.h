/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of blocks as text, for the small answers of SHOW and information_schema and for messages.
 */
#ifndef HOLDFAST_TDENGINE_TEXT_H
#define HOLDFAST_TDENGINE_TEXT_H

#include "tdengine/block.h"

/* Appends a value that is not NULL: numbers and timestamps in decimal (floating ones with all their
 * digits), BOOL as true or false, text as it is, VARBINARY, GEOMETRY and BLOB in hex.
 * ERROR_FORMAT: an NCHAR that is no text. */
gboolean td_value_append_text(const TdBlockColumn *column, guint32 row, GString *text,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Appends the decimal of an unscaled number of 8 or 16 bytes, little endian, with scale digits
 * behind the point. */
void td_decimal_append_text(const guint8 *bytes, guint width, guint scale, GString *text);

#endif
