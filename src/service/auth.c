/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens and failures.
 */
#include "service/auth.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/time.h"
#include "service/failures.h"

struct Auth {
    Tokens *tokens;
    Failures *failures;
};

Auth *auth_new(const char *state_directory, GError **error)
{
    g_autoptr(Tokens) tokens = tokens_open(state_directory, error);
    Auth *auth;

    if (tokens == NULL)
        return NULL;
    auth = g_new0(Auth, 1);
    auth->tokens = g_steal_pointer(&tokens);
    auth->failures = failures_new();
    return auth;
}

void auth_free(Auth *auth)
{
    if (auth == NULL)
        return;
    tokens_free(auth->tokens);
    failures_free(auth->failures);
    g_free(auth);
}

gboolean auth_has_tokens(Auth *auth)
{
    return tokens_count(auth->tokens) > 0;
}

/* "Bearer TOKEN": the token, or NULL. */
static const char *token_of(const Request *request)
{
    const char *text = request_header(request, "authorization");

    if (text == NULL || g_ascii_strncasecmp(text, "Bearer ", 7) != 0)
        return NULL;
    text += 7;
    while (*text == ' ')
        text++;
    return *text != '\0' ? text : NULL;
}

static gboolean refuse(Auth *auth, const Request *request, gboolean given, Response *response)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *seconds = NULL;
    guint wait;

    if (!failures_count(auth->failures, request->address, time_monotonic(), &wait)) {
        seconds = g_strdup_printf("%u", wait);
        error_set(&problem, ERROR_REFUSED, "too many requests without a valid token");
        error_add_hint(&problem, "wait %s seconds", seconds);
        response_problem_status(response, 429, problem);
        response_set_header(response, "Retry-After", seconds);
        return FALSE;
    }
    error_set(&problem, ERROR_PERMISSION, given ? "the token is not valid" : "a token is needed");
    error_add_hint(&problem, "holdfast token add NAME --role viewer makes one; send it as "
                             "\"Authorization: Bearer TOKEN\"");
    response_problem_status(response, 401, problem);
    response_set_header(response, "WWW-Authenticate",
                        given ? "Bearer error=\"invalid_token\"" : "Bearer");
    if (given)
        log_write_fields(LOG_FIELDS({"address", request->address}), LOG_WARNING,
                         "a token that is not valid came from %s", request->address);
    return FALSE;
}

gboolean auth_check(Auth *auth, Request *request, Response *response)
{
    const char *token = token_of(request);
    g_autoptr(GError) problem = NULL;

    if (request->who != NULL)
        return TRUE;
    if (!tokens_refresh(auth->tokens, &problem))
        log_write(LOG_ERROR, "no token is valid: %s", problem->message);
    if (token != NULL && tokens_find(auth->tokens, token, &request->who, &request->role))
        return TRUE;
    return refuse(auth, request, token != NULL, response);
}
