/* SPDX-License-Identifier: Apache-2.0
 *
 * Walking through an archive as it flows by: head and table of contents first, then one block of
 * rows.
 */
#include "postgres/archive-stream.h"

#include "base/error.h"

#include <string.h>

/* The archive of one table has a handful of entries. */
#define HEAD_LIMIT (1u << 20)
#define JOIN_BYTES (64u << 10)
/* A sign byte and four bytes, the lowest first. */
#define INT_SIZE 5
/* Type of the block and number of its entry. */
#define BLOCK_HEAD (1 + INT_SIZE)
#define BLOCK_DATA 1
/* Magic, three bytes of version, sizes of integers and offsets, format. */
#define FIXED_HEAD    11
#define FORMAT_CUSTOM 1
#define SECTION_DATA  3
#define COPY_START    "COPY "
#define COPY_END      " FROM stdin;\n"

typedef enum { AT_HEAD, AT_BLOCK, AT_PIECE, IN_PIECE, AT_END } Place;

struct PgArchiveStream {
    PgArchiveBegin begin;
    CodecSink rows;
    gpointer data;
    Place place;
    PgArchiveTable table;
    gint64 table_id;    /* number of its entry */
    GByteArray *held;   /* the head, or the beginning of a block or piece */
    gsize next_attempt; /* at the head: not before so many bytes are held */
    GByteArray *joined; /* rows that were not handed on yet */
    guint32 left;       /* of the piece */
};

static void table_clear(PgArchiveTable *table)
{
    g_clear_pointer(&table->schema, g_free);
    g_clear_pointer(&table->table, g_free);
    g_clear_pointer(&table->copy, g_free);
    g_ptr_array_set_size(table->settings, 0);
    g_ptr_array_set_size(table->sequences, 0);
}

PgArchiveStream *pg_archive_stream_new(PgArchiveBegin begin, CodecSink rows, gpointer data)
{
    PgArchiveStream *stream = g_new0(PgArchiveStream, 1);

    stream->begin = begin;
    stream->rows = rows;
    stream->data = data;
    stream->table.settings = g_ptr_array_new_with_free_func(g_free);
    stream->table.sequences = g_ptr_array_new_with_free_func(g_free);
    stream->held = g_byte_array_new();
    stream->joined = g_byte_array_sized_new(JOIN_BYTES);
    return stream;
}

void pg_archive_stream_free(PgArchiveStream *stream)
{
    if (stream == NULL)
        return;
    table_clear(&stream->table);
    g_ptr_array_unref(stream->table.settings);
    g_ptr_array_unref(stream->table.sequences);
    g_byte_array_unref(stream->held);
    g_byte_array_unref(stream->joined);
    g_free(stream);
}

const PgArchiveTable *pg_archive_stream_table(const PgArchiveStream *stream)
{
    return stream->table.copy != NULL ? &stream->table : NULL;
}

/* --- head and table of contents --------------------------------------------------------------- */

typedef struct {
    const guint8 *bytes;
    gsize length, at;
    gboolean cut; /* more bytes are needed */
} Cursor;

static guint8 take_byte(Cursor *cursor)
{
    if (cursor->at >= cursor->length) {
        cursor->cut = TRUE;
        return 0;
    }
    return cursor->bytes[cursor->at++];
}

static guint32 read_le32(const guint8 *bytes)
{
    return (guint32)bytes[0] | (guint32)bytes[1] << 8 | (guint32)bytes[2] << 16 |
           (guint32)bytes[3] << 24;
}

static gint64 take_int(Cursor *cursor)
{
    gint64 value;

    if (cursor->length - cursor->at < INT_SIZE) {
        cursor->at = cursor->length;
        cursor->cut = TRUE;
        return 0;
    }
    value = read_le32(cursor->bytes + cursor->at + 1);
    if (cursor->bytes[cursor->at] != 0)
        value = -value;
    cursor->at += INT_SIZE;
    return value;
}

/* NULL: there is none, which also ends lists. Free with g_free(). */
static char *take_string(Cursor *cursor)
{
    gint64 length = take_int(cursor);

    if (cursor->cut || length < 0)
        return NULL;
    if ((guint64)length > cursor->length - cursor->at) {
        cursor->cut = TRUE;
        return NULL;
    }
    cursor->at += (gsize)length;
    return g_strndup((const char *)cursor->bytes + cursor->at - length, (gsize)length);
}

static void skip_strings(Cursor *cursor, guint count)
{
    for (guint i = 0; i < count; i++)
        g_free(take_string(cursor));
}

typedef struct {
    gint64 id, has_data, section;
    char *tag, *description, *definition, *copy, *schema;
} Entry;

static void entry_clear(Entry *entry)
{
    g_free(entry->tag);
    g_free(entry->description);
    g_free(entry->definition);
    g_free(entry->copy);
    g_free(entry->schema);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Entry, entry_clear)

static gboolean skip_dependency(Cursor *cursor)
{
    g_autofree char *number = take_string(cursor);

    return number != NULL;
}

static void take_entry(Cursor *cursor, guint minor, guint offset_size, Entry *entry)
{
    entry->id = take_int(cursor);
    entry->has_data = take_int(cursor);
    skip_strings(cursor, 2); /* oids of catalog and object */
    entry->tag = take_string(cursor);
    entry->description = take_string(cursor);
    entry->section = take_int(cursor);
    entry->definition = take_string(cursor);
    skip_strings(cursor, 1); /* how to drop it */
    entry->copy = take_string(cursor);
    entry->schema = take_string(cursor);
    skip_strings(cursor, 2); /* tablespace, access method */
    if (minor >= 16)
        (void)take_int(cursor); /* kind of relation */
    skip_strings(cursor, 2);    /* owner, "false" */
    while (skip_dependency(cursor))
        ;
    /* Where its block begins. */
    for (guint i = 0; i < 1 + offset_size; i++)
        (void)take_byte(cursor);
}

static gboolean use_rows(PgArchiveStream *stream, const Entry *entry)
{
    PgArchiveTable *table = &stream->table;

    if (table->copy != NULL || entry->has_data == 0 || entry->copy == NULL ||
        entry->schema == NULL || entry->tag == NULL || !g_str_has_prefix(entry->copy, COPY_START) ||
        !g_str_has_suffix(entry->copy, COPY_END))
        return FALSE;
    stream->table_id = entry->id;
    table->schema = g_strdup(entry->schema);
    table->table = g_strdup(entry->tag);
    table->copy = g_strndup(entry->copy, strlen(entry->copy) - strlen(";\n"));
    return TRUE;
}

/* FALSE: it takes more than COPY to restore it. */
static gboolean use_entry(PgArchiveStream *stream, const Entry *entry)
{
    static const char *const settings[] = {"ENCODING", "STDSTRINGS", "SEARCHPATH", NULL};
    const char *description = entry->description != NULL ? entry->description : "";

    if (g_strv_contains(settings, description) && entry->definition != NULL) {
        g_ptr_array_add(stream->table.settings, g_strdup(entry->definition));
        return TRUE;
    }
    if (entry->section != SECTION_DATA)
        return TRUE;
    if (strcmp(description, "TABLE DATA") == 0)
        return use_rows(stream, entry);
    if (strcmp(description, "SEQUENCE SET") != 0 || entry->definition == NULL)
        return FALSE;
    g_ptr_array_add(stream->table.sequences, g_strdup(entry->definition));
    return TRUE;
}

typedef enum { HEAD_WHOLE, HEAD_CUT, HEAD_OTHER } Head;

static gboolean take_fixed_head(Cursor *cursor, guint *ret_minor, guint *ret_offset_size)
{
    const guint8 *bytes = cursor->bytes;

    *ret_minor = bytes[6];
    *ret_offset_size = bytes[9];
    cursor->at = FIXED_HEAD;
    return memcmp(bytes, "PGDMP", 5) == 0 && bytes[5] == 1 && bytes[6] >= 14 && bytes[6] <= 16 &&
           bytes[8] == INT_SIZE - 1 && bytes[9] <= 8 && bytes[10] == FORMAT_CUSTOM;
}

/* What has come so far, from its beginning. */
static Head take_head(PgArchiveStream *stream, Cursor *cursor)
{
    guint minor, offset_size;
    gint64 entries;

    table_clear(&stream->table);
    if (cursor->length < FIXED_HEAD)
        return HEAD_CUT;
    if (!take_fixed_head(cursor, &minor, &offset_size))
        return HEAD_OTHER;
    /* Its own compression. */
    if ((minor >= 15 ? take_byte(cursor) : take_int(cursor)) != 0)
        return HEAD_OTHER;
    for (guint i = 0; i < 7; i++)
        (void)take_int(cursor); /* when it was made */
    skip_strings(cursor, 3);    /* database, versions of server and pg_dump */
    entries = take_int(cursor);
    for (gint64 i = 0; i < entries && !cursor->cut; i++) {
        g_auto(Entry) entry = {0};

        take_entry(cursor, minor, offset_size, &entry);
        if (!cursor->cut && !use_entry(stream, &entry))
            return HEAD_OTHER;
    }
    if (cursor->cut)
        return HEAD_CUT;
    return stream->table.copy != NULL ? HEAD_WHOLE : HEAD_OTHER;
}

/* --- flowing ---------------------------------------------------------------------------------- */

static gboolean hand_on(PgArchiveStream *stream, GError **error)
{
    gboolean done = stream->joined->len == 0 ||
                    stream->rows(stream->joined->data, stream->joined->len, stream->data, error);

    g_byte_array_set_size(stream->joined, 0);
    return done;
}

/* Holds bytes back until there are `wanted`. */
static gboolean hold(PgArchiveStream *stream, const guint8 *bytes, gsize length, gsize wanted,
                     gsize *ret_taken)
{
    *ret_taken = MIN(length, wanted - stream->held->len);
    g_byte_array_append(stream->held, bytes, (guint)*ret_taken);
    return stream->held->len == wanted;
}

/* Reads the head if it is all there; what stands behind it was held back too. */
static gboolean try_head(PgArchiveStream *stream, GError **error)
{
    Cursor cursor = {stream->held->data, stream->held->len, 0, FALSE};
    Head head = take_head(stream, &cursor);
    g_autoptr(GByteArray) held = NULL;

    if (head == HEAD_CUT && stream->held->len < HEAD_LIMIT) {
        stream->next_attempt = MIN((gsize)stream->held->len * 2, HEAD_LIMIT);
        return TRUE;
    }
    if (head != HEAD_WHOLE) {
        error_set(error, ERROR_UNSUPPORTED, "the archive holds more than the rows of one table");
        return FALSE;
    }
    held = g_steal_pointer(&stream->held);
    stream->held = g_byte_array_new();
    stream->place = AT_BLOCK;
    return stream->begin(&stream->table, stream->data, error) &&
           pg_archive_stream_write(held->data + cursor.at, held->len - cursor.at, stream, error);
}

/* The head is read anew whenever twice as much has come, until it is whole. */
static gboolean at_head(PgArchiveStream *stream, const guint8 *bytes, gsize length,
                        gsize *ret_taken, GError **error)
{
    *ret_taken = MIN(length, HEAD_LIMIT - stream->held->len);
    g_byte_array_append(stream->held, bytes, (guint)*ret_taken);
    return stream->held->len < stream->next_attempt || try_head(stream, error);
}

static gboolean at_block(PgArchiveStream *stream, const guint8 *bytes, gsize length,
                         gsize *ret_taken, GError **error)
{
    const guint8 *head;

    if (!hold(stream, bytes, length, BLOCK_HEAD, ret_taken))
        return TRUE;
    head = stream->held->data;
    if (head[0] != BLOCK_DATA || head[1] != 0 || read_le32(head + 2) != stream->table_id) {
        error_set(error, ERROR_FORMAT, "the archive has other rows than its contents say");
        return FALSE;
    }
    g_byte_array_set_size(stream->held, 0);
    stream->place = AT_PIECE;
    return TRUE;
}

static gboolean at_piece(PgArchiveStream *stream, const guint8 *bytes, gsize length,
                         gsize *ret_taken, GError **error)
{
    if (!hold(stream, bytes, length, INT_SIZE, ret_taken))
        return TRUE;
    if (stream->held->data[0] != 0) {
        error_set(error, ERROR_FORMAT, "the archive has a piece of negative length");
        return FALSE;
    }
    stream->left = read_le32(stream->held->data + 1);
    g_byte_array_set_size(stream->held, 0);
    stream->place = stream->left > 0 ? IN_PIECE : AT_END;
    return TRUE;
}

static gboolean in_piece(PgArchiveStream *stream, const guint8 *bytes, gsize length,
                         gsize *ret_taken, GError **error)
{
    gsize taken = MIN(MIN(length, stream->left), JOIN_BYTES - stream->joined->len);

    g_byte_array_append(stream->joined, bytes, (guint)taken);
    stream->left -= (guint32)taken;
    if (stream->left == 0)
        stream->place = AT_PIECE;
    *ret_taken = taken;
    return stream->joined->len < JOIN_BYTES || hand_on(stream, error);
}

static gboolean at_end(PgArchiveStream *stream, const guint8 *bytes, gsize length, gsize *ret_taken,
                       GError **error)
{
    error_set(error, ERROR_FORMAT, "the archive goes on behind its rows");
    return FALSE;
}

gboolean pg_archive_stream_write(const void *bytes, gsize length, gpointer data, GError **error)
{
    static gboolean (*const takers[])(PgArchiveStream *, const guint8 *, gsize, gsize *,
                                      GError **) = {
        [AT_HEAD] = at_head,   [AT_BLOCK] = at_block, [AT_PIECE] = at_piece,
        [IN_PIECE] = in_piece, [AT_END] = at_end,
    };
    PgArchiveStream *stream = data;
    const guint8 *at = bytes;

    while (length > 0) {
        gsize taken;

        if (!takers[stream->place](stream, at, length, &taken, error))
            return FALSE;
        at += taken;
        length -= taken;
    }
    return TRUE;
}

gboolean pg_archive_stream_finish(PgArchiveStream *stream, GError **error)
{
    if (stream->place == AT_HEAD && !try_head(stream, error))
        return FALSE;
    if (stream->place == AT_END)
        return hand_on(stream, error);
    error_set(error, ERROR_FORMAT, "the archive breaks off");
    return FALSE;
}
