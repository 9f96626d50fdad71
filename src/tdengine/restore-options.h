/* SPDX-License-Identifier: Apache-2.0
 *
 * Options that a database has only while rows are written, KEEP and STT_TRIGGER, set back.
 *
 * A server takes an ALTER DATABASE up at the next tick of a clock, and answers up to two seconds later
 * without having done anything in between. STT_TRIGGER, which hides no row, is therefore set back on
 * a connection of its own while the last tables are counted; KEEP waits for the counts.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_OPTIONS_H
#define HOLDFAST_TDENGINE_RESTORE_OPTIONS_H

#include "tdengine/restore-plan.h"

/* An ALTER that is under way in a thread of its own. */
typedef struct TdSetBack TdSetBack;

/* When all rows are written, and only counted any more. NULL where STT_TRIGGER is not to be set back.
 * The database must outlive it. */
TdSetBack *td_set_back_begin(const TdRestorePlan *plan, const TdDatabasePlan *database);

/* Waits for its end. NULL is fine. */
void td_set_back_free(TdSetBack *set_back);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdSetBack, td_set_back_free)

/* Waits for what was begun (NULL: nothing was) and does the rest. A server that refuses STT_TRIGGER
 * has a database that is as good with the other one: a warning is added. */
gboolean td_set_back_end(TdSetBack *set_back, const TdRestorePlan *plan,
                         const TdDatabasePlan *database, GPtrArray *warnings,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
