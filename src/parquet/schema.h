/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a Parquet file: physical type, logical type, whether values may be missing. Flat
 * schemas only: every column is a required or an optional leaf under the root.
 *
 * Source: parquet.thrift and LogicalTypes.md of the Apache Parquet format, version 2.11.
 */
#ifndef HOLDFAST_PARQUET_SCHEMA_H
#define HOLDFAST_PARQUET_SCHEMA_H

#include <glib.h>

/* Physical types; the numbers are those of the format. */
typedef enum {
    PARQUET_BOOLEAN = 0,
    PARQUET_INT32 = 1,
    PARQUET_INT64 = 2,
    PARQUET_INT96 = 3, /* read only: an old way to keep times */
    PARQUET_FLOAT = 4,
    PARQUET_DOUBLE = 5,
    PARQUET_BYTE_ARRAY = 6,
    PARQUET_FIXED = 7 /* FIXED_LEN_BYTE_ARRAY */
} ParquetType;

typedef enum {
    PARQUET_PLAIN_VALUE, /* no logical type */
    PARQUET_STRING,      /* UTF-8 */
    PARQUET_JSON,        /* UTF-8 */
    PARQUET_ENUM,        /* UTF-8 */
    PARQUET_BSON,
    PARQUET_INTEGER,   /* `bits` and `is_signed` */
    PARQUET_DECIMAL,   /* `precision`, `scale`; bytes are big-endian two's complement */
    PARQUET_DATE,      /* INT32: days since 1970-01-01 */
    PARQUET_TIME,      /* `unit`, `utc` */
    PARQUET_TIMESTAMP, /* `unit`, `utc` */
    PARQUET_UUID,      /* FIXED of 16 bytes */
    PARQUET_FLOAT16,   /* FIXED of 2 bytes */
    PARQUET_OTHER /* something that this module does not know: the physical value is handed up */
} ParquetLogical;

typedef enum { PARQUET_MILLIS, PARQUET_MICROS, PARQUET_NANOS } ParquetUnit;

typedef struct {
    const char *name;
    ParquetType type;
    guint length; /* bytes of a FIXED value, 1 to PARQUET_FIXED_MAX; else 0 */
    gboolean optional;
    ParquetLogical logical;
    guint bits;         /* INTEGER: 8, 16, 32, 64 */
    gboolean is_signed; /* INTEGER */
    ParquetUnit unit;   /* TIME, TIMESTAMP */
    gboolean utc;       /* TIME, TIMESTAMP: an instant (true) or a local time */
    gint precision;     /* DECIMAL: digits, 1 to 38 in files that we write */
    gint scale;         /* DECIMAL: digits behind the point, 0 to precision */
} ParquetColumn;

#define PARQUET_FIXED_MAX (1024 * 1024)

/* An ordered list of columns. Not changed once it has been given to a writer or got from a reader;
 * then any thread may read it. */
typedef struct ParquetSchema ParquetSchema;

ParquetSchema *parquet_schema_new(void);
ParquetSchema *parquet_schema_ref(ParquetSchema *schema);
void parquet_schema_unref(ParquetSchema *schema);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ParquetSchema, parquet_schema_unref)

/* Adds a column; the struct and its name are copied. ERROR_FORMAT for an empty, double or non-UTF-8
 * name and for a logical type that does not fit the physical one. */
gboolean parquet_schema_add(ParquetSchema *schema, const ParquetColumn *column,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint parquet_schema_count(const ParquetSchema *schema);
const ParquetColumn *parquet_schema_column(const ParquetSchema *schema, guint index);

/* The index of a column by its name; FALSE where there is none. */
gboolean parquet_schema_find(const ParquetSchema *schema, const char *name, guint *ret_index);

/* Bytes of one value as it stands in a ParquetArray: BOOLEAN 1, INT96 12, FIXED its length; 0 for
 * BYTE_ARRAY. */
gsize parquet_column_width(const ParquetColumn *column);

/* True where values are text in UTF-8. */
gboolean parquet_column_is_text(const ParquetColumn *column);

/* "INT64", "FIXED_LEN_BYTE_ARRAY". */
const char *parquet_type_name(ParquetType type);

/* "TIMESTAMP(us, UTC)", "DECIMAL(18, 4)", "" without a logical type. Free with g_free(). */
char *parquet_logical_text(const ParquetColumn *column);

#endif
