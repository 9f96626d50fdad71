/* SPDX-License-Identifier: Apache-2.0
 *
 * The queues of the targets. A channel is a target with its thread and what waits for it.
 */
#include "service/notify.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/suggest.h"
#include "base/time.h"
#include "catalog/catalog.h"
#include "service/notify-private.h"

/* Messages that may wait for a target; a new one pushes out the oldest then. */
#define QUEUE_LIMIT 1000
/* What is older is not delivered any more. */
#define AGE_LIMIT TIME_DAY

typedef struct {
    Notifier *notifier;
    NotifyTarget *target;
    GThread *thread;
    GCancellable *cancellable; /* fires when the channel is to end */
    GCond changed;             /* with the notifier's mutex */
    GQueue waiting;            /* CatalogMessage; the head is being delivered */
    guint64 sent, failed;
} Channel;

/* Locks: the catalog's first. Who writes a message down holds it until the message is in its queue,
 * so that nobody who reads the catalog meanwhile puts it there a second time. */
struct Notifier {
    GMutex mutex; /* guards the channels, their queues and counts */
    GPtrArray *channels;
    GMutex catalog_mutex;
    Catalog *catalog;
};

/* --- one delivery ----------------------------------------------------------------------------- */

/* How long to wait after the nth attempt. */
static gint64 wait_after(guint attempt)
{
    static const gint64 waits[] = {TIME_SECOND,     5 * TIME_SECOND,  30 * TIME_SECOND,
                                   2 * TIME_MINUTE, 10 * TIME_MINUTE, 30 * TIME_MINUTE};

    return waits[MIN(attempt, G_N_ELEMENTS(waits)) - 1];
}

static gboolean may_pass(const GError *problem)
{
    return error_is(problem, ERROR_UNREACHABLE) || error_is(problem, ERROR_TIMEOUT) ||
           error_is(problem, ERROR_SUBPROCESS);
}

/* Until the time has come or the channel ends. */
static void wait_until(Channel *channel, gint64 end)
{
    g_mutex_lock(&channel->notifier->mutex);
    while (!g_cancellable_is_cancelled(channel->cancellable) &&
           g_cond_wait_until(&channel->changed, &channel->notifier->mutex, end))
        ;
    g_mutex_unlock(&channel->notifier->mutex);
}

/* TRUE when the message is dealt with, told or given up; FALSE when the channel ends first. */
static gboolean deliver(Channel *channel, const CatalogMessage *message, gboolean *ret_sent)
{
    const LogField *fields = LOG_FIELDS({"notify", channel->target->name});

    *ret_sent = FALSE;
    for (guint attempt = 1;; attempt++) {
        g_autoptr(GError) problem = NULL;
        g_autofree char *answer = NULL;
        g_autofree char *text = NULL;

        *ret_sent = channel->target->send(channel->target, message->body, channel->cancellable,
                                          &answer, &problem);
        if (*ret_sent) {
            log_write(LOG_DEBUG, "[notify %s]: told: %s", channel->target->name, answer);
            return TRUE;
        }
        if (g_cancellable_is_cancelled(channel->cancellable))
            return FALSE;
        text = error_text(problem);
        if (!may_pass(problem) || time_now() - message->entered > AGE_LIMIT) {
            log_write_fields(fields, LOG_WARNING, "%s; the message is given up", text);
            return TRUE;
        }
        log_write_fields(fields, attempt == 1 ? LOG_WARNING : LOG_DEBUG,
                         "%s; it will be tried again", text);
        wait_until(channel, g_get_monotonic_time() + wait_after(attempt));
    }
}

/* With the catalog's mutex held. */
static void strike_out(Notifier *notifier, const CatalogMessage *message)
{
    g_autoptr(GError) problem = NULL;

    /* 0: it could not be written down. */
    if (message->id != 0 && !catalog_message_remove(notifier->catalog, message->id, &problem))
        log_write(LOG_WARNING, "a message that was told may be told again: %s", problem->message);
}

/* The next message, or NULL when the channel ends. It stays in the queue. */
static CatalogMessage *next_message(Channel *channel)
{
    CatalogMessage *message;

    g_mutex_lock(&channel->notifier->mutex);
    while (!g_cancellable_is_cancelled(channel->cancellable) && g_queue_is_empty(&channel->waiting))
        g_cond_wait(&channel->changed, &channel->notifier->mutex);
    message = g_cancellable_is_cancelled(channel->cancellable)
                  ? NULL
                  : g_queue_peek_head(&channel->waiting);
    g_mutex_unlock(&channel->notifier->mutex);
    return message;
}

static gpointer run_channel(gpointer data)
{
    Channel *channel = data;
    CatalogMessage *message;
    gboolean sent;

    while ((message = next_message(channel)) != NULL) {
        if (!deliver(channel, message, &sent))
            break;
        g_mutex_lock(&channel->notifier->catalog_mutex);
        strike_out(channel->notifier, message);
        g_mutex_unlock(&channel->notifier->catalog_mutex);
        g_mutex_lock(&channel->notifier->mutex);
        (void)g_queue_pop_head(&channel->waiting);
        channel->sent += sent;
        channel->failed += !sent;
        g_mutex_unlock(&channel->notifier->mutex);
        catalog_message_free(message);
    }
    return NULL;
}

/* --- channels --------------------------------------------------------------------------------- */

static void channel_free(gpointer data)
{
    Channel *channel = data;

    g_mutex_lock(&channel->notifier->mutex);
    g_cancellable_cancel(channel->cancellable);
    g_cond_broadcast(&channel->changed);
    g_mutex_unlock(&channel->notifier->mutex);
    if (channel->thread != NULL)
        g_thread_join(channel->thread);
    g_queue_clear_full(&channel->waiting, (GDestroyNotify)catalog_message_free);
    notify_target_free(channel->target);
    g_object_unref(channel->cancellable);
    g_cond_clear(&channel->changed);
    g_free(channel);
}

static GPtrArray *make_channels(Notifier *notifier, const Config *config, GError **error)
{
    g_autoptr(GPtrArray) channels = g_ptr_array_new_with_free_func(channel_free);
    const char *const *names = config_notifies(config);

    for (guint i = 0; names[i] != NULL; i++) {
        NotifyTarget *target = notify_target_new(config, names[i], error);
        Channel *channel;

        if (target == NULL)
            return NULL;
        channel = g_new0(Channel, 1);
        channel->notifier = notifier;
        channel->target = target;
        channel->cancellable = g_cancellable_new();
        g_cond_init(&channel->changed);
        g_queue_init(&channel->waiting);
        g_ptr_array_add(channels, channel);
    }
    return g_steal_pointer(&channels);
}

static Channel *find_channel(const Notifier *notifier, const char *name)
{
    for (guint i = 0; i < notifier->channels->len; i++) {
        Channel *channel = g_ptr_array_index(notifier->channels, i);

        if (strcmp(channel->target->name, name) == 0)
            return channel;
    }
    return NULL;
}

static gboolean is_waiting(const Channel *channel, gint64 id)
{
    for (const GList *at = channel->waiting.head; at != NULL; at = at->next) {
        if (id != 0 && ((const CatalogMessage *)at->data)->id == id)
            return TRUE;
    }
    return FALSE;
}

/* Takes the message: into the queue of its target, or out of the catalog where that is gone. With
 * the catalog's mutex held. */
static void push(Notifier *notifier, CatalogMessage *message)
{
    CatalogMessage *dropped = NULL;
    Channel *channel;

    g_mutex_lock(&notifier->mutex);
    channel = find_channel(notifier, message->target);
    if (channel != NULL && !is_waiting(channel, message->id)) {
        g_queue_push_tail(&channel->waiting, message);
        message = NULL;
        /* The head may be in the thread's hands. */
        if (g_queue_get_length(&channel->waiting) > QUEUE_LIMIT) {
            dropped = g_queue_pop_nth(&channel->waiting, 1);
            channel->failed++;
        }
        g_cond_broadcast(&channel->changed);
    }
    g_mutex_unlock(&notifier->mutex);
    if (channel == NULL)
        strike_out(notifier, message);
    catalog_message_free(message);
    if (dropped != NULL) {
        log_write(LOG_WARNING, "[notify %s]: too many messages wait; the oldest is given up",
                  dropped->target);
        strike_out(notifier, dropped);
        catalog_message_free(dropped);
    }
}

/* What an earlier service did not deliver. */
static gboolean take_up(Notifier *notifier, GError **error)
{
    g_autoptr(GPtrArray) messages = NULL;
    gboolean read;

    g_mutex_lock(&notifier->catalog_mutex);
    read = catalog_messages(notifier->catalog, &messages, error);
    if (read)
        g_ptr_array_set_free_func(messages, NULL);
    for (guint i = 0; read && i < messages->len; i++)
        push(notifier, g_ptr_array_index(messages, i));
    g_mutex_unlock(&notifier->catalog_mutex);
    return read;
}

static void start_threads(Notifier *notifier)
{
    for (guint i = 0; i < notifier->channels->len; i++) {
        Channel *channel = g_ptr_array_index(notifier->channels, i);

        channel->thread = g_thread_new("notify", run_channel, channel);
    }
}

Notifier *notify_open(const Config *config, Repository *repository, GError **error)
{
    g_autoptr(Notifier) notifier = g_new0(Notifier, 1);

    g_mutex_init(&notifier->mutex);
    g_mutex_init(&notifier->catalog_mutex);
    notifier->channels = make_channels(notifier, config, error);
    if (notifier->channels == NULL)
        return NULL;
    notifier->catalog = catalog_open(repository, config_state_directory(config), error);
    if (notifier->catalog == NULL || !take_up(notifier, error))
        return NULL;
    start_threads(notifier);
    return g_steal_pointer(&notifier);
}

void notify_free(Notifier *notifier)
{
    if (notifier == NULL)
        return;
    g_clear_pointer(&notifier->channels, g_ptr_array_unref);
    catalog_free(notifier->catalog);
    g_mutex_clear(&notifier->catalog_mutex);
    g_mutex_clear(&notifier->mutex);
    g_free(notifier);
}

gboolean notify_use_config(Notifier *notifier, const Config *config, GError **error)
{
    g_autoptr(GError) problem = NULL;
    GPtrArray *channels = make_channels(notifier, config, error);
    GPtrArray *old = notifier->channels;

    if (channels == NULL)
        return FALSE;
    g_mutex_lock(&notifier->mutex);
    notifier->channels = channels;
    g_mutex_unlock(&notifier->mutex);
    g_ptr_array_unref(old);
    if (!take_up(notifier, &problem))
        log_write(LOG_WARNING, "what is still to be told waits for a restart: %s",
                  problem->message);
    start_threads(notifier);
    return TRUE;
}

/* --- telling ---------------------------------------------------------------------------------- */

static void tell_target(Notifier *notifier, const char *name, const char *body)
{
    CatalogMessage *message = g_new0(CatalogMessage, 1);
    g_autoptr(GError) problem = NULL;

    message->target = g_strdup(name);
    message->body = g_strdup(body);
    message->entered = time_now();
    g_mutex_lock(&notifier->catalog_mutex);
    if (!catalog_message_add(notifier->catalog, name, body, &message->id, &problem))
        log_write(LOG_WARNING, "a message for [notify %s] is not written down: %s", name,
                  problem->message);
    push(notifier, message);
    g_mutex_unlock(&notifier->catalog_mutex);
}

void notify_tell(Notifier *notifier, const NotifyMessage *message)
{
    g_autofree char *body = notify_body(message, FALSE);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    g_mutex_lock(&notifier->mutex);
    for (guint i = 0; i < notifier->channels->len; i++) {
        const NotifyTarget *target = ((Channel *)g_ptr_array_index(notifier->channels, i))->target;

        if ((target->kinds & 1U << message->kind) != 0)
            g_ptr_array_add(names, g_strdup(target->name));
    }
    g_mutex_unlock(&notifier->mutex);
    for (guint i = 0; i < names->len; i++)
        tell_target(notifier, g_ptr_array_index(names, i), body);
}

static void clear_count(gpointer data)
{
    g_free(((NotifyCount *)data)->name);
}

GArray *notify_counts(Notifier *notifier)
{
    GArray *counts = g_array_new(FALSE, FALSE, sizeof(NotifyCount));

    g_array_set_clear_func(counts, clear_count);
    g_mutex_lock(&notifier->mutex);
    for (guint i = 0; i < notifier->channels->len; i++) {
        Channel *channel = g_ptr_array_index(notifier->channels, i);
        const NotifyCount count = {g_strdup(channel->target->name), channel->sent, channel->failed,
                                   g_queue_get_length(&channel->waiting)};

        g_array_append_val(counts, count);
    }
    g_mutex_unlock(&notifier->mutex);
    return counts;
}

gboolean notify_test(const Config *config, const char *name, char **ret_answer, GError **error)
{
    const NotifyMessage message = {
        .kind = NOTIFY_FAILURE,
        .subject = "this is a test, nothing has happened",
        .text = "Somebody ran \"holdfast notify test\" to see whether messages arrive.\n"
                "They do.",
    };
    const char *const *names = config_notifies(config);
    g_autoptr(NotifyTarget) target = NULL;
    g_autofree char *body = notify_body(&message, TRUE);

    if (!g_strv_contains(names, name)) {
        const char *nearest = suggest_nearest(name, names);

        error_set(error, ERROR_NOT_FOUND, "the configuration has no [notify %s]", name);
        if (nearest != NULL)
            error_add_hint(error, "did you mean %s?", nearest);
        else
            error_add_hint(error, "describe it there: type, and a url or a command");
        return FALSE;
    }
    target = notify_target_new(config, name, error);
    return target != NULL && target->send(target, body, NULL, ret_answer, error);
}
