/* SPDX-License-Identifier: Apache-2.0
 *
 * Jobs become events and messages.
 */
#include "service/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

#define BATCH 100
/* A job that ended longer ago, while no service ran, is no news. */
#define NEWS_LIMIT TIME_DAY
/* How often a failure that stays is told. */
#define REMIND_AFTER TIME_DAY
/* Of a job's log, at one time. */
#define LOG_BYTES 16384

/* An active job. */
typedef struct {
    char *state;
    char *log;    /* path, or NULL: it has none */
    off_t offset; /* up to which the log was read */
} Known;

struct Feed {
    Jobs *jobs;
    Catalog *catalog;
    Events *events;
    Notifier *notifier;
    FeedFunc ended;
    gpointer data;
    GHashTable *known; /* id to Known */
    GHashTable *told;  /* ids that were told, but could not be marked so: a disk is full */
};

static void known_free(gpointer data)
{
    Known *known = data;

    g_free(known->state);
    g_free(known->log);
    g_free(known);
}

/* --- warnings --------------------------------------------------------------------------------- */

/* "2026-11-22T02:00:00Z warning: text" */
static void tell_line(Feed *feed, const json_t *job, const char *line)
{
    static const char *const levels[] = {"warning", "error"};
    const char *rest = strchr(line, ' ');

    for (guint i = 0; rest != NULL && i < G_N_ELEMENTS(levels); i++) {
        gsize length = strlen(levels[i]);
        json_t *event;

        if (strncmp(rest + 1, levels[i], length) != 0 || rest[1 + length] != ':')
            continue;
        event = json_object();
        json_object_set(event, "job", json_object_get(job, "id"));
        json_object_set(event, "operation", json_object_get(job, "operation"));
        json_object_set(event, "source", json_object_get(job, "source"));
        json_object_set_new(event, "level", json_text(levels[i]));
        json_object_set_new(event, "text", json_text(g_strchug((char *)rest + length + 2)));
        events_add(feed->events, "warning", event, NULL);
        return;
    }
}

/* The whole lines that have come to the job's log. */
static void follow_log(Feed *feed, const json_t *job, Known *known)
{
    g_autofree char *bytes = g_malloc(LOG_BYTES + 1);
    FILE_AUTO_FD fd = known->log != NULL ? open(known->log, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? pread(fd, bytes, LOG_BYTES, known->offset) : -1;
    char *line = bytes;
    char *end;

    if (got <= 0)
        return;
    bytes[got] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        tell_line(feed, job, line);
        line = end + 1;
    }
    /* A line that is longer than all of it is passed over. */
    known->offset += line == bytes && got == LOG_BYTES ? got : line - bytes;
}

/* --- jobs that go on -------------------------------------------------------------------------- */

static off_t size_of(const char *path)
{
    FILE_AUTO_FD fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    return fd >= 0 ? MAX(lseek(fd, 0, SEEK_END), 0) : 0;
}

static Known *known_job(Feed *feed, const json_t *job)
{
    const char *id = json_get_string(job, "id", "");
    Known *known = g_hash_table_lookup(feed->known, id);

    if (known != NULL)
        return known;
    known = g_new0(Known, 1);
    known->log = g_strdup(json_get_string(job, "log", NULL));
    /* What a job wrote before this service was there was told by the one before. */
    if (strcmp(json_get_string(job, "state", ""), "queued") != 0)
        known->offset = size_of(known->log);
    g_hash_table_insert(feed->known, g_strdup(id), known);
    return known;
}

static void tell_progress(Feed *feed, const json_t *job)
{
    json_t *event = json_object();

    json_object_set(event, "job", json_object_get(job, "id"));
    json_object_set(event, "operation", json_object_get(job, "operation"));
    json_object_set(event, "source", json_object_get(job, "source"));
    json_object_set(event, "progress", json_object_get(job, "progress"));
    events_add(feed->events, "progress", event, json_get_string(job, "id", ""));
}

static void on_job(const json_t *job, gpointer data)
{
    Feed *feed = data;
    const char *state = json_get_string(job, "state", "");
    Known *known;

    if (jobs_state_is_final(state)) {
        feed_look(feed);
        return;
    }
    known = known_job(feed, job);
    if (g_strcmp0(known->state, state) != 0) {
        g_free(known->state);
        known->state = g_strdup(state);
        events_add(feed->events, "job", json_deep_copy(job), NULL);
    } else if (json_is_object(json_object_get(job, "progress"))) {
        tell_progress(feed, job);
    }
    follow_log(feed, job, known);
}

/* --- jobs that have ended --------------------------------------------------------------------- */

gboolean feed_is_news(const char *kept, const char *code, gint64 now, char **ret_kept)
{
    g_auto(GStrv) parts = kept != NULL ? g_strsplit(kept, " ", 2) : NULL;
    const char *kind = code != NULL ? code : "unknown";

    if (parts != NULL && g_strv_length(parts) == 2 && strcmp(parts[1], kind) == 0) {
        gint64 told = g_ascii_strtoll(parts[0], NULL, 10);

        /* A clock that went back must not silence it. */
        if (told <= now && now - told < REMIND_AFTER)
            return FALSE;
    }
    *ret_kept = g_strdup_printf("%" G_GINT64_FORMAT " %s", now, kind);
    return TRUE;
}

static void tell(Feed *feed, NotifyKind kind, const CatalogJob *job, const json_t *details)
{
    gboolean failed = kind == NOTIFY_FAILURE;
    g_autofree char *subject =
        g_strdup_printf("%s%s%s %s", job->operation, job->source != NULL ? " of " : "",
                        job->source != NULL ? job->source : "",
                        failed ? strcmp(job->state, "lost") == 0 ? "was lost" : "failed"
                               : "succeeded");
    g_autofree char *ended = time_format(job->ended);
    GString *text = g_string_new(NULL);
    NotifyMessage message = {.kind = kind,
                             .source = job->source,
                             .operation = job->operation,
                             .subject = subject,
                             .details = details};

    if (failed && job->message != NULL)
        g_string_append_printf(text, "%s\n\n", job->message);
    g_string_append_printf(text, "Job %s, ended %s.\n", job->id, ended);
    if (failed && job->command != NULL)
        g_string_append_printf(text, "Its log: holdfast job log %s\n", job->id);
    message.text = text->str;
    notify_tell(feed->notifier, &message);
    g_string_free(text, TRUE);
}

/* Tells a failure if it is news; a success ends the row of failures. */
static void notify_job(Feed *feed, const CatalogJob *job, const json_t *details)
{
    g_autofree char *key = g_strdup_printf("told failure %s %s", job->operation,
                                           job->source != NULL ? job->source : "");
    g_autofree char *before = NULL;
    g_autofree char *kept = NULL;
    g_autoptr(GError) problem = NULL;
    gboolean succeeded = strcmp(job->state, "succeeded") == 0;
    gboolean news;

    if (strcmp(job->state, "cancelled") == 0)
        return;
    if (!catalog_setting_get(feed->catalog, key, &before, &problem))
        log_write(LOG_WARNING, "%s", problem->message);
    g_clear_error(&problem);
    news = succeeded || feed_is_news(before, strcmp(job->state, "lost") == 0 ? "lost" : job->code,
                                     time_now(), &kept);
    /* Written down only after it was handed over: rather twice than never. */
    if (news)
        tell(feed, succeeded ? NOTIFY_SUCCESS : NOTIFY_FAILURE, job, details);
    if (news && (kept != NULL || before != NULL) &&
        !catalog_setting_set(feed->catalog, key, kept, &problem))
        log_write(LOG_WARNING, "%s", problem->message);
}

static gboolean tell_end(Feed *feed, const CatalogJob *job, GError **error)
{
    g_autoptr(json_t) json = NULL;
    Known *known = g_hash_table_lookup(feed->known, job->id);

    if (time_now() - job->ended < NEWS_LIMIT && !g_hash_table_contains(feed->told, job->id)) {
        json = jobs_describe(feed->jobs, job);
        if (known != NULL)
            follow_log(feed, json, known);
        notify_job(feed, job, json);
    }
    events_forget(feed->events, job->id);
    g_hash_table_remove(feed->known, job->id);
    if (json != NULL)
        events_add(feed->events, "job", g_steal_pointer(&json), NULL);
    if (!catalog_job_told(feed->catalog, job->id, error)) {
        g_hash_table_add(feed->told, g_strdup(job->id));
        return FALSE;
    }
    g_hash_table_remove(feed->told, job->id);
    return TRUE;
}

void feed_look(Feed *feed)
{
    g_autoptr(GError) problem = NULL;
    gboolean any = FALSE;
    guint count;

    do {
        g_autoptr(GPtrArray) ended = NULL;

        if (!catalog_jobs_untold(feed->catalog, BATCH, &ended, &problem))
            break;
        count = ended->len;
        any = any || count > 0;
        for (guint i = 0; i < count && problem == NULL; i++) {
            if (!tell_end(feed, g_ptr_array_index(ended, i), &problem))
                break;
        }
    } while (problem == NULL && count == BATCH);
    if (problem != NULL)
        log_write(LOG_WARNING, "ended jobs are not told: %s", problem->message);
    if (any && feed->ended != NULL)
        feed->ended(feed->data);
}

Feed *feed_new(Jobs *jobs, Catalog *catalog, Events *events, Notifier *notifier, FeedFunc ended,
               gpointer data)
{
    Feed *feed = g_new0(Feed, 1);

    feed->jobs = jobs;
    feed->catalog = catalog;
    feed->events = events;
    feed->notifier = notifier;
    feed->ended = ended;
    feed->data = data;
    feed->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
    feed->told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    jobs_watch(jobs, on_job, feed);
    return feed;
}

void feed_free(Feed *feed)
{
    if (feed == NULL)
        return;
    g_hash_table_unref(feed->known);
    g_hash_table_unref(feed->told);
    g_free(feed);
}
