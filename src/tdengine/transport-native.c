/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport through TDengine's own library. Queries and fetches run in its threads, so that a
 * cancel and a dead server end the waiting; binds and writes are waited for.
 *
 * An address is "taos://host:port", as client.c makes it from what the server says of itself.
 */
#include "tdengine/transport.h"

#include "tdengine/bind.h"
#include "tdengine/fault.h"
#include "tdengine/native.h"

#include <string.h>

#define SCHEME       "taos://"
#define LOOK_EVERY   (100 * 1000)          /* microseconds between looks at the cancel */
#define ASK_AFTER    (5 * G_USEC_PER_SEC)  /* of silence: is the server there? */
#define END_WITHIN   (10 * G_USEC_PER_SEC) /* of a query that was killed */
#define SERVICE_OK   2                     /* taos.h: TSDB_SRV_STATUS_SERVICE_OK, …_DEGRADED */
#define SERVICE_POOR 3
#define ALL_COLUMNS  (-1)

struct TdTransport {
    const TdNative *native;
    void *connection;
    void *result; /* the open one */
    char *peer;   /* host:port */
    char *host;
    guint16 port;
    guint timeout;
    /* A call that was given up still uses the connection, which is left to it. */
    gboolean abandoned;
};

struct TdStatement {
    void *native;
};

/* A call that runs in the library's threads. Shared by the waiting thread and the callback. */
typedef struct {
    gatomicrefcount references;
    GMutex lock;
    GCond changed;
    gboolean done;
    void *result;
    int code;
} Call;

static Call *call_new(void)
{
    Call *call = g_new0(Call, 1);

    g_atomic_ref_count_init(&call->references);
    g_atomic_ref_count_inc(&call->references); /* the callback's */
    g_mutex_init(&call->lock);
    g_cond_init(&call->changed);
    return call;
}

static void call_unref(Call *call)
{
    if (!g_atomic_ref_count_dec(&call->references))
        return;
    g_mutex_clear(&call->lock);
    g_cond_clear(&call->changed);
    g_free(call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_unref)

static void call_done(void *data, void *result, int code)
{
    Call *call = data;

    g_mutex_lock(&call->lock);
    call->done = TRUE;
    call->result = result;
    call->code = code;
    g_cond_signal(&call->changed);
    g_mutex_unlock(&call->lock);
    call_unref(call);
}

/* Waits until a monotonic time; whether it is done. */
static gboolean wait_until(Call *call, gint64 until)
{
    gboolean done;

    g_mutex_lock(&call->lock);
    while (!call->done && g_cond_wait_until(&call->changed, &call->lock, until))
        continue;
    done = call->done;
    g_mutex_unlock(&call->lock);
    return done;
}

/* Ends a call that nobody wants any more. */
static void abandon(TdTransport *transport, Call *call)
{
    transport->native->kill_query(transport->connection);
    if (!wait_until(call, g_get_monotonic_time() + END_WITHIN))
        transport->abandoned = TRUE;
    else if (transport->result == NULL && call->result != NULL)
        transport->native->free_result(call->result);
}

static gboolean server_is_there(const TdTransport *transport)
{
    char details[256];
    const int status =
        transport->native->server_status(transport->host, transport->port, details, sizeof details);

    return status == SERVICE_OK || status == SERVICE_POOR;
}

/* Waits for a call; a slow one is waited for as long as the server is there. */
static gboolean wait_for(TdTransport *transport, Call *call, GCancellable *cancellable,
                         GError **error)
{
    gint64 asked = g_get_monotonic_time();
    gint64 seen = asked;

    while (!wait_until(call, g_get_monotonic_time() + LOOK_EVERY)) {
        if (g_cancellable_is_cancelled(cancellable)) {
            abandon(transport, call);
            error_set(error, ERROR_CANCELLED, "cancelled");
            return FALSE;
        }
        if (g_get_monotonic_time() - asked < ASK_AFTER)
            continue;
        if (server_is_there(transport))
            seen = g_get_monotonic_time();
        asked = g_get_monotonic_time();
        if (asked - seen < transport->timeout * G_USEC_PER_SEC)
            continue;
        transport->abandoned = TRUE;
        error_set(error, ERROR_TIMEOUT, "the database server at %s is away for %u s",
                  transport->peer, transport->timeout);
        return FALSE;
    }
    return TRUE;
}

/* --- connection ------------------------------------------------------------------------------- */

static void close_transport(TdTransport *transport)
{
    if (transport == NULL)
        return;
    if (!transport->abandoned) {
        if (transport->result != NULL)
            transport->native->free_result(transport->result);
        if (transport->connection != NULL)
            transport->native->close(transport->connection);
    }
    g_free(transport->peer);
    g_free(transport->host);
    g_free(transport);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdTransport, close_transport)

static gboolean read_address(TdTransport *transport, const char *url, GError **error)
{
    const char *peer = url + strlen(SCHEME);
    const char *colon = strrchr(peer, ':');
    guint64 port;

    if (!g_str_has_prefix(url, SCHEME) || colon == NULL || colon == peer ||
        !g_ascii_string_to_unsigned(colon + 1, 10, 1, G_MAXUINT16, &port, NULL)) {
        error_set(error, ERROR_FORMAT, "the server says that it is at \"%s\"", url);
        return FALSE;
    }
    transport->peer = g_strdup(peer);
    transport->host = g_strndup(peer, (gsize)(colon - peer));
    transport->port = (guint16)port;
    return TRUE;
}

static TdTransport *open_transport(const TdOptions *options, guint seconds, const char *database,
                                   GCancellable *cancellable, GError **error)
{
    g_autoptr(TdTransport) transport = g_new0(TdTransport, 1);

    transport->native = td_native_load(options->library, error);
    if (transport->native == NULL || !read_address(transport, options->url, error))
        return NULL;
    transport->timeout = options->timeout;
    transport->connection =
        transport->native->connect(transport->host, options->user, options->password, database,
                                   transport->port);
    if (transport->connection == NULL) {
        td_fault_set(error, TD_ASKED_LOGIN, transport->peer,
                     (guint32)transport->native->error_code(NULL),
                     transport->native->error_text(NULL));
        return NULL;
    }
    return g_steal_pointer(&transport);
}

/* The library connects anew by itself where it must. */
static gboolean settle(TdTransport *transport)
{
    return !transport->abandoned;
}

/* --- statements ------------------------------------------------------------------------------- */

static gboolean fail(const TdTransport *transport, int code, void *result, GError **error)
{
    return td_fault_set(error, TD_ASKED_STATEMENT, transport->peer, (guint32)code,
                        transport->native->error_text(result));
}

static gboolean read_columns(const TdTransport *transport, void *result, TdAnswer *ret_answer,
                             GError **error)
{
    const int count = transport->native->num_fields(result);
    const TdNativeField *fields = transport->native->fields(result);
    const int precision = transport->native->precision(result);
    g_autofree TdColumn *columns = NULL;

    if (fields == NULL || count > (int)TD_BLOCK_MAX_COLUMNS || precision < TD_MILLISECONDS ||
        precision > TD_NANOSECONDS) {
        error_set(error, ERROR_FORMAT, "the columns of an answer of %s make no sense",
                  transport->peer);
        return FALSE;
    }
    columns = g_new0(TdColumn, (gsize)count);
    for (int i = 0; i < count; i++) {
        if (!td_type_is_known((guint8)fields[i].type)) {
            error_set(error, ERROR_FORMAT, "column %d has the type %d, which is not known", i,
                      fields[i].type);
            return FALSE;
        }
        g_strlcpy(columns[i].name, fields[i].name,
                  MIN(sizeof columns[i].name, sizeof fields[i].name));
        columns[i].type = (TdType)fields[i].type;
        columns[i].bytes = (guint)fields[i].bytes;
        columns[i].precision = fields[i].precision;
        columns[i].scale = fields[i].scale;
    }
    *ret_answer = (TdAnswer){.columns = g_steal_pointer(&columns),
                             .n_columns = (guint)count,
                             .precision = (TdPrecision)precision};
    return TRUE;
}

static gboolean query(TdTransport *transport, const char *sql, TdAnswer *ret_answer,
                      GCancellable *cancellable, GError **error)
{
    const TdNative *native = transport->native;
    g_autoptr(Call) call = call_new();
    gboolean done = TRUE;

    native->query(transport->connection, sql, call_done, call);
    if (!wait_for(transport, call, cancellable, error))
        return FALSE;
    if (call->code != 0) {
        done = fail(transport, call->code, call->result, error);
    } else if (native->num_fields(call->result) == 0) {
        *ret_answer = (TdAnswer){.affected = native->affected(call->result)};
    } else if (read_columns(transport, call->result, ret_answer, error)) {
        transport->result = call->result;
        return TRUE;
    } else {
        done = FALSE;
    }
    native->free_result(call->result);
    return done;
}

static void release(TdTransport *transport)
{
    if (transport->result != NULL)
        transport->native->free_result(g_steal_pointer(&transport->result));
}

static gboolean fetch(TdTransport *transport, const guint8 **ret_block, gsize *ret_length,
                      GCancellable *cancellable, GError **error)
{
    g_autoptr(Call) call = call_new();
    guint32 length;

    transport->native->fetch_block(transport->result, call_done, call);
    if (!wait_for(transport, call, cancellable, error))
        return FALSE;
    if (call->code < 0) {
        fail(transport, call->code, transport->result, error);
        release(transport);
        return FALSE;
    }
    *ret_block = NULL;
    *ret_length = 0;
    if (call->code == 0) { /* that many rows: the end */
        release(transport);
        return TRUE;
    }
    *ret_block = transport->native->block(transport->result);
    if (*ret_block == NULL) {
        error_set(error, ERROR_FORMAT, "the library gives no block");
        return FALSE;
    }
    memcpy(&length, *ret_block + 4, sizeof length); /* the block's own word: block.h */
    *ret_length = GUINT32_FROM_LE(length);
    return TRUE;
}

/* --- stmt2 ------------------------------------------------------------------------------------ */

static void unprepare(TdTransport *transport, TdStatement *statement)
{
    if (statement == NULL)
        return;
    transport->native->statement_close(statement->native);
    g_free(statement);
}

static gboolean fail_statement(const TdTransport *transport, const TdStatement *statement, int code,
                               GError **error)
{
    return td_fault_set(error, TD_ASKED_STATEMENT, transport->peer, (guint32)code,
                        transport->native->statement_error(statement->native));
}

static TdStatement *prepare(TdTransport *transport, const char *sql, GCancellable *cancellable,
                            GError **error)
{
    TdNativeStatementOption option = {.single_super_table = true};
    void *native = transport->native->statement_init(transport->connection, &option);
    TdStatement *statement;
    int code;

    if (native == NULL) {
        fail(transport, transport->native->error_code(NULL), NULL, error);
        return NULL;
    }
    statement = g_new0(TdStatement, 1);
    statement->native = native;
    code = transport->native->statement_prepare(native, sql, strlen(sql));
    if (code == 0)
        return statement;
    fail_statement(transport, statement, code, error);
    unprepare(transport, statement);
    return NULL;
}

/* The library's form of one table's fields; no_nulls is an array of zeros. */
static void fill_binds(TdNativeBind *binds, const TdBinding *bindings, guint count, guint rows,
                       const char *no_nulls)
{
    for (guint i = 0; i < count; i++)
        binds[i] = (TdNativeBind){
            .type = (int)bindings[i].type,
            /* Where all are NULL there may be no values: no byte of these is looked at. */
            .values = bindings[i].values != NULL ? (const void *)bindings[i].values : no_nulls,
            .lengths = (const gint32 *)bindings[i].lengths,
            .nulls = bindings[i].nulls != NULL ? (const char *)bindings[i].nulls : no_nulls,
            .rows = (int)rows,
        };
}

static int bind(TdTransport *transport, const TdStatement *statement, const TdInsertTable *tables,
                guint n_tables, guint n_tags, guint n_columns)
{
    const gsize fields = (gsize)n_tables * (n_tags + n_columns);
    g_autofree TdNativeBind *binds = g_new0(TdNativeBind, fields + 1);
    g_autofree TdNativeBind **tags = g_new0(TdNativeBind *, n_tables);
    g_autofree TdNativeBind **columns = g_new0(TdNativeBind *, n_tables);
    g_autofree const char **names = g_new0(const char *, n_tables);
    g_autofree char *no_nulls = g_malloc0(TD_BIND_MAX_ROWS);
    TdNativeBinds all = {(int)n_tables, names, n_tags != 0 ? tags : NULL, columns};
    TdNativeBind *next = binds;

    for (guint i = 0; i < n_tables; i++) {
        names[i] = tables[i].name;
        tags[i] = next;
        fill_binds(next, tables[i].tags, n_tags, 1, no_nulls);
        next += n_tags;
        columns[i] = next;
        fill_binds(next, tables[i].columns, n_columns, tables[i].n_rows, no_nulls);
        next += n_columns;
    }
    return transport->native->statement_bind(statement->native, &all, ALL_COLUMNS);
}

static gboolean insert(TdTransport *transport, TdStatement *statement, const TdInsertTable *tables,
                       guint n_tables, guint n_tags, guint n_columns, gint64 *ret_affected,
                       GCancellable *cancellable, GError **error)
{
    int code, affected = 0;

    if (!error_unless_cancelled(cancellable, error))
        return FALSE;
    if (!td_bind_check(tables, n_tables, error))
        return FALSE;
    code = bind(transport, statement, tables, n_tables, n_tags, n_columns);
    if (code == 0)
        code = transport->native->statement_execute(statement->native, &affected);
    if (code != 0)
        return fail_statement(transport, statement, code, error);
    *ret_affected = affected;
    return TRUE;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static gboolean write_block(TdTransport *transport, const char *table, const TdColumn *columns,
                            guint n_columns, guint32 n_rows, const guint8 *block, gsize length,
                            GCancellable *cancellable, GError **error)
{
    /* The library puts the numbers of the block into its own order: it gets a copy. */
    g_autofree char *copy = g_memdup2(block, length);
    const int code =
        transport->native->write_block(transport->connection, (int)n_rows, copy, table);

    return code == 0 || fail(transport, code, NULL, error);
}

const TdDriver td_native_driver = {
    .name = "native",
    .open = open_transport,
    .close = close_transport,
    .settle = settle,
    .query = query,
    .fetch = fetch,
    .release = release,
    .prepare = prepare,
    .unprepare = unprepare,
    .insert = insert,
    .write_block = write_block,
};
