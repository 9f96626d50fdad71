/* SPDX-License-Identifier: Apache-2.0
 *
 * The pack table of a backup that is being written. A pack has its handle from the moment it is
 * begun, so that extents can be referred to at once, and its digest when it is sealed.
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "repo/tombstone.h"

/* Packs are noted together where they come faster than this. */
#define NOTE_PERIOD TIME_SECOND

#define NO_HANDLE G_MAXUINT32

typedef struct {
    guint8 digest[SHA256_SIZE];
    guint8 written_as[SHA256_SIZE]; /* maps know it by that */
    guint64 size;
    guint64 alive;    /* bytes that complete files refer to */
    gboolean written; /* by this backup */
    gboolean sealed;
    gboolean durable;
} Pack;

struct PoolWriter {
    BackupWriter *backup; /* the caller's */
    Repository *repository;
    char *backup_id;
    CompressSpec compression;
    guint64 hash_key;
    PoolResume *resume;
    GMutex mutex; /* guards what follows */
    GArray *packs;
    GHashTable *by_digest; /* of the base's packs: digest to handle */
    GHashTable *left;      /* digests of packs that are left behind */
    GArray *resumed;       /* guint32: the handles of the resume's packs, NO_HANDLE: none yet */
    guint64 next_number;
    json_t *unnoted; /* packs that are durable and in no note yet */
    gint64 noted;    /* when the last note was begun, monotonic */
    PoolStats stats;
};

/* What a sweep may be about to delete is not referred to: its content is copied. See
 * pool/sweep.c. */
static gboolean leave_tombstones(PoolWriter *writer, Repository *repository, GError **error)
{
    g_autoptr(GPtrArray) tombstones = NULL;
    guint8 digest[SHA256_SIZE];

    if (!tombstone_list(repository, &tombstones, error))
        return FALSE;
    for (guint i = 0; i < tombstones->len; i++) {
        const Tombstone *tombstone = tombstones->pdata[i];

        for (guint j = 0; j < tombstone->objects->len; j++) {
            if (pool_object_digest(tombstone->objects->pdata[j], digest))
                g_hash_table_add(writer->left, g_memdup2(digest, SHA256_SIZE));
        }
    }
    return TRUE;
}

PoolWriter *pool_writer_new(const PoolWriterOptions *options, GError **error)
{
    Repository *repository = backup_writer_repository(options->backup);
    g_autoptr(PoolWriter) writer = NULL;

    if (strlen(options->backup_id) >= PACK_ID_SIZE) {
        error_set(error, ERROR_INTERNAL, "the id %s is too long for a pack", options->backup_id);
        return NULL;
    }
    writer = g_new0(PoolWriter, 1);
    writer->backup = options->backup;
    writer->repository = repository_ref(repository);
    writer->backup_id = g_strdup(options->backup_id);
    writer->compression = options->compression;
    writer->compression.content = COMPRESS_PAGES;
    writer->hash_key = options->hash_key;
    g_mutex_init(&writer->mutex);
    writer->packs = g_array_new(FALSE, TRUE, sizeof(Pack));
    writer->by_digest = g_hash_table_new_full(pool_digest_hash, pool_digest_equal, g_free, NULL);
    writer->left = g_hash_table_new_full(pool_digest_hash, pool_digest_equal, g_free, NULL);
    writer->resumed = g_array_new(FALSE, FALSE, sizeof(guint32));
    writer->unnoted = json_array();
    writer->noted = G_MININT64 / 2;
    if (!leave_tombstones(writer, repository, error))
        return NULL;
    writer->resume =
        pool_resume_new(repository, options->unfinished, writer->hash_key, writer->left);
    return g_steal_pointer(&writer);
}

void pool_writer_free(PoolWriter *writer)
{
    if (writer == NULL)
        return;
    pool_resume_free(writer->resume);
    json_decref(writer->unnoted);
    g_array_unref(writer->resumed);
    g_hash_table_unref(writer->left);
    g_hash_table_unref(writer->by_digest);
    g_array_unref(writer->packs);
    g_mutex_clear(&writer->mutex);
    g_free(writer->backup_id);
    repository_unref(writer->repository);
    g_free(writer);
}

Repository *pool_writer_repository(const PoolWriter *writer)
{
    return writer->repository;
}

CompressSpec pool_writer_compression(const PoolWriter *writer)
{
    return writer->compression;
}

guint64 pool_writer_hash_key(const PoolWriter *writer)
{
    return writer->hash_key;
}

/* --- The table -------------------------------------------------------------------------------- */

static Pack *get_pack(PoolWriter *writer, guint32 pack)
{
    return &g_array_index(writer->packs, Pack, pack);
}

guint32 pool_writer_open_pack(PoolWriter *writer, PackHeader *ret_header)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    Pack pack = {.written = TRUE};

    g_strlcpy(ret_header->backup_id, writer->backup_id, PACK_ID_SIZE);
    ret_header->number = writer->next_number++;
    g_array_append_val(writer->packs, pack);
    return writer->packs->len - 1;
}

void pool_writer_seal_pack(PoolWriter *writer, guint32 pack, const guint8 digest[SHA256_SIZE],
                           guint64 size)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    Pack *entry = get_pack(writer, pack);

    memcpy(entry->digest, digest, SHA256_SIZE);
    memcpy(entry->written_as, digest, SHA256_SIZE);
    entry->size = size;
    entry->sealed = TRUE;
}

void pool_writer_pack_durable(PoolWriter *writer, guint32 pack)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);

    get_pack(writer, pack)->durable = TRUE;
    writer->stats.packs_written++;
}

gboolean pool_writer_refer(PoolWriter *writer, PoolReader *reader, guint32 pack, guint32 *ret_pack)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    Pack entry = {.size = pool_reader_pack_size(reader, pack), .sealed = TRUE, .durable = TRUE};
    gpointer handle;

    pool_reader_pack_digest(reader, pack, entry.digest);
    pool_reader_pack_written_as(reader, pack, entry.written_as);
    if (g_hash_table_contains(writer->left, entry.digest))
        return FALSE;
    if (!g_hash_table_lookup_extended(writer->by_digest, entry.digest, NULL, &handle)) {
        handle = GUINT_TO_POINTER(writer->packs->len);
        g_array_append_val(writer->packs, entry);
        g_hash_table_insert(writer->by_digest, g_memdup2(entry.digest, SHA256_SIZE), handle);
    }
    *ret_pack = GPOINTER_TO_UINT(handle);
    return TRUE;
}

/* --- For the next run, and of the last -------------------------------------------------------- */

/* The packs to note now, or NULL: not yet. */
static json_t *take_unnoted(PoolWriter *writer, const guint8 digest[SHA256_SIZE], guint64 size)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    gint64 now = time_monotonic();
    char hex[SHA256_HEX_SIZE];
    json_t *packs;

    sha256_to_hex(digest, hex);
    json_array_append_new(writer->unnoted,
                          json_pack("{s:s, s:I}", "sha256", hex, "size", (json_int_t)size));
    if (now - writer->noted < NOTE_PERIOD)
        return NULL;
    writer->noted = now;
    packs = writer->unnoted;
    writer->unnoted = json_array();
    return packs;
}

void pool_writer_note_pack(PoolWriter *writer, const guint8 digest[SHA256_SIZE], guint64 size)
{
    json_t *packs = take_unnoted(writer, digest, size);
    g_autofree char *key = g_strdup_printf("%016" G_GINT64_MODIFIER "x", writer->hash_key);
    g_autoptr(GError) problem = NULL;

    if (packs == NULL)
        return;
    /* The backup does not need it: what fails here fails there too, or does not matter. */
    if (!backup_writer_note(writer->backup,
                            json_pack("{s:s, s:o}", "hash_key", key, "packs", packs), &problem))
        log_write(LOG_INFO, "an interrupted run could not be taken over from here: %s",
                  problem->message);
}

static guint32 resumed_handle(PoolWriter *writer, const PoolResumed *found)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    const guint32 none = NO_HANDLE;
    guint32 *handle;

    while (writer->resumed->len <= found->index)
        g_array_append_val(writer->resumed, none);
    handle = &g_array_index(writer->resumed, guint32, found->index);
    if (*handle == NO_HANDLE) {
        Pack pack = {.size = found->size, .written = TRUE, .sealed = TRUE, .durable = TRUE};

        memcpy(pack.digest, found->digest, SHA256_SIZE);
        memcpy(pack.written_as, found->digest, SHA256_SIZE);
        *handle = writer->packs->len;
        g_array_append_val(writer->packs, pack);
    }
    return *handle;
}

gboolean pool_writer_find_resumed(PoolWriter *writer, guint32 plain_length, PoolExtent *extent)
{
    PoolResumed found;

    if (!pool_resume_find(writer->resume, extent->hash, plain_length, &found))
        return FALSE;
    extent->pack = resumed_handle(writer, &found);
    extent->offset = found.offset;
    extent->length = found.length;
    /* Should this run be interrupted as well. */
    if (found.first)
        pool_writer_note_pack(writer, found.digest, found.size);
    return TRUE;
}

gboolean pool_writer_pack_name(PoolWriter *writer, guint32 pack, guint8 ret_digest[SHA256_SIZE])
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    const Pack *entry = get_pack(writer, pack);

    if (!entry->sealed)
        return FALSE;
    memcpy(ret_digest, entry->written_as, SHA256_SIZE);
    return TRUE;
}

void pool_writer_leave(PoolWriter *writer, PoolReader *reader, guint32 pack)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);
    guint8 *digest = g_malloc(SHA256_SIZE);

    pool_reader_pack_digest(reader, pack, digest);
    g_hash_table_add(writer->left, digest);
}

guint pool_writer_leave_sparse(PoolWriter *writer, PoolReader *reader)
{
    guint count = 0;

    for (guint32 i = 0; i < pool_reader_pack_count(reader); i++) {
        guint64 alive = pool_reader_pack_alive(reader, i);

        if (alive == 0 || alive >= pool_reader_pack_size(reader, i) / 2)
            continue;
        pool_writer_leave(writer, reader, i);
        count++;
    }
    return count;
}

void pool_writer_account(PoolWriter *writer, const PoolFile *file, const PoolStats *stats)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);

    for (guint32 i = 0; i < file->extent_count; i++) {
        const PoolExtent *extent = &pool_file_inline(file)[i];

        if (extent->length > 0)
            get_pack(writer, extent->pack)->alive += extent->length;
    }
    for (guint32 i = 0; pool_file_has_map(file) && i < file->use_count; i++)
        get_pack(writer, file->uses[i].pack)->alive += file->uses[i].bytes;
    writer->stats.plain += stats->plain;
    writer->stats.stored += stats->stored;
    writer->stats.reused_plain += stats->reused_plain;
    writer->stats.reused_stored += stats->reused_stored;
    writer->stats.resumed_plain += stats->resumed_plain;
    writer->stats.resumed_stored += stats->resumed_stored;
}

void pool_writer_stats(PoolWriter *writer, PoolStats *ret_stats)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&writer->mutex);

    *ret_stats = writer->stats;
    ret_stats->packs_total = 0;
    for (guint i = 0; i < writer->packs->len; i++)
        ret_stats->packs_total += get_pack(writer, i)->alive > 0;
}

/* --- The end ---------------------------------------------------------------------------------- */

gboolean pool_writer_finish(PoolWriter *writer, GError **error)
{
    for (guint i = 0; i < writer->packs->len; i++) {
        const Pack *pack = get_pack(writer, i);
        g_autofree char *name = NULL;
        g_autofree char *path = NULL;

        if (pack->alive == 0)
            continue;
        if (!pack->durable) {
            error_set(error, ERROR_INTERNAL, "a pack of backup %s was not closed",
                      writer->backup_id);
            return FALSE;
        }
        name = pool_object_name(pack->digest);
        path = g_strconcat("../../", name, NULL);
        if (!backup_writer_add_external(writer->backup, path, pack->digest, pack->size, error))
            return FALSE;
    }
    return TRUE;
}

json_t *pool_writer_packs_to_json(PoolWriter *writer)
{
    json_t *packs = json_array();

    for (guint i = 0; i < writer->packs->len; i++) {
        const Pack *pack = get_pack(writer, i);
        char hex[SHA256_HEX_SIZE];
        json_t *entry;

        sha256_to_hex(pack->digest, hex);
        entry = json_pack("{s:s, s:I, s:I}", "sha256", hex, "size", (json_int_t)pack->size, "alive",
                          (json_int_t)pack->alive);
        if (memcmp(pack->digest, pack->written_as, SHA256_SIZE) != 0) {
            sha256_to_hex(pack->written_as, hex);
            json_object_set_new(entry, POOL_WRITTEN_AS, json_string(hex));
        }
        json_array_append_new(packs, entry);
    }
    return packs;
}
