/* SPDX-License-Identifier: Apache-2.0
 *
 * Databases without anything in them. A restore that was killed right behind CREATE DATABASE leaves
 * such a one, without a mark; and whoever else made it loses nothing when it is made anew.
 *
 * Threads: one at a time.
 */
#ifndef HOLDFAST_TDENGINE_RESTORE_EMPTY_H
#define HOLDFAST_TDENGINE_RESTORE_EMPTY_H

#include "tdengine/client.h"

/* Whether a database has no table of any kind but the mark of a restore (where `marked`), no view,
 * stream, topic or TSMA, and nobody was granted anything on it. A list that the server refuses to
 * show is taken for one that has something in it. */
gboolean td_holds_nothing(TdClient *client, const char *database, gboolean marked,
                          gboolean *ret_nothing, GCancellable *cancellable,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
