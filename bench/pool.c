/* SPDX-License-Identifier: Apache-2.0
 *
 * Times the pool alone, without a database: reads the files of a directory into packs with some
 * threads, then reads them back, and says how long each took, in wall and processor time.
 *
 *   meson compile -C build bench-pool && build/bench/bench-pool DIRECTORY REPOSITORY [THREADS
 *   [CODEC]]
 *
 * DIRECTORY is read only (base/ of a stopped cluster, say), REPOSITORY is a new directory.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "pool/pool.h"

#define HASH_KEY    G_GUINT64_CONSTANT(0x5eed)
#define READ_LENGTH ((gsize)1024 * 1024)

typedef struct {
    char *path;
    guint64 size;
    json_t *place; /* in the pool */
} BenchFile;

typedef struct {
    GPtrArray *files;
    gint next; /* atomic */
    PoolWriter *writer;
    PoolReader *reader;
} Work;

G_GNUC_NORETURN static void fail(const char *what, const GError *error)
{
    g_printerr("%s: %s\n", what, error->message);
    exit(1);
}

static double processor_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static BenchFile *next_file(Work *work)
{
    guint index = (guint)g_atomic_int_add(&work->next, 1);

    return index < work->files->len ? work->files->pdata[index] : NULL;
}

static void keep_place(PoolFile *place, gpointer tag, gpointer data)
{
    ((BenchFile *)tag)->place = pool_file_to_json(place);
    pool_file_clear(place);
}

static void write_file(PoolStream *stream, BenchFile *file, guint8 *buffer)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PoolFileWriter) writer =
        pool_file_begin(stream, file->size, NULL, NULL, file, &error);
    FILE_AUTO_FD fd = open(file->path, O_RDONLY | O_CLOEXEC);
    gsize got = READ_LENGTH;

    while (writer != NULL && got > 0) {
        if (!file_read_all(fd, buffer, READ_LENGTH, &got, file->path, &error) ||
            !pool_file_write(writer, buffer, got, &error))
            break;
    }
    if (error != NULL || !pool_file_finish(writer, &error))
        fail(file->path, error);
}

static gpointer write_files(gpointer data)
{
    Work *work = data;
    g_autoptr(PoolStream) stream = pool_stream_new(work->writer);
    g_autofree guint8 *buffer = g_malloc(READ_LENGTH);
    g_autoptr(GError) error = NULL;
    BenchFile *file;

    pool_stream_set_func(stream, keep_place, NULL);
    while ((file = next_file(work)) != NULL)
        write_file(stream, file, buffer);
    if (!pool_stream_close(stream, &error))
        fail("closing a pack", error);
    return NULL;
}

static gboolean drop(guint64 offset, const void *bytes, gsize length, gpointer data, GError **error)
{
    *(guint64 *)data += length;
    return TRUE;
}

static gpointer read_files(gpointer data)
{
    Work *work = data;
    BenchFile *file;

    while ((file = next_file(work)) != NULL) {
        g_autoptr(GError) error = NULL;
        guint64 length = 0;
        PoolFile place;

        if (!pool_file_from_json(work->reader, file->place, &place, &error) ||
            !pool_file_read(work->reader, &place, drop, &length, NULL, &error))
            fail(file->path, error);
        if (length != file->size)
            g_error("%s came back with another length", file->path);
        pool_file_clear(&place);
    }
    return NULL;
}

static void run(Work *work, guint threads, GThreadFunc func, const char *what, guint64 bytes)
{
    g_autofree GThread **running = g_new(GThread *, threads);
    gint64 start = time_monotonic();
    double processor = processor_seconds();
    double wall;

    work->next = 0;
    for (guint i = 0; i < threads; i++)
        running[i] = g_thread_new(what, func, work);
    for (guint i = 0; i < threads; i++)
        g_thread_join(running[i]);
    wall = (double)(time_monotonic() - start) / 1e6;
    g_print("%-6s %7.2f s wall  %7.2f s processor  %6.0f MB/s\n", what, wall,
            processor_seconds() - processor, (double)bytes / 1e6 / wall);
}

static GPtrArray *list_files(const char *path)
{
    GPtrArray *files = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &error);
    const char *name;

    if (directory == NULL)
        fail(path, error);
    while ((name = g_dir_read_name(directory)) != NULL) {
        BenchFile *file = g_new0(BenchFile, 1);
        GStatBuf info;

        file->path = g_build_filename(path, name, NULL);
        if (g_stat(file->path, &info) == 0 && S_ISREG(info.st_mode)) {
            file->size = (guint64)info.st_size;
            g_ptr_array_add(files, file);
        }
    }
    return files;
}

int main(int argc, char **argv)
{
    const char *id = "20261122T020000Z-bench-full-aaaa";
    g_autoptr(GError) error = NULL;
    g_autoptr(Store) store = NULL;
    g_autoptr(Repository) repository = NULL;
    g_autoptr(Lease) lease = NULL;
    g_autoptr(BackupWriter) backup = NULL;
    LeaseRequest request = {.operation = "backup", .backup = id};
    PoolWriterOptions options = {.backup_id = id,
                                 .hash_key = HASH_KEY,
                                 .compression = COMPRESS_DEFAULT};
    guint threads = argc > 3 ? (guint)atoi(argv[3]) : 2;
    g_autoptr(json_t) packs = NULL;
    Work work = {0};
    guint64 bytes = 0;
    PoolStats stats;

    if (argc < 3) {
        g_printerr("usage: bench-pool DIRECTORY REPOSITORY [THREADS [CODEC]]\n");
        return 2;
    }
    if (argc > 4 && !compress_spec_parse(argv[4], &options.compression, &error))
        fail(argv[4], error);
    work.files = list_files(argv[1]);
    for (guint i = 0; i < work.files->len; i++)
        bytes += ((BenchFile *)work.files->pdata[i])->size;
    request.runtime_directory = argv[2];
    if (!directory_make(argv[2], 0700, &error) ||
        (store = store_open_posix(argv[2], &error)) == NULL ||
        (repository = repository_create(store, options.compression, &error)) == NULL ||
        (lease = lease_acquire(repository, &request, &error)) == NULL ||
        (backup = backup_writer_new(repository, lease, id, &error)) == NULL)
        fail(argv[2], error);
    options.backup = backup;
    work.writer = pool_writer_new(&options, &error);
    if (work.writer == NULL)
        fail(argv[2], error);
    run(&work, threads, write_files, "write", bytes);
    pool_writer_stats(work.writer, &stats);
    g_print("%" G_GUINT64_FORMAT " bytes became %" G_GUINT64_FORMAT ": %.2f to 1\n", stats.plain,
            stats.stored, (double)stats.plain / (double)MAX(stats.stored, 1));
    packs = pool_writer_packs_to_json(work.writer);
    work.reader = pool_reader_new(repository, packs, HASH_KEY, &error);
    if (work.reader == NULL)
        fail("the table of packs", error);
    run(&work, threads, read_files, "read", bytes);
    pool_reader_free(work.reader);
    pool_writer_free(work.writer);
    return 0;
}
