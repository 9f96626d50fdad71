/* SPDX-License-Identifier: Apache-2.0
 *
 * Chosen tables of a backup into a database that is there, in one transaction.
 *
 * Threads: as the plan's connection.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_MERGE_H
#define HOLDFAST_POSTGRES_RESTORE_MERGE_H

#include "postgres/restore-plan.h"

/* After a failure the database is as it was. ERROR_COUNT_MISMATCH when restored rows differ. */
gboolean pg_restore_merge(PgRestorePlan *plan, const PgDatabasePlan *database, EngineResult *result,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
