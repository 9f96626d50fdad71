/* SPDX-License-Identifier: Apache-2.0
 *
 * The raw column block in which a TDengine server sends the rows of a result: decoded in place, as
 * views into the bytes. Works on bytes alone and trusts none of them.
 *
 * The layout, little endian, without padding (docs/tdengine.md has the table):
 *
 *     int32 version · int32 length · int32 rows · int32 columns · int32 flag · int64 group
 *     per column: int8 type, int32 bytes
 *     per column: int32 length of its data
 *     the columns: fixed width: a bitmap of NULLs (most significant bit first), then the values;
 *     variable: int32 offsets (-1 is NULL), then the values, each behind its length (uint16, uint32
 *     for BLOB)
 *     one trailing byte
 */
#ifndef HOLDFAST_TDENGINE_BLOCK_H
#define HOLDFAST_TDENGINE_BLOCK_H

#include "base/error.h"
#include "tdengine/type.h"

/* The most that a block may hold: what is beyond is refused as damage. */
#define TD_BLOCK_MAX_BYTES (1024u * 1024 * 1024)
#define TD_BLOCK_MAX_COLUMNS                                                                       \
    8192u /* a table has up to 4096; tbname and tags may stand beside them */

/* A column's description, of a result and of a block. */
typedef struct {
    char name[65 + 4 * 64]; /* UTF-8, of results; "" in a block */
    TdType type;
    guint
        bytes; /* as declared: 30 for VARCHAR(30) in a result; the block's own figure in a block */
    guint precision; /* decimals */
    guint scale;
} TdColumn;

/* A column of a decoded block: borrowed from the block's bytes. */
typedef struct {
    TdType type;
    guint width;           /* bytes of a value, 0: variable length */
    guint precision;       /* decimals */
    guint scale;           /* decimals */
    const guint8 *bitmap;  /* fixed width */
    const guint8 *values;  /* fixed width: rows x width bytes, unaligned. Variable: the data */
    const guint8 *offsets; /* variable: rows x int32, unaligned */
    guint32 length;        /* bytes of values */
} TdBlockColumn;

typedef struct {
    guint32 rows;
    guint32 n_columns;
    TdBlockColumn *columns; /* owned */
    guint32 capacity;       /* of columns */
    guint64 group;
} TdBlock;

/* Decodes length bytes, which must outlive the block and hold exactly one. Every offset and length of
 * every value is checked here, so that reading values cannot fail. The block is zero ({0}) or one that
 * was decoded before, whose memory is used anew; after a failure it can only be decoded again or
 * cleared. ERROR_FORMAT names what does not fit. */
gboolean td_block_decode(TdBlock *block, const guint8 *bytes, gsize length,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_block_clear(TdBlock *block);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TdBlock, td_block_clear)

static inline gboolean td_block_is_null(const TdBlockColumn *column, guint32 row)
{
    if (column->width != 0)
        return (column->bitmap[row >> 3] >> (7 - (row & 7))) & 1;
    return column->offsets[4 * (gsize)row + 3] >> 7; /* a negative offset */
}

/* The bytes of a value that is not NULL: without the length prefix, NCHAR still as UCS-4. */
const guint8 *td_block_value(const TdBlockColumn *column, guint32 row, guint32 *ret_length);

/* Appends UCS-4 little endian as UTF-8. ERROR_FORMAT where it is no Unicode text. */
gboolean td_nchar_to_utf8(const guint8 *bytes, guint32 length, GString *text,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
