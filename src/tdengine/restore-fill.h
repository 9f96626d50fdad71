/* SPDX-License-Identifier: Apache-2.0
 *
 * Filling in: behind a recorded state, the rows of the following backup whose event time lies up to
 * the target. For data that is mostly appended this is what was there at that moment; what was
 * changed or deleted meanwhile it does not tell.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_FILL_H
#define HOLDFAST_TDENGINE_RESTORE_FILL_H

#include "tdengine/restore-check.h"

/* Writes them into the tables of a database that was restored, which the plan's client uses. Tables
 * that were made since come into being with their rows. Nothing to do is fine. */
gboolean td_restore_fill(TdRestorePlan *plan, const TdDatabasePlan *database, GPtrArray *warnings,
                         TdRestoreCheck *check, guint64 *ret_rows,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether a slice of the following backup has rows to fill in. */
gboolean td_restore_fills(const TdRestorePlan *plan, const TdSlice *slice);

#endif
