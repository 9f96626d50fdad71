/* SPDX-License-Identifier: Apache-2.0
 *
 * Parquet objects of the pool.
 */
#include "repo/stored-parquet.h"

#include "base/error.h"
#include "repo/stored.h"

struct StoredParquet {
    ParquetSource source;
    Repository *repository;
    char *name;
};

static gboolean read_range(gpointer data, guint64 offset, void *buffer, gsize length,
                           GError **error)
{
    StoredParquet *object = data;
    gsize got;

    if (!stored_read(object->repository, SEAL_POOL, object->name, offset, buffer, length, &got,
                     error))
        return FALSE;
    if (got == length)
        return TRUE;
    error_set(error, ERROR_DAMAGED, "%s ends at byte %" G_GUINT64_FORMAT, object->name,
              offset + got);
    return FALSE;
}

StoredParquet *stored_parquet_open(Repository *repository, const char *name, GError **error)
{
    StoredParquet *object;
    guint64 size;

    if (!stored_size(repository, SEAL_POOL, name, &size, error))
        return NULL;
    object = g_new0(StoredParquet, 1);
    object->repository = repository_ref(repository);
    object->name = g_strdup(name);
    object->source = (ParquetSource){read_range, object, size, object->name};
    return object;
}

const ParquetSource *stored_parquet_source(const StoredParquet *object)
{
    return &object->source;
}

void stored_parquet_close(StoredParquet *object)
{
    if (object == NULL)
        return;
    repository_unref(object->repository);
    g_free(object->name);
    g_free(object);
}
