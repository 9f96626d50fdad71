/* SPDX-License-Identifier: Apache-2.0
 *
 * Drills of TDengine: the databases of a backup are restored under scratch names on the source's
 * server, counted and fingerprinted, and dropped. A drill that is killed leaves databases whose
 * names begin with TD_DRILL_PREFIX, which can be dropped by hand.
 */
#ifndef HOLDFAST_TDENGINE_DRILL_H
#define HOLDFAST_TDENGINE_DRILL_H

#include "engine/engine.h"

#define TD_DRILL_PREFIX "holdfast_drill_"

/* The engine's drill. */
gboolean td_drill(const EngineRestore *request, EngineResult *ret_result,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
