/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and dropping topics of our own.
 */
#include "tdengine/own-topics.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "tdengine/connect.h"
#include "tdengine/ddl.h"
#include "tdengine/topic.h"

#define LIST_LIMIT  100000u
#define NAME_PART   64u /* bytes of each name that a topic's name shows; it may have 192 */
#define HASH_DIGITS 8

/* "Topic subscribed cannot be dropped": it has a reader, or had one that was killed, for half a
 * minute. */
#define CODE_SUBSCRIBED 0x03eb
#define READER_LIMIT    TIME_MINUTE
#define PAUSE           (TIME_SECOND / 2)

/* --- Names ------------------------------------------------------------------------------------ */

static void append_plain(GString *name, const char *text)
{
    for (guint i = 0; text[i] != '\0' && i < NAME_PART; i++)
        g_string_append_c(name, g_ascii_isalnum(text[i]) ? g_ascii_tolower(text[i]) : '_');
}

char *td_own_topic_name(const char *source, const char *database)
{
    g_autofree char *both = g_strdup_printf("%s\n%s", source, database);
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, both, -1);
    GString *name = g_string_new(TD_TOPIC_PREFIX);

    append_plain(name, source);
    g_string_append_c(name, '_');
    append_plain(name, database);
    g_string_append_printf(name, "_%.*s", HASH_DIGITS, hash);
    return g_string_free(name, FALSE);
}

/* --- Keeping ---------------------------------------------------------------------------------- */

static gboolean has_topic(const GPtrArray *topics, const char *name)
{
    for (guint i = 0; i < topics->len; i++)
        if (g_strcmp0(td_row_text(g_ptr_array_index(topics, i), "topic_name"), name) == 0)
            return TRUE;
    return FALSE;
}

/* The server's words may hold a name, and the manifest is clear. */
static gboolean note_refusal(const TdCapture *capture, GError *problem, GError **error)
{
    g_autofree char *text = NULL;
    const char *answer;

    if (!error_is(problem, ERROR_SERVER)) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    text = error_text(problem);
    answer = strstr(text, "(0x");
    g_ptr_array_add(capture->details->answers, g_strdup(answer != NULL ? answer : text));
    manifest_add_warning(capture->manifest,
                         "topic = on: the server refuses a topic; the details have its answer. "
                         "Increments go by the other evidence");
    g_error_free(problem);
    return TRUE;
}

static gboolean keep(const TdCapture *capture, const char *source, const GPtrArray *topics,
                     TdDatabase *database, GError **error)
{
    g_autofree char *name = td_own_topic_name(source, database->name);
    g_autoptr(GString) sql = g_string_new("CREATE TOPIC IF NOT EXISTS ");
    GError *problem = NULL;

    if (!has_topic(topics, name)) {
        td_append_name(sql, name);
        g_string_append(sql, " WITH META AS DATABASE ");
        td_append_name(sql, database->name);
        if (!td_client_execute(capture->client, sql->str, NULL, capture->cancellable, &problem))
            return note_refusal(capture, problem, error);
        database->topic_made = TRUE;
    }
    database->topic = g_steal_pointer(&name);
    return TRUE;
}

gboolean td_own_topics_keep(const TdCapture *capture, const char *source, GPtrArray *databases,
                            GError **error)
{
    GError *problem = NULL;
    g_autoptr(GPtrArray) topics =
        td_ask(capture->client, "SELECT topic_name FROM information_schema.ins_topics", LIST_LIMIT,
               capture->cancellable, &problem);

    if (topics == NULL)
        return note_refusal(capture, problem, error);
    for (guint i = 0; i < databases->len; i++)
        if (!keep(capture, source, topics, g_ptr_array_index(databases, i), error))
            return FALSE;
    return TRUE;
}

/* --- Dropping --------------------------------------------------------------------------------- */

gboolean td_own_topic_forget(TdClient *client, const char *topic, const char *group,
                             GCancellable *cancellable, GError **error)
{
    g_autoptr(GString) sql = g_string_new("DROP CONSUMER GROUP IF EXISTS ");

    td_append_name(sql, group);
    g_string_append(sql, " ON ");
    td_append_name(sql, topic);
    return td_client_execute(client, sql->str, NULL, cancellable, error);
}

gboolean td_own_topic_tidy(TdClient *client, const char *topic, GCancellable *cancellable,
                           GError **error)
{
    g_autoptr(GString) sql =
        g_string_new("SELECT consumer_group FROM information_schema.ins_subscriptions WHERE "
                     "topic_name = ");
    g_autoptr(GPtrArray) groups = NULL;

    td_append_text(sql, topic);
    groups = td_ask(client, sql->str, LIST_LIMIT, cancellable, error);
    if (groups == NULL)
        return FALSE;
    for (guint i = 0; i < groups->len; i++) {
        const char *group = td_row_text(g_ptr_array_index(groups, i), "consumer_group");
        g_autoptr(GError) problem = NULL;

        /* One that is read with at this moment stays, and what a server of that moment refuses. */
        if (group == NULL || !g_str_has_prefix(group, TD_TOPIC_PREFIX) ||
            td_own_topic_forget(client, topic, group, cancellable, &problem) ||
            error_is(problem, ERROR_SERVER))
            continue;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
    return TRUE;
}

gboolean td_own_topic_drop(TdClient *client, const char *topic, GCancellable *cancellable,
                           GError **error)
{
    g_autoptr(GString) sql = g_string_new("DROP TOPIC IF EXISTS ");
    const gint64 deadline = time_monotonic() + READER_LIMIT;
    GError *problem = NULL;

    td_append_name(sql, topic);
    for (;;) {
        if (!td_own_topic_tidy(client, topic, cancellable, error))
            return FALSE;
        if (td_client_execute(client, sql->str, NULL, cancellable, &problem))
            return TRUE;
        if (td_error_code(problem) != CODE_SUBSCRIBED || time_monotonic() >= deadline ||
            g_cancellable_is_cancelled(cancellable))
            break;
        g_clear_error(&problem);
        g_usleep(PAUSE);
    }
    if (td_error_code(problem) == CODE_SUBSCRIBED)
        error_add_hint(&problem, "an increment reads by it: run this again when that has ended");
    g_propagate_prefixed_error(error, problem, "cannot drop topic %s: ", topic);
    return FALSE;
}
