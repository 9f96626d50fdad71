/* SPDX-License-Identifier: Apache-2.0
 *
 * Bearer tokens of the REST interface: <state_directory>/tokens.json, readable by its owner alone,
 * a JSON object with "tokens": [{"name", "role", "sha256", "created"}]. A token itself is kept
 * nowhere; it has 256 bits of randomness, so that its plain SHA-256 gives nothing away.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_SERVICE_TOKENS_H
#define HOLDFAST_SERVICE_TOKENS_H

#include "service/request.h"

typedef struct Tokens Tokens;

typedef struct {
    char *name;
    Role role;
    char *created; /* ISO 8601 */
    char *sha256;  /* hexadecimal */
} Token;

/* Reads the file; none means no tokens. ERROR_INSECURE_FILE where others may read it. */
Tokens *tokens_open(const char *state_directory, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void tokens_free(Tokens *tokens);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tokens, tokens_free)

/* Reads it again where it has changed. What cannot be read gives no access: the tokens before do not
 * stay in force. */
gboolean tokens_refresh(Tokens *tokens, GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint tokens_count(Tokens *tokens);
/* A copy of one; `index` below tokens_count(), by one thread alone. Belongs to the tokens until the
 * next change. */
const Token *tokens_get(Tokens *tokens, guint index);

/* Makes one and writes the file; *ret_token is what its holder sends, free with g_free().
 * ERROR_EXISTS, ERROR_USAGE for a name that is none. */
gboolean tokens_add(Tokens *tokens, const char *name, Role role, char **ret_token,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* ERROR_NOT_FOUND. */
gboolean tokens_revoke(Tokens *tokens, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whose token this is: FALSE where it is nobody's. Takes the same time whichever it is. Free
 * *ret_name with g_free(). */
gboolean tokens_find(Tokens *tokens, const char *token, char **ret_name, Role *ret_role);

#endif
