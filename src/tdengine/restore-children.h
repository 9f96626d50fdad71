/* SPDX-License-Identifier: Apache-2.0
 *
 * Child tables beside their rows: those without rows, TTL and comments.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_CHILDREN_H
#define HOLDFAST_TDENGINE_RESTORE_CHILDREN_H

#include "tdengine/restore-tags.h"

/* Appends a tag's value as a literal of SQL. FALSE: there is none that is taken exactly (NaN, an
 * infinity, a geometry, bytes that are no text); the text is as it was then. */
gboolean td_append_literal(GString *sql, const TdBindColumn *tag, gsize row);

/* Before the rows: makes the wanted child tables that have a TTL or a comment, which rows cannot
 * bring along. */
gboolean td_restore_children_first(TdClient *client, const char *database, const TdTagSet *set,
                                   GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* After the rows: makes those that got none, in the database that the client uses. *ret_made is how
 * many were made. */
gboolean td_restore_children(TdClient *client, const char *database, TdPrecision precision,
                             const TdTagSet *set, guint64 *ret_made, GCancellable *cancellable,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
