/* SPDX-License-Identifier: Apache-2.0
 *
 * Which times of which tables were written since a base, by the server's log of changes: read
 * through a topic of ours (own-topics.h) from the versions on that the base noted of each vgroup, to
 * those of now. Offsets of a topic are these versions.
 *
 * Each reading has a group of its own that goes with it: what a group misses once a tag was changed
 * (seen: the rows of that table, from then on) a new one gets. What the log does not show: rows of
 * tables that were dropped, which are no rows any more; rows that were deleted come as text and are
 * not looked at, since fewer rows are seen by their count. So hints add to the other evidence and
 * replace none.
 *
 * Threads: as the client's. Memory: a few thousand stretches of time for each super or normal table.
 */
#ifndef HOLDFAST_TDENGINE_HINTS_H
#define HOLDFAST_TDENGINE_HINTS_H

#include "config/config.h"
#include "tdengine/children.h"
#include "tdengine/topic.h"

typedef struct TdHints TdHints;

TdHints *td_hints_new(void);
void td_hints_free(TdHints *hints);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdHints, td_hints_free)

/* Notes that times from `first` to `last` of a super or normal table were written. What is kept may
 * be larger than what was noted, never smaller. */
void td_hints_add(TdHints *hints, const char *database, const char *table, gint64 first,
                  gint64 last);

/* Adds what was noted of a super or normal table to `dirty`, an array of TdPlace. */
void td_hints_places(const TdHints *hints, const char *database, const char *table, GArray *dirty);

typedef struct {
    const ConfigSource *source;
    TdClient *client;
    const char *group;
    gint64 deadline;    /* time_monotonic(): the log is given up then */
    GPtrArray *answers; /* char *: gets what the server said where it refused; may hold names */
    GCancellable *cancellable;
} TdHintReader;

/* Reads the log of one database. *ret_reason is why not all of it is known, a constant without names;
 * NULL: it is. A server that refuses, or does not answer here, is such a reason too. An error: only
 * where the backup cannot go on. */
gboolean td_hints_read(TdHints *hints, const TdHintReader *reader, const TdDatabase *before,
                       const TdDatabase *now, const TdChildren *children, const char **ret_reason,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
