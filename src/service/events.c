/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of events and its readers. Two locks: the outer one keeps writing in order, and is held
 * while the catalog is written; the inner one guards the ring, and is only ever held for a moment,
 * so that no reader waits for a disk.
 */
#include "service/events.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"

#define KEPT_EVENTS  1000
#define KEPT_BYTES   (8 * 1024 * 1024)
#define TRIM_EVERY   100  /* events */
#define RESERVED_IDS 1000 /* at once */
#define READER_LIMIT 1000
#define HEARTBEAT    (15 * TIME_SECOND)
#define DATA_LIMIT   (16 * 1024)

/* As it is sent. Readers in the middle of one hold it. */
typedef struct {
    gint references;
    guint64 id;
    char *key; /* or NULL */
    gsize length;
    char text[];
} Event;

struct Events {
    GMutex outer;
    Catalog *catalog;
    guint64 next, reserved; /* ids: the next one; up to which they are ours */
    guint untrimmed;
    gint64 complained; /* monotonic */

    GMutex inner;
    GQueue ring;      /* Event, ids rise */
    GHashTable *keys; /* key to its GList in the ring */
    gsize bytes;
    guint64 lost; /* the newest event that is no longer there, 0: none */
    GPtrArray *readers;
};

struct EventReader {
    Events *events;
    guint64 cursor; /* the last event that was begun */
    Event *current; /* is being handed out, or NULL */
    gsize offset;
    gint64 read_at; /* monotonic: when something was handed out last */
    gboolean beat, asleep;
    EventWakeFunc wake;
    gpointer data;
};

/* --- one event -------------------------------------------------------------------------------- */

/* Takes the key. */
static Event *event_new(guint64 id, const char *type, const char *data, char *key)
{
    g_autofree char *text =
        g_strdup_printf("id: %" G_GUINT64_FORMAT "\nevent: %s\ndata: %s\n\n", id, type, data);
    gsize length = strlen(text);
    Event *event = g_malloc(sizeof *event + length);

    event->references = 1;
    event->id = id;
    event->key = key;
    event->length = length;
    memcpy(event->text, text, length);
    return event;
}

static void event_unref(Event *event)
{
    if (event == NULL || !g_atomic_int_dec_and_test(&event->references))
        return;
    g_free(event->key);
    g_free(event);
}

/* --- the ring; with the inner lock held ------------------------------------------------------- */

static void drop(Events *events, GList *link)
{
    Event *event = link->data;

    if (event->key != NULL)
        g_hash_table_remove(events->keys, event->key);
    events->bytes -= event->length;
    g_queue_delete_link(&events->ring, link);
    event_unref(event);
}

static void append(Events *events, Event *event)
{
    GList *before = event->key != NULL ? g_hash_table_lookup(events->keys, event->key) : NULL;

    if (before != NULL)
        drop(events, before);
    g_queue_push_tail(&events->ring, event);
    events->bytes += event->length;
    if (event->key != NULL)
        g_hash_table_insert(events->keys, event->key, events->ring.tail);
    while (events->ring.length > KEPT_EVENTS ||
           (events->bytes > KEPT_BYTES && events->ring.length > 1)) {
        const Event *oldest = events->ring.head->data;

        if (oldest->key == NULL)
            events->lost = oldest->id;
        drop(events, events->ring.head);
    }
}

static void wake_readers(Events *events)
{
    for (guint i = 0; i < events->readers->len; i++) {
        EventReader *reader = g_ptr_array_index(events->readers, i);

        if (!reader->asleep)
            continue;
        reader->asleep = FALSE;
        if (reader->wake != NULL)
            reader->wake(reader->data);
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static gboolean reserve(Events *events, GError **error)
{
    guint64 reserved = events->next + RESERVED_IDS;
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, reserved);

    if (!catalog_setting_set(events->catalog, "event_ids", text, error))
        return FALSE;
    events->reserved = reserved;
    return TRUE;
}

static gboolean load(Events *events, GError **error)
{
    g_autofree char *reserved = NULL;
    g_autoptr(GPtrArray) known = NULL;

    if (!catalog_setting_get(events->catalog, "event_ids", &reserved, error) ||
        !catalog_events(events->catalog, KEPT_EVENTS + 1, &known, error))
        return FALSE;
    for (guint i = 0; i < known->len; i++) {
        const CatalogEvent *event = g_ptr_array_index(known, i);

        append(events, event_new(event->id, event->type, event->data, NULL));
        events->next = event->id + 1;
    }
    if (reserved != NULL)
        events->next = MAX(events->next, g_ascii_strtoull(reserved, NULL, 10));
    /* A catalog made anew must not begin with ids that were there already. */
    events->next = MAX(events->next, (guint64)MAX(time_now() / TIME_SECOND, 1));
    if (known->len == 0)
        events->lost = events->next - 1;
    return TRUE;
}

Events *events_open(Repository *repository, const char *state_directory, GError **error)
{
    g_autoptr(Events) events = g_new0(Events, 1);

    g_mutex_init(&events->outer);
    g_mutex_init(&events->inner);
    g_queue_init(&events->ring);
    events->keys = g_hash_table_new(g_str_hash, g_str_equal);
    events->readers = g_ptr_array_new();
    events->catalog = catalog_open(repository, state_directory, error);
    if (events->catalog == NULL || !load(events, error))
        return NULL;
    events->reserved = events->next; /* the first event reserves some */
    return g_steal_pointer(&events);
}

void events_free(Events *events)
{
    if (events == NULL)
        return;
    g_queue_clear_full(&events->ring, (GDestroyNotify)event_unref);
    g_hash_table_unref(events->keys);
    g_ptr_array_unref(events->readers);
    catalog_free(events->catalog);
    g_mutex_clear(&events->inner);
    g_mutex_clear(&events->outer);
    g_free(events);
}

/* --- adding ----------------------------------------------------------------------------------- */

/* Once a minute is enough to know that the disk is full. */
static void complain(Events *events, const GError *problem)
{
    if (events->complained != 0 && time_monotonic() - events->complained < TIME_MINUTE)
        return;
    events->complained = time_monotonic();
    log_write(LOG_WARNING, "events are not written down: %s", problem->message);
}

/* With the outer lock held. */
static void write_down(Events *events, guint64 id, const char *type, const char *data)
{
    g_autoptr(GError) problem = NULL;
    guint64 lost;

    if (!catalog_event_add(events->catalog, id, type, data, &problem)) {
        complain(events, problem);
        return;
    }
    if (++events->untrimmed < TRIM_EVERY)
        return;
    events->untrimmed = 0;
    g_mutex_lock(&events->inner);
    lost = events->lost;
    g_mutex_unlock(&events->inner);
    if (!catalog_events_trim(events->catalog, lost, &problem))
        complain(events, problem);
}

/* A job's result may be long: whoever wants it asks for the job. */
static void shorten(json_t *data)
{
    g_autofree char *result = NULL;

    if (json_object_get(data, "result") == NULL)
        return;
    result = json_write(json_object_get(data, "result"), FALSE);
    if (result != NULL && strlen(result) <= DATA_LIMIT)
        return;
    json_object_set_new(data, "result", json_null());
    json_object_set_new(data, "result_omitted", json_true());
}

void events_add(Events *events, const char *type, json_t *data, const char *key)
{
    g_autoptr(json_t) taken = data;
    g_autofree char *text = NULL;
    g_autoptr(GError) problem = NULL;
    guint64 id;

    shorten(data);
    text = g_strchomp(json_write(data, FALSE));
    g_mutex_lock(&events->outer);
    if (events->next >= events->reserved && !reserve(events, &problem))
        complain(events, problem);
    id = events->next++;
    if (key == NULL)
        write_down(events, id, type, text);
    g_mutex_lock(&events->inner);
    append(events, event_new(id, type, text, g_strdup(key)));
    wake_readers(events);
    g_mutex_unlock(&events->inner);
    g_mutex_unlock(&events->outer);
}

void events_forget(Events *events, const char *key)
{
    GList *link;

    g_mutex_lock(&events->inner);
    link = g_hash_table_lookup(events->keys, key);
    if (link != NULL)
        drop(events, link);
    g_mutex_unlock(&events->inner);
}

void events_beat(Events *events)
{
    gint64 now = time_monotonic();

    g_mutex_lock(&events->inner);
    for (guint i = 0; i < events->readers->len; i++) {
        EventReader *reader = g_ptr_array_index(events->readers, i);

        if (!reader->asleep || now - reader->read_at < HEARTBEAT)
            continue;
        reader->beat = TRUE;
        reader->asleep = FALSE;
        if (reader->wake != NULL)
            reader->wake(reader->data);
    }
    g_mutex_unlock(&events->inner);
}

/* --- reading ---------------------------------------------------------------------------------- */

EventReader *event_reader_new(Events *events, gboolean replay, guint64 last)
{
    EventReader *reader = NULL;

    g_mutex_lock(&events->inner);
    if (events->readers->len < READER_LIMIT) {
        const Event *newest = g_queue_peek_tail(&events->ring);

        reader = g_new0(EventReader, 1);
        reader->events = events;
        reader->read_at = time_monotonic();
        reader->cursor = MAX(newest != NULL ? newest->id : 0, events->lost);
        if (replay && last < events->lost) {
            g_autofree char *data = g_strdup_printf("{\"after\":%" G_GUINT64_FORMAT "}", last);

            /* Its id is that of the last one missed, so that it comes only once. */
            reader->current = event_new(events->lost, "missed", data, NULL);
            reader->cursor = events->lost;
        } else if (replay) {
            reader->cursor = MIN(last, reader->cursor);
        }
        g_ptr_array_add(events->readers, reader);
    }
    g_mutex_unlock(&events->inner);
    return reader;
}

void event_reader_free(EventReader *reader)
{
    if (reader == NULL)
        return;
    g_mutex_lock(&reader->events->inner);
    g_ptr_array_remove_fast(reader->events->readers, reader);
    g_mutex_unlock(&reader->events->inner);
    event_unref(reader->current);
    g_free(reader);
}

void event_reader_watch(EventReader *reader, EventWakeFunc wake, gpointer data)
{
    g_mutex_lock(&reader->events->inner);
    reader->wake = wake;
    reader->data = data;
    g_mutex_unlock(&reader->events->inner);
}

/* The first event behind the cursor, or NULL. Most readers are at the end. */
static Event *next_event(const EventReader *reader)
{
    Event *next = NULL;

    for (const GList *at = reader->events->ring.tail; at != NULL; at = at->prev) {
        Event *event = at->data;

        if (event->id <= reader->cursor)
            break;
        next = event;
    }
    return next;
}

/* Makes the next event the current one. With the inner lock held; FALSE when there is none. */
static gboolean advance(EventReader *reader)
{
    Event *next;

    event_unref(reader->current);
    reader->offset = 0;
    next = next_event(reader);
    reader->current = next;
    if (next == NULL)
        return FALSE;
    g_atomic_int_inc(&next->references);
    reader->cursor = next->id;
    return TRUE;
}

/* With the inner lock held. */
static gsize fill(EventReader *reader, char *buffer, gsize size)
{
    gsize filled = 0;

    while (filled < size) {
        gsize length;

        if ((reader->current == NULL || reader->offset == reader->current->length) &&
            !advance(reader))
            break;
        length = MIN(reader->current->length - reader->offset, size - filled);
        memcpy(buffer + filled, reader->current->text + reader->offset, length);
        reader->offset += length;
        filled += length;
    }
    return filled;
}

gssize event_reader_read(EventReader *reader, char *buffer, gsize size)
{
    static const char comment[] = ":\n\n";
    Events *events = reader->events;
    gsize filled;

    g_mutex_lock(&events->inner);
    if (reader->cursor < events->lost) {
        g_mutex_unlock(&events->inner);
        return -1;
    }
    filled = fill(reader, buffer, size);
    if (filled == 0 && reader->beat && size >= strlen(comment)) {
        memcpy(buffer, comment, strlen(comment));
        filled = strlen(comment);
    }
    reader->beat = FALSE;
    if (filled > 0)
        reader->read_at = time_monotonic();
    else
        reader->asleep = TRUE;
    g_mutex_unlock(&events->inner);
    return (gssize)filled;
}

guint events_reader_count(Events *events)
{
    guint count;

    g_mutex_lock(&events->inner);
    count = events->readers->len;
    g_mutex_unlock(&events->inner);
    return count;
}
