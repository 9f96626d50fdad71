/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of a data directory that is restored: taken, cleared of what the backup does not have,
 * made, synced, and handed over.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "postgres/file-list.h"
#include "postgres/restore-place.h"

struct PgPlaceLock {
    int fd;
};

/* --- paths ------------------------------------------------------------------------------------ */

static char *path_of(const PgPlace *place, const char *path)
{
    return g_build_filename(place->directory, path, NULL);
}

static gboolean own_path(const PgPlace *place, const char *path, mode_t mode, GError **error)
{
    if (chmod(path, mode) == 0 &&
        (place->user == NULL || lchown(path, place->uid, place->gid) == 0))
        return TRUE;
    error_set_errno(error, errno, "cannot give %s its owner and mode", path);
    return FALSE;
}

/* A place for files of the server: made where it is missing. */
static gboolean make_root(const PgPlace *place, const char *path, mode_t mode, GError **error)
{
    return directory_make(path, 0700, error) && own_path(place, path, mode, error);
}

/* --- taking it -------------------------------------------------------------------------------- */

void pg_place_release(PgPlaceLock *lock)
{
    if (lock == NULL)
        return;
    close(lock->fd);
    g_free(lock);
}

static gboolean write_marker(const PgPlaceLock *lock, const char *path, guint64 system_identifier,
                             const char *backup, GError **error)
{
    g_autofree char *text = g_strdup_printf(
        "%" G_GUINT64_FORMAT "\nA restore of backup %s is under way here, or was broken off.\n"
        "No server can be started in this directory; run the restore again, with --delta.\n",
        system_identifier, backup);

    if (ftruncate(lock->fd, 0) != 0) {
        error_set_errno(error, errno, "cannot write %s", path);
        return FALSE;
    }
    return file_write_all(lock->fd, text, strlen(text), path, error) &&
           file_sync(lock->fd, path, error);
}

/* Whatever happens from here on, no server starts on a mixture of two states. */
static gboolean move_control(const PgPlace *place, GError **error)
{
    g_autofree char *folder = path_of(place, "global");
    g_autofree char *old = path_of(place, PG_CONTROL_PATH);
    g_autofree char *away = path_of(place, PG_CONTROL_BEFORE);

    if (rename(old, away) != 0) {
        if (errno == ENOENT)
            return TRUE;
        error_set_errno(error, errno, "cannot move %s away", old);
        return FALSE;
    }
    return directory_sync(folder, error);
}

PgPlaceLock *pg_place_take(const PgPlace *place, guint64 system_identifier, const char *backup,
                           GError **error)
{
    g_autofree char *path = path_of(place, PG_RESTORE_MARKER);
    g_autoptr(PgPlaceLock) lock = NULL;
    int fd;

    if (!make_root(place, place->directory, 0700, error))
        return NULL;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        error_set_errno(error, errno, "cannot write %s", path);
        return NULL;
    }
    lock = g_new0(PgPlaceLock, 1);
    lock->fd = fd;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        error_set(error, ERROR_BUSY, "another restore writes to %s", place->directory);
        return NULL;
    }
    if (!write_marker(lock, path, system_identifier, backup, error) ||
        !directory_sync(place->directory, error) || !move_control(place, error))
        return NULL;
    return g_steal_pointer(&lock);
}

/* --- what the backup does not have ------------------------------------------------------------ */

typedef struct {
    const PgPlace *place;
    const GPtrArray *files; /* the backup's, sorted by path */
    guint64 removed;
} Clearing;

static gboolean remove_entry(Clearing *clearing, int parent, const char *name, const char *path,
                             gboolean is_directory, GError **error)
{
    g_autofree char *full = path_of(clearing->place, path);

    clearing->removed++;
    if (is_directory)
        return directory_remove(full, error);
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return TRUE;
    error_set_errno(error, errno, "cannot remove %s", full);
    return FALSE;
}

/* The link of a tablespace that stays is kept: behind it lies what may be reused. */
static gboolean is_kept_link(const Clearing *clearing, const char *path, int parent,
                             const char *name)
{
    const GPtrArray *spaces = clearing->place->tablespaces;
    char target[4096];
    ssize_t length;

    if (!g_str_has_prefix(path, "pg_tblspc/"))
        return FALSE;
    length = readlinkat(parent, name, target, sizeof target - 1);
    if (length < 0)
        return FALSE;
    target[length] = '\0';
    for (guint i = 0; i < spaces->len; i++) {
        const PgPlacedTablespace *space = g_ptr_array_index(spaces, i);

        if (space->oid == g_ascii_strtoull(name, NULL, 10))
            return g_strcmp0(space->location, target) == 0;
    }
    return FALSE;
}

static gboolean clear_directory(Clearing *clearing, int parent, const char *name, const char *path,
                                GError **error);

static gboolean is_ours(const char *path)
{
    return strcmp(path, PG_RESTORE_MARKER) == 0 || strcmp(path, PG_CONTROL_BEFORE) == 0;
}

/* What the backup has under this path; NULL: nothing. WAL is written anew, and pg_wal is where this
 * restore wants it: nothing of it counts. */
static const PgFile *find_file(const Clearing *clearing, const char *path)
{
    guint low = 0, high = clearing->files->len;

    if (strcmp(path, "pg_wal") == 0 || g_str_has_prefix(path, "pg_wal/"))
        return NULL;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const PgFile *file = clearing->files->pdata[middle];
        int order = strcmp(file->path, path);

        if (order == 0)
            return file;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static gboolean clear_entry(Clearing *clearing, int parent, const char *name, const char *path,
                            GError **error)
{
    const PgFile *file = find_file(clearing, path);
    struct stat info;

    if (is_ours(path))
        return TRUE;
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        error_set_errno(error, errno, "cannot look at %s/%s", clearing->place->directory, path);
        return FALSE;
    }
    if (S_ISLNK(info.st_mode) && is_kept_link(clearing, path, parent, name))
        return clear_directory(clearing, parent, name, path, error);
    if (S_ISDIR(info.st_mode) && file != NULL && file->kind == PG_FILE_DIRECTORY)
        return clear_directory(clearing, parent, name, path, error);
    if (S_ISREG(info.st_mode) && file != NULL && file->kind == PG_FILE_REGULAR &&
        info.st_nlink == 1)
        return TRUE;
    return remove_entry(clearing, parent, name, path, S_ISDIR(info.st_mode), error);
}

/* In a tablespace's own place only the directories of PostgreSQL are ours. */
static gboolean is_foreign(const char *path, const char *name)
{
    const char *rest = g_str_has_prefix(path, "pg_tblspc/") ? path + strlen("pg_tblspc/") : NULL;

    return rest != NULL && strchr(rest, '/') == NULL && !g_str_has_prefix(name, "PG_");
}

static gboolean clear_directory(Clearing *clearing, int parent, const char *name, const char *path,
                                GError **error)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    gboolean done = TRUE;

    if (stream == NULL) {
        /* A link that leads nowhere has nothing behind it to clear. */
        if (errno == ENOENT)
            return TRUE;
        error_set_errno(error, errno, "cannot read %s/%s", clearing->place->directory, path);
        file_close_fd(&fd);
        return FALSE;
    }
    while (done && (entry = readdir(stream)) != NULL) {
        g_autofree char *child =
            path[0] == '\0' ? g_strdup(entry->d_name) : g_strconcat(path, "/", entry->d_name, NULL);

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            !is_foreign(path, entry->d_name))
            done = clear_entry(clearing, fd, entry->d_name, child, error);
    }
    closedir(stream);
    return done;
}

/* A linked pg_wal keeps its place, but nothing of what is in it. */
static gboolean empty_wal(const PgPlace *place, GError **error)
{
    g_autoptr(GDir) entries = NULL;
    const char *name;

    if (place->wal_directory == NULL)
        return TRUE;
    entries = g_dir_open(place->wal_directory, 0, NULL);
    while (entries != NULL && (name = g_dir_read_name(entries)) != NULL) {
        g_autofree char *path = g_build_filename(place->wal_directory, name, NULL);

        if (unlink(path) != 0 && !directory_remove(path, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean clear_tree(const PgPlace *place, const PgPhysical *physical, guint64 *ret_removed,
                           GError **error)
{
    Clearing clearing = {.place = place, .files = physical->files};

    if (!clear_directory(&clearing, AT_FDCWD, place->directory, "", error) ||
        !empty_wal(place, error))
        return FALSE;
    *ret_removed = clearing.removed;
    return TRUE;
}

/* --- making it -------------------------------------------------------------------------------- */

static gboolean make_directory(const PgPlace *place, const char *path, mode_t mode, GError **error)
{
    g_autofree char *full = path_of(place, path);

    if (mkdir(full, 0700) != 0 && errno != EEXIST) {
        error_set_errno(error, errno, "cannot make %s", full);
        return FALSE;
    }
    return own_path(place, full, mode, error);
}

static gboolean make_link(const PgPlace *place, const char *path, const char *target,
                          GError **error)
{
    g_autofree char *full = path_of(place, path);
    g_autofree char *present = g_file_read_link(full, NULL);

    if (g_strcmp0(present, target) == 0)
        return TRUE;
    if (symlink(target, full) != 0 ||
        (place->user != NULL && lchown(full, place->uid, place->gid) != 0)) {
        error_set_errno(error, errno, "cannot link %s to %s", full, target);
        return FALSE;
    }
    return TRUE;
}

static gboolean make_links(const PgPlace *place, GError **error)
{
    if (!make_directory(place, "pg_tblspc", 0700, error))
        return FALSE;
    for (guint i = 0; i < place->tablespaces->len; i++) {
        const PgPlacedTablespace *space = g_ptr_array_index(place->tablespaces, i);
        g_autofree char *path = g_strdup_printf("pg_tblspc/%" G_GUINT32_FORMAT, space->oid);

        if (space->location == NULL) {
            if (!make_directory(place, path, 0700, error))
                return FALSE;
        } else if (!make_root(place, space->location, 0700, error) ||
                   !make_link(place, path, space->location, error)) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean make_wal(const PgPlace *place, GError **error)
{
    if (place->wal_directory == NULL) {
        if (!make_directory(place, "pg_wal", 0700, error))
            return FALSE;
    } else if (!make_root(place, place->wal_directory, 0700, error) ||
               !make_link(place, "pg_wal", place->wal_directory, error)) {
        return FALSE;
    }
    return make_directory(place, "pg_wal/archive_status", 0700, error);
}

/* initdb's --allow-group-access shows in the modes of everything below. */
static gboolean own_top(const PgPlace *place, const PgPhysical *physical, GError **error)
{
    mode_t mode = 0700;

    for (guint i = 0; i < physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(physical->files, i);

        if (strcmp(file->path, "global") == 0)
            mode |= (mode_t)file->mode & 0050;
    }
    return own_path(place, place->directory, mode, error);
}

gboolean pg_place_make_tree(const PgPlace *place, const PgPhysical *physical, guint64 *ret_removed,
                            GError **error)
{
    guint64 removed = 0;

    if ((place->delta && !clear_tree(place, physical, &removed, error)) ||
        !own_top(place, physical, error) || !make_links(place, error) || !make_wal(place, error))
        return FALSE;
    /* Sorted: a directory comes before what is in it. */
    for (guint i = 0; i < physical->files->len; i++) {
        const PgFile *file = g_ptr_array_index(physical->files, i);

        if (file->kind == PG_FILE_DIRECTORY &&
            !make_directory(place, file->path, (mode_t)file->mode, error))
            return FALSE;
        if (file->kind == PG_FILE_LINK && strcmp(file->path, "pg_wal") != 0 &&
            !make_link(place, file->path, file->target, error))
            return FALSE;
    }
    *ret_removed = removed;
    return TRUE;
}

/* --- files of our own ------------------------------------------------------------------------- */

gboolean pg_place_own(const PgPlace *place, const char *path, GError **error)
{
    g_autofree char *full = path_of(place, path);

    return own_path(place, full, 0600, error);
}

gboolean pg_place_write(const PgPlace *place, const char *path, const void *bytes, gsize length,
                        GError **error)
{
    g_autofree char *full = path_of(place, path);
    FILE_AUTO_FD fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot write %s", full);
        return FALSE;
    }
    return file_write_all(fd, bytes, length, full, error) && pg_place_own(place, path, error);
}

/* --- durable ---------------------------------------------------------------------------------- */

static void close_system(gpointer data)
{
    file_close_fd(data);
}

static gboolean open_system(GArray *systems, const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return FALSE;
    }
    g_array_append_val(systems, fd);
    return TRUE;
}

GArray *pg_place_open_systems(const PgPlace *place, GError **error)
{
    g_autoptr(GArray) systems = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_set_clear_func(systems, close_system);
    if (!open_system(systems, place->directory, error))
        return NULL;
    for (guint i = 0; i < place->tablespaces->len; i++) {
        const PgPlacedTablespace *space = g_ptr_array_index(place->tablespaces, i);

        if (space->location != NULL && !open_system(systems, space->location, error))
            return NULL;
    }
    if (place->wal_directory != NULL && !open_system(systems, place->wal_directory, error))
        return NULL;
    return g_steal_pointer(&systems);
}

/* One call for a whole file system: with a million files an fsync each takes hours. Since Linux 5.8
 * it tells of errors. */
gboolean pg_place_sync(const GArray *systems, const PgPlace *place, GError **error)
{
    for (guint i = 0; i < systems->len; i++) {
        if (syncfs(g_array_index(systems, int, i)) != 0) {
            error_set_errno(error, errno, "cannot make %s durable", place->directory);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean remove_file(const char *path, GError **error)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return TRUE;
    error_set_errno(error, errno, "cannot remove %s", path);
    return FALSE;
}

gboolean pg_place_finish(const PgPlace *place, GError **error)
{
    g_autofree char *folder = path_of(place, "global");
    g_autofree char *waiting = path_of(place, PG_CONTROL_NEW);
    g_autofree char *final = path_of(place, PG_CONTROL_PATH);
    g_autofree char *before = path_of(place, PG_CONTROL_BEFORE);
    g_autofree char *marker = path_of(place, PG_RESTORE_MARKER);

    if (rename(waiting, final) != 0) {
        error_set_errno(error, errno, "cannot put %s in its place", final);
        return FALSE;
    }
    return remove_file(before, error) && directory_sync(folder, error) &&
           remove_file(marker, error) && directory_sync(place->directory, error);
}
