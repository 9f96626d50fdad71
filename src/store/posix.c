/* SPDX-License-Identifier: Apache-2.0
 *
 * A store in a directory: an object is a file, the parts of its name are directories.
 *
 * An object is written under a temporary name beside its place, fsynced, moved into place without
 * ever replacing anything, and then its directory is fsynced. Everything goes relative to a
 * descriptor of the root directory, so that a repository that is unmounted under us is an error and
 * never an empty directory that happens to have the same path.
 *
 * Directories: nothing is put into a directory before its own entry in its parent was fsynced.
 * Whoever writes keeps to this, every other process too, so that only an empty directory can be one
 * that a power cut takes away: its maker may not have come to the fsync. One that holds anything
 * needs none, and neither does what is above it. An object costs two fsyncs therefore, its own and
 * its directory's, and reading one directory's first entries instead of a fsync for each level.
 */
#include "store/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/time.h"
#include "store/entries.h"

/* Backups hold what the database holds: nobody but the owner and the group may look. */
#define OBJECT_MODE    0440
#define DIRECTORY_MODE 0750

#define WRITE_BUFFER  (256 * 1024)
#define STREAM_BUFFER (1024 * 1024)
/* Writing back begins after so many bytes, so that the fsync at the end has little left to do. */
#define WRITE_BACK_STEP (8 * 1024 * 1024)
/* How often a directory may vanish between making it and making a file in it. */
#define VANISH_LIMIT 100

typedef struct {
    Store store;
    int root;
    int broken; /* atomic: see withdraw() */
} PosixStore;

typedef struct {
    StoreWriter writer;
    int fd;
    int directory;   /* where the temporary file is */
    char *temporary; /* its name relative to the root; NULL once it is gone */
    guint8 *buffer;  /* NULL until a small piece comes */
    gsize used;
    guint64 written;
    guint64 started; /* bytes whose writing back was begun */
} PosixWriter;

static void posix_free(Store *store)
{
    PosixStore *posix = (PosixStore *)store;

    file_close_fd(&posix->root);
    g_free(posix);
}

static char *full_path(Store *store, const char *name)
{
    return g_build_filename(store_location(store), name, NULL);
}

G_GNUC_PRINTF(4, 5)
static void set_system_error(Store *store, const char *name, GError **error, const char *format,
                             ...)
{
    int errnum = errno;
    g_autofree char *path = full_path(store, name);
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    error_set_errno(error, errnum, "%s %s", what, path);
}

static gboolean check_whole(PosixStore *posix, GError **error)
{
    if (!g_atomic_int_get(&posix->broken))
        return TRUE;
    error_set(error, ERROR_IO, "an earlier fsync in %s failed: nothing that is seen there counts",
              store_location(&posix->store));
    error_add_hint(error, "look at the system's log, check the disk, then run the command again");
    return FALSE;
}

/* The directory of a name, "" for the root. */
static char *parent_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? g_strndup(name, (gsize)(slash - name)) : g_strdup("");
}

/* The last part of a name. */
static const char *leaf_of(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash != NULL ? slash + 1 : name;
}

static int open_directory(PosixStore *posix, const char *directory)
{
    return openat(posix->root, directory[0] != '\0' ? directory : ".",
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static gboolean sync_directory(PosixStore *posix, const char *directory, GError **error)
{
    g_autofree char *path = full_path(&posix->store, directory);
    FILE_AUTO_FD fd = open_directory(posix, directory);

    if (fd < 0) {
        set_system_error(&posix->store, directory, error, "cannot open");
        return FALSE;
    }
    return file_sync(fd, path, error);
}

/* --- Directories ------------------------------------------------------------------------------ */

static int open_durable(PosixStore *posix, const char *directory, GError **error);

/* Makes a directory, and its parents where they are missing. That its entry is durable is for
 * open_durable() to see to. */
static gboolean make_directory(PosixStore *posix, const char *directory, GError **error)
{
    g_autofree char *parent = parent_of(directory);
    FILE_AUTO_FD fd = open_durable(posix, parent, error);

    if (fd < 0)
        return FALSE;
    if (mkdirat(fd, leaf_of(directory), DIRECTORY_MODE) == 0) {
        FILE_AUTO_FD made =
            openat(fd, leaf_of(directory), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (made >= 0)
            file_give(made, fd);
        return TRUE;
    }
    if (errno == EEXIST)
        return TRUE;
    set_system_error(&posix->store, directory, error, "cannot make the directory");
    return FALSE;
}

/* A descriptor of a directory that may be written into, as the head of this file says; made where
 * it is missing. A concurrent delete may take an empty directory away and another writer make it
 * anew: what is made by way of the descriptor then fails with ENOENT, and never lands in a directory
 * that was not looked at. */
static int open_durable(PosixStore *posix, const char *directory, GError **error)
{
    FILE_AUTO_FD fd = open_directory(posix, directory);

    if (fd < 0 && errno == ENOENT) {
        if (!make_directory(posix, directory, error))
            return -1;
        fd = open_directory(posix, directory);
    }
    if (fd < 0) {
        set_system_error(&posix->store, directory, error, "cannot open the directory");
        return -1;
    }
    if (directory[0] != '\0' && !entries_any(fd)) {
        g_autofree char *parent = parent_of(directory);

        if (!sync_directory(posix, parent, error))
            return -1;
    }
    return g_steal_fd(&fd);
}

/* Takes away a directory and its parents as far as they are empty; the result, instead of it, is
 * the first that is not. */
static char *remove_empty(PosixStore *posix, char *directory)
{
    while (directory[0] != '\0' && unlinkat(posix->root, directory, AT_REMOVEDIR) == 0) {
        char *parent = parent_of(directory);

        g_free(directory);
        directory = parent;
    }
    return directory;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Whether to try again: a concurrent delete took the directory away, and it is made again. Else the
 * problem becomes the error. */
static gboolean retry(GError *problem, guint tries, GError **error)
{
    if (error_is(problem, ERROR_NOT_FOUND) && tries < VANISH_LIMIT) {
        g_error_free(problem);
        return TRUE;
    }
    g_propagate_error(error, problem);
    return FALSE;
}

static int open_temporary(PosixStore *posix, const char *directory, const char *temporary,
                          int *ret_directory, GError **error)
{
    for (guint i = 0;; i++) {
        g_autoptr(GError) problem = NULL;
        FILE_AUTO_FD parent = open_durable(posix, directory, &problem);
        int fd = -1;

        if (parent >= 0) {
            fd = openat(parent, leaf_of(temporary), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        OBJECT_MODE);
            if (fd < 0)
                set_system_error(&posix->store, temporary, &problem, "cannot create");
        }
        if (fd >= 0) {
            file_give(fd, parent);
            *ret_directory = g_steal_fd(&parent);
            return fd;
        }
        if (!retry(g_steal_pointer(&problem), i, error))
            return -1;
    }
}

static StoreWriter *posix_begin(Store *store, const char *name, GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    g_autofree char *directory = parent_of(name);
    g_autofree char *random = random_name(12);
    g_autofree char *temporary = g_strconcat(directory, directory[0] != '\0' ? "/" : "",
                                             STORE_TEMPORARY_PREFIX, random, NULL);
    PosixWriter *writer;
    int fd, parent;

    if (!check_whole(posix, error))
        return NULL;
    fd = open_temporary(posix, directory, temporary, &parent, error);
    if (fd < 0)
        return NULL;
    writer = g_new0(PosixWriter, 1);
    writer->fd = fd;
    writer->directory = parent;
    writer->temporary = g_steal_pointer(&temporary);
    return &writer->writer;
}

static gboolean write_out(PosixWriter *writer, const void *bytes, gsize length, GError **error)
{
    g_autofree char *path = full_path(writer->writer.store, writer->writer.name);

    if (!file_write_all(writer->fd, bytes, length, path, error))
        return FALSE;
    writer->written += length;
    if (writer->written - writer->started >= WRITE_BACK_STEP) {
        /* Only a push: whether the bytes are safe is what the fsync tells. */
        (void)sync_file_range(writer->fd, (off_t)writer->started,
                              (off_t)(writer->written - writer->started), SYNC_FILE_RANGE_WRITE);
        writer->started = writer->written;
    }
    return TRUE;
}

static gboolean flush(PosixWriter *writer, GError **error)
{
    gsize used = writer->used;

    writer->used = 0;
    return used == 0 || write_out(writer, writer->buffer, used, error);
}

static gboolean posix_write(StoreWriter *base, const void *bytes, gsize length, GError **error)
{
    PosixWriter *writer = (PosixWriter *)base;

    if (writer->used + length > WRITE_BUFFER && !flush(writer, error))
        return FALSE;
    if (length >= WRITE_BUFFER)
        return write_out(writer, bytes, length, error);
    if (writer->buffer == NULL)
        writer->buffer = g_malloc(WRITE_BUFFER);
    memcpy(writer->buffer + writer->used, bytes, length);
    writer->used += length;
    return TRUE;
}

/* Flushes, dates the object by the file system's clock, makes its bytes durable. */
static gboolean finish_file(PosixWriter *writer, GError **error)
{
    Store *store = writer->writer.store;
    g_autofree char *path = full_path(store, writer->writer.name);
    int fd;

    if (!flush(writer, error))
        return FALSE;
    if (futimens(writer->fd, NULL) != 0) {
        set_system_error(store, writer->writer.name, error, "cannot date");
        return FALSE;
    }
    if (!file_sync(writer->fd, path, error))
        return FALSE;
    fd = writer->fd;
    writer->fd = -1;
    if (close(fd) != 0) {
        set_system_error(store, writer->writer.name, error, "cannot close");
        return FALSE;
    }
    return TRUE;
}

/* link() does not replace either. Over NFS its answer can be lost and the repeated call then finds
 * the name taken, by ourselves: the number of links tells. */
static gboolean place_by_link(int from, const char *temporary, int directory, const char *leaf)
{
    struct stat info;
    int errnum;

    if (linkat(from, temporary, directory, leaf, 0) != 0) {
        errnum = errno;
        if (errnum != EEXIST || fstatat(from, temporary, &info, 0) != 0 || info.st_nlink < 2) {
            errno = errnum;
            return FALSE;
        }
    }
    (void)unlinkat(from, temporary, 0);
    return TRUE;
}

static gboolean place(PosixWriter *writer, int directory, const char *leaf)
{
    const char *temporary = leaf_of(writer->temporary);

    if (renameat2(writer->directory, temporary, directory, leaf, RENAME_NOREPLACE) == 0)
        return TRUE;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
        return FALSE;
    return place_by_link(writer->directory, temporary, directory, leaf);
}

/* The temporary file of an object whose name came late lies in another directory, so that a
 * concurrent delete may take the object's own away: then it is made again. The result is a
 * descriptor of the object's directory. */
static int place_elsewhere(PosixWriter *writer, const char *directory, GError **error)
{
    const char *name = writer->writer.name;
    Store *store = writer->writer.store;

    for (guint i = 0;; i++) {
        g_autoptr(GError) problem = NULL;
        FILE_AUTO_FD fd = open_durable((PosixStore *)store, directory, &problem);

        if (fd >= 0) {
            if (place(writer, fd, leaf_of(name)))
                return g_steal_fd(&fd);
            set_system_error(store, name, &problem, "cannot put in place");
        }
        if (!retry(g_steal_pointer(&problem), i, error))
            return -1;
    }
}

/* Puts the object in place; a descriptor of its directory. */
static int place_object(PosixWriter *writer, GError **error)
{
    g_autofree char *directory = parent_of(writer->writer.name);
    g_autofree char *begun_in = parent_of(writer->temporary);

    if (strcmp(directory, begun_in) != 0)
        return place_elsewhere(writer, directory, error);
    if (place(writer, writer->directory, leaf_of(writer->writer.name)))
        return g_steal_fd(&writer->directory);
    set_system_error(writer->writer.store, writer->writer.name, error, "cannot put in place");
    return -1;
}

/* The directory could not be fsynced: the object is in place and may be gone after a power cut, so
 * it must not be seen. Where even taking it away fails, nothing that this process still sees in the
 * store can be believed. */
static void withdraw(PosixStore *posix, int directory, const char *leaf)
{
    if (unlinkat(directory, leaf, 0) != 0)
        g_atomic_int_set(&posix->broken, 1);
}

static gboolean posix_commit(StoreWriter *base, GError **error)
{
    PosixWriter *writer = (PosixWriter *)base;
    PosixStore *posix = (PosixStore *)base->store;
    FILE_AUTO_FD directory = -1;
    g_autofree char *path = full_path(base->store, base->name);

    if (!check_whole(posix, error) || !finish_file(writer, error))
        return FALSE;
    directory = place_object(writer, error);
    if (directory < 0)
        return FALSE;
    g_clear_pointer(&writer->temporary, g_free);
    if (!file_sync(directory, path, error)) {
        withdraw(posix, directory, leaf_of(base->name));
        return FALSE;
    }
    return TRUE;
}

static void posix_writer_free(StoreWriter *base)
{
    PosixWriter *writer = (PosixWriter *)base;
    PosixStore *posix = (PosixStore *)base->store;

    file_close_fd(&writer->fd);
    if (writer->temporary != NULL &&
        unlinkat(writer->directory, leaf_of(writer->temporary), 0) == 0)
        g_free(remove_empty(posix, parent_of(writer->temporary)));
    file_close_fd(&writer->directory);
    g_free(writer->temporary);
    g_free(writer->buffer);
    g_free(writer);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void set_no_object(Store *store, const char *name, GError **error)
{
    error_set(error, ERROR_NOT_FOUND, "no object %s in %s", name, store_location(store));
}

static gboolean posix_stat(Store *store, const char *name, StoreInfo *ret_info, GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    struct stat info;

    if (!check_whole(posix, error))
        return FALSE;
    if (fstatat(posix->root, name, &info, 0) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            set_no_object(store, name, error);
        else
            set_system_error(store, name, error, "cannot look at");
        return FALSE;
    }
    if (!S_ISREG(info.st_mode)) {
        set_no_object(store, name, error);
        return FALSE;
    }
    *ret_info = (StoreInfo){.size = (guint64)info.st_size, .modified = entries_modified(&info)};
    return TRUE;
}

/* Never blocks on a thing that is no file (a pipe that somebody put there). */
static int open_object(Store *store, const char *name, GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    FILE_AUTO_FD fd = -1;
    struct stat info;
    int result;

    if (!check_whole(posix, error))
        return -1;
    fd = openat(posix->root, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR) {
        set_system_error(store, name, error, "cannot open");
        return -1;
    }
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        set_no_object(store, name, error);
        return -1;
    }
    result = fd;
    fd = -1;
    return result;
}

static gboolean posix_read(Store *store, const char *name, guint64 offset, void *buffer,
                           gsize length, gsize *ret_length, GError **error)
{
    FILE_AUTO_FD fd = open_object(store, name, error);
    gsize done = 0;

    if (fd < 0)
        return FALSE;
    if (offset > G_MAXINT64 - length) {
        *ret_length = 0;
        return TRUE;
    }
    while (done < length) {
        ssize_t got = pread(fd, (guint8 *)buffer + done, length - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            set_system_error(store, name, error, "cannot read");
            return FALSE;
        }
        if (got == 0)
            break;
        done += (gsize)got;
    }
    *ret_length = done;
    return TRUE;
}

static gboolean posix_stream(Store *store, const char *name, StoreSink sink, gpointer data,
                             GCancellable *cancellable, GError **error)
{
    FILE_AUTO_FD fd = open_object(store, name, error);
    g_autofree guint8 *buffer = NULL;
    g_autofree char *path = NULL;

    if (fd < 0)
        return FALSE;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    buffer = g_malloc(STREAM_BUFFER);
    path = full_path(store, name);
    for (;;) {
        gsize got;

        if (g_cancellable_is_cancelled(cancellable)) {
            error_set(error, ERROR_CANCELLED, "reading %s was cancelled", path);
            return FALSE;
        }
        if (!file_read_all(fd, buffer, STREAM_BUFFER, &got, path, error))
            return FALSE;
        if (got == 0)
            return TRUE;
        if (!sink(buffer, got, data, error))
            return FALSE;
    }
}

/* --- Lists ------------------------------------------------------------------------------------ */

/* The entries of one directory ("" or with "/" at its end). One that is not there has none. */
static GPtrArray *read_directory(PosixStore *posix, const char *prefix, GError **error)
{
    FILE_AUTO_FD fd = open_directory(posix, prefix);
    GPtrArray *entries = NULL;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return g_ptr_array_new();
    if (fd >= 0)
        entries = entries_read(fd, prefix[0] == '\0');
    if (entries == NULL)
        set_system_error(&posix->store, prefix, error, "cannot read the directory");
    return entries;
}

typedef struct {
    PosixStore *posix;
    gboolean temporaries; /* call func for them instead of for objects */
    StoreListFunc func;
    gpointer data;
} Walk;

static gboolean walk(const Walk *context, const char *prefix, GError **error)
{
    g_autoptr(GPtrArray) entries = read_directory(context->posix, prefix, error);

    if (entries == NULL)
        return FALSE;
    for (guint i = 0; i < entries->len; i++) {
        const StoreEntry *entry = entries->pdata[i];
        g_autofree char *name = g_strconcat(prefix, entry->name, NULL);

        if (entry->is_directory) {
            if (!walk(context, name, error))
                return FALSE;
        } else if (entry->temporary == context->temporaries) {
            if (!context->func(name, &entry->info, context->data, error))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean posix_list(Store *store, const char *prefix, StoreListFunc func, gpointer data,
                           GError **error)
{
    Walk context = {.posix = (PosixStore *)store, .func = func, .data = data};

    return check_whole(context.posix, error) && walk(&context, prefix, error);
}

/* Stops a walk at the first object. */
static gboolean stop_at_object(const char *name, const StoreInfo *info, gpointer data,
                               GError **error)
{
    gboolean *found = data;

    *found = TRUE;
    error_set(error, ERROR_CANCELLED, "found");
    return FALSE;
}

static gboolean has_object(PosixStore *posix, const char *prefix, gboolean *ret_found,
                           GError **error)
{
    g_autoptr(GError) local_error = NULL;
    gboolean found = FALSE;
    Walk context = {.posix = posix, .func = stop_at_object, .data = &found};
    FILE_AUTO_FD fd = open_directory(posix, prefix);

    if (fd >= 0 && entries_any_object(fd)) {
        *ret_found = TRUE;
        return TRUE;
    }
    if (!walk(&context, prefix, &local_error) && !found) {
        g_propagate_error(error, g_steal_pointer(&local_error));
        return FALSE;
    }
    *ret_found = found;
    return TRUE;
}

/* A directory counts only when an object is somewhere in it: empty ones do not exist in other
 * stores. */
static gboolean posix_list_parts(Store *store, const char *prefix, GPtrArray **ret_parts,
                                 GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GPtrArray) entries = NULL;

    if (!check_whole(posix, error))
        return FALSE;
    entries = read_directory(posix, prefix, error);
    if (entries == NULL)
        return FALSE;
    for (guint i = 0; i < entries->len; i++) {
        const StoreEntry *entry = entries->pdata[i];
        gboolean counts = !entry->temporary;

        if (entry->is_directory) {
            g_autofree char *name = g_strconcat(prefix, entry->name, NULL);

            if (!has_object(posix, name, &counts, error))
                return FALSE;
        }
        if (counts)
            g_ptr_array_add(parts, g_strndup(entry->name, strcspn(entry->name, "/")));
    }
    *ret_parts = g_steal_pointer(&parts);
    return TRUE;
}

/* --- The rest --------------------------------------------------------------------------------- */

/* Removes a file, then the directories that are empty now, and makes that durable. */
static gboolean remove_file(PosixStore *posix, const char *name, GError **error)
{
    g_autofree char *directory = parent_of(name);
    g_autoptr(GError) local_error = NULL;

    if (unlinkat(posix->root, name, 0) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return TRUE;
        set_system_error(&posix->store, name, error, "cannot delete");
        return FALSE;
    }
    directory = remove_empty(posix, g_steal_pointer(&directory));
    if (sync_directory(posix, directory, &local_error))
        return TRUE;
    /* Another delete took the directory away as well: it has seen to it. */
    if (error_is(local_error, ERROR_NOT_FOUND))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local_error));
    return FALSE;
}

static gboolean posix_remove(Store *store, const char *name, GError **error)
{
    PosixStore *posix = (PosixStore *)store;

    return check_whole(posix, error) && remove_file(posix, name, error);
}

/* Touching the root directory asks the file system for its time, on NFS the server, and needs no
 * space. */
static gboolean posix_time(Store *store, gint64 *ret_now, GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    struct stat info;

    if (futimens(posix->root, NULL) != 0) {
        if (errno != EROFS && errno != EACCES && errno != EPERM) {
            set_system_error(store, "", error, "cannot ask for the time of");
            return FALSE;
        }
        /* Read-only: nothing can be dated here, and our own clock is the best guess. */
        *ret_now = time_now();
        return TRUE;
    }
    if (fstat(posix->root, &info) != 0) {
        set_system_error(store, "", error, "cannot look at");
        return FALSE;
    }
    *ret_now = entries_modified(&info);
    return TRUE;
}

typedef struct {
    PosixStore *posix;
    gint64 before;
    gboolean dry_run;
    guint64 count;
    guint64 bytes;
} Cleaning;

static gboolean clean_one(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    Cleaning *cleaning = data;

    if (info->modified >= cleaning->before)
        return TRUE;
    if (!cleaning->dry_run && !remove_file(cleaning->posix, name, error))
        return FALSE;
    cleaning->count++;
    cleaning->bytes += info->size;
    return TRUE;
}

static gboolean posix_clean(Store *store, gint64 before, gboolean dry_run, guint64 *ret_count,
                            guint64 *ret_bytes, GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    Cleaning cleaning = {.posix = posix, .before = before, .dry_run = dry_run};
    Walk context = {.posix = posix, .temporaries = TRUE, .func = clean_one, .data = &cleaning};

    if (!check_whole(posix, error) || !walk(&context, "", error))
        return FALSE;
    *ret_count = cleaning.count;
    *ret_bytes = cleaning.bytes;
    return TRUE;
}

static gboolean posix_free_space(Store *store, guint64 *ret_bytes, GError **error)
{
    PosixStore *posix = (PosixStore *)store;
    struct statvfs info;

    if (fstatvfs(posix->root, &info) != 0) {
        set_system_error(store, "", error, "cannot ask for the free space of");
        return FALSE;
    }
    *ret_bytes = (guint64)info.f_bavail * (guint64)info.f_frsize;
    return TRUE;
}

static const StoreDriver posix_driver = {
    .kind = "posix",
    .free = posix_free,
    .begin = posix_begin,
    .write = posix_write,
    .commit = posix_commit,
    .writer_free = posix_writer_free,
    .stat = posix_stat,
    .read = posix_read,
    .list = posix_list,
    .remove = posix_remove,
    .time = posix_time,
    .list_parts = posix_list_parts,
    .stream = posix_stream,
    .clean = posix_clean,
    .free_space = posix_free_space,
};

Store *store_open_posix(const char *path, GError **error)
{
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    PosixStore *posix;

    if (root < 0) {
        int errnum = errno;

        if (errnum != ENOENT && errnum != ENOTDIR) {
            error_set_errno(error, errnum, "cannot open the repository %s", path);
            return NULL;
        }
        error_set(error, ERROR_UNREACHABLE, "the repository's directory %s is not there", path);
        error_add_hint(error,
                       "mount it, correct the path, or make a repository with: holdfast init");
        return NULL;
    }
    posix = g_new0(PosixStore, 1);
    store_init(&posix->store, &posix_driver, path);
    posix->root = root;
    return &posix->store;
}
