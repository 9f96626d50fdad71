/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands of jobs that are not kept in the clear: where the repository is encrypted, the words of a
 * job may name tables and databases. The catalog has only its operation then, with a null behind it,
 * and all words stand in <runtime_directory>/jobs/ID.command until the job has ended. A job that
 * waits does not outlive a boot that empties this directory: it fails and says so.
 */
#ifndef HOLDFAST_SERVICE_WITHHELD_H
#define HOLDFAST_SERVICE_WITHHELD_H

#include "base/json.h"
#include "config/config.h"

/* What the catalog may keep of the command: the words, or the operation's and a null where one of
 * them could name something. operation NULL: nothing is withheld. New reference. */
json_t *withheld_public(const char *const *command, const char *operation);

/* Whether there is a null at the end. */
gboolean withheld_is(const json_t *words);

/* Writes all words. */
gboolean withheld_keep(const Config *config, const char *id, const char *const *command,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Reads them: a new reference. ERROR_NOT_FOUND where they are gone. */
json_t *withheld_read(const Config *config, const char *id,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Removes them, where there are any. */
void withheld_forget(const Config *config, const char *id);

#endif
