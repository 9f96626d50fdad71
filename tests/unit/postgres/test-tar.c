/* SPDX-License-Identifier: Apache-2.0
 *
 * Tar streams: in pieces of every length, and hostile ones.
 */
#include "postgres/tar.h"

#include <string.h>

#include "base/error.h"

typedef struct {
    GString *log; /* "path kind size;" and the bytes */
} Seen;

static gboolean on_begin(const TarMember *member, gpointer data, GError **error)
{
    Seen *seen = data;

    g_string_append_printf(seen->log, "[%s %d %o %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT "]",
                           member->path, member->kind, member->mode, member->size,
                           member->modified);
    return TRUE;
}

static gboolean on_bytes(const guint8 *bytes, gsize length, gpointer data, GError **error)
{
    g_string_append_len(((Seen *)data)->log, (const char *)bytes, (gssize)length);
    return TRUE;
}

static gboolean on_end(gpointer data, GError **error)
{
    g_string_append_c(((Seen *)data)->log, '.');
    return TRUE;
}

static void seal(guint8 *header)
{
    guint sum = 0;

    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += header[i];
    g_snprintf((char *)header + 148, 8, "%06o", sum);
}

static void add_member(GByteArray *tar, const char *name, char type, const char *content)
{
    guint8 header[512] = {0}, zeros[512] = {0};
    gsize length = strlen(content);

    memcpy(header, name, strlen(name));
    g_snprintf((char *)header + 100, 8, "%07o", 0600);
    g_snprintf((char *)header + 124, 12, "%011o", (guint)length);
    g_snprintf((char *)header + 136, 12, "%011o", 5u);
    header[156] = (guint8)type;
    memcpy(header + 257, "ustar\00000", 8);
    seal(header);
    g_byte_array_append(tar, header, 512);
    g_byte_array_append(tar, (const guint8 *)content, (guint)length);
    g_byte_array_append(tar, zeros, (guint)((512 - length % 512) % 512));
}

/* Feeds the stream in pieces; the log, or NULL with an error. */
static char *read_all(const guint8 *bytes, gsize length, gsize piece, GError **error)
{
    static const TarFuncs funcs = {on_begin, on_bytes, on_end};
    g_autoptr(GString) log = g_string_new(NULL);
    Seen seen = {log};
    g_autoptr(TarReader) reader = tar_reader_new(&funcs, &seen);

    for (gsize at = 0; at < length; at += piece)
        if (!tar_reader_write(reader, bytes + at, MIN(piece, length - at), error))
            return NULL;
    if (!tar_reader_finish(reader, error))
        return NULL;
    return g_strdup(log->str);
}

static void test_pieces(void)
{
    static const char expected[] = "[a/b 0 600 5 5000000]hello.[empty 0 600 0 5000000].[base 1 600 "
                                   "0 5000000][pg_tblspc/1 2 600 0 5000000]";
    guint8 zeros[1024] = {0};

    for (gsize with_end = 0; with_end < 2; with_end++) {
        g_autoptr(GByteArray) tar = g_byte_array_new();

        add_member(tar, "./a/b", '0', "hello");
        add_member(tar, "empty", '0', "");
        add_member(tar, "base/", '5', "");
        add_member(tar, "./", '5', "");
        add_member(tar, "pg_tblspc/1", '2', "");
        if (with_end == 1)
            g_byte_array_append(tar, zeros, sizeof zeros);
        for (gsize piece = 1; piece < 1100; piece += 97) {
            g_autoptr(GError) error = NULL;
            g_autofree char *log = read_all(tar->data, tar->len, piece, &error);

            g_assert_no_error(error);
            g_assert_cmpstr(log, ==, expected);
        }
    }
}

static void assert_refused(const GByteArray *tar, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *log = read_all(tar->data, length, 512, &error);

    g_assert_null(log);
    g_assert_true(error_is(error, ERROR_FORMAT));
}

static void test_hostile_names(void)
{
    static const char *const names[] = {"../x", "a/../x", "/etc/passwd", "a//b", "a/./b", ".."};

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(GByteArray) tar = g_byte_array_new();

        add_member(tar, names[i], '0', "x");
        assert_refused(tar, tar->len);
    }
}

static void test_damage(void)
{
    g_autoptr(GByteArray) tar = g_byte_array_new();
    guint8 zeros[512] = {0};

    add_member(tar, "a", '0', "hello");
    for (gsize length = 1; length < tar->len; length += 100)
        assert_refused(tar, length);
    tar->data[3] ^= 1;
    assert_refused(tar, tar->len);
    tar->data[3] ^= 1;

    tar->data[156] = 'L';
    seal(tar->data);
    assert_refused(tar, tar->len);
    tar->data[156] = '0';

    /* A size in base 256 that no file has, and an octal one with another character. */
    memcpy(tar->data + 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
    seal(tar->data);
    assert_refused(tar, tar->len);
    memcpy(tar->data + 124, "0000000000x5", 12);
    seal(tar->data);
    assert_refused(tar, tar->len);
    memcpy(tar->data + 124, "00000000005", 12);
    seal(tar->data);

    g_byte_array_append(tar, zeros, sizeof zeros);
    add_member(tar, "late", '0', "");
    assert_refused(tar, tar->len);
}

static void test_large_size(void)
{
    static const TarFuncs funcs = {on_begin, on_bytes, on_end};
    g_autoptr(GByteArray) tar = g_byte_array_new();
    g_autoptr(GString) log = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Seen seen = {log};
    g_autoptr(TarReader) reader = tar_reader_new(&funcs, &seen);

    add_member(tar, "big", '0', "");
    memcpy(tar->data + 124, "\x80\0\0\0\0\0\0\x03\0\0\0\0", 12);
    seal(tar->data);
    g_assert_true(tar_reader_write(reader, tar->data, 512, &error));
    g_assert_cmpstr(log->str, ==, "[big 0 600 12884901888 5000000]");
    g_assert_false(tar_reader_finish(reader, &error));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tar/pieces", test_pieces);
    g_test_add_func("/tar/hostile-names", test_hostile_names);
    g_test_add_func("/tar/damage", test_damage);
    g_test_add_func("/tar/large-size", test_large_size);
    return g_test_run();
}
