/* SPDX-License-Identifier: Apache-2.0
 *
 * Page headers and the page index, read from bytes that nothing is known about.
 */
#include "parquet/metadata.h"

#include "base/error.h"
#include "parquet/thrift.h"

static gint32 get_count(ThriftReader *reader, const ThriftField *field)
{
    return (gint32)thrift_get_int(reader, field, 0, G_MAXINT32);
}

static ParquetEncoding get_encoding(ThriftReader *reader, const ThriftField *field)
{
    return (ParquetEncoding)thrift_get_int(reader, field, 0, 255);
}

static void read_data_header(ThriftReader *reader, const ThriftField *outer,
                             ParquetPageHeader *header)
{
    ThriftField field;

    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            header->values = get_count(reader, &field);
            break;
        case 2:
            header->encoding = get_encoding(reader, &field);
            break;
        case 3:
            header->level_encoding = get_encoding(reader, &field);
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0x1e);
}

static void read_dictionary_header(ThriftReader *reader, const ThriftField *outer,
                                   ParquetPageHeader *header)
{
    ThriftField field;

    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        if (field.id == 1)
            header->values = get_count(reader, &field);
        else if (field.id == 2)
            header->encoding = get_encoding(reader, &field);
        else
            thrift_skip(reader, &field);
    }
    thrift_require(reader, 0x6);
}

static void read_data_v2_header(ThriftReader *reader, const ThriftField *outer,
                                ParquetPageHeader *header)
{
    ThriftField field;

    header->compressed = TRUE;
    thrift_get_struct(reader, outer);
    while (thrift_next_field(reader, &field)) {
        switch (field.id) {
        case 1:
            header->values = get_count(reader, &field);
            break;
        case 2:
            header->nulls = get_count(reader, &field);
            break;
        case 3:
            header->rows = get_count(reader, &field);
            break;
        case 4:
            header->encoding = get_encoding(reader, &field);
            break;
        case 5:
            header->definition_bytes = get_count(reader, &field);
            break;
        case 6:
            header->repetition_bytes = get_count(reader, &field);
            break;
        case 7:
            header->compressed = thrift_get_bool(reader, &field);
            break;
        default:
            thrift_skip(reader, &field);
        }
    }
    thrift_require(reader, 0x7e);
}

gboolean parquet_page_header_read(const void *bytes, gsize length, ParquetPageHeader *ret_header,
                                  gsize *ret_length, GError **error)
{
    ParquetPageHeader header = {.level_encoding = PARQUET_RLE};
    gint type = -1, detail = -1;
    ThriftReader reader;
    ThriftField field;

    thrift_reader_init(&reader, bytes, length);
    thrift_begin_struct(&reader);
    while (thrift_next_field(&reader, &field)) {
        switch (field.id) {
        case 1:
            type = get_count(&reader, &field);
            break;
        case 2:
            header.plain_bytes = get_count(&reader, &field);
            break;
        case 3:
            header.stored_bytes = get_count(&reader, &field);
            break;
        case 4:
            header.has_crc = TRUE;
            header.crc = (guint32)thrift_get_int(&reader, &field, G_MININT32, G_MAXINT32);
            break;
        case 5:
            detail = PARQUET_PAGE_DATA;
            read_data_header(&reader, &field, &header);
            break;
        case 7:
            detail = PARQUET_PAGE_DICTIONARY;
            read_dictionary_header(&reader, &field, &header);
            break;
        case 8:
            detail = PARQUET_PAGE_DATA_V2;
            read_data_v2_header(&reader, &field, &header);
            break;
        default:
            thrift_skip(&reader, &field);
        }
    }
    thrift_require(&reader, 0xe);
    /* Index pages were never in use: their header is empty, and they are passed. */
    if (type != detail && (type != PARQUET_PAGE_INDEX || detail != -1))
        thrift_fail(&reader, "page type %d without its header", type);
    *ret_length = thrift_position(&reader);
    if (!thrift_done(&reader, "page header", error))
        return FALSE;
    header.type = (ParquetPageType)type;
    *ret_header = header;
    return TRUE;
}

static void read_location(ThriftReader *reader, ParquetPageLocation *location)
{
    ThriftField field;

    thrift_begin_struct(reader);
    while (thrift_next_field(reader, &field)) {
        if (field.id == 1)
            location->offset = thrift_get_int(reader, &field, 0, G_MAXINT64);
        else if (field.id == 2)
            location->stored_bytes = get_count(reader, &field);
        else if (field.id == 3)
            location->first_row = thrift_get_int(reader, &field, 0, G_MAXINT64);
        else
            thrift_skip(reader, &field);
    }
    thrift_require(reader, 0xe);
}

static void read_locations(ThriftReader *reader, const ThriftField *field, GArray *locations,
                           guint64 file_size, gint64 rows)
{
    ThriftField unused;
    guint count = thrift_get_list(reader, field, THRIFT_STRUCT, G_MAXUINT32, &unused);
    gint64 last = -1;

    if (locations->len > 0)
        thrift_fail(reader, "page locations are double");
    for (guint i = 0; i < count && reader->failure == NULL; i++) {
        ParquetPageLocation location = {0};

        read_location(reader, &location);
        if ((guint64)location.offset > file_size ||
            (guint64)location.stored_bytes > file_size - (guint64)location.offset ||
            location.first_row <= last || location.first_row >= rows ||
            (i == 0 && location.first_row != 0))
            thrift_fail(reader, "page location %u is out of range or order", i);
        last = location.first_row;
        g_array_append_val(locations, location);
    }
}

/* The three lists of bounds: what they have in common is a slot a page. Any of them may come
 * first. */
static ParquetPageBounds *bounds_slot(ParquetPageIndex *index, guint page)
{
    if (page >= index->bounds->len)
        g_array_set_size(index->bounds, page + 1);
    return parquet_page_bounds(index, page);
}

static void read_bound_list(ThriftReader *reader, const ThriftField *outer, ParquetPageIndex *index)
{
    ThriftType type = outer->id == 1 ? THRIFT_TRUE : outer->id == 5 ? THRIFT_I64 : THRIFT_BINARY;
    ThriftField element;
    guint count = thrift_get_list(reader, outer, type, index->locations->len, &element);

    if (count != index->locations->len)
        thrift_fail(reader, "column index and offset index differ in length");
    for (guint i = 0; i < count && reader->failure == NULL; i++) {
        ParquetPageBounds *bounds = bounds_slot(index, i);

        if (outer->id == 1) {
            bounds->null_page = thrift_get_element_bool(reader);
        } else if (outer->id == 5) {
            bounds->null_count = thrift_get_int(reader, &element, 0, G_MAXINT64);
        } else {
            gsize length;
            const guint8 *bytes = thrift_get_binary(reader, &element, &length);
            GBytes **slot = outer->id == 2 ? &bounds->min : &bounds->max;

            g_clear_pointer(slot, g_bytes_unref);
            *slot = g_bytes_new(bytes, length);
        }
    }
}

static gboolean read_column_index(ParquetPageIndex *index, const void *bytes, gsize length,
                                  GError **error)
{
    ThriftReader reader;
    ThriftField field;

    for (guint i = 0; i < index->locations->len; i++)
        bounds_slot(index, i)->null_count = -1;
    thrift_reader_init(&reader, bytes, length);
    thrift_begin_struct(&reader);
    while (thrift_next_field(&reader, &field)) {
        if ((field.id >= 1 && field.id <= 3) || field.id == 5)
            read_bound_list(&reader, &field, index);
        else if (field.id == 4)
            index->order = (ParquetBoundaryOrder)thrift_get_int(&reader, &field, 0, 2);
        else
            thrift_skip(&reader, &field);
    }
    thrift_require(&reader, 0x1e);
    return thrift_done(&reader, "column index", error);
}

ParquetPageIndex *parquet_page_index_read(const void *offset_bytes, gsize offset_length,
                                          const void *column_bytes, gsize column_length,
                                          guint64 file_size, gint64 rows, GError **error)
{
    g_autoptr(ParquetPageIndex) index = parquet_page_index_new();
    ThriftReader reader;
    ThriftField field;

    thrift_reader_init(&reader, offset_bytes, offset_length);
    thrift_begin_struct(&reader);
    while (thrift_next_field(&reader, &field)) {
        if (field.id == 1)
            read_locations(&reader, &field, index->locations, file_size, rows);
        else
            thrift_skip(&reader, &field);
    }
    thrift_require(&reader, 0x2);
    if (index->locations->len == 0 && rows > 0)
        thrift_fail(&reader, "no page locations");
    if (!thrift_done(&reader, "offset index", error))
        return NULL;
    if (column_bytes == NULL) {
        g_clear_pointer(&index->bounds, g_array_unref);
        return g_steal_pointer(&index);
    }
    if (!read_column_index(index, column_bytes, column_length, error))
        return NULL;
    return g_steal_pointer(&index);
}
