/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling a new database: its schema, its rows, its indexes and the rest, with as many connections
 * as the restore has jobs, none of which waits while there is something to do.
 *
 * Threads: as the plan's connection; workers of its own inside.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_LOAD_H
#define HOLDFAST_POSTGRES_RESTORE_LOAD_H

#include "postgres/restore-plan.h"

/* Fills the empty database called `name`, to which `load` leads, counts the rows of its tables and
 * compares them with the backup: as pg_restore_compare(). */
gboolean pg_restore_load_sections(const PgRestorePlan *plan, const PgDatabasePlan *database,
                                  const char *name, const PgLoad *load, EngineResult *result,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
