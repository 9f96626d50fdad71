/* SPDX-License-Identifier: Apache-2.0
 *
 * What is watched: the stream of events, the metrics.
 */
#include "service/rest.h"

#include "base/error.h"
#include "service/metrics.h"

/* A stream: its reader in the log, and the connection's waker. */
typedef struct {
    EventReader *reader;
    Waker *waker;
} Stream;

static gssize read_events(gpointer data, char *buffer, gsize size)
{
    return event_reader_read(((Stream *)data)->reader, buffer, size);
}

static void wake_stream(gpointer data)
{
    waker_wake(((Stream *)data)->waker);
}

static void stream_free(gpointer data)
{
    Stream *stream = data;

    event_reader_free(stream->reader);
    waker_unref(stream->waker);
    g_free(stream);
}

gboolean rest_events(Api *api, Request *request, Response *response, GError **error)
{
    static const char *const known[] = {"last_event_id", NULL};
    const char *last = request_header(request, "last-event-id");
    guint64 id = 0;
    EventReader *reader;
    Stream *stream;

    if (!request_check_query(request, known, error))
        return FALSE;
    /* A browser cannot set the header of its first request. */
    if (last == NULL)
        last = request_query(request, "last_event_id");
    if (last != NULL && !g_ascii_string_to_unsigned(last, 10, 0, G_MAXINT64, &id, NULL)) {
        error_set(error, ERROR_USAGE, "Last-Event-ID is no id of an event");
        return FALSE;
    }
    reader = event_reader_new(monitor_events(api_monitor(api)), last != NULL, id);
    if (reader == NULL) {
        g_autoptr(GError) problem = NULL;

        error_set(&problem, ERROR_LIMIT, "there are too many streams of events already");
        response_problem_status(response, 503, problem);
        return TRUE;
    }
    stream = g_new0(Stream, 1);
    stream->reader = reader;
    stream->waker =
        waker_ref(response_stream(response, "text/event-stream", read_events, stream, stream_free));
    event_reader_watch(reader, wake_stream, stream);
    response_set_header(response, "Cache-Control", "no-store");
    response_set_header(response, "X-Accel-Buffering", "no");
    return TRUE;
}

gboolean rest_metrics(Api *api, Request *request, Response *response, GError **error)
{
    g_autofree char *text = monitor_metrics(api_monitor(api));

    response_text(response, 200, METRICS_CONTENT_TYPE, text);
    return TRUE;
}
