/* SPDX-License-Identifier: Apache-2.0
 *
 * Who deletes a backup and who begins to use it at the same moment: never unseen by each other. The
 * one announces what it is going to delete before it looks for users, the other says in a lease what
 * it uses before it looks for announcements. So at least one sees the other: who deletes gives way,
 * who wants to use waits for what comes of it.
 */
#ifndef HOLDFAST_REPO_DELETION_H
#define HOLDFAST_REPO_DELETION_H

#include "repo/lease.h"

/* Announces that these backups (NULL-terminated) are going to be deleted, until the lease is released:
 * then the caller lists the leases before each deletion, and deletes only what nobody uses. Where no
 * lease can be written (a full disk, which deleting shall help) it is NULL, with a warning in the
 * log. Only a few at a time: who wants to use one that is spared waits for the others. */
Lease *deletion_announce(Repository *repository, const char *const *ids,
                         const char *runtime_directory);

/* For whoever has a lease on these backups (NULL-terminated): waits for deletions that were
 * announced, and looks whether the backups are there. ERROR_VANISHED: one was deleted; ERROR_BUSY:
 * the deletion takes more than a minute. */
gboolean deletion_wait(Repository *repository, const char *const *uses,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
