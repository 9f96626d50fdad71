/* SPDX-License-Identifier: Apache-2.0
 *
 * Which recorded state a restore to a point in time begins with. A backup's state is that of its
 * stop; what it has of rows that were written while it ran is chance, so that only what was there at
 * its start is certainly whole. An increment that found by the versions of the vgroups that nothing
 * was written has the state of that look (`evidence.state` of its manifest). Partial backups are no
 * states.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_CHOOSE_H
#define HOLDFAST_TDENGINE_RESTORE_CHOOSE_H

#include "engine/engine.h"

/* The moment of a backup's state, behind which it has nothing. */
gint64 td_state_time(const Manifest *manifest);
/* The moment up to which all that was written is in the backup: where filling in begins. */
gint64 td_state_complete(const Manifest *manifest);

/* The members `choose` and `follow` of the engine's table. */
gboolean td_restore_choose(Repository *repository, const ConfigSource *source,
                           const EngineTarget *target, Backup **ret_backup, char **ret_reason,
                           GCancellable *cancellable, GError **error);
gboolean td_restore_follow(Backup *backup, Backup **ret_following, GError **error);

#endif
