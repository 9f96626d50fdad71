/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool: the shared, immutable objects that backups refer to, each named by the SHA-256 of its
 * bytes. This is the part for data files: a file is cut into fixed extents, a changed extent is
 * compressed on its own and appended to a pack, and a map says where each extent of a file is. A
 * map is pool content too, so that a file that did not change costs one line in the next backup's
 * index, whatever its size. Nothing here knows a database. Format: docs/formats.md.
 *
 *   pack     pool/<aa>/<sha-256>: a header that names the backup that wrote it (so that a full
 *            shares no name with anything
 *            older and heals damage), then stored extents and maps, up to 64 MiB, then a directory
 *            of the extents, for runs that take over from an interrupted one
 *   extent   128 KiB of a file, 256 KiB, 512 KiB or 1 MiB of larger files: page-aligned, of one
 *            size within a file
 *   map      the extents of one file: (pack, offset, stored length, keyed XXH3-128 of the plain
 *            bytes) each
 *
 * Small files have no map: their extents stand in the index line itself.
 *
 * How an extent is stored, its lengths tell: 0 bytes are all zeros, as many as the plain extent has
 * are the plain bytes, fewer are a frame of the codec whose magic number they begin with.
 *
 * Threads: PoolWriter and PoolReader are shared by the workers of a backup or restore; PoolStream
 * and PoolFileWriter belong to one worker. A worker takes about 4 MiB while it writes and 2 MiB
 * while it reads.
 */
#ifndef HOLDFAST_POOL_POOL_H
#define HOLDFAST_POOL_POOL_H

#include "base/json.h"
#include "codec/hash.h"
#include "repo/backup.h"
#include "repo/unfinished.h"
#include "repo/writer.h"

#define POOL_PACK_SIZE       (64 * 1024 * 1024)
#define POOL_EXTENT_SMALLEST (128 * 1024)
#define POOL_EXTENT_LARGEST  (1024 * 1024)
#define POOL_FILE_LIMIT      (G_GUINT64_CONSTANT(1) << 40) /* bytes of one file */

/* The extent size for a file that is `size` bytes long when it is first stored; kept when the file
 * grows later. */
guint32 pool_extent_size(guint64 size);

/* A pack that a file needs, and how many of its bytes: extents, and the map if it is there. */
typedef struct {
    guint32 pack;
    guint64 bytes;
} PoolUse;

typedef struct {
    guint32 pack;
    guint32 offset;
    guint32 length; /* stored bytes; 0: the extent is all zero bytes and nothing is stored */
    Hash128 hash;   /* of the plain bytes, keyed */
} PoolExtent;

/* Where the content of one file is. Belongs to whoever got it; pool_file_clear() frees what is
 * inside. Pack numbers are handles of the PoolWriter or PoolReader that the file came from. Of a
 * million small files every allocation counts: the single extent of one needs none. */
typedef struct {
    guint64 size; /* bytes of the file */
    guint32 extent_size;
    guint32 extent_count; /* of the inline extents; 0: there is a map, or the file is empty */
    union {
        PoolExtent one;      /* extent_count is 1; see pool_file_inline() */
        PoolExtent *several; /* extent_count is more */
        struct {             /* extent_count is 0 */
            guint32 map_pack, map_offset;
            guint32 map_length; /* 0: the file is empty */
            guint32 use_count;
            PoolUse *uses; /* all packs that the content needs, by handle */
        };
    };
} PoolFile;

/* The inline extents, extent_count of them; valid as long as *file. */
const PoolExtent *pool_file_inline(const PoolFile *file);
gboolean pool_file_has_map(const PoolFile *file);
void pool_file_clear(PoolFile *file);

typedef struct PoolReader PoolReader;

/* --- writing ---------------------------------------------------------------------------------- */

typedef struct PoolWriter PoolWriter;

typedef struct {
    BackupWriter *backup; /* packs become part of this backup's SHA256SUMS, as ../../pool/… */
    const char *backup_id;
    CompressSpec compression;
    guint64 hash_key; /* of the repository's chain of backups: an incremental takes its base's */
    /* An interrupted run that is taken over, or NULL: what it wrote is referred to where it was made
     * with this hash key. The lease goes back to its `since`. */
    const Unfinished *unfinished;
} PoolWriterOptions;

/* The hash key of an interrupted run. FALSE: it has none. */
gboolean pool_unfinished_hash_key(const Unfinished *unfinished, guint64 *ret_hash_key);

/* Under the backup's lease: packs that a sweep may be about to delete are left behind from the
 * start. */
PoolWriter *pool_writer_new(const PoolWriterOptions *options,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pool_writer_free(PoolWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolWriter, pool_writer_free)

/* One worker's packs, one after the other. */
typedef struct PoolStream PoolStream;
PoolStream *pool_stream_new(PoolWriter *writer);
/* Closes the open pack: everything in it is durable then. */
gboolean pool_stream_close(PoolStream *stream, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pool_stream_free(PoolStream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolStream, pool_stream_free)

/* Called when a file's content has its place, from within pool_file_finish(), pool_file_reuse() or
 * pool_stream_close(), in the worker's thread. The content is durable when the stream is closed.
 * `tag` is what pool_file_begin() got. Takes what is inside of *file. */
typedef void (*PoolFileFunc)(PoolFile *file, gpointer tag, gpointer data);
void pool_stream_set_func(PoolStream *stream, PoolFileFunc func, gpointer data);

typedef struct PoolFileWriter PoolFileWriter;

/* Begins a file; a stream writes one at a time. `base` (or NULL) is the same file in the base
 * backup, `reader` the one it was read from: extents with equal hashes are referred to and not
 * written, but for those in packs that the writer is to leave behind (pool_writer_leave). */
PoolFileWriter *pool_file_begin(PoolStream *stream, guint64 expected_size, PoolReader *reader,
                                const PoolFile *base, gpointer tag,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Bytes in order, in pieces of any length. */
gboolean pool_file_write(PoolFileWriter *file, const void *bytes, gsize length,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pool_file_finish(PoolFileWriter *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pool_file_free(PoolFileWriter *file); /* without finish: the file is forgotten */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolFileWriter, pool_file_free)

/* A file that did not change: refers to its content whole. Extents in packs that are to be left
 * behind are copied forward, compressed as they are. The func of the stream gets the result. */
gboolean pool_file_reuse(PoolStream *stream, PoolReader *reader, const PoolFile *base, gpointer tag,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Leaves a pack of the base behind: nothing will refer to it any more. Before the first file. */
void pool_writer_leave(PoolWriter *writer, PoolReader *reader, guint32 pack);
/* The same for all packs of the base that are less than half alive; says how many. */
guint pool_writer_leave_sparse(PoolWriter *writer, PoolReader *reader);

/* When all streams are closed: every pack that is referred to is entered in the backup's checksums.
 * Its commit then checks that each is in the store and in no tombstone. */
gboolean pool_writer_finish(PoolWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    guint64 plain, stored;                 /* bytes of extents that were written */
    guint64 reused_plain, reused_stored;   /* bytes of the base that were referred to */
    guint64 resumed_plain, resumed_stored; /* bytes of an interrupted run, likewise */
    guint64 packs_written, packs_total;    /* total: those that files refer to */
} PoolStats;
void pool_writer_stats(PoolWriter *writer, PoolStats *ret_stats);

/* The pack table, for the details: [{"sha256", "size", "alive"}, …] in the order of the handles,
 * `alive` being the bytes that this backup refers to; and a file as an index line has it, with
 * handles of this table. Only after pool_writer_finish(). */
json_t *pool_writer_packs_to_json(PoolWriter *writer);
json_t *pool_file_to_json(const PoolFile *file);

/* --- reading ---------------------------------------------------------------------------------- */

/* `packs` is the pack table of the details. Trusts nothing. */
PoolReader *pool_reader_new(Repository *repository, const json_t *packs, guint64 hash_key,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pool_reader_free(PoolReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PoolReader, pool_reader_free)

gboolean pool_file_from_json(PoolReader *reader, const json_t *json, PoolFile *ret_file,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All extents of a file, in order; an array of PoolExtent (from the map, checked, where there is
 * one). */
GArray *pool_file_extents(PoolReader *reader, const PoolFile *file,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One extent's plain bytes: read (ahead, where a thread reads extents in the order in which they
 * are stored), decompressed, hashed and compared. ERROR_DAMAGED names pack, offset and what is
 * wrong. `plain_length` is what the extent must have: the file's extent size, less for its last
 * one. */
gboolean pool_extent_read(PoolReader *reader, const PoolExtent *extent, void *out,
                          gsize plain_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A whole file, in order, extent by extent. `bytes` NULL stands for that many zero bytes. */
typedef gboolean (*PoolSink)(guint64 offset, const void *bytes, gsize length, gpointer data,
                             GError **error);
gboolean pool_file_read(PoolReader *reader, const PoolFile *file, PoolSink sink, gpointer data,
                        GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The structure of one pack: header and directory. *ret_extents is how many extents it holds.
 * ERROR_DAMAGED, ERROR_NOT_FOUND, ERROR_NEWER_FORMAT. */
gboolean pool_pack_check(Repository *repository, const char *name, guint64 *ret_extents,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint32 pool_reader_pack_count(const PoolReader *reader);
guint64 pool_reader_pack_size(const PoolReader *reader, guint32 pack);
guint64 pool_reader_pack_alive(const PoolReader *reader, guint32 pack);
void pool_reader_pack_digest(const PoolReader *reader, guint32 pack,
                             guint8 ret_digest[SHA256_SIZE]);
guint64 pool_reader_hash_key(const PoolReader *reader);

#endif
