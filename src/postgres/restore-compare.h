/* SPDX-License-Identifier: Apache-2.0
 *
 * Restored rows against those that the backup recorded.
 *
 * Threads: as the plan's connection.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_COMPARE_H
#define HOLDFAST_POSTGRES_RESTORE_COMPARE_H

#include "postgres/restore-plan.h"

/* Adds the database with its differences and empty tables to the result. FALSE with
 * ERROR_COUNT_MISMATCH naming tables when one differs by more than the tolerance, or is empty with
 * --require-rows. rows[i] belongs to database->tables[i]. */
gboolean pg_restore_compare(const PgRestorePlan *plan, const PgDatabasePlan *database,
                            const guint64 *rows, EngineResult *result,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
