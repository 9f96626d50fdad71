/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the repository alone.
 */
#include "operation/open.h"

#include "base/error.h"

/* A key in the configuration promises an encrypted repository: never write a plain one in its
 * place. */
gboolean operation_check_config(const Config *config, GError **error)
{
    if (config_repository_path(config) == NULL) {
        error_set(error, ERROR_CONFIG, "%s: [repository] has no key \"path\"", config_path(config));
        error_add_hint(error, "for example: path = /srv/holdfast");
        return FALSE;
    }
    if (config_get(config, "repository", "key") != NULL) {
        error_set(error, ERROR_CONFIG,
                  "%s: [repository] has a key, but this version of holdfast "
                  "cannot encrypt repositories",
                  config_path(config));
        error_add_hint(error, "remove the line, or wait for the version that can");
        return FALSE;
    }
    return TRUE;
}

Repository *operation_open_repository(const Config *config, GError **error)
{
    g_autoptr(Store) store = NULL;

    if (!operation_check_config(config, error))
        return NULL;
    store = store_open_posix(config_repository_path(config), error);
    return store != NULL ? repository_open(store, error) : NULL;
}
