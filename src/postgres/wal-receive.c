/* SPDX-License-Identifier: Apache-2.0
 *
 * Streaming WAL from a server into the archive.
 */
#include "postgres/wal-receive.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "postgres/connection.h"
#include "postgres/wal-archive.h"
#include "postgres/wal-history.h"
#include "postgres/wal-list.h"
#include "postgres/wal-stream.h"
#include "postgres/wal-system.h"

/* The longest that a byte waits before it is written to the repository. */
#define PIECE_DELAY TIME_SECOND
/* Pieces of a segment, before one from its start takes their place. */
#define PIECE_LIMIT 64
/* The server hears from us at least so often, and we from it. */
#define STATUS_INTERVAL (10 * TIME_SECOND)
#define SILENCE_LIMIT   (60 * TIME_SECOND)
#define PAUSE_MIN       TIME_SECOND
#define PAUSE_MAX       (30 * TIME_SECOND)
#define TICK            200 /* milliseconds */

typedef struct {
    const WalReceiveRequest *request;
    Repository *repository;
    WalStream *stream;
    WalArchive archive;
    char *slot;
    WalStreamSystem server;
    guint32 timeline;
    PgLsn written, durable;
    int fd;               /* the running segment, from its start to `written` */
    guint pieces;         /* of it, since the last one from its start */
    gint64 waiting_since; /* when the first byte behind `durable` came; 0: there is none */
    gint64 last_status, last_heard;
} Receiver;

static void receiver_clear(Receiver *receiver)
{
    wal_stream_close(receiver->stream);
    repository_unref(receiver->repository);
    file_close_fd(&receiver->fd);
    g_free(receiver->slot);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Receiver, receiver_clear)

char *wal_receive_slot(const char *source)
{
    char *slot = g_strconcat("holdfast_", source, NULL);

    return g_strdelimit(slot, "-", '_');
}

gboolean wal_receive_drop_slot(const ConfigSource *source, GError **error)
{
    g_autofree char *slot = wal_receive_slot(source->name);
    g_autoptr(WalStream) stream = wal_stream_open(source->conninfo, error);

    return stream != NULL && wal_stream_drop_slot(stream, slot, error);
}

/* --- into the archive ------------------------------------------------------------------------- */

static guint32 offset_of(const Receiver *receiver, PgLsn lsn)
{
    return (guint32)(lsn % receiver->server.segment_size);
}

static char *segment_at(const Receiver *receiver, PgLsn lsn)
{
    return wal_segment_format(receiver->timeline, lsn / receiver->server.segment_size,
                              receiver->server.segment_size);
}

static gboolean report(Receiver *receiver, gboolean ask, GError **error)
{
    receiver->last_status = time_monotonic();
    return wal_stream_confirm(receiver->stream, receiver->written, receiver->durable, ask, error);
}

/* Writes what is there of the running segment and not yet durable; now and then all of it, so that
 * pieces stay few. */
static gboolean flush_piece(Receiver *receiver, GError **error)
{
    guint32 start = offset_of(receiver, receiver->durable);
    guint32 end = offset_of(receiver, receiver->written);
    g_autofree char *segment = segment_at(receiver, receiver->durable);
    gboolean whole = receiver->pieces >= PIECE_LIMIT;
    guint8 *bytes;
    gboolean put;

    receiver->waiting_since = 0;
    if (receiver->written == receiver->durable)
        return TRUE;
    bytes = mmap(NULL, end, PROT_READ, MAP_SHARED, receiver->fd, 0);
    if (bytes == MAP_FAILED) {
        error_set_errno(error, errno, "cannot map the running segment");
        return FALSE;
    }
    if (whole)
        start = 0;
    put = wal_archive_put_piece(&receiver->archive, segment, start, bytes + start, end - start,
                                error);
    (void)munmap(bytes, end);
    if (!put || (whole && !wal_archive_drop_pieces(&receiver->archive, segment, end - 1, error)))
        return FALSE;
    receiver->pieces = whole ? 1 : receiver->pieces + 1;
    receiver->durable = receiver->written;
    return report(receiver, FALSE, error);
}

static gboolean begin_segment(Receiver *receiver, GError **error)
{
    receiver->pieces = 0;
    if (ftruncate(receiver->fd, 0) == 0)
        return TRUE;
    error_set_errno(error, errno, "cannot empty the running segment");
    return FALSE;
}

/* It runs for months: a data key that was made meanwhile is for what comes next. What cannot be had
 * of it is no reason to stop. */
static void renew_keys(Receiver *receiver)
{
    g_autoptr(GError) problem = NULL;

    if (!repository_renew_keys(receiver->archive.repository, &problem))
        log_write(LOG_WARNING, "new data keys were not looked for: %s", problem->message);
}

/* The running segment is whole: it goes in place of its pieces. */
static gboolean finish_segment(Receiver *receiver, GError **error)
{
    g_autofree char *segment = segment_at(receiver, receiver->written - 1);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", receiver->fd);
    WalPut put;

    renew_keys(receiver);
    if (!wal_archive_put(&receiver->archive, segment, path, &put, error) ||
        !wal_archive_drop_pieces(&receiver->archive, segment, receiver->server.segment_size, error))
        return FALSE;
    log_write(LOG_INFO, "%s: archived", segment);
    receiver->durable = receiver->written;
    receiver->waiting_since = 0;
    return begin_segment(receiver, error) && report(receiver, FALSE, error);
}

static gboolean write_at(const Receiver *receiver, const guint8 *bytes, gsize length,
                         GError **error)
{
    off_t offset = (off_t)offset_of(receiver, receiver->written);

    while (length > 0) {
        ssize_t done = pwrite(receiver->fd, bytes, length, offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            error_set_errno(error, errno, "cannot write the running segment in %s",
                            receiver->request->scratch_directory);
            return FALSE;
        }
        bytes += done;
        length -= (gsize)done;
        offset += done;
    }
    return TRUE;
}

static gboolean take_data(Receiver *receiver, const WalStreamMessage *message, GError **error)
{
    const guint8 *bytes = message->bytes;
    gsize length = message->length;

    if (message->start != receiver->written) {
        error_set(error, ERROR_SERVER, "the server sent WAL from %X/%X where %X/%X was due",
                  (guint)(message->start >> 32), (guint)message->start,
                  (guint)(receiver->written >> 32), (guint)receiver->written);
        return FALSE;
    }
    while (length > 0) {
        gsize left = receiver->server.segment_size - offset_of(receiver, receiver->written);
        gsize part = MIN(left, length);

        if (!write_at(receiver, bytes, part, error))
            return FALSE;
        receiver->written += part;
        bytes += part;
        length -= part;
        if (part == left && !finish_segment(receiver, error))
            return FALSE;
    }
    if (receiver->waiting_since == 0 && receiver->written != receiver->durable)
        receiver->waiting_since = time_monotonic();
    return TRUE;
}

/* --- timelines -------------------------------------------------------------------------------- */

static gboolean archive_history(Receiver *receiver, guint32 timeline, GError **error)
{
    g_autofree char *name = wal_history_format(timeline);
    g_autofree char *path = NULL;
    g_autoptr(GBytes) bytes = NULL;
    FILE_AUTO_FD fd = -1;
    gboolean present;
    WalPut put;

    if (timeline == 1)
        return TRUE;
    if (!wal_archive_has(&receiver->archive, name, &present, error))
        return FALSE;
    if (present)
        return TRUE;
    bytes = wal_stream_history(receiver->stream, timeline, error);
    if (bytes == NULL || !file_open_unnamed(receiver->request->scratch_directory, &fd, error) ||
        !file_write_all(fd, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), name, error))
        return FALSE;
    path = g_strdup_printf("/proc/self/fd/%d", fd);
    return wal_archive_put(&receiver->archive, name, path, &put, error);
}

/* Goes on with another timeline, from the start of the segment: its first one repeats what the old
 * timeline had of it. */
static gboolean enter_timeline(Receiver *receiver, guint32 timeline, PgLsn start, GError **error)
{
    if (!archive_history(receiver, timeline, error) || !begin_segment(receiver, error))
        return FALSE;
    receiver->timeline = timeline;
    receiver->written = receiver->durable = start - start % receiver->server.segment_size;
    receiver->waiting_since = 0;
    return TRUE;
}

/* --- where to begin --------------------------------------------------------------------------- */

/* Puts what the archive has of the running segment back into the file. */
static gboolean resume_segment(Receiver *receiver, const char *segment, guint32 end, GError **error)
{
    g_autoptr(GBytes) bytes =
        wal_archive_load(&receiver->archive, segment, receiver->server.segment_size, error);
    g_autoptr(GArray) pieces = NULL;

    if (bytes == NULL || !wal_archive_pieces(&receiver->archive, segment, &pieces, error))
        return FALSE;
    if (pwrite(receiver->fd, g_bytes_get_data(bytes, NULL), end, 0) != (ssize_t)end) {
        error_set_errno(error, errno, "cannot write the running segment");
        return FALSE;
    }
    receiver->pieces = pieces->len;
    return TRUE;
}

/* Behind the newest WAL that the archive has; FALSE in *ret_found where it has none of this
 * cluster. */
static gboolean find_end(Receiver *receiver, gboolean *ret_found, GError **error)
{
    g_autoptr(GPtrArray) inventories = NULL;
    const WalInventory *inventory = NULL;
    g_autoptr(GArray) pieces = NULL;
    const WalRange *last;
    WalName name;

    if (!wal_archive_list(receiver->repository, receiver->archive.source, &inventories, error))
        return FALSE;
    for (guint i = 0; i < inventories->len; i++) {
        const WalInventory *one = inventories->pdata[i];

        if (one->system_identifier == receiver->server.system_identifier)
            inventory = one;
    }
    *ret_found = inventory != NULL && (inventory->ranges->len > 0 || inventory->streamed != NULL);
    if (!*ret_found)
        return TRUE;
    if (inventory->streamed != NULL && wal_name_parse(inventory->streamed, &name)) {
        guint64 number = wal_segment_number(&name, receiver->server.segment_size);
        guint32 end = 0;

        if (!wal_archive_pieces(&receiver->archive, inventory->streamed, &pieces, error))
            return FALSE;
        if (pieces->len > 0)
            end = g_array_index(pieces, WalPiece, pieces->len - 1).end;
        receiver->timeline = name.timeline;
        receiver->written = receiver->durable = number * receiver->server.segment_size + end;
        return end == 0 || resume_segment(receiver, inventory->streamed, end, error);
    }
    last = &g_array_index(inventory->ranges, WalRange, inventory->ranges->len - 1);
    receiver->timeline = last->timeline;
    receiver->written = receiver->durable = (last->last + 1) * receiver->server.segment_size;
    return TRUE;
}

/* The server's present timeline or the ancestor of it that wrote this place. */
static gboolean timeline_of(Receiver *receiver, PgLsn place, guint32 *ret_timeline, GError **error)
{
    guint32 current = receiver->server.timeline;
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GArray) ancestors = NULL;

    *ret_timeline = current;
    if (current == 1)
        return TRUE;
    bytes = wal_stream_history(receiver->stream, current, error);
    if (bytes == NULL)
        return FALSE;
    ancestors =
        wal_history_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), current, error);
    if (ancestors == NULL)
        return FALSE;
    for (guint i = ancestors->len; i > 0; i--) {
        const WalAncestor *ancestor = &g_array_index(ancestors, WalAncestor, i - 1);

        if (place < ancestor->end)
            *ret_timeline = ancestor->timeline;
    }
    return TRUE;
}

/* An archive that has nothing yet begins with what the slot has kept: that may be much more than the
 * present segment. What keeps us from asking is no reason not to begin. */
static gboolean begin_at_slot(Receiver *receiver, GError **error)
{
    const char *const parameters[] = {receiver->slot};
    g_autoptr(GError) problem = NULL;
    g_autoptr(PgConnection) connection =
        pg_connect(receiver->request->source->conninfo, NULL, NULL, &problem);
    g_autoptr(PGresult) result =
        connection != NULL
            ? pg_query(
                  connection,
                  "SELECT restart_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", 1,
                  parameters, &problem)
            : NULL;
    guint32 timeline = receiver->server.timeline;
    PgLsn start = receiver->server.position;

    if (result == NULL)
        log_write(LOG_WARNING,
                  "streaming begins at the present place, since the slot's is not "
                  "known: %s",
                  problem->message);
    else if (PQntuples(result) == 1 && pg_text(result, 0, 0) != NULL &&
             !pg_lsn_parse(pg_text(result, 0, 0), &start, error))
        return FALSE;
    start = MIN(start, receiver->server.position);
    return timeline_of(receiver, start, &timeline, error) &&
           enter_timeline(receiver, timeline, start, error);
}

/* The archive's end is no place where the server can go on: it has removed that WAL, or went
 * another way. */
static gboolean begin_elsewhere(Receiver *receiver, const GError *problem, GError **error)
{
    g_autofree char *text = error_text(problem);
    PgLsn start = receiver->server.position;

    if (receiver->timeline < receiver->server.timeline) {
        g_autoptr(GBytes) bytes =
            wal_stream_history(receiver->stream, receiver->server.timeline, error);
        g_autoptr(GArray) ancestors =
            bytes != NULL
                ? wal_history_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                                    receiver->server.timeline, error)
                : NULL;

        if (ancestors == NULL)
            return FALSE;
        if (ancestors->len > 0)
            start = g_array_index(ancestors, WalAncestor, ancestors->len - 1).end;
    } else {
        log_write(
            LOG_WARNING,
            "%s; streaming goes on from the server's present place, and there is a GAP: make a "
            "backup (holdfast wal list names what is missing)",
            text);
    }
    return enter_timeline(receiver, receiver->server.timeline, start, error);
}

/* --- a session -------------------------------------------------------------------------------- */

static gboolean start(Receiver *receiver, gboolean *ret_started, GError **error)
{
    g_autoptr(GError) problem = NULL;
    WalSwitch next = {0};

    if (!wal_stream_start(receiver->stream, receiver->slot, receiver->timeline, receiver->written,
                          ret_started, &next, &problem)) {
        gboolean again =
            error_is(problem, ERROR_VANISHED) ||
            (error_is(problem, ERROR_SERVER) && receiver->timeline < receiver->server.timeline);

        if (!again) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        return begin_elsewhere(receiver, problem, error) &&
               wal_stream_start(receiver->stream, receiver->slot, receiver->timeline,
                                receiver->written, ret_started, &next, error);
    }
    return *ret_started || enter_timeline(receiver, next.timeline, next.start, error);
}

/* What is due by the clock. */
static gboolean keep_time(Receiver *receiver, gboolean reply, GError **error)
{
    gint64 now = time_monotonic();

    if (receiver->waiting_since != 0 && now - receiver->waiting_since >= PIECE_DELAY &&
        !flush_piece(receiver, error))
        return FALSE;
    if (now - receiver->last_heard > SILENCE_LIMIT + STATUS_INTERVAL) {
        error_set(error, ERROR_UNREACHABLE, "the server has been silent for too long");
        return FALSE;
    }
    if (reply || now - receiver->last_status >= STATUS_INTERVAL)
        return report(receiver, now - receiver->last_heard > SILENCE_LIMIT, error);
    return TRUE;
}

/* Streams until the timeline or the connection ends, or we are cancelled. */
static gboolean stream(Receiver *receiver, WalSwitch *ret_switch, GError **error)
{
    GCancellable *cancellable = receiver->request->cancellable;

    receiver->last_status = receiver->last_heard = time_monotonic();
    if (!report(receiver, FALSE, error))
        return FALSE;
    while (!g_cancellable_is_cancelled(cancellable)) {
        WalStreamEvent event;
        WalStreamMessage message;

        if (!wal_stream_next(receiver->stream, TICK, cancellable, &event, &message, error))
            return FALSE;
        if (event == WAL_STREAM_END)
            break;
        if (event == WAL_STREAM_DATA && !take_data(receiver, &message, error))
            return FALSE;
        if (event == WAL_STREAM_DATA || message.reply)
            receiver->last_heard = time_monotonic();
        if (!keep_time(receiver, message.reply, error))
            return FALSE;
    }
    return flush_piece(receiver, error) && wal_stream_finish(receiver->stream, ret_switch, error);
}

static gboolean prepare(Receiver *receiver, GError **error)
{
    const WalReceiveRequest *request = receiver->request;
    gboolean found;

    receiver->repository = request->open(request->data, error);
    if (receiver->repository == NULL ||
        !file_open_unnamed(request->scratch_directory, &receiver->fd, error))
        return FALSE;
    receiver->stream = wal_stream_open(request->source->conninfo, error);
    if (receiver->stream == NULL ||
        !wal_stream_identify(receiver->stream, &receiver->server, error) ||
        !wal_system_require(receiver->repository, request->source->name,
                            receiver->server.system_identifier, "receive", error))
        return FALSE;
    receiver->archive =
        (WalArchive){receiver->repository, request->source->name,
                     receiver->server.system_identifier, receiver->server.segment_size};
    receiver->slot = wal_receive_slot(request->source->name);
    if (!wal_stream_create_slot(receiver->stream, receiver->slot, error) ||
        !find_end(receiver, &found, error))
        return FALSE;
    if (!found)
        return begin_at_slot(receiver, error);
    if (receiver->timeline > receiver->server.timeline) {
        error_set(error, ERROR_REFUSED, "the archive has timeline %u, and the server is on %u",
                  receiver->timeline, receiver->server.timeline);
        error_add_hint(error, "the server was set back: give it a source of its own");
        return FALSE;
    }
    return archive_history(receiver, receiver->timeline, error);
}

/* One connection, as long as it holds. *ret_streamed: something went well, so that the next pause
 * is short. */
static gboolean run_session(const WalReceiveRequest *request, gboolean *ret_streamed,
                            GError **error)
{
    g_auto(Receiver) receiver = {.request = request, .fd = -1};

    if (!prepare(&receiver, error))
        return FALSE;
    for (;;) {
        WalSwitch next = {0};
        gboolean started = FALSE;

        while (!started) {
            if (!start(&receiver, &started, error))
                return FALSE;
        }
        *ret_streamed = TRUE;
        log_write(LOG_INFO, "streaming from %X/%X on timeline %u", (guint)(receiver.written >> 32),
                  (guint)receiver.written, receiver.timeline);
        if (!stream(&receiver, &next, error))
            return FALSE;
        if (g_cancellable_is_cancelled(request->cancellable))
            return TRUE;
        if (next.timeline == 0) {
            error_set(error, ERROR_UNREACHABLE, "the server ended the stream");
            return FALSE;
        }
        log_write(LOG_INFO, "timeline %u begins at %X/%X", next.timeline, (guint)(next.start >> 32),
                  (guint)next.start);
        if (!enter_timeline(&receiver, next.timeline, next.start, error))
            return FALSE;
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static gboolean is_final(const GError *error)
{
    return error_is(error, ERROR_REFUSED) || error_is(error, ERROR_CONFIG) ||
           error_is(error, ERROR_DAMAGED) || error_is(error, ERROR_PRIVILEGE) ||
           error_is(error, ERROR_NEWER_FORMAT) || error_is(error, ERROR_FORMAT);
}

static void pause_for(GCancellable *cancellable, gint64 pause)
{
    GPollFD fd;

    if (!g_cancellable_make_pollfd(cancellable, &fd)) {
        g_usleep((gulong)pause);
        return;
    }
    (void)g_poll(&fd, 1, (gint)(pause / 1000));
    g_cancellable_release_fd(cancellable);
}

gboolean wal_receive(const WalReceiveRequest *request, GError **error)
{
    gint64 pause = PAUSE_MIN;

    while (!g_cancellable_is_cancelled(request->cancellable)) {
        g_autoptr(GError) problem = NULL;
        g_autofree char *text = NULL;
        gboolean streamed = FALSE;

        if (run_session(request, &streamed, &problem))
            return TRUE;
        if (g_cancellable_is_cancelled(request->cancellable))
            return TRUE;
        if (is_final(problem)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
        if (streamed)
            pause = PAUSE_MIN;
        text = error_text(problem);
        log_write(LOG_WARNING, "%s; trying again", text);
        pause_for(request->cancellable, pause);
        pause = MIN(pause * 2, PAUSE_MAX);
    }
    return TRUE;
}
