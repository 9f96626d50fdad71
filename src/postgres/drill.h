/* SPDX-License-Identifier: Apache-2.0
 *
 * Drills of PostgreSQL: a physical backup is recovered by a private server, which pg_amcheck and
 * counts of all tables then look at; a logical one is loaded into a cluster that initdb made for it.
 * Both servers listen on a unix socket of their own only and archive nothing.
 */
#ifndef HOLDFAST_POSTGRES_DRILL_H
#define HOLDFAST_POSTGRES_DRILL_H

#include "engine/engine.h"

/* The engine's drill. */
gboolean pg_drill(const EngineRestore *request, EngineResult *ret_result,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
