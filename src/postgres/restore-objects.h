/* SPDX-License-Identifier: Apache-2.0
 *
 * Proving the stored objects whole that a restore is going to read, before anything is changed; a
 * dry run does so too.
 *
 * Threads: one call at a time; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_OBJECTS_H
#define HOLDFAST_POSTGRES_RESTORE_OBJECTS_H

#include "postgres/restore-plan.h"

/* Presence, size and SHA-256. A restore of the whole backup asks for every object of it: a backup
 * that is damaged anywhere is not restored as if it were good. Chosen databases or tables ask only
 * for what they need, so that they can still be saved out of a damaged one. ERROR_DAMAGED names the
 * first damaged object. */
gboolean pg_restore_check_objects(const PgRestorePlan *plan,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
