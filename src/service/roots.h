/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a restore that comes over the network may write: below the directories of [server]
 * restore_roots alone.
 */
#ifndef HOLDFAST_SERVICE_ROOTS_H
#define HOLDFAST_SERVICE_ROOTS_H

#include "base/json.h"
#include "config/config.h"

/* Whether a path lies below one of the roots, once every symbolic link on the way and ".." are
 * resolved; what of it does not exist yet may hold neither. A root itself is not below it.
 * ERROR_REFUSED. */
gboolean roots_check(const char *const *roots, const char *path,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for the directories that the words of a job name (an array of texts, as
 * fields_to_words() makes them), by restore_roots: once more when it begins, since links may have
 * changed while it waited. */
gboolean roots_check_words(const Config *config, const json_t *words,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
