/* SPDX-License-Identifier: Apache-2.0
 *
 * The file of tokens.
 */
#include "service/tokens.h"

#include <glib/gstdio.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/time.h"
#include "codec/hash.h"
#include "config/keys.h"

#define FILE_LIMIT  (1024 * 1024)
#define TOKEN_LIMIT 1000
#define TOKEN_BYTES 32
#define TOKEN_MARK  "hf_" /* lets scanners for leaked secrets find them */

struct Tokens {
    char *path;
    GMutex mutex;      /* guards all below */
    GPtrArray *list;   /* Token */
    struct stat known; /* of the file when it was read; all zeros: none */
};

static void token_free(gpointer data)
{
    Token *token = data;

    g_free(token->name);
    g_free(token->created);
    g_free(token->sha256);
    g_free(token);
}

void tokens_free(Tokens *tokens)
{
    if (tokens == NULL)
        return;
    g_ptr_array_unref(tokens->list);
    g_mutex_clear(&tokens->mutex);
    g_free(tokens->path);
    g_free(tokens);
}

/* --- reading ---------------------------------------------------------------------------------- */

static gboolean read_token(const Tokens *tokens, const json_t *json, GPtrArray *list,
                           GError **error)
{
    const char *name, *role, *sha256;
    guint8 digest[SHA256_SIZE];
    Token *token;
    Role value;

    if (!json_need_string(json, "name", tokens->path, &name, error) ||
        !json_need_string(json, "role", tokens->path, &role, error) ||
        !json_need_string(json, "sha256", tokens->path, &sha256, error) ||
        !role_parse(role, &value, error))
        return FALSE;
    if (!sha256_from_hex(sha256, digest)) {
        error_set(error, ERROR_FORMAT, "%s: the hash of the token %s is none", tokens->path, name);
        return FALSE;
    }
    token = g_new0(Token, 1);
    token->name = g_strdup(name);
    token->role = value;
    token->created = g_strdup(json_get_string(json, "created", ""));
    token->sha256 = g_ascii_strdown(sha256, -1);
    g_ptr_array_add(list, token);
    return TRUE;
}

/* Root makes tokens for a service of another user, whose file it is then. */
static gboolean check_file(const Tokens *tokens, GError **error)
{
    struct stat status;

    if (geteuid() != 0 || g_stat(tokens->path, &status) != 0)
        return file_check_private(tokens->path, TRUE, error);
    if ((status.st_mode & 077) == 0)
        return TRUE;
    error_set(error, ERROR_INSECURE_FILE, "%s is open to other users", tokens->path);
    error_add_hint(error, "chmod 600 %s", tokens->path);
    return FALSE;
}

static gboolean read_file(const Tokens *tokens, GPtrArray *list, GError **error)
{
    g_autofree char *bytes = NULL;
    g_autoptr(json_t) json = NULL;
    json_t *items, *item;
    size_t index;
    gsize length;

    if (!check_file(tokens, error) || !file_read(tokens->path, FILE_LIMIT, &bytes, &length, error))
        return FALSE;
    json = json_read_object(bytes, length, tokens->path, error);
    if (json == NULL || !json_need_array(json, "tokens", tokens->path, &items, error))
        return FALSE;
    json_array_foreach(items, index, item)
    {
        if (!read_token(tokens, item, list, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean same_file(const struct stat *one, const struct stat *other)
{
    return one->st_ino == other->st_ino && one->st_size == other->st_size &&
           one->st_mode == other->st_mode && one->st_mtim.tv_sec == other->st_mtim.tv_sec &&
           one->st_mtim.tv_nsec == other->st_mtim.tv_nsec;
}

/* With the mutex held. */
static gboolean refresh(Tokens *tokens, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(token_free);
    struct stat status = {0};
    gboolean there = g_stat(tokens->path, &status) == 0;
    gboolean result;

    if (same_file(&status, &tokens->known))
        return TRUE;
    result = !there || read_file(tokens, list, error);
    if (!result)
        g_ptr_array_set_size(list, 0);
    tokens->known = result ? status : (struct stat){0};
    g_ptr_array_unref(tokens->list);
    tokens->list = g_steal_pointer(&list);
    return result;
}

gboolean tokens_refresh(Tokens *tokens, GError **error)
{
    gboolean result;

    g_mutex_lock(&tokens->mutex);
    result = refresh(tokens, error);
    g_mutex_unlock(&tokens->mutex);
    return result;
}

Tokens *tokens_open(const char *state_directory, GError **error)
{
    g_autoptr(Tokens) tokens = g_new0(Tokens, 1);

    g_mutex_init(&tokens->mutex);
    tokens->path = g_build_filename(state_directory, "tokens.json", NULL);
    tokens->list = g_ptr_array_new_with_free_func(token_free);
    return tokens_refresh(tokens, error) ? g_steal_pointer(&tokens) : NULL;
}

guint tokens_count(Tokens *tokens)
{
    guint count;

    g_mutex_lock(&tokens->mutex);
    count = tokens->list->len;
    g_mutex_unlock(&tokens->mutex);
    return count;
}

const Token *tokens_get(Tokens *tokens, guint index)
{
    return g_ptr_array_index(tokens->list, index);
}

/* --- changing --------------------------------------------------------------------------------- */

static gboolean write_file(const Tokens *tokens, GError **error)
{
    g_autoptr(json_t) json = json_object();
    json_t *items = json_array();
    g_autofree char *text = NULL;

    json_object_set_new(json, "tokens", items);
    for (guint i = 0; i < tokens->list->len; i++) {
        const Token *token = g_ptr_array_index(tokens->list, i);

        json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s}", "name", token->name, "role",
                                               role_name(token->role), "sha256", token->sha256,
                                               "created", token->created));
    }
    text = json_write(json, TRUE);
    return file_replace(tokens->path, text, strlen(text), 0600, error);
}

static gint find_name(const Tokens *tokens, const char *name)
{
    for (guint i = 0; i < tokens->list->len; i++) {
        if (strcmp(((Token *)g_ptr_array_index(tokens->list, i))->name, name) == 0)
            return (gint)i;
    }
    return -1;
}

static char *hash_token(const char *text)
{
    guint8 digest[SHA256_SIZE];
    char *hex = g_malloc(SHA256_HEX_SIZE);

    sha256_buffer(text, strlen(text), digest);
    sha256_to_hex(digest, hex);
    return hex;
}

/* TOKEN_MARK and base64 in the form for URLs. */
static char *make_token(GError **error)
{
    guint8 bytes[TOKEN_BYTES];
    g_autofree char *text = NULL;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        error_set(error, ERROR_INTERNAL, "there is no randomness for a token");
        return NULL;
    }
    text = g_base64_encode(bytes, sizeof(bytes));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    g_strdelimit(text, "+", '-');
    g_strdelimit(text, "/", '_');
    text[strcspn(text, "=")] = '\0';
    return g_strconcat(TOKEN_MARK, text, NULL);
}

static gboolean check_new(const Tokens *tokens, const char *name, GError **error)
{
    if (!config_name_valid(name)) {
        error_set(error, ERROR_USAGE, "\"%s\" is no name for a token", name);
        error_add_hint(error, "names are lowercase letters, digits, - and _");
        return FALSE;
    }
    if (find_name(tokens, name) >= 0) {
        error_set(error, ERROR_EXISTS, "there is a token %s already", name);
        error_add_hint(error, "revoke it first: holdfast token revoke %s", name);
        return FALSE;
    }
    if (tokens->list->len < TOKEN_LIMIT)
        return TRUE;
    error_set(error, ERROR_LIMIT, "there are %d tokens already", TOKEN_LIMIT);
    return FALSE;
}

static gboolean add_token(Tokens *tokens, const char *name, Role role, char **ret_token,
                          GError **error)
{
    g_autofree char *text = NULL;
    Token *token;

    if (!refresh(tokens, error) || !check_new(tokens, name, error))
        return FALSE;
    text = make_token(error);
    if (text == NULL)
        return FALSE;
    token = g_new0(Token, 1);
    token->name = g_strdup(name);
    token->role = role;
    token->created = time_format(time_now() / TIME_SECOND * TIME_SECOND);
    token->sha256 = hash_token(text);
    g_ptr_array_add(tokens->list, token);
    if (!write_file(tokens, error)) {
        g_ptr_array_remove(tokens->list, token);
        return FALSE;
    }
    *ret_token = g_steal_pointer(&text);
    return TRUE;
}

static gboolean remove_token(Tokens *tokens, const char *name, GError **error)
{
    gint index;

    if (!refresh(tokens, error))
        return FALSE;
    index = find_name(tokens, name);
    if (index < 0) {
        error_set(error, ERROR_NOT_FOUND, "there is no token %s", name);
        error_add_hint(error, "holdfast token list shows the ones there are");
        return FALSE;
    }
    g_ptr_array_remove_index(tokens->list, (guint)index);
    /* Whether or not it is written, it is read again at the next look. */
    tokens->known = (struct stat){0};
    return write_file(tokens, error);
}

/* Two commands at once must not lose one's change. */
static RunFile *lock_file(const Tokens *tokens, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(tokens->path);
    g_autofree char *path = g_strconcat(tokens->path, ".lock", NULL);

    return directory_make(directory, 0700, error) ? run_file_acquire(path, "{}", error) : NULL;
}

gboolean tokens_add(Tokens *tokens, const char *name, Role role, char **ret_token, GError **error)
{
    g_autoptr(RunFile) lock = lock_file(tokens, error);
    gboolean result;

    if (lock == NULL)
        return FALSE;
    g_mutex_lock(&tokens->mutex);
    result = add_token(tokens, name, role, ret_token, error);
    g_mutex_unlock(&tokens->mutex);
    return result;
}

gboolean tokens_revoke(Tokens *tokens, const char *name, GError **error)
{
    g_autoptr(RunFile) lock = lock_file(tokens, error);
    gboolean result;

    if (lock == NULL)
        return FALSE;
    g_mutex_lock(&tokens->mutex);
    result = remove_token(tokens, name, error);
    g_mutex_unlock(&tokens->mutex);
    return result;
}

/* --- asking ----------------------------------------------------------------------------------- */

gboolean tokens_find(Tokens *tokens, const char *text, char **ret_name, Role *ret_role)
{
    g_autofree char *hash = hash_token(text);
    gboolean found = FALSE;

    g_mutex_lock(&tokens->mutex);
    for (guint i = 0; i < tokens->list->len; i++) {
        const Token *token = g_ptr_array_index(tokens->list, i);

        if (CRYPTO_memcmp(hash, token->sha256, SHA256_HEX_SIZE) != 0)
            continue;
        found = TRUE;
        *ret_name = g_strdup(token->name);
        *ret_role = token->role;
    }
    g_mutex_unlock(&tokens->mutex);
    return found;
}
