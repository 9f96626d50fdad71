/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON with limits and errors: a thin layer over jansson for documents that come from outside.
 * Getters name the missing or mistyped key. Duplicate keys are refused; nesting is bounded by
 * jansson.
 */
#ifndef HOLDFAST_BASE_JSON_H
#define HOLDFAST_BASE_JSON_H

#include <glib.h>
#include <jansson.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* Reads one document that must be an object. `what` names it in errors (ERROR_FORMAT). */
json_t *json_read_object(const char *bytes, gsize length, const char *what,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One document on one line (`indent` 0) or indented by two, keys in the order of insertion, with a
 * line feed at the end. Free with g_free(). Strings that are not valid UTF-8 must not get in: use
 * json_text(). */
char *json_write(const json_t *json, gboolean indent);

/* A JSON string of any bytes: invalid UTF-8 is made valid (g_utf8_make_valid). NULL gives JSON
 * null. New reference. */
json_t *json_text(const char *text);

/* Keys of an object. The first forms fail with ERROR_FORMAT when the key is missing or of another
 * type; strings belong to the object. Integers must fit guint64 and not be negative. */
gboolean json_need_string(const json_t *object, const char *key, const char *what,
                          const char **ret_value, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean json_need_uint(const json_t *object, const char *key, const char *what, guint64 *ret_value,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean json_need_array(const json_t *object, const char *key, const char *what,
                         json_t **ret_value, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The second forms give a default when the key is missing, null or of another type. */
const char *json_get_string(const json_t *object, const char *key, const char *fallback);
guint64 json_get_uint(const json_t *object, const char *key, guint64 fallback);
gboolean json_get_bool(const json_t *object, const char *key, gboolean fallback);

#endif
