/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the repository, and reaching its key.
 */
#include "operation/open.h"

#include "base/error.h"
#include "repo/key-cache.h"

gboolean operation_check_config(const Config *config, GError **error)
{
    if (config_repository_path(config) != NULL)
        return TRUE;
    error_set(error, ERROR_CONFIG, "%s: [repository] has no key \"path\"", config_path(config));
    error_add_hint(error, "for example: path = /srv/holdfast");
    return FALSE;
}

KeyForm *operation_key_form(const Config *config, GError **error)
{
    const char *text = config_get(config, "repository", "key");

    if (text != NULL)
        return key_form_parse(text, error);
    error_set(error, ERROR_CONFIG, "no key was named for the repository %s",
              config_repository_path(config));
    error_add_hint(error, "set key in [repository] of the configuration, or give --key");
    return NULL;
}

/* How a key is reached; belongs to the repository. */
typedef struct {
    KeyForm *form;
    char *runtime_directory; /* where an unlocked key is kept; NULL: nowhere */
} Unlocking;

static void unlocking_free(gpointer data)
{
    Unlocking *unlocking = data;

    key_form_free(unlocking->form);
    g_free(unlocking->runtime_directory);
    g_free(unlocking);
}

static Keyring *unlock_cached(Repository *repository, const char *directory)
{
    Keyring *keyring = NULL;
    guint8 *master = secret_new(SEAL_KEY_SIZE);
    const char *id = repository_id(repository);

    /* A cached key that does not fit any more is no reason to fail: the real one is asked. */
    if (key_cache_read(directory, id, master))
        keyring = keys_unlock_master(repository_store(repository), id, master, NULL);
    secret_free(master, SEAL_KEY_SIZE);
    return keyring;
}

static Keyring *unlock(Repository *repository, gpointer data, GError **error)
{
    const Unlocking *unlocking = data;
    const char *directory = unlocking->runtime_directory;
    Keyring *keyring = NULL;

    secret_protect_process();
    if (directory != NULL)
        keyring = unlock_cached(repository, directory);
    if (keyring != NULL)
        return keyring;
    keyring = keys_unlock(repository_store(repository), repository_id(repository), unlocking->form,
                          NULL, error);
    if (keyring != NULL && directory != NULL)
        key_cache_write(directory, repository_id(repository), keyring_master(keyring));
    return keyring;
}

/* A key that is named promises an encrypted repository: never write plain data in its place. */
static gboolean check_encrypted(const Config *config, const Repository *repository, GError **error)
{
    if (repository_is_encrypted(repository) || config_get(config, "repository", "key") == NULL ||
        (config_repository_replaced(config) && !config_key_replaced(config)))
        return TRUE;
    error_set(error, ERROR_CONFIG, "a key is named for the repository %s, which is not encrypted",
              config_repository_path(config));
    error_add_hint(error, "leave the key out, or make an encrypted repository with: holdfast init "
                          "--encryption, and fill it with: holdfast copy");
    return FALSE;
}

Store *operation_open_store(const char *location, GError **error)
{
    return store_open_posix(location, error);
}

static Repository *open_repository(const Config *config, gboolean cached, GError **error)
{
    g_autoptr(Repository) repository = NULL;
    g_autoptr(Store) store = NULL;
    Unlocking *unlocking;
    KeyForm *form;

    if (!operation_check_config(config, error))
        return NULL;
    store = operation_open_store(config_repository_path(config), error);
    if (store == NULL)
        return NULL;
    repository = repository_open(store, error);
    if (repository == NULL || !check_encrypted(config, repository, error))
        return NULL;
    if (!repository_is_encrypted(repository) || config_get(config, "repository", "key") == NULL)
        return g_steal_pointer(&repository);
    form = operation_key_form(config, error);
    if (form == NULL)
        return NULL;
    unlocking = g_new0(Unlocking, 1);
    unlocking->form = form;
    /* A key file's needs no scrypt. */
    if (cached && form->kind != KEY_FILE)
        unlocking->runtime_directory = g_strdup(config_runtime_directory(config));
    repository_set_unlock(repository, unlock, unlocking, unlocking_free);
    return g_steal_pointer(&repository);
}

Repository *operation_open_repository(const Config *config, GError **error)
{
    return open_repository(config, FALSE, error);
}

Repository *operation_open_archive(const Config *config, GError **error)
{
    g_autoptr(Repository) repository = open_repository(config, TRUE, error);

    return repository != NULL && repository_unlock(repository, error) ? g_steal_pointer(&repository)
                                                                      : NULL;
}
