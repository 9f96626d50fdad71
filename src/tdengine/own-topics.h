/* SPDX-License-Identifier: Apache-2.0
 *
 * Topics that Holdfast keeps where a source says `topic = on`: one for each database, over all that
 * is in it, by which an increment reads the server's log of changes (hints.h). They are named
 * "holdfast_<source>_<database>_<8 hexadecimal digits>": letters, digits and _ of the two names in lower
 * case, the digits a hash of both as they are. A topic keeps DROP DATABASE from being done.
 *
 * Threads and errors: as the client's.
 */
#ifndef HOLDFAST_TDENGINE_OWN_TOPICS_H
#define HOLDFAST_TDENGINE_OWN_TOPICS_H

#include "tdengine/capture.h"

/* Free with g_free(). */
char *td_own_topic_name(const char *source, const char *database);

/* Makes the topics of databases (an array of TdDatabase) that have none and notes them there. One
 * that the server refuses is a warning of the manifest: increments go by the other evidence. */
gboolean td_own_topics_keep(const TdCapture *capture, const char *source, GPtrArray *databases,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Drops a topic of ours with the groups of readers that were killed. A reader that is still there keeps
 * the server from it, and one that was killed for half a minute: waits up to a minute, then ERROR_SERVER. */
gboolean td_own_topic_drop(TdClient *client, const char *topic, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Drops the groups of readers that were killed, as far as the server lets them go by now: each costs
 * it memory, and nobody reads on with them. */
gboolean td_own_topic_tidy(TdClient *client, const char *topic, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* DROP CONSUMER GROUP. */
gboolean td_own_topic_forget(TdClient *client, const char *topic, const char *group,
                             GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
