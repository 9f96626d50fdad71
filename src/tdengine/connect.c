/* SPDX-License-Identifier: Apache-2.0
 *
 * From a source's section to a connection.
 */
#include "tdengine/connect.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/time.h"
#include "tdengine/text.h"

#define SECRET_LIMIT 65536

/* Codes of the server, the low 16 bits. */
#define CODE_STABLE_NOT_EXIST 0x0362
#define CODE_DB_NOT_EXIST     0x0388
#define CODE_TABLE_NOT_EXIST  0x2603
#define CODE_TABLE_VANISHED   0x0618 /* a vnode lost the table while it was read */
#define CODE_INVALID_COLUMN   0x2602

/* The password of a server that was just installed: no secret. */
#define INITIAL_PASSWORD "taosdata"

/* A file's first line. NULL for no path. */
static gboolean read_secret(const char *path, char **ret_secret, GError **error)
{
    char *text;
    gsize length;

    *ret_secret = NULL;
    if (path == NULL)
        return TRUE;
    if (!file_check_private(path, FALSE, error) ||
        !file_read(path, SECRET_LIMIT, &text, &length, error))
        return FALSE;
    text[strcspn(text, "\r\n")] = '\0';
    *ret_secret = text;
    return TRUE;
}

static void clear_secret(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

/* taosAdapter speaks HTTP and WebSocket on one port: either address is meant. */
static char *websocket_url(const char *url)
{
    if (g_str_has_prefix(url, "http://"))
        return g_strconcat("ws://", url + strlen("http://"), NULL);
    if (g_str_has_prefix(url, "https://"))
        return g_strconcat("wss://", url + strlen("https://"), NULL);
    return g_strdup(url);
}

gpointer td_connect_with(const ConfigSource *source, TdConnectFunc func, gconstpointer data,
                         GCancellable *cancellable, GError **error)
{
    g_autofree char *url = websocket_url(source->url);
    char *password = NULL, *token = NULL;
    gpointer made = NULL;

    if (read_secret(source->password_file, &password, error) &&
        read_secret(source->token_file, &token, error)) {
        const TdOptions options = {.url = url,
                                   .user = source->user,
                                   .password = password != NULL ? password
                                               : token == NULL  ? INITIAL_PASSWORD
                                                                : NULL,
                                   .token = token,
                                   .ca_file = source->ca_file,
                                   .library = source->library,
                                   .timeout = (guint)MAX(source->timeout / TIME_SECOND, 1)};

        made = func(&options, data, cancellable, error);
    }
    clear_secret(password);
    clear_secret(token);
    return made;
}

static gpointer make_client(const TdOptions *options, gconstpointer data, GCancellable *cancellable,
                            GError **error)
{
    (void)data;
    return td_client_connect(options, cancellable, error);
}

TdClient *td_connect(const ConfigSource *source, GCancellable *cancellable, GError **error)
{
    return td_connect_with(source, make_client, NULL, cancellable, error);
}

/* --- Questions -------------------------------------------------------------------------------- */

static json_t *row_to_json(const TdBlock *block, guint32 row, const TdColumn *columns,
                           GString *text, GError **error)
{
    g_autoptr(json_t) object = json_object();

    for (guint i = 0; i < block->n_columns; i++) {
        if (td_block_is_null(&block->columns[i], row)) {
            json_object_set_new(object, columns[i].name, json_null());
            continue;
        }
        g_string_truncate(text, 0);
        if (!td_value_append_text(&block->columns[i], row, text, error))
            return NULL;
        json_object_set_new(object, columns[i].name, json_text(text->str));
    }
    return g_steal_pointer(&object);
}

static gboolean take_block(const TdBlock *block, const TdColumn *columns, GPtrArray *rows,
                           GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint32 row = 0; row < block->rows; row++) {
        json_t *object = row_to_json(block, row, columns, text, error);

        if (object == NULL)
            return FALSE;
        g_ptr_array_add(rows, object);
    }
    return TRUE;
}

GPtrArray *td_ask(TdClient *client, const char *sql, guint limit, GCancellable *cancellable,
                  GError **error)
{
    g_autoptr(TdResult) result = td_client_query(client, sql, cancellable, error);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)json_decref);
    g_autoptr(GError) problem = NULL;
    const TdColumn *columns;
    const TdBlock *block;
    guint n_columns;

    if (result == NULL)
        return NULL;
    columns = td_result_columns(result, &n_columns);
    while ((block = td_result_next(result, &problem)) != NULL) {
        if (block->n_columns != n_columns) {
            error_set(error, ERROR_FORMAT, "an answer of %u columns came with %u", n_columns,
                      block->n_columns);
            return NULL;
        }
        if (rows->len + block->rows > limit) {
            error_set(error, ERROR_LIMIT, "the server gave more than %u rows for: %s", limit, sql);
            return NULL;
        }
        if (!take_block(block, columns, rows, error))
            return NULL;
    }
    if (problem != NULL) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    return g_steal_pointer(&rows);
}

gboolean td_ask_number(TdClient *client, const char *sql, gint64 *ret_number,
                       GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) rows = td_ask(client, sql, 1, cancellable, error);
    const char *key;
    json_t *value;

    if (rows == NULL)
        return FALSE;
    *ret_number = 0;
    if (rows->len > 0)
        json_object_foreach((json_t *)g_ptr_array_index(rows, 0), key, value)
        {
            *ret_number = td_row_number(g_ptr_array_index(rows, 0), key, 0);
            break;
        }
    return TRUE;
}

const char *td_row_text(const json_t *row, const char *column)
{
    return json_get_string(row, column, NULL);
}

gint64 td_row_number(const json_t *row, const char *column, gint64 fallback)
{
    const char *text = td_row_text(row, column);

    return text != NULL && text[0] != '\0' ? g_ascii_strtoll(text, NULL, 10) : fallback;
}

gboolean td_error_is_refusal(const GError *error)
{
    return error_is(error, ERROR_SERVER) || error_is(error, ERROR_PERMISSION) ||
           error_is(error, ERROR_PRIVILEGE);
}

gboolean td_error_is_gone(const GError *error)
{
    guint code = td_error_code(error);

    return code == CODE_STABLE_NOT_EXIST || code == CODE_DB_NOT_EXIST ||
           code == CODE_TABLE_NOT_EXIST || code == CODE_TABLE_VANISHED;
}

gboolean td_error_is_column(const GError *error)
{
    return td_error_code(error) == CODE_INVALID_COLUMN;
}
