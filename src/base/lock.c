/* SPDX-License-Identifier: Apache-2.0
 *
 * Run files, held by a write lock of the open file description over the whole file.
 */
#include "base/lock.h"

#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT_LIMIT 4096

struct RunFile {
    char *path;
    int fd;
};

static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

/* Whether the path still leads to the open file: its former holder may have removed it between our
 * open and our lock. */
static gboolean is_in_place(int fd, const char *path)
{
    struct stat open_file, named_file;

    return fstat(fd, &open_file) == 0 && lstat(path, &named_file) == 0 &&
           open_file.st_dev == named_file.st_dev && open_file.st_ino == named_file.st_ino;
}

/* Opens and locks; an open file that lost its name meanwhile is tried again. */
static gboolean open_locked(const char *path, int *ret_fd, GError **error)
{
    for (;;) {
        FILE_AUTO_FD fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct flock lock = whole_file();

        if (fd < 0) {
            error_set_errno(error, errno, "cannot open the run file %s", path);
            return FALSE;
        }
        file_give_at(fd, path);
        if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
            if (errno == EAGAIN || errno == EACCES)
                error_set(error, ERROR_BUSY, "%s is held by a running process", path);
            else
                error_set_errno(error, errno, "cannot lock the run file %s", path);
            return FALSE;
        }
        if (is_in_place(fd, path)) {
            *ret_fd = g_steal_fd(&fd);
            return TRUE;
        }
    }
}

RunFile *run_file_acquire(const char *path, const char *content, GError **error)
{
    FILE_AUTO_FD fd = -1;
    RunFile *run;

    if (!open_locked(path, &fd, error))
        return NULL;
    if (ftruncate(fd, 0) != 0) {
        error_set_errno(error, errno, "cannot empty the run file %s", path);
        return NULL;
    }
    if (!file_write_all(fd, content, strlen(content), path, error))
        return NULL;
    run = g_new0(RunFile, 1);
    run->path = g_strdup(path);
    run->fd = g_steal_fd(&fd);
    return run;
}

void run_file_abandon(RunFile *run)
{
    if (run == NULL)
        return;
    file_close_fd(&run->fd);
    g_free(run->path);
    g_free(run);
}

void run_file_release(RunFile *run)
{
    if (run == NULL)
        return;
    /* Removed while it is still locked: who opened it in between finds that it lost its name. */
    if (is_in_place(run->fd, run->path))
        unlink(run->path);
    run_file_abandon(run);
}

gboolean run_file_update(RunFile *run, const char *content, GError **error)
{
    gsize length = strlen(content);

    if (lseek(run->fd, 0, SEEK_SET) < 0 || ftruncate(run->fd, 0) != 0) {
        error_set_errno(error, errno, "cannot empty the run file %s", run->path);
        return FALSE;
    }
    return file_write_all(run->fd, content, length, run->path, error);
}

const char *run_file_path(const RunFile *run)
{
    return run->path;
}

gboolean run_file_inspect(const char *path, RunFileState *ret_state, char **ret_content,
                          GError **error)
{
    FILE_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct flock lock = whole_file();
    g_autofree char *content = NULL;
    gsize length = 0;

    if (fd < 0 && errno == ENOENT) {
        *ret_state = RUN_FILE_MISSING;
        if (ret_content != NULL)
            *ret_content = NULL;
        return TRUE;
    }
    /* Asking for the lock does not take it, so that a look never makes a process fail that starts
     * just now. */
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) != 0) {
        error_set_errno(error, errno, "cannot look at the run file %s", path);
        return FALSE;
    }
    content = g_malloc0(CONTENT_LIMIT + 1);
    if (!file_read_all(fd, content, CONTENT_LIMIT, &length, path, error))
        return FALSE;
    *ret_state = lock.l_type == F_UNLCK ? RUN_FILE_DEAD : RUN_FILE_HELD;
    if (ret_content != NULL)
        *ret_content = g_steal_pointer(&content);
    return TRUE;
}
