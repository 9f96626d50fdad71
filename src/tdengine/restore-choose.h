/* SPDX-License-Identifier: Apache-2.0
 *
 * Which recorded state a restore to a point in time begins with. A backup's state is that of its
 * stop: what it has of rows that were written while it ran is chance. Partial backups are no states.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_CHOOSE_H
#define HOLDFAST_TDENGINE_RESTORE_CHOOSE_H

#include "engine/engine.h"

/* The members `choose` and `follow` of the engine's table. */
gboolean td_restore_choose(Repository *repository, const ConfigSource *source,
                           const EngineTarget *target, Backup **ret_backup, char **ret_reason,
                           GCancellable *cancellable, GError **error);
gboolean td_restore_follow(Backup *backup, Backup **ret_following, GError **error);

#endif
