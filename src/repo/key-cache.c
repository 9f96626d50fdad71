/* SPDX-License-Identifier: Apache-2.0
 *
 * The unlocked key between two runs.
 */
#include "repo/key-cache.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
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

static char *cache_path(const char *runtime_directory, const char *repository)
{
    return g_build_filename(runtime_directory, "keys", repository, NULL);
}

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
    gboolean good = read_cached(path, cached);

    if (good)
        memcpy(ret_master, cached->master, SEAL_KEY_SIZE);
    else
        (void)unlink(path);
    secret_free(cached, sizeof *cached);
    return good;
}

/* What is on a disk outlives its boot. */
static void warn_of_disk(const char *directory)
{
    struct statfs info;

    if (statfs(directory, &info) == 0 && info.f_type != TMPFS_MAGIC && info.f_type != RAMFS_MAGIC)
        log_write(LOG_WARNING,
                  "the unlocked key for archiving is kept in %s, which is no file system in "
                  "memory: set runtime_directory to one below /run",
                  directory);
}

void key_cache_write(const char *runtime_directory, const char *repository,
                     const guint8 master[SEAL_KEY_SIZE])
{
    g_autofree char *path = cache_path(runtime_directory, repository);
    g_autofree char *directory = g_path_get_dirname(path);
    CachedKey *cached = secret_new(sizeof *cached);
    g_autoptr(GError) problem = NULL;

    if (this_boot(cached->boot)) {
        memcpy(cached->master, master, SEAL_KEY_SIZE);
        if (directory_make(directory, 0700, &problem) &&
            file_replace(path, cached, sizeof *cached, 0600, &problem))
            warn_of_disk(directory);
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

    (void)unlink(path);
}
