/* SPDX-License-Identifier: Apache-2.0
 *
 * A store that passes every call on to another one and fails on demand, for tests: "fail the Nth
 * call" over a whole scenario finds the error paths that nobody thought of. Streams and part lists
 * are made of single reads and lists here, so that each of these can be the one that fails.
 */
#include "store/driver.h"

#include "base/error.h"

typedef struct {
    Store store;
    Store *inner;
    GMutex mutex;
    guint64 calls;
    StoreFault fault;
    guint64 at; /* the call that fails */
    int code;
    gboolean full; /* writes fail from now on */
} FaultStore;

typedef struct {
    StoreWriter writer;
    StoreWriter *inner;
} FaultWriter;

/* Counts a call and says how it has to fail. */
static StoreFault count_call(Store *store, gboolean is_write)
{
    FaultStore *fault = (FaultStore *)store;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&fault->mutex);

    fault->calls++;
    if (fault->fault != STORE_FAULT_NONE && fault->calls == fault->at) {
        StoreFault now = fault->fault;

        fault->fault = STORE_FAULT_NONE;
        if (now != STORE_FAULT_NO_SPACE)
            return now;
        fault->full = TRUE;
    }
    return fault->full && is_write ? STORE_FAULT_NO_SPACE : STORE_FAULT_NONE;
}

static void set_failure(Store *store, StoreFault kind, const char *call, GError **error)
{
    const FaultStore *fault = (const FaultStore *)store;
    ErrorCode code = kind == STORE_FAULT_NO_SPACE ? ERROR_NO_SPACE : (ErrorCode)fault->code;

    error_set(error, code, "%s in %s failed on demand", call, store_location(store));
}

/* The common shape of all calls but writes: a fault before, or after the call was carried out. */
static gboolean finish_call(Store *store, StoreFault kind, const char *call, gboolean result,
                            GError **inner_error, GError **error)
{
    if (kind == STORE_FAULT_NONE) {
        if (!result)
            g_propagate_error(error, g_steal_pointer(inner_error));
        return result;
    }
    set_failure(store, kind, call, error);
    return FALSE;
}

static gboolean carried_out(StoreFault kind)
{
    return kind == STORE_FAULT_NONE || kind == STORE_FAULT_DONE;
}

static void fault_free(Store *store)
{
    FaultStore *fault = (FaultStore *)store;

    store_unref(fault->inner);
    g_mutex_clear(&fault->mutex);
    g_free(fault);
}

static StoreWriter *fault_begin(Store *store, const char *name, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, TRUE);
    StoreWriter *inner;
    FaultWriter *writer;

    if (kind != STORE_FAULT_NONE) {
        set_failure(store, kind, "begin", error);
        return NULL;
    }
    inner = g_str_has_suffix(name, "/") ? store_begin_below(fault->inner, name, error)
                                        : store_begin(fault->inner, name, error);
    if (inner == NULL)
        return NULL;
    writer = g_new0(FaultWriter, 1);
    writer->inner = inner;
    return &writer->writer;
}

static gboolean fault_write(StoreWriter *base, const void *bytes, gsize length, GError **error)
{
    FaultWriter *writer = (FaultWriter *)base;
    StoreFault kind = count_call(base->store, TRUE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = FALSE;

    if (kind == STORE_FAULT_SHORT)
        result = store_write(writer->inner, bytes, length / 2, &inner_error);
    else if (carried_out(kind))
        result = store_write(writer->inner, bytes, length, &inner_error);
    return finish_call(base->store, kind, "write", result, &inner_error, error);
}

static gboolean commit_inner(FaultWriter *writer, GError **error)
{
    return g_str_has_suffix(writer->inner->name, "/")
               ? store_commit_as(writer->inner, writer->writer.name, error)
               : store_commit(writer->inner, error);
}

static gboolean fault_commit(StoreWriter *base, GError **error)
{
    FaultWriter *writer = (FaultWriter *)base;
    StoreFault kind = count_call(base->store, TRUE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && commit_inner(writer, &inner_error);

    return finish_call(base->store, kind, "commit", result, &inner_error, error);
}

static void fault_writer_free(StoreWriter *base)
{
    FaultWriter *writer = (FaultWriter *)base;

    store_writer_free(writer->inner);
    g_free(writer);
}

static gboolean fault_stat(Store *store, const char *name, StoreInfo *ret_info, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && store_stat(fault->inner, name, ret_info, &inner_error);

    return finish_call(store, kind, "stat", result, &inner_error, error);
}

static gboolean fault_read(Store *store, const char *name, guint64 offset, void *buffer,
                           gsize length, gsize *ret_length, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && store_read(fault->inner, name, offset, buffer, length,
                                                      ret_length, &inner_error);

    return finish_call(store, kind, "read", result, &inner_error, error);
}

static gboolean fault_list(Store *store, const char *prefix, StoreListFunc func, gpointer data,
                           GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result =
        carried_out(kind) && store_list(fault->inner, prefix, func, data, &inner_error);

    return finish_call(store, kind, "list", result, &inner_error, error);
}

static gboolean fault_remove(Store *store, const char *name, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && store_delete(fault->inner, name, &inner_error);

    return finish_call(store, kind, "delete", result, &inner_error, error);
}

static gboolean fault_time(Store *store, gint64 *ret_now, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && store_time(fault->inner, ret_now, &inner_error);

    return finish_call(store, kind, "time", result, &inner_error, error);
}

static gboolean fault_clean(Store *store, gint64 before, gboolean dry_run, guint64 *ret_count,
                            guint64 *ret_bytes, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && store_clean(fault->inner, before, dry_run, ret_count,
                                                       ret_bytes, &inner_error);

    return finish_call(store, kind, "clean", result, &inner_error, error);
}

static gboolean fault_free_space(Store *store, guint64 *ret_bytes, GError **error)
{
    FaultStore *fault = (FaultStore *)store;
    StoreFault kind = count_call(store, FALSE);
    g_autoptr(GError) inner_error = NULL;
    gboolean result = carried_out(kind) && store_free_space(fault->inner, ret_bytes, &inner_error);

    return finish_call(store, kind, "free space", result, &inner_error, error);
}

static const StoreDriver fault_driver = {
    .kind = "fault",
    .free = fault_free,
    .begin = fault_begin,
    .write = fault_write,
    .commit = fault_commit,
    .writer_free = fault_writer_free,
    .stat = fault_stat,
    .read = fault_read,
    .list = fault_list,
    .remove = fault_remove,
    .time = fault_time,
    .clean = fault_clean,
    .free_space = fault_free_space,
};

Store *store_new_fault(Store *inner)
{
    FaultStore *fault = g_new0(FaultStore, 1);

    store_init(&fault->store, &fault_driver, store_location(inner));
    g_mutex_init(&fault->mutex);
    fault->inner = inner;
    return &fault->store;
}

void store_fault_arm(Store *store, StoreFault kind, guint64 nth, int code)
{
    FaultStore *fault = (FaultStore *)store;
    g_autoptr(GMutexLocker) locker = NULL;

    g_return_if_fail(store->driver == &fault_driver);
    locker = g_mutex_locker_new(&fault->mutex);
    fault->fault = kind;
    fault->at = fault->calls + nth;
    fault->code = code;
    fault->full = FALSE;
}

guint64 store_fault_calls(Store *store)
{
    FaultStore *fault = (FaultStore *)store;
    g_autoptr(GMutexLocker) locker = NULL;

    g_return_val_if_fail(store->driver == &fault_driver, 0);
    locker = g_mutex_locker_new(&fault->mutex);
    return fault->calls;
}
