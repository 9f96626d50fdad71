/* SPDX-License-Identifier: Apache-2.0
 *
 * The header of a repository, repository.json, and the way to its key.
 */
#include "repo/repository.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "repo/document.h"

#define HEADER_NAME  "repository.json"
#define HEADER_LIMIT (1024 * 1024)
#define CIPHER       "aes-256-gcm"

struct Repository {
    gatomicrefcount references;
    Store *store;
    char *id;
    CompressSpec compression;
    gint64 created;
    gboolean encrypted;
    RepositoryUnlock unlock;
    gpointer unlock_data;
    GDestroyNotify unlock_destroy;
    GMutex mutex;        /* guards the next two */
    Keyring *keyring;    /* NULL until it is unlocked */
    GPtrArray *keyrings; /* all that there were: somebody may still read from them */
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
    g_mutex_init(&repository->mutex);
    repository->keyrings = g_ptr_array_new_with_free_func((GDestroyNotify)keyring_unref);
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
    repository_set_unlock(repository, NULL, NULL, NULL);
    g_ptr_array_unref(repository->keyrings);
    g_mutex_clear(&repository->mutex);
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
    if (parts->len == 1 && strcmp(parts->pdata[0], "keys") == 0)
        error_add_hint(error,
                       "an init that was interrupted leaves keys without a repository: where "
                       "none is running and no backup was ever made there, remove them");
    else
        error_add_hint(error, "name an empty directory for the repository");
    return FALSE;
}

static char *make_header(const Repository *repository)
{
    g_autofree char *when = time_format(repository->created);
    g_autofree char *spec = compress_spec_format(repository->compression);
    g_autoptr(json_t) header =
        json_pack("{s:i, s:s, s:s, s:s, s:s}", "format_version", REPOSITORY_FORMAT_VERSION, "id",
                  repository->id, "created", when, "compression", spec, "tool_version",
                  HOLDFAST_VERSION);

    if (repository->encrypted)
        json_object_set_new(header, "encryption", json_pack("{s:s}", "cipher", CIPHER));
    document_add_checksum(header);
    return json_write(header, TRUE);
}

static void take_keyring(Repository *repository, Keyring *keyring)
{
    repository->keyring = keyring;
    g_ptr_array_add(repository->keyrings, keyring);
}

/* The header comes last: with it the repository is there. */
static Repository *create(Store *store, CompressSpec compression, const KeyForm *key,
                          GError **error)
{
    g_autofree char *id = g_uuid_string_random();
    g_autoptr(Repository) repository = NULL;
    g_autofree char *text = NULL;
    g_autofree char *slot = NULL;
    gboolean doubtful = FALSE;
    gint64 now;

    if (!check_empty(store, error) || !store_time(store, &now, error))
        return NULL;
    repository = repository_new(store, id, compression, now - now % TIME_SECOND);
    if (key != NULL) {
        Keyring *keyring = keys_create(store, id, key, &slot, error);

        if (keyring == NULL)
            return NULL;
        repository->encrypted = TRUE;
        take_keyring(repository, keyring);
    }
    text = make_header(repository);
    if (document_put(store, HEADER_NAME, text, strlen(text), &doubtful, error))
        return g_steal_pointer(&repository);
    /* A header that may be there after all needs its keys. */
    if (key != NULL && !doubtful)
        keys_withdraw(store, slot);
    return NULL;
}

Repository *repository_create(Store *store, CompressSpec compression, GError **error)
{
    return create(store, compression, NULL, error);
}

Repository *repository_create_encrypted(Store *store, CompressSpec compression, const KeyForm *key,
                                        GError **error)
{
    return create(store, compression, key, error);
}

/* *ret_encrypted: whether the header says that it is. */
static gboolean read_encryption(const Store *store, const json_t *header, gboolean *ret_encrypted,
                                GError **error)
{
    const json_t *encryption = json_object_get(header, "encryption");
    const char *cipher;

    *ret_encrypted = encryption != NULL && !json_is_null(encryption);
    if (!*ret_encrypted)
        return TRUE;
    if (!json_need_string(encryption, "cipher", HEADER_NAME, &cipher, error))
        return FALSE;
    if (strcmp(cipher, CIPHER) == 0)
        return TRUE;
    error_set(error, ERROR_NEWER_FORMAT, "%s is encrypted by %s, which this program does not know",
              store_location(store), cipher);
    error_add_hint(error, "update holdfast to the version that wrote it, or a newer one");
    return FALSE;
}

Repository *repository_open(Store *store, GError **error)
{
    g_autoptr(GError) local_error = NULL;
    g_autoptr(json_t) header = document_get(store, HEADER_NAME, HEADER_LIMIT, &local_error);
    const char *id, *created_text, *spec_text;
    CompressSpec compression;
    Repository *repository;
    gboolean encrypted;
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
    if (!read_encryption(store, header, &encrypted, error))
        return NULL;
    repository = repository_new(store, id, compression, created);
    repository->encrypted = encrypted;
    return repository;
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

/* --- the key ---------------------------------------------------------------------------------- */

gboolean repository_is_encrypted(const Repository *repository)
{
    return repository->encrypted;
}

void repository_set_unlock(Repository *repository, RepositoryUnlock func, gpointer data,
                           GDestroyNotify destroy)
{
    if (repository->unlock_destroy != NULL)
        repository->unlock_destroy(repository->unlock_data);
    repository->unlock = func;
    repository->unlock_data = data;
    repository->unlock_destroy = destroy;
}

gboolean repository_has_key(const Repository *repository)
{
    return !repository->encrypted || repository->unlock != NULL;
}

static gboolean unlock(Repository *repository, GError **error)
{
    Keyring *keyring;

    if (repository->unlock == NULL) {
        error_set(error, ERROR_CONFIG, "the repository %s is encrypted, and no key was named",
                  store_location(repository->store));
        error_add_hint(error, "set key in [repository] of the configuration, or give --key "
                              "passphrase-file=FILE with --repository");
        return FALSE;
    }
    keyring = repository->unlock(repository, repository->unlock_data, error);
    if (keyring == NULL)
        return FALSE;
    take_keyring(repository, keyring);
    return TRUE;
}

gboolean repository_unlock(Repository *repository, GError **error)
{
    g_autoptr(GMutexLocker) locker = NULL;

    if (!repository->encrypted)
        return TRUE;
    locker = g_mutex_locker_new(&repository->mutex);
    return repository->keyring != NULL || unlock(repository, error);
}

gboolean repository_is_unlocked(Repository *repository)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&repository->mutex);

    return !repository->encrypted || repository->keyring != NULL;
}

/* With the mutex held. */
static gboolean renew(Repository *repository, GError **error)
{
    Keyring *keyring = keys_unlock_master(repository->store, repository->id,
                                          keyring_master(repository->keyring), error);

    if (keyring == NULL)
        return FALSE;
    if (keyring_newest(keyring) > keyring_newest(repository->keyring))
        take_keyring(repository, keyring);
    else
        keyring_unref(keyring);
    return TRUE;
}

gboolean repository_renew_keys(Repository *repository, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&repository->mutex);

    return repository->keyring == NULL || renew(repository, error);
}

const guint8 *repository_data_key(Repository *repository, guint32 generation, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&repository->mutex);

    if (generation > keyring_newest(repository->keyring) && !renew(repository, error))
        return NULL;
    return keyring_find(repository->keyring, generation, error);
}

const Keyring *repository_keyring(Repository *repository, GError **error)
{
    const Keyring *keyring;

    if (!repository->encrypted) {
        error_set(error, ERROR_INTERNAL, "the repository %s is not encrypted and has no keys",
                  store_location(repository->store));
        return NULL;
    }
    if (!repository_unlock(repository, error))
        return NULL;
    g_mutex_lock(&repository->mutex);
    keyring = repository->keyring;
    g_mutex_unlock(&repository->mutex);
    return keyring;
}
