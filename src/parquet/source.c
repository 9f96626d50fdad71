/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources in memory and in the file system.
 */
#include "parquet/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

struct ParquetFile {
    ParquetSource source;
    char *path;
    int fd;
};

static gboolean read_memory(gpointer data, guint64 offset, void *buffer, gsize length,
                            GError **error)
{
    const ParquetMemory *memory = data;

    if (offset > memory->source.size || length > memory->source.size - offset) {
        error_set(error, ERROR_FORMAT, "%s: read behind the end", memory->source.name);
        return FALSE;
    }
    if (length > 0)
        memcpy(buffer, memory->bytes + offset, length);
    return TRUE;
}

void parquet_memory_init(ParquetMemory *memory, const void *bytes, gsize length, const char *name)
{
    memory->bytes = bytes;
    memory->source = (ParquetSource){read_memory, memory, length, name};
}

static gboolean read_file(gpointer data, guint64 offset, void *buffer, gsize length, GError **error)
{
    const ParquetFile *file = data;
    guint8 *to = buffer;

    while (length > 0) {
        ssize_t got = pread(file->fd, to, length, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            error_set_errno(error, errno, "cannot read %s", file->path);
            return FALSE;
        }
        if (got == 0) {
            error_set(error, ERROR_DAMAGED, "%s became shorter while it was read", file->path);
            return FALSE;
        }
        to += got;
        offset += (guint64)got;
        length -= (gsize)got;
    }
    return TRUE;
}

ParquetFile *parquet_file_open(const char *path, GError **error)
{
    g_autoptr(ParquetFile) file = g_new0(ParquetFile, 1);
    struct stat status;

    file->path = g_strdup(path);
    /* A pipe is refused below, not waited for. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        error_set_errno(error, errno, "cannot open %s", path);
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        error_set(error, ERROR_USAGE, "%s is not a regular file", path);
        return NULL;
    }
    file->source = (ParquetSource){read_file, file, (guint64)status.st_size, file->path};
    return g_steal_pointer(&file);
}

const ParquetSource *parquet_file_source(const ParquetFile *file)
{
    return &file->source;
}

void parquet_file_close(ParquetFile *file)
{
    if (file == NULL)
        return;
    if (file->fd >= 0)
        close(file->fd);
    g_free(file->path);
    g_free(file);
}
