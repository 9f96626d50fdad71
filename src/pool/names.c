/* SPDX-License-Identifier: Apache-2.0
 *
 * New names of pool objects.
 */
#include "pool/names.h"

#include <string.h>

#include "base/error.h"
#include "pool/private.h"

struct PoolNames {
    GMutex mutex;
    GHashTable *table; /* digest to PoolName */
};

PoolNames *pool_names_new(void)
{
    PoolNames *names = g_new0(PoolNames, 1);

    g_mutex_init(&names->mutex);
    names->table = g_hash_table_new_full(pool_digest_hash, pool_digest_equal, g_free, g_free);
    return names;
}

void pool_names_free(PoolNames *names)
{
    if (names == NULL)
        return;
    g_hash_table_unref(names->table);
    g_mutex_clear(&names->mutex);
    g_free(names);
}

void pool_names_add(PoolNames *names, const guint8 digest[SHA256_SIZE], const PoolName *name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&names->mutex);

    g_hash_table_replace(names->table, g_memdup2(digest, SHA256_SIZE),
                         g_memdup2(name, sizeof *name));
}

gboolean pool_names_find(PoolNames *names, const guint8 digest[SHA256_SIZE], PoolName *ret_name)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&names->mutex);
    const PoolName *name = g_hash_table_lookup(names->table, digest);

    if (name == NULL)
        return FALSE;
    *ret_name = *name;
    return TRUE;
}

gboolean pool_names_put(PoolNames *names, json_t *reference, GError **error)
{
    const char *what = "a reference to the pool";
    guint8 digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    const char *old;
    PoolName name;

    if (reference == NULL || json_is_null(reference))
        return TRUE;
    if (!json_need_string(reference, "sha256", what, &old, error))
        return FALSE;
    if (strlen(old) != SHA256_HEX_SIZE - 1 || !sha256_from_hex(old, digest)) {
        error_set(error, ERROR_FORMAT, "%s has no SHA-256", what);
        return FALSE;
    }
    if (!pool_names_find(names, digest, &name)) {
        error_set(error, ERROR_DAMAGED, "the details name %.2s/%s of the pool, SHA256SUMS does not",
                  old, old);
        return FALSE;
    }
    sha256_to_hex(name.digest, hex);
    json_object_set_new(reference, "sha256", json_string(hex));
    json_object_set_new(reference, "size", json_integer((json_int_t)name.size));
    return TRUE;
}

/* One that the backup does not need was not copied: its line keeps the place in the table. */
static gboolean put_pack(PoolNames *names, json_t *pack, GError **error)
{
    g_autofree char *old = g_strdup(json_get_string(pack, "sha256", ""));
    const char *now;

    if (json_get_uint(pack, "alive", 1) == 0)
        return TRUE;
    if (json_get_string(pack, POOL_WRITTEN_AS, NULL) == NULL)
        json_object_set_new(pack, POOL_WRITTEN_AS, json_text(old));
    if (!pool_names_put(names, pack, error))
        return FALSE;
    now = json_get_string(pack, "sha256", "");
    if (strcmp(now, json_get_string(pack, POOL_WRITTEN_AS, "")) == 0)
        json_object_del(pack, POOL_WRITTEN_AS);
    return TRUE;
}

gboolean pool_names_put_packs(PoolNames *names, json_t *packs, GError **error)
{
    json_t *pack;
    gsize i;

    json_array_foreach(packs, i, pack)
    {
        if (!put_pack(names, pack, error))
            return FALSE;
    }
    return TRUE;
}
