/* SPDX-License-Identifier: Apache-2.0
 *
 * Packs: their header, and writing them.
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"
#include "repo/stored.h"

/* Written to the store in pieces of at least so many bytes. */
#define FLUSH_SIZE ((gsize)1024 * 1024)

static const guint8 magic[8] = {'H', 'F', 'P', 'A', 'C', 'K', '\r', '\n'};
#define PACK_VERSION 1

char *pool_object_name(const guint8 digest[SHA256_SIZE])
{
    char hex[SHA256_HEX_SIZE];

    sha256_to_hex(digest, hex);
    return g_strdup_printf(POOL_PREFIX "%.2s/%s", hex, hex);
}

gboolean pool_object_digest(const char *name, guint8 ret_digest[SHA256_SIZE])
{
    g_autofree char *again = NULL;
    guint8 digest[SHA256_SIZE];
    const char *hex = strrchr(name, '/');

    if (hex == NULL || strlen(hex + 1) != SHA256_HEX_SIZE - 1 || !sha256_from_hex(hex + 1, digest))
        return FALSE;
    again = pool_object_name(digest);
    if (strcmp(again, name) != 0)
        return FALSE;
    memcpy(ret_digest, digest, SHA256_SIZE);
    return TRUE;
}

guint pool_digest_hash(gconstpointer digest)
{
    guint hash;

    /* Any part of a SHA-256 is as good as another. */
    memcpy(&hash, digest, sizeof hash);
    return hash;
}

gboolean pool_digest_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, SHA256_SIZE) == 0;
}

/* --- The header
 * ----------------------------------------------------------------------------------------------------
 *
 *    0  8  magic
 *    8  4  format version, little-endian as all numbers
 *   12  4  length of this header
 *   16  8  number of the pack in its backup
 *   24  8  zero
 *   32 96  id of the backup that wrote it, padded with NUL
 */

static void put_u32(guint8 *out, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(out, &value, sizeof value);
}

static guint32 get_u32(const guint8 *bytes)
{
    guint32 value;

    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

void pack_header_write(const PackHeader *header, guint8 out[PACK_HEADER_SIZE])
{
    guint64 number = GUINT64_TO_LE(header->number);

    memset(out, 0, PACK_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    put_u32(out + 8, PACK_VERSION);
    put_u32(out + 12, PACK_HEADER_SIZE);
    memcpy(out + 16, &number, sizeof number);
    g_strlcpy((char *)out + 32, header->backup_id, PACK_ID_SIZE);
}

gboolean pack_header_read(const guint8 *bytes, gsize length, const char *what,
                          PackHeader *ret_header, GError **error)
{
    guint64 number;

    if (length < PACK_HEADER_SIZE || memcmp(bytes, magic, sizeof magic) != 0) {
        error_set(error, ERROR_DAMAGED, "%s is no pack", what);
        return FALSE;
    }
    if (get_u32(bytes + 8) > PACK_VERSION) {
        error_set(error, ERROR_NEWER_FORMAT,
                  "%s has format version %u, and this program knows up to %d", what,
                  get_u32(bytes + 8), PACK_VERSION);
        error_add_hint(error, "update holdfast to the version that wrote it, or a newer one");
        return FALSE;
    }
    if (get_u32(bytes + 8) == 0 || get_u32(bytes + 12) != PACK_HEADER_SIZE ||
        memchr(bytes + 32, '\0', PACK_ID_SIZE) == NULL) {
        error_set(error, ERROR_DAMAGED, "%s has a broken header", what);
        return FALSE;
    }
    memcpy(&number, bytes + 16, sizeof number);
    ret_header->number = GUINT64_FROM_LE(number);
    g_strlcpy(ret_header->backup_id, (const char *)bytes + 32, PACK_ID_SIZE);
    return TRUE;
}

/* --- Making a sealed pack durable ------------------------------------------------------------- */

typedef struct {
    Store *store;
    StoredWriter *target;
    guint8 digest[SHA256_SIZE]; /* of the stored bytes */
    guint64 size;
    PackDurableFunc durable;
    gpointer data;
    GError *error;
} Commit;

static gpointer run_commit(gpointer data)
{
    Commit *commit = data;
    g_autofree char *name = pool_object_name(commit->digest);

    if (!stored_commit_as(commit->target, name, &commit->error) &&
        pool_object_in_place(commit->store, name, commit->digest, commit->size))
        g_clear_error(&commit->error);
    if (commit->error == NULL && commit->durable != NULL)
        commit->durable(commit->digest, commit->size, commit->data);
    return commit;
}

static void commit_free(Commit *commit)
{
    stored_writer_free(commit->target);
    g_clear_error(&commit->error);
    g_free(commit);
}

/* --- Writing ---------------------------------------------------------------------------------- */

struct PackWriter {
    Repository *repository;
    gsize room;
    guint8 *buffer; /* FLUSH_SIZE + room */
    gsize used;
    guint64 flushed;
    Sha256 *hash;
    GByteArray *directory; /* of the open pack */
    PackDurableFunc durable;
    gpointer data;
    StoredWriter *target; /* NULL: no pack is open */
    GThread *committing;  /* of the pack that was sealed last, or NULL */
};

PackWriter *pack_writer_new(Repository *repository, gsize room, PackDurableFunc durable,
                            gpointer data)
{
    PackWriter *pack = g_new0(PackWriter, 1);

    pack->repository = repository_ref(repository);
    pack->room = room;
    pack->buffer = g_malloc(FLUSH_SIZE + room);
    pack->hash = sha256_new();
    pack->directory = g_byte_array_new();
    pack->durable = durable;
    pack->data = data;
    return pack;
}

void pack_writer_free(PackWriter *pack)
{
    if (pack == NULL)
        return;
    if (pack->committing != NULL)
        commit_free(g_thread_join(pack->committing));
    stored_writer_free(pack->target);
    sha256_free(pack->hash);
    g_byte_array_unref(pack->directory);
    g_free(pack->buffer);
    repository_unref(pack->repository);
    g_free(pack);
}

gboolean pack_writer_is_open(const PackWriter *pack)
{
    return pack->target != NULL;
}

guint64 pack_writer_size(const PackWriter *pack)
{
    return pack->flushed + pack->used;
}

gboolean pack_writer_begin(PackWriter *pack, const PackHeader *header, GError **error)
{
    sha256_reset(pack->hash);
    pack->target = stored_begin(pack->repository, SEAL_POOL, POOL_PREFIX, pack->hash, error);
    if (pack->target == NULL)
        return FALSE;
    g_byte_array_set_size(pack->directory, 0);
    pack->flushed = 0;
    pack_header_write(header, pack->buffer);
    pack->used = PACK_HEADER_SIZE;
    return TRUE;
}

static gboolean flush(PackWriter *pack, GError **error)
{
    gsize used = pack->used;

    if (used == 0)
        return TRUE;
    pack->flushed += used;
    pack->used = 0;
    return stored_write(pack->target, pack->buffer, used, error);
}

guint8 *pack_writer_room(PackWriter *pack, gsize length, GError **error)
{
    g_assert(length <= pack->room);
    if (pack->used >= FLUSH_SIZE && !flush(pack, error))
        return NULL;
    return pack->buffer + pack->used;
}

void pack_writer_advance(PackWriter *pack, gsize length)
{
    pack->used += length;
}

gboolean pack_writer_append(PackWriter *pack, const void *bytes, gsize length, GError **error)
{
    while (length > 0) {
        gsize piece = MIN(length, pack->room);
        guint8 *room = pack_writer_room(pack, piece, error);

        if (room == NULL)
            return FALSE;
        memcpy(room, bytes, piece);
        pack_writer_advance(pack, piece);
        bytes = (const guint8 *)bytes + piece;
        length -= piece;
    }
    return TRUE;
}

void pack_writer_enter(PackWriter *pack, const PoolExtent *extent, guint32 plain_length)
{
    const PackEntry entry = {extent->offset, extent->length, plain_length, extent->hash};

    pack_directory_add(pack->directory, &entry);
}

gboolean pack_writer_wait(PackWriter *pack, GError **error)
{
    Commit *commit;
    gboolean result;

    if (pack->committing == NULL)
        return TRUE;
    commit = g_thread_join(g_steal_pointer(&pack->committing));
    result = commit->error == NULL;
    if (!result)
        g_propagate_error(error, g_steal_pointer(&commit->error));
    commit_free(commit);
    return result;
}

gboolean pack_writer_seal(PackWriter *pack, guint8 ret_digest[SHA256_SIZE], guint64 *ret_size,
                          GError **error)
{
    guint64 size;
    Commit *commit;

    pack_directory_end(pack->directory);
    if (!pack_writer_append(pack, pack->directory->data, pack->directory->len, error) ||
        !flush(pack, error) || !pack_writer_wait(pack, error) ||
        !stored_finish(pack->target, &size, error))
        return FALSE;
    commit = g_new0(Commit, 1);
    commit->store = repository_store(pack->repository);
    commit->durable = pack->durable;
    commit->data = pack->data;
    commit->target = g_steal_pointer(&pack->target);
    commit->size = size;
    sha256_finish(pack->hash, commit->digest);
    memcpy(ret_digest, commit->digest, SHA256_SIZE);
    *ret_size = commit->size;
    pack->committing = g_thread_new("pack", run_commit, commit);
    return TRUE;
}
