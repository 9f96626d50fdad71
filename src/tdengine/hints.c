/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the server's log of changes, and what is kept of it.
 */
#include "tdengine/hints.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "tdengine/connect.h"
#include "tdengine/own-topics.h"
#include "tdengine/scan.h"

#define POLL_MS     500u
#define CHECK_EVERY 64u /* messages: on a busy server there is always another one */
/* Stretches of a table beyond which neighbours are joined. */
#define PLACES_MAX 4096u

struct TdHints {
    GHashTable *places; /* "database\ntable" → GArray of TdPlace */
};

/* --- What is kept ----------------------------------------------------------------------------- */

TdHints *td_hints_new(void)
{
    TdHints *hints = g_new0(TdHints, 1);

    hints->places =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    return hints;
}

void td_hints_free(TdHints *hints)
{
    if (hints == NULL)
        return;
    g_hash_table_unref(hints->places);
    g_free(hints);
}

static char *key_of(const char *database, const char *table)
{
    return g_strdup_printf("%s\n%s", database, table);
}

static gint compare_places(gconstpointer a, gconstpointer b)
{
    const TdPlace *left = a, *right = b;

    return left->from < right->from ? -1 : left->from > right->from;
}

/* Joins what overlaps; where too many are left, each with its neighbour, as often as is needed. */
static void shrink(GArray *places)
{
    guint step = 1;

    g_array_sort(places, compare_places);
    do {
        guint kept = 0;

        for (guint i = 0; i < places->len; i += step) {
            TdPlace place = g_array_index(places, TdPlace, i);
            TdPlace *last = kept > 0 ? &g_array_index(places, TdPlace, kept - 1) : NULL;

            if (step == 2 && i + 1 < places->len)
                place.to = MAX(place.to, g_array_index(places, TdPlace, i + 1).to);
            if (last != NULL && last->to >= place.from)
                last->to = MAX(last->to, place.to);
            else
                g_array_index(places, TdPlace, kept++) = place;
        }
        g_array_set_size(places, kept);
        step = 2;
    } while (places->len > PLACES_MAX / 2);
}

void td_hints_add(TdHints *hints, const char *database, const char *table, gint64 first,
                  gint64 last)
{
    const TdPlace place = {first, last < G_MAXINT64 ? last + 1 : last};
    char *key = key_of(database, table);
    GArray *places;

    places = g_hash_table_lookup(hints->places, key);
    if (places == NULL) {
        places = g_array_new(FALSE, FALSE, sizeof(TdPlace));
        g_hash_table_insert(hints->places, key, places);
    } else {
        TdPlace *newest = &g_array_index(places, TdPlace, places->len - 1);

        g_free(key);
        if (place.from >= newest->from && place.from <= newest->to) {
            newest->to = MAX(newest->to, place.to);
            return;
        }
    }
    g_array_append_val(places, place);
    if (places->len >= PLACES_MAX)
        shrink(places);
}

void td_hints_places(const TdHints *hints, const char *database, const char *table, GArray *dirty)
{
    g_autofree char *key = key_of(database, table);
    const GArray *places = g_hash_table_lookup(hints->places, key);

    if (places != NULL)
        g_array_append_vals(dirty, places->data, places->len);
}

/* --- Positions -------------------------------------------------------------------------------- */

static TdTopicPosition *find_position(const GArray *positions, gint64 vgroup)
{
    for (guint i = 0; i < positions->len; i++) {
        TdTopicPosition *position = &g_array_index(positions, TdTopicPosition, i);

        if (position->vgroup == vgroup)
            return position;
    }
    return NULL;
}

/* Goes to the versions of the base. The log may have lost what came right after them. */
static gboolean seek_all(TdTopic *topic, const TdHintReader *reader, const TdDatabase *before,
                         GArray *positions, const char **ret_reason, GError **error)
{
    for (guint i = 0; i < before->vgroups->len; i++) {
        const TdVgroup *group = &g_array_index(before->vgroups, TdVgroup, i);
        const TdTopicPosition *position = find_position(positions, group->id);

        if (position == NULL) {
            *ret_reason = "the topic does not show all vgroups";
            return TRUE;
        }
        if (position->begin > group->applied + 1) {
            *ret_reason = "the server's log of changes no longer reaches back to the base";
            return TRUE;
        }
        if (!td_topic_seek(topic, position->vgroup, group->applied + 1, reader->cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* Whether everything was read that was written when the databases were looked at. */
static gboolean has_reached(TdTopic *topic, const TdHintReader *reader, const TdDatabase *now,
                            GArray *positions, gboolean *ret_reached, GError **error)
{
    *ret_reached = FALSE;
    if (!td_topic_next(topic, positions, reader->cancellable, error))
        return FALSE;
    for (guint i = 0; i < now->vgroups->len; i++) {
        const TdVgroup *group = &g_array_index(now->vgroups, TdVgroup, i);
        const TdTopicPosition *position = find_position(positions, group->id);

        if (position == NULL || position->offset <= group->applied)
            return TRUE;
    }
    *ret_reached = TRUE;
    return TRUE;
}

/* --- Reading ---------------------------------------------------------------------------------- */

typedef struct {
    TdHints *hints;
    const TdHintReader *reader;
    const TdDatabase *before, *now;
    const TdChildren *children;
} Reading;

/* The super or normal table of a table that was written. NULL: it was dropped, or came after the list
 * was read: then its rows are the next increment's hints, too. */
static const char *owner_of(const TdChildren *children, const char *table)
{
    const char *super;
    guint32 id;

    if (td_children_find(children, table, strlen(table), &id) == NULL)
        return NULL;
    super = td_children_super(children, id);
    return super != NULL ? super : table;
}

/* FALSE: rows of a table without a name. */
static gboolean take_message(const Reading *reading, const TdTopicMessage *message)
{
    for (guint i = 0; i < message->touches->len; i++) {
        const TdTopicTouch *touch = &g_array_index(message->touches, TdTopicTouch, i);

        const char *owner = owner_of(reading->children, touch->table);

        if (touch->table[0] == '\0')
            return FALSE;
        if (owner != NULL)
            td_hints_add(reading->hints, reading->now->name, owner, touch->first, touch->last);
    }
    return TRUE;
}

static gboolean read_messages(const Reading *reading, TdTopic *topic, GArray *positions,
                              const char **ret_reason, GError **error)
{
    const TdHintReader *reader = reading->reader;
    gboolean reached = FALSE;

    for (guint n = 1; !reached; n++) {
        g_auto(TdTopicMessage) message = {0};
        gboolean found;

        if (time_monotonic() > reader->deadline) {
            *ret_reason = "reading the server's log of changes takes longer than a scan";
            return TRUE;
        }
        if (!td_topic_poll(topic, POLL_MS, &message, &found, reader->cancellable, error))
            return FALSE;
        if (found && !take_message(reading, &message)) {
            *ret_reason = "the server's log of changes leaves out names of tables";
            return TRUE;
        }
        if ((!found || n % CHECK_EVERY == 0) &&
            !has_reached(topic, reader, reading->now, positions, &reached, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_topic(const Reading *reading, TdTopic *topic, const char **ret_reason,
                           GError **error)
{
    g_autoptr(GArray) positions = td_topic_positions(topic, reading->reader->cancellable, error);

    if (positions == NULL ||
        !seek_all(topic, reading->reader, reading->before, positions, ret_reason, error))
        return FALSE;
    return *ret_reason != NULL || read_messages(reading, topic, positions, ret_reason, error);
}

typedef struct {
    const char *topic, *group;
} Wanted;

static gpointer subscribe(const TdOptions *options, gconstpointer data, GCancellable *cancellable,
                          GError **error)
{
    const Wanted *wanted = data;

    return td_topic_subscribe(options, wanted->topic, wanted->group, cancellable, error);
}

/* The group goes with its reader; one that cannot go now does so with the next reading. */
static void leave(TdTopic *topic, const TdHintReader *reader, const char *name)
{
    g_autoptr(GError) ignored = NULL;

    if (td_topic_leave(topic, reader->cancellable, &ignored) &&
        td_own_topic_forget(reader->client, name, reader->group, reader->cancellable, &ignored))
        return;
}

gboolean td_hints_read(TdHints *hints, const TdHintReader *reader, const TdDatabase *before,
                       const TdDatabase *now, const TdChildren *children, const char **ret_reason,
                       GError **error)
{
    const Reading reading = {hints, reader, before, now, children};
    const Wanted wanted = {now->topic, reader->group};
    g_autoptr(TdTopic) topic = NULL;
    g_autoptr(GError) problem = NULL;

    *ret_reason = NULL;
    if (td_own_topic_tidy(reader->client, now->topic, reader->cancellable, &problem))
        topic = td_connect_with(reader->source, subscribe, &wanted, reader->cancellable, &problem);
    if (topic != NULL) {
        gboolean done = read_topic(&reading, topic, ret_reason, &problem);

        leave(topic, reader, now->topic);
        if (done)
            return TRUE;
    }
    if (error_is(problem, ERROR_CANCELLED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    *ret_reason = "the server's log of changes could not be read";
    g_ptr_array_add(reader->answers, error_text(problem));
    return TRUE;
}
