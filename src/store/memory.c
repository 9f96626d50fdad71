/* SPDX-License-Identifier: Apache-2.0
 *
 * A store in memory, for tests. It behaves like S3: flat names, an object is there at once and
 * whole when it is committed, lists come in pages and see what other threads do between two pages.
 */
#include "store/driver.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

/* Small, so that tests cross the border of a page. */
#define PAGE_SIZE 50

typedef struct {
    GBytes *bytes;
    gint64 modified;
} MemoryObject;

typedef struct {
    Store store;
    GMutex mutex;
    GTree *objects; /* name to MemoryObject */
} MemoryStore;

typedef struct {
    StoreWriter writer;
    GByteArray *bytes;
} MemoryWriter;

typedef struct {
    char *name;
    StoreInfo info;
} PageEntry;

static void object_free(gpointer data)
{
    MemoryObject *object = data;

    g_bytes_unref(object->bytes);
    g_free(object);
}

static void memory_free(Store *store)
{
    MemoryStore *memory = (MemoryStore *)store;

    g_tree_unref(memory->objects);
    g_mutex_clear(&memory->mutex);
    g_free(memory);
}

static StoreWriter *memory_begin(Store *store, const char *name, GError **error)
{
    MemoryWriter *writer = g_new0(MemoryWriter, 1);

    writer->bytes = g_byte_array_new();
    return &writer->writer;
}

static gboolean memory_write(StoreWriter *base, const void *bytes, gsize length, GError **error)
{
    MemoryWriter *writer = (MemoryWriter *)base;

    if (length > G_MAXUINT - writer->bytes->len) {
        error_set(error, ERROR_LIMIT, "%s is too large for a store in memory", base->name);
        return FALSE;
    }
    g_byte_array_append(writer->bytes, bytes, (guint)length);
    return TRUE;
}

static gboolean memory_commit(StoreWriter *base, GError **error)
{
    MemoryWriter *writer = (MemoryWriter *)base;
    MemoryStore *memory = (MemoryStore *)base->store;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&memory->mutex);
    MemoryObject *object;

    if (g_tree_lookup(memory->objects, base->name) != NULL) {
        error_set(error, ERROR_EXISTS, "%s is there already", base->name);
        return FALSE;
    }
    object = g_new0(MemoryObject, 1);
    object->bytes = g_byte_array_free_to_bytes(g_steal_pointer(&writer->bytes));
    object->modified = time_now();
    g_tree_insert(memory->objects, g_strdup(base->name), object);
    return TRUE;
}

static void memory_writer_free(StoreWriter *base)
{
    MemoryWriter *writer = (MemoryWriter *)base;

    if (writer->bytes != NULL)
        g_byte_array_unref(writer->bytes);
    g_free(writer);
}

/* A reference to the object's bytes, so that they can be read without the lock. */
static GBytes *find(Store *store, const char *name, gint64 *ret_modified, GError **error)
{
    MemoryStore *memory = (MemoryStore *)store;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&memory->mutex);
    const MemoryObject *object = g_tree_lookup(memory->objects, name);

    if (object == NULL) {
        error_set(error, ERROR_NOT_FOUND, "no object %s in %s", name, store_location(store));
        return NULL;
    }
    *ret_modified = object->modified;
    return g_bytes_ref(object->bytes);
}

static gboolean memory_stat(Store *store, const char *name, StoreInfo *ret_info, GError **error)
{
    gint64 modified;
    g_autoptr(GBytes) bytes = find(store, name, &modified, error);

    if (bytes == NULL)
        return FALSE;
    *ret_info = (StoreInfo){.size = g_bytes_get_size(bytes), .modified = modified};
    return TRUE;
}

static gboolean memory_read(Store *store, const char *name, guint64 offset, void *buffer,
                            gsize length, gsize *ret_length, GError **error)
{
    gint64 modified;
    g_autoptr(GBytes) bytes = find(store, name, &modified, error);
    const guint8 *data;
    gsize size;

    if (bytes == NULL)
        return FALSE;
    data = g_bytes_get_data(bytes, &size);
    if (offset >= size) {
        *ret_length = 0;
        return TRUE;
    }
    *ret_length = MIN(length, size - (gsize)offset);
    memcpy(buffer, data + offset, *ret_length);
    return TRUE;
}

static void page_entry_free(gpointer data)
{
    PageEntry *entry = data;

    g_free(entry->name);
    g_free(entry);
}

/* The next names behind `after` that have the prefix. */
static GPtrArray *next_page(MemoryStore *memory, const char *prefix, const char *after)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&memory->mutex);
    GPtrArray *page = g_ptr_array_new_with_free_func(page_entry_free);
    GTreeNode *node = g_tree_upper_bound(memory->objects, after);

    for (; node != NULL && page->len < PAGE_SIZE; node = g_tree_node_next(node)) {
        const char *name = g_tree_node_key(node);
        const MemoryObject *object = g_tree_node_value(node);
        PageEntry *entry;

        if (!g_str_has_prefix(name, prefix))
            break;
        entry = g_new0(PageEntry, 1);
        entry->name = g_strdup(name);
        entry->info.size = g_bytes_get_size(object->bytes);
        entry->info.modified = object->modified;
        g_ptr_array_add(page, entry);
    }
    return page;
}

static gboolean memory_list(Store *store, const char *prefix, StoreListFunc func, gpointer data,
                            GError **error)
{
    g_autofree char *after = g_strdup(prefix);

    for (;;) {
        g_autoptr(GPtrArray) page = next_page((MemoryStore *)store, prefix, after);

        if (page->len == 0)
            return TRUE;
        for (guint i = 0; i < page->len; i++) {
            const PageEntry *entry = page->pdata[i];

            if (!func(entry->name, &entry->info, data, error))
                return FALSE;
        }
        g_free(after);
        after = g_strdup(((const PageEntry *)page->pdata[page->len - 1])->name);
    }
}

static gboolean memory_remove(Store *store, const char *name, GError **error)
{
    MemoryStore *memory = (MemoryStore *)store;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&memory->mutex);

    g_tree_remove(memory->objects, name);
    return TRUE;
}

static gboolean memory_time(Store *store, gint64 *ret_now, GError **error)
{
    *ret_now = time_now();
    return TRUE;
}

static const StoreDriver memory_driver = {
    .kind = "memory",
    .free = memory_free,
    .begin = memory_begin,
    .write = memory_write,
    .commit = memory_commit,
    .writer_free = memory_writer_free,
    .stat = memory_stat,
    .read = memory_read,
    .list = memory_list,
    .remove = memory_remove,
    .time = memory_time,
};

static int compare_keys(gconstpointer a, gconstpointer b, gpointer data)
{
    return strcmp(a, b);
}

Store *store_new_memory(void)
{
    MemoryStore *memory = g_new0(MemoryStore, 1);

    store_init(&memory->store, &memory_driver, "memory");
    g_mutex_init(&memory->mutex);
    memory->objects = g_tree_new_full(compare_keys, NULL, g_free, object_free);
    return &memory->store;
}
