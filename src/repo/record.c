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
#include "repo/stored.h"

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

/* Whoever reads it with the key holds the body's most telling fields against it. */
static gboolean add_sealed(Repository *repository, const char *name, const json_t *whole,
                           json_t *document, GError **error)
{
    g_autofree char *text = NULL;
    g_autofree char *sealed = NULL;

    if (whole == NULL || !repository_is_encrypted(repository) ||
        !repository_is_unlocked(repository))
        return TRUE;
    text = json_write(whole, FALSE);
    sealed = stored_seal_text(repository, SEAL_RECORD, name, text, strlen(text), error);
    if (sealed == NULL)
        return FALSE;
    json_object_set_new(document, "sealed", json_string(sealed));
    return TRUE;
}

gboolean record_write(Repository *repository, const char *kind, const json_t *body, char **ret_id,
                      GError **error)
{
    return record_write_sealed(repository, kind, body, NULL, ret_id, error);
}

gboolean record_write_sealed(Repository *repository, const char *kind, const json_t *body,
                             const json_t *whole, char **ret_id, GError **error)
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
    if (!add_sealed(repository, name, whole, document, error))
        return FALSE;
    document_add_checksum(document);
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

/* --- showing ---------------------------------------------------------------------------------- */

static void finish_opening(json_t *record, const char *state)
{
    json_object_del(record, "sealed");
    json_object_set_new(record, "sealed_part", json_string(state));
}

void record_close(json_t *record)
{
    if (json_object_get(record, "sealed") != NULL)
        finish_opening(record, "closed");
}

/* The clear part of the record may have been changed by hand, checksum included. */
static gboolean check_whole(const json_t *record, const json_t *whole, GError **error)
{
    static const char *const keys[] = {"backup", "archive", "result", NULL};

    for (guint i = 0; keys[i] != NULL; i++) {
        const char *clear = json_get_string(record, keys[i], "");

        if (strcmp(clear, json_get_string(whole, keys[i], "")) == 0)
            continue;
        error_set(error, ERROR_DAMAGED,
                  "record %s: what its sealed part has for \"%s\" is not \"%s\"",
                  json_get_string(record, "id", "?"), keys[i], clear);
        return FALSE;
    }
    return TRUE;
}

static json_t *open_whole(Repository *repository, const json_t *record, const char *sealed,
                          GError **error)
{
    g_autofree char *name = g_strconcat(PREFIX, json_get_string(record, "id", ""), SUFFIX, NULL);
    g_autoptr(GBytes) text = stored_open_text(repository, SEAL_RECORD, name, sealed, error);
    g_autoptr(json_t) whole = NULL;

    if (text == NULL)
        return NULL;
    whole = json_read_object(g_bytes_get_data(text, NULL), g_bytes_get_size(text), name, error);
    return whole != NULL && check_whole(record, whole, error) ? g_steal_pointer(&whole) : NULL;
}

gboolean record_open(Repository *repository, json_t *record, GError **error)
{
    const char *sealed = json_get_string(record, "sealed", NULL);
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) whole = NULL;
    g_autofree char *text = NULL;

    if (sealed == NULL || !repository_is_encrypted(repository) || !repository_has_key(repository)) {
        record_close(record);
        return TRUE;
    }
    if (!repository_unlock(repository, error))
        return FALSE;
    whole = open_whole(repository, record, sealed, &problem);
    if (whole != NULL) {
        json_object_update_existing(record, whole);
        finish_opening(record, "opened");
        return TRUE;
    }
    text = error_text(problem);
    log_write(LOG_WARNING, "the sealed part of a record cannot be shown: %s", text);
    finish_opening(record, "damaged");
    return TRUE;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct {
    Store *store;
    GHashTable *known; /* names that are passed over; NULL: none */
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

static gboolean is_about_record(const GError *problem)
{
    return error_is(problem, ERROR_FORMAT) || error_is(problem, ERROR_NEWER_FORMAT) ||
           error_is(problem, ERROR_LIMIT);
}

static gboolean visit_record(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    const Visit *visit = data;
    g_autoptr(GError) local_error = NULL;
    g_autoptr(json_t) document = NULL;
    const char *kind;
    gint64 when;

    if (visit->known != NULL && g_hash_table_contains(visit->known, name))
        return TRUE;
    document = document_get(visit->store, name, SIZE_LIMIT, &local_error);
    if (document != NULL && check_record(name, document, &kind, &when, &local_error))
        return visit->func(name, kind, when, document, visit->data, error);
    /* A store that fails is another matter than one bad record: a pin must not be overlooked for
     * it. */
    if (document == NULL && !is_about_record(local_error) &&
        !error_is(local_error, ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    pass_over(name, local_error);
    return TRUE;
}

gboolean record_each(Repository *repository, RecordFunc func, gpointer data, GError **error)
{
    return record_each_new(repository, NULL, func, data, error);
}

gboolean record_each_new(Repository *repository, GHashTable *known, RecordFunc func, gpointer data,
                         GError **error)
{
    Visit visit = {.store = repository_store(repository),
                   .known = known,
                   .func = func,
                   .data = data};

    return store_list(visit.store, PREFIX, visit_record, &visit, error);
}

/* --- looking for damage ----------------------------------------------------------------------- */

const char *record_stored_state(Repository *repository, const json_t *record)
{
    g_autofree char *name = g_strconcat(PREFIX, json_get_string(record, "id", "?"), SUFFIX, NULL);
    g_autoptr(GError) problem = NULL;
    g_autoptr(json_t) stored =
        document_get(repository_store(repository), name, SIZE_LIMIT, &problem);

    if (stored == NULL)
        return error_is(problem, ERROR_NOT_FOUND) ? "missing" : "wrong";
    return json_equal(stored, record) ? document_checksum_state(stored) : "wrong";
}

char *record_kind_of_name(const char *name)
{
    g_auto(GStrv) parts = NULL;

    if (!g_str_has_prefix(name, PREFIX) || !g_str_has_suffix(name, SUFFIX))
        return NULL;
    parts = g_strsplit(name + strlen(PREFIX), "-", -1);
    return g_strv_length(parts) == 3 && kind_valid(parts[1]) ? g_strdup(parts[1]) : NULL;
}

typedef struct {
    Store *store;
    const char *kind;
    RecordProblemFunc func;
    gpointer data;
} Examination;

static gboolean examine(Store *store, const char *name, GError **error)
{
    g_autoptr(json_t) document = document_get(store, name, SIZE_LIMIT, error);
    const char *kind;
    gint64 when;

    if (document == NULL || !check_record(name, document, &kind, &when, error))
        return FALSE;
    if (strcmp(document_checksum_state(document), "wrong") != 0)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s does not add up to the checksum that it carries", name);
    return FALSE;
}

static gboolean examine_record(const char *name, const StoreInfo *info, gpointer data,
                               GError **error)
{
    const Examination *examination = data;
    g_autofree char *kind = record_kind_of_name(name);
    g_autoptr(GError) problem = NULL;

    if (examination->kind != NULL && g_strcmp0(kind, examination->kind) != 0)
        return TRUE;
    if (examine(examination->store, name, &problem) || error_is(problem, ERROR_NOT_FOUND))
        return TRUE;
    if (!is_about_record(problem) && !error_is(problem, ERROR_DAMAGED) &&
        !error_is(problem, ERROR_IO)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    examination->func(name, problem, examination->data);
    return TRUE;
}

gboolean record_check(Repository *repository, const char *kind, RecordProblemFunc func,
                      gpointer data, GError **error)
{
    Examination examination = {repository_store(repository), kind, func, data};

    return store_list(examination.store, PREFIX, examine_record, &examination, error);
}
