/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets to listen on.
 */
#include "service/listen.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define BACKLOG     512
#define UNIX_PREFIX "unix:"

void listener_free(Listener *listener)
{
    if (listener == NULL)
        return;
    file_close_fd(&listener->fd);
    if (listener->path != NULL)
        (void)g_unlink(listener->path);
    g_free(listener->address);
    g_free(listener->path);
    g_free(listener);
}

static gboolean fail_listen(const char *address, GError **error)
{
    int errnum = errno;

    if (errnum == EADDRINUSE) {
        error_set(error, ERROR_BUSY, "cannot listen on %s: somebody listens there", address);
        error_add_hint(error, "choose another one with \"listen\" in [server]");
    } else {
        error_set_errno(error, errnum, "cannot listen on %s", address);
    }
    return FALSE;
}

static gboolean bind_socket(Listener *listener, const struct sockaddr *address, socklen_t length,
                            GError **error)
{
    int one = 1;

    listener->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return fail_listen(listener->address, error);
    if (address->sa_family != AF_UNIX)
        (void)setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->sa_family == AF_INET6)
        (void)setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    if (bind(listener->fd, address, length) != 0)
        return fail_listen(listener->address, error);
    return TRUE;
}

static gboolean start_listening(Listener *listener, GError **error)
{
    return listen(listener->fd, BACKLOG) == 0 || fail_listen(listener->address, error);
}

/* --- unix sockets ----------------------------------------------------------------------------- */

/* A socket file whose listener is gone only stands in the way. */
static gboolean remove_stale(const struct sockaddr_un *address, GError **error)
{
    FILE_AUTO_FD probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat status;

    if (lstat(address->sun_path, &status) != 0)
        return TRUE;
    if (!S_ISSOCK(status.st_mode)) {
        error_set(error, ERROR_CONFIG, "%s is there and no socket", address->sun_path);
        return FALSE;
    }
    if (probe >= 0 && connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
        errno == ECONNREFUSED)
        (void)g_unlink(address->sun_path);
    return TRUE;
}

static gboolean open_unix(Listener *listener, const char *path, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        error_set(error, ERROR_CONFIG, "%s is too long for the path of a socket", path);
        return FALSE;
    }
    strcpy(address.sun_path, path);
    listener->local = TRUE;
    if (!remove_stale(&address, error) ||
        !bind_socket(listener, (const struct sockaddr *)&address, sizeof(address), error))
        return FALSE;
    listener->path = g_strdup(path);
    if (g_chmod(path, 0666) != 0) {
        error_set_errno(error, errno, "cannot change the mode of %s", path);
        return FALSE;
    }
    return start_listening(listener, error);
}

/* --- addresses -------------------------------------------------------------------------------- */

/* "[::1]:8714" and its like; the port is checked by the configuration. */
static GSocketAddress *parse_address(const char *text, GError **error)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;
    g_autoptr(GInetAddress) address = NULL;
    guint64 port = 0;

    if (colon == NULL || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL)) {
        error_set(error, ERROR_CONFIG, "\"%s\" is not ADDRESS:PORT", text);
        return NULL;
    }
    host = text[0] == '[' && colon > text + 1 && colon[-1] == ']'
               ? g_strndup(text + 1, (gsize)(colon - text) - 2)
               : g_strndup(text, (gsize)(colon - text));
    address = g_inet_address_new_from_string(strcmp(host, "localhost") == 0 ? "127.0.0.1"
                                             : strcmp(host, "*") == 0       ? "0.0.0.0"
                                                                            : host);
    if (address == NULL) {
        error_set(error, ERROR_CONFIG, "\"%s\" is no address of a network interface", host);
        error_add_hint(error, "give a number: 127.0.0.1, [::1], or 0.0.0.0 for all of them");
        return NULL;
    }
    return g_inet_socket_address_new(address, (guint16)port);
}

/* Port 0 lets the system choose: that one is told. */
static void note_port(Listener *listener)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof(bound);
    const char *colon = strrchr(listener->address, ':');
    char *text;
    guint16 port;

    if (getsockname(listener->fd, (struct sockaddr *)&bound, &length) != 0)
        return;
    port = bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                       : ((struct sockaddr_in *)&bound)->sin_port;
    text = g_strdup_printf("%.*s:%u", (int)(colon - listener->address), listener->address,
                           g_ntohs(port));
    g_free(listener->address);
    listener->address = text;
}

static gboolean open_inet(Listener *listener, GError **error)
{
    g_autoptr(GSocketAddress) address = parse_address(listener->address, error);
    struct sockaddr_storage native;
    GError *problem = NULL;

    if (address == NULL)
        return FALSE;
    if (!g_socket_address_to_native(address, &native, sizeof(native), &problem)) {
        error_take(error, ERROR_CONFIG, problem);
        return FALSE;
    }
    if (!bind_socket(listener, (struct sockaddr *)&native,
                     (socklen_t)g_socket_address_get_native_size(address), error) ||
        !start_listening(listener, error))
        return FALSE;
    note_port(listener);
    return TRUE;
}

static gboolean is_local(const char *address)
{
    return g_str_has_prefix(address, UNIX_PREFIX);
}

gboolean listen_is_loopback(const char *address, gboolean *ret_loopback, GError **error)
{
    g_autoptr(GSocketAddress) parsed = is_local(address) ? NULL : parse_address(address, error);

    if (!is_local(address) && parsed == NULL)
        return FALSE;
    *ret_loopback =
        parsed == NULL || g_inet_address_get_is_loopback(
                              g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(parsed)));
    return TRUE;
}

Listener *listener_open(const char *address, GError **error)
{
    g_autoptr(Listener) listener = g_new0(Listener, 1);
    gboolean local = is_local(address);

    listener->fd = -1;
    listener->address = g_strdup(address);
    if (!(local ? open_unix(listener, address + strlen(UNIX_PREFIX), error)
                : open_inet(listener, error)))
        return NULL;
    return g_steal_pointer(&listener);
}

char *listen_client_address(const struct sockaddr *address, socklen_t length)
{
    g_autoptr(GSocketAddress) native = NULL;

    if (address == NULL || address->sa_family == AF_UNIX)
        return g_strdup("unix");
    native = g_socket_address_new_from_native((gpointer)address, length);
    if (!G_IS_INET_SOCKET_ADDRESS(native))
        return g_strdup("unknown");
    return g_inet_address_to_string(
        g_inet_socket_address_get_address(G_INET_SOCKET_ADDRESS(native)));
}

gboolean listen_peer_uid(int fd, uid_t *ret_uid, GError **error)
{
    struct ucred credentials;
    socklen_t length = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        error_set_errno(error, errno, "cannot tell who is at the other end of a socket");
        return FALSE;
    }
    *ret_uid = credentials.uid;
    return TRUE;
}
