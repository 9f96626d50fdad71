/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups that have lost their SHA256SUMS. Without it a folder looks like what an interrupted run
 * leaves, which a cleanup takes away; what tells them apart are the records: a backup that was
 * verified, restored or pinned had been committed, and a deletion is on record as well.
 */
#ifndef HOLDFAST_REPO_LOST_H
#define HOLDFAST_REPO_LOST_H

#include "repo/repository.h"

/* The ids of backups that have a manifest and no SHA256SUMS, were committed once, by the records,
 * and that nobody has deleted or is deleting; an array of strings, sorted. Empty where a live lease
 * cannot be read: then nobody knows what is under way. */
gboolean lost_find(Repository *repository, GPtrArray **ret_ids,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
