/* SPDX-License-Identifier: Apache-2.0
 *
 * What could make a restore fail: looked for before anything is changed, and put into the plan as
 * problems and warnings.
 *
 * Threads: as the plan's connection.
 */
#ifndef HOLDFAST_POSTGRES_RESTORE_CHECKS_H
#define HOLDFAST_POSTGRES_RESTORE_CHECKS_H

#include "postgres/restore-plan.h"

/* Everything about the server; then everything about one database. An error means that looking
 * itself failed. */
gboolean pg_restore_check_server(PgRestorePlan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_restore_check_database(PgRestorePlan *plan, const PgDatabasePlan *database,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
