/* SPDX-License-Identifier: Apache-2.0
 *
 * The data types of TDengine: their numbers on the wire, widths, names in SQL. The numbers are those
 * of the server's public header taos.h (TSDB_DATA_TYPE_*).
 */
#ifndef HOLDFAST_TDENGINE_TYPE_H
#define HOLDFAST_TDENGINE_TYPE_H

#include <glib.h>

typedef enum {
    TD_BOOL = 1,
    TD_TINYINT = 2,
    TD_SMALLINT = 3,
    TD_INT = 4,
    TD_BIGINT = 5,
    TD_FLOAT = 6,
    TD_DOUBLE = 7,
    TD_VARCHAR = 8, /* any bytes, though meant for text */
    TD_TIMESTAMP = 9,
    TD_NCHAR = 10, /* UCS-4, little endian, in blocks; UTF-8 in bindings */
    TD_UTINYINT = 11,
    TD_USMALLINT = 12,
    TD_UINT = 13,
    TD_UBIGINT = 14,
    TD_JSON = 15, /* tags only; a tag column of its own */
    TD_VARBINARY = 16,
    TD_DECIMAL = 17, /* precision 19 to 38: 16 bytes, two's complement, unscaled */
    TD_BLOB = 18,
    TD_MEDIUMBLOB = 19,
    TD_GEOMETRY = 20,  /* WKB */
    TD_DECIMAL64 = 21, /* precision 1 to 18: 8 bytes */
} TdType;

/* Units of a database's timestamps. */
typedef enum {
    TD_MILLISECONDS = 0,
    TD_MICROSECONDS = 1,
    TD_NANOSECONDS = 2,
} TdPrecision;

/* Whether the number is one of the above. */
gboolean td_type_is_known(guint type);

/* Bytes of a value in a block, 0 for a type of variable length. */
guint td_type_width(TdType type);

/* "INT UNSIGNED", "VARCHAR": as DESCRIBE writes it and DDL takes it, without length. Static. */
const char *td_type_name(TdType type);

/* The type of a name as DESCRIBE writes it ("DECIMAL(18, 4)" too, "BINARY" is VARCHAR); FALSE where
 * it is not known. ret_precision and ret_scale are those of a decimal, else 0. */
gboolean td_type_parse(const char *name, TdType *ret_type, guint *ret_precision, guint *ret_scale);

#endif
