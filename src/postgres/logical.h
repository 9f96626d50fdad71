/* SPDX-License-Identifier: Apache-2.0
 *
 * Logical backup and restore of PostgreSQL, the two halves of the engine's table for method
 * "logical".
 *
 * Backup: per database one session takes ACCESS SHARE locks on all tables and then exports its
 * snapshot; pg_dump writes from that snapshot, in custom format without compression of its own,
 * each archive streamed straight through the codec into the store:
 *   schema   --section=pre-data --section=post-data     (REFRESH MATERIALIZED VIEW is among it)
 *   table    --section=data of one big table            (an archive each)
 *   rest     --section=data of all other tables, with sequence values and large objects
 * Every table's rows are counted in the same snapshot.
 *
 * Restore: into a database under a temporary name, schema before data, data in parallel, then
 * indexes and constraints; counted; renamed at the very end, so that a failed restore leaves
 * everything as it was.
 */
#ifndef HOLDFAST_POSTGRES_LOGICAL_H
#define HOLDFAST_POSTGRES_LOGICAL_H

#include "engine/engine.h"

gboolean pg_logical_backup(const EngineBackup *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;
json_t *pg_logical_describe(Backup *backup, GError **error) G_GNUC_WARN_UNUSED_RESULT;

EnginePlan *pg_logical_plan(const EngineRestore *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_logical_restore(EnginePlan *plan, EngineResult *ret_result,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pg_logical_plan_free(EnginePlan *plan);

#endif
