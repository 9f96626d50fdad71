/* SPDX-License-Identifier: Apache-2.0
 *
 * TDengine cannot rename a database: what a restore makes stands under its final name from the
 * start. So that a half-made database is never taken for a whole one, the restore keeps a table in
 * it, holdfast_restore_in_progress, which says what is being made, and drops that table last. A
 * restore that finds it drops what was half made and makes it again.
 *
 *     ts · kind ("database", "table", "keep") · name · backup · holder ("host pid start")
 *
 * "keep" is the KEEP of a database that was there before, while it is widened.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_MARKER_H
#define HOLDFAST_TDENGINE_RESTORE_MARKER_H

#include "tdengine/client.h"

#define TD_MARKER_TABLE "holdfast_restore_in_progress"

typedef struct {
    gboolean database;  /* the whole database was being made */
    char *keep;         /* to be set back, or NULL */
    GHashTable *tables; /* char *: super, normal and child tables that were being made */
    gboolean running;   /* by another process of this host that is alive */
    gboolean own;       /* by this process */
} TdMarker;

void td_marker_free(TdMarker *marker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdMarker, td_marker_free)

/* *ret_marker is NULL where there is none. */
gboolean td_marker_read(TdClient *client, const char *database, TdMarker **ret_marker,
                        GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes the table where it is not there and enters one thing. */
gboolean td_marker_enter(TdClient *client, const char *database, const char *kind,
                         const char *const *names, const char *backup, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether the database is still this process's to write into: what it entered is there, and no other
 * process that is alive has entered anything. A restore that was killed may have left a statement
 * on its way, and two may begin at once; ERROR_BUSY tells either. */
gboolean td_marker_check(TdClient *client, const char *database, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What was being made is whole. */
gboolean td_marker_drop(TdClient *client, const char *database, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
