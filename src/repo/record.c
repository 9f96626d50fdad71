/* SPDX-License-Identifier: Apache-2.0
 *
 * Records.
 */
#include "repo/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/time.h"
#include "codec/hash.h"
#include "repo/document.h"

#define PREFIX        "records/"
#define SUFFIX        ".json"
#define SIZE_LIMIT    (16 * 1024 * 1024)
#define RANDOM_LENGTH 6
#define KIND_LIMIT    20

static gboolean kind_valid(const char *kind)
{
    gsize length = strlen(kind);

    return length > 0 && length <= KIND_LIMIT &&
           strspn(kind, "abcdefghijklmnopqrstuvwxyz") == length;
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

void record_add_checksum(json_t *document)
{
    char hex[SHA256_HEX_SIZE];

    checksum_of(document, hex);
    json_object_set_new(document, "checksum", json_string(hex));
}

const char *record_checksum_state(const json_t *document)
{
    const char *carried = json_get_string(document, "checksum", NULL);
    char hex[SHA256_HEX_SIZE];

    if (carried == NULL)
        return "none";
    checksum_of(document, hex);
    return strcmp(hex, carried) == 0 ? "good" : "wrong";
}

/* --- writing ---------------------------------------------------------------------------------- */

/* What every record says of itself comes first, then the caller's own fields. */
static json_t *make_document(const char *id, const char *kind, gint64 now, const json_t *body)
{
    g_autofree char *when = time_format(now);
    json_t *document = json_object();

    json_object_set_new(document, "format_version", json_integer(REPOSITORY_FORMAT_VERSION));
    json_object_set_new(document, "id", json_text(id));
    json_object_set_new(document, "kind", json_text(kind));
    json_object_set_new(document, "time", json_text(when));
    json_object_set_new(document, "user", json_text(g_get_user_name()));
    json_object_set_new(document, "host", json_text(g_get_host_name()));
    json_object_set_new(document, "tool_version", json_text(HOLDFAST_VERSION));
    json_object_update_missing(document, (json_t *)body);
    return document;
}

gboolean record_write(Repository *repository, const char *kind, const json_t *body, char **ret_id,
                      GError **error)
{
    Store *store = repository_store(repository);
    g_autofree char *random = random_name(RANDOM_LENGTH);
    g_autofree char *when = NULL;
    g_autofree char *id = NULL;
    g_autofree char *name = NULL;
    g_autofree char *text = NULL;
    g_autoptr(json_t) document = NULL;
    gint64 now;

    if (!kind_valid(kind)) {
        error_set(error, ERROR_INTERNAL, "\"%s\" is no kind of record", kind);
        return FALSE;
    }
    if (!store_time(store, &now, error))
        return FALSE;
    when = time_format_compact(now);
    id = g_strdup_printf("%s-%s-%s", when, kind, random);
    name = g_strconcat(PREFIX, id, SUFFIX, NULL);
    document = make_document(id, kind, now, body);
    record_add_checksum(document);
    text = json_write(document, TRUE);
    if (strlen(text) > SIZE_LIMIT) {
        error_set(error, ERROR_LIMIT, "a record of kind %s would be larger than %d bytes", kind,
                  SIZE_LIMIT);
        return FALSE;
    }
    if (!document_put(store, name, text, strlen(text), NULL, error))
        return FALSE;
    if (ret_id != NULL)
        *ret_id = g_steal_pointer(&id);
    return TRUE;
}

typedef struct {
    Store *store;
    RecordFunc func;
    gpointer data;
} Visit;

static void pass_over(const char *name, const GError *error)
{
    g_autofree char *text = error_text(error);

    log_write(LOG_WARNING, "passing over a record that cannot be read: %s: %s", name, text);
}

/* A document that is what its name says. */
static gboolean check_record(const char *name, const json_t *document, const char **ret_kind,
                             gint64 *ret_when, GError **error)
{
    const char *id, *time;
    g_autofree char *expected = NULL;

    if (!json_need_string(document, "id", name, &id, error) ||
        !json_need_string(document, "kind", name, ret_kind, error) ||
        !json_need_string(document, "time", name, &time, error))
        return FALSE;
    expected = g_strconcat(PREFIX, id, SUFFIX, NULL);
    if (strcmp(expected, name) == 0 && kind_valid(*ret_kind) &&
        time_parse(time, NULL, ret_when, NULL))
        return TRUE;
    error_set(error, ERROR_FORMAT, "%s has an invalid id, kind or time", name);
    return FALSE;
}

static gboolean visit_record(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    const Visit *visit = data;
    g_autoptr(GError) local_error = NULL;
    g_autoptr(json_t) document = document_get(visit->store, name, SIZE_LIMIT, &local_error);
    const char *kind;
    gint64 when;

    if (document != NULL && check_record(name, document, &kind, &when, &local_error))
        return visit->func(name, kind, when, document, visit->data, error);
    /* A store that fails is another matter than one bad record: a pin must not be overlooked for
     * it. */
    if (document == NULL && !error_is(local_error, ERROR_FORMAT) &&
        !error_is(local_error, ERROR_NEWER_FORMAT) && !error_is(local_error, ERROR_LIMIT) &&
        !error_is(local_error, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    pass_over(name, local_error);
    return TRUE;
}

gboolean record_each(Repository *repository, RecordFunc func, gpointer data, GError **error)
{
    Visit visit = {.store = repository_store(repository), .func = func, .data = data};

    return store_list(visit.store, PREFIX, visit_record, &visit, error);
}
