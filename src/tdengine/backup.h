/* SPDX-License-Identifier: Apache-2.0
 *
 * A full backup of a TDengine source, from end to end: positions, schema, tags, rows, what changed
 * meanwhile, details.
 *
 * There is no snapshot over a server: a backup holds each row as it was at some moment between its
 * start and its stop. The positions are read before the first row, so that whatever was written
 * since is seen by the next increment.
 */
#ifndef HOLDFAST_TDENGINE_BACKUP_H
#define HOLDFAST_TDENGINE_BACKUP_H

#include "engine/engine.h"

gboolean td_backup(const EngineBackup *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;

json_t *td_describe(Backup *backup, GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean td_check(const EngineCheck *request, FactFunc func, gpointer data,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
