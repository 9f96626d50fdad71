/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells the thread sanitizer what GLib's locks do. GLib is built without the sanitizer and makes
 * its locks from futexes, so that every use of a GMutex would look like a race. Linked into the
 * unit tests of a build with b_sanitize=thread only: these functions stand before GLib's own, call
 * them, and report who waited for whom.
 *
 * Reference counts that GLib keeps itself are treated as if each drop of a reference synchronised
 * with all earlier ones.
 */
#include <dlfcn.h>
#include <gio/gio.h>

/* The sanitizer's runtime; it has no header for these. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    if (symbol == NULL)
        g_error("thread sanitizer: GLib has no %s", name);
    return symbol;
}

void g_mutex_lock(GMutex *mutex)
{
    REAL(g_mutex_lock)(mutex);
    __tsan_acquire(mutex);
}

gboolean g_mutex_trylock(GMutex *mutex)
{
    gboolean locked = REAL(g_mutex_trylock)(mutex);

    if (locked)
        __tsan_acquire(mutex);
    return locked;
}

void g_mutex_unlock(GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_mutex_unlock)(mutex);
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(g_cond_wait)(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    gboolean signalled;

    __tsan_release(mutex);
    signalled = REAL(g_cond_wait_until)(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return signalled;
}

void g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    __tsan_release(queue);
    REAL(g_async_queue_push)(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue *queue)
{
    gpointer data = REAL(g_async_queue_pop)(queue);

    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_try_pop(GAsyncQueue *queue)
{
    gpointer data = REAL(g_async_queue_try_pop)(queue);

    __tsan_acquire(queue);
    return data;
}

gpointer g_async_queue_timeout_pop(GAsyncQueue *queue, guint64 timeout)
{
    gpointer data = REAL(g_async_queue_timeout_pop)(queue, timeout);

    __tsan_acquire(queue);
    return data;
}

/* The header has macros of these names. */
#undef g_once_init_enter
#undef g_once_init_leave

gboolean g_once_init_enter(volatile void *location)
{
    gboolean first = REAL(g_once_init_enter)(location);

    __tsan_acquire((void *)location);
    return first;
}

void g_once_init_leave(volatile void *location, gsize result)
{
    __tsan_release((void *)location);
    REAL(g_once_init_leave)(location, result);
}

static void drop_reference(void *object)
{
    __tsan_release(object);
    __tsan_acquire(object);
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
    drop_reference(count);
    return REAL(g_atomic_ref_count_dec)(count);
}

void g_object_unref(gpointer object)
{
    drop_reference(object);
    REAL(g_object_unref)(object);
}

void g_bytes_unref(GBytes *bytes)
{
    if (bytes != NULL)
        drop_reference(bytes);
    REAL(g_bytes_unref)(bytes);
}

void g_hash_table_unref(GHashTable *table)
{
    drop_reference(table);
    REAL(g_hash_table_unref)(table);
}

void g_ptr_array_unref(GPtrArray *array)
{
    drop_reference(array);
    REAL(g_ptr_array_unref)(array);
}
