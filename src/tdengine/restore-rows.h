/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing the rows of windows into a server: read from Parquet, bound to many tables at a time,
 * executed. A bind that failed because the server went away is written again: rows of the same time
 * replace each other, so that this changes nothing.
 *
 * Threads: a call uses one connection and runs in one thread; several windows of one target can
 * be written at the same time.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_ROWS_H
#define HOLDFAST_TDENGINE_RESTORE_ROWS_H

#include "base/progress.h"
#include "tdengine/restore-windows.h"

/* Where the rows of one table go. */
typedef struct {
    Backup *backup;
    const TdTable *table;
    TdTagSet *tags;   /* of a super table, with what is wanted; NULL of a normal table */
    gint64 from, to;  /* rows of from <= time < to; G_MININT64 and G_MAXINT64: open */
    guint64 *written; /* of a normal table: rows */
    Progress *progress;
    GCancellable *cancellable;
} TdRowTarget;

/* Writes the rows of a window into tables of the database that the client uses. *ret_rows is how
 * many were written. ERROR_DAMAGED where a slice does not hold the rows that the details name. */
gboolean td_restore_window(TdClient *client, const TdRowTarget *target, const GArray *window,
                           guint64 *ret_rows, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "INSERT INTO ? [USING … TAGS(…)] VALUES(…)" with all columns. Free with g_free(). */
char *td_restore_insert_sql(const TdTable *table);

/* Binds and executes, again after an outage. */
gboolean td_restore_insert(TdClient *client, TdInsert *insert, const TdInsertTable *tables,
                           guint n_tables, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
