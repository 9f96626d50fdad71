/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts that `holdfast check` reports about a PostgreSQL source.
 */
#ifndef HOLDFAST_POSTGRES_CHECK_H
#define HOLDFAST_POSTGRES_CHECK_H

#include "engine/engine.h"

gboolean pg_check(const EngineCheck *request, FactFunc func, gpointer data,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
