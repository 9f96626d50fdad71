/* SPDX-License-Identifier: Apache-2.0
 *
 * The footer, read from bytes that nothing is known about.
 */
#include "parquet/metadata.h"

#include <string.h>

#include "base/error.h"
#include "parquet/thrift.h"

/* One element of the schema list as it stands in the file. */
typedef struct {
    char *name;
    gint type; /* -1: not said */
    gint length;
    gint repetition; /* -1: not said */
    gint children;
    gint converted; /* -1: none */
    gint scale, precision;
    gboolean has_logical;
    ParquetColumn logical; /* only the parts that a logical type sets */
} Element;

/* What is gathered before the schema is known to be usable. */
typedef struct {
    const ParquetMetadataLimits *limits;
    const char *what;
    guint64 file_size;
    ParquetMetadata *metadata;
    gboolean unsupported; /* the failure is none of the format but of this reader */
    gboolean limited;
} Parser;

static char *dup_text(ThriftReader *reader, const ThriftField *field)
{
    gsize length;
    const guint8 *bytes = thrift_get_binary(reader, field, &length);

    if (memchr(bytes, 0, length) != NULL ||
        !g_utf8_validate((const char *)bytes, (gssize)length, NULL)) {
        thrift_fail(reader, "text that is not UTF-8");
        return NULL;
    }
    return g_strndup((const char *)bytes, length);
}

static void read_unit(ThriftReader *reader, const ThriftField *field, ParquetColumn *column)
{
    ThriftField unit;

    thrift_get_struct(reader, field);
    while (thrift_next_field(reader, &unit)) {
        if (unit.id >= 1 && unit.id <= 3)
            column->unit = (ParquetUnit)(unit.id - 1);
        thrift_skip(reader, &unit);
    }
}

/* The members of TimeType, TimestampType, DecimalType and IntType; which one it is stands in
 * column->logical. */
static void read_logical_member(ThriftReader *reader, const ThriftField *outer,
                                ParquetColumn *column)
{
    ThriftField field;

    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        if (column->logical == PARQUET_DECIMAL && field.id == 1)
            column->scale = (gint)thrift_get_int(reader, &field, G_MININT32, G_MAXINT32);
        else if (column->logical == PARQUET_DECIMAL && field.id == 2)
            column->precision = (gint)thrift_get_int(reader, &field, G_MININT32, G_MAXINT32);
        else if (column->logical == PARQUET_INTEGER && field.id == 1)
            column->bits = (guint)thrift_get_int(reader, &field, 0, 64);
        else if (column->logical == PARQUET_INTEGER && field.id == 2)
            column->is_signed = thrift_get_bool(reader, &field);
        else if (field.id == 1 &&
                 (column->logical == PARQUET_TIME || column->logical == PARQUET_TIMESTAMP))
            column->utc = thrift_get_bool(reader, &field);
        else if (field.id == 2 &&
                 (column->logical == PARQUET_TIME || column->logical == PARQUET_TIMESTAMP))
            read_unit(reader, &field, column);
        else
            thrift_skip(reader, &field);
    }
}

static void read_logical(ThriftReader *reader, const ThriftField *outer, Element *element)
{
    /* By the number of the member in the union LogicalType. */
    static const ParquetLogical kinds[] = {
        [1] = PARQUET_STRING, [4] = PARQUET_ENUM,      [5] = PARQUET_DECIMAL,  [6] = PARQUET_DATE,
        [7] = PARQUET_TIME,   [8] = PARQUET_TIMESTAMP, [10] = PARQUET_INTEGER, [12] = PARQUET_JSON,
        [13] = PARQUET_BSON,  [14] = PARQUET_UUID,     [15] = PARQUET_FLOAT16,
    };
    ThriftField field;

    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        element->has_logical = TRUE;
        element->logical.logical = PARQUET_OTHER;
        if ((guint)field.id < G_N_ELEMENTS(kinds) && kinds[field.id] != PARQUET_PLAIN_VALUE)
            element->logical.logical = kinds[field.id];
        read_logical_member(reader, &field, &element->logical);
    }
}

static void read_element(ThriftReader *reader, Element *element)
{
    ThriftField field;

    element->type = element->repetition = element->converted = -1;
    thrift_begin_struct(reader);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            element->type = (gint)thrift_get_int(reader, &field, 0, 7);
            break;
        case 2:
            element->length = (gint)thrift_get_int(reader, &field, 0, G_MAXINT32);
            break;
        case 3:
            element->repetition = (gint)thrift_get_int(reader, &field, 0, 2);
            break;
        case 4:
            g_free(element->name);
            element->name = dup_text(reader, &field);
            break;
        case 5:
            element->children = (gint)thrift_get_int(reader, &field, 0, G_MAXINT32);
            break;
        case 6:
            element->converted = (gint)thrift_get_int(reader, &field, 0, G_MAXINT32);
            break;
        case 7:
            element->scale = (gint)thrift_get_int(reader, &field, G_MININT32, G_MAXINT32);
            break;
        case 8:
            element->precision = (gint)thrift_get_int(reader, &field, G_MININT32, G_MAXINT32);
            break;
        case 10:
            read_logical(reader, &field, element);
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0x10);
}

/* The older form of logical types, for files that have only that. */
static void apply_converted(const Element *element, ParquetColumn *column)
{
    static const ParquetLogical kinds[] = {
        [0] = PARQUET_STRING,    [4] = PARQUET_ENUM,       [5] = PARQUET_DECIMAL,
        [6] = PARQUET_DATE,      [7] = PARQUET_TIME,       [8] = PARQUET_TIME,
        [9] = PARQUET_TIMESTAMP, [10] = PARQUET_TIMESTAMP, [11] = PARQUET_INTEGER,
        [12] = PARQUET_INTEGER,  [13] = PARQUET_INTEGER,   [14] = PARQUET_INTEGER,
        [15] = PARQUET_INTEGER,  [16] = PARQUET_INTEGER,   [17] = PARQUET_INTEGER,
        [18] = PARQUET_INTEGER,  [19] = PARQUET_JSON,      [20] = PARQUET_BSON,
    };
    gint converted = element->converted;

    column->logical = PARQUET_OTHER;
    if ((guint)converted < G_N_ELEMENTS(kinds) && kinds[converted] != PARQUET_PLAIN_VALUE)
        column->logical = kinds[converted];
    column->utc = TRUE;
    column->unit = converted == 7 || converted == 9 ? PARQUET_MILLIS : PARQUET_MICROS;
    column->scale = element->scale;
    column->precision = element->precision;
    if (column->logical == PARQUET_INTEGER) {
        column->bits = 8u << ((converted - 11) & 3);
        column->is_signed = converted >= 15;
    }
}

static gboolean add_column(ThriftReader *reader, Parser *parser, ParquetSchema *schema,
                           const Element *element)
{
    ParquetColumn column = {0};
    g_autoptr(GError) error = NULL;

    if (element->name == NULL || element->type < 0 || element->repetition == 2 ||
        element->children > 0) {
        thrift_fail(reader, "column %s is nested or repeated, and only flat columns can be read",
                    element->name != NULL ? element->name : "without a name");
        parser->unsupported = TRUE;
        return FALSE;
    }
    if (element->has_logical)
        column = element->logical;
    else if (element->converted >= 0)
        apply_converted(element, &column);
    column.name = element->name;
    column.type = (ParquetType)element->type;
    column.length = (guint)element->length;
    column.optional = element->repetition == 1;
    if (!parquet_schema_add(schema, &column, &error)) {
        thrift_fail(reader, "%s", error->message);
        return FALSE;
    }
    return TRUE;
}

static void read_schema(ThriftReader *reader, const ThriftField *field, Parser *parser)
{
    g_autoptr(ParquetSchema) schema = parquet_schema_new();
    ThriftField unused;
    guint count = thrift_get_list(reader, field, THRIFT_STRUCT, G_MAXUINT32, &unused);

    if (count > 0 && count - 1 > parser->limits->columns) {
        thrift_fail(reader, "%u columns are more than the limit of %u", count - 1,
                    parser->limits->columns);
        parser->limited = TRUE;
        return;
    }
    if (parser->metadata != NULL || count < 2) {
        thrift_fail(reader, "schema is double or without columns");
        return;
    }
    for (guint i = 0; i < count && reader->failure == NULL; i++) {
        Element element = {0};

        read_element(reader, &element);
        if (i > 0 && reader->failure == NULL)
            add_column(reader, parser, schema, &element);
        else if (reader->failure == NULL && (guint)element.children != count - 1 &&
                 element.children == 0)
            thrift_fail(reader, "schema's root has no columns");
        g_free(element.name);
    }
    if (reader->failure == NULL)
        parser->metadata = parquet_metadata_new(schema);
}

static GBytes *read_bytes(ThriftReader *reader, const ThriftField *field, GBytes *old)
{
    gsize length;
    const guint8 *bytes = thrift_get_binary(reader, field, &length);

    if (old != NULL)
        g_bytes_unref(old);
    return g_bytes_new(bytes, length);
}

static void read_statistics(ThriftReader *reader, const ThriftField *outer,
                            ParquetStatistics *statistics)
{
    ThriftField field;

    /* Without a word about it a bound is exact, as writers from before these fields meant it, for
     * all but strings. */
    statistics->min_exact = statistics->max_exact = TRUE;
    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 3:
            statistics->null_count = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 5:
            statistics->max = read_bytes(reader, &field, statistics->max);
            break;
        case 6:
            statistics->min = read_bytes(reader, &field, statistics->min);
            break;
        case 7:
            statistics->max_exact = thrift_get_bool(reader, &field);
            break;
        case 8:
            statistics->min_exact = thrift_get_bool(reader, &field);
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
}

static void read_encodings(ThriftReader *reader, const ThriftField *field, ParquetChunk *chunk)
{
    ThriftField element;
    guint count = thrift_get_list(reader, field, THRIFT_I32, 64, &element);

    for (guint i = 0; i < count && reader->failure == NULL; i++)
        chunk->encodings |= 1u << thrift_get_int(reader, &element, 0, 31);
}

static void read_chunk_metadata(ThriftReader *reader, const ThriftField *outer, ParquetChunk *chunk)
{
    ThriftField field;

    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            chunk->type = (ParquetType)thrift_get_int(reader, &field, 0, 7);
            break;
        case 2:
            read_encodings(reader, &field, chunk);
            break;
        case 4:
            chunk->codec = (ParquetCodec)thrift_get_int(reader, &field, 0, 255);
            break;
        case 5:
            chunk->values = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 6:
            chunk->plain_bytes = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 7:
            chunk->stored_bytes = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 9:
            chunk->data_offset = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 11:
            chunk->dictionary_offset = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 12:
            parquet_statistics_clear(&chunk->statistics);
            read_statistics(reader, &field, &chunk->statistics);
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0x2fe);
}

static void read_chunk(ThriftReader *reader, Parser *parser, ParquetChunk *chunk)
{
    ThriftField field;

    chunk->statistics.null_count = -1;
    thrift_begin_struct(reader);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            thrift_fail(reader, "column chunk is in another file");
            parser->unsupported = TRUE;
            break;
        case 3:
            read_chunk_metadata(reader, &field, chunk);
            break;
        case 4:
            chunk->offset_index_offset = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 5:
            chunk->offset_index_length = (gint32)thrift_get_int(reader, &field, 0, G_MAXINT32);
            break;
        case 6:
            chunk->column_index_offset = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 7:
            chunk->column_index_length = (gint32)thrift_get_int(reader, &field, 0, G_MAXINT32);
            break;
        case 8:
        case 9:
            thrift_fail(reader, "column chunk is encrypted");
            parser->unsupported = TRUE;
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0x8);
}

static gboolean in_file(const Parser *parser, gint64 offset, gint64 length)
{
    return (guint64)offset <= parser->file_size &&
           (guint64)length <= parser->file_size - (guint64)offset;
}

/* An index that lies outside the file is treated as none: it is not needed to read values. */
static void check_index(const Parser *parser, gint64 *offset, gint32 *length)
{
    if (*offset == 0 || *length == 0 || !in_file(parser, *offset, *length)) {
        *offset = 0;
        *length = 0;
    }
}

static void check_chunk(ThriftReader *reader, const Parser *parser, ParquetChunk *chunk,
                        guint column, gint64 rows)
{
    const ParquetColumn *info = parquet_schema_column(parser->metadata->schema, column);
    gint64 start;

    /* Some writers give 0 or the data page's own offset where there is no dictionary. */
    if (chunk->dictionary_offset >= chunk->data_offset)
        chunk->dictionary_offset = 0;
    start = chunk->dictionary_offset != 0 ? chunk->dictionary_offset : chunk->data_offset;
    if (chunk->type != info->type)
        thrift_fail(reader, "column %s: chunk and schema differ in type", info->name);
    else if (chunk->values != rows)
        thrift_fail(reader, "column %s: number of values is not that of rows", info->name);
    else if (!in_file(parser, start, chunk->stored_bytes) ||
             (rows > 0 && chunk->data_offset - start >= chunk->stored_bytes))
        thrift_fail(reader, "column %s: chunk runs behind its end or the file's", info->name);
    check_index(parser, &chunk->offset_index_offset, &chunk->offset_index_length);
    check_index(parser, &chunk->column_index_offset, &chunk->column_index_length);
}

static void read_sorting(ThriftReader *reader, const ThriftField *outer, Parser *parser,
                         ParquetRowGroup *group)
{
    guint columns = parquet_schema_count(parser->metadata->schema);
    ThriftField field;
    guint count = thrift_get_list(reader, outer, THRIFT_STRUCT, columns, &field);

    g_free(group->sorting);
    group->sorting = g_new0(ParquetSorting, count);
    group->sorting_count = count;
    for (guint i = 0; i < count && reader->failure == NULL; i++) {
        ParquetSorting *sorting = &group->sorting[i];

        thrift_begin_struct(reader);
        while (thrift_next_field(reader, &field)) {
            if (field.id == 1)
                sorting->column = (guint)thrift_get_int(reader, &field, 0, columns - 1);
            else if (field.id == 2)
                sorting->descending = thrift_get_bool(reader, &field);
            else if (field.id == 3)
                sorting->nulls_first = thrift_get_bool(reader, &field);
            else
                thrift_skip(reader, &field);
        }
    }
}

static void read_chunks(ThriftReader *reader, const ThriftField *field, Parser *parser,
                        ParquetRowGroup *group)
{
    guint columns = parquet_schema_count(parser->metadata->schema);
    ThriftField unused;
    guint count = thrift_get_list(reader, field, THRIFT_STRUCT, G_MAXUINT32, &unused);

    if (count != columns || group->chunks != NULL) {
        thrift_fail(reader, "row group has %u column chunks, the schema %u", count, columns);
        return;
    }
    group->chunks = g_new0(ParquetChunk, columns);
    for (guint i = 0; i < count && reader->failure == NULL; i++)
        read_chunk(reader, parser, &group->chunks[i]);
}

static void read_row_group(ThriftReader *reader, Parser *parser, ParquetRowGroup *group)
{
    guint columns = parquet_schema_count(parser->metadata->schema);
    ThriftField field;

    thrift_begin_struct(reader);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            read_chunks(reader, &field, parser, group);
            break;
        case 2:
            group->plain_bytes = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 3:
            group->rows = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 4:
            read_sorting(reader, &field, parser, group);
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0xe);
    for (guint i = 0; i < columns && reader->failure == NULL; i++) {
        check_chunk(reader, parser, &group->chunks[i], i, group->rows);
        group->stored_bytes += group->chunks[i].stored_bytes;
    }
}

static void read_row_groups(ThriftReader *reader, const ThriftField *field, Parser *parser)
{
    ParquetMetadata *metadata = parser->metadata;
    ThriftField unused;
    guint count = thrift_get_list(reader, field, THRIFT_STRUCT, G_MAXUINT32, &unused);
    guint columns;

    if (metadata == NULL || metadata->row_groups->len > 0) {
        thrift_fail(reader, "row groups are double or stand before the schema");
        return;
    }
    columns = parquet_schema_count(metadata->schema);
    if (count > parser->limits->chunks / columns) {
        thrift_fail(reader, "%u row groups of %u columns are more than the limit of %u chunks",
                    count, columns, parser->limits->chunks);
        parser->limited = TRUE;
        return;
    }
    for (guint i = 0; i < count && reader->failure == NULL; i++) {
        ParquetRowGroup group = {0};

        read_row_group(reader, parser, &group);
        g_array_append_val(metadata->row_groups, group);
    }
}

static void read_key_values(ThriftReader *reader, const ThriftField *outer, Parser *parser)
{
    ThriftField field;
    guint count = thrift_get_list(reader, outer, THRIFT_STRUCT, 65536, &field);

    if (parser->metadata == NULL) {
        thrift_fail(reader, "metadata stands before the schema");
        return;
    }
    for (guint i = 0; i < count && reader->failure == NULL; i++) {
        ParquetKeyValue pair = {0};

        thrift_begin_struct(reader);
        while (thrift_next_field(reader, &field)) {
            if (field.id == 1 && pair.key == NULL)
                pair.key = dup_text(reader, &field);
            else if (field.id == 2 && pair.value == NULL)
                pair.value = dup_text(reader, &field);
            else
                thrift_skip(reader, &field);
        }
        if (pair.key == NULL)
            pair.key = g_strdup("");
        g_array_append_val(parser->metadata->key_values, pair);
    }
}

static void check_rows(ThriftReader *reader, const ParquetMetadata *metadata)
{
    gint64 rows = 0;

    for (guint i = 0; i < metadata->row_groups->len; i++) {
        if (__builtin_add_overflow(rows, parquet_metadata_group(metadata, i)->rows, &rows))
            break;
    }
    if (rows != metadata->rows)
        thrift_fail(reader, "row groups do not add up to the file's rows");
}

static void read_file_metadata(ThriftReader *reader, Parser *parser)
{
    ThriftField field;
    gint32 version = 0;
    gint64 rows = 0;
    g_autofree char *created_by = NULL;
    gboolean typed_order = FALSE;

    thrift_begin_struct(reader);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            version = (gint32)thrift_get_int(reader, &field, 0, G_MAXINT32);
            break;
        case 2:
            read_schema(reader, &field, parser);
            break;
        case 3:
            rows = thrift_get_int(reader, &field, 0, G_MAXINT64);
            break;
        case 4:
            read_row_groups(reader, &field, parser);
            break;
        case 5:
            read_key_values(reader, &field, parser);
            break;
        case 6:
            g_free(created_by);
            created_by = dup_text(reader, &field);
            break;
        case 7:
            typed_order = TRUE;
            thrift_skip(reader, &field);
            break;
        case 8:
            thrift_fail(reader, "file is encrypted");
            parser->unsupported = TRUE;
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0x1e);
    if (parser->metadata == NULL) {
        thrift_fail(reader, "no schema");
        return;
    }
    parser->metadata->version = version;
    parser->metadata->rows = rows;
    parser->metadata->created_by = g_steal_pointer(&created_by);
    parser->metadata->typed_order = typed_order;
    check_rows(reader, parser->metadata);
}

ParquetMetadata *parquet_metadata_read(const void *bytes, gsize length, guint64 file_size,
                                       const ParquetMetadataLimits *limits, const char *what,
                                       GError **error)
{
    Parser parser = {limits, what, file_size};
    ThriftReader reader;
    g_autoptr(ParquetMetadata) metadata = NULL;

    thrift_reader_init(&reader, bytes, length);
    read_file_metadata(&reader, &parser);
    metadata = parser.metadata;
    if (reader.failure != NULL && (parser.unsupported || parser.limited)) {
        error_set(error, parser.limited ? ERROR_LIMIT : ERROR_UNSUPPORTED, "%s: %s", what,
                  reader.failure);
        g_free(reader.failure);
        return NULL;
    }
    if (!thrift_done(&reader, what, error))
        return NULL;
    return g_steal_pointer(&metadata);
}
