/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of Parquet columns as prepared writes take them: the way back of columns.h. Rows are
 * gathered from batches of any length, and any run of them can be bound.
 *
 * Threads: one at a time; read-only use from several is fine.
 */
#ifndef HOLDFAST_TDENGINE_BIND_COLUMNS_H
#define HOLDFAST_TDENGINE_BIND_COLUMNS_H

#include "parquet/array.h"
#include "parquet/metadata.h"
#include "tdengine/client.h"
#include "tdengine/schema.h"

typedef struct {
    TdType type;
    gsize width;    /* of a value as it is bound, 0: variable length */
    gboolean ucs4;  /* NCHAR that stands in the file as in a block, since one value is no text */
    gboolean nulls; /* there is a NULL */
    gsize rows;
    GByteArray *values;
    GByteArray *is_null; /* a byte a row; meaningless without nulls */
    GArray *starts;      /* variable: guint32, rows + 1, into values */
    GArray *lengths;     /* variable: guint32, rows */
} TdBindColumn;

/* For a field whose values stand in the file as `column`: what does not fit is ERROR_FORMAT, naming
 * the field. */
gboolean td_bind_column_init(TdBindColumn *column, const TdField *field, const ParquetColumn *file,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same without a column; *ret_ucs4 is what the member of that name is to be. */
gboolean td_bind_column_fits(const TdField *field, const ParquetColumn *file, gboolean *ret_ucs4,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_bind_column_clear(TdBindColumn *column);
/* Forgets the rows. */
void td_bind_column_reset(TdBindColumn *column);

/* Appends rows [from, from + count) of an array. ERROR_UNSUPPORTED: an NCHAR that is no text cannot
 * be bound. ERROR_LIMIT: more than 4 GiB. */
gboolean td_bind_column_add(TdBindColumn *column, const ParquetArray *array, gsize from,
                            gsize count, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes a column of NULLs for a field that a file does not have. */
void td_bind_column_init_null(TdBindColumn *column, const TdField *field);
void td_bind_column_add_nulls(TdBindColumn *column, gsize count);

/* Rows from `row` on, borrowed until rows are added. */
void td_bind_column_get(const TdBindColumn *column, gsize row, TdBinding *ret_binding);

/* Whether a row is NULL, and its bytes. */
gboolean td_bind_column_value(const TdBindColumn *column, gsize row, const guint8 **ret_bytes,
                              gsize *ret_length);

/* --- columns of an object --------------------------------------------------------------------- */

/* One column as the file's "holdfast.columns" tells. */
typedef struct {
    char *name; /* TDengine's, or ours */
    char *role;
    char *type; /* NULL: a column of our own */
} TdFileColumn;

void td_file_column_free(TdFileColumn *column);

/* All columns of a file in their order; ERROR_FORMAT where the metadata does not say them or their
 * number is another. */
GPtrArray *td_file_columns(const ParquetMetadata *metadata, const char *what,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The number of the column with this role, and name unless NULL; -1: none. */
gint td_file_column_find(const GPtrArray *columns, const char *role, const char *name);

/* The number of a field's column; -1 where the file has none, or one of another type: the column
 * was not there, or another one, when the file was written. A text column of another length is the
 * same. */
gint td_file_column_find_field(const GPtrArray *columns, const TdField *field, gboolean tag);

#endif
