/* SPDX-License-Identifier: Apache-2.0
 *
 * The bind data of stmt2 as taosAdapter takes it (action 9 of /ws), little endian:
 *
 *     u32 length of all · u32 tables · u32 tags · u32 columns
 *     u32 offset of the names · of the tags · of the columns (0: there are none)
 *     names: per table u16 length with its final NUL; the names with their NULs
 *     tags, columns: per table u32 length of its fields; per table its fields:
 *     u32 length of the field · u32 type · u32 rows · per row u8 is NULL · u8 has lengths
 *     · per row u32 length, where it has · u32 length of the values · the values
 *
 * Fixed widths have no lengths, and their full width for a NULL; values that are all NULL may be left
 * out.
 */
#ifndef HOLDFAST_TDENGINE_BIND_H
#define HOLDFAST_TDENGINE_BIND_H

#include "tdengine/client.h"

/* Rows of one table in one bind; bytes of one bind. */
#define TD_BIND_MAX_ROWS  32767u
#define TD_BIND_MAX_BYTES (256u * 1024 * 1024)

/* ERROR_LIMIT where rows or a name are too much for one bind. */
gboolean td_bind_check(const TdInsertTable *tables, guint n_tables,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Appends the bind data of n_tables tables to `data`. ERROR_LIMIT where it is too much for one bind:
 * rows, bytes, a name; `data` is of no use then. */
gboolean td_bind_build(GByteArray *data, const TdInsertTable *tables, guint n_tables, guint n_tags,
                       guint n_columns, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
