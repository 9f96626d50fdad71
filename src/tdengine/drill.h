/* SPDX-License-Identifier: Apache-2.0
 *
 * Drills of TDengine: the databases of a backup are restored under scratch names on the source's
 * server, counted and fingerprinted, and dropped. Their names say who makes them,
 *
 *     holdfast_drill_<host>_<pid>_<start>_<random>_<number>
 *
 * (the host as the beginning of its name's SHA-256): what a drill of this host left that was killed
 * is dropped by the next one. On another host nobody can tell whether a process is alive.
 */
#ifndef HOLDFAST_TDENGINE_DRILL_H
#define HOLDFAST_TDENGINE_DRILL_H

#include "engine/engine.h"

/* The engine's drill. */
gboolean td_drill(const EngineRestore *request, EngineResult *ret_result,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
