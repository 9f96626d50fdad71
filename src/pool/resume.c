/* SPDX-License-Identifier: Apache-2.0
 *
 * Taking over the packs of an interrupted run. Which packs there are, its notes tell; what is in
 * them, their directories do. A pack counts when all of its bytes were read and have the hash that
 * is its name: then its directory holds, and an extent of it is the bytes whose hash is looked for.
 * It is read when its first extent is wanted, so that what the source does not hold any more costs
 * nothing.
 */
#include "pool/private.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "repo/stored.h"

/* Of all packs together: 64 MiB of memory; 2 TiB in extents of the largest size. */
#define ENTRY_LIMIT (2 * 1024 * 1024)

typedef enum { PACK_UNREAD, PACK_GOOD, PACK_BAD } PackState;

typedef struct {
    guint8 digest[SHA256_SIZE];
    guint64 size;
    gint state; /* atomic: PackState */
} Pack;

typedef struct {
    PackEntry entry;
    guint32 pack;
} Found;

struct PoolResume {
    Repository *repository;
    GArray *packs;
    GArray *found; /* sorted by hash and plain length */
    GMutex mutex;  /* one pack is read at a time */
};

void pool_resume_free(PoolResume *resume)
{
    if (resume == NULL)
        return;
    g_array_unref(resume->packs);
    g_array_unref(resume->found);
    g_mutex_clear(&resume->mutex);
    repository_unref(resume->repository);
    g_free(resume);
}

/* --- What there is ---------------------------------------------------------------------------- */

static gboolean read_directory(PoolResume *resume, const Pack *pack, const char *name,
                               GArray *entries, GError **error)
{
    guint8 trailer[PACK_DIRECTORY_TRAILER];
    g_autofree guint8 *bytes = NULL;
    gsize length, got;
    guint64 size; /* plain; the note has the stored one */
    StoreInfo info;

    if (!store_stat(repository_store(resume->repository), name, &info, error) ||
        !stored_size(resume->repository, SEAL_POOL, name, &size, error))
        return FALSE;
    if (info.size != pack->size || size < PACK_HEADER_SIZE + PACK_DIRECTORY_TRAILER) {
        error_set(error, ERROR_DAMAGED, "%s has another size than was noted", name);
        return FALSE;
    }
    if (!stored_read(resume->repository, SEAL_POOL, name, size - sizeof trailer, trailer,
                     sizeof trailer, &got, error))
        return FALSE;
    if (got < sizeof trailer) {
        error_set(error, ERROR_DAMAGED, "%s was cut", name);
        return FALSE;
    }
    if (!pack_directory_length(trailer, size, name, &length, error))
        return FALSE;
    bytes = g_malloc(length);
    return stored_read(resume->repository, SEAL_POOL, name, size - length, bytes, length, &got,
                       error) &&
           pack_directory_read(bytes, got, size, name, entries, error);
}

static void add_pack(PoolResume *resume, const Pack *pack)
{
    g_autofree char *name = pool_object_name(pack->digest);
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(PackEntry));
    g_autoptr(GError) problem = NULL;
    guint32 index = resume->packs->len;

    if (!read_directory(resume, pack, name, entries, &problem)) {
        log_write(LOG_INFO, "a pack of an interrupted backup is passed over: %s", problem->message);
        return;
    }
    if (entries->len > ENTRY_LIMIT - resume->found->len) {
        log_write(LOG_INFO, "%s is not taken over: too many extents", name);
        return;
    }
    g_array_append_val(resume->packs, *pack);
    for (guint i = 0; i < entries->len; i++) {
        const Found found = {g_array_index(entries, PackEntry, i), index};

        g_array_append_val(resume->found, found);
    }
}

static void add_packs(PoolResume *resume, const json_t *packs, GHashTable *left)
{
    const json_t *json;
    size_t index;

    json_array_foreach(packs, index, json)
    {
        const char *hex = json_get_string(json, "sha256", "");
        Pack pack = {.size = json_get_uint(json, "size", 0)};

        if (strlen(hex) != SHA256_HEX_SIZE - 1 || !sha256_from_hex(hex, pack.digest) ||
            g_hash_table_contains(left, pack.digest))
            continue;
        add_pack(resume, &pack);
    }
}

static int compare_key(const PackEntry *a, const PackEntry *b)
{
    if (a->hash.high != b->hash.high)
        return a->hash.high < b->hash.high ? -1 : 1;
    if (a->hash.low != b->hash.low)
        return a->hash.low < b->hash.low ? -1 : 1;
    return a->plain_length < b->plain_length ? -1 : a->plain_length > b->plain_length;
}

static int compare_found(gconstpointer a, gconstpointer b)
{
    return compare_key(&((const Found *)a)->entry, &((const Found *)b)->entry);
}

gboolean pool_unfinished_hash_key(const Unfinished *unfinished, guint64 *ret_hash_key)
{
    const char *text = json_get_string(unfinished->notes->pdata[0], "hash_key", "");

    return g_ascii_string_to_unsigned(text, 16, 0, G_MAXUINT64, ret_hash_key, NULL);
}

PoolResume *pool_resume_new(Repository *repository, const Unfinished *unfinished, guint64 hash_key,
                            GHashTable *left)
{
    PoolResume *resume = g_new0(PoolResume, 1);
    guint64 key;

    resume->repository = repository_ref(repository);
    resume->packs = g_array_new(FALSE, FALSE, sizeof(Pack));
    resume->found = g_array_new(FALSE, FALSE, sizeof(Found));
    g_mutex_init(&resume->mutex);
    /* Hashes under another key say nothing. */
    if (unfinished == NULL || !pool_unfinished_hash_key(unfinished, &key) || key != hash_key)
        return resume;
    for (guint i = 0; i < unfinished->notes->len; i++)
        add_packs(resume, json_object_get(unfinished->notes->pdata[i], "packs"), left);
    g_array_sort(resume->found, compare_found);
    return resume;
}

/* --- Finding ---------------------------------------------------------------------------------- */

static gboolean hash_piece(const void *bytes, gsize length, gpointer data, GError **error)
{
    sha256_update(data, bytes, length);
    return TRUE;
}

static PackState read_pack(PoolResume *resume, const Pack *pack)
{
    g_autofree char *name = pool_object_name(pack->digest);
    g_autoptr(Sha256) hash = sha256_new();
    g_autoptr(GError) problem = NULL;
    guint8 digest[SHA256_SIZE];

    if (!store_stream(repository_store(resume->repository), name, hash_piece, hash, NULL,
                      &problem)) {
        log_write(LOG_INFO, "%s is not taken over: %s", name, problem->message);
        return PACK_BAD;
    }
    sha256_finish(hash, digest);
    if (memcmp(digest, pack->digest, SHA256_SIZE) == 0)
        return PACK_GOOD;
    log_write(LOG_WARNING, "%s of an interrupted backup is damaged and is not taken over", name);
    return PACK_BAD;
}

static gboolean is_good(PoolResume *resume, Pack *pack, gboolean *ret_first)
{
    g_autoptr(GMutexLocker) locker = NULL;

    *ret_first = FALSE;
    if (g_atomic_int_get(&pack->state) == PACK_UNREAD) {
        locker = g_mutex_locker_new(&resume->mutex);
        if (g_atomic_int_get(&pack->state) == PACK_UNREAD) {
            g_atomic_int_set(&pack->state, read_pack(resume, pack));
            *ret_first = TRUE;
        }
    }
    return g_atomic_int_get(&pack->state) == PACK_GOOD;
}

gboolean pool_resume_find(PoolResume *resume, Hash128 hash, guint32 plain_length,
                          PoolResumed *ret_found)
{
    const PackEntry key = {.hash = hash, .plain_length = plain_length};
    guint low = 0, high = resume->found->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (compare_key(&g_array_index(resume->found, Found, middle).entry, &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < resume->found->len; low++) {
        const Found *found = &g_array_index(resume->found, Found, low);
        Pack *pack = &g_array_index(resume->packs, Pack, found->pack);
        gboolean first;

        if (compare_key(&found->entry, &key) != 0)
            return FALSE;
        if (!is_good(resume, pack, &first))
            continue;
        *ret_found = (PoolResumed){pack->digest, pack->size,          first,
                                   found->pack,  found->entry.offset, found->entry.length};
        return TRUE;
    }
    return FALSE;
}
