/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of columns and the rules that a column keeps.
 */
#include "parquet/schema.h"

#include <string.h>

#include "base/error.h"

struct ParquetSchema {
    gatomicrefcount refs;
    GArray *columns;     /* of ParquetColumn; names belong to `by_name` */
    GHashTable *by_name; /* name -> index */
};

/* Of the largest decimal: the format has no end, and a scale of millions would print as many zeros
 * for a single value. Other implementations stop at 16 or 32. */
#define DECIMAL_BYTES 64

/* Decimal digits that fit a signed integer of so many bytes, for the sizes that are written. */
static gint digits_of_bytes(gsize bytes)
{
    /* floor(log10(2^(8 * bytes - 1) - 1)): 0.30103 is log10(2), rounded so that no size up to 64
     * bytes is too large. */
    return bytes == 0 ? 0 : (gint)((double)(8 * bytes - 1) * 0.3010299956);
}

ParquetSchema *parquet_schema_new(void)
{
    ParquetSchema *schema = g_new0(ParquetSchema, 1);

    g_atomic_ref_count_init(&schema->refs);
    schema->columns = g_array_new(FALSE, FALSE, sizeof(ParquetColumn));
    schema->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return schema;
}

ParquetSchema *parquet_schema_ref(ParquetSchema *schema)
{
    g_atomic_ref_count_inc(&schema->refs);
    return schema;
}

void parquet_schema_unref(ParquetSchema *schema)
{
    if (schema == NULL || !g_atomic_ref_count_dec(&schema->refs))
        return;
    g_array_unref(schema->columns);
    g_hash_table_unref(schema->by_name);
    g_free(schema);
}

static gboolean decimal_fits(const ParquetColumn *column)
{
    gint most;

    switch (column->type) {
    case PARQUET_INT32:
        most = 9;
        break;
    case PARQUET_INT64:
        most = 18;
        break;
    case PARQUET_FIXED:
        most = digits_of_bytes(MIN(column->length, DECIMAL_BYTES));
        break;
    case PARQUET_BYTE_ARRAY:
        most = digits_of_bytes(DECIMAL_BYTES);
        break;
    default:
        return FALSE;
    }
    return column->precision >= 1 && column->precision <= most && column->scale >= 0 &&
           column->scale <= column->precision;
}

static gboolean logical_fits(const ParquetColumn *column)
{
    switch (column->logical) {
    case PARQUET_STRING:
    case PARQUET_JSON:
    case PARQUET_ENUM:
    case PARQUET_BSON:
        return column->type == PARQUET_BYTE_ARRAY;
    case PARQUET_INTEGER:
        if (column->bits == 64)
            return column->type == PARQUET_INT64;
        return column->type == PARQUET_INT32 &&
               (column->bits == 8 || column->bits == 16 || column->bits == 32);
    case PARQUET_DECIMAL:
        return decimal_fits(column);
    case PARQUET_DATE:
        return column->type == PARQUET_INT32;
    case PARQUET_TIME:
        return column->type == (column->unit == PARQUET_MILLIS ? PARQUET_INT32 : PARQUET_INT64);
    case PARQUET_TIMESTAMP:
        return column->type == PARQUET_INT64;
    case PARQUET_UUID:
        return column->type == PARQUET_FIXED && column->length == 16;
    case PARQUET_FLOAT16:
        return column->type == PARQUET_FIXED && column->length == 2;
    case PARQUET_PLAIN_VALUE:
    case PARQUET_OTHER:
        return TRUE;
    }
    return FALSE;
}

gboolean parquet_schema_add(ParquetSchema *schema, const ParquetColumn *column, GError **error)
{
    ParquetColumn copy = *column;
    char *name;

    if (column->name == NULL || column->name[0] == '\0' ||
        !g_utf8_validate(column->name, -1, NULL)) {
        error_set(error, ERROR_FORMAT, "a parquet column needs a name in UTF-8");
        return FALSE;
    }
    if (g_hash_table_contains(schema->by_name, column->name)) {
        error_set(error, ERROR_FORMAT, "column %s stands twice in a parquet schema", column->name);
        return FALSE;
    }
    if ((guint)column->type > PARQUET_FIXED ||
        (column->type == PARQUET_FIXED &&
         (column->length == 0 || column->length > PARQUET_FIXED_MAX))) {
        error_set(error, ERROR_FORMAT, "column %s has no usable physical type", column->name);
        return FALSE;
    }
    if (!logical_fits(column)) {
        error_set(error, ERROR_FORMAT, "column %s: its logical type does not fit %s", column->name,
                  parquet_type_name(column->type));
        return FALSE;
    }
    name = g_strdup(column->name);
    copy.name = name;
    if (copy.type != PARQUET_FIXED)
        copy.length = 0;
    g_hash_table_insert(schema->by_name, name, GUINT_TO_POINTER(schema->columns->len));
    g_array_append_val(schema->columns, copy);
    return TRUE;
}

guint parquet_schema_count(const ParquetSchema *schema)
{
    return schema->columns->len;
}

const ParquetColumn *parquet_schema_column(const ParquetSchema *schema, guint index)
{
    g_return_val_if_fail(index < schema->columns->len, NULL);
    return &g_array_index(schema->columns, ParquetColumn, index);
}

gboolean parquet_schema_find(const ParquetSchema *schema, const char *name, guint *ret_index)
{
    gpointer value;

    if (!g_hash_table_lookup_extended(schema->by_name, name, NULL, &value))
        return FALSE;
    *ret_index = GPOINTER_TO_UINT(value);
    return TRUE;
}

gsize parquet_column_width(const ParquetColumn *column)
{
    switch (column->type) {
    case PARQUET_BOOLEAN:
        return 1;
    case PARQUET_INT32:
    case PARQUET_FLOAT:
        return 4;
    case PARQUET_INT64:
    case PARQUET_DOUBLE:
        return 8;
    case PARQUET_INT96:
        return 12;
    case PARQUET_FIXED:
        return column->length;
    case PARQUET_BYTE_ARRAY:
        return 0;
    }
    return 0;
}

gboolean parquet_column_is_text(const ParquetColumn *column)
{
    return column->logical == PARQUET_STRING || column->logical == PARQUET_JSON ||
           column->logical == PARQUET_ENUM;
}

const char *parquet_type_name(ParquetType type)
{
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};

    return (guint)type < G_N_ELEMENTS(names) ? names[type] : "UNKNOWN";
}

char *parquet_logical_text(const ParquetColumn *column)
{
    static const char *const names[] = {"",     "STRING",  "JSON", "ENUM", "BSON",
                                        "INT",  "DECIMAL", "DATE", "TIME", "TIMESTAMP",
                                        "UUID", "FLOAT16", "OTHER"};
    static const char *const units[] = {"ms", "us", "ns"};
    const char *name = names[column->logical];

    switch (column->logical) {
    case PARQUET_INTEGER:
        return g_strdup_printf("%s(%u, %s)", name, column->bits,
                               column->is_signed ? "signed" : "unsigned");
    case PARQUET_DECIMAL:
        return g_strdup_printf("%s(%d, %d)", name, column->precision, column->scale);
    case PARQUET_TIME:
    case PARQUET_TIMESTAMP:
        return g_strdup_printf("%s(%s, %s)", name, units[column->unit],
                               column->utc ? "UTC" : "local");
    default:
        return g_strdup(name);
    }
}
