/* SPDX-License-Identifier: Apache-2.0
 *
 * Who sent a request: a bearer token, or the user at the other end of a unix socket.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_SERVICE_AUTH_H
#define HOLDFAST_SERVICE_AUTH_H

#include "service/response.h"
#include "service/tokens.h"

typedef struct Auth Auth;

Auth *auth_new(const char *state_directory, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void auth_free(Auth *auth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Auth, auth_free)

/* Whether there is a token at all. */
gboolean auth_has_tokens(Auth *auth);

/* Sets who and role of the request. FALSE with a filled response: 401 without a token or with one
 * that is nobody's, 429 after FAILURES_A_MINUTE of them; a valid token is never refused. Who comes
 * over the unix socket is known already. */
gboolean auth_check(Auth *auth, Request *request, Response *response);

#endif
