/* SPDX-License-Identifier: Apache-2.0
 *
 * From Parquet's arrays to bindings.
 */
#include "tdengine/bind-columns.h"

#include <string.h>

#include "parquet/schema.h"
#include "tdengine/columns.h"

void td_bind_column_init_null(TdBindColumn *column, const TdField *field)
{
    const guint32 zero = 0;

    *column = (TdBindColumn){.type = field->type, .width = td_type_width(field->type)};
    column->values = g_byte_array_new();
    column->is_null = g_byte_array_new();
    column->starts = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_array_append_val(column->starts, zero);
    column->lengths = g_array_new(FALSE, FALSE, sizeof(guint32));
}

gboolean td_bind_column_fits(const TdField *field, const ParquetColumn *file, gboolean *ret_ucs4,
                             GError **error)
{
    ParquetColumn expected;

    td_parquet_column(field, TD_MILLISECONDS, TRUE, &expected);
    if (file->type != expected.type || file->length != expected.length) {
        error_set(error, ERROR_FORMAT, "column %s: %s in the backup's file is no %s", field->name,
                  parquet_type_name(file->type), td_type_name(field->type));
        return FALSE;
    }
    *ret_ucs4 = field->type == TD_NCHAR && file->logical == PARQUET_PLAIN_VALUE;
    return TRUE;
}

gboolean td_bind_column_init(TdBindColumn *column, const TdField *field, const ParquetColumn *file,
                             GError **error)
{
    gboolean ucs4;

    if (!td_bind_column_fits(field, file, &ucs4, error))
        return FALSE;
    td_bind_column_init_null(column, field);
    column->ucs4 = ucs4;
    return TRUE;
}

void td_bind_column_clear(TdBindColumn *column)
{
    g_clear_pointer(&column->values, g_byte_array_unref);
    g_clear_pointer(&column->is_null, g_byte_array_unref);
    g_clear_pointer(&column->starts, g_array_unref);
    g_clear_pointer(&column->lengths, g_array_unref);
}

void td_bind_column_reset(TdBindColumn *column)
{
    column->rows = 0;
    column->nulls = FALSE;
    g_byte_array_set_size(column->values, 0);
    g_byte_array_set_size(column->is_null, 0);
    g_array_set_size(column->starts, 1);
    g_array_set_size(column->lengths, 0);
}

#define NARROW(from_type_, to_type_)                                                               \
    for (gsize i = 0; i < count; i++) {                                                            \
        from_type_ wide;                                                                           \
        to_type_ narrow;                                                                           \
        memcpy(&wide, from + i * sizeof wide, sizeof wide);                                        \
        narrow = (to_type_)wide;                                                                   \
        memcpy(to + i * sizeof narrow, &narrow, sizeof narrow);                                    \
    }

/* Decimals are big endian in Parquet. */
static void reverse_decimals(const guint8 *from, guint8 *to, gsize count)
{
    for (gsize i = 0; i < count; i++)
        for (guint j = 0; j < 16; j++)
            to[i * 16 + j] = from[i * 16 + 15 - j];
}

static void add_fixed(TdBindColumn *column, const ParquetArray *array, gsize first, gsize count)
{
    const guint8 *from = array->values;
    gsize start = column->rows * column->width;
    guint8 *to;

    g_byte_array_set_size(column->values, (guint)(start + count * column->width));
    to = column->values->data + start;
    switch (column->type) {
    case TD_TINYINT:
    case TD_UTINYINT:
        from += first * sizeof(gint32);
        NARROW(gint32, gint8)
        break;
    case TD_SMALLINT:
    case TD_USMALLINT:
        from += first * sizeof(gint32);
        NARROW(gint32, gint16)
        break;
    case TD_DECIMAL:
        reverse_decimals(from + first * column->width, to, count);
        break;
    default:
        memcpy(to, from + first * column->width, count * column->width);
        break;
    }
}

/* A value of an NCHAR column of which one, somewhere, is no text: this one may be. */
static gboolean add_ucs4(TdBindColumn *column, const guint8 *bytes, guint32 length, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (!td_nchar_to_utf8(bytes, length, text, NULL)) {
        error_set(error, ERROR_UNSUPPORTED,
                  "an NCHAR value that is no Unicode text cannot be written");
        return FALSE;
    }
    g_byte_array_append(column->values, (const guint8 *)text->str, (guint)text->len);
    return TRUE;
}

static gboolean add_variable(TdBindColumn *column, const ParquetArray *array, gsize first,
                             gsize count, GError **error)
{
    const guint32 *offsets = array->offsets + first;
    gsize bytes = offsets[count] - offsets[0];

    if ((guint64)column->values->len + 3 * (guint64)bytes > G_MAXUINT32) {
        error_set(error, ERROR_LIMIT, "values of more than 4 GiB in one column");
        return FALSE;
    }
    if (!column->ucs4)
        g_byte_array_append(column->values, array->bytes + offsets[0], (guint)bytes);
    for (gsize i = 0; i < count; i++) {
        guint32 start = g_array_index(column->starts, guint32, column->rows + i);
        guint32 length = offsets[i + 1] - offsets[i];
        guint32 end = start + length;

        if (column->ucs4) {
            if (!add_ucs4(column, array->bytes + offsets[i], length, error))
                return FALSE;
            end = column->values->len;
            length = end - start;
        }
        g_array_append_val(column->starts, end);
        g_array_append_val(column->lengths, length);
    }
    return TRUE;
}

static void add_nulls(TdBindColumn *column, const ParquetArray *array, gsize first, gsize count)
{
    gboolean nulls = FALSE;

    for (gsize i = 0; array->validity != NULL && i < count && !nulls; i++)
        nulls = !parquet_array_is_valid(array, first + i);
    if (!nulls && !column->nulls)
        return;
    g_byte_array_set_size(column->is_null, (guint)(column->rows + count));
    if (!column->nulls)
        memset(column->is_null->data, 0, column->rows);
    for (gsize i = 0; i < count; i++)
        column->is_null->data[column->rows + i] = !parquet_array_is_valid(array, first + i);
    column->nulls = TRUE;
}

gboolean td_bind_column_add(TdBindColumn *column, const ParquetArray *array, gsize from,
                            gsize count, GError **error)
{
    if (column->width != 0)
        add_fixed(column, array, from, count);
    else if (!add_variable(column, array, from, count, error))
        return FALSE;
    add_nulls(column, array, from, count);
    column->rows += count;
    return TRUE;
}

void td_bind_column_add_nulls(TdBindColumn *column, gsize count)
{
    const guint32 none = 0, end = column->values->len;
    const gsize start = column->rows * column->width;

    if (column->width != 0) {
        g_byte_array_set_size(column->values, (guint)(start + count * column->width));
        memset(column->values->data + start, 0, count * column->width);
    }
    for (gsize i = 0; column->width == 0 && i < count; i++) {
        g_array_append_val(column->starts, end);
        g_array_append_val(column->lengths, none);
    }
    g_byte_array_set_size(column->is_null, (guint)(column->rows + count));
    if (!column->nulls)
        memset(column->is_null->data, 0, column->rows);
    memset(column->is_null->data + column->rows, 1, count);
    column->nulls = TRUE;
    column->rows += count;
}

static gsize value_start(const TdBindColumn *column, gsize row)
{
    return column->width != 0 ? row * column->width : g_array_index(column->starts, guint32, row);
}

void td_bind_column_get(const TdBindColumn *column, gsize row, TdBinding *ret_binding)
{
    /* A column of NULLs only has no bytes at all. */
    static const guint8 nothing[1] = {0};
    const guint8 *values = column->values->data != NULL ? column->values->data : nothing;

    *ret_binding =
        (TdBinding){.type = column->type,
                    .nulls = column->nulls ? column->is_null->data + row : NULL,
                    .values = values + value_start(column, row),
                    .lengths =
                        column->width == 0 ? &g_array_index(column->lengths, guint32, row) : NULL};
}

gboolean td_bind_column_value(const TdBindColumn *column, gsize row, const guint8 **ret_bytes,
                              gsize *ret_length)
{
    if (column->nulls && column->is_null->data[row] != 0)
        return FALSE;
    *ret_bytes = column->values->data + value_start(column, row);
    *ret_length = column->width != 0 ? column->width : g_array_index(column->lengths, guint32, row);
    return TRUE;
}

/* --- columns of an object --------------------------------------------------------------------- */

void td_file_column_free(TdFileColumn *column)
{
    if (column == NULL)
        return;
    g_free(column->name);
    g_free(column->role);
    g_free(column->type);
    g_free(column);
}

static const char *metadata_value(const ParquetMetadata *metadata, const char *key)
{
    for (guint i = 0; i < metadata->key_values->len; i++) {
        const ParquetKeyValue *pair = &g_array_index(metadata->key_values, ParquetKeyValue, i);

        if (strcmp(pair->key, key) == 0)
            return pair->value;
    }
    return NULL;
}

GPtrArray *td_file_columns(const ParquetMetadata *metadata, const char *what, GError **error)
{
    const char *text = metadata_value(metadata, "holdfast.columns");
    g_autoptr(json_t) array = text != NULL ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    g_autoptr(GPtrArray) columns =
        g_ptr_array_new_with_free_func((GDestroyNotify)td_file_column_free);

    if (!json_is_array(array) || json_array_size(array) != parquet_schema_count(metadata->schema)) {
        error_set(error, ERROR_FORMAT, "%s does not say what its columns are", what);
        return NULL;
    }
    for (gsize i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        TdFileColumn *column = g_new0(TdFileColumn, 1);

        column->name = g_strdup(json_get_string(item, "name", ""));
        column->role = g_strdup(json_get_string(item, "role", ""));
        column->type = g_strdup(json_get_string(item, "type", NULL));
        g_ptr_array_add(columns, column);
    }
    return g_steal_pointer(&columns);
}

gint td_file_column_find(const GPtrArray *columns, const char *role, const char *name)
{
    for (guint i = 0; i < columns->len; i++) {
        const TdFileColumn *column = g_ptr_array_index(columns, i);

        if (strcmp(column->role, role) == 0 && (name == NULL || strcmp(column->name, name) == 0))
            return (gint)i;
    }
    return -1;
}

static gboolean is_same_type(const TdFileColumn *column, const TdField *field)
{
    g_autofree char *name = g_strdup(column->type != NULL ? column->type : "");
    TdType type;
    guint precision, scale;

    /* A length says nothing here, that of a decimal is its type. */
    if (!g_str_has_prefix(name, "DECIMAL"))
        name[strcspn(name, "(")] = '\0';
    return td_type_parse(name, &type, &precision, &scale) && type == field->type &&
           ((type != TD_DECIMAL && type != TD_DECIMAL64) ||
            (precision == field->precision && scale == field->scale));
}

gint td_file_column_find_field(const GPtrArray *columns, const TdField *field, gboolean tag)
{
    for (guint i = 0; i < columns->len; i++) {
        const TdFileColumn *column = g_ptr_array_index(columns, i);
        gboolean fits = tag ? strcmp(column->role, "tag") == 0
                            : strcmp(column->role, "time") == 0 ||
                                  strcmp(column->role, "key") == 0 ||
                                  strcmp(column->role, "column") == 0;

        if (fits && strcmp(column->name, field->name) == 0)
            return is_same_type(column, field) ? (gint)i : -1;
    }
    return -1;
}
