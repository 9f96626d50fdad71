/* SPDX-License-Identifier: Apache-2.0
 *
 * How TDengine's types stand in Parquet, and copying values of blocks into Parquet's arrays.
 *
 * | TDengine | Parquet |
 * |---|---|
 * | BOOL | BOOLEAN |
 * | TINYINT … BIGINT, signed and unsigned | INT32 or INT64, INTEGER(bits, signed) |
 * | FLOAT, DOUBLE | FLOAT, DOUBLE, bit for bit |
 * | TIMESTAMP | INT64 TIMESTAMP of the database's unit, UTC |
 * | VARCHAR | BYTE_ARRAY STRING; without annotation where a value is no UTF-8 |
 * | NCHAR | BYTE_ARRAY STRING in UTF-8; the UCS-4 bytes without annotation where one is no text |
 * | VARBINARY, BLOB, MEDIUMBLOB, GEOMETRY | BYTE_ARRAY without annotation |
 * | DECIMAL(p, s), p to 18 | INT64 DECIMAL |
 * | DECIMAL(p, s), p above | FIXED(16) DECIMAL, big endian |
 * | JSON (a tag) | BYTE_ARRAY JSON; without annotation where it is no UTF-8 |
 *
 * The file's metadata has "holdfast.columns": a JSON array in the order of the columns, each an
 * object with "name" (TDengine's; the Parquet name has "_" behind it where another column has that
 * name), "role" ("tbname", "time", "key", "column", "tag", or what else the file says) and "type"
 * in TDengine's words ("VARCHAR(30)", "DECIMAL(18,4)"). */
#ifndef HOLDFAST_TDENGINE_COLUMNS_H
#define HOLDFAST_TDENGINE_COLUMNS_H

#include "parquet/array.h"
#include "parquet/schema.h"
#include "tdengine/block.h"
#include "tdengine/schema.h"

/* The Parquet column of a field, under its own name (borrowed from it). */
void td_parquet_column(const TdField *field, TdPrecision precision, gboolean optional,
                       ParquetColumn *ret_column);

/* Rows of one column, gathered from blocks: memory that is used again. */
typedef struct {
    TdType type;
    gboolean text;        /* values must be UTF-8 */
    gboolean ucs4;        /* NCHAR that is to become UTF-8 */
    ParquetColumn column; /* how it stands in Parquet; the name is borrowed */
    gsize width;          /* of a value in Parquet's arrays, 0: byte array */
    gsize rows;
    GByteArray *values;   /* fixed width */
    GArray *offsets;      /* guint32, rows + 1 */
    GString *bytes;       /* byte arrays */
    GByteArray *validity; /* bits, the lowest first; meaningless without has_nulls */
    gboolean has_nulls;
} TdGather;

/* Of a field of TDengine; the field must outlive it. */
void td_gather_init_field(TdGather *gather, const TdField *field, TdPrecision precision,
                          gboolean optional);
/* Of a column of our own. */
void td_gather_init(TdGather *gather, const ParquetColumn *column);
void td_gather_clear(TdGather *gather);
void td_gather_reset(TdGather *gather);

/* Appends rows [from, from + count). FALSE where a value is no text though the column is to be one:
 * nothing more is to be made of the gathered rows then, and the field is to become binary. */
gboolean td_gather_add(TdGather *gather, const TdBlockColumn *column, guint32 from,
                       guint32 count) G_GNUC_WARN_UNUSED_RESULT;
/* The same bytes `count` times: tbname. NULL: missing. */
void td_gather_add_text(TdGather *gather, const char *text, gsize length, guint32 count);
/* One value of fixed width, in the machine's byte order; NULL: missing. */
void td_gather_add_value(TdGather *gather, const void *value);

void td_gather_array(const TdGather *gather, ParquetArray *ret_array);
/* Bytes that the rows take. */
gsize td_gather_bytes(const TdGather *gather);

#endif
