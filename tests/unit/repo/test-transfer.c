/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/transfer.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "repo/stored.h"

#define NAME  "wal/main/1/one"
#define TEXT  "what was archived"
#define OTHER "what was archivee"

typedef struct {
    char *directory;
    Store *stores[2]; /* the target's fails on demand */
    Repository *repositories[2];
} Fixture;

/* Which of the two are encrypted. */
typedef struct {
    gboolean sealed[2];
} Way;

static const Way plain = {{FALSE, FALSE}}, sealing = {{FALSE, TRUE}}, resealing = {{TRUE, TRUE}},
                 opening = {{TRUE, FALSE}};

static void set_up(Fixture *fixture, gconstpointer data)
{
    const Way *way = data;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(KeyForm) form = NULL;
    g_autoptr(GError) error = NULL;

    fixture->directory = g_dir_make_tmp("holdfast-transfer-XXXXXX", NULL);
    path = g_build_filename(fixture->directory, "key", NULL);
    g_assert_true(file_replace(path, "0123456789abcdef0123456789abcdef", 32, 0600, NULL));
    text = g_strconcat("key-file=", path, NULL);
    form = key_form_parse(text, NULL);
    fixture->stores[0] = store_new_memory();
    fixture->stores[1] = store_new_fault(store_new_memory());
    for (guint i = 0; i < 2; i++) {
        fixture->repositories[i] =
            way->sealed[i]
                ? repository_create_encrypted(fixture->stores[i], COMPRESS_DEFAULT, form, &error)
                : repository_create(fixture->stores[i], COMPRESS_DEFAULT, &error);
        g_assert_no_error(error);
    }
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 2; i++) {
        repository_unref(fixture->repositories[i]);
        store_unref(fixture->stores[i]);
    }
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
}

/* The digest of the stored bytes. */
static void put(Fixture *fixture, guint where, const char *text, guint8 ret_digest[SHA256_SIZE])
{
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(StoredWriter) writer =
        stored_begin(fixture->repositories[where], SEAL_WAL, NAME, hash, NULL);
    guint64 size;

    g_assert_true(stored_write(writer, text, strlen(text), NULL));
    g_assert_true(stored_finish(writer, &size, NULL));
    g_assert_true(stored_commit(writer, NULL));
    sha256_finish(hash, ret_digest);
}

static TransferRequest request_of(Fixture *fixture, const guint8 *digest)
{
    return (TransferRequest){.source = fixture->repositories[0],
                             .target = fixture->repositories[1],
                             .role = SEAL_WAL,
                             .name = NAME,
                             .digest = digest};
}

static gboolean append(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_string_append_len(data, bytes, (gssize)length);
    return TRUE;
}

/* The target has the plain bytes, and the result says what is stored. */
static void check_target(Fixture *fixture, const TransferResult *result)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GBytes) stored = store_get(fixture->stores[1], NAME, 1 << 20, NULL);
    guint8 digest[SHA256_SIZE];

    g_assert_true(
        stored_stream(fixture->repositories[1], SEAL_WAL, NAME, append, text, NULL, NULL));
    g_assert_cmpstr(text->str, ==, TEXT);
    g_assert_nonnull(stored);
    g_assert_cmpuint(g_bytes_get_size(stored), ==, result->size);
    sha256_buffer(g_bytes_get_data(stored, NULL), g_bytes_get_size(stored), digest);
    g_assert_cmpmem(digest, SHA256_SIZE, result->digest, SHA256_SIZE);
}

static void test_twice(Fixture *fixture, gconstpointer data)
{
    guint8 digest[SHA256_SIZE];
    TransferRequest request = request_of(fixture, digest);
    TransferResult first, second;
    gboolean of_source;

    put(fixture, 0, TEXT, digest);
    g_assert_true(transfer_object(&request, NULL, &first, &of_source, NULL));
    g_assert_false(first.present);
    check_target(fixture, &first);
    request.digest = NULL;
    g_assert_true(transfer_object(&request, NULL, &second, &of_source, NULL));
    g_assert_true(second.present);
    g_assert_cmpmem(first.digest, SHA256_SIZE, second.digest, SHA256_SIZE);
    g_assert_cmpuint(first.size, ==, second.size);
}

static void test_other_object(Fixture *fixture, gconstpointer data)
{
    guint8 digest[SHA256_SIZE], other[SHA256_SIZE];
    TransferRequest request = request_of(fixture, digest);
    g_autoptr(GError) error = NULL;
    TransferResult result;
    gboolean of_source;

    put(fixture, 0, TEXT, digest);
    put(fixture, 1, OTHER, other);
    g_assert_false(transfer_object(&request, NULL, &result, &of_source, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_assert_false(of_source);
    request.replace = TRUE;
    g_assert_true(transfer_object(&request, NULL, &result, &of_source, NULL));
    g_assert_false(result.present);
    check_target(fixture, &result);
}

static void test_damaged_source(Fixture *fixture, gconstpointer data)
{
    guint8 digest[SHA256_SIZE];
    TransferRequest request = request_of(fixture, digest);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) missing = NULL;
    TransferResult result;
    StoreInfo info;
    gboolean of_source;

    put(fixture, 0, TEXT, digest);
    digest[0] ^= 1;
    g_assert_false(transfer_object(&request, NULL, &result, &of_source, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
    g_assert_true(of_source);
    g_assert_false(store_stat(fixture->stores[1], NAME, &info, NULL));
    g_assert_true(store_delete(fixture->stores[0], NAME, NULL));
    g_assert_false(transfer_object(&request, NULL, &result, &of_source, &missing));
    g_assert_true(error_is(missing, ERROR_NOT_FOUND));
    g_assert_true(of_source);
}

/* Whatever call to the target fails: it is said to be the target's, and the next run makes it
 * good. */
static void test_target_faults(Fixture *fixture, gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_NO_SPACE, STORE_FAULT_DONE,
                                        STORE_FAULT_SHORT};
    guint8 digest[SHA256_SIZE];
    TransferRequest request = request_of(fixture, digest);
    TransferResult result;
    gboolean of_source;
    guint failed = 0;

    put(fixture, 0, TEXT, digest);
    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        for (guint nth = 1; nth < 8; nth++) {
            g_autoptr(GError) error = NULL;

            g_assert_true(store_delete(fixture->stores[1], NAME, NULL));
            store_fault_arm(fixture->stores[1], faults[i], nth, ERROR_IO);
            if (!transfer_object(&request, NULL, &result, &of_source, &error)) {
                g_assert_false(of_source);
                failed++;
            }
            store_fault_arm(fixture->stores[1], STORE_FAULT_NONE, 0, 0);
            g_assert_true(transfer_object(&request, NULL, &result, &of_source, NULL));
            check_target(fixture, &result);
        }
    }
    g_assert_cmpuint(failed, >, 0);
}

static void add(const char *name, const Way *way, void (*test)(Fixture *, gconstpointer))
{
    g_test_add(name, Fixture, way, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/transfer/twice/plain", &plain, test_twice);
    add("/transfer/twice/sealing", &sealing, test_twice);
    add("/transfer/twice/resealing", &resealing, test_twice);
    add("/transfer/twice/opening", &opening, test_twice);
    add("/transfer/other-object/plain", &plain, test_other_object);
    add("/transfer/other-object/resealing", &resealing, test_other_object);
    add("/transfer/damaged-source/plain", &plain, test_damaged_source);
    add("/transfer/damaged-source/resealing", &resealing, test_damaged_source);
    add("/transfer/target-faults/plain", &plain, test_target_faults);
    add("/transfer/target-faults/sealing", &sealing, test_target_faults);
    return g_test_run();
}
