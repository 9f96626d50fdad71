/* SPDX-License-Identifier: Apache-2.0
 *
 * Bind data: its size is computed first, then it is written in one go.
 */
#include "tdengine/bind.h"

#include <string.h>

#define HEAD           28u
#define FIELD_HEAD     17u  /* of a field: four numbers and the byte "has lengths" */
#define MAX_NAME_BYTES 192u /* of a table */

/* Bytes of a field's values. */
static guint64 values_size(const TdBinding *binding, guint rows)
{
    const guint width = td_type_width(binding->type);
    guint64 size = 0;

    if (binding->values == NULL)
        return 0;
    if (width != 0)
        return (guint64)rows * width;
    for (guint i = 0; i < rows; i++)
        size += binding->lengths[i];
    return size;
}

static guint64 field_size(const TdBinding *binding, guint rows)
{
    const guint64 lengths = td_type_width(binding->type) == 0 ? 4 * (guint64)rows : 0;

    return FIELD_HEAD + rows + lengths + values_size(binding, rows);
}

static guint64 fields_size(const TdBinding *bindings, guint count, guint rows)
{
    guint64 size = 0;

    for (guint i = 0; i < count; i++)
        size += field_size(&bindings[i], rows);
    return size;
}

static guint64 names_size(const TdInsertTable *tables, guint n_tables)
{
    guint64 size = 0;

    for (guint i = 0; i < n_tables; i++)
        size += 2 + strlen(tables[i].name) + 1;
    return size;
}

static guint8 *put16(guint8 *at, guint16 value)
{
    value = GUINT16_TO_LE(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static guint8 *put32(guint8 *at, guint64 value)
{
    const guint32 narrow = GUINT32_TO_LE((guint32)value);

    memcpy(at, &narrow, sizeof narrow);
    return at + sizeof narrow;
}

static guint8 *put_bytes(guint8 *at, const void *bytes, gsize length)
{
    if (length != 0)
        memcpy(at, bytes, length);
    return at + length;
}

static guint8 *put_field(guint8 *at, const TdBinding *binding, guint rows)
{
    const gboolean variable = td_type_width(binding->type) == 0;
    const guint64 size = values_size(binding, rows);

    at = put32(at, field_size(binding, rows));
    at = put32(at, binding->type);
    at = put32(at, rows);
    if (binding->nulls != NULL)
        at = put_bytes(at, binding->nulls, rows);
    else
        at = (guint8 *)memset(at, 0, rows) + rows;
    *at++ = variable;
    for (guint i = 0; variable && i < rows; i++)
        at = put32(at, binding->lengths[i]);
    at = put32(at, size);
    return put_bytes(at, binding->values, size);
}

static guint8 *put_names(guint8 *at, const TdInsertTable *tables, guint n_tables)
{
    for (guint i = 0; i < n_tables; i++)
        at = put16(at, (guint16)(strlen(tables[i].name) + 1));
    for (guint i = 0; i < n_tables; i++)
        at = put_bytes(at, tables[i].name, strlen(tables[i].name) + 1);
    return at;
}

static guint8 *put_tags(guint8 *at, const TdInsertTable *tables, guint n_tables, guint n_tags)
{
    for (guint i = 0; i < n_tables; i++)
        at = put32(at, fields_size(tables[i].tags, n_tags, 1));
    for (guint i = 0; i < n_tables; i++)
        for (guint t = 0; t < n_tags; t++)
            at = put_field(at, &tables[i].tags[t], 1);
    return at;
}

static guint8 *put_columns(guint8 *at, const TdInsertTable *tables, guint n_tables, guint n_columns)
{
    for (guint i = 0; i < n_tables; i++)
        at = put32(at, fields_size(tables[i].columns, n_columns, tables[i].n_rows));
    for (guint i = 0; i < n_tables; i++)
        for (guint c = 0; c < n_columns; c++)
            at = put_field(at, &tables[i].columns[c], tables[i].n_rows);
    return at;
}

gboolean td_bind_check(const TdInsertTable *tables, guint n_tables, GError **error)
{
    for (guint i = 0; i < n_tables; i++) {
        if (tables[i].n_rows < 1 || tables[i].n_rows > TD_BIND_MAX_ROWS) {
            error_set(error, ERROR_LIMIT, "%u rows of table %s to bind at once; 1 to %u may be",
                      tables[i].n_rows, tables[i].name, TD_BIND_MAX_ROWS);
            return FALSE;
        }
        if (strlen(tables[i].name) > MAX_NAME_BYTES) {
            error_set(error, ERROR_LIMIT, "table name %s is longer than %u bytes", tables[i].name,
                      MAX_NAME_BYTES);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean td_bind_build(GByteArray *data, const TdInsertTable *tables, guint n_tables, guint n_tags,
                       guint n_columns, GError **error)
{
    const guint64 names = names_size(tables, n_tables);
    const gsize start = data->len;
    guint64 tags = 0, columns = 0, size;
    guint8 *at;

    for (guint i = 0; i < n_tables; i++) {
        tags += n_tags != 0 ? 4 + fields_size(tables[i].tags, n_tags, 1) : 0;
        columns +=
            n_columns != 0 ? 4 + fields_size(tables[i].columns, n_columns, tables[i].n_rows) : 0;
    }
    size = HEAD + names + tags + columns;
    if (!td_bind_check(tables, n_tables, error))
        return FALSE;
    if (size > TD_BIND_MAX_BYTES) {
        error_set(error, ERROR_LIMIT, "%" G_GUINT64_FORMAT " bytes to bind at once; %u may be",
                  size, TD_BIND_MAX_BYTES);
        return FALSE;
    }
    g_byte_array_set_size(data, (guint)(start + size));
    at = data->data + start;
    at = put32(at, size);
    at = put32(at, n_tables);
    at = put32(at, n_tags);
    at = put32(at, n_columns);
    at = put32(at, names != 0 ? HEAD : 0);
    at = put32(at, tags != 0 ? HEAD + names : 0);
    at = put32(at, columns != 0 ? HEAD + names + tags : 0);
    at = put_names(at, tables, n_tables);
    if (n_tags != 0)
        at = put_tags(at, tables, n_tables, n_tags);
    if (n_columns != 0)
        at = put_columns(at, tables, n_tables, n_columns);
    g_assert(at == data->data + start + size);
    return TRUE;
}
