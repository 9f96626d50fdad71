/* SPDX-License-Identifier: Apache-2.0
 *
 * Apache Thrift's compact protocol, as far as Parquet's metadata needs it.
 *
 * The reader trusts nothing: it stays within its bytes, bounds nesting, and refuses wrong types.
 * Its first failure sticks: later calls give zeros and end every loop, so that a parser reads
 * straight through and asks once, with thrift_done().
 *
 * Source: thrift-compact-protocol.md of Apache Thrift.
 */
#ifndef HOLDFAST_PARQUET_THRIFT_H
#define HOLDFAST_PARQUET_THRIFT_H

#include <glib.h>

#define THRIFT_DEPTH_MAX 32

typedef enum {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_I8 = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12
} ThriftType;

typedef struct {
    const guint8 *start, *at, *end;
    gint16 last_id[THRIFT_DEPTH_MAX]; /* of the field read last, a level each */
    guint32 seen[THRIFT_DEPTH_MAX];   /* bit i: field i of the struct was read */
    guint32 left;                     /* the same of the struct that ended last */
    guint depth;
    char *failure; /* NULL while all is well */
} ThriftReader;

typedef struct {
    gint id;
    ThriftType type;
} ThriftField;

/* The bytes must outlive the reader. Call thrift_done() in the end, always. */
void thrift_reader_init(ThriftReader *reader, const void *bytes, gsize length);

/* Bytes read so far. */
gsize thrift_position(const ThriftReader *reader);

/* Frees the reader's insides and reports the first failure, as ERROR_FORMAT naming `what` and the
 * byte. */
gboolean thrift_done(ThriftReader *reader, const char *what,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Marks the document as wrong for a reason of the caller's. The first reason stays. */
void thrift_fail(ThriftReader *reader, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Structs: begin, then thrift_next_field() until FALSE, which also leaves the struct. Every field
 * must be read, or skipped with thrift_skip(). */
void thrift_begin_struct(ThriftReader *reader);
gboolean thrift_next_field(ThriftReader *reader, ThriftField *ret_field);
/* Right behind a struct's end: fails where one of the fields in `mask` (bit i for field i) was not
 * in it. */
void thrift_require(ThriftReader *reader, guint32 mask);
void thrift_skip(ThriftReader *reader, const ThriftField *field);

/* A field's value, checked for its type. Integers of any width are taken and must lie in [low,
 * high]. */
gint64 thrift_get_int(ThriftReader *reader, const ThriftField *field, gint64 low, gint64 high);
gboolean thrift_get_bool(ThriftReader *reader, const ThriftField *field);
const guint8 *thrift_get_binary(ThriftReader *reader, const ThriftField *field, gsize *ret_length);
/* Checks the type, then begins the struct. */
void thrift_get_struct(ThriftReader *reader, const ThriftField *field);
/* Begins a list of at most `limit` elements and gives their type as a field, whose id means
 * nothing. An element takes a byte at least, so the count never exceeds the bytes that are left. */
guint thrift_get_list(ThriftReader *reader, const ThriftField *field, ThriftType element,
                      guint limit, ThriftField *ret_element);
/* One element of a list of booleans, which are a byte there. */
gboolean thrift_get_element_bool(ThriftReader *reader);

typedef struct {
    GByteArray *out; /* borrowed */
    gint16 last_id[THRIFT_DEPTH_MAX];
    guint depth;
} ThriftWriter;

void thrift_writer_init(ThriftWriter *writer, GByteArray *out);

/* The document's root is begun with thrift_put_root(), every struct ended with
 * thrift_end_struct(). */
void thrift_put_root(ThriftWriter *writer);
void thrift_put_struct(ThriftWriter *writer, gint id);
void thrift_end_struct(ThriftWriter *writer);
void thrift_put_i8(ThriftWriter *writer, gint id, gint8 value);
void thrift_put_i16(ThriftWriter *writer, gint id, gint16 value);
void thrift_put_i32(ThriftWriter *writer, gint id, gint32 value);
void thrift_put_i64(ThriftWriter *writer, gint id, gint64 value);
void thrift_put_bool(ThriftWriter *writer, gint id, gboolean value);
void thrift_put_binary(ThriftWriter *writer, gint id, const void *bytes, gsize length);
void thrift_put_string(ThriftWriter *writer, gint id, const char *text);
void thrift_put_list(ThriftWriter *writer, gint id, ThriftType element, guint count);

/* Elements of a list. A struct element is begun with thrift_add_struct() and ended with
 * thrift_end_struct(). */
void thrift_add_struct(ThriftWriter *writer);
void thrift_add_int(ThriftWriter *writer, gint64 value);
void thrift_add_bool(ThriftWriter *writer, gboolean value);
void thrift_add_binary(ThriftWriter *writer, const void *bytes, gsize length);

#endif
