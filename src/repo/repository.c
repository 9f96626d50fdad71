/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of a repository: repository.json.
 */
#include "repo/repository.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/document.h"

#define HEADER_NAME  "repository.json"
#define HEADER_LIMIT (1024 * 1024)

struct Repository {
    gatomicrefcount references;
    Store *store;
    char *id;
    CompressSpec compression;
    gint64 created;
};

static Repository *repository_new(Store *store, const char *id, CompressSpec compression,
                                  gint64 created)
{
    Repository *repository = g_new0(Repository, 1);

    g_atomic_ref_count_init(&repository->references);
    repository->store = store_ref(store);
    repository->id = g_strdup(id);
    repository->compression = compression;
    repository->created = created;
    return repository;
}

Repository *repository_ref(Repository *repository)
{
    g_atomic_ref_count_inc(&repository->references);
    return repository;
}

void repository_unref(Repository *repository)
{
    if (repository == NULL || !g_atomic_ref_count_dec(&repository->references))
        return;
    store_unref(repository->store);
    g_free(repository->id);
    g_free(repository);
}

/* A repository must not be made around somebody's files: cleanup deletes in it. */
static gboolean check_empty(Store *store, GError **error)
{
    g_autoptr(GPtrArray) parts = NULL;

    if (!store_list_parts(store, "", &parts, error))
        return FALSE;
    if (parts->len == 0)
        return TRUE;
    for (guint i = 0; i < parts->len; i++) {
        if (strcmp(parts->pdata[i], HEADER_NAME) == 0) {
            error_set(error, ERROR_EXISTS, "%s is a repository already", store_location(store));
            return FALSE;
        }
    }
    error_set(error, ERROR_REFUSED, "%s is not empty: it holds %s", store_location(store),
              (const char *)parts->pdata[0]);
    error_add_hint(error, "name an empty directory for the repository");
    return FALSE;
}

static char *make_header(const char *id, CompressSpec compression, gint64 created)
{
    g_autofree char *when = time_format(created);
    g_autofree char *spec = compress_spec_format(compression);
    g_autoptr(json_t) header =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "format_version", REPOSITORY_FORMAT_VERSION, "id",
                  id, "created", when, "compression", spec, "tool_version", HOLDFAST_VERSION);

    return json_write(header, TRUE);
}

Repository *repository_create(Store *store, CompressSpec compression, GError **error)
{
    g_autofree char *id = g_uuid_string_random();
    g_autofree char *text = NULL;
    gint64 now;

    if (!check_empty(store, error) || !store_time(store, &now, error))
        return NULL;
    now -= now % TIME_SECOND;
    text = make_header(id, compression, now);
    if (!document_put(store, HEADER_NAME, text, strlen(text), NULL, error))
        return NULL;
    return repository_new(store, id, compression, now);
}

Repository *repository_open(Store *store, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autoptr(json_t) header = document_get(store, HEADER_NAME, HEADER_LIMIT, &local_error);
    const char *id, *created_text, *spec_text;
    CompressSpec compression;
    gint64 created;

    if (header == NULL) {
        if (!error_is(local_error, ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&local_error));
            return NULL;
        }
        error_set(error, ERROR_UNREACHABLE, "there is no repository in %s", store_location(store));
        error_add_hint(error, "mount it, correct the path, or make one with: holdfast init");
        return NULL;
    }
    if (!json_need_string(header, "id", HEADER_NAME, &id, error) ||
        !json_need_string(header, "created", HEADER_NAME, &created_text, error) ||
        !json_need_string(header, "compression", HEADER_NAME, &spec_text, error))
        return NULL;
    /* The id becomes a part of file names. */
    if (!g_uuid_string_is_valid(id) || !time_parse(created_text, NULL, &created, NULL) ||
        !compress_spec_parse(spec_text, &compression, NULL)) {
        error_set(error, ERROR_FORMAT, "%s in %s has an invalid id, created or compression",
                  HEADER_NAME, store_location(store));
        return NULL;
    }
    return repository_new(store, id, compression, created);
}

const char *repository_id(const Repository *repository)
{
    return repository->id;
}

Store *repository_store(const Repository *repository)
{
    return repository->store;
}

CompressSpec repository_compression(const Repository *repository)
{
    return repository->compression;
}

gint64 repository_created(const Repository *repository)
{
    return repository->created;
}
