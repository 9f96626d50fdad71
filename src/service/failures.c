/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting in windows of a minute. Memory is bounded: with very many addresses at once those whose
 * minute is over are forgotten, and then the rest share one count.
 */
#include "service/failures.h"

#include <gio/gio.h>
#include <string.h>

#include "base/time.h"

#define ADDRESS_LIMIT 10000

typedef struct {
    gint64 since;
    guint count;
} Window;

struct Failures {
    GMutex mutex;
    GHashTable *windows; /* address to Window */
};

Failures *failures_new(void)
{
    Failures *failures = g_new0(Failures, 1);

    g_mutex_init(&failures->mutex);
    failures->windows = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return failures;
}

void failures_free(Failures *failures)
{
    if (failures == NULL)
        return;
    g_hash_table_unref(failures->windows);
    g_mutex_clear(&failures->mutex);
    g_free(failures);
}

/* What is counted: the address, of IPv6 its network. */
static char *key_of(const char *text)
{
    g_autoptr(GInetAddress) address = g_inet_address_new_from_string(text);
    g_autoptr(GInetAddress) network = NULL;
    guint8 bytes[16] = {0};

    if (address == NULL || g_inet_address_get_family(address) != G_SOCKET_FAMILY_IPV6)
        return g_strdup(text);
    memcpy(bytes, g_inet_address_to_bytes(address), 8);
    network = g_inet_address_new_from_bytes(bytes, G_SOCKET_FAMILY_IPV6);
    return g_inet_address_to_string(network);
}

static gboolean is_over(gpointer key, gpointer value, gpointer now)
{
    return *(const gint64 *)now - ((const Window *)value)->since >= TIME_MINUTE;
}

/* With the mutex held. */
static Window *find_window(Failures *failures, const char *address, gint64 now)
{
    g_autofree char *key = key_of(address);
    Window *window = g_hash_table_lookup(failures->windows, key);

    if (window == NULL && g_hash_table_size(failures->windows) >= ADDRESS_LIMIT) {
        g_hash_table_foreach_remove(failures->windows, is_over, &now);
        if (g_hash_table_size(failures->windows) >= ADDRESS_LIMIT) {
            g_free(key);
            key = g_strdup("");
            window = g_hash_table_lookup(failures->windows, key);
        }
    }
    if (window == NULL) {
        window = g_new0(Window, 1);
        window->since = now;
        g_hash_table_insert(failures->windows, g_steal_pointer(&key), window);
    } else if (is_over(NULL, window, &now)) {
        window->since = now;
        window->count = 0;
    }
    return window;
}

gboolean failures_count(Failures *failures, const char *address, gint64 now, guint *ret_wait)
{
    Window *window;
    gboolean few;

    g_mutex_lock(&failures->mutex);
    window = find_window(failures, address, now);
    window->count = MIN(window->count + 1, FAILURES_A_MINUTE + 1);
    few = window->count <= FAILURES_A_MINUTE;
    *ret_wait = (guint)((window->since + TIME_MINUTE - now) / TIME_SECOND) + 1;
    g_mutex_unlock(&failures->mutex);
    return few;
}
