/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the pool share. Inside pool/ (and its tests and fuzzers) only.
 */
#ifndef HOLDFAST_POOL_PRIVATE_H
#define HOLDFAST_POOL_PRIVATE_H

#include "pool/pool.h"

#define POOL_PREFIX "pool/"

/* In the table of packs: the name that a pack had where it was written, if it has another one here. */
#define POOL_WRITTEN_AS "written_as"

/* What a reader takes for a pack: the nominal size, an extent and a map above it, and room for
 * other writers' choices. */
#define POOL_PACK_LIMIT (256 * 1024 * 1024)
/* Packs of one backup: 4 million of 64 MiB are 256 TiB. */
#define POOL_PACK_COUNT_LIMIT 4000000
/* Files with so few extents have no map. */
#define POOL_INLINE_EXTENTS 4
/* What a reader takes for a file without a map. */
#define POOL_INLINE_LIMIT 64

/* The name of the pool object with this digest: "pool/<aa>/<sha-256>". Free with g_free(). */
char *pool_object_name(const guint8 digest[SHA256_SIZE]);

/* And back. FALSE for any other name: what lies in the pool under it is not ours and is never
 * touched. */
gboolean pool_object_digest(const char *name, guint8 ret_digest[SHA256_SIZE]);

/* For hash tables whose keys are digests (SHA256_SIZE bytes, copied by g_memdup2()). */
guint pool_digest_hash(gconstpointer digest);
gboolean pool_digest_equal(gconstpointer a, gconstpointer b);

/* --- pack.c: one pack ------------------------------------------------------------------------- */

#define PACK_HEADER_SIZE 128
#define PACK_ID_SIZE     96 /* with the NUL */

typedef struct {
    char backup_id[PACK_ID_SIZE]; /* of the backup that wrote it */
    guint64 number;               /* of the pack in that backup */
} PackHeader;

void pack_header_write(const PackHeader *header, guint8 out[PACK_HEADER_SIZE]);
/* ERROR_DAMAGED, ERROR_NEWER_FORMAT. `what` names the pack. */
gboolean pack_header_read(const guint8 *bytes, gsize length, const char *what,
                          PackHeader *ret_header, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes packs, one after the other, through a buffer of its own. A pack that is sealed is made
 * durable by another thread, while the next one is written. */
typedef struct PackWriter PackWriter;

/* Called when a pack is durable, in the thread that made it so. */
typedef void (*PackDurableFunc)(const guint8 digest[SHA256_SIZE], guint64 size, gpointer data);

/* `room`: the longest piece that pack_writer_room() will be asked for. `durable` may be NULL. */
PackWriter *pack_writer_new(Repository *repository, gsize room, PackDurableFunc durable,
                            gpointer data);
void pack_writer_free(PackWriter *pack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PackWriter, pack_writer_free)

gboolean pack_writer_begin(PackWriter *pack, const PackHeader *header,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pack_writer_is_open(const PackWriter *pack);
/* Plain bytes of the open pack so far: the offset of the next piece. */
guint64 pack_writer_size(const PackWriter *pack);
/* Room at the pack's end to write `length` bytes into; pack_writer_advance() then says how many
 * there are. NULL on error. */
guint8 *pack_writer_room(PackWriter *pack, gsize length, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pack_writer_advance(PackWriter *pack, gsize length);
/* Bytes of any length. */
gboolean pack_writer_append(PackWriter *pack, const void *bytes, gsize length,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Enters an extent of the open pack in its directory. */
void pack_writer_enter(PackWriter *pack, const PoolExtent *extent, guint32 plain_length);
/* Ends the open pack with its directory: its name is known from here on, and its stored size. Waits
 * for the one before first. */
gboolean pack_writer_seal(PackWriter *pack, guint8 ret_digest[SHA256_SIZE], guint64 *ret_size,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits until the pack that was sealed last is durable. */
gboolean pack_writer_wait(PackWriter *pack, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- object.c --------------------------------------------------------------------------------- */

/* What is found in place of a pool object counts only when all of it is what was to be written: the
 * answer to the commit may have been lost, or the disk may hold something else. */
gboolean pool_object_in_place(Store *store, const char *name, const guint8 digest[SHA256_SIZE],
                              guint64 size);

/* --- directory.c: what is in a pack ----------------------------------------------------------- */

#define PACK_DIRECTORY_TRAILER 16

/* An extent of the pack: where it is and what it holds. */
typedef struct {
    guint32 offset, length; /* as stored */
    guint32 plain_length;
    Hash128 hash;
} PackEntry;

/* Appends an entry, and the trailer behind the last one. */
void pack_directory_add(GByteArray *directory, const PackEntry *entry);
void pack_directory_end(GByteArray *directory);

/* The whole length of the directory that ends with this trailer. ERROR_DAMAGED where it is none, or
 * does not fit in a pack of that size. */
gboolean pack_directory_length(const guint8 trailer[PACK_DIRECTORY_TRAILER], guint64 pack_size,
                               const char *what, gsize *ret_length,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Appends the entries (PackEntry) of a directory, trailer included. */
gboolean pack_directory_read(const guint8 *bytes, gsize length, guint64 pack_size, const char *what,
                             GArray *entries, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- resume.c: what an interrupted run left --------------------------------------------------- */

typedef struct PoolResume PoolResume;

/* The packs that the notes name, hashes made with this key; `left` are the digests of packs that
 * must not be referred to. Never fails: what cannot be read is not there. */
PoolResume *pool_resume_new(Repository *repository, const Unfinished *unfinished, guint64 hash_key,
                            GHashTable *left);
void pool_resume_free(PoolResume *resume);

typedef struct {
    const guint8 *digest; /* of the pack; the resume's */
    guint64 size;
    gboolean first; /* the pack was just read for the first time */
    guint32 index;  /* of the pack in the resume */
    guint32 offset, length;
} PoolResumed;

/* An extent with these plain bytes in a pack whose stored bytes were read and hashed (at the first
 * find). Threads: any. */
gboolean pool_resume_find(PoolResume *resume, Hash128 hash, guint32 plain_length,
                          PoolResumed *ret_found);

/* --- map.c: maps, and files as index lines ---------------------------------------------------- */

/* A map as it is stored. `pack` of an extent is an index into the digests; the digest of zeros is
 * the pack that holds the map. */
typedef struct {
    guint64 size;
    guint32 extent_size;
    guint32 pack_count;
    const guint8 *digests; /* SHA256_SIZE bytes each */
    guint32 extent_count;
    PoolExtent *extents;
} PoolMap;

/* The stored form. Free with g_free(). */
guint8 *pool_map_write(const PoolMap *map, guint64 hash_key, gsize *ret_length);
/* ERROR_DAMAGED, ERROR_NEWER_FORMAT. `digests` point into `bytes`; `extents` are to be freed with
 * g_free(). */
gboolean pool_map_read(const guint8 *bytes, gsize length, guint64 hash_key, const char *what,
                       PoolMap *ret_map, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The length of a map. */
guint64 pool_map_length(guint64 pack_count, guint64 extent_count);

gboolean pool_extent_size_valid(guint64 extent_size);
guint64 pool_extent_count(guint64 size, guint32 extent_size);
/* Plain bytes of the extent with this index. */
guint32 pool_extent_plain(guint64 size, guint32 extent_size, guint64 index);

/* Room for the inline extents of a file that has none yet, zeroed. */
PoolExtent *pool_file_make_inline(PoolFile *file, guint32 count);
/* What a file with a map uses, from its extents and the map. */
void pool_file_set_uses(PoolFile *file, const PoolExtent *extents, guint32 count);

/* --- pool-writer.c: the pack table ------------------------------------------------------------ */

Repository *pool_writer_repository(const PoolWriter *writer);
CompressSpec pool_writer_compression(const PoolWriter *writer);
guint64 pool_writer_hash_key(const PoolWriter *writer);

/* A handle for a pack that is about to be written, and its header. */
guint32 pool_writer_open_pack(PoolWriter *writer, PackHeader *ret_header);
void pool_writer_seal_pack(PoolWriter *writer, guint32 pack, const guint8 digest[SHA256_SIZE],
                           guint64 size);
void pool_writer_pack_durable(PoolWriter *writer, guint32 pack);
/* The handle of a pack of the base. FALSE when the pack is to be left behind. */
gboolean pool_writer_refer(PoolWriter *writer, PoolReader *reader, guint32 pack, guint32 *ret_pack);
/* The digest by which a map is to name the pack. FALSE for a pack that is not sealed yet. */
gboolean pool_writer_pack_name(PoolWriter *writer, guint32 pack, guint8 ret_digest[SHA256_SIZE]);
/* A pack is durable: the next run may use it if this one does not come to its end. Any thread. */
void pool_writer_note_pack(PoolWriter *writer, const guint8 digest[SHA256_SIZE], guint64 size);
/* Whether an interrupted run left these plain bytes; fills in where they are. */
gboolean pool_writer_find_resumed(PoolWriter *writer, guint32 plain_length, PoolExtent *extent);
/* A file is complete: what it uses is alive. `stats` is added up. */
void pool_writer_account(PoolWriter *writer, const PoolFile *file, const PoolStats *stats);

/* --- stream.c --------------------------------------------------------------------------------- */

PoolWriter *pool_stream_writer(const PoolStream *stream);
/* Opens a pack if none is open, or the open one is full. */
gboolean pool_stream_ready(PoolStream *stream, GError **error) G_GNUC_WARN_UNUSED_RESULT;
PackWriter *pool_stream_pack(PoolStream *stream);
guint32 pool_stream_pack_handle(const PoolStream *stream);
/* As pool_writer_refer(), remembered. */
gboolean pool_stream_refer(PoolStream *stream, PoolReader *reader, guint32 pack, guint32 *ret_pack);
/* Room for one plain extent, POOL_EXTENT_LARGEST bytes. */
guint8 *pool_stream_scratch(PoolStream *stream);
/* Hands a file that is complete to the func. */
void pool_stream_deliver(PoolStream *stream, PoolFile *file, gpointer tag, const PoolStats *stats);
/* The one file writer of the stream, made at its first file. */
PoolFileWriter **pool_stream_file(PoolStream *stream);
void pool_file_writer_destroy(PoolFileWriter *file);

/* --- reader.c --------------------------------------------------------------------------------- */

/* Whether a range lies in a pack of the table that is alive, behind its header. */
gboolean pool_reader_range_valid(const PoolReader *reader, guint32 pack, guint64 offset,
                                 guint64 length);

/* The digest by which maps know a pack: the name that it had in the repository where it was
 * written. */
void pool_reader_pack_written_as(const PoolReader *reader, guint32 pack,
                                 guint8 ret_digest[SHA256_SIZE]);

/* An extent's stored bytes, valid until this thread's next read; checked by decoding them into
 * `out` (plain_length bytes). */
const guint8 *pool_extent_fetch(PoolReader *reader, const PoolExtent *extent, void *out,
                                gsize plain_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
