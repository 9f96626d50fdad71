/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a physical restore. Made by physical-plan.c, carried out by physical-restore.c (into
 * a directory) and physical-extract.c (databases or tables, by way of a scratch server).
 */
#ifndef HOLDFAST_POSTGRES_PHYSICAL_PLAN_H
#define HOLDFAST_POSTGRES_PHYSICAL_PLAN_H

#include "postgres/pitr-target.h"
#include "postgres/restore-place.h"

typedef struct {
    EnginePlan base;
    const EngineRestore *request;
    PgPhysical *physical;
    PgPlace *place; /* of an extract: the scratch directory */
    WalArchive archive;
    WalInventory *inventory;
    PgRoute *route;
    PgTargetScan *scan; /* of the WAL up to the target */
    /* What the recovery is told, which is not always what was asked for: a target behind the last
     * commit becomes an LSN. */
    EngineTarget target;
    char *target_value;
    guint64 bytes;    /* plain, of all files */
    guint64 segments; /* of WAL, copied into the directory */
} PgPhysicalPlan;

/* The engine's plan, restore and plan_free for a physical backup. */
EnginePlan *pg_physical_plan(const EngineRestore *request,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_physical_restore(EnginePlan *plan, EngineResult *ret_result,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_physical_plan_free(EnginePlan *plan);

/* physical-restore.c: files, WAL, settings: a directory in which a server can start. */
gboolean pg_physical_restore_directory(PgPhysicalPlan *plan, EngineResult *result,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* physical-extract.c: tables or databases out of the backup, into a running server. */
gboolean pg_physical_plan_extract(PgPhysicalPlan *plan, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_physical_extract(PgPhysicalPlan *plan, EngineResult *result,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
