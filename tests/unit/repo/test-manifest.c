/* SPDX-License-Identifier: Apache-2.0
 *
 * The manifest, written, read and refused.
 */
#include "repo/manifest.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

#define ID  "20261122T020000Z-market-full-k3f9"
#define HEX "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static Manifest *make(void)
{
    Manifest *manifest = manifest_new(ID, "market", "postgresql", BACKUP_FULL);
    ManifestObject object = {.path = (char *)"data/a.zst",
                             .size = 10,
                             .plain_size = 100,
                             .sha256 = HEX};

    manifest_set_method(manifest, "logical");
    manifest_set_times(manifest, 1 * TIME_DAY, 2 * TIME_DAY + 500000);
    manifest_set_server_version(manifest, "15.8");
    manifest_set_counts(manifest, 7, 12345);
    manifest_set_repository(manifest, "some-id");
    manifest_add_warning(manifest, "a table is \xff odd");
    manifest_add_object(manifest, &object);
    object.path = (char *)"details.json.zst";
    manifest_add_object(manifest, &object);
    manifest_set_field(manifest, "position", json_pack("{s:s}", "lsn", "0/1"));
    return manifest;
}

static void test_round_trip(void)
{
    g_autoptr(Manifest) manifest = make();
    g_autoptr(Manifest) again = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    g_autofree char *second = NULL;
    gsize length;

    text = manifest_write(manifest, &length);
    g_assert_true(g_str_has_prefix(text, "{\n  \"format_version\": 1,\n  \"id\": \"" ID "\""));
    again = manifest_read(text, length, "manifest", &error);
    g_assert_no_error(error);
    g_assert_cmpstr(manifest_id(again), ==, ID);
    g_assert_cmpstr(manifest_source(again), ==, "market");
    g_assert_cmpstr(manifest_engine(again), ==, "postgresql");
    g_assert_cmpint(manifest_type(again), ==, BACKUP_FULL);
    g_assert_cmpstr(manifest_method(again), ==, "logical");
    g_assert_cmpstr(manifest_repository(again), ==, "some-id");
    g_assert_cmpstr(manifest_tool_version(again), ==, HOLDFAST_VERSION);
    g_assert_null(manifest_base(again));
    g_assert_false(manifest_partial(again));
    g_assert_cmpint(manifest_start(again), ==, 1 * TIME_DAY);
    g_assert_cmpint(manifest_stop(again), ==, 2 * TIME_DAY + 500000);
    g_assert_cmpstr(manifest_server_version(again), ==, "15.8");
    g_assert_cmpuint(manifest_tables(again), ==, 7);
    g_assert_cmpuint(manifest_rows(again), ==, 12345);
    g_assert_cmpuint(manifest_warning_count(again), ==, 1);
    g_assert_nonnull(strstr(manifest_warning(again, 0), "odd"));
    g_assert_cmpuint(manifest_object_count(again), ==, 2);
    g_assert_cmpstr(manifest_object(again, 1)->path, ==, "details.json.zst");
    g_assert_cmpstr(manifest_find_object(again, "data/a.zst")->sha256, ==, HEX);
    g_assert_null(manifest_find_object(again, "data/a"));
    g_assert_cmpuint(manifest_stored_size(again), ==, 20);
    g_assert_cmpuint(manifest_plain_size(again), ==, 200);
    second = manifest_write(again, &length);
    g_assert_cmpstr(second, ==, text);
}

/* Reads the manifest of make() with one field set to something else (NULL: taken out). */
static Manifest *read_changed(const char *key, json_t *value, GError **error)
{
    g_autoptr(Manifest) manifest = make();
    g_autoptr(json_t) document = manifest_json(manifest);
    g_autofree char *text = NULL;

    if (value != NULL)
        json_object_set_new(document, key, value);
    else
        json_object_del(document, key);
    text = json_write(document, TRUE);
    return manifest_read(text, strlen(text), "manifest", error);
}

static void test_unknown_fields(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Manifest) manifest =
        read_changed("from_the_future", json_pack("{s:[i,n]}", "deep", 1), &error);
    g_autoptr(json_t) document = NULL;

    g_assert_no_error(error);
    document = manifest_json(manifest);
    g_assert_cmpint(json_integer_value(json_array_get(
                        json_object_get(json_object_get(document, "from_the_future"), "deep"), 0)),
                    ==, 1);
    g_assert_nonnull(json_object_get(document, "position"));
    /* What is handed out is a copy. */
    json_object_set_new(document, "id", json_string("x"));
    g_assert_cmpstr(manifest_id(manifest), ==, ID);
}

static void assert_refused(const char *key, json_t *value, ErrorCode code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Manifest) manifest = read_changed(key, value, &error);

    if (manifest != NULL)
        g_error("a manifest with a bad %s was taken", key);
    g_assert_true(error_is(error, code));
}

static json_t *object_list(const char *path, json_int_t size, json_int_t plain, const char *hex)
{
    return json_pack("[{s:s, s:I, s:I, s:s}]", "path", path, "size", size, "plain_size", plain,
                     "sha256", hex);
}

static void test_refused(void)
{
    static const char *const needed[] = {"format_version", "id",   "source",   "engine", "type",
                                         "start",          "stop", "warnings", "objects"};

    for (gsize i = 0; i < G_N_ELEMENTS(needed); i++) {
        assert_refused(needed[i], NULL, ERROR_FORMAT);
        assert_refused(needed[i], json_null(), ERROR_FORMAT);
        assert_refused(needed[i], json_true(), ERROR_FORMAT);
    }
    assert_refused("format_version", json_integer(2), ERROR_NEWER_FORMAT);
    assert_refused("format_version", json_integer(0), ERROR_FORMAT);
    assert_refused("id", json_string("../x"), ERROR_FORMAT);
    assert_refused("source", json_string("a/b"), ERROR_FORMAT);
    assert_refused("type", json_string("half"), ERROR_FORMAT);
    assert_refused("start", json_string("yesterday"), ERROR_FORMAT);
    assert_refused("partial", json_string("no"), ERROR_FORMAT);
    assert_refused("method", json_integer(1), ERROR_FORMAT);
    assert_refused("row_count", json_integer(-1), ERROR_FORMAT);
    assert_refused("warnings", json_pack("[i]", 1), ERROR_FORMAT);
    assert_refused("objects", json_pack("[i]", 1), ERROR_FORMAT);
    assert_refused("objects", object_list("../x", 1, 1, HEX), ERROR_FORMAT);
    assert_refused("objects", object_list("SHA256SUMS", 1, 1, HEX), ERROR_FORMAT);
    assert_refused("objects", object_list("manifest.json", 1, 1, HEX), ERROR_FORMAT);
    assert_refused("objects", object_list("a", -1, 1, HEX), ERROR_FORMAT);
    assert_refused("objects", object_list("a", 1, 1, "abc"), ERROR_FORMAT);
    assert_refused("objects",
                   json_pack("[{s:s, s:I, s:i, s:s}, {s:s, s:I, s:i, s:s}]", "path", "a", "size",
                             (json_int_t)G_MAXINT64, "plain_size", 1, "sha256", HEX, "path", "b",
                             "size", (json_int_t)G_MAXINT64, "plain_size", 1, "sha256", HEX),
                   ERROR_FORMAT);
    assert_refused("objects",
                   json_pack("[{s:s, s:i, s:i, s:s}, {s:s, s:i, s:i, s:s}]", "path", "a", "size", 1,
                             "plain_size", 1, "sha256", HEX, "path", "a", "size", 1, "plain_size",
                             1, "sha256", HEX),
                   ERROR_FORMAT);
}

static void test_optional(void)
{
    static const char *const optional[] = {"repository",     "method",       "base",
                                           "server_version", "tool_version", "partial",
                                           "table_count",    "row_count"};

    for (gsize i = 0; i < G_N_ELEMENTS(optional); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Manifest) manifest = read_changed(optional[i], NULL, &error);

        g_assert_no_error(error);
    }
}

static void test_not_json(void)
{
    static const char *const bad[] = {"", "{", "[]", "null", "{\"a\":1,\"a\":2}", "{} x"};

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(manifest_read(bad[i], strlen(bad[i]), "manifest", &error));
        g_assert_true(error_is(error, ERROR_FORMAT));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/manifest/round-trip", test_round_trip);
    g_test_add_func("/repo/manifest/unknown-fields", test_unknown_fields);
    g_test_add_func("/repo/manifest/refused", test_refused);
    g_test_add_func("/repo/manifest/optional", test_optional);
    g_test_add_func("/repo/manifest/not-json", test_not_json);
    return g_test_run();
}
