/* SPDX-License-Identifier: Apache-2.0
 *
 * Files and directories with the durability that GLib leaves out.
 */
#include "base/file.h"

#include "base/error.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What file_read() starts with where the size is not known (pipes, /proc). */
#define READ_START 4096

void file_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

gboolean file_read_all(int fd, void *buffer, gsize length, gsize *ret_length, const char *path,
                       GError **error)
{
    guint8 *at = buffer;
    gsize done = 0;

    while (done < length) {
        ssize_t got = read(fd, at + done, length - done);

        if (got < 0) {
            if (errno == EINTR)
                continue;
            error_set_errno(error, errno, "cannot read %s", path);
            return FALSE;
        }
        if (got == 0)
            break;
        done += (gsize)got;
    }
    *ret_length = done;
    return TRUE;
}

/* Reads to the end through a buffer that grows up to one byte more than the limit: that byte says
 * that there is more. */
static gboolean read_to_end(int fd, gsize start, gsize limit, const char *path, char **ret_bytes,
                            gsize *ret_length, GError **error)
{
    gsize most = MIN(limit, G_MAXSIZE - 2) + 1;
    gsize size = CLAMP(start, 1, most);
    gsize length = 0;
    g_autofree char *bytes = g_malloc(size + 1);

    for (;;) {
        gsize got = 0;

        if (!file_read_all(fd, bytes + length, size - length, &got, path, error))
            return FALSE;
        length += got;
        if (length < size)
            break;
        if (size == most) {
            error_set(error, ERROR_LIMIT, "%s is larger than %" G_GSIZE_FORMAT " bytes", path,
                      limit);
            return FALSE;
        }
        size = size > most / 2 ? most : size * 2;
        bytes = g_realloc(bytes, size + 1);
    }
    bytes[length] = '\0';
    *ret_bytes = g_steal_pointer(&bytes);
    *ret_length = length;
    return TRUE;
}

gboolean file_read(const char *path, gsize limit, char **ret_bytes, gsize *ret_length,
                   GError **error)
{
    FILE_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    gsize start = READ_START;

    if (fd < 0 || fstat(fd, &info) != 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return FALSE;
    }
    /* One byte more than the size, so that the first read comes to the end. */
    if (S_ISREG(info.st_mode) && info.st_size > 0)
        start = (gsize)info.st_size + 1;
    return read_to_end(fd, start, limit, path, ret_bytes, ret_length, error);
}

gboolean file_write_all(int fd, const void *bytes, gsize length, const char *path, GError **error)
{
    const guint8 *at = bytes;

    while (length > 0) {
        ssize_t written = write(fd, at, length);

        if (written < 0) {
            if (errno == EINTR)
                continue;
            error_set_errno(error, errno, "cannot write %s", path);
            return FALSE;
        }
        at += written;
        length -= (gsize)written;
    }
    return TRUE;
}

gboolean file_sync(int fd, const char *path, GError **error)
{
    if (fsync(fd) == 0)
        return TRUE;
    error_set_errno(error, errno, "cannot sync %s", path);
    return FALSE;
}

gboolean directory_sync(const char *path, GError **error)
{
    FILE_AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open directory %s", path);
        return FALSE;
    }
    return file_sync(fd, path, error);
}

void file_give(int fd, int directory)
{
    struct stat own, parent;

    if (geteuid() != 0 || fstat(fd, &own) != 0 || fstat(directory, &parent) != 0)
        return;
    /* With a second name it may be any file of root's, put there by the directory's owner. */
    if (own.st_uid != 0 || parent.st_uid == 0 || (!S_ISDIR(own.st_mode) && own.st_nlink > 1))
        return;
    (void)fchown(fd, parent.st_uid, parent.st_gid);
}

void file_give_at(int fd, const char *path)
{
    g_autofree char *parent = geteuid() == 0 ? g_path_get_dirname(path) : NULL;
    FILE_AUTO_FD directory = parent != NULL ? open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (directory >= 0)
        file_give(fd, directory);
}

/* Writes, sets the mode whatever the umask is, syncs and closes. */
static gboolean fill_new_file(const char *path, const void *bytes, gsize length, mode_t mode,
                              GError **error)
{
    FILE_AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot create %s", path);
        return FALSE;
    }
    file_give_at(fd, path);
    if (!file_write_all(fd, bytes, length, path, error))
        return FALSE;
    if (fchmod(fd, mode) != 0) {
        error_set_errno(error, errno, "cannot set the mode of %s", path);
        return FALSE;
    }
    if (!file_sync(fd, path, error))
        return FALSE;
    /* Network file systems tell some failures of writing only here. */
    if (close(g_steal_fd(&fd)) != 0) {
        error_set_errno(error, errno, "cannot close %s", path);
        return FALSE;
    }
    return TRUE;
}

gboolean file_replace(const char *path, const void *bytes, gsize length, mode_t mode,
                      GError **error)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *unique = random_name(8);
    g_autofree char *temporary = g_strdup_printf("%s/.%s.%s.tmp", directory, name, unique);

    if (!fill_new_file(temporary, bytes, length, mode, error)) {
        unlink(temporary);
        return FALSE;
    }
    if (rename(temporary, path) != 0) {
        error_set_errno(error, errno, "cannot put %s in place", path);
        unlink(temporary);
        return FALSE;
    }
    return directory_sync(directory, error);
}

static void give_directory(const char *path)
{
    FILE_AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        file_give_at(fd, path);
}

gboolean directory_make(const char *path, mode_t mode, GError **error)
{
    g_autofree char *parent = NULL;
    struct stat info;

    if (stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return TRUE;
        error_set_errno(error, ENOTDIR, "cannot make directory %s", path);
        return FALSE;
    }
    if (errno != ENOENT) {
        error_set_errno(error, errno, "cannot make directory %s", path);
        return FALSE;
    }
    parent = g_path_get_dirname(path);
    if (!directory_make(parent, mode, error))
        return FALSE;
    /* Another process may have made it meanwhile, or the path ends with a slash. */
    if (mkdir(path, mode) == 0) {
        give_directory(path);
    } else if (errno != EEXIST || !g_file_test(path, G_FILE_TEST_IS_DIR)) {
        error_set_errno(error, errno, "cannot make directory %s", path);
        return FALSE;
    }
    return directory_sync(parent, error);
}

gboolean directory_is_empty(const char *path)
{
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);

    return directory != NULL && g_dir_read_name(directory) == NULL;
}

/* The names in a directory; the descriptor stays the caller's. All of them are read before the
 * first is removed, because a file system may skip entries while others go away. */
static GPtrArray *list_names(int fd, const char *path, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *directory = own >= 0 ? fdopendir(own) : NULL;
    const struct dirent *entry;

    if (directory == NULL) {
        error_set_errno(error, errno, "cannot list %s", path);
        file_close_fd(&own);
        return NULL;
    }
    for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            g_ptr_array_add(names, g_strdup(entry->d_name));
    }
    if (errno != 0) {
        error_set_errno(error, errno, "cannot list %s", path);
        closedir(directory);
        return NULL;
    }
    closedir(directory);
    return g_steal_pointer(&names);
}

/* Works on descriptors, not on paths, so that nobody can put a link in the way. */
static gboolean remove_entry(int parent, const char *name, const char *path, GError **error)
{
    FILE_AUTO_FD fd = -1;
    g_autoptr(GPtrArray) names = NULL;

    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return TRUE;
    if (errno != EISDIR && errno != EPERM) {
        error_set_errno(error, errno, "cannot remove %s", path);
        return FALSE;
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot remove %s", path);
        return FALSE;
    }
    names = list_names(fd, path, error);
    if (names == NULL)
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *child = g_build_filename(path, names->pdata[i], NULL);

        if (!remove_entry(fd, names->pdata[i], child, error))
            return FALSE;
    }
    if (unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        error_set_errno(error, errno, "cannot remove %s", path);
        return FALSE;
    }
    return TRUE;
}

gboolean directory_remove(const char *path, GError **error)
{
    struct stat info;

    if (lstat(path, &info) != 0) {
        if (errno == ENOENT)
            return TRUE;
        error_set_errno(error, errno, "cannot remove %s", path);
        return FALSE;
    }
    if (!S_ISDIR(info.st_mode)) {
        error_set_errno(error, ENOTDIR, "cannot remove %s", path);
        return FALSE;
    }
    return remove_entry(AT_FDCWD, path, path, error);
}

gboolean file_check_private(const char *path, gboolean owner_only, GError **error)
{
    mode_t forbidden = S_IROTH | S_IWOTH | S_IWGRP | (owner_only ? S_IRGRP : 0);
    struct stat info;

    if (stat(path, &info) != 0) {
        error_set_errno(error, errno, "cannot look at %s", path);
        return FALSE;
    }
    if (!S_ISREG(info.st_mode)) {
        error_set(error, ERROR_INSECURE_FILE, "%s is not a regular file", path);
        return FALSE;
    }
    if (info.st_uid != geteuid() && info.st_uid != 0) {
        error_set(error, ERROR_INSECURE_FILE, "%s belongs to another user (uid %u)", path,
                  (guint)info.st_uid);
        error_add_hint(error, "chown %u %s && chmod 600 %s", (guint)geteuid(), path, path);
        return FALSE;
    }
    if ((info.st_mode & forbidden) != 0) {
        error_set(error, ERROR_INSECURE_FILE, "%s is open to other users (mode %04o)", path,
                  (guint)(info.st_mode & 07777));
        error_add_hint(error, "chmod %s %s", owner_only ? "600" : "640", path);
        return FALSE;
    }
    return TRUE;
}

gboolean file_climb(char **path)
{
    char *above;

    if (strcmp(*path, "/") == 0 || strcmp(*path, ".") == 0)
        return FALSE;
    above = g_path_get_dirname(*path);
    g_free(*path);
    *path = above;
    return TRUE;
}

gboolean file_free_space(const char *path, guint64 *ret_bytes, GError **error)
{
    guint64 total;

    return file_space(path, ret_bytes, &total, error);
}

gboolean file_space(const char *path, guint64 *ret_free, guint64 *ret_total, GError **error)
{
    g_autofree char *place = g_strdup(path);
    struct statvfs info;

    while (statvfs(place, &info) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != ENOENT || !file_climb(&place)) {
            error_set_errno(error, errno, "cannot ask for the free space of %s", path);
            return FALSE;
        }
    }
    *ret_free = (guint64)info.f_bavail * info.f_frsize;
    *ret_total = (guint64)(info.f_blocks - info.f_bfree + info.f_bavail) * info.f_frsize;
    return TRUE;
}

gboolean file_open_unnamed(const char *directory, int *ret_fd, GError **error)
{
    g_autofree char *unique = NULL;
    g_autofree char *path = NULL;
    int fd = open(directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        unique = random_name(12);
        path = g_strdup_printf("%s/.holdfast.%s.tmp", directory, unique);
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0)
            unlink(path);
    }
    if (fd < 0) {
        error_set_errno(error, errno, "cannot make a temporary file in %s", directory);
        return FALSE;
    }
    *ret_fd = fd;
    return TRUE;
}
