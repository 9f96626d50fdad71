/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests on their way from libmicrohttpd to a handler and back.
 *
 * A connection rests (is "suspended") while a worker has its request; libmicrohttpd does not touch
 * it then. It calls answer() again when the worker resumes it.
 */
#include "service/http.h"

#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/listen.h"
#include "service/tls.h"

#define HEADER_MEMORY (16 * 1024)
#define HEADER_LIMIT  64
#define STREAM_BLOCK  (16 * 1024)
#define WORKERS       4
/* So long a client that waits has to take its answer when the server stops. */
#define FAREWELL (2 * TIME_SECOND)
/* Of a body that is too large so much is read and thrown away, so that the answer is heard. */
#define DISCARD_LIMIT (1024 * 1024)

typedef struct {
    Http *http;
    Listener *listener;
    struct MHD_Daemon *daemon;
} Port;

struct Http {
    HttpHandler handler;
    gpointer data;
    GPtrArray *ports;     /* Port */
    GPtrArray *addresses; /* char *, and a NULL */
    Tls *tls;
    GThreadPool *workers;    /* for requests that are answered from here */
    GThreadPool *far;        /* for those that ask other servers */
    GMutex mutex;            /* guards all below */
    GHashTable *connections; /* set of Connection */
    GQueue parked;           /* Exchange, suspended */
    GHashTable *streams;     /* set of Exchange */
    guint owed;              /* requests that are worked on, parked, or not yet answered */
    gboolean closing;        /* nothing new is taken, nobody is held back */
    gboolean stopping;       /* nothing is answered any more */
};

/* A socket. */
typedef struct {
    int fd;
    gint64 since; /* monotonic: when it had to begin to be quick; 0: it need not be */
} Connection;

typedef enum { STAGE_TARGET, STAGE_BODY, STAGE_WORK, STAGE_DONE } Stage;

/* A request and its answer. */
typedef struct {
    Port *port;
    struct MHD_Connection *connection;
    char *target;
    Request *request;
    Response *response;
    GByteArray *body;
    guint64 received;
    Stage stage;
    gboolean owed; /* counted in Http.owed */
} Exchange;

/* --- exchanges -------------------------------------------------------------------------------- */

static void exchange_free(Exchange *exchange)
{
    g_free(exchange->target);
    request_free(exchange->request);
    response_free(exchange->response);
    g_byte_array_unref(exchange->body);
    g_free(exchange);
}

/* The first thing that libmicrohttpd does with a request: path and query as they came. */
static void *take_target(void *data, const char *target, struct MHD_Connection *connection)
{
    Exchange *exchange = g_new0(Exchange, 1);

    exchange->port = data;
    exchange->connection = connection;
    exchange->target = g_strdup(target);
    exchange->response = response_new();
    exchange->body = g_byte_array_new();
    return exchange;
}

/* Path and query are decoded by request_new(), once. */
static size_t leave_escaped(void *data, struct MHD_Connection *connection, char *text)
{
    return strlen(text);
}

static void set_since(Http *http, struct MHD_Connection *connection, gint64 since)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    g_mutex_lock(&http->mutex);
    if (info != NULL && info->socket_context != NULL)
        ((Connection *)info->socket_context)->since = since;
    g_mutex_unlock(&http->mutex);
}

static void on_completed(void *data, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    Exchange *exchange = *context;
    Http *http = data;

    if (exchange == NULL)
        return;
    g_mutex_lock(&http->mutex);
    g_hash_table_remove(http->streams, exchange);
    http->owed -= exchange->owed;
    g_mutex_unlock(&http->mutex);
    if (exchange->response->waker != NULL)
        waker_unbind(exchange->response->waker);
    set_since(http, connection, time_monotonic());
    exchange_free(exchange);
    *context = NULL;
}

static void on_connection(void *data, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    Http *http = ((Port *)data)->http;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    Connection *entry = *context;

    g_mutex_lock(&http->mutex);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        entry = g_new0(Connection, 1);
        entry->fd = info != NULL ? info->connect_fd : -1;
        entry->since = time_monotonic();
        g_hash_table_add(http->connections, entry);
        *context = entry;
    } else if (entry != NULL) {
        g_hash_table_remove(http->connections, entry);
        *context = NULL;
    }
    g_mutex_unlock(&http->mutex);
}

/* --- the answer ------------------------------------------------------------------------------- */

static void pause_connection(gpointer connection)
{
    MHD_suspend_connection(connection);
}

static void resume_connection(gpointer connection)
{
    MHD_resume_connection(connection);
}

static gboolean is_stopping(Http *http)
{
    gboolean stopping;

    g_mutex_lock(&http->mutex);
    stopping = http->stopping;
    g_mutex_unlock(&http->mutex);
    return stopping;
}

static ssize_t read_stream(void *data, uint64_t position, char *buffer, size_t size)
{
    Exchange *exchange = data;
    Response *response = exchange->response;
    gssize length;

    do {
        /* In this order: a server that stops wakes all streams once. */
        waker_arm(response->waker);
        if (is_stopping(exchange->port->http))
            return MHD_CONTENT_READER_END_OF_STREAM;
        length = response->read(response->data, buffer, size);
    } while (length == 0 && !waker_sleep(response->waker));
    return length >= 0 ? length : MHD_CONTENT_READER_END_OF_STREAM;
}

static struct MHD_Response *make_response(Exchange *exchange)
{
    Response *response = exchange->response;
    gsize length = 0;
    const void *bytes = response->body != NULL ? g_bytes_get_data(response->body, &length) : NULL;
    struct MHD_Response *answer;

    if (response->read == NULL) {
        answer = MHD_create_response_from_buffer(length, (void *)bytes, MHD_RESPMEM_MUST_COPY);
    } else {
        Http *http = exchange->port->http;

        g_mutex_lock(&http->mutex);
        g_hash_table_add(http->streams, exchange);
        http->owed -= exchange->owed; /* a stream has no end to wait for */
        exchange->owed = FALSE;
        g_mutex_unlock(&http->mutex);
        waker_bind(response->waker, exchange->connection, pause_connection, resume_connection);
        answer = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream,
                                                   exchange, NULL);
    }
    for (guint i = 0; answer != NULL && i < response->header->len; i += 2)
        (void)MHD_add_response_header(answer, response->header->pdata[i],
                                      response->header->pdata[i + 1]);
    return answer;
}

static enum MHD_Result send_answer(Exchange *exchange)
{
    struct MHD_Response *answer = make_response(exchange);
    enum MHD_Result result;

    if (answer == NULL)
        return MHD_NO;
    exchange->stage = STAGE_DONE;
    set_since(exchange->port->http, exchange->connection,
              exchange->response->read == NULL ? time_monotonic() : 0);
    result = MHD_queue_response(exchange->connection, exchange->response->status, answer);
    MHD_destroy_response(answer);
    return result;
}

/* --- the request ------------------------------------------------------------------------------ */

typedef struct {
    Request *request;
    guint count;
} HeaderTaking;

static enum MHD_Result take_header(void *data, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    HeaderTaking *taking = data;

    if (++taking->count > HEADER_LIMIT)
        return MHD_NO;
    request_set_header(taking->request, name, value != NULL ? value : "");
    return MHD_YES;
}

/* Who is at the other end, as far as the socket tells. */
static gboolean take_client(Exchange *exchange, GError **error)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    uid_t uid;

    if (exchange->port->listener->local) {
        exchange->request->address = g_strdup("unix");
        if (!listen_peer_uid(info->connect_fd, &uid, error))
            return FALSE;
        exchange->request->who = g_strdup_printf("uid:%u", uid);
        /* The service's own user could do all of it without the service. */
        exchange->request->role = uid == 0 || uid == geteuid() ? ROLE_ADMIN : ROLE_NONE;
        return TRUE;
    }
    if (getpeername(info->connect_fd, (struct sockaddr *)&address, &length) != 0)
        length = 0;
    exchange->request->address =
        listen_client_address(length > 0 ? (struct sockaddr *)&address : NULL, length);
    return TRUE;
}

static gboolean read_head(Exchange *exchange, const char *method, GError **error)
{
    HeaderTaking taking = {0};

    exchange->request = request_new(method, exchange->target, error);
    if (exchange->request == NULL)
        return FALSE;
    taking.request = exchange->request;
    (void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, take_header, &taking);
    if (taking.count > HEADER_LIMIT) {
        error_set(error, ERROR_USAGE, "the request has more than %d headers", HEADER_LIMIT);
        return FALSE;
    }
    return take_client(exchange, error);
}

/* The length that the client promises is refused at once where it is too much. */
static gboolean check_length(Exchange *exchange, GError **error)
{
    const char *text = request_header(exchange->request, "content-length");
    guint64 length;

    if (text == NULL || (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &length, NULL) &&
                         length <= REQUEST_BODY_LIMIT))
        return TRUE;
    error_set(error, ERROR_LIMIT, "the body is larger than %d bytes", REQUEST_BODY_LIMIT);
    return FALSE;
}

static enum MHD_Result begin(Exchange *exchange, const char *method)
{
    Http *http = exchange->port->http;
    g_autoptr(GError) problem = NULL;

    exchange->stage = STAGE_BODY;
    set_since(http, exchange->connection, time_monotonic());
    if (!read_head(exchange, method, &problem)) {
        response_problem(exchange->response, problem);
        return send_answer(exchange);
    }
    if (!http->handler.admit(exchange->request, exchange->response, http->data))
        return send_answer(exchange);
    if (!check_length(exchange, &problem)) {
        response_problem(exchange->response, problem);
        return send_answer(exchange);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(Exchange *exchange, const char *bytes, size_t *size)
{
    exchange->received += *size;
    if (exchange->received > DISCARD_LIMIT)
        return MHD_NO;
    if (exchange->received <= REQUEST_BODY_LIMIT)
        g_byte_array_append(exchange->body, (const guint8 *)bytes, (guint)*size);
    *size = 0;
    return MHD_YES;
}

/* --- work ------------------------------------------------------------------------------------- */

/* TRUE where the exchange has found its place: it is parked, or goes on to be answered. */
static gboolean place(Http *http, Exchange *exchange, gboolean answered)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&http->mutex);

    if (answered)
        MHD_resume_connection(exchange->connection);
    else if (!http->closing)
        g_queue_push_tail(&http->parked, exchange);
    return answered || !http->closing;
}

static void work(gpointer data, gpointer user_data)
{
    Exchange *exchange = data;
    Http *http = user_data;

    while (!place(http, exchange,
                  http->handler.handle(exchange->request, exchange->response, http->data)))
        exchange->request->deadline = 1; /* over */
}

/* The whole request is there. */
static enum MHD_Result hand_over(Exchange *exchange)
{
    Http *http = exchange->port->http;
    g_autoptr(GError) problem = NULL;
    gboolean closing, far;

    if (exchange->received > REQUEST_BODY_LIMIT) {
        error_set(&problem, ERROR_LIMIT, "the body is larger than %d bytes", REQUEST_BODY_LIMIT);
        response_problem(exchange->response, problem);
        return send_answer(exchange);
    }
    if (!request_set_body(exchange->request, (const char *)exchange->body->data,
                          exchange->body->len, &problem)) {
        response_problem(exchange->response, problem);
        return send_answer(exchange);
    }
    exchange->stage = STAGE_WORK;
    set_since(http, exchange->connection, 0);
    far = http->handler.is_far(exchange->request);
    g_mutex_lock(&http->mutex);
    closing = http->closing;
    if (!closing) {
        MHD_suspend_connection(exchange->connection);
        exchange->owed = TRUE;
        http->owed++;
        g_thread_pool_push(far ? http->far : http->workers, exchange, NULL);
    }
    g_mutex_unlock(&http->mutex);
    return closing ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(void *data, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *bytes,
                              size_t *size, void **context)
{
    Exchange *exchange = *context;

    if (exchange == NULL || is_stopping(exchange->port->http))
        return MHD_NO;
    switch (exchange->stage) {
    case STAGE_TARGET:
        return begin(exchange, method);
    case STAGE_BODY:
        return *size > 0 ? take_body(exchange, bytes, size) : hand_over(exchange);
    case STAGE_WORK:
        return send_answer(exchange);
    case STAGE_DONE:
        break;
    }
    *size = 0;
    return MHD_YES;
}

/* --- the server ------------------------------------------------------------------------------- */

static void log_message(void *data, const char *format, va_list arguments)
{
    g_autofree char *text = g_strdup_vprintf(format, arguments);

    log_write(LOG_DEBUG, "http: %s", g_strchomp(text));
}

static gboolean start_port(Http *http, Port *port, GError **error)
{
    unsigned int flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC;
    gboolean secure = http->tls != NULL && !port->listener->local;
    const struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)tls_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

    port->daemon = MHD_start_daemon(
        flags | (secure ? MHD_USE_TLS : 0), 0, NULL, NULL, answer, port, MHD_OPTION_EXTERNAL_LOGGER,
        log_message, NULL, MHD_OPTION_LISTEN_SOCKET, port->listener->fd,
        MHD_OPTION_URI_LOG_CALLBACK, take_target, port, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, port, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTION_LIMIT,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, secure ? tls : none, MHD_OPTION_END);
    if (port->daemon == NULL) {
        error_set(error, ERROR_INTERNAL, "cannot serve on %s", port->listener->address);
        return FALSE;
    }
    port->listener->fd = -1; /* the daemon's now */
    return TRUE;
}

static void port_free(gpointer data)
{
    Port *port = data;

    if (port->daemon != NULL)
        MHD_stop_daemon(port->daemon);
    listener_free(port->listener);
    g_free(port);
}

static gboolean check_certificate(const HttpSettings *settings, GError **error)
{
    const char *given = settings->tls_certificate, *key = settings->tls_key;

    if (given == NULL && key == NULL)
        return TRUE;
    if (given != NULL && key != NULL)
        return tls_check(given, key, error);
    error_set(error, ERROR_CONFIG, "[server] has %s and no %s",
              given != NULL ? "tls_certificate" : "tls_key",
              given != NULL ? "tls_key" : "tls_certificate");
    error_add_hint(error, "name both files, or neither");
    return FALSE;
}

/* Beyond loopback anybody may come, and listen on the way. */
static gboolean check_exposure(const HttpSettings *settings, const char *address, GError **error)
{
    gboolean secure = settings->tls_certificate != NULL;
    gboolean loopback;

    if (!listen_is_loopback(address, &loopback, error))
        return FALSE;
    if (loopback || (secure && settings->tokens))
        return TRUE;
    error_set(error, ERROR_CONFIG,
              "[server] listen: %s is reached by other hosts, and there is no %s", address,
              secure ? "token" : "certificate");
    error_add_hint(error,
                   secure ? "make one: holdfast token add NAME --role viewer"
                          : "set tls_certificate and tls_key in [server], or listen on 127.0.0.1");
    return FALSE;
}

gboolean http_check(const HttpSettings *settings, GError **error)
{
    if (!check_certificate(settings, error))
        return FALSE;
    for (guint i = 0; settings->listen[i] != NULL; i++) {
        if (!check_exposure(settings, settings->listen[i], error))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_port(Http *http, const char *address, GError **error)
{
    Port *port = g_new0(Port, 1);

    port->http = http;
    g_ptr_array_add(http->ports, port);
    port->listener = listener_open(address, error);
    if (port->listener == NULL || !start_port(http, port, error))
        return FALSE;
    g_ptr_array_add(http->addresses, g_strdup(port->listener->address));
    return TRUE;
}

Http *http_start(const HttpSettings *settings, const HttpHandler *handler, gpointer data,
                 GError **error)
{
    Http *http;
    gboolean result = TRUE;

    if (!http_check(settings, error))
        return NULL;
    http = g_new0(Http, 1);
    g_mutex_init(&http->mutex);
    http->handler = *handler;
    http->data = data;
    http->ports = g_ptr_array_new_with_free_func(port_free);
    http->addresses = g_ptr_array_new_with_free_func(g_free);
    http->connections = g_hash_table_new_full(NULL, NULL, g_free, NULL);
    http->streams = g_hash_table_new(NULL, NULL);
    http->workers = g_thread_pool_new(work, http, WORKERS, FALSE, NULL);
    http->far = g_thread_pool_new(work, http, WORKERS, FALSE, NULL);
    g_queue_init(&http->parked);
    if (settings->tls_certificate != NULL) {
        http->tls = tls_new(settings->tls_certificate, settings->tls_key, error);
        result = http->tls != NULL;
    }
    for (guint i = 0; result && settings->listen[i] != NULL; i++)
        result = add_port(http, settings->listen[i], error);
    if (!result) {
        http_stop(http);
        return NULL;
    }
    g_ptr_array_add(http->addresses, NULL);
    return http;
}

static gboolean owes(Http *http)
{
    gboolean owed;

    g_mutex_lock(&http->mutex);
    owed = http->owed > 0;
    g_mutex_unlock(&http->mutex);
    return owed;
}

/* Whoever waits for a job gets it as it is; what is being worked on comes to its end. */
static void answer_all(Http *http)
{
    gint64 end;

    g_mutex_lock(&http->mutex);
    http->closing = TRUE;
    while (!g_queue_is_empty(&http->parked))
        g_thread_pool_push(http->workers, g_queue_pop_head(&http->parked), NULL);
    g_mutex_unlock(&http->mutex);
    g_thread_pool_free(http->far, FALSE, TRUE);
    g_thread_pool_free(http->workers, FALSE, TRUE);
    end = time_monotonic() + FAREWELL;
    while (owes(http) && time_monotonic() < end)
        g_usleep(TIME_SECOND / 100);
}

/* With the mutex held: every connection goes on and finds that all is over. */
static void release_all(Http *http)
{
    GHashTableIter iterator;
    gpointer key;

    http->stopping = TRUE;
    g_hash_table_iter_init(&iterator, http->streams);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        waker_wake(((Exchange *)key)->response->waker);
    g_hash_table_iter_init(&iterator, http->connections);
    while (g_hash_table_iter_next(&iterator, &key, NULL))
        (void)shutdown(((Connection *)key)->fd, SHUT_RDWR);
}

void http_stop(Http *http)
{
    if (http == NULL)
        return;
    answer_all(http);
    g_mutex_lock(&http->mutex);
    release_all(http);
    g_mutex_unlock(&http->mutex);
    g_ptr_array_unref(http->ports);
    tls_free(http->tls);
    g_ptr_array_unref(http->addresses);
    g_hash_table_unref(http->connections);
    g_hash_table_unref(http->streams);
    g_mutex_clear(&http->mutex);
    g_free(http);
}

void http_tick(Http *http)
{
    gint64 limit = time_monotonic() - HTTP_REQUEST_SECONDS * TIME_SECOND;
    GHashTableIter iterator;
    gpointer key;

    g_mutex_lock(&http->mutex);
    while (!g_queue_is_empty(&http->parked))
        g_thread_pool_push(http->workers, g_queue_pop_head(&http->parked), NULL);
    g_hash_table_iter_init(&iterator, http->connections);
    while (g_hash_table_iter_next(&iterator, &key, NULL)) {
        Connection *connection = key;

        /* Its thread sees the end and closes it. */
        if (connection->since != 0 && connection->since < limit)
            (void)shutdown(connection->fd, SHUT_RDWR);
    }
    g_mutex_unlock(&http->mutex);
}

gboolean http_reload(Http *http, const char *tls_certificate, const char *tls_key, GError **error)
{
    return http->tls == NULL || tls_reload(http->tls, tls_certificate, tls_key, error);
}

const char *const *http_addresses(const Http *http)
{
    return (const char *const *)http->addresses->pdata;
}
