/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON documents from outside, and ours.
 */
#include "base/json.h"

#include "base/error.h"

#include <string.h>

static json_t *read_text(const char *text, GError **error)
{
    return json_read_object(text, strlen(text), "manifest.json", error);
}

static void test_refuse(void)
{
    static const char *const cases[] = {
        "",
        "{",
        "[]",
        "1",
        "null",
        "{} {}",
        "{\"a\": 1,}",
        "{'a': 1}",
        "{\"a\": \"\xff\"}",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": 99999999999999999999}",
    };
    GString *deep = g_string_new("{\"a\":");

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(read_text(cases[i], &error));
        g_assert_true(error_is(error, ERROR_FORMAT));
        g_assert_true(g_str_has_prefix(error->message, "manifest.json is no "));
    }
    for (guint i = 0; i < 100000; i++)
        g_string_append_c(deep, '[');
    g_assert_null(json_read_object(deep->str, deep->len, "deep", NULL));
    g_string_free(deep, TRUE);
}

/* A document may hold a secret: an error must not repeat it. */
static void test_secret(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(read_text("{\"key\": hunter2}", &error));
    g_assert_null(strstr(error->message, "hunter2"));
    g_assert_nonnull(strstr(error->message, "line 1"));
}

static void test_need(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(json_t) document =
        read_text("{\"s\": \"x\", \"n\": 9223372036854775807, \"m\": -1, \"a\": [1], \"r\": 1.5}",
                  &error);
    const char *string = NULL;
    guint64 number = 0;
    json_t *array = NULL;

    g_assert_no_error(error);
    g_assert_true(json_need_string(document, "s", "doc", &string, &error));
    g_assert_cmpstr(string, ==, "x");
    g_assert_true(json_need_uint(document, "n", "doc", &number, &error));
    g_assert_cmpuint(number, ==, G_MAXINT64);
    g_assert_true(json_need_array(document, "a", "doc", &array, &error));
    g_assert_cmpuint(json_array_size(array), ==, 1);

    g_assert_false(json_need_string(document, "n", "doc", &string, &error));
    g_assert_true(error_is(error, ERROR_FORMAT));
    g_assert_cmpstr(error->message, ==, "doc: \"n\" is no string");
    g_clear_error(&error);
    g_assert_false(json_need_string(document, "zz", "doc", &string, &error));
    g_assert_cmpstr(error->message, ==, "doc: \"zz\" is missing");
    g_clear_error(&error);
    g_assert_false(json_need_uint(document, "m", "doc", &number, &error));
    g_clear_error(&error);
    g_assert_false(json_need_uint(document, "r", "doc", &number, &error));
    g_clear_error(&error);
    g_assert_false(json_need_array(document, "s", "doc", &array, &error));
    g_assert_true(error_is(error, ERROR_FORMAT));
    g_assert_cmpuint(number, ==, G_MAXINT64);
}

static void test_get(void)
{
    g_autoptr(json_t) document =
        read_text("{\"s\": \"x\", \"n\": 5, \"m\": -1, \"b\": true, \"z\": null}", NULL);

    g_assert_cmpstr(json_get_string(document, "s", "d"), ==, "x");
    g_assert_cmpstr(json_get_string(document, "z", "d"), ==, "d");
    g_assert_null(json_get_string(document, "n", NULL));
    g_assert_cmpuint(json_get_uint(document, "n", 7), ==, 5);
    g_assert_cmpuint(json_get_uint(document, "m", 7), ==, 7);
    g_assert_cmpuint(json_get_uint(document, "zz", 7), ==, 7);
    g_assert_true(json_get_bool(document, "b", FALSE));
    g_assert_true(json_get_bool(document, "s", TRUE));
    g_assert_false(json_get_bool(NULL, "s", FALSE));
}

static void test_write(void)
{
    g_autoptr(json_t) document = json_object();
    g_autofree char *line = NULL;
    g_autofree char *indented = NULL;

    json_object_set_new(document, "z", json_text("a\xff"));
    json_object_set_new(document, "a", json_text(NULL));
    json_object_set_new(document, "n", json_integer(1));
    line = json_write(document, FALSE);
    indented = json_write(document, TRUE);
    g_assert_cmpstr(line, ==, "{\"z\":\"a\xef\xbf\xbd\",\"a\":null,\"n\":1}\n");
    g_assert_cmpstr(indented, ==,
                    "{\n  \"z\": \"a\xef\xbf\xbd\",\n  \"a\": null,\n  \"n\": 1\n}\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/json/refuse", test_refuse);
    g_test_add_func("/base/json/secret", test_secret);
    g_test_add_func("/base/json/need", test_need);
    g_test_add_func("/base/json/get", test_get);
    g_test_add_func("/base/json/write", test_write);
    return g_test_run();
}
