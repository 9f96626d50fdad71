/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing a backup: objects stream through the codec, the seal of an encrypted repository and
 * SHA-256 into the store, each durable when
 * it is committed; the manifest comes after them and SHA256SUMS last: that is the commit. A writer
 * that is freed without a commit removes what it wrote but its notes (they and what a crash leaves are
 * swept, see repo/sweep.h).
 *
 * Threads: objects may be written by several threads at once, one thread an object.
 */
#ifndef HOLDFAST_REPO_WRITER_H
#define HOLDFAST_REPO_WRITER_H

#include "repo/lease.h"
#include "repo/manifest.h"
#include "repo/repository.h"

typedef struct BackupWriter BackupWriter;
typedef struct ObjectWriter ObjectWriter;

/* Begins the backup with this id under a live lease (which stays the caller's, and must outlive the
 * writer). */
BackupWriter *backup_writer_new(Repository *repository, Lease *lease, const char *id,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Begins the copy of a backup of another repository, which keeps its id. What an interrupted copy
 * left in the folder may be there: objects are put there by repo/transfer.h, and entered with
 * backup_writer_adopt(). Freed without a commit it leaves everything for the next run (or the
 * sweep). ERROR_EXISTS where the backup is committed. */
BackupWriter *backup_writer_new_copy(Repository *repository, Lease *lease, const char *id,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void backup_writer_free(BackupWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BackupWriter, backup_writer_free)

Repository *backup_writer_repository(const BackupWriter *writer);

/* Begins an object at `path` ("data/…", "details….zst", without the codec's extension, which is
 * added). */
ObjectWriter *backup_writer_begin(BackupWriter *writer, const char *path, CompressSpec spec,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean object_writer_write(ObjectWriter *object, const void *bytes, gsize length,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Makes the object durable and a part of the backup. *ret_object (may be NULL) belongs to the
 * writer of the backup. */
gboolean object_writer_commit(ObjectWriter *object, const ManifestObject **ret_object,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Frees; an object that was not committed is forgotten. */
void object_writer_free(ObjectWriter *object);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ObjectWriter, object_writer_free)

/* A whole object at once. */
gboolean backup_writer_put(BackupWriter *writer, const char *path, CompressSpec spec,
                           const void *bytes, gsize length,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes an object of the folder that is durable already a part of the backup; digest and size are
 * of its stored bytes. Once for each path. */
void backup_writer_adopt(BackupWriter *writer, const char *path, guint64 plain_size,
                         const guint8 digest[SHA256_SIZE], guint64 size);

/* Makes an object that lies outside of the backup's folder, and is durable, a part of the backup:
 * `path` begins with "../../pool/" or "../../wal/", `size` is its stored bytes. Pool objects appear
 * in the manifest as totals only ("pool"). An object that is added again must be the same. */
gboolean backup_writer_add_external(BackupWriter *writer, const char *path,
                                    const guint8 digest[SHA256_SIZE], guint64 size,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Notes what is durable and may serve the next backup of this kind, should this one not come to its
 * end: see repo/unfinished.h. Takes the fields. The notes stay when the writer is freed without a
 * commit, and go with it. */
gboolean backup_writer_note(BackupWriter *writer, json_t *fields,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Adds all objects to the manifest, checks that each is in the store with its size and in no
 * tombstone and that the lease still lives, writes manifest.json and SHA256SUMS. When the answer to
 * the last write is lost, what stands there is read before the result is said. After TRUE the
 * backup exists. */
gboolean backup_writer_commit(BackupWriter *writer, Manifest *manifest,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
