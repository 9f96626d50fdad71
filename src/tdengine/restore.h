/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying a restore's plan out: databases, tables, rows, then counting back, then what is kept as
 * statements, then KEEP as it was.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_H
#define HOLDFAST_TDENGINE_RESTORE_H

#include "engine/engine.h"

/* The member `restore` of the engine's table. */
gboolean td_restore_run(EnginePlan *plan, EngineResult *ret_result, GError **error);

#endif
