/* SPDX-License-Identifier: Apache-2.0
 *
 * What all stores share: names are checked here, and what a driver leaves out is done with what it
 * has.
 */
#include "store/driver.h"

#include <string.h>

#include "base/error.h"

#define NAME_LIMIT  1000
#define STREAM_SIZE (1024 * 1024)
#define PUT_TRIES   5

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._=+-"

static gboolean part_valid(const char *part, gsize length)
{
    if (length == 0 || strspn(part, NAME_CHARACTERS) < length)
        return FALSE;
    if (part[0] == '.' && (length == 1 || (length == 2 && part[1] == '.')))
        return FALSE;
    return strncmp(part, STORE_TEMPORARY_PREFIX, strlen(STORE_TEMPORARY_PREFIX)) != 0;
}

gboolean store_name_valid(const char *name)
{
    if (strlen(name) > NAME_LIMIT)
        return FALSE;
    for (;;) {
        gsize length = strcspn(name, "/");

        if (!part_valid(name, length))
            return FALSE;
        if (name[length] == '\0')
            return TRUE;
        name += length + 1;
    }
}

static gboolean check_name(Store *store, const char *name, GError **error)
{
    if (store_name_valid(name))
        return TRUE;
    error_set(error, ERROR_INTERNAL, "\"%s\" is no name for an object in %s", name,
              store_location(store));
    return FALSE;
}

static gboolean check_prefix(Store *store, const char *prefix, GError **error)
{
    gsize length = strlen(prefix);
    g_autofree char *name = NULL;

    if (length == 0)
        return TRUE;
    if (prefix[length - 1] == '/') {
        name = g_strndup(prefix, length - 1);
        if (store_name_valid(name))
            return TRUE;
    }
    error_set(error, ERROR_INTERNAL, "\"%s\" is no prefix of objects in %s", prefix,
              store_location(store));
    return FALSE;
}

Store *store_ref(Store *store)
{
    g_atomic_ref_count_inc(&store->references);
    return store;
}

void store_unref(Store *store)
{
    if (store == NULL || !g_atomic_ref_count_dec(&store->references))
        return;
    g_free(store->location);
    store->driver->free(store);
}

const char *store_location(const Store *store)
{
    return store->location;
}

void store_init(Store *store, const StoreDriver *driver, const char *location)
{
    store->driver = driver;
    store->location = g_strdup(location);
    g_atomic_ref_count_init(&store->references);
}

static StoreWriter *begin(Store *store, const char *name, GError **error)
{
    StoreWriter *writer = store->driver->begin(store, name, error);

    if (writer == NULL)
        return NULL;
    writer->store = store_ref(store);
    writer->name = g_strdup(name);
    return writer;
}

StoreWriter *store_begin(Store *store, const char *name, GError **error)
{
    return check_name(store, name, error) ? begin(store, name, error) : NULL;
}

StoreWriter *store_begin_below(Store *store, const char *prefix, GError **error)
{
    if (prefix[0] == '\0') {
        error_set(error, ERROR_INTERNAL, "an object of %s was begun below nothing",
                  store_location(store));
        return NULL;
    }
    return check_prefix(store, prefix, error) ? begin(store, prefix, error) : NULL;
}

gboolean store_write(StoreWriter *writer, const void *bytes, gsize length, GError **error)
{
    if (length == 0)
        return TRUE;
    return writer->store->driver->write(writer, bytes, length, error);
}

static gboolean is_named(const StoreWriter *writer)
{
    return !g_str_has_suffix(writer->name, "/");
}

gboolean store_commit(StoreWriter *writer, GError **error)
{
    if (!is_named(writer)) {
        error_set(error, ERROR_INTERNAL, "an object below %s was given no name", writer->name);
        return FALSE;
    }
    return writer->store->driver->commit(writer, error);
}

gboolean store_commit_as(StoreWriter *writer, const char *name, GError **error)
{
    if (is_named(writer) || !g_str_has_prefix(name, writer->name)) {
        error_set(error, ERROR_INTERNAL, "an object that was begun as %s cannot become %s",
                  writer->name, name);
        return FALSE;
    }
    if (!check_name(writer->store, name, error))
        return FALSE;
    g_free(writer->name);
    writer->name = g_strdup(name);
    return writer->store->driver->commit(writer, error);
}

void store_writer_free(StoreWriter *writer)
{
    Store *store;
    char *name;

    if (writer == NULL)
        return;
    store = writer->store;
    name = writer->name;
    store->driver->writer_free(writer);
    g_free(name);
    store_unref(store);
}

static gboolean put_once(Store *store, const char *name, const void *bytes, gsize length,
                         GError **error)
{
    g_autoptr(StoreWriter) writer = store_begin(store, name, error);

    return writer != NULL && store_write(writer, bytes, length, error) &&
           store_commit(writer, error);
}

/* A cleanup without a grace time may take the temporary file of whoever has no lease yet, and that
 * is who puts one: then nothing was written, and it is written again. */
gboolean store_put(Store *store, const char *name, const void *bytes, gsize length, GError **error)
{
    for (guint i = 1;; i++) {
        g_autoptr(GError) problem = NULL;

        if (put_once(store, name, bytes, length, &problem))
            return TRUE;
        if (i < PUT_TRIES && error_is(problem, ERROR_NOT_FOUND))
            continue;
        g_propagate_error(error, g_steal_pointer(&problem));
        return FALSE;
    }
}

gboolean store_stat(Store *store, const char *name, StoreInfo *ret_info, GError **error)
{
    return check_name(store, name, error) && store->driver->stat(store, name, ret_info, error);
}

gboolean store_read(Store *store, const char *name, guint64 offset, void *buffer, gsize length,
                    gsize *ret_length, GError **error)
{
    return check_name(store, name, error) &&
           store->driver->read(store, name, offset, buffer, length, ret_length, error);
}

/* Fills the buffer from the object's start; an object that is shorter than it was a moment ago is
 * broken. */
static gboolean read_exactly(Store *store, const char *name, guint8 *buffer, gsize length,
                             GError **error)
{
    gsize done = 0;

    while (done < length) {
        gsize got;

        if (!store->driver->read(store, name, done, buffer + done, length - done, &got, error))
            return FALSE;
        if (got == 0) {
            error_set(error, ERROR_IO,
                      "%s in %s ends after %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes", name,
                      store_location(store), done, length);
            return FALSE;
        }
        done += got;
    }
    return TRUE;
}

GBytes *store_get(Store *store, const char *name, gsize limit, GError **error)
{
    StoreInfo info;
    g_autofree guint8 *buffer = NULL;
    gsize size;

    if (!store_stat(store, name, &info, error))
        return NULL;
    if (info.size > limit) {
        error_set(error, ERROR_LIMIT,
                  "%s in %s has %" G_GUINT64_FORMAT " bytes, more than the %" G_GSIZE_FORMAT
                  " that such an object may have",
                  name, store_location(store), info.size, limit);
        return NULL;
    }
    size = (gsize)info.size;
    buffer = g_try_malloc(size + 1);
    if (buffer == NULL) {
        error_set(error, ERROR_LIMIT, "not enough memory for %s of %" G_GSIZE_FORMAT " bytes", name,
                  size);
        return NULL;
    }
    if (!read_exactly(store, name, buffer, size, error))
        return NULL;
    return g_bytes_new_take(g_steal_pointer(&buffer), size);
}

/* Reads in ranges, for drivers that cannot keep an object open. */
static gboolean stream_by_read(Store *store, const char *name, StoreSink sink, gpointer data,
                               GCancellable *cancellable, GError **error)
{
    g_autofree guint8 *buffer = g_malloc(STREAM_SIZE);
    guint64 offset = 0;

    for (;;) {
        gsize got;

        if (g_cancellable_is_cancelled(cancellable)) {
            error_set(error, ERROR_CANCELLED, "reading %s was cancelled", name);
            return FALSE;
        }
        if (!store->driver->read(store, name, offset, buffer, STREAM_SIZE, &got, error))
            return FALSE;
        if (got == 0)
            return TRUE;
        if (!sink(buffer, got, data, error))
            return FALSE;
        offset += got;
    }
}

gboolean store_stream(Store *store, const char *name, StoreSink sink, gpointer data,
                      GCancellable *cancellable, GError **error)
{
    if (!check_name(store, name, error))
        return FALSE;
    if (store->driver->stream != NULL)
        return store->driver->stream(store, name, sink, data, cancellable, error);
    return stream_by_read(store, name, sink, data, cancellable, error);
}

gboolean store_list(Store *store, const char *prefix, StoreListFunc func, gpointer data,
                    GError **error)
{
    return check_prefix(store, prefix, error) &&
           store->driver->list(store, prefix, func, data, error);
}

typedef struct {
    gsize skip;       /* length of the prefix */
    GHashTable *seen; /* parts that are in `parts` */
    GPtrArray *parts;
} PartsCollector;

static gboolean collect_part(const char *name, const StoreInfo *info, gpointer data, GError **error)
{
    PartsCollector *collector = data;
    const char *rest = name + collector->skip;
    g_autofree char *part = g_strndup(rest, strcspn(rest, "/"));

    if (g_hash_table_contains(collector->seen, part))
        return TRUE;
    g_hash_table_add(collector->seen, part);
    g_ptr_array_add(collector->parts, g_steal_pointer(&part));
    return TRUE;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

gboolean store_list_parts(Store *store, const char *prefix, GPtrArray **ret_parts, GError **error)
{
    g_autoptr(GPtrArray) parts = NULL;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    PartsCollector collector = {.skip = strlen(prefix), .seen = seen};

    if (!check_prefix(store, prefix, error))
        return FALSE;
    if (store->driver->list_parts != NULL) {
        if (!store->driver->list_parts(store, prefix, &parts, error))
            return FALSE;
    } else {
        parts = g_ptr_array_new_with_free_func(g_free);
        collector.parts = parts;
        if (!store->driver->list(store, prefix, collect_part, &collector, error))
            return FALSE;
    }
    g_ptr_array_sort(parts, compare_names);
    *ret_parts = g_steal_pointer(&parts);
    return TRUE;
}

gboolean store_delete(Store *store, const char *name, GError **error)
{
    return check_name(store, name, error) && store->driver->remove(store, name, error);
}

gboolean store_time(Store *store, gint64 *ret_now, GError **error)
{
    return store->driver->time(store, ret_now, error);
}

gboolean store_clean(Store *store, gint64 before, gboolean dry_run, guint64 *ret_count,
                     guint64 *ret_bytes, GError **error)
{
    guint64 count = 0, bytes = 0;

    if (store->driver->clean != NULL &&
        !store->driver->clean(store, before, dry_run, &count, &bytes, error))
        return FALSE;
    if (ret_count != NULL)
        *ret_count = count;
    if (ret_bytes != NULL)
        *ret_bytes = bytes;
    return TRUE;
}

gboolean store_free_space(Store *store, guint64 *ret_bytes, GError **error)
{
    if (store->driver->free_space != NULL)
        return store->driver->free_space(store, ret_bytes, error);
    *ret_bytes = G_MAXUINT64;
    return TRUE;
}
