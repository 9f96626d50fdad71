/* SPDX-License-Identifier: Apache-2.0
 *
 * The client over a transport: connecting anew with back-off, what is repeated and what is not,
 * results, prepared writes.
 */
#include "tdengine/client.h"

#include "tdengine/fault.h"
#include "tdengine/native.h"
#include "tdengine/text.h"
#include "tdengine/transport.h"

#include <string.h>

#define DEFAULT_TIMEOUT 30u /* seconds */
/* Pauses between tries, microseconds. */
#define FIRST_PAUSE    (100 * 1000)
#define LONGEST_PAUSE  (3 * G_USEC_PER_SEC)
#define MAX_NAME_BYTES 192u

struct TdClient {
    const TdDriver *driver;
    TdTransport *transport; /* NULL: lost */
    guint generation;       /* of the connection */
    char *url;
    char *user;
    char *password;
    char *token;
    char *ca_file;
    char *library;
    TdOptions options; /* points at the texts above */
    char *database;
    char *version;
    char *note;
    TdResult *open; /* the one result that is being read */
};

struct TdResult {
    TdClient *client; /* NULL: it is at its end, or failed */
    char *sql;
    TdAnswer answer;
    TdBlock block;
    gboolean begun; /* a block was handed out */
    GCancellable *cancellable;
};

struct TdInsert {
    TdClient *client;
    char *sql;
    guint n_tags, n_columns;
    TdStatement *statement; /* of the connection of `generation` */
    guint generation;
    GCancellable *cancellable;
};

/* When tries end, and the next pause. */
typedef struct {
    gint64 deadline; /* monotonic; 0: the first try has not failed yet */
    gint64 pause;
} Backoff;

/* --- connection ------------------------------------------------------------------------------- */

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

static TdClient *client_new(const TdOptions *options)
{
    TdClient *client = g_new0(TdClient, 1);

    client->driver = &td_websocket_driver;
    client->url = g_strdup(options->url);
    client->user = g_strdup(options->user);
    client->password = g_strdup(options->password);
    client->token = g_strdup(options->token);
    client->ca_file = g_strdup(options->ca_file);
    client->library = g_strdup(options->library);
    client->options = (TdOptions){
        .url = client->url,
        .user = client->user,
        .password = client->password,
        .token = client->token,
        .ca_file = client->ca_file,
        .library = client->library,
        .timeout = options->timeout != 0 ? options->timeout : DEFAULT_TIMEOUT,
    };
    return client;
}

static void drop_connection(TdClient *client)
{
    g_clear_pointer(&client->transport, client->driver->close);
    client->open = NULL;
}

void td_client_free(TdClient *client)
{
    if (client == NULL)
        return;
    drop_connection(client);
    wipe(client->password);
    wipe(client->token);
    g_free(client->url);
    g_free(client->user);
    g_free(client->ca_file);
    g_free(client->library);
    g_free(client->database);
    g_free(client->version);
    g_free(client->note);
    g_free(client);
}

const char *td_client_server_version(const TdClient *client)
{
    return client->version;
}

const char *td_client_transport(const TdClient *client)
{
    return client->driver->name;
}

guint td_client_timeout(const TdClient *client)
{
    return client->options.timeout;
}

const char *td_client_transport_note(const TdClient *client)
{
    return client->note;
}

/* Whether an error leaves a connection that can only be closed. */
static gboolean ends_connection(const GError *error)
{
    return error_is(error, ERROR_UNREACHABLE) || error_is(error, ERROR_CANCELLED) ||
           error_is(error, ERROR_TIMEOUT) || error_is(error, ERROR_FORMAT) ||
           error_is(error, ERROR_LIMIT);
}

/* Passes an error on, and drops the connection where it is of no use any more. Gives FALSE. */
static gboolean fail(TdClient *client, GError **error, GError *failure)
{
    if (ends_connection(failure))
        drop_connection(client);
    if (error_is(failure, ERROR_TIMEOUT)) /* it was waited for, and did not come back */
        failure->code = ERROR_UNREACHABLE;
    g_propagate_error(error, failure);
    return FALSE;
}

/* After a failure of a try: waits for the next one. FALSE: there is none; *failure, the error of the
 * last try, becomes the error. */
static gboolean wait_for_next_try(const TdClient *client, Backoff *backoff, GError **failure,
                                  GCancellable *cancellable, GError **error)
{
    GPollFD fd;
    const gint64 now = g_get_monotonic_time();

    if (backoff->deadline == 0) {
        backoff->deadline = now + client->options.timeout * G_USEC_PER_SEC;
        backoff->pause = FIRST_PAUSE;
    }
    if (now + backoff->pause > backoff->deadline) {
        g_propagate_error(error, g_steal_pointer(failure));
        return FALSE;
    }
    if (g_cancellable_make_pollfd(cancellable, &fd)) {
        g_poll(&fd, 1, (int)(backoff->pause / 1000));
        g_cancellable_release_fd(cancellable);
    } else {
        g_usleep((gulong)backoff->pause);
    }
    if (!error_unless_cancelled(cancellable, error))
        return FALSE;
    backoff->pause = MIN(2 * backoff->pause, LONGEST_PAUSE);
    g_clear_error(failure);
    return TRUE;
}

/* How long the next try to connect may take: no longer than the server may be away. */
static guint seconds_left(const TdClient *client, const Backoff *backoff)
{
    const gint64 left = (backoff->deadline - g_get_monotonic_time()) / G_USEC_PER_SEC;

    return backoff->deadline == 0 ? client->options.timeout : (guint)MAX(left, 1);
}

/* A connection that is up as far as can be seen without asking. */
static gboolean ensure_connection(TdClient *client, Backoff *backoff, GCancellable *cancellable,
                                  GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (client->open != NULL) {
        error_set(error, ERROR_INTERNAL, "a result of this connection is still being read");
        return FALSE;
    }
    if (client->transport != NULL && !client->driver->settle(client->transport))
        drop_connection(client);
    while (client->transport == NULL) {
        client->transport = client->driver->open(&client->options, seconds_left(client, backoff),
                                                 client->database, cancellable, &failure);
        if (client->transport != NULL)
            client->generation++;
        else if (!error_is(failure, ERROR_UNREACHABLE))
            return fail(client, error, g_steal_pointer(&failure));
        else if (!wait_for_next_try(client, backoff, &failure, cancellable, error))
            return FALSE;
    }
    return TRUE;
}

/* "3.3.7.5" of "3.3.7.5.alpha". */
static char *plain_version(const char *text)
{
    gsize length = strspn(text, "0123456789.");

    while (length > 0 && text[length - 1] == '.')
        length--;
    return g_strndup(text, length);
}

static gboolean ask_version(TdClient *client, GCancellable *cancellable, GError **error)
{
    g_autoptr(GPtrArray) rows =
        td_client_query_rows(client, "SELECT SERVER_VERSION()", 1, cancellable, error);
    char **row;

    if (rows == NULL)
        return FALSE;
    row = rows->len == 1 ? g_ptr_array_index(rows, 0) : NULL;
    if (row == NULL || row[0] == NULL || !g_ascii_isdigit(row[0][0])) {
        error_set(error, ERROR_FORMAT, "the server tells no version");
        return FALSE;
    }
    client->version = plain_version(row[0]);
    return TRUE;
}

/* Where the server itself says that it is, as an address of the native transport. In the first
 * seconds after its start nobody is known to lead yet: any of them is asked then. */
static char *ask_address(TdClient *client, GCancellable *cancellable, GError **error)
{
    static const char sql[] = "SELECT endpoint, role FROM information_schema.ins_mnodes";
    g_autoptr(GPtrArray) rows = td_client_query_rows(client, sql, 16, cancellable, error);
    const char *endpoint = "";

    if (rows == NULL)
        return NULL;
    for (guint i = 0; i < rows->len; i++) {
        char **row = g_ptr_array_index(rows, i);

        if (row[0] != NULL && (*endpoint == '\0' || g_strcmp0(row[1], "leader") == 0))
            endpoint = row[0];
    }
    return g_strconcat("taos://", endpoint, NULL);
}

/* Changes over to the library. */
static gboolean go_native(TdClient *client, GCancellable *cancellable, GError **error)
{
    const TdNative *native = td_native_load(client->library, error);
    g_autofree char *url = NULL;
    TdTransport *transport;

    if (native == NULL)
        return FALSE;
    if (client->token != NULL) {
        error_set(error, ERROR_UNSUPPORTED, "a token is for WebSocket only");
        return FALSE;
    }
    if (!td_native_fits(native, client->version)) {
        error_set(error, ERROR_UNSUPPORTED, "the library is of version %s, the server of %s",
                  native->client_info(), client->version);
        return FALSE;
    }
    url = ask_address(client, cancellable, error);
    if (url == NULL)
        return FALSE;
    client->options.url = url;
    transport =
        td_native_driver.open(&client->options, client->options.timeout, NULL, cancellable, error);
    client->options.url = client->url;
    if (transport == NULL)
        return FALSE;
    drop_connection(client);
    g_free(client->url);
    client->url = g_steal_pointer(&url);
    client->options.url = client->url;
    client->driver = &td_native_driver;
    client->transport = transport;
    return TRUE;
}

/* One try: a server that was never there is not waited for. */
static gboolean open_once(TdClient *client, GCancellable *cancellable, GError **error)
{
    GError *failure = NULL;

    client->transport = client->driver->open(&client->options, client->options.timeout, NULL,
                                             cancellable, &failure);
    return client->transport != NULL || fail(client, error, failure);
}

TdClient *td_client_connect(const TdOptions *options, GCancellable *cancellable, GError **error)
{
    g_autoptr(TdClient) client = client_new(options);
    g_autoptr(GError) failure = NULL;

    if (!open_once(client, cancellable, error) || !ask_version(client, cancellable, error))
        return NULL;
    if (client->library != NULL && !go_native(client, cancellable, &failure)) {
        if (error_is(failure, ERROR_CANCELLED)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return NULL;
        }
        client->note = error_text(failure);
    }
    return g_steal_pointer(&client);
}

TdClient *td_client_another(const TdClient *client, GCancellable *cancellable, GError **error)
{
    g_autoptr(TdClient) another = client_new(&client->options);

    another->driver = client->driver;
    another->version = g_strdup(client->version);
    another->note = g_strdup(client->note);
    return open_once(another, cancellable, error) ? g_steal_pointer(&another) : NULL;
}

/* --- statements ------------------------------------------------------------------------------- */

/* One try of a statement for its effect. */
static gboolean try_execute(TdClient *client, const char *sql, gint64 *ret_affected,
                            GCancellable *cancellable, GError **error)
{
    TdAnswer answer = {0};
    GError *failure = NULL;

    if (!client->driver->query(client->transport, sql, &answer, cancellable, &failure))
        return fail(client, error, failure);
    if (answer.columns != NULL)
        client->driver->release(client->transport);
    if (ret_affected != NULL)
        *ret_affected = answer.affected;
    g_free(answer.columns);
    return TRUE;
}

gboolean td_client_execute(TdClient *client, const char *sql, gint64 *ret_affected,
                           GCancellable *cancellable, GError **error)
{
    Backoff connecting = {0}, waiting = {0};
    g_autoptr(GError) failure = NULL;

    for (;;) {
        if (!ensure_connection(client, &connecting, cancellable, error))
            return FALSE;
        if (try_execute(client, sql, ret_affected, cancellable, &failure))
            return TRUE;
        /* Refused before anything was done: this one may be said again. */
        if (td_error_code(failure) != TD_FAULT_CONFLICT)
            break;
        if (!wait_for_next_try(client, &waiting, &failure, cancellable, error))
            return FALSE;
    }
    if (error_is(failure, ERROR_UNREACHABLE))
        error_add_hint(&failure, "whether the statement was carried out is not known");
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

gboolean td_client_use(TdClient *client, const char *database, GCancellable *cancellable,
                       GError **error)
{
    g_auto(GStrv) parts = g_strsplit(database, "`", -1);
    g_autofree char *quoted = g_strjoinv("``", parts);
    g_autofree char *sql = g_strdup_printf("USE `%s`", quoted);

    if (!td_client_execute(client, sql, NULL, cancellable, error))
        return FALSE;
    g_free(client->database);
    client->database = g_strdup(database);
    return TRUE;
}

/* --- results ---------------------------------------------------------------------------------- */

/* Runs a query until it is answered, or until the server does not come back. */
static gboolean run_query(TdClient *client, const char *sql, Backoff *backoff, TdAnswer *ret_answer,
                          GCancellable *cancellable, GError **error)
{
    g_autoptr(GError) failure = NULL;

    for (;;) {
        if (!ensure_connection(client, backoff, cancellable, error))
            return FALSE;
        if (client->driver->query(client->transport, sql, ret_answer, cancellable, &failure))
            return TRUE;
        if (!error_is(failure, ERROR_UNREACHABLE))
            return fail(client, error, g_steal_pointer(&failure));
        drop_connection(client);
        if (!wait_for_next_try(client, backoff, &failure, cancellable, error))
            return FALSE;
    }
}

TdResult *td_client_query(TdClient *client, const char *sql, GCancellable *cancellable,
                          GError **error)
{
    Backoff backoff = {0};
    TdAnswer answer = {0};
    TdResult *result;

    if (!run_query(client, sql, &backoff, &answer, cancellable, error))
        return NULL;
    if (answer.columns == NULL) {
        error_set(error, ERROR_INTERNAL, "a statement without rows was run as a query");
        return NULL;
    }
    result = g_new0(TdResult, 1);
    result->client = client;
    result->sql = g_strdup(sql);
    result->answer = answer;
    result->cancellable = cancellable != NULL ? g_object_ref(cancellable) : NULL;
    client->open = result;
    return result;
}

static gboolean is_open(const TdResult *result)
{
    return result->client != NULL && result->client->open == result;
}

void td_result_free(TdResult *result)
{
    if (result == NULL)
        return;
    if (is_open(result)) {
        result->client->driver->release(result->client->transport);
        result->client->open = NULL;
    }
    td_block_clear(&result->block);
    g_clear_object(&result->cancellable);
    g_free(result->answer.columns);
    g_free(result->sql);
    g_free(result);
}

const TdColumn *td_result_columns(const TdResult *result, guint *ret_n)
{
    if (ret_n != NULL)
        *ret_n = result->answer.n_columns;
    return result->answer.columns;
}

TdPrecision td_result_precision(const TdResult *result)
{
    return result->answer.precision;
}

/* The first block was not had: asks again, on a new connection. */
static gboolean query_again(TdResult *result, Backoff *backoff, GError **failure, GError **error)
{
    TdClient *client = result->client;
    g_autofree TdColumn *columns = NULL;
    TdAnswer answer = {0};

    drop_connection(client);
    if (!wait_for_next_try(client, backoff, failure, result->cancellable, error) ||
        !run_query(client, result->sql, backoff, &answer, result->cancellable, error))
        return FALSE;
    columns = answer.columns;
    if (answer.n_columns != result->answer.n_columns ||
        answer.precision != result->answer.precision ||
        memcmp(columns, result->answer.columns, answer.n_columns * sizeof *columns) != 0) {
        client->driver->release(client->transport);
        error_set(error, ERROR_VANISHED, "a table was changed while the server was away");
        return FALSE;
    }
    client->open = result;
    return TRUE;
}

/* A block's columns must be those that the result announced. */
static gboolean check_columns(const TdResult *result, GError **error)
{
    if (result->block.n_columns != result->answer.n_columns) {
        error_set(error, ERROR_FORMAT, "a block of %u columns belongs to a result of %u",
                  result->block.n_columns, result->answer.n_columns);
        return FALSE;
    }
    for (guint i = 0; i < result->block.n_columns; i++)
        if (result->block.columns[i].type != result->answer.columns[i].type) {
            error_set(error, ERROR_FORMAT, "column %s comes as %s instead of %s",
                      result->answer.columns[i].name, td_type_name(result->block.columns[i].type),
                      td_type_name(result->answer.columns[i].type));
            return FALSE;
        }
    return TRUE;
}

/* The next block's bytes; NULL: the end. */
static gboolean fetch_block(TdResult *result, const guint8 **ret_bytes, gsize *ret_length,
                            GError **error)
{
    TdClient *client = result->client;
    Backoff backoff = {0};
    g_autoptr(GError) failure = NULL;

    while (!client->driver->fetch(client->transport, ret_bytes, ret_length, result->cancellable,
                                  &failure)) {
        if (result->begun || !error_is(failure, ERROR_UNREACHABLE)) {
            client->open = NULL;
            return fail(client, error, g_steal_pointer(&failure));
        }
        if (!query_again(result, &backoff, &failure, error))
            return FALSE;
    }
    return TRUE;
}

const TdBlock *td_result_next(TdResult *result, GError **error)
{
    const guint8 *bytes;
    gsize length;
    GError *failure = NULL;

    if (!is_open(result)) {
        if (result->client != NULL)
            error_set(error, ERROR_INTERNAL, "a result that failed is read on");
        return NULL;
    }
    if (!fetch_block(result, &bytes, &length, error))
        return NULL;
    if (bytes == NULL) {
        result->client->open = NULL;
        result->client = NULL;
        return NULL;
    }
    if (!td_block_decode(&result->block, bytes, length, &failure) ||
        !check_columns(result, &failure)) {
        fail(result->client, error, failure);
        return NULL;
    }
    result->begun = TRUE;
    return &result->block;
}

/* --- small answers ---------------------------------------------------------------------------- */

static void free_row(gpointer data)
{
    char **row = data;

    /* A NULL may stand anywhere: the length is kept before the first. */
    for (gsize i = 1; i <= GPOINTER_TO_SIZE(row[-1]); i++)
        g_free(row[i - 1]);
    g_free(row - 1);
}

static char **row_new(guint n_columns)
{
    char **row = g_new0(char *, n_columns + 1);

    row[0] = GSIZE_TO_POINTER(n_columns);
    return row + 1;
}

static gboolean append_row(GPtrArray *rows, const TdBlock *block, guint32 number, GError **error)
{
    char **row = row_new(block->n_columns);

    g_ptr_array_add(rows, row);
    for (guint i = 0; i < block->n_columns; i++) {
        g_autoptr(GString) text = NULL;

        if (td_block_is_null(&block->columns[i], number))
            continue;
        text = g_string_new(NULL);
        if (!td_value_append_text(&block->columns[i], number, text, error))
            return FALSE;
        row[i] = g_string_free(g_steal_pointer(&text), FALSE);
    }
    return TRUE;
}

GPtrArray *td_client_query_rows(TdClient *client, const char *sql, guint limit,
                                GCancellable *cancellable, GError **error)
{
    g_autoptr(TdResult) result = td_client_query(client, sql, cancellable, error);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_row);
    g_autoptr(GError) failure = NULL;
    const TdBlock *block;

    if (result == NULL)
        return NULL;
    while ((block = td_result_next(result, &failure)) != NULL) {
        if (block->rows > limit - rows->len) {
            error_set(error, ERROR_LIMIT, "the server gives more than %u rows", limit);
            return NULL;
        }
        for (guint32 i = 0; i < block->rows; i++)
            if (!append_row(rows, block, i, error))
                return NULL;
    }
    if (failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return NULL;
    }
    return g_steal_pointer(&rows);
}

/* --- prepared writes -------------------------------------------------------------------------- */

/* Prepares on the present connection, where that was not done. */
static gboolean ensure_prepared(TdInsert *insert, GError **error)
{
    TdClient *client = insert->client;
    Backoff backoff = {0};
    GError *failure = NULL;

    if (!ensure_connection(client, &backoff, insert->cancellable, error))
        return FALSE;
    if (insert->statement != NULL && insert->generation == client->generation)
        return TRUE;
    g_clear_pointer(&insert->statement, g_free); /* of a connection that is gone */
    insert->statement =
        client->driver->prepare(client->transport, insert->sql, insert->cancellable, &failure);
    if (insert->statement == NULL)
        return fail(client, error, failure);
    insert->generation = client->generation;
    return TRUE;
}

TdInsert *td_insert_prepare(TdClient *client, const char *sql, guint n_tags, guint n_columns,
                            GCancellable *cancellable, GError **error)
{
    g_autoptr(TdInsert) insert = g_new0(TdInsert, 1);

    insert->client = client;
    insert->sql = g_strdup(sql);
    insert->n_tags = n_tags;
    insert->n_columns = n_columns;
    insert->cancellable = cancellable != NULL ? g_object_ref(cancellable) : NULL;
    return ensure_prepared(insert, error) ? g_steal_pointer(&insert) : NULL;
}

void td_insert_free(TdInsert *insert)
{
    TdClient *client;

    if (insert == NULL)
        return;
    client = insert->client;
    if (insert->statement != NULL && client->transport != NULL &&
        insert->generation == client->generation)
        client->driver->unprepare(client->transport, g_steal_pointer(&insert->statement));
    g_free(insert->statement);
    g_clear_object(&insert->cancellable);
    g_free(insert->sql);
    g_free(insert);
}

gboolean td_insert_execute(TdInsert *insert, const TdInsertTable *tables, guint n_tables,
                           gint64 *ret_affected, GError **error)
{
    TdClient *client = insert->client;
    GError *failure = NULL;

    if (!ensure_prepared(insert, error))
        return FALSE;
    if (client->driver->insert(client->transport, insert->statement, tables, n_tables,
                               insert->n_tags, insert->n_columns, ret_affected, insert->cancellable,
                               &failure))
        return TRUE;
    /* A statement whose bind or execution failed answers all that follows with that failure. */
    if (!ends_connection(failure))
        client->driver->unprepare(client->transport, g_steal_pointer(&insert->statement));
    return fail(client, error, failure);
}

/* --- raw blocks ------------------------------------------------------------------------------- */

/* What the gateway does not check, or does not survive. */
static gboolean check_block(const char *table, const TdColumn *columns, guint n_columns,
                            guint32 n_rows, const guint8 *bytes, gsize length, GError **error)
{
    g_auto(TdBlock) block = {0};

    if (!td_block_decode(&block, bytes, length, error))
        return FALSE;
    if (block.rows != n_rows || block.rows == 0 || block.n_columns != n_columns) {
        error_set(error, ERROR_FORMAT,
                  "a block of %u rows and %u columns to write into table %s, told as %u and %u",
                  block.rows, block.n_columns, table, n_rows, n_columns);
        return FALSE;
    }
    if (strlen(table) > MAX_NAME_BYTES) {
        error_set(error, ERROR_LIMIT, "table name %s is longer than %u bytes", table,
                  MAX_NAME_BYTES);
        return FALSE;
    }
    for (guint i = 0; i < n_columns; i++) {
        const TdBlockColumn *column = &block.columns[i];

        if (column->type == TD_BLOB || column->type == TD_MEDIUMBLOB) {
            error_set(error, ERROR_UNSUPPORTED,
                      "column %s of table %s is a BLOB, which cannot be written as a block",
                      columns[i].name, table);
            return FALSE;
        }
        if (column->type != columns[i].type || column->precision != columns[i].precision ||
            column->scale != columns[i].scale) {
            error_set(error, ERROR_FORMAT, "column %s of table %s is not that of the block",
                      columns[i].name, table);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean td_client_write_block(TdClient *client, const char *table, const TdColumn *columns,
                               guint n_columns, guint32 n_rows, const guint8 *block, gsize length,
                               GCancellable *cancellable, GError **error)
{
    Backoff backoff = {0};
    GError *failure = NULL;

    if (!check_block(table, columns, n_columns, n_rows, block, length, error) ||
        !ensure_connection(client, &backoff, cancellable, error))
        return FALSE;
    if (client->driver->write_block(client->transport, table, columns, n_columns, n_rows, block,
                                    length, cancellable, &failure))
        return TRUE;
    return fail(client, error, failure);
}
