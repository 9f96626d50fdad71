/* SPDX-License-Identifier: Apache-2.0
 *
 * The streaming replication protocol over libpq, as far as a receiver of WAL needs it. Source:
 * PostgreSQL's documentation, "Streaming Replication Protocol".
 *
 * Threads: a WalStream is used by one thread.
 */
#ifndef HOLDFAST_POSTGRES_WAL_STREAM_H
#define HOLDFAST_POSTGRES_WAL_STREAM_H

#include <gio/gio.h>

#include "postgres/wal-name.h"

typedef struct WalStream WalStream;

/* Connects for physical replication with a libpq connection string. ERROR_UNREACHABLE,
 * ERROR_PRIVILEGE. */
WalStream *wal_stream_open(const char *conninfo, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void wal_stream_close(WalStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WalStream, wal_stream_close)

typedef struct {
    guint64 system_identifier;
    guint32 timeline;
    PgLsn position; /* flushed by the server */
    guint32 segment_size;
} WalStreamSystem;
gboolean wal_stream_identify(WalStream *stream, WalStreamSystem *ret_system,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Creates a physical slot that keeps WAL from now on; one that is there is fine. */
gboolean wal_stream_create_slot(WalStream *stream, const char *slot,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One that is not there is ERROR_NOT_FOUND; one in use is ERROR_BUSY. */
gboolean wal_stream_drop_slot(WalStream *stream, const char *slot,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The content of a timeline's history file. */
GBytes *wal_stream_history(WalStream *stream, guint32 timeline,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the server's timeline ends: the next one, and where it began. */
typedef struct {
    guint32 timeline; /* 0: the stream ended, but not the timeline (the server is shutting down) */
    PgLsn start;
} WalSwitch;

/* Starts streaming. *ret_started FALSE: the timeline ends just there, ret_switch says what follows.
 * ERROR_VANISHED: the server has removed that WAL. */
gboolean wal_stream_start(WalStream *stream, const char *slot, guint32 timeline, PgLsn start,
                          gboolean *ret_started, WalSwitch *ret_switch,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
    WAL_STREAM_NOTHING, /* nothing came within the time, or only a keepalive */
    WAL_STREAM_DATA,
    WAL_STREAM_END, /* wal_stream_finish() tells why */
} WalStreamEvent;

typedef struct {
    PgLsn start;
    const guint8 *bytes; /* until the next call */
    gsize length;
    gboolean reply; /* the server wants a status at once */
} WalStreamMessage;

/* Waits up to `milliseconds`; a cancel ends the wait (WAL_STREAM_NOTHING). */
gboolean wal_stream_next(WalStream *stream, guint milliseconds, GCancellable *cancellable,
                         WalStreamEvent *ret_event, WalStreamMessage *ret_message,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Tells the server what was written and what is durable; `ask` wants an answer. */
gboolean wal_stream_confirm(WalStream *stream, PgLsn written, PgLsn durable, gboolean ask,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends the copy, from our side or after WAL_STREAM_END. */
gboolean wal_stream_finish(WalStream *stream, WalSwitch *ret_switch,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
