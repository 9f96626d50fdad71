/* SPDX-License-Identifier: Apache-2.0 */
#include "pool/reseal.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "pool/object.h"
#include "pool/private.h"
#include "repo/stored.h"

/* More than three segments, and no whole number of them. */
#define SIZE (3 * SEAL_SEGMENT_SIZE + 1000)

typedef struct {
    char *directory;
    Store *stores[2]; /* the target's fails on demand */
    Repository *repositories[2];
    guint8 digest[SHA256_SIZE]; /* of the object in the source */
    char *name;
} Fixture;

/* Which of the two are encrypted. */
typedef struct {
    gboolean sealed[2];
} Way;

static const Way sealing = {{FALSE, TRUE}}, resealing = {{TRUE, TRUE}}, opening = {{TRUE, FALSE}};

static guint8 *content(void)
{
    guint8 *bytes = g_malloc(SIZE);

    for (guint i = 0; i < SIZE; i++)
        bytes[i] = (guint8)(i * 7 + i / 251);
    return bytes;
}

static void put_object(Fixture *fixture, const guint8 *bytes)
{
    g_autoptr(PoolObject) object = pool_object_begin(fixture->repositories[0], NULL);
    guint64 size;

    g_assert_true(pool_object_write(object, bytes, SIZE, NULL));
    g_assert_true(pool_object_commit(object, fixture->digest, &size, NULL));
    g_free(fixture->name);
    fixture->name = pool_object_name(fixture->digest);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    const Way *way = data;
    g_autofree guint8 *bytes = content();
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(KeyForm) form = NULL;

    fixture->directory = g_dir_make_tmp("holdfast-reseal-XXXXXX", NULL);
    path = g_build_filename(fixture->directory, "key", NULL);
    g_assert_true(file_replace(path, "0123456789abcdef0123456789abcdef", 32, 0600, NULL));
    text = g_strconcat("key-file=", path, NULL);
    form = key_form_parse(text, NULL);
    fixture->stores[0] = store_new_memory();
    fixture->stores[1] = store_new_fault(store_new_memory());
    for (guint i = 0; i < 2; i++)
        fixture->repositories[i] =
            way->sealed[i]
                ? repository_create_encrypted(fixture->stores[i], COMPRESS_DEFAULT, form, NULL)
                : repository_create(fixture->stores[i], COMPRESS_DEFAULT, NULL);
    put_object(fixture, bytes);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 2; i++) {
        repository_unref(fixture->repositories[i]);
        store_unref(fixture->stores[i]);
    }
    g_assert_true(directory_remove(fixture->directory, NULL));
    g_free(fixture->directory);
    g_free(fixture->name);
}

static gboolean reseal(Fixture *fixture, PoolName *ret_name, gboolean *ret_present,
                       gboolean *ret_of_source, GError **error)
{
    const PoolReseal request = {.source = fixture->repositories[0],
                                .target = fixture->repositories[1],
                                .name = fixture->name,
                                .digest = fixture->digest};

    return pool_reseal(&request, NULL, ret_name, ret_present, ret_of_source, error);
}

static gboolean append(const void *bytes, gsize length, gpointer data, GError **error)
{
    g_byte_array_append(data, bytes, (guint)length);
    return TRUE;
}

static void check_target(Fixture *fixture, const PoolName *found)
{
    g_autofree char *name = pool_object_name(found->digest);
    g_autofree guint8 *bytes = content();
    g_autoptr(GByteArray) plain = g_byte_array_new();

    g_assert_true(pool_object_in_place(fixture->stores[1], name, found->digest, found->size));
    g_assert_true(
        stored_stream(fixture->repositories[1], SEAL_POOL, name, append, plain, NULL, NULL));
    g_assert_cmpmem(plain->data, plain->len, bytes, SIZE);
}

static void test_twice(Fixture *fixture, gconstpointer data)
{
    PoolName first, second;
    gboolean present, of_source;

    g_assert_true(reseal(fixture, &first, &present, &of_source, NULL));
    g_assert_false(present);
    check_target(fixture, &first);
    g_assert_true(reseal(fixture, &second, &present, &of_source, NULL));
    g_assert_true(present);
    g_assert_cmpmem(&first, sizeof first, &second, sizeof second);
}

/* Other content never has the same salt: no nonce comes twice under one key. */
static void test_headers(Fixture *fixture, gconstpointer data)
{
    g_autofree guint8 *bytes = content();
    guint8 headers[2][SEAL_HEADER_SIZE];
    gboolean present, of_source;
    gsize length;
    PoolName found;

    for (guint i = 0; i < 2; i++) {
        g_autofree char *name = NULL;

        g_assert_true(reseal(fixture, &found, &present, &of_source, NULL));
        name = pool_object_name(found.digest);
        g_assert_true(
            store_read(fixture->stores[1], name, 0, headers[i], sizeof headers[i], &length, NULL));
        bytes[SIZE - 1] ^= 1;
        put_object(fixture, bytes);
    }
    g_assert_cmpint(memcmp(headers[0], headers[1], 48), ==, 0);
    g_assert_cmpint(memcmp(headers[0] + 48, headers[1] + 48, SEAL_ID_SIZE), !=, 0);
    g_assert_cmpint(memcmp(headers[0] + 64, headers[1] + 64, SEAL_SALT_SIZE), !=, 0);
}

static void test_damaged_source(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) missing = NULL;
    gboolean present, of_source;
    PoolName found;

    fixture->digest[0] ^= 1;
    g_assert_false(reseal(fixture, &found, &present, &of_source, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED) && of_source);
    g_assert_true(store_delete(fixture->stores[0], fixture->name, NULL));
    g_assert_false(reseal(fixture, &found, &present, &of_source, &missing));
    g_assert_true(error_is(missing, ERROR_NOT_FOUND) && of_source);
}

/* What stands in its place is never taken for it, and never written over. */
static void test_damaged_target(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;
    gboolean present, of_source;
    PoolName found;

    g_assert_true(reseal(fixture, &found, &present, &of_source, NULL));
    name = pool_object_name(found.digest);
    g_assert_true(store_delete(fixture->stores[1], name, NULL));
    g_assert_true(document_put(fixture->stores[1], name, "other", 5, NULL, NULL));
    g_assert_false(reseal(fixture, &found, &present, &of_source, &error));
    g_assert_true(error_is(error, ERROR_EXISTS));
    g_assert_false(of_source);
}

/* Whatever call to the target fails: it is said to be the target's, and the next run makes it
 * good. */
static void test_target_faults(Fixture *fixture, gconstpointer data)
{
    static const StoreFault faults[] = {STORE_FAULT_ERROR, STORE_FAULT_NO_SPACE, STORE_FAULT_DONE,
                                        STORE_FAULT_SHORT};
    gboolean present, of_source;
    PoolName found;
    guint failed = 0;

    for (guint i = 0; i < G_N_ELEMENTS(faults); i++) {
        for (guint nth = 1; nth < 8; nth++) {
            g_autofree char *name = NULL;
            g_autoptr(GError) error = NULL;

            store_fault_arm(fixture->stores[1], faults[i], nth, ERROR_IO);
            if (!reseal(fixture, &found, &present, &of_source, &error)) {
                g_assert_false(of_source);
                failed++;
            }
            store_fault_arm(fixture->stores[1], STORE_FAULT_NONE, 0, 0);
            g_assert_true(reseal(fixture, &found, &present, &of_source, NULL));
            check_target(fixture, &found);
            name = pool_object_name(found.digest);
            g_assert_true(store_delete(fixture->stores[1], name, NULL));
        }
    }
    g_assert_cmpuint(failed, >, 0);
}

static void test_names(void)
{
    g_autoptr(PoolNames) names = pool_names_new();
    g_autoptr(GError) error = NULL;
    guint8 first[SHA256_SIZE] = {1}, second[SHA256_SIZE] = {2};
    PoolName there = {.digest = {9}, .size = 77};
    char hex[SHA256_HEX_SIZE], unknown[SHA256_HEX_SIZE], now[SHA256_HEX_SIZE];
    g_autoptr(json_t) packs = NULL;
    json_t *pack;

    sha256_to_hex(first, hex);
    sha256_to_hex(second, unknown);
    sha256_to_hex(there.digest, now);
    pool_names_add(names, first, &there);
    packs = json_pack("[{s:s, s:i, s:i}, {s:s, s:i, s:i}]", "sha256", hex, "size", 5, "alive", 4,
                      "sha256", unknown, "size", 6, "alive", 0);
    g_assert_true(pool_names_put_packs(names, packs, NULL));
    pack = json_array_get(packs, 0);
    g_assert_cmpstr(json_get_string(pack, "sha256", ""), ==, now);
    g_assert_cmpstr(json_get_string(pack, "written_as", ""), ==, hex);
    g_assert_cmpuint(json_get_uint(pack, "size", 0), ==, 77);
    /* Back to where it was written. */
    memcpy(there.digest, first, SHA256_SIZE);
    g_assert_true(sha256_from_hex(now, second));
    pool_names_add(names, second, &there);
    g_assert_true(pool_names_put_packs(names, packs, NULL));
    g_assert_cmpstr(json_get_string(pack, "sha256", ""), ==, hex);
    g_assert_null(json_object_get(pack, "written_as"));
    g_assert_cmpstr(json_get_string(json_array_get(packs, 1), "sha256", ""), ==, unknown);
    /* What SHA256SUMS does not list cannot be there. */
    json_object_set_new(json_array_get(packs, 1), "alive", json_integer(1));
    g_assert_false(pool_names_put_packs(names, packs, &error));
    g_assert_true(error_is(error, ERROR_DAMAGED));
}

static void add(const char *name, const Way *way, void (*test)(Fixture *, gconstpointer))
{
    g_test_add(name, Fixture, way, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/reseal/twice/sealing", &sealing, test_twice);
    add("/reseal/twice/resealing", &resealing, test_twice);
    add("/reseal/twice/opening", &opening, test_twice);
    add("/reseal/headers", &sealing, test_headers);
    add("/reseal/damaged-source/sealing", &sealing, test_damaged_source);
    add("/reseal/damaged-source/opening", &opening, test_damaged_source);
    add("/reseal/damaged-target", &resealing, test_damaged_target);
    add("/reseal/target-faults", &sealing, test_target_faults);
    g_test_add_func("/reseal/names", test_names);
    return g_test_run();
}
