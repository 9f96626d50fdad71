/* SPDX-License-Identifier: Apache-2.0
 *
 * The one place where bytes are sealed on their way into the store and opened on their way out:
 * everything that holds user data or names of tables goes through here (objects of backups, the
 * pool, archived WAL). In a repository that is not encrypted bytes pass as they are. What every
 * program must be able to read without a key (repository.json, keys, manifests, SHA256SUMS, leases,
 * tombstones, records) goes to the store directly and holds no names of tables.
 *
 * Offsets and lengths are of plain bytes; "stored" bytes are those that the store holds, over which
 * checksums are made.
 *
 * Threads: as the store: a StoredWriter belongs to one thread at a time, the rest may be called
 * from many.
 */
#ifndef HOLDFAST_REPO_STORED_H
#define HOLDFAST_REPO_STORED_H

#include "codec/hash.h"
#include "codec/seal.h"
#include "repo/repository.h"

/* --- writing ---------------------------------------------------------------------------------- */

typedef struct StoredWriter StoredWriter;

/* Begins an object under its name; a name that ends with "/" (of the pool) is a prefix, as for
 * store_begin_below(). `hash` (may be NULL) gets the stored bytes; it stays the caller's and must
 * outlive the writer. */
StoredWriter *stored_begin(Repository *repository, SealRole role, const char *name, Sha256 *hash,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An object of the pool whose stored bytes follow from its plain ones and the key (see
 * seal_header_derive()): copied twice it has one name. `content` is a digest of all plain bytes;
 * the caller has proven each segment (SEAL_SEGMENT_SIZE) of them before it writes it. `dry`: nothing
 * goes to the store, only to the hash. */
StoredWriter *stored_begin_derived(Repository *repository, const guint8 content[SEAL_CONTENT_SIZE],
                                   gboolean dry, Sha256 *hash,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean stored_write(StoredWriter *writer, const void *bytes, gsize length,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Ends the object: all of it is hashed then, and its stored size known. Once, before the commit. */
gboolean stored_finish(StoredWriter *writer, guint64 *ret_stored_size,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* As store_commit() and store_commit_as(): durable when it returns TRUE. */
gboolean stored_commit(StoredWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean stored_commit_as(StoredWriter *writer, const char *name,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Frees; an object that was not committed is forgotten. */
void stored_writer_free(StoredWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoredWriter, stored_writer_free)

/* --- reading ---------------------------------------------------------------------------------- */

/* Plain bytes of an object; fewer than `length` only at its end, which is proven to be the end.
 * ERROR_DAMAGED naming the object, ERROR_NOT_FOUND. */
gboolean stored_read(Repository *repository, SealRole role, const char *name, guint64 offset,
                     void *buffer, gsize length, gsize *ret_length,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Plain bytes of an object, by its stored size and its header. ERROR_NOT_FOUND, ERROR_DAMAGED. */
gboolean stored_size(Repository *repository, SealRole role, const char *name, guint64 *ret_size,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Opens what comes in pieces from the store: for readers that also hash the stored bytes. In a
 * repository that is not encrypted the bytes pass to the sink as they are. */
typedef struct StoredReader StoredReader;

StoredReader *stored_reader_new(Repository *repository, SealRole role, const char *name,
                                CodecSink sink, gpointer data,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean stored_reader_write(StoredReader *reader, const void *bytes, gsize length,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean stored_reader_finish(StoredReader *reader, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stored_reader_free(StoredReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoredReader, stored_reader_free)

/* The same over a whole object: as store_stream(). TRUE only when the end of the object was
 * reached and proven. */
gboolean stored_stream(Repository *repository, SealRole role, const char *name, CodecSink sink,
                       gpointer data, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- within a document ------------------------------------------------------------------------ */

#define STORED_TEXT_LIMIT ((gsize)64 * 1024 * 1024) /* plain bytes */

/* A text for a clear document of an encrypted repository: the bytes as a zstd frame, sealed as an
 * object of this role and name would be, in base 64. Free with g_free(). */
char *stored_seal_text(Repository *repository, SealRole role, const char *name, const void *bytes,
                       gsize length, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* And back. ERROR_DAMAGED naming the object, ERROR_LIMIT. */
GBytes *stored_open_text(Repository *repository, SealRole role, const char *name, const char *text,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
