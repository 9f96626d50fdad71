/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting back what was restored, and fingerprinting it with --deep. A server's word that rows were
 * taken is no proof.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_CHECK_H
#define HOLDFAST_TDENGINE_RESTORE_CHECK_H

#include "tdengine/restore-plan.h"

/* What differs. */
typedef struct {
    json_t *differences; /* [{"table", "expected", "rows"}] */
    json_t *checked;     /* see engine_add_checked() */
    json_t *empty;       /* [table] */
    GString *names;      /* the first of those that are beyond the tolerance */
    guint bad;           /* how many are */
    guint64 rows;        /* that the server has */
} TdRestoreCheck;

void td_restore_check_init(TdRestoreCheck *check);
void td_restore_check_clear(TdRestoreCheck *check);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TdRestoreCheck, td_restore_check_clear)

/* Counts one table with all its child tables. `set` is NULL of a normal one. */
gboolean td_restore_count(const TdRestorePlan *plan, const TdTablePlan *table, const TdTagSet *set,
                          TdRestoreCheck *check, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads one table back and compares the fingerprint of each child table with the backup's. Where
 * there is nothing to compare with (a part of a slice, a table that had rows before) *ret_compared
 * is FALSE. */
gboolean td_restore_fingerprint(const TdRestorePlan *plan, const TdTablePlan *table,
                                const TdTagSet *set, TdRestoreCheck *check, gboolean *ret_compared,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Rows of a stretch of time before and after rows were filled in there: some may have been there. */
void td_restore_check_fill(TdRestoreCheck *check, const char *name, guint64 before, guint64 filled,
                           guint64 after);

#endif
