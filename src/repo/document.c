/* SPDX-License-Identifier: Apache-2.0
 *
 * Small write-once documents.
 */
#include "repo/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "codec/hash.h"

gboolean document_put(Store *store, const char *name, const char *bytes, gsize length,
                      gboolean *ret_doubtful, GError **error)
{
    g_autoptr(GError) write_error = NULL;
    g_autoptr(GError) read_error = NULL;
    g_autoptr(GBytes) found = NULL;

    if (ret_doubtful != NULL)
        *ret_doubtful = FALSE;
    if (store_put(store, name, bytes, length, &write_error))
        return TRUE;
    found = store_get(store, name, length, &read_error);
    if (found != NULL && g_bytes_get_size(found) == length &&
        memcmp(g_bytes_get_data(found, NULL), bytes, length) == 0)
        return TRUE;
    /* Not there, or larger than ours: that is an answer. Anything else is none. */
    if (ret_doubtful != NULL)
        *ret_doubtful = found == NULL && !error_is(read_error, ERROR_NOT_FOUND) &&
                        !error_is(read_error, ERROR_LIMIT);
    g_propagate_error(error, g_steal_pointer(&write_error));
    return FALSE;
}

gboolean repository_check_version(const json_t *document, const char *what, GError **error)
{
    const json_t *version = json_object_get(document, "format_version");

    if (!json_is_integer(version) || json_integer_value(version) < 1) {
        error_set(error, ERROR_FORMAT, "%s has no valid format_version", what);
        return FALSE;
    }
    if (json_integer_value(version) > REPOSITORY_FORMAT_VERSION) {
        error_set(error, ERROR_NEWER_FORMAT,
                  "%s has format version %" JSON_INTEGER_FORMAT ", and this program knows up to %d",
                  what, json_integer_value(version), REPOSITORY_FORMAT_VERSION);
        error_add_hint(error, "update holdfast to the version that wrote it, or a newer one");
        return FALSE;
    }
    return TRUE;
}

json_t *document_get(Store *store, const char *name, gsize limit, GError **error)
{
    g_autoptr(GBytes) bytes = store_get(store, name, limit, error);
    g_autoptr(json_t) document = NULL;
    gsize length;
    const char *text;

    if (bytes == NULL)
        return NULL;
    text = g_bytes_get_data(bytes, &length);
    document = json_read_object(text != NULL ? text : "", length, name, error);
    if (document == NULL || !repository_check_version(document, name, error))
        return NULL;
    return g_steal_pointer(&document);
}

/* --- checksums -------------------------------------------------------------------------------- */

static void checksum_of(const json_t *document, char hex[SHA256_HEX_SIZE])
{
    g_autoptr(json_t) bare = json_copy((json_t *)document);
    guint8 digest[SHA256_SIZE];
    char *text;

    json_object_del(bare, "checksum");
    text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS);
    sha256_buffer(text, strlen(text), digest);
    free(text);
    sha256_to_hex(digest, hex);
}

void document_add_checksum(json_t *document)
{
    char hex[SHA256_HEX_SIZE];

    checksum_of(document, hex);
    json_object_set_new(document, "checksum", json_string(hex));
}

const char *document_checksum_state(const json_t *document)
{
    const char *carried = json_get_string(document, "checksum", NULL);
    char hex[SHA256_HEX_SIZE];

    if (carried == NULL)
        return "none";
    checksum_of(document, hex);
    return strcmp(hex, carried) == 0 ? "good" : "wrong";
}

json_t *document_get_checked(Store *store, const char *name, gsize limit, GError **error)
{
    g_autoptr(json_t) document = document_get(store, name, limit, error);
    const char *state;

    if (document == NULL)
        return NULL;
    state = document_checksum_state(document);
    if (strcmp(state, "good") == 0)
        return g_steal_pointer(&document);
    error_set(error, ERROR_DAMAGED,
              strcmp(state, "none") == 0 ? "%s carries no checksum"
                                         : "%s does not agree with the checksum that it carries",
              name);
    return NULL;
}
