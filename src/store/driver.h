/* SPDX-License-Identifier: Apache-2.0
 *
 * What a kind of store must be able to do. store.c checks names and arguments, so that drivers need
 * not; each function has the meaning of its namesake in store.h. Only store/ includes this.
 */
#ifndef HOLDFAST_STORE_DRIVER_H
#define HOLDFAST_STORE_DRIVER_H

#include "store/store.h"

/* Names that begin a part like this are the drivers' own: unfinished objects. */
#define STORE_TEMPORARY_PREFIX ".tmp-"

typedef struct {
    const char *kind;
    void (*free)(Store *store);
    /* Both members of the StoreWriter are filled in by store.c. A name that ends with "/" is only
     * the prefix of the name that the writer has when it is committed. */
    StoreWriter *(*begin)(Store *store, const char *name, GError **error);
    gboolean (*write)(StoreWriter *writer, const void *bytes, gsize length, GError **error);
    gboolean (*commit)(StoreWriter *writer, GError **error);
    void (*writer_free)(StoreWriter *writer);
    gboolean (*stat)(Store *store, const char *name, StoreInfo *ret_info, GError **error);
    gboolean (*read)(Store *store, const char *name, guint64 offset, void *buffer, gsize length,
                     gsize *ret_length, GError **error);
    gboolean (*list)(Store *store, const char *prefix, StoreListFunc func, gpointer data,
                     GError **error);
    gboolean (*remove)(Store *store, const char *name, GError **error);
    gboolean (*time)(Store *store, gint64 *ret_now, GError **error);

    /* Optional: NULL means that store.c does it with the functions above, or that there is nothing
     * to do. */
    gboolean (*list_parts)(Store *store, const char *prefix, GPtrArray **ret_parts, GError **error);
    gboolean (*stream)(Store *store, const char *name, StoreSink sink, gpointer data,
                       GCancellable *cancellable, GError **error);
    gboolean (*clean)(Store *store, gint64 before, gboolean dry_run, guint64 *ret_count,
                      guint64 *ret_bytes, GError **error);
    gboolean (*free_space)(Store *store, guint64 *ret_bytes, GError **error);
} StoreDriver;

/* The first member of every driver's own store and writer. */
struct Store {
    const StoreDriver *driver;
    gatomicrefcount references;
    char *location;
};

/* Fills in the first member of a new store, which has one reference then. `location` is copied. */
void store_init(Store *store, const StoreDriver *driver, const char *location);

struct StoreWriter {
    Store *store; /* holds a reference */
    char *name;
};

#endif
