/* SPDX-License-Identifier: Apache-2.0
 *
 * A database of a backup as a new database: under a temporary name until it is whole, then in its
 * place.
 *
 * Threads: as the plan's connection.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_DATABASE_H
#define HOLDFAST_POSTGRES_RESTORE_DATABASE_H

#include "postgres/restore-plan.h"

/* Drops databases that killed restores left: under a temporary name, with nobody holding their
 * lock. */
gboolean pg_restore_drop_leftovers(PgRestorePlan *plan, EngineResult *result,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A database under its temporary name, locked for as long as the plan's connection lives. Freed
 * before it was swapped in, it is dropped. */
typedef struct PgNewDatabase PgNewDatabase;

/* Makes and loads it, and compares its rows with the backup. `plan` and `database` must outlive
 * it. */
PgNewDatabase *pg_new_database_load(PgRestorePlan *plan, const PgDatabasePlan *database,
                                    EngineResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives it its name; the database that had it is dropped. When that fails, everything is as it
 * was. */
gboolean pg_new_database_swap(PgNewDatabase *fresh, EngineResult *result,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

void pg_new_database_free(PgNewDatabase *fresh);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgNewDatabase, pg_new_database_free)

#endif
