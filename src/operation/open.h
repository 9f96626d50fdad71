/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the repository alone: for commands that must start fast and need no catalog.
 */
#ifndef HOLDFAST_OPERATION_OPEN_H
#define HOLDFAST_OPERATION_OPEN_H

#include "config/config.h"
#include "repo/repository.h"

/* Whether the configuration says all that an operation needs of a repository. ERROR_CONFIG. */
gboolean operation_check_config(const Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The store at the location of a repository, which today is a path. What kinds of stores there are
 * is known here only. */
Store *operation_open_store(const char *location, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The repository that the configuration names. An encrypted one is opened without its key, which is
 * derived from the configuration's when it is wanted: see repository_unlock(). ERROR_CONFIG when
 * the configuration promises an encrypted repository, and it is not. */
Repository *operation_open_repository(const Config *config,
                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for `wal push` and `wal get`, unlocked: the key is derived once after a boot and kept in
 * the runtime directory then. */
Repository *operation_open_archive(const Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The form of the configured key, or NULL with an error where there is none. */
KeyForm *operation_key_form(const Config *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
