/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding the archive that a `wal push` or `wal get` means: which source, and which cluster's WAL.
 * What says so, in this order: pg_control of the working directory (PostgreSQL runs both commands
 * in its data directory), of the directory that the WAL file is in, of the source's data_directory;
 * else what the source is known by (postgres/wal-system.h).
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_PLACE_H
#define HOLDFAST_POSTGRES_WAL_PLACE_H

#include "config/config.h"
#include "postgres/wal-archive.h"

typedef struct {
    const Config *config;
    Repository *repository;
    const char *source; /* --source, or NULL */
    const char *path;   /* the file that is pushed, or where the one that is got goes to */
} WalPlaceRequest;

typedef struct {
    char *source;
    const ConfigSource *settings; /* NULL where the configuration has no such source (a bare one) */
    guint64 system_identifier;    /* 0: nothing says it (wal get from an empty archive only) */
    guint32 segment_size;         /* by pg_control; 0: not known */
    char *data_directory;         /* whose pg_control it was; NULL: none was found */
} WalPlace;
void wal_place_clear(WalPlace *place);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalPlace, wal_place_clear)

/* Where to push to. ERROR_USAGE when several sources fit, naming them; ERROR_REFUSED when the
 * cluster is not the source's. A cluster that pushes first is accepted as the source's. */
gboolean wal_place_for_push(const WalPlaceRequest *request, WalPlace *ret_place,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where to get from. */
gboolean wal_place_for_get(const WalPlaceRequest *request, WalPlace *ret_place,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

WalArchive wal_place_archive(const WalPlace *place, Repository *repository);

#endif
