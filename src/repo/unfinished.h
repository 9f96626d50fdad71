/* SPDX-License-Identifier: Apache-2.0
 *
 * What an interrupted backup leaves to the next one of its kind. While a backup runs, it notes what
 * is durable and could be used again (backup_writer_note()): small objects below
 * backups/<id>/notes/, which its commit takes away. A folder that holds notes, is no backup and is
 * named by no live lease belongs to a run that is dead; whoever takes it over keeps its pool objects
 * from the sweep by the `since` of the lease.
 *
 * Notes are believed in nothing: what they name is read and hashed before it counts.
 */
#ifndef HOLDFAST_REPO_UNFINISHED_H
#define HOLDFAST_REPO_UNFINISHED_H

#include "base/json.h"
#include "repo/repository.h"

#define UNFINISHED_NOTES "notes/"

typedef struct {
    char *id;         /* of the backup that did not come to its end */
    gint64 since;     /* by the store's clock: nothing that it wrote is older */
    GPtrArray *notes; /* json_t *, in the order of writing, at least one */
} Unfinished;

void unfinished_free(Unfinished *unfinished);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Unfinished, unfinished_free)

/* The newest dead run of a backup of this source and type that left notes. *ret_unfinished is NULL
 * where there is none; notes that cannot be read are passed over. */
gboolean unfinished_find(Repository *repository, const char *source, const char *type,
                         Unfinished **ret_unfinished, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
