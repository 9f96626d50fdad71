/* SPDX-License-Identifier: Apache-2.0
 *
 * Streaming WAL from a server into the archive, until cancelled. What the server is told to be safe
 * is durable in the repository: whole segments, and pieces of the running one, written at the
 * latest a second after their first byte came. Server, network and repository may go away: it tries
 * again with growing pauses.
 *
 * Threads: one call a source; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_RECEIVE_H
#define HOLDFAST_POSTGRES_WAL_RECEIVE_H

#include <gio/gio.h>

#include "config/config.h"
#include "repo/repository.h"

typedef struct {
    const ConfigSource *source;
    /* Opens the repository; again after it failed. */
    Repository *(*open)(gpointer data, GError **error);
    gpointer data;
    const char *scratch_directory; /* for an unnamed file as large as a segment */
    GCancellable *cancellable;
} WalReceiveRequest;

/* TRUE when it was cancelled; an error only where trying again is of no use: another cluster than
 * the source's, diverged WAL, damage in the archive. */
gboolean wal_receive(const WalReceiveRequest *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Drops the source's replication slot. */
gboolean wal_receive_drop_slot(const ConfigSource *source,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "holdfast_<source>"; free with g_free(). */
char *wal_receive_slot(const char *source);

#endif
