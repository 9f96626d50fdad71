/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading committed backups: the list of them, one of them, and its objects, checked while they are
 * read.
 *
 * Threads: a Backup does not change once it is open; its objects may be read by several threads at
 * once.
 */
#ifndef HOLDFAST_REPO_BACKUP_H
#define HOLDFAST_REPO_BACKUP_H

#include "repo/checksums.h"
#include "repo/manifest.h"
#include "repo/repository.h"

typedef struct Backup Backup;

/* The ids of all committed backups, sorted (oldest first): those whose SHA256SUMS is there. An
 * array of strings. */
gboolean backup_list(Repository *repository, GPtrArray **ret_ids,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether there is a committed backup with exactly this id: its SHA256SUMS is there. */
gboolean backup_is_committed(Repository *repository, const char *id, gboolean *ret_committed,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Opens a backup: SHA256SUMS is read, the manifest is read and held against it. ERROR_NOT_FOUND
 * with the nearest known id as hint, ERROR_DAMAGED, ERROR_NEWER_FORMAT. An id may be shortened to
 * any prefix or suffix that fits only one. */
Backup *backup_open(Repository *repository, const char *id,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
Backup *backup_ref(Backup *backup);
void backup_unref(Backup *backup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Backup, backup_unref)

/* The checksums of a committed backup alone, its exact id given; needs no manifest.
 * ERROR_NOT_FOUND, ERROR_DAMAGED. */
Checksums *backup_read_checksums(Repository *repository, const char *id,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

const char *backup_id(const Backup *backup);
Repository *backup_repository(const Backup *backup);
const Manifest *backup_manifest(const Backup *backup);
const Checksums *backup_checksums(const Backup *backup);

/* Streams an object's plain bytes to the sink: decompressed by the extension of its path, its
 * stored bytes hashed on the way. TRUE only when the hash holds. The sink has seen bytes by then:
 * whoever cannot take them back uses backup_check_object() first. ERROR_DAMAGED names the object.
 * When the sink stops with an error, that error is returned. */
gboolean backup_read_object(Backup *backup, const char *path, CodecSink sink, gpointer data,
                            GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A whole small object, at most `limit` plain bytes, checked before it is handed over. */
GBytes *backup_get_object(Backup *backup, const char *path, gsize limit,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Presence, size and SHA-256 of the stored bytes: ERROR_DAMAGED names the object and what is wrong.
 * *ret_bytes (may be NULL) is what was read. */
gboolean backup_check_object(Backup *backup, const char *path, guint64 *ret_bytes,
                             GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What backup_check_pair() is to check, and what it found. */
typedef struct {
    const char *path; /* NULL: nothing */
    guint64 bytes;    /* read of it */
    GError *problem;  /* NULL: it is as it was written. The caller's to free. */
} BackupCheck;

/* backup_check_object() for two objects, which are read and hashed in step: that takes little
 * longer than one of them. What is wrong with one does not touch the other; a cancel ends both. */
void backup_check_pair(Backup *backup, BackupCheck pair[2], GCancellable *cancellable);

/* The name in the store of what SHA256SUMS lists under this path. Free with g_free(). */
char *backup_object_name(const Backup *backup, const char *path);

/* How large it is, and should be: the same where the manifest does not say. ERROR_NOT_FOUND. */
gboolean backup_stat_object(const Backup *backup, const char *path, guint64 *ret_size,
                            guint64 *ret_expected, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Presence and size of an object that the manifest lists: without reading it, so that a flipped bit
 * is not seen. ERROR_DAMAGED as above. */
gboolean backup_check_presence(Backup *backup, const char *path,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The full path that ends in the codec's extension, for an object that was begun as `stem`
 * ("details.json"); NULL when the backup has none. Belongs to the backup. */
const char *backup_find_object(Backup *backup, const char *stem);

/* Deletes the backup: SHA256SUMS first, so that an interrupted delete leaves no half backup in the
 * list, then its other objects. Pins and rules are the caller's business. */
gboolean backup_delete(Repository *repository, const char *id,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
