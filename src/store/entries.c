/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading one directory.
 */
#include "store/entries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "store/driver.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

static void entry_free(gpointer data)
{
    StoreEntry *entry = data;

    g_free(entry->name);
    g_free(entry);
}

static int compare_entries(gconstpointer a, gconstpointer b)
{
    const StoreEntry *const *left = a;
    const StoreEntry *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

gint64 entries_modified(const struct stat *info)
{
    return (gint64)info->st_mtim.tv_sec * TIME_SECOND + info->st_mtim.tv_nsec / 1000;
}

/* FALSE with errno where it cannot be told what the entry is. */
static gboolean add_entry(GPtrArray *entries, int directory_fd, const char *name, gboolean is_root)
{
    gboolean temporary = g_str_has_prefix(name, STORE_TEMPORARY_PREFIX);
    struct stat info;
    StoreEntry *entry;

    if (!temporary && !store_name_valid(name))
        return TRUE;
    /* A file system of its own has this one, which only root may open. */
    if (is_root && strcmp(name, "lost+found") == 0)
        return TRUE;
    if (fstatat(directory_fd, name, &info, 0) != 0)
        return errno == ENOENT; /* deleted meanwhile */
    if (!S_ISREG(info.st_mode) && !(S_ISDIR(info.st_mode) && !temporary))
        return TRUE;
    entry = g_new0(StoreEntry, 1);
    entry->is_directory = S_ISDIR(info.st_mode);
    entry->name = g_strconcat(name, entry->is_directory ? "/" : "", NULL);
    entry->temporary = temporary;
    entry->info.size = (guint64)info.st_size;
    entry->info.modified = entries_modified(&info);
    g_ptr_array_add(entries, entry);
    return TRUE;
}

/* A stream of its own, so that the caller keeps his descriptor. */
static DIR *open_stream(int directory_fd)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    int errnum = errno;

    if (stream == NULL && fd >= 0)
        close(fd);
    errno = errnum;
    return stream;
}

GPtrArray *entries_read(int directory_fd, gboolean is_root)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(entry_free);
    g_autoptr(DIR) stream = open_stream(directory_fd);
    int errnum;

    if (stream == NULL)
        return NULL;
    for (;;) {
        const struct dirent *found;

        errno = 0;
        found = readdir(stream);
        if (found == NULL || !add_entry(entries, directory_fd, found->d_name, is_root))
            break;
    }
    errnum = errno;
    if (errnum != 0) {
        g_clear_pointer(&entries, g_ptr_array_unref);
        g_clear_pointer(&stream, closedir);
        errno = errnum;
        return NULL;
    }
    g_ptr_array_sort(entries, compare_entries);
    return g_steal_pointer(&entries);
}

typedef gboolean (*EntryTest)(const struct dirent64 *entry);

/* Whether a directory has an entry of some kind. Not by readdir(), which reads as much as fits into
 * 32 KiB: a few names are enough here. */
static gboolean any_entry(int directory_fd, EntryTest test)
{
    _Alignas(struct dirent64) char buffer[1024];
    ssize_t length;

    while ((length = getdents64(directory_fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < length;) {
            const struct dirent64 *entry = (const struct dirent64 *)(buffer + at);

            if (test(entry))
                return TRUE;
            at += entry->d_reclen;
        }
    }
    return FALSE;
}

static gboolean is_anything(const struct dirent64 *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static gboolean is_object(const struct dirent64 *entry)
{
    return entry->d_type == DT_REG && !g_str_has_prefix(entry->d_name, STORE_TEMPORARY_PREFIX) &&
           store_name_valid(entry->d_name);
}

gboolean entries_any(int directory_fd)
{
    return any_entry(directory_fd, is_anything);
}

gboolean entries_any_object(int directory_fd)
{
    return any_entry(directory_fd, is_object);
}
