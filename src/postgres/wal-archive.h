/* SPDX-License-Identifier: Apache-2.0
 *
 * The WAL archive in the repository: wal/<source>/<system identifier>/<timeline>/<first 16
 * hex>/<segment>; history files stand in their timeline's folder. Segments, history, .backup and
 * .partial files, each written once, always zstd, with their metadata in a leading skippable frame
 * (postgres/wal-frame.h), so that `zstd -d` reads them. Format: docs/formats.md.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_ARCHIVE_H
#define HOLDFAST_POSTGRES_WAL_ARCHIVE_H

#include "postgres/wal-frame.h"
#include "postgres/wal-name.h"
#include "repo/repository.h"

typedef struct {
    Repository *repository;
    const char *source;
    guint64 system_identifier;
    guint32 segment_size; /* of the cluster, in bytes; 0: not known, any valid one will do */
} WalArchive;

typedef enum { WAL_PUT_NEW, WAL_PUT_SAME } WalPut;

/* Archives a file under `name`; durable when it returns TRUE. The same content again is
 * WAL_PUT_SAME (after the stored object was read through: one whose bytes are broken is written
 * anew); other content under a taken name is ERROR_REFUSED and changes nothing. Segments are
 * validated (magic, timeline and address of the first page, system identifier, size): ERROR_REFUSED
 * as well. Names that are none of WAL are ERROR_USAGE. */
gboolean wal_archive_put(const WalArchive *archive, const char *name, const char *path,
                         WalPut *ret_put, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fetches a file to `path`, through a temporary name beside it. Pieces of a streamed segment are
 * joined where the whole one is not there. With `durable` the file and its name are fsynced: a
 * restore_command needs that not, since the server itself makes durable what it keeps.
 * ERROR_NOT_FOUND only for proven absence (the archive could be listed, and it is not in it);
 * ERROR_DAMAGED; ERROR_UNREACHABLE. */
gboolean wal_archive_get(const WalArchive *archive, const char *name, const char *path,
                         gboolean durable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same into memory, at most `limit` bytes (ERROR_LIMIT). */
GBytes *wal_archive_load(const WalArchive *archive, const char *name, gsize limit,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Presence of a file, a whole one. */
gboolean wal_archive_has(const WalArchive *archive, const char *name, gboolean *ret_present,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads a stored file through and holds it against its own metadata; ret_frame may be NULL.
 * ERROR_DAMAGED, ERROR_NOT_FOUND. */
gboolean wal_archive_verify(const WalArchive *archive, const char *name, WalFrame *ret_frame,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The object's name within the repository, or NULL where `name` is none of WAL. Free with
 * g_free(). */
char *wal_archive_object_name(const WalArchive *archive, const char *name);

/* --- pieces of a segment that is being streamed ----------------------------------------------- */

/* One piece: bytes start to end of its segment. */
typedef struct {
    guint32 start, end;
} WalPiece;

/* Writes bytes `start` to `start + length` of a segment as a piece; durable when it returns TRUE.
 * One that ends there already counts when it holds the same bytes. */
gboolean wal_archive_put_piece(const WalArchive *archive, const char *segment, guint32 start,
                               const void *bytes, gsize length,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The pieces that cover the segment from its start as far as they reach without a hole, in order;
 * an array of WalPiece, empty where there is none. The last one's end is the end of what is
 * there. */
gboolean wal_archive_pieces(const WalArchive *archive, const char *segment, GArray **ret_pieces,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes the segment's pieces that end at or before `end`: a whole segment, or a piece from its
 * start, has taken their place. */
gboolean wal_archive_drop_pieces(const WalArchive *archive, const char *segment, guint32 end,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
