/* SPDX-License-Identifier: Apache-2.0
 *
 * A consumer of a topic, as a source of hints: which tables and which of their times were touched,
 * and that something else than rows was changed. Never a source of rows: real servers were seen
 * losing them.
 *
 * Over WebSocket always (/rest/tmq). Threads and errors as in client.h.
 */
#ifndef HOLDFAST_TDENGINE_TOPIC_H
#define HOLDFAST_TDENGINE_TOPIC_H

#include "base/json.h"
#include "tdengine/client.h"

/* Topics of which the name begins so are ours. */
#define TD_TOPIC_PREFIX "holdfast_"

typedef struct TdTopic TdTopic;

/* Rows that were written: of a table, first and last time of a block in the database's precision. */
typedef struct {
    char *table;
    gint64 first, last;
} TdTopicTouch;

/* What one message tells. */
typedef struct {
    guint64 id;
    gint32 vgroup;
    gint64 offset;   /* where reading began, not where the rows stand */
    json_t *meta;    /* of a change of tables, or a deletion; NULL: there is none */
    GArray *touches; /* of TdTopicTouch */
} TdTopicMessage;

void td_topic_message_clear(TdTopicMessage *message);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TdTopicMessage, td_topic_message_clear)

/* Where a consumer stands in the log of a vgroup. begin > committed: the log was cut meanwhile, and
 * what stood there is lost without a word. */
typedef struct {
    gint32 vgroup;
    gint64 offset, begin, end;
    gint64 committed; /* negative: nothing was committed */
} TdTopicPosition;

/* Subscribes a consumer of the group to one topic; what the group has not committed yet is read from
 * the beginning of the log. Nothing is committed by itself. */
TdTopic *td_topic_subscribe(const TdOptions *options, const char *topic, const char *group,
                            GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Ends the consumer; the group keeps what it has committed. */
void td_topic_free(TdTopic *topic);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdTopic, td_topic_free)

/* The next message, waited for at most so many milliseconds (up to 5,000). *ret_found is FALSE where
 * none came: one empty poll is not yet the end. Clear the message. */
gboolean td_topic_poll(TdTopic *topic, guint milliseconds, TdTopicMessage *ret_message,
                       gboolean *ret_found, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Commits what was polled so far: the group goes on behind it. */
gboolean td_topic_commit(TdTopic *topic, GCancellable *cancellable,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Goes on at an offset, which the log must still hold: before its begin is ERROR_SERVER. */
gboolean td_topic_seek(TdTopic *topic, gint32 vgroup, gint64 offset, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Enters in `positions` (from td_topic_positions()) as `offset` what will be read next: behind all
 * that was polled, and behind what in the log is no message. Negative: nothing was read yet. */
gboolean td_topic_next(TdTopic *topic, GArray *positions, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Unsubscribes, so that the group and the topic can be dropped at once. Takes the server a second
 * or two. */
gboolean td_topic_leave(TdTopic *topic, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Array of TdTopicPosition, one a vgroup. */
GArray *td_topic_positions(TdTopic *topic, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
