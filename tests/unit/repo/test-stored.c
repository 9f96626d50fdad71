/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/stored.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

#define SIZE ((gsize)300000)

typedef struct {
    char *directory;
    Store *store;
    Repository *repository;
    guint8 *plain;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer encrypted)
{
    static const char key[] = "0123456789abcdef0123456789abcdef";
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(KeyForm) form = NULL;
    g_autoptr(GError) error = NULL;

    fixture->directory = g_dir_make_tmp("holdfast-stored-XXXXXX", NULL);
    path = g_build_filename(fixture->directory, "key", NULL);
    g_assert_true(file_replace(path, key, strlen(key), 0600, NULL));
    text = g_strconcat("key-file=", path, NULL);
    form = key_form_parse(text, NULL);
    fixture->store = store_new_memory();
    fixture->repository =
        encrypted != NULL
            ? repository_create_encrypted(fixture->store, COMPRESS_DEFAULT, form, &error)
            : repository_create(fixture->store, COMPRESS_DEFAULT, &error);
    g_assert_no_error(error);
    fixture->plain = g_malloc(SIZE);
    for (gsize i = 0; i < SIZE; i++)
        fixture->plain[i] = (guint8)(i * 31 + i / 257);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    repository_unref(fixture->repository);
    store_unref(fixture->store);
    g_free(fixture->plain);
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
}

/* Writes an object of `length` bytes in pieces; *ret_stored is its stored size. */
static void put(Fixture *fixture, SealRole role, const char *name, gsize length,
                guint64 *ret_stored)
{
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(StoredWriter) writer = stored_begin(fixture->repository, role, name, hash, NULL);
    g_autoptr(GBytes) stored = NULL;
    guint8 digest[SHA256_SIZE], found[SHA256_SIZE];

    g_assert_nonnull(writer);
    for (gsize at = 0; at < length; at += 7777)
        g_assert_true(
            stored_write(writer, fixture->plain + at, MIN((gsize)7777, length - at), NULL));
    g_assert_true(stored_finish(writer, ret_stored, NULL));
    g_assert_true(stored_commit(writer, NULL));
    sha256_finish(hash, digest);
    stored = store_get(fixture->store, name, 1 << 24, NULL);
    g_assert_cmpuint(g_bytes_get_size(stored), ==, *ret_stored);
    sha256_buffer(g_bytes_get_data(stored, NULL), *ret_stored, found);
    g_assert_cmpmem(digest, SHA256_SIZE, found, SHA256_SIZE);
}

static void check_range(Fixture *fixture, SealRole role, const char *name, gsize size,
                        guint64 offset, gsize length)
{
    g_autofree guint8 *buffer = g_malloc(length + 1);
    gsize wanted = offset >= size ? 0 : MIN(length, size - (gsize)offset);
    g_autoptr(GError) error = NULL;
    gsize got = 12345;

    (void)!stored_read(fixture->repository, role, name, offset, buffer, length, &got, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(buffer, got, fixture->plain + MIN(offset, size), wanted);
}

/* Anywhere, of any length, and around every edge of a segment. */
static void test_ranges(Fixture *fixture, gconstpointer encrypted)
{
    const gsize sizes[] = {0, 1, 65536, 131072, SIZE};
    const SealRole roles[] = {SEAL_POOL, SEAL_WAL};

    for (guint i = 0; i < G_N_ELEMENTS(sizes) * 2; i++) {
        gsize size = sizes[i / 2];
        SealRole role = roles[i % 2];
        g_autofree char *name = g_strdup_printf("%s/x/%u", role == SEAL_POOL ? "pool" : "wal", i);
        guint64 stored, plain;

        put(fixture, role, name, size, &stored);
        g_assert_true(stored_size(fixture->repository, role, name, &plain, NULL));
        g_assert_cmpuint(plain, ==, size);
        for (guint64 edge = 0; edge <= size; edge += 65536) {
            for (int off = -2; off <= 2; off++) {
                if ((gint64)edge + off < 0 || edge + off > size)
                    continue;
                check_range(fixture, role, name, size, edge + off, 1);
                check_range(fixture, role, name, size, edge + off, 65536);
                check_range(fixture, role, name, size, edge + off, SIZE);
            }
        }
        for (guint j = 0; j < 50; j++) {
            guint64 offset = (guint64)g_test_rand_int_range(0, (gint32)size + 1);

            check_range(fixture, role, name, size, offset, (gsize)g_test_rand_int_range(0, SIZE));
        }
    }
}

static gboolean collect(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_byte_array_append(data, bytes, (guint)length);
    return TRUE;
}

static gboolean fail(const void *bytes, gsize length, gpointer data, GError **error)
{
    error_set(error, ERROR_NO_SPACE, "the sink is full");
    return FALSE;
}

static void test_stream(Fixture *fixture, gconstpointer encrypted)
{
    g_autoptr(GByteArray) plain = g_byte_array_new();
    g_autoptr(GError) error = NULL;
    guint64 stored;

    put(fixture, SEAL_WAL, "wal/a/1", SIZE, &stored);
    g_assert_cmpuint(stored, ==, encrypted != NULL ? seal_stored_size(SIZE) : SIZE);
    g_assert_true(
        stored_stream(fixture->repository, SEAL_WAL, "wal/a/1", collect, plain, NULL, &error));
    g_assert_cmpmem(plain->data, plain->len, fixture->plain, SIZE);
    g_assert_false(
        stored_stream(fixture->repository, SEAL_WAL, "wal/a/1", fail, NULL, NULL, &error));
    g_assert_true(error_is(error, ERROR_NO_SPACE));
    g_clear_error(&error);
    g_assert_false(
        stored_stream(fixture->repository, SEAL_WAL, "wal/a/2", collect, plain, NULL, &error));
    g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

/* Puts the stored bytes of one object, cut to `length`, under another name. */
static void copy_object(Fixture *fixture, const char *from, const char *to, gsize length)
{
    g_autoptr(GBytes) bytes = store_get(fixture->store, from, 1 << 24, NULL);

    g_assert_true(store_delete(fixture->store, to, NULL));
    g_assert_true(store_put(fixture->store, to, g_bytes_get_data(bytes, NULL),
                            MIN(length, g_bytes_get_size(bytes)), NULL));
}

static void assert_damaged(Fixture *fixture, SealRole role, const char *name, guint64 offset)
{
    g_autoptr(GError) error = NULL;
    guint8 buffer[100];
    gsize got;

    g_assert_false(
        stored_read(fixture->repository, role, name, offset, buffer, sizeof buffer, &got, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_assert_nonnull(strstr(error->message, name));
}

/* Objects that were moved, swapped or cut off. The end of one that was cut at the edge of a segment
 * is no end. */
static void test_tampering(Fixture *fixture, gconstpointer encrypted)
{
    const gsize edge = SEAL_HEADER_SIZE + SEAL_SEGMENT_SIZE + SEAL_TAG_SIZE;
    guint64 stored;

    put(fixture, SEAL_WAL, "wal/a/1", SIZE, &stored);
    put(fixture, SEAL_POOL, "pool/a/1", SIZE, &stored);
    copy_object(fixture, "wal/a/1", "wal/a/2", SIZE);
    assert_damaged(fixture, SEAL_WAL, "wal/a/2", 0);
    copy_object(fixture, "pool/a/1", "wal/a/3", SIZE);
    assert_damaged(fixture, SEAL_WAL, "wal/a/3", 0);
    copy_object(fixture, "wal/a/1", "wal/a/1", edge);
    assert_damaged(fixture, SEAL_WAL, "wal/a/1", 0);
    assert_damaged(fixture, SEAL_WAL, "wal/a/1", SEAL_SEGMENT_SIZE);
    copy_object(fixture, "pool/a/1", "pool/a/2", 50);
    assert_damaged(fixture, SEAL_POOL, "pool/a/2", 0);
    g_assert_true(store_put(fixture->store, "pool/a/3", fixture->plain, 1000, NULL));
    assert_damaged(fixture, SEAL_POOL, "pool/a/3", 0);
}

/* Without a key nothing is written, and what is there is not read as it is. */
static void test_no_key(Fixture *fixture, gconstpointer encrypted)
{
    g_autoptr(Repository) locked = repository_open(fixture->store, NULL);
    g_autoptr(GPtrArray) parts = NULL;
    g_autoptr(GError) error = NULL;
    guint8 buffer[10];
    guint64 stored;
    gsize got;

    g_assert_true(repository_is_encrypted(locked));
    g_assert_false(repository_has_key(locked));
    g_assert_null(stored_begin(locked, SEAL_WAL, "wal/a/1", NULL, &error));
    g_assert_true(error_is(error, ERROR_CONFIG));
    g_clear_error(&error);
    g_assert_true(store_list_parts(fixture->store, "wal/", &parts, NULL));
    g_assert_cmpuint(parts->len, ==, 0);
    put(fixture, SEAL_WAL, "wal/a/1", 100, &stored);
    g_assert_false(stored_read(locked, SEAL_WAL, "wal/a/1", 0, buffer, 10, &got, &error));
    g_assert_true(error_is(error, ERROR_CONFIG));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/stored/ranges", Fixture, "", set_up, test_ranges, tear_down);
    g_test_add("/stored/ranges-plain", Fixture, NULL, set_up, test_ranges, tear_down);
    g_test_add("/stored/stream", Fixture, "", set_up, test_stream, tear_down);
    g_test_add("/stored/stream-plain", Fixture, NULL, set_up, test_stream, tear_down);
    g_test_add("/stored/tampering", Fixture, "", set_up, test_tampering, tear_down);
    g_test_add("/stored/no-key", Fixture, "", set_up, test_no_key, tear_down);
    return g_test_run();
}
