/* SPDX-License-Identifier: Apache-2.0
 *
 * The footer, page headers and the page index as Thrift bytes.
 */
#include "parquet/metadata.h"

#include <string.h>

#include "parquet/thrift.h"

/* ConvertedType, the older form of logical types. Readers of before 2018 know only this one. */
enum {
    CONVERTED_NONE = -1,
    CONVERTED_UTF8 = 0,
    CONVERTED_ENUM = 4,
    CONVERTED_DECIMAL = 5,
    CONVERTED_DATE = 6,
    CONVERTED_TIME_MILLIS = 7,
    CONVERTED_TIME_MICROS = 8,
    CONVERTED_TIMESTAMP_MILLIS = 9,
    CONVERTED_TIMESTAMP_MICROS = 10,
    CONVERTED_UINT_8 = 11,
    CONVERTED_INT_8 = 15,
    CONVERTED_JSON = 19,
    CONVERTED_BSON = 20
};

static gint converted_integer(const ParquetColumn *column)
{
    gint step = column->bits == 8 ? 0 : column->bits == 16 ? 1 : column->bits == 32 ? 2 : 3;

    return (column->is_signed ? CONVERTED_INT_8 : CONVERTED_UINT_8) + step;
}

/* Local times and nanoseconds have no converted type: an old reader must not take them for
 * instants. */
static gint converted_type(const ParquetColumn *column)
{
    switch (column->logical) {
    case PARQUET_STRING:
        return CONVERTED_UTF8;
    case PARQUET_JSON:
        return CONVERTED_JSON;
    case PARQUET_ENUM:
        return CONVERTED_ENUM;
    case PARQUET_BSON:
        return CONVERTED_BSON;
    case PARQUET_INTEGER:
        return converted_integer(column);
    case PARQUET_DECIMAL:
        return CONVERTED_DECIMAL;
    case PARQUET_DATE:
        return CONVERTED_DATE;
    case PARQUET_TIME:
        if (!column->utc || column->unit == PARQUET_NANOS)
            return CONVERTED_NONE;
        return column->unit == PARQUET_MILLIS ? CONVERTED_TIME_MILLIS : CONVERTED_TIME_MICROS;
    case PARQUET_TIMESTAMP:
        if (!column->utc || column->unit == PARQUET_NANOS)
            return CONVERTED_NONE;
        return column->unit == PARQUET_MILLIS ? CONVERTED_TIMESTAMP_MILLIS
                                              : CONVERTED_TIMESTAMP_MICROS;
    default:
        return CONVERTED_NONE;
    }
}

static void put_empty(ThriftWriter *writer, gint id)
{
    thrift_put_struct(writer, id);
    thrift_end_struct(writer);
}

static void put_time(ThriftWriter *writer, gint id, const ParquetColumn *column)
{
    thrift_put_struct(writer, id);
    thrift_put_bool(writer, 1, column->utc);
    thrift_put_struct(writer, 2);
    put_empty(writer, 1 + (gint)column->unit);
    thrift_end_struct(writer);
    thrift_end_struct(writer);
}

/* The members of the union LogicalType. */
static void put_logical(ThriftWriter *writer, const ParquetColumn *column)
{
    switch (column->logical) {
    case PARQUET_STRING:
        put_empty(writer, 1);
        return;
    case PARQUET_ENUM:
        put_empty(writer, 4);
        return;
    case PARQUET_DECIMAL:
        thrift_put_struct(writer, 5);
        thrift_put_i32(writer, 1, column->scale);
        thrift_put_i32(writer, 2, column->precision);
        thrift_end_struct(writer);
        return;
    case PARQUET_DATE:
        put_empty(writer, 6);
        return;
    case PARQUET_TIME:
        put_time(writer, 7, column);
        return;
    case PARQUET_TIMESTAMP:
        put_time(writer, 8, column);
        return;
    case PARQUET_INTEGER:
        thrift_put_struct(writer, 10);
        thrift_put_i8(writer, 1, (gint8)column->bits);
        thrift_put_bool(writer, 2, column->is_signed);
        thrift_end_struct(writer);
        return;
    case PARQUET_JSON:
        put_empty(writer, 12);
        return;
    case PARQUET_BSON:
        put_empty(writer, 13);
        return;
    case PARQUET_UUID:
        put_empty(writer, 14);
        return;
    case PARQUET_FLOAT16:
        put_empty(writer, 15);
        return;
    case PARQUET_PLAIN_VALUE:
    case PARQUET_OTHER:
        return;
    }
}

static void add_schema_element(ThriftWriter *writer, const ParquetColumn *column)
{
    gint converted = converted_type(column);

    thrift_add_struct(writer);
    thrift_put_i32(writer, 1, (gint32)column->type);
    if (column->type == PARQUET_FIXED)
        thrift_put_i32(writer, 2, (gint32)column->length);
    thrift_put_i32(writer, 3, column->optional ? 1 : 0);
    thrift_put_string(writer, 4, column->name);
    if (converted != CONVERTED_NONE)
        thrift_put_i32(writer, 6, converted);
    if (column->logical == PARQUET_DECIMAL) {
        thrift_put_i32(writer, 7, column->scale);
        thrift_put_i32(writer, 8, column->precision);
    }
    if (column->logical != PARQUET_PLAIN_VALUE && column->logical != PARQUET_OTHER) {
        thrift_put_struct(writer, 10);
        put_logical(writer, column);
        thrift_end_struct(writer);
    }
    thrift_end_struct(writer);
}

static void put_schema(ThriftWriter *writer, const ParquetSchema *schema)
{
    guint count = parquet_schema_count(schema);

    thrift_put_list(writer, 2, THRIFT_STRUCT, count + 1);
    thrift_add_struct(writer);
    thrift_put_string(writer, 4, "schema");
    thrift_put_i32(writer, 5, (gint32)count);
    thrift_end_struct(writer);
    for (guint i = 0; i < count; i++)
        add_schema_element(writer, parquet_schema_column(schema, i));
}

static void put_bytes(ThriftWriter *writer, gint id, GBytes *bytes)
{
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);

    thrift_put_binary(writer, id, data, length);
}

static void put_statistics(ThriftWriter *writer, const ParquetStatistics *statistics)
{
    thrift_put_struct(writer, 12);
    if (statistics->null_count >= 0)
        thrift_put_i64(writer, 3, statistics->null_count);
    if (statistics->max != NULL)
        put_bytes(writer, 5, statistics->max);
    if (statistics->min != NULL)
        put_bytes(writer, 6, statistics->min);
    if (statistics->max != NULL)
        thrift_put_bool(writer, 7, statistics->max_exact);
    if (statistics->min != NULL)
        thrift_put_bool(writer, 8, statistics->min_exact);
    thrift_end_struct(writer);
}

static void put_chunk_metadata(ThriftWriter *writer, const ParquetChunk *chunk, const char *name)
{
    guint encodings = (guint)__builtin_popcount(chunk->encodings);

    thrift_put_struct(writer, 3);
    thrift_put_i32(writer, 1, (gint32)chunk->type);
    thrift_put_list(writer, 2, THRIFT_I32, encodings);
    for (guint e = 0; e < 32; e++) {
        if (chunk->encodings >> e & 1)
            thrift_add_int(writer, e);
    }
    thrift_put_list(writer, 3, THRIFT_BINARY, 1);
    thrift_add_binary(writer, name, strlen(name));
    thrift_put_i32(writer, 4, (gint32)chunk->codec);
    thrift_put_i64(writer, 5, chunk->values);
    thrift_put_i64(writer, 6, chunk->plain_bytes);
    thrift_put_i64(writer, 7, chunk->stored_bytes);
    thrift_put_i64(writer, 9, chunk->data_offset);
    if (chunk->dictionary_offset != 0)
        thrift_put_i64(writer, 11, chunk->dictionary_offset);
    put_statistics(writer, &chunk->statistics);
    thrift_end_struct(writer);
}

static void add_chunk(ThriftWriter *writer, const ParquetChunk *chunk, const char *name)
{
    thrift_add_struct(writer);
    /* file_offset is out of use; the format asks writers for 0. */
    thrift_put_i64(writer, 2, 0);
    put_chunk_metadata(writer, chunk, name);
    if (chunk->offset_index_offset != 0) {
        thrift_put_i64(writer, 4, chunk->offset_index_offset);
        thrift_put_i32(writer, 5, chunk->offset_index_length);
    }
    if (chunk->column_index_offset != 0) {
        thrift_put_i64(writer, 6, chunk->column_index_offset);
        thrift_put_i32(writer, 7, chunk->column_index_length);
    }
    thrift_end_struct(writer);
}

static void add_row_group(ThriftWriter *writer, const ParquetMetadata *metadata, guint index)
{
    const ParquetRowGroup *group = parquet_metadata_group(metadata, index);
    guint columns = parquet_schema_count(metadata->schema);
    const ParquetChunk *first = group->chunks;

    thrift_add_struct(writer);
    thrift_put_list(writer, 1, THRIFT_STRUCT, columns);
    for (guint i = 0; i < columns; i++)
        add_chunk(writer, &group->chunks[i], parquet_schema_column(metadata->schema, i)->name);
    thrift_put_i64(writer, 2, group->plain_bytes);
    thrift_put_i64(writer, 3, group->rows);
    if (group->sorting_count > 0) {
        thrift_put_list(writer, 4, THRIFT_STRUCT, group->sorting_count);
        for (guint i = 0; i < group->sorting_count; i++) {
            thrift_add_struct(writer);
            thrift_put_i32(writer, 1, (gint32)group->sorting[i].column);
            thrift_put_bool(writer, 2, group->sorting[i].descending);
            thrift_put_bool(writer, 3, group->sorting[i].nulls_first);
            thrift_end_struct(writer);
        }
    }
    if (columns > 0)
        thrift_put_i64(writer, 5,
                       first->dictionary_offset != 0 ? first->dictionary_offset
                                                     : first->data_offset);
    thrift_put_i64(writer, 6, group->stored_bytes);
    if (index <= G_MAXINT16)
        thrift_put_i16(writer, 7, (gint16)index);
    thrift_end_struct(writer);
}

static void put_key_values(ThriftWriter *writer, const GArray *pairs)
{
    thrift_put_list(writer, 5, THRIFT_STRUCT, pairs->len);
    for (guint i = 0; i < pairs->len; i++) {
        const ParquetKeyValue *pair = &g_array_index(pairs, ParquetKeyValue, i);

        thrift_add_struct(writer);
        thrift_put_string(writer, 1, pair->key);
        if (pair->value != NULL)
            thrift_put_string(writer, 2, pair->value);
        thrift_end_struct(writer);
    }
}

void parquet_metadata_write(const ParquetMetadata *metadata, GByteArray *out)
{
    guint columns = parquet_schema_count(metadata->schema);
    ThriftWriter writer;

    thrift_writer_init(&writer, out);
    thrift_put_root(&writer);
    thrift_put_i32(&writer, 1, metadata->version);
    put_schema(&writer, metadata->schema);
    thrift_put_i64(&writer, 3, metadata->rows);
    thrift_put_list(&writer, 4, THRIFT_STRUCT, metadata->row_groups->len);
    for (guint i = 0; i < metadata->row_groups->len; i++)
        add_row_group(&writer, metadata, i);
    if (metadata->key_values->len > 0)
        put_key_values(&writer, metadata->key_values);
    if (metadata->created_by != NULL)
        thrift_put_string(&writer, 6, metadata->created_by);
    thrift_put_list(&writer, 7, THRIFT_STRUCT, columns);
    for (guint i = 0; i < columns; i++) {
        thrift_add_struct(&writer);
        put_empty(&writer, 1);
        thrift_end_struct(&writer);
    }
    thrift_end_struct(&writer);
}

void parquet_page_header_write(const ParquetPageHeader *header, GByteArray *out)
{
    ThriftWriter writer;

    thrift_writer_init(&writer, out);
    thrift_put_root(&writer);
    thrift_put_i32(&writer, 1, (gint32)header->type);
    thrift_put_i32(&writer, 2, header->plain_bytes);
    thrift_put_i32(&writer, 3, header->stored_bytes);
    if (header->has_crc)
        thrift_put_i32(&writer, 4, (gint32)header->crc);
    if (header->type == PARQUET_PAGE_DICTIONARY) {
        thrift_put_struct(&writer, 7);
        thrift_put_i32(&writer, 1, header->values);
        thrift_put_i32(&writer, 2, (gint32)header->encoding);
    } else {
        thrift_put_struct(&writer, 5);
        thrift_put_i32(&writer, 1, header->values);
        thrift_put_i32(&writer, 2, (gint32)header->encoding);
        thrift_put_i32(&writer, 3, PARQUET_RLE);
        thrift_put_i32(&writer, 4, PARQUET_RLE);
    }
    thrift_end_struct(&writer);
    thrift_end_struct(&writer);
}

void parquet_offset_index_write(const ParquetPageIndex *index, GByteArray *out)
{
    ThriftWriter writer;

    thrift_writer_init(&writer, out);
    thrift_put_root(&writer);
    thrift_put_list(&writer, 1, THRIFT_STRUCT, index->locations->len);
    for (guint i = 0; i < index->locations->len; i++) {
        const ParquetPageLocation *page = parquet_page_location(index, i);

        thrift_add_struct(&writer);
        thrift_put_i64(&writer, 1, page->offset);
        thrift_put_i32(&writer, 2, page->stored_bytes);
        thrift_put_i64(&writer, 3, page->first_row);
        thrift_end_struct(&writer);
    }
    thrift_end_struct(&writer);
}

static void add_bound(ThriftWriter *writer, GBytes *bytes)
{
    gsize length = 0;
    const void *data = bytes == NULL ? "" : g_bytes_get_data(bytes, &length);

    thrift_add_binary(writer, data, length);
}

void parquet_column_index_write(const ParquetPageIndex *index, GByteArray *out)
{
    guint pages = index->bounds->len;
    ThriftWriter writer;

    thrift_writer_init(&writer, out);
    thrift_put_root(&writer);
    thrift_put_list(&writer, 1, THRIFT_TRUE, pages);
    for (guint i = 0; i < pages; i++)
        thrift_add_bool(&writer, parquet_page_bounds(index, i)->null_page);
    thrift_put_list(&writer, 2, THRIFT_BINARY, pages);
    for (guint i = 0; i < pages; i++)
        add_bound(&writer, parquet_page_bounds(index, i)->min);
    thrift_put_list(&writer, 3, THRIFT_BINARY, pages);
    for (guint i = 0; i < pages; i++)
        add_bound(&writer, parquet_page_bounds(index, i)->max);
    thrift_put_i32(&writer, 4, (gint32)index->order);
    thrift_put_list(&writer, 5, THRIFT_I64, pages);
    for (guint i = 0; i < pages; i++)
        thrift_add_int(&writer, parquet_page_bounds(index, i)->null_count);
    thrift_end_struct(&writer);
}
