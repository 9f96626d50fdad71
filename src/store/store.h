/* SPDX-License-Identifier: Apache-2.0
 *
 * Where objects are kept. A store holds named, immutable runs of bytes and offers no more than an
 * object store can: write an object under a name that is free, read a range, list by prefix,
 * delete, tell its own time. No rename, no append, no locks. posix.c keeps objects as files;
 * memory.c behaves like S3; fault.c wraps another store and fails on demand.
 *
 * Names: relative, "/" between parts, 1 to 1000 bytes of [A-Za-z0-9._=+-] and "/"; no part is
 * empty, "." or "..", none begins with ".tmp-" (those are the store's own). Anything else is
 * ERROR_INTERNAL: names are made by us, never by users.
 *
 * Durability: when store_put() or store_commit() returns TRUE, the object and its name survive a
 * power cut.
 *
 * Threads: a Store may be used from many threads at once; a StoreWriter by one at a time.
 */
#ifndef HOLDFAST_STORE_STORE_H
#define HOLDFAST_STORE_STORE_H

#include <gio/gio.h>

typedef struct Store Store;
typedef struct StoreWriter StoreWriter;

typedef struct {
    guint64 size;    /* bytes */
    gint64 modified; /* when it was committed, by the store's clock, in microseconds */
} StoreInfo;

/* True for a name as described above. */
gboolean store_name_valid(const char *name);

/* --- Opening ---------------------------------------------------------------------------------- */

/* A directory. It must exist (ERROR_UNREACHABLE else, since a repository that is not mounted looks
 * just like that). */
Store *store_open_posix(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An empty store in memory, for tests. */
Store *store_new_memory(void);

/* A store that passes everything on to `inner` (which it takes) and fails on demand, for tests. */
typedef enum {
    STORE_FAULT_NONE,
    STORE_FAULT_ERROR,    /* the call fails with `code`, nothing is done */
    STORE_FAULT_NO_SPACE, /* writes fail with ERROR_NO_SPACE from then on */
    STORE_FAULT_DONE, /* the call is carried out and reports failure all the same, as when an answer is lost */
    STORE_FAULT_SHORT, /* a write carries out half of its bytes, then fails */
} StoreFault;
Store *store_new_fault(Store *inner);
/* Arms the store: the Nth call from now (1 is the next) fails that way, once (NO_SPACE: it and all
 * later writes). */
void store_fault_arm(Store *store, StoreFault fault, guint64 nth, int code);
/* Calls seen since the store was made. */
guint64 store_fault_calls(Store *store);

Store *store_ref(Store *store);
void store_unref(Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_unref)

/* For messages: the path, or "memory". */
const char *store_location(const Store *store);

/* --- Writing ---------------------------------------------------------------------------------- */

/* Begins an object. Nothing is visible under its name before store_commit(). */
StoreWriter *store_begin(Store *store, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean store_write(StoreWriter *writer, const void *bytes, gsize length,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Puts the object in place. ERROR_EXISTS when the name is taken: the object there is left as it is.
 * Whatever the result, the writer can only be freed then. */
gboolean store_commit(StoreWriter *writer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for an object whose name is known only at its end, because it is made of the object's
 * bytes: begun under a prefix that ends with "/", committed as a name below that prefix. */
StoreWriter *store_begin_below(Store *store, const char *prefix,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean store_commit_as(StoreWriter *writer, const char *name,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Frees; an object that was not committed is forgotten. NULL is fine. */
void store_writer_free(StoreWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreWriter, store_writer_free)

/* A whole small object at once, if the name is free (ERROR_EXISTS else). */
gboolean store_put(Store *store, const char *name, const void *bytes, gsize length,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- Reading ---------------------------------------------------------------------------------- */

/* ERROR_NOT_FOUND when there is no such object. */
gboolean store_stat(Store *store, const char *name, StoreInfo *ret_info,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads up to `length` bytes from `offset`; fewer only at the object's end (*ret_length 0 at or
 * behind it). */
gboolean store_read(Store *store, const char *name, guint64 offset, void *buffer, gsize length,
                    gsize *ret_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A whole object of at most `limit` bytes; a larger one is ERROR_LIMIT. */
GBytes *store_get(Store *store, const char *name, gsize limit,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads an object from its start to its end in pieces of at most 1 MiB. Faster than store_read() in
 * a loop: the object stays open. */
typedef gboolean (*StoreSink)(const void *bytes, gsize length, gpointer data, GError **error);
gboolean store_stream(Store *store, const char *name, StoreSink sink, gpointer data,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Calls func for every object whose name begins with `prefix` (which ends with "/" or is ""), in
 * the order of strcmp(). FALSE from func stops with its error. Objects that come or go meanwhile
 * may or may not be seen. The posix store does not descend into what the prefix excludes. */
typedef gboolean (*StoreListFunc)(const char *name, const StoreInfo *info, gpointer data,
                                  GError **error);
gboolean store_list(Store *store, const char *prefix, StoreListFunc func, gpointer data,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The distinct next parts below a prefix ("backups/" gives the backup folders), sorted; an array of
 * strings. */
gboolean store_list_parts(Store *store, const char *prefix, GPtrArray **ret_parts,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- The rest --------------------------------------------------------------------------------- */

/* Deletes an object. One that is not there is fine: a repeated delete must not fail. Empty
 * directories go as well. */
gboolean store_delete(Store *store, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The store's own clock, which dates its objects; not ours. */
gboolean store_time(Store *store, gint64 *ret_now, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes what interrupted writers left behind, where it was last touched before `before` (the
 * store's clock). *ret_bytes and *ret_count (both may be NULL) tell how much. With dry_run only
 * counts. */
gboolean store_clean(Store *store, gint64 before, gboolean dry_run, guint64 *ret_count,
                     guint64 *ret_bytes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Free bytes for new objects; G_MAXUINT64 where there is no such limit. */
gboolean store_free_space(Store *store, guint64 *ret_bytes,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
