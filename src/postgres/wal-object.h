/* SPDX-License-Identifier: Apache-2.0
 *
 * One object of the WAL archive: the metadata frame, then zstd frames, the whole of it sealed where
 * the repository is encrypted. Writing takes the plain bytes from a file or from memory, holds no
 * more than 64 MiB of compressed ones, and takes a second thread to its aid where that pays; reading
 * checks
 * everything that the frame promises.
 *
 * Threads: any; nothing is kept between calls.
 */
#ifndef HOLDFAST_POSTGRES_WAL_OBJECT_H
#define HOLDFAST_POSTGRES_WAL_OBJECT_H

#include "codec/compress.h"
#include "postgres/wal-frame.h"
#include "repo/repository.h"

/* Plain bytes: a descriptor's first `size` bytes, or memory where `bytes` is set. */
typedef struct {
    int fd;
    const guint8 *bytes;
    guint64 size;
    const char *path; /* for errors */
} WalPlain;

/* SHA-256 of plain bytes. A file that has become shorter is ERROR_VANISHED. */
gboolean wal_plain_hash(const WalPlain *plain, guint8 digest[SHA256_SIZE],
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes an object. The frame's name, system identifier, segment size and start are the caller's;
 * sizes and digests are filled in. Durable when it returns TRUE; ERROR_EXISTS when the object's
 * name is taken. */
gboolean wal_object_write(Repository *repository, const char *object, const WalPlain *plain,
                          int level, WalFrame *frame, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the frame only. ERROR_NOT_FOUND, ERROR_DAMAGED. */
gboolean wal_object_frame(Repository *repository, const char *object, WalFrame *ret_frame,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the stored bytes through and holds them against the frame, without decompressing them: what
 * proves that an object is still what was written. ret_frame may be NULL. ERROR_NOT_FOUND,
 * ERROR_DAMAGED. */
gboolean wal_object_check(Repository *repository, const char *object, WalFrame *ret_frame,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Streams the plain bytes to the sink (NULL: only checks). TRUE only when size and SHA-256 of the
 * stored bytes and size of the plain ones are those of the frame; the sink has seen bytes by then.
 * Without a sink the plain bytes are hashed as well. ret_frame may be NULL. ERROR_NOT_FOUND,
 * ERROR_DAMAGED. */
gboolean wal_object_read(Repository *repository, const char *object, CodecSink sink, gpointer data,
                         WalFrame *ret_frame, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same, into an open and empty file from its beginning, with the help of a second thread; the
 * descriptor's place does not move. `path` is for errors. */
gboolean wal_object_read_into(Repository *repository, const char *object, int fd, const char *path,
                              WalFrame *ret_frame, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
