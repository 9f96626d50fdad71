/* SPDX-License-Identifier: Apache-2.0
 *
 * The opening handshake of the WebSocket protocol (RFC 6455, section 4), as texts: what the client
 * asks and whether the server's answer may be believed.
 */
#ifndef HOLDFAST_TDENGINE_HANDSHAKE_H
#define HOLDFAST_TDENGINE_HANDSHAKE_H

#include "base/error.h"

/* The longest answer that is read. */
#define TD_HANDSHAKE_MAX (16u * 1024)

/* A new random key, in base64. Free with g_free(). */
char *td_handshake_key(void);

/* The request. host as in the URL, with its port; target begins with "/" and may hold a token. */
char *td_handshake_request(const char *host, const char *target, const char *key);

/* Looks at length bytes of the answer. *ret_length is that of the whole answer, 0 where more must
 * come. Every answer but a right 101 is an error: ERROR_PERMISSION for 401 and 403,
 * ERROR_UNREACHABLE for 5xx, ERROR_FORMAT for everything else. peer is for messages. */
gboolean td_handshake_check(const char *bytes, gsize length, const char *key, const char *peer,
                            gsize *ret_length, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
