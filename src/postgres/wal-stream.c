/* SPDX-License-Identifier: Apache-2.0
 *
 * The streaming replication protocol over libpq.
 */
#include "postgres/wal-stream.h"

#include <poll.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"
#include "base/time.h"
#include "postgres/connection.h"
#include "postgres/wal-system.h"

#define DATA_HEADER      25
#define KEEPALIVE_LENGTH 18
#define STATUS_LENGTH    34
/* Microseconds between 1970 and 2000, where PostgreSQL's time begins. */
#define EPOCH_2000      (G_GINT64_CONSTANT(946684800) * TIME_SECOND)
#define CONNECT_TIMEOUT "10"

struct WalStream {
    PGconn *handle;
    char *message; /* of libpq, freed with the next one */
};

/* --- connection ------------------------------------------------------------------------------- */

void wal_stream_close(WalStream *stream)
{
    if (stream == NULL)
        return;
    if (stream->message != NULL)
        PQfreemem(stream->message);
    PQfinish(stream->handle);
    g_free(stream);
}

static char *one_line(const char *message)
{
    char *text = g_strstrip(g_strdup(message));

    return g_strdelimit(text, "\n", ' ');
}

static void set_connection_error(PGconn *handle, GError **error)
{
    g_autofree char *text = one_line(PQerrorMessage(handle));

    error_set(error, ERROR_UNREACHABLE, "replication connection: %s", text);
}

static void set_result_error(const WalStream *stream, const PGresult *result, GError **error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    ErrorCode code = ERROR_SERVER;

    if (primary == NULL) {
        set_connection_error(stream->handle, error);
        return;
    }
    if (g_strcmp0(state, "42501") == 0)
        code = ERROR_PRIVILEGE;
    else if (g_strcmp0(state, "42710") == 0)
        code = ERROR_EXISTS;
    else if (g_strcmp0(state, "42704") == 0)
        code = ERROR_NOT_FOUND;
    else if (g_strcmp0(state, "55006") == 0)
        code = ERROR_BUSY;
    else if (g_strcmp0(state, "58P01") == 0)
        code = ERROR_VANISHED;
    error_set(error, code, "the server says: %s", primary);
}

WalStream *wal_stream_open(const char *conninfo, GError **error)
{
    const char *const keywords[] = {"dbname",     "replication",     "fallback_application_name",
                                    "keepalives", "connect_timeout", "dbname",
                                    NULL};
    /* The first dbname is expanded as a connection string, the last one has the last word. */
    const char *const values[] = {conninfo,        "true",        "holdfast", "1",
                                  CONNECT_TIMEOUT, "replication", NULL};
    g_autoptr(WalStream) stream = g_new0(WalStream, 1);

    stream->handle = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(stream->handle) == CONNECTION_OK)
        return g_steal_pointer(&stream);
    set_connection_error(stream->handle, error);
    error_add_hint(
        error, "the role needs the REPLICATION attribute, and pg_hba.conf a line for replication");
    return NULL;
}

/* --- commands --------------------------------------------------------------------------------- */

static PGresult *command(WalStream *stream, const char *text, ExecStatusType expected,
                         GError **error)
{
    g_autoptr(PGresult) result = PQexec(stream->handle, text);

    if (PQresultStatus(result) == expected)
        return g_steal_pointer(&result);
    set_result_error(stream, result, error);
    return NULL;
}

static gboolean fail_answer(const char *what, GError **error)
{
    error_set(error, ERROR_SERVER, "the server's answer to %s cannot be understood", what);
    return FALSE;
}

/* "16MB" as SHOW prints it. */
static gboolean read_segment_size(WalStream *stream, guint32 *ret_size, GError **error)
{
    g_autoptr(PGresult) row = command(stream, "SHOW wal_segment_size", PGRES_TUPLES_OK, error);
    guint64 size;

    if (row == NULL)
        return FALSE;
    if (PQntuples(row) != 1 || !size_parse(PQgetvalue(row, 0, 0), &size, NULL) ||
        !wal_segment_size_valid(size))
        return fail_answer("SHOW wal_segment_size", error);
    *ret_size = (guint32)size;
    return TRUE;
}

gboolean wal_stream_identify(WalStream *stream, WalStreamSystem *ret_system, GError **error)
{
    g_autoptr(PGresult) row = command(stream, "IDENTIFY_SYSTEM", PGRES_TUPLES_OK, error);
    WalStreamSystem system = {0};
    guint64 timeline;

    if (row == NULL)
        return FALSE;
    if (PQntuples(row) != 1 || PQnfields(row) < 3 ||
        !wal_system_parse(PQgetvalue(row, 0, 0), &system.system_identifier) ||
        !g_ascii_string_to_unsigned(PQgetvalue(row, 0, 1), 10, 1, G_MAXUINT32, &timeline, NULL) ||
        !pg_lsn_parse(PQgetvalue(row, 0, 2), &system.position, NULL))
        return fail_answer("IDENTIFY_SYSTEM", error);
    system.timeline = (guint32)timeline;
    if (!read_segment_size(stream, &system.segment_size, error))
        return FALSE;
    *ret_system = system;
    return TRUE;
}

gboolean wal_stream_create_slot(WalStream *stream, const char *slot, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("CREATE_REPLICATION_SLOT \"%s\" PHYSICAL RESERVE_WAL", slot);
    g_autoptr(GError) problem = NULL;
    g_autoptr(PGresult) row = command(stream, text, PGRES_TUPLES_OK, &problem);

    if (row != NULL || error_is(problem, ERROR_EXISTS))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

gboolean wal_stream_drop_slot(WalStream *stream, const char *slot, GError **error)
{
    g_autofree char *text = g_strdup_printf("DROP_REPLICATION_SLOT \"%s\"", slot);
    g_autoptr(PGresult) result = command(stream, text, PGRES_COMMAND_OK, error);

    return result != NULL;
}

GBytes *wal_stream_history(WalStream *stream, guint32 timeline, GError **error)
{
    g_autofree char *text = g_strdup_printf("TIMELINE_HISTORY %u", timeline);
    g_autoptr(PGresult) row = command(stream, text, PGRES_TUPLES_OK, error);

    if (row == NULL)
        return NULL;
    if (PQntuples(row) != 1 || PQnfields(row) != 2 || PQgetlength(row, 0, 1) == 0) {
        (void)fail_answer(text, error);
        return NULL;
    }
    return g_bytes_new(PQgetvalue(row, 0, 1), (gsize)PQgetlength(row, 0, 1));
}

/* --- streaming -------------------------------------------------------------------------------- */

static void drain(WalStream *stream)
{
    PGresult *result;

    while ((result = PQgetResult(stream->handle)) != NULL)
        PQclear(result);
}

static gboolean read_switch(const PGresult *row, WalSwitch *ret_switch, GError **error)
{
    guint64 timeline;

    if (PQntuples(row) != 1 || PQnfields(row) < 2 ||
        !g_ascii_string_to_unsigned(PQgetvalue(row, 0, 0), 10, 1, G_MAXUINT32, &timeline, NULL) ||
        !pg_lsn_parse(PQgetvalue(row, 0, 1), &ret_switch->start, NULL))
        return fail_answer("START_REPLICATION", error);
    ret_switch->timeline = (guint32)timeline;
    return TRUE;
}

gboolean wal_stream_start(WalStream *stream, const char *slot, guint32 timeline, PgLsn start,
                          gboolean *ret_started, WalSwitch *ret_switch, GError **error)
{
    g_autofree char *lsn = pg_lsn_format(start);
    g_autofree char *text = g_strdup_printf("START_REPLICATION SLOT \"%s\" PHYSICAL %s TIMELINE %u",
                                            slot, lsn, timeline);
    g_autoptr(PGresult) result = PQexec(stream->handle, text);
    gboolean ended = PQresultStatus(result) == PGRES_TUPLES_OK;

    if (PQresultStatus(result) != PGRES_COPY_BOTH && !ended) {
        set_result_error(stream, result, error);
        return FALSE;
    }
    if (ended && !read_switch(result, ret_switch, error))
        return FALSE;
    if (ended)
        drain(stream);
    *ret_started = !ended;
    return TRUE;
}

static guint64 get64(const guint8 *at)
{
    guint64 value;

    memcpy(&value, at, sizeof value);
    return GUINT64_FROM_BE(value);
}

static void put64(guint8 *at, guint64 value)
{
    value = GUINT64_TO_BE(value);
    memcpy(at, &value, sizeof value);
}

/* Waits for the socket or a cancel, then takes in what came. */
static gboolean wait_for_input(WalStream *stream, guint milliseconds, GCancellable *cancellable,
                               GError **error)
{
    struct pollfd fds[2] = {{.fd = PQsocket(stream->handle), .events = POLLIN}, {.fd = -1}};
    GPollFD cancel_fd;
    gboolean watching = cancellable != NULL && g_cancellable_make_pollfd(cancellable, &cancel_fd);

    if (watching)
        fds[1] = (struct pollfd){.fd = cancel_fd.fd, .events = POLLIN};
    (void)poll(fds, G_N_ELEMENTS(fds), (int)milliseconds);
    if (watching)
        g_cancellable_release_fd(cancellable);
    if (fds[0].revents != 0 && PQconsumeInput(stream->handle) == 0) {
        set_connection_error(stream->handle, error);
        return FALSE;
    }
    return TRUE;
}

static gboolean take_message(const guint8 *message, gsize length, WalStreamEvent *ret_event,
                             WalStreamMessage *ret_message, GError **error)
{
    if (message[0] == 'k' && length >= KEEPALIVE_LENGTH) {
        *ret_event = WAL_STREAM_NOTHING;
        *ret_message = (WalStreamMessage){.reply = message[17] != 0};
        return TRUE;
    }
    if (message[0] == 'w' && length > DATA_HEADER) {
        *ret_event = WAL_STREAM_DATA;
        *ret_message = (WalStreamMessage){.start = get64(message + 1),
                                          .bytes = message + DATA_HEADER,
                                          .length = length - DATA_HEADER};
        return TRUE;
    }
    error_set(error, ERROR_SERVER, "the server sent a message that is none of replication");
    return FALSE;
}

gboolean wal_stream_next(WalStream *stream, guint milliseconds, GCancellable *cancellable,
                         WalStreamEvent *ret_event, WalStreamMessage *ret_message, GError **error)
{
    int length;

    for (guint i = 0; i < 2; i++) {
        if (stream->message != NULL)
            PQfreemem(stream->message);
        stream->message = NULL;
        length = PQgetCopyData(stream->handle, &stream->message, 1);
        if (length != 0 || i > 0)
            break;
        if (!wait_for_input(stream, milliseconds, cancellable, error))
            return FALSE;
    }
    *ret_message = (WalStreamMessage){0};
    if (length == -2) {
        set_connection_error(stream->handle, error);
        return FALSE;
    }
    if (length <= 0) {
        *ret_event = length == 0 ? WAL_STREAM_NOTHING : WAL_STREAM_END;
        return TRUE;
    }
    return take_message((const guint8 *)stream->message, (gsize)length, ret_event, ret_message,
                        error);
}

gboolean wal_stream_confirm(WalStream *stream, PgLsn written, PgLsn durable, gboolean ask,
                            GError **error)
{
    guint8 message[STATUS_LENGTH] = {'r'};

    put64(message + 1, written);
    put64(message + 9, durable);
    put64(message + 25, (guint64)(time_now() - EPOCH_2000));
    message[33] = ask;
    if (PQputCopyData(stream->handle, (const char *)message, sizeof message) == 1 &&
        PQflush(stream->handle) >= 0)
        return TRUE;
    set_connection_error(stream->handle, error);
    return FALSE;
}

gboolean wal_stream_finish(WalStream *stream, WalSwitch *ret_switch, GError **error)
{
    g_autoptr(PGresult) result = NULL;
    WalSwitch next = {0};

    if (PQputCopyEnd(stream->handle, NULL) != 1 || PQflush(stream->handle) < 0) {
        set_connection_error(stream->handle, error);
        return FALSE;
    }
    /* The server may still send what it had on the way. */
    do {
        g_clear_pointer(&result, PQclear);
        if (stream->message != NULL)
            PQfreemem(stream->message);
        stream->message = NULL;
        while (PQgetCopyData(stream->handle, &stream->message, 0) > 0) {
            PQfreemem(stream->message);
            stream->message = NULL;
        }
        result = PQgetResult(stream->handle);
    } while (PQresultStatus(result) == PGRES_COPY_IN || PQresultStatus(result) == PGRES_COPY_BOTH ||
             PQresultStatus(result) == PGRES_COPY_OUT);
    if (PQresultStatus(result) == PGRES_TUPLES_OK && !read_switch(result, &next, error))
        return FALSE;
    if (result != NULL && PQresultStatus(result) != PGRES_TUPLES_OK &&
        PQresultStatus(result) != PGRES_COMMAND_OK) {
        set_result_error(stream, result, error);
        return FALSE;
    }
    drain(stream);
    *ret_switch = next;
    return TRUE;
}
