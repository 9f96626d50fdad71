/* SPDX-License-Identifier: Apache-2.0
 *
 * The unlocked key between two runs.
 */
#include "repo/key-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "repo/lease-identity.h"

#define BOOT_SIZE 36 /* of a boot id */

/* What the file holds. */
typedef struct {
    char boot[BOOT_SIZE];
    guint8 master[SEAL_KEY_SIZE];
} CachedKey;

#define SHARED_MEMORY "/dev/shm"

/* --- where ------------------------------------------------------------------------------------ */

/* Whether what is written there is gone with the boot. A directory that is to be made is where its
 * parent is. */
static gboolean is_in_memory(const char *directory)
{
    struct statfs info;

    if (statfs(directory, &info) == 0)
        return info.f_type == TMPFS_MAGIC || info.f_type == RAMFS_MAGIC;
    if (errno == ENOENT && strcmp(directory, "/") != 0 && strcmp(directory, ".") != 0) {
        g_autofree char *parent = g_path_get_dirname(directory);

        return is_in_memory(parent);
    }
    return FALSE;
}

static char *path_in(const char *runtime_directory, const char *repository)
{
    return g_build_filename(runtime_directory, "keys", repository, NULL);
}

/* The runtime directory of who has none, as the postgres account, is on a disk, and a key that is
 * written there stays when its boot is over. NULL: there is no place. */
static char *cache_path(const char *runtime_directory, const char *repository)
{
    g_autofree char *own = NULL;

    if (is_in_memory(runtime_directory))
        return path_in(runtime_directory, repository);
    if (!is_in_memory(SHARED_MEMORY))
        return NULL;
    own = g_strdup_printf(SHARED_MEMORY "/holdfast-%u", (guint)geteuid());
    return g_build_filename(own, repository, NULL);
}

/* In shared memory everybody may make a directory of this name: it must be ours. */
static gboolean make_private(const char *directory, GError **error)
{
    struct stat info;

    if (!directory_make(directory, 0700, error))
        return FALSE;
    if (lstat(directory, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
        (info.st_mode & 077) == 0)
        return TRUE;
    error_set(error, ERROR_INSECURE_FILE, "%s is not a private directory of this account",
              directory);
    return FALSE;
}

/* --- reading and writing ---------------------------------------------------------------------- */

/* FALSE where the kernel tells none: then a key could outlive its boot. */
static gboolean this_boot(char out[BOOT_SIZE])
{
    const char *boot = lease_identity()->boot_id;

    if (strlen(boot) != BOOT_SIZE)
        return FALSE;
    memcpy(out, boot, BOOT_SIZE);
    return TRUE;
}

static gboolean read_cached(const char *path, CachedKey *cached)
{
    FILE_AUTO_FD fd = -1;
    char boot[BOOT_SIZE];
    gsize length;

    if (!file_check_private(path, TRUE, NULL))
        return FALSE;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && file_read_all(fd, cached, sizeof *cached, &length, path, NULL) &&
           length == sizeof *cached && this_boot(boot) &&
           memcmp(boot, cached->boot, BOOT_SIZE) == 0;
}

gboolean key_cache_read(const char *runtime_directory, const char *repository,
                        guint8 ret_master[SEAL_KEY_SIZE])
{
    g_autofree char *path = cache_path(runtime_directory, repository);
    CachedKey *cached = secret_new(sizeof *cached);
    gboolean good = path != NULL && read_cached(path, cached);

    if (good)
        memcpy(ret_master, cached->master, SEAL_KEY_SIZE);
    else
        key_cache_remove(runtime_directory, repository);
    secret_free(cached, sizeof *cached);
    return good;
}

void key_cache_write(const char *runtime_directory, const char *repository,
                     const guint8 master[SEAL_KEY_SIZE])
{
    g_autofree char *path = cache_path(runtime_directory, repository);
    g_autofree char *directory = path != NULL ? g_path_get_dirname(path) : NULL;
    CachedKey *cached = secret_new(sizeof *cached);
    g_autoptr(GError) problem = NULL;

    if (path == NULL)
        error_set(&problem, ERROR_REFUSED, "%s is no file system in memory", runtime_directory);
    if (path != NULL && this_boot(cached->boot)) {
        memcpy(cached->master, master, SEAL_KEY_SIZE);
        (void)!(make_private(directory, &problem) &&
                file_replace(path, cached, sizeof *cached, 0600, &problem));
    }
    if (problem != NULL) {
        g_autofree char *text = error_text(problem);

        log_write(LOG_WARNING, "the unlocked key is not kept, every segment derives it anew: %s",
                  text);
    }
    secret_free(cached, sizeof *cached);
}

void key_cache_remove(const char *runtime_directory, const char *repository)
{
    g_autofree char *path = cache_path(runtime_directory, repository);
    g_autofree char *on_disk = path_in(runtime_directory, repository);

    if (path != NULL)
        (void)unlink(path);
    /* Where earlier versions left it. */
    (void)unlink(on_disk);
}
