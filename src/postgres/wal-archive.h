/* SPDX-License-Identifier: Apache-2.0
 *
 * The WAL archive in the repository: wal/<source>/<system identifier>/<timeline>/<first 16 hex>/<segment>. Segments, history, .backup and
 * .partial files, each written once, always zstd, with their metadata (plain size and SHA-256, SHA-256 of the stored bytes behind it, a
 * checksum of its own) in a leading skippable frame, so that `zstd -d` reads them. Format: docs/formats.md.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_ARCHIVE_H
#define HOLDFAST_POSTGRES_WAL_ARCHIVE_H

#include "postgres/wal-name.h"
#include "repo/repository.h"

typedef struct {
    Repository *repository;
    const char *source;
    const char *system_identifier; /* decimal */
} WalArchive;

typedef enum { WAL_PUT_NEW, WAL_PUT_SAME } WalPut;

/* Archives a file under `name`; durable when it returns TRUE. The same content again is WAL_PUT_SAME; other content under a taken name is
 * ERROR_REFUSED and changes nothing. Segments are validated (magic, timeline and address of the first page, system identifier, size). */
gboolean wal_archive_put(const WalArchive *archive, const char *name, const char *path,
                         WalPut *ret_put, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fetches a file to `path` (temporary name, fsync, rename). Pieces of a streamed segment are joined where the whole one is not there.
 * ERROR_NOT_FOUND only for proven absence (the archive could be listed, and it is not in it); ERROR_DAMAGED; ERROR_UNREACHABLE. */
gboolean wal_archive_get(const WalArchive *archive, const char *name, const char *path,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Presence of a segment, a whole one. */
gboolean wal_archive_has(const WalArchive *archive, const char *name, gboolean *ret_present,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads a stored file through and holds it against its own metadata. ERROR_DAMAGED. */
gboolean wal_archive_verify(const WalArchive *archive, const char *name,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The path of a stored segment within the repository, and the SHA-256 of its stored object, for a backup's SHA256SUMS. */
char *wal_archive_object_name(const WalArchive *archive, const char *name);

typedef struct {
    guint32 timeline;
    guint64 first, last; /* segment numbers (LSN / segment size), both inside */
} WalRange;

typedef struct {
    char *system_identifier;
    guint32 segment_size;
    GArray *ranges;       /* WalRange, by timeline and number */
    GArray *gaps;         /* WalRange: what is missing between the ranges of one timeline */
    GPtrArray *histories; /* char *: names of the history files */
    guint64 files, bytes;
} WalInventory;
void wal_inventory_free(WalInventory *inventory);

/* Everything archived of a source, per system identifier; an array of WalInventory. */
gboolean wal_archive_list(Repository *repository, const char *source, GPtrArray **ret_inventories,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
