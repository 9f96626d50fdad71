/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of one table's archive, on archives of pg_dump's versions 12 to 18 made here byte by
 * byte, whole, cut and wrong, and on one that pg_dump 15 wrote.
 */
#include "postgres/archive-stream.h"

#include <string.h>

#include "base/error.h"

/* --- making archives -------------------------------------------------------------------------- */

typedef struct {
    GByteArray *bytes;
    guint minor;
} Archive;

static void put_byte(Archive *archive, guint8 byte)
{
    g_byte_array_append(archive->bytes, &byte, 1);
}

static void put_int(Archive *archive, gint64 value)
{
    guint64 magnitude = (guint64)(value < 0 ? -value : value);

    put_byte(archive, value < 0);
    for (guint i = 0; i < 4; i++)
        put_byte(archive, (guint8)(magnitude >> (8 * i)));
}

static void put_string(Archive *archive, const char *text)
{
    put_int(archive, text != NULL ? (gint64)strlen(text) : -1);
    if (text != NULL)
        g_byte_array_append(archive->bytes, (const guint8 *)text, (guint)strlen(text));
}

static void put_head(Archive *archive, guint minor, gint64 entries)
{
    const guint8 fixed[] = {'P', 'G', 'D', 'M', 'P', 1, (guint8)minor, 0, 4, 8, 1};

    archive->bytes = g_byte_array_new();
    archive->minor = minor;
    g_byte_array_append(archive->bytes, fixed, sizeof fixed);
    if (minor >= 15)
        put_byte(archive, 0);
    else
        put_int(archive, 0);
    for (guint i = 0; i < 7; i++)
        put_int(archive, 100 + i);
    put_string(archive, "market");
    put_string(archive, "15.20");
    put_string(archive, "15.20");
    put_int(archive, entries);
}

typedef struct {
    gint64 id, data, section;
    const char *tag, *description, *definition, *copy, *schema;
} Entry;

static void put_entry(Archive *archive, const Entry *entry)
{
    put_int(archive, entry->id);
    put_int(archive, entry->data);
    put_string(archive, "0");
    put_string(archive, "16407");
    put_string(archive, entry->tag);
    put_string(archive, entry->description);
    put_int(archive, entry->section);
    put_string(archive, entry->definition);
    put_string(archive, "");
    put_string(archive, entry->copy);
    put_string(archive, entry->schema);
    put_string(archive, NULL);
    put_string(archive, NULL);
    if (archive->minor >= 16)
        put_int(archive, 'r');
    put_string(archive, "alice");
    put_string(archive, "false");
    put_string(archive, "222");
    put_string(archive, NULL);
    for (guint i = 0; i < 9; i++)
        put_byte(archive, 2);
}

static const Entry encoding = {3381,       0,          2,
                               "ENCODING", "ENCODING", "SET client_encoding = 'UTF8';\n",
                               "",         NULL};
static const Entry database = {3383, 0,   2, "market", "DATABASE", "CREATE DATABASE market",
                               "",   NULL};
static const Entry rows_entry = {
    3377, 1, 3, "we \"ird", "TABLE DATA", "", "COPY a.\"we \"\"ird\" (i, t) FROM stdin;\n", "a"};
static const Entry sequence = {
    3390, 0, 3, "s", "SEQUENCE SET", "SELECT pg_catalog.setval('a.s', 7, true);\n", "", "a"};
static const Entry blobs = {3391, 1, 3, "BLOBS", "BLOBS", "", "", NULL};

static void put_rows(Archive *archive, gint64 id, GString *rows, guint count)
{
    put_byte(archive, 1);
    put_int(archive, id);
    for (guint i = 0; i < count; i++) {
        g_autofree char *row = g_strdup_printf("%u\tthe row of number %u\n", i, i);

        put_string(archive, row);
        g_string_append(rows, row);
    }
    put_string(archive, "\\.\n\n\n");
    g_string_append(rows, "\\.\n\n\n");
    put_int(archive, 0);
}

/* An archive as pg_dump makes it; `rows` gets what COPY is to be given. */
static GByteArray *make_archive(guint minor, GString *rows, guint count)
{
    Archive archive;

    put_head(&archive, minor, 4);
    put_entry(&archive, &encoding);
    put_entry(&archive, &database);
    put_entry(&archive, &rows_entry);
    put_entry(&archive, &sequence);
    put_rows(&archive, rows_entry.id, rows, count);
    return archive.bytes;
}

/* --- reading them ----------------------------------------------------------------------------- */

typedef struct {
    GString *rows;
    guint begun, pieces;
    gboolean refuse;
} Taken;

static gboolean take_begin(const PgArchiveTable *table, gpointer data, GError **error)
{
    Taken *taken = data;

    taken->begun++;
    if (taken->refuse) {
        error_set(error, ERROR_VANISHED, "refused");
        return FALSE;
    }
    return TRUE;
}

static gboolean take_rows(const void *bytes, gsize length, gpointer data, GError **error)
{
    Taken *taken = data;

    g_assert_cmpuint(taken->begun, ==, 1);
    g_assert_cmpuint(length, >, 0);
    g_string_append_len(taken->rows, bytes, (gssize)length);
    taken->pieces++;
    return TRUE;
}

static gboolean read_archive(const guint8 *bytes, gsize length, gsize step, Taken *taken,
                             GError **error)
{
    g_autoptr(PgArchiveStream) stream = pg_archive_stream_new(take_begin, take_rows, taken);

    for (gsize at = 0; at < length; at += step)
        if (!pg_archive_stream_write(bytes + at, MIN(step, length - at), stream, error))
            return FALSE;
    return pg_archive_stream_finish(stream, error);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_versions_and_cuts(void)
{
    static const gsize steps[] = {1, 2, 3, 7, 11, 100, 1000, 65536, G_MAXSIZE / 2};

    for (guint minor = 14; minor <= 16; minor++) {
        g_autoptr(GString) rows = g_string_new(NULL);
        g_autoptr(GByteArray) bytes = make_archive(minor, rows, 200);

        for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
            g_autoptr(GString) got = g_string_new(NULL);
            g_autoptr(GError) error = NULL;
            Taken taken = {.rows = got};

            g_assert_true(read_archive(bytes->data, bytes->len, steps[i], &taken, &error));
            g_assert_no_error(error);
            g_assert_cmpstr(got->str, ==, rows->str);
            g_assert_cmpuint(taken.pieces, ==, 1);
        }
    }
}

static void test_contents(void)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    g_autoptr(GByteArray) bytes = make_archive(16, rows, 1);
    g_autoptr(GString) got = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Taken taken = {.rows = got};
    g_autoptr(PgArchiveStream) stream = pg_archive_stream_new(take_begin, take_rows, &taken);
    const PgArchiveTable *table;

    g_assert_null(pg_archive_stream_table(stream));
    g_assert_true(pg_archive_stream_write(bytes->data, bytes->len, stream, &error));
    g_assert_true(pg_archive_stream_finish(stream, &error));
    table = pg_archive_stream_table(stream);
    g_assert_cmpstr(table->schema, ==, "a");
    g_assert_cmpstr(table->table, ==, "we \"ird");
    g_assert_cmpstr(table->copy, ==, "COPY a.\"we \"\"ird\" (i, t) FROM stdin");
    g_assert_cmpuint(table->settings->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(table->settings, 0), ==, encoding.definition);
    g_assert_cmpuint(table->sequences->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(table->sequences, 0), ==, sequence.definition);
}

/* Long rows are handed on in pieces, and none of their bytes is lost between them. */
static void test_joining(void)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    g_autoptr(GByteArray) bytes = make_archive(14, rows, 20000);
    g_autoptr(GString) got = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Taken taken = {.rows = got};

    g_assert_true(read_archive(bytes->data, bytes->len, 131072, &taken, &error));
    g_assert_cmpuint(got->len, ==, rows->len);
    g_assert_cmpmem(got->str, got->len, rows->str, rows->len);
    g_assert_cmpuint(taken.pieces, ==, (rows->len + 65535) / 65536);
}

static void test_every_cut(void)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    g_autoptr(GByteArray) bytes = make_archive(15, rows, 3);

    for (guint length = 0; length < bytes->len; length++) {
        g_autoptr(GString) got = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        Taken taken = {.rows = got};

        g_assert_false(read_archive(bytes->data, length, 64, &taken, &error));
        g_assert_true(error_is(error, ERROR_FORMAT) ||
                      (taken.begun == 0 && error_is(error, ERROR_UNSUPPORTED)));
    }
}

/* A byte of the head changed: it may still be an archive, but nothing is read beyond it. */
static void test_every_flip(void)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    g_autoptr(GByteArray) bytes = make_archive(14, rows, 3);

    for (guint at = 0; at < bytes->len; at++) {
        for (guint flip = 1; flip < 256; flip += 127) {
            g_autoptr(GString) got = g_string_new(NULL);
            g_autoptr(GError) error = NULL;
            Taken taken = {.rows = got};
            gboolean good;

            bytes->data[at] ^= (guint8)flip;
            good = read_archive(bytes->data, bytes->len, 4096, &taken, &error);
            g_assert_true(good == (error == NULL));
            bytes->data[at] ^= (guint8)flip;
        }
    }
}

static void assert_refused(GByteArray *bytes, ErrorCode code, guint begun)
{
    g_autoptr(GString) got = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Taken taken = {.rows = got};

    g_assert_false(read_archive(bytes->data, bytes->len, 4096, &taken, &error));
    g_assert_true(error_is(error, code));
    g_assert_cmpuint(taken.begun, ==, begun);
    g_byte_array_unref(bytes);
}

static GByteArray *archive_of(const Entry *first, const Entry *second, gint64 id)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    Archive archive;

    put_head(&archive, 14, second != NULL ? 2 : 1);
    put_entry(&archive, first);
    if (second != NULL)
        put_entry(&archive, second);
    put_rows(&archive, id, rows, 1);
    return archive.bytes;
}

/* What only pg_restore can restore is refused before anything is begun. */
static void test_others(void)
{
    Entry inserts = rows_entry, comment = sequence, second = rows_entry;
    GByteArray *compressed = archive_of(&rows_entry, NULL, rows_entry.id);

    inserts.copy = "";
    comment.description = "STATISTICS DATA";
    second.id++;
    compressed->data[12] = 6;
    assert_refused(compressed, ERROR_UNSUPPORTED, 0);
    assert_refused(archive_of(&inserts, NULL, rows_entry.id), ERROR_UNSUPPORTED, 0);
    assert_refused(archive_of(&rows_entry, &comment, rows_entry.id), ERROR_UNSUPPORTED, 0);
    assert_refused(archive_of(&rows_entry, &second, rows_entry.id), ERROR_UNSUPPORTED, 0);
    assert_refused(archive_of(&rows_entry, &blobs, rows_entry.id), ERROR_UNSUPPORTED, 0);
    assert_refused(archive_of(&encoding, NULL, rows_entry.id), ERROR_UNSUPPORTED, 0);
    assert_refused(g_byte_array_new_take((guint8 *)g_strdup("no archive at all"), 17),
                   ERROR_UNSUPPORTED, 0);
}

static void test_wrong_blocks(void)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    GByteArray *longer = make_archive(14, rows, 1);
    GByteArray *head = make_archive(14, rows, 0);

    g_byte_array_append(longer, (const guint8 *)"\1", 1);
    assert_refused(longer, ERROR_FORMAT, 1);
    assert_refused(archive_of(&rows_entry, NULL, 4711), ERROR_FORMAT, 1);
    g_byte_array_set_size(head, head->len - 5);
    assert_refused(head, ERROR_FORMAT, 1);
}

static void test_callback_stops(void)
{
    g_autoptr(GString) rows = g_string_new(NULL);
    g_autoptr(GByteArray) bytes = make_archive(14, rows, 1);
    g_autoptr(GError) error = NULL;
    Taken taken = {.rows = rows, .refuse = TRUE};

    g_assert_false(read_archive(bytes->data, bytes->len, 64, &taken, &error));
    g_assert_true(error_is(error, ERROR_VANISHED));
    g_assert_cmpuint(taken.pieces, ==, 0);
}

/* A head without an end is not collected for ever. */
static void test_limit(void)
{
    g_autofree char *long_name = g_strnfill(2 << 20, 'x');
    Entry entry = encoding;

    entry.tag = long_name;
    assert_refused(archive_of(&entry, &rows_entry, rows_entry.id), ERROR_UNSUPPORTED, 0);
}

static void test_real(void)
{
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "../fuzz/corpus/fuzz-archive-stream",
                                                  "pg_dump-15", NULL);
    g_autofree char *bytes = NULL;
    g_autoptr(GString) got = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Taken taken = {.rows = got};
    gsize length;

    g_assert_true(g_file_get_contents(path, &bytes, &length, &error));
    g_assert_true(read_archive((const guint8 *)bytes, length, 100, &taken, &error));
    g_assert_cmpstr(got->str, ==, "1\tone\n2\t\\N\n3\ttab \\t and slash \\\\\n\\.\n\n\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/archive-stream/versions-and-cuts", test_versions_and_cuts);
    g_test_add_func("/archive-stream/contents", test_contents);
    g_test_add_func("/archive-stream/joining", test_joining);
    g_test_add_func("/archive-stream/every-cut", test_every_cut);
    g_test_add_func("/archive-stream/every-flip", test_every_flip);
    g_test_add_func("/archive-stream/others", test_others);
    g_test_add_func("/archive-stream/wrong-blocks", test_wrong_blocks);
    g_test_add_func("/archive-stream/callback-stops", test_callback_stops);
    g_test_add_func("/archive-stream/limit", test_limit);
    g_test_add_func("/archive-stream/real", test_real);
    return g_test_run();
}
