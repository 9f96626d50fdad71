/* SPDX-License-Identifier: Apache-2.0
 *
 * The compact protocol, read and written.
 */
#include "parquet/thrift.h"

#include <string.h>

#include "base/error.h"

void thrift_reader_init(ThriftReader *reader, const void *bytes, gsize length)
{
    memset(reader, 0, sizeof *reader);
    reader->start = reader->at = bytes;
    reader->end = reader->start + length;
}

gsize thrift_position(const ThriftReader *reader)
{
    return (gsize)(reader->at - reader->start);
}

void thrift_fail(ThriftReader *reader, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    if (reader->failure != NULL)
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    reader->failure =
        g_strdup_printf("%s at its byte %" G_GSIZE_FORMAT, text, thrift_position(reader));
    /* Nothing more to read: whatever loop is running comes to its end. */
    reader->at = reader->end;
}

gboolean thrift_done(ThriftReader *reader, const char *what, GError **error)
{
    g_autofree char *failure = g_steal_pointer(&reader->failure);

    if (failure == NULL)
        return TRUE;
    error_set(error, ERROR_FORMAT, "%s: %s", what, failure);
    return FALSE;
}

static guint8 read_byte(ThriftReader *reader)
{
    if (reader->at == reader->end) {
        thrift_fail(reader, "ends too early");
        return 0;
    }
    return *reader->at++;
}

static guint64 read_varint(ThriftReader *reader)
{
    guint64 value = 0;

    for (guint shift = 0; shift < 70; shift += 7) {
        guint8 byte = read_byte(reader);

        if (shift == 63 && byte > 1)
            break;
        value |= (guint64)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    thrift_fail(reader, "integer of more than 64 bits");
    return 0;
}

static gint64 read_zigzag(ThriftReader *reader)
{
    guint64 value = read_varint(reader);

    return (gint64)(value >> 1) ^ -(gint64)(value & 1);
}

void thrift_begin_struct(ThriftReader *reader)
{
    if (reader->depth == THRIFT_DEPTH_MAX) {
        thrift_fail(reader, "nested deeper than %d", THRIFT_DEPTH_MAX);
        return;
    }
    reader->seen[reader->depth] = 0;
    reader->last_id[reader->depth++] = 0;
}

void thrift_require(ThriftReader *reader, guint32 mask)
{
    if ((reader->left & mask) != mask)
        thrift_fail(reader, "field %d is missing", __builtin_ctz(mask & ~reader->left));
}

gboolean thrift_next_field(ThriftReader *reader, ThriftField *ret_field)
{
    guint8 head = read_byte(reader);
    gint64 id;

    if (reader->failure != NULL || reader->depth == 0)
        return FALSE;
    if ((head & 0x0f) == THRIFT_STOP) {
        reader->left = reader->seen[--reader->depth];
        return FALSE;
    }
    if ((head & 0x0f) > THRIFT_STRUCT) {
        thrift_fail(reader, "field of unknown type %d", head & 0x0f);
        return FALSE;
    }
    if (head >> 4 != 0)
        id = reader->last_id[reader->depth - 1] + (head >> 4);
    else
        id = read_zigzag(reader);
    if (id < 0 || id > G_MAXINT16) {
        thrift_fail(reader, "field number out of range");
        return FALSE;
    }
    if (id < 32 && reader->seen[reader->depth - 1] >> id & 1)
        thrift_fail(reader, "field %d stands twice", (int)id);
    if (id < 32)
        reader->seen[reader->depth - 1] |= 1u << id;
    reader->last_id[reader->depth - 1] = (gint16)id;
    ret_field->id = (gint)id;
    ret_field->type = (ThriftType)(head & 0x0f);
    return reader->failure == NULL;
}

static void advance(ThriftReader *reader, guint64 length)
{
    if (length > (guint64)(reader->end - reader->at)) {
        thrift_fail(reader, "length %" G_GUINT64_FORMAT " runs behind the end", length);
        return;
    }
    reader->at += length;
}

static void skip_value(ThriftReader *reader, ThriftType type, gboolean in_list, guint depth);

static void skip_elements(ThriftReader *reader, guint64 count, ThriftType type, guint depth)
{
    if (count > (guint64)(reader->end - reader->at)) {
        thrift_fail(reader, "list longer than its document");
        return;
    }
    for (guint64 i = 0; i < count && reader->failure == NULL; i++)
        skip_value(reader, type, TRUE, depth);
}

static void skip_map(ThriftReader *reader, guint depth)
{
    guint64 count = read_varint(reader);
    guint8 types;

    if (count == 0)
        return;
    types = read_byte(reader);
    if (count > (guint64)(reader->end - reader->at)) {
        thrift_fail(reader, "map longer than its document");
        return;
    }
    for (guint64 i = 0; i < count && reader->failure == NULL; i++) {
        skip_value(reader, (ThriftType)(types >> 4), TRUE, depth);
        skip_value(reader, (ThriftType)(types & 0x0f), TRUE, depth);
    }
}

static void skip_value(ThriftReader *reader, ThriftType type, gboolean in_list, guint depth)
{
    ThriftField field;
    guint8 head;

    if (depth == THRIFT_DEPTH_MAX) {
        thrift_fail(reader, "nested deeper than %d", THRIFT_DEPTH_MAX);
        return;
    }
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (in_list)
            read_byte(reader);
        return;
    case THRIFT_I8:
        read_byte(reader);
        return;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        read_varint(reader);
        return;
    case THRIFT_DOUBLE:
        advance(reader, 8);
        return;
    case THRIFT_BINARY:
        advance(reader, read_varint(reader));
        return;
    case THRIFT_LIST:
    case THRIFT_SET:
        head = read_byte(reader);
        skip_elements(reader, head >> 4 == 15 ? read_varint(reader) : head >> 4,
                      (ThriftType)(head & 0x0f), depth + 1);
        return;
    case THRIFT_MAP:
        skip_map(reader, depth + 1);
        return;
    case THRIFT_STRUCT:
        thrift_begin_struct(reader);
        while (thrift_next_field(reader, &field))
            skip_value(reader, field.type, FALSE, depth + 1);
        return;
    case THRIFT_STOP:
        break;
    }
    thrift_fail(reader, "value of unknown type %d", (int)type);
}

void thrift_skip(ThriftReader *reader, const ThriftField *field)
{
    skip_value(reader, field->type, FALSE, 0);
}

static gboolean expect(ThriftReader *reader, const ThriftField *field, ThriftType type)
{
    if (field->type == type)
        return TRUE;
    thrift_fail(reader, "field %d has type %d where %d is due", field->id, (int)field->type,
                (int)type);
    return FALSE;
}

gint64 thrift_get_int(ThriftReader *reader, const ThriftField *field, gint64 low, gint64 high)
{
    gint64 value = 0;

    if (field->type == THRIFT_I8)
        value = (gint8)read_byte(reader);
    else if (field->type >= THRIFT_I16 && field->type <= THRIFT_I64)
        value = read_zigzag(reader);
    else
        expect(reader, field, THRIFT_I64);
    if (reader->failure == NULL && (value < low || value > high))
        thrift_fail(reader, "field %d is %" G_GINT64_FORMAT ", out of range", field->id, value);
    return reader->failure == NULL ? value : low;
}

gboolean thrift_get_bool(ThriftReader *reader, const ThriftField *field)
{
    return field->type == THRIFT_TRUE ||
           (field->type != THRIFT_FALSE && expect(reader, field, THRIFT_TRUE));
}

const guint8 *thrift_get_binary(ThriftReader *reader, const ThriftField *field, gsize *ret_length)
{
    const guint8 *bytes;
    guint64 length;

    *ret_length = 0;
    if (!expect(reader, field, THRIFT_BINARY))
        return reader->end;
    length = read_varint(reader);
    bytes = reader->at;
    advance(reader, length);
    if (reader->failure == NULL)
        *ret_length = (gsize)length;
    return bytes;
}

void thrift_get_struct(ThriftReader *reader, const ThriftField *field)
{
    if (expect(reader, field, THRIFT_STRUCT))
        thrift_begin_struct(reader);
}

guint thrift_get_list(ThriftReader *reader, const ThriftField *field, ThriftType element,
                      guint limit, ThriftField *ret_element)
{
    guint64 count;
    guint8 head;

    ret_element->id = field->id;
    ret_element->type = element;
    if (!expect(reader, field, THRIFT_LIST))
        return 0;
    head = read_byte(reader);
    count = head >> 4 == 15 ? read_varint(reader) : head >> 4;
    if (reader->failure != NULL || count == 0)
        return 0;
    ret_element->type = (ThriftType)(head & 0x0f);
    /* Both codes of a boolean are in use for lists of booleans. */
    if (element == THRIFT_TRUE && ret_element->type == THRIFT_FALSE)
        ret_element->type = THRIFT_TRUE;
    if (!expect(reader, ret_element, element))
        return 0;
    if (count > limit || count > (guint64)(reader->end - reader->at)) {
        thrift_fail(reader, "list of %" G_GUINT64_FORMAT " elements is too long", count);
        return 0;
    }
    return (guint)count;
}

gboolean thrift_get_element_bool(ThriftReader *reader)
{
    return read_byte(reader) == THRIFT_TRUE;
}

void thrift_writer_init(ThriftWriter *writer, GByteArray *out)
{
    memset(writer, 0, sizeof *writer);
    writer->out = out;
}

static void write_byte(ThriftWriter *writer, guint8 byte)
{
    g_byte_array_append(writer->out, &byte, 1);
}

static void write_varint(ThriftWriter *writer, guint64 value)
{
    guint8 bytes[10];
    guint length = 0;

    while (value >= 0x80) {
        bytes[length++] = (guint8)(value | 0x80);
        value >>= 7;
    }
    bytes[length++] = (guint8)value;
    g_byte_array_append(writer->out, bytes, length);
}

static void write_zigzag(ThriftWriter *writer, gint64 value)
{
    write_varint(writer, ((guint64)value << 1) ^ (guint64)(value >> 63));
}

static void write_head(ThriftWriter *writer, gint id, ThriftType type)
{
    gint16 *last = &writer->last_id[writer->depth - 1];
    gint step = id - *last;

    if (step >= 1 && step <= 15) {
        write_byte(writer, (guint8)(step << 4 | (gint)type));
    } else {
        write_byte(writer, (guint8)type);
        write_zigzag(writer, id);
    }
    *last = (gint16)id;
}

void thrift_put_root(ThriftWriter *writer)
{
    thrift_add_struct(writer);
}

void thrift_put_struct(ThriftWriter *writer, gint id)
{
    write_head(writer, id, THRIFT_STRUCT);
    thrift_add_struct(writer);
}

void thrift_end_struct(ThriftWriter *writer)
{
    write_byte(writer, THRIFT_STOP);
    writer->depth--;
}

void thrift_put_i8(ThriftWriter *writer, gint id, gint8 value)
{
    write_head(writer, id, THRIFT_I8);
    write_byte(writer, (guint8)value);
}

void thrift_put_i16(ThriftWriter *writer, gint id, gint16 value)
{
    write_head(writer, id, THRIFT_I16);
    write_zigzag(writer, value);
}

void thrift_put_i32(ThriftWriter *writer, gint id, gint32 value)
{
    write_head(writer, id, THRIFT_I32);
    write_zigzag(writer, value);
}

void thrift_put_i64(ThriftWriter *writer, gint id, gint64 value)
{
    write_head(writer, id, THRIFT_I64);
    write_zigzag(writer, value);
}

void thrift_put_bool(ThriftWriter *writer, gint id, gboolean value)
{
    write_head(writer, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_put_binary(ThriftWriter *writer, gint id, const void *bytes, gsize length)
{
    write_head(writer, id, THRIFT_BINARY);
    thrift_add_binary(writer, bytes, length);
}

void thrift_put_string(ThriftWriter *writer, gint id, const char *text)
{
    thrift_put_binary(writer, id, text, strlen(text));
}

void thrift_put_list(ThriftWriter *writer, gint id, ThriftType element, guint count)
{
    write_head(writer, id, THRIFT_LIST);
    if (count < 15) {
        write_byte(writer, (guint8)(count << 4 | (guint)element));
        return;
    }
    write_byte(writer, (guint8)(0xf0 | (guint)element));
    write_varint(writer, count);
}

void thrift_add_struct(ThriftWriter *writer)
{
    g_assert(writer->depth < THRIFT_DEPTH_MAX);
    writer->last_id[writer->depth++] = 0;
}

void thrift_add_int(ThriftWriter *writer, gint64 value)
{
    write_zigzag(writer, value);
}

void thrift_add_bool(ThriftWriter *writer, gboolean value)
{
    write_byte(writer, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_add_binary(ThriftWriter *writer, const void *bytes, gsize length)
{
    write_varint(writer, length);
    g_byte_array_append(writer->out, bytes, (guint)length);
}
