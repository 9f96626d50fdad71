/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the service listens: addresses of the configuration ("127.0.0.1:8714", "[::1]:8714",
 * "localhost:8714", "unix:/run/holdfast/socket"), their sockets, and who is at the other end of
 * one.
 */
#ifndef HOLDFAST_SERVICE_LISTEN_H
#define HOLDFAST_SERVICE_LISTEN_H

#include <glib.h>
#include <sys/socket.h>

typedef struct {
    int fd;
    gboolean local; /* a unix socket: who connects is known by his credentials */
    char *address;  /* as in the configuration, with the port that was chosen for 0 */
    char *path;     /* of a unix socket, which is removed again */
} Listener;
void listener_free(Listener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Listener, listener_free)

/* Binds and listens. A unix socket that nobody listens on any more is replaced; its mode is 0666,
 * since who may what is decided by credentials. ERROR_CONFIG for what is no address of this host,
 * ERROR_BUSY where somebody listens there. */
Listener *listener_open(const char *address, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether only this host reaches an address. ERROR_CONFIG for what is none. */
gboolean listen_is_loopback(const char *address, gboolean *ret_loopback,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The address of a client for people and for counting: "192.0.2.1", "unix". Free with g_free(). */
char *listen_client_address(const struct sockaddr *address, socklen_t length);

/* The user at the other end of a connected unix socket. */
gboolean listen_peer_uid(int fd, uid_t *ret_uid, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
