/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON documents with errors that name the document and the key.
 */
#include "base/json.h"

#include "base/error.h"

#include <string.h>

json_t *json_read_object(const char *bytes, gsize length, const char *what, GError **error)
{
    json_error_t problem;
    g_autoptr(json_t) document = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &problem);

    if (document == NULL) {
        char *near = strstr(problem.text, " near ");

        /* What follows is a piece of the document, and a document may hold a secret. */
        if (near != NULL)
            *near = '\0';
        error_set(error, ERROR_FORMAT, "%s is no valid JSON: line %d, column %d: %s", what,
                  problem.line, problem.column, problem.text);
        return NULL;
    }
    if (!json_is_object(document)) {
        error_set(error, ERROR_FORMAT, "%s is no JSON object", what);
        return NULL;
    }
    return g_steal_pointer(&document);
}

static int append_piece(const char *bytes, size_t length, void *data)
{
    g_string_append_len(data, bytes, (gssize)length);
    return 0;
}

char *json_write(const json_t *json, gboolean indent)
{
    GString *text = g_string_new(NULL);
    size_t flags = JSON_ENCODE_ANY | (indent ? JSON_INDENT(2) : JSON_COMPACT);

    /* jansson checks strings when they are made and GString does not fail: only a circle could,
     * which is a bug. */
    if (json_dump_callback(json, append_piece, text, flags) != 0)
        g_error("cannot write JSON: the document holds itself");
    g_string_append_c(text, '\n');
    return g_string_free(text, FALSE);
}

json_t *json_text(const char *text)
{
    g_autofree char *valid = NULL;

    if (text == NULL)
        return json_null();
    valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

/* The value of a key that must be there and pass `right_type`. */
static json_t *need_value(const json_t *object, const char *key, const char *what,
                          const char *type_name, gboolean right_type, GError **error)
{
    json_t *value = json_object_get(object, key);

    if (value == NULL) {
        error_set(error, ERROR_FORMAT, "%s: \"%s\" is missing", what, key);
        return NULL;
    }
    if (!right_type) {
        error_set(error, ERROR_FORMAT, "%s: \"%s\" is no %s", what, key, type_name);
        return NULL;
    }
    return value;
}

gboolean json_need_string(const json_t *object, const char *key, const char *what,
                          const char **ret_value, GError **error)
{
    gboolean right = json_is_string(json_object_get(object, key));
    json_t *value = need_value(object, key, what, "string", right, error);

    if (value == NULL)
        return FALSE;
    *ret_value = json_string_value(value);
    return TRUE;
}

static gboolean is_uint(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

gboolean json_need_uint(const json_t *object, const char *key, const char *what, guint64 *ret_value,
                        GError **error)
{
    gboolean right = is_uint(json_object_get(object, key));
    json_t *value = need_value(object, key, what, "whole number from 0 on", right, error);

    if (value == NULL)
        return FALSE;
    *ret_value = (guint64)json_integer_value(value);
    return TRUE;
}

gboolean json_need_array(const json_t *object, const char *key, const char *what,
                         json_t **ret_value, GError **error)
{
    gboolean right = json_is_array(json_object_get(object, key));
    json_t *value = need_value(object, key, what, "array", right, error);

    if (value == NULL)
        return FALSE;
    *ret_value = value;
    return TRUE;
}

const char *json_get_string(const json_t *object, const char *key, const char *fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_string(value) ? json_string_value(value) : fallback;
}

guint64 json_get_uint(const json_t *object, const char *key, guint64 fallback)
{
    const json_t *value = json_object_get(object, key);

    return is_uint(value) ? (guint64)json_integer_value(value) : fallback;
}

gboolean json_get_bool(const json_t *object, const char *key, gboolean fallback)
{
    const json_t *value = json_object_get(object, key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}
