/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the pool share: a repository in a scratch place, backups that hold pool files
 * only, and reading them again. A test's backup keeps its files in data/index.json and its packs in
 * details.json.
 */
#ifndef HOLDFAST_TESTS_UNIT_POOL_FIXTURE_H
#define HOLDFAST_TESTS_UNIT_POOL_FIXTURE_H

#include "pool/pool.h"
#include "repo/backup.h"
#include "../stores.h"

#define TEST_KEY G_GUINT64_CONSTANT(0x123456789abcdef)

/* Bytes that compress as a database does; `seed` changes all of them. */
static inline guint8 *make_bytes(gsize length, guint32 seed)
{
    guint8 *bytes = g_malloc(MAX(length, 1));
    guint32 state = seed * 2654435761u + 1;

    for (gsize i = 0; i < length; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = i % 3 != 0 ? (guint8)(state >> 24) : (guint8)('a' + i % 7);
    }
    return bytes;
}

/* A backup in the making. */
typedef struct {
    Repository *repository;
    Lease *lease;
    char *id;
    BackupWriter *backup;
    PoolWriter *pool;
    PoolStream *stream;
    json_t *index; /* of the files, in the order of their ends */
} TestBackup;

static inline void take_file(PoolFile *file, gpointer tag, gpointer data)
{
    TestBackup *backup = data;

    json_array_append_new(backup->index, pool_file_to_json(file));
    pool_file_clear(file);
}

/* `unfinished`: the interrupted run that is taken over, or NULL. */
static inline gboolean test_backup_begin_over(TestBackup *backup, Repository *repository,
                                              const char *directory, const char *id,
                                              const char *uses, const Unfinished *unfinished,
                                              CompressSpec compression, GError **error)
{
    const char *used[] = {uses, NULL};
    LeaseRequest request = {.operation = "backup",
                            .source = "market",
                            .type = "full",
                            .backup = id,
                            .uses = used,
                            .since = unfinished != NULL ? unfinished->since : 0,
                            .runtime_directory = directory};
    PoolWriterOptions options = {.backup_id = id,
                                 .compression = compression,
                                 .hash_key = TEST_KEY,
                                 .unfinished = unfinished};

    *backup = (TestBackup){.repository = repository, .id = g_strdup(id), .index = json_array()};
    backup->lease = lease_acquire(repository, &request, error);
    if (backup->lease == NULL)
        return FALSE;
    backup->backup = backup_writer_new(repository, backup->lease, id, error);
    if (backup->backup == NULL)
        return FALSE;
    options.backup = backup->backup;
    backup->pool = pool_writer_new(&options, error);
    if (backup->pool == NULL)
        return FALSE;
    backup->stream = pool_stream_new(backup->pool);
    pool_stream_set_func(backup->stream, take_file, backup);
    return TRUE;
}

static inline gboolean test_backup_begin(TestBackup *backup, Repository *repository,
                                         const char *directory, const char *id, const char *uses,
                                         CompressSpec compression, GError **error)
{
    return test_backup_begin_over(backup, repository, directory, id, uses, NULL, compression,
                                  error);
}

static inline void test_backup_end(TestBackup *backup)
{
    pool_stream_free(backup->stream);
    pool_writer_free(backup->pool);
    backup_writer_free(backup->backup);
    lease_release(backup->lease);
    json_decref(backup->index);
    g_free(backup->id);
    *backup = (TestBackup){0};
}

static inline gboolean test_backup_write(TestBackup *backup, const guint8 *bytes, gsize length,
                                         gsize piece, PoolReader *reader, const PoolFile *base,
                                         GError **error)
{
    g_autoptr(PoolFileWriter) file =
        pool_file_begin(backup->stream, length, reader, base, NULL, error);

    if (file == NULL)
        return FALSE;
    for (gsize done = 0; done < length; done += piece) {
        if (!pool_file_write(file, bytes + done, MIN(piece, length - done), error))
            return FALSE;
    }
    return pool_file_finish(file, error);
}

static inline gboolean test_backup_commit(TestBackup *backup, GError **error)
{
    g_autoptr(Manifest) manifest = manifest_new(backup->id, "market", "postgresql", BACKUP_FULL);
    g_autoptr(json_t) details = json_object();
    g_autofree char *text = NULL;
    CompressSpec plain = {CODEC_NONE, 0};

    if (!pool_stream_close(backup->stream, error) || !pool_writer_finish(backup->pool, error))
        return FALSE;
    json_object_set_new(details, "packs", pool_writer_packs_to_json(backup->pool));
    json_object_set(details, "files", backup->index);
    text = json_write(details, FALSE);
    manifest_set_times(manifest, 1, 2);
    return backup_writer_put(backup->backup, "details.json", plain, text, strlen(text), error) &&
           backup_writer_commit(backup->backup, manifest, error);
}

/* A committed backup, opened. */
typedef struct {
    Backup *backup;
    PoolReader *reader;
    json_t *details;
    json_t *files;
} TestRead;

static inline gboolean test_read_begin(TestRead *read, Repository *repository, const char *id,
                                       GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    *read = (TestRead){0};
    read->backup = backup_open(repository, id, error);
    if (read->backup == NULL)
        return FALSE;
    bytes = backup_get_object(read->backup, "details.json", 100 << 20, error);
    if (bytes == NULL)
        return FALSE;
    read->details =
        json_read_object(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "details", error);
    if (read->details == NULL)
        return FALSE;
    read->files = json_object_get(read->details, "files");
    read->reader =
        pool_reader_new(repository, json_object_get(read->details, "packs"), TEST_KEY, error);
    return read->reader != NULL;
}

static inline void test_read_end(TestRead *read)
{
    pool_reader_free(read->reader);
    if (read->details != NULL)
        json_decref(read->details);
    backup_unref(read->backup);
}

static inline gboolean test_read_place(TestRead *read, guint index, PoolFile *ret_file,
                                       GError **error)
{
    return pool_file_from_json(read->reader, json_array_get(read->files, index), ret_file, error);
}

static inline gboolean collect_plain(guint64 offset, const void *bytes, gsize length, gpointer data,
                                     GError **error)
{
    GByteArray *all = data;
    guint old = all->len;

    g_assert_cmpuint(offset, ==, old);
    g_byte_array_set_size(all, old + (guint)length);
    if (bytes != NULL)
        memcpy(all->data + old, bytes, length);
    else
        memset(all->data + old, 0, length);
    return TRUE;
}

static inline GByteArray *test_read_file(TestRead *read, guint index, GError **error)
{
    g_autoptr(GByteArray) all = g_byte_array_new();
    PoolFile file;
    gboolean good;

    if (!test_read_place(read, index, &file, error))
        return NULL;
    good = pool_file_read(read->reader, &file, collect_plain, all, NULL, error);
    pool_file_clear(&file);
    return good ? g_steal_pointer(&all) : NULL;
}

#endif
