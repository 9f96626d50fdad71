/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of events, and reading it as a stream of server-sent events (the EventSource part of
 * HTML's living standard). Ids are integers that rise, over restarts too, and over the loss of the
 * catalog as long as fewer than one event a second were told since it was made; they need not
 * follow each other closely.
 *
 * The last 1,000 events are kept for replay, in memory and in the catalog. Of those with a key
 * (progress) only the newest of each key is there, in memory alone: an older one says nothing any
 * more.
 *
 * Threads: any. A reader belongs to one thread at a time; its wake function is called from the
 * thread that adds, with the log's lock held: it must not call back, and must bear a call too many.
 */
#ifndef HOLDFAST_SERVICE_EVENTS_H
#define HOLDFAST_SERVICE_EVENTS_H

#include "base/json.h"
#include "catalog/catalog.h"

typedef struct Events Events;
typedef struct EventReader EventReader;

/* Reads what the catalog has, through a connection of its own. */
Events *events_open(Repository *repository, const char *state_directory,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* No reader may be left. */
void events_free(Events *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Events, events_free)

/* Adds an event; takes the reference to `data`. `type` is one word. `key` NULL: it is kept. An event
 * that cannot be written down is told all the same. */
void events_add(Events *events, const char *type, json_t *data, const char *key);
/* What has this key is over. */
void events_forget(Events *events, const char *key);

/* Lets every reader that has had nothing for 15 seconds have a comment, so that both ends notice a
 * connection that is gone. Once a second or so. */
void events_beat(Events *events);

/* --- reading ---------------------------------------------------------------------------------- */

/* A reader of what comes from now on; with `replay` of what came after the event `last` first. Where
 * that is no longer known, it begins with an event "missed". NULL where there are too many
 * readers already. */
EventReader *event_reader_new(Events *events, gboolean replay, guint64 last);
void event_reader_free(EventReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EventReader, event_reader_free)

/* Called when a reader that was told "nothing" has something to read. */
typedef void (*EventWakeFunc)(gpointer data);
void event_reader_watch(EventReader *reader, EventWakeFunc wake, gpointer data);

/* Puts the next bytes of the stream into the buffer: how many, 0 for nothing now, -1 when the
 * reader was too slow and is to be dropped: what it has not read is gone. */
gssize event_reader_read(EventReader *reader, char *buffer, gsize size);

guint events_reader_count(Events *events);

#endif
