/* SPDX-License-Identifier: Apache-2.0
 *
 * Proving the stored objects whole that a restore is going to read; a dry run does so too.
 *
 * Threads: one call at a time; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_OBJECTS_H
#define HOLDFAST_POSTGRES_RESTORE_OBJECTS_H

#include "postgres/restore-plan.h"

/* Presence, size and SHA-256; of big tables that go into a new database presence and size alone:
 * loading proves the rest before anything is put in place. A dry run reads them too. A restore of the whole backup asks for every object of it: a backup
 * that is damaged anywhere is not restored as if it were good. Chosen databases or tables ask only
 * for what they need, so that they can still be saved out of a damaged one. ERROR_DAMAGED names the
 * first damaged object. */
gboolean pg_restore_check_objects(const PgRestorePlan *plan,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Why loading an object failed: damage of its stored bytes comes before what the server said about
 * them. Takes `failure`; always FALSE. */
gboolean pg_restore_blame_object(const EngineRestore *request, const char *path, GError *failure,
                                 GCancellable *cancellable, GError **error);

#endif
