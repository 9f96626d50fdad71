/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and directories, durably: what GLib leaves out. Paths are in the file system's encoding;
 * errors name them.
 */
#ifndef HOLDFAST_BASE_FILE_H
#define HOLDFAST_BASE_FILE_H

#include <glib.h>
#include <sys/types.h>

/* A file descriptor that closes itself: FILE_AUTO_FD fd = -1. Close explicitly where the result of
 * close() matters. */
#define FILE_AUTO_FD __attribute__((cleanup(file_close_fd))) int
void file_close_fd(int *fd);

/* Reads a whole file of at most `limit` bytes (a larger one is ERROR_LIMIT). The bytes are followed
 * by a NUL that is not counted, so that text can be used as a string. Free with g_free(). */
gboolean file_read(const char *path, gsize limit, char **ret_bytes, gsize *ret_length,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* write(2) until all is written; EINTR is no error. `path` names the file in errors. */
gboolean file_write_all(int fd, const void *bytes, gsize length, const char *path,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* read(2) until `length` bytes or the end; *ret_length is what was read. */
gboolean file_read_all(int fd, void *buffer, gsize length, gsize *ret_length, const char *path,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes a new file through a temporary name in the same directory, fsyncs it, renames it into
 * place (replacing what is there) and fsyncs the directory. For local files such as configuration
 * and run files, not for repository objects. */
gboolean file_replace(const char *path, const void *bytes, gsize length, mode_t mode,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As root: gives a file or directory that this process has just made to the owner of the directory
 * that it is in, so that a command that root runs leaves nothing that the service's account cannot
 * use. Does nothing for others, in directories of root's, and where the file system does not let it. */
void file_give(int fd, int directory);

/* The same, with the path that leads to it. */
void file_give_at(int fd, const char *path);

/* fsync of a descriptor or a directory. A failed fsync is final: never retried. */
gboolean file_sync(int fd, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean directory_sync(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes a directory and its missing parents, and fsyncs each parent that gained an entry. One that
 * exists is fine. What root makes is given away as by file_give(). */
gboolean directory_make(const char *path, mode_t mode, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True when the directory exists and has no entry. */
gboolean directory_is_empty(const char *path);

/* Removes a directory with all that is in it, following no link. One that is not there is fine. */
gboolean directory_remove(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Refuses a file that is not a regular file, or whose mode lets others than its owner and group
 * read it, or lets its group write it, or that belongs to neither us nor root: ERROR_INSECURE_FILE
 * with the chmod to run as hint. With `owner_only` the group may not read either. Files that are
 * not there are ERROR_NOT_FOUND. */
gboolean file_check_private(const char *path, gboolean owner_only,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Goes from a path to the directory above it. FALSE where there is none: "/" or ".". */
gboolean file_climb(char **path);

/* Bytes that an unprivileged writer can still put on the file system that holds path (or its
 * nearest parent that is). */
gboolean file_free_space(const char *path, guint64 *ret_bytes,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same, and how many bytes such a writer has there in all, used and free. */
gboolean file_space(const char *path, guint64 *ret_free, guint64 *ret_total,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An unnamed temporary file (O_TMPFILE, else made and unlinked) in `directory`: gone with its last
 * descriptor, so that a killed process leaves nothing. */
gboolean file_open_unnamed(const char *directory, int *ret_fd,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
