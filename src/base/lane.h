/* SPDX-License-Identifier: Apache-2.0
 *
 * A second thread for one stream of bytes: the caller fills buffers, the thread works on them in
 * their order. Few buffers go round, so that memory stays bounded whichever of the two is slower.
 *
 * Threads: all functions are for the one thread that made the lane.
 */
#ifndef HOLDFAST_BASE_LANE_H
#define HOLDFAST_BASE_LANE_H

#include <glib.h>

typedef struct Lane Lane;

typedef struct {
    guint8 *bytes; /* room for the lane's `size` */
    gsize length;
    gpointer tag; /* the caller's, for the function */
} LaneBuffer;

/* Runs in the lane's thread. After a failure it is not called again. */
typedef gboolean (*LaneFunc)(const LaneBuffer *buffer, gpointer data, GError **error);

/* `size`: bytes of one buffer; there are four. `name` is the thread's. */
Lane *lane_new(const char *name, gsize size, LaneFunc func, gpointer data);

/* Waits for a buffer that is free. Its length is 0, its tag NULL. */
LaneBuffer *lane_take(Lane *lane);

/* How many buffers wait for the thread at this moment; less than nothing where it waits for one. */
gint lane_pending(Lane *lane);

/* Gives a buffer to the thread. Its bytes stay as they are, and may be read, until the next
 * lane_take(). FALSE after a failure, which lane_end() tells: stop then. */
gboolean lane_give(Lane *lane, LaneBuffer *buffer);

/* Waits until all that was given is done. The first failure, once. */
gboolean lane_end(Lane *lane, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends as well. NULL is fine. */
void lane_free(Lane *lane);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lane, lane_free)

#endif
