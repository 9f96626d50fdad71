/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be recovered of a source with its archived WAL, and whether the running server has
 * anything beyond that.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_REACH_H
#define HOLDFAST_POSTGRES_WAL_REACH_H

#include "engine/engine.h"

/* See engine/engine.h. */
gboolean pg_reach(const EngineReachRequest *request, EngineReach *ret_reach,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
