/* SPDX-License-Identifier: Apache-2.0
 *
 * Up to which moment everything is in the newest backup, and whether anything was written since.
 */
#ifndef HOLDFAST_TDENGINE_REACH_H
#define HOLDFAST_TDENGINE_REACH_H

#include "engine/engine.h"

/* The member `reach` of the engine's table. */
gboolean td_reach(const EngineReachRequest *request, EngineReach *ret_reach, GError **error);

#endif
