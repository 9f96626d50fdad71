/* SPDX-License-Identifier: Apache-2.0
 *
 * Which databases of a server a backup takes.
 */
#ifndef HOLDFAST_TDENGINE_CHOICE_H
#define HOLDFAST_TDENGINE_CHOICE_H

#include "engine/engine.h"
#include "tdengine/client.h"

/* Those of the request, else of the source, else all that hold data (char *). Fewer than the source
 * means, or parts of tables, make the request's manifest that of a partial backup. ERROR_NOT_FOUND. */
gboolean td_choose_databases(TdClient *client, const EngineBackup *request, GPtrArray **ret_names,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
