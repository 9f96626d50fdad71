/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport through taosAdapter's /ws: statements and blocks by its binary requests, stmt2 by
 * texts and binary binds.
 *
 * One fetch is in flight for a result, never more: a real gateway lost and doubled blocks with
 * several. It is sent before the block in hand is given to the caller.
 */
#include "tdengine/transport.h"

#include "tdengine/bind.h"
#include "tdengine/gateway.h"

#include <string.h>

#define VERSION     1u
#define ALL_COLUMNS (-1)
#define MAX_SQL     (1024u * 1024)

struct TdTransport {
    TdGateway *gateway;
    guint64 result; /* id of the open result; meaningful where is_open */
    gboolean is_open;
    guint64 fetch; /* request in flight; 0: none */
};

struct TdStatement {
    guint64 id;
};

static void close_transport(TdTransport *transport)
{
    if (transport == NULL)
        return;
    td_gateway_free(transport->gateway);
    g_free(transport);
}

static TdTransport *open_transport(const TdOptions *options, guint seconds, const char *database,
                                   GCancellable *cancellable, GError **error)
{
    g_autoptr(TdGateway) gateway = td_gateway_open(options, "/ws", seconds, cancellable, error);
    TdTransport *transport;

    if (gateway == NULL || !td_gateway_login(gateway, options, database, cancellable, error))
        return NULL;
    td_gateway_set_timeout(gateway, options->timeout);
    transport = g_new0(TdTransport, 1);
    transport->gateway = g_steal_pointer(&gateway);
    return transport;
}

static gboolean settle(TdTransport *transport)
{
    return transport->fetch != 0 || td_gateway_settle(transport->gateway);
}

/* --- statements ------------------------------------------------------------------------------- */

static void append16(GByteArray *array, guint16 value)
{
    value = GUINT16_TO_LE(value);
    g_byte_array_append(array, (const guint8 *)&value, sizeof value);
}

static void append32(GByteArray *array, guint32 value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(array, (const guint8 *)&value, sizeof value);
}

static gboolean query(TdTransport *transport, const char *sql, TdAnswer *ret_answer,
                      GCancellable *cancellable, GError **error)
{
    const gsize length = strlen(sql);
    g_autoptr(GByteArray) request = NULL;
    g_autoptr(json_t) json = NULL;

    if (length == 0 || length > MAX_SQL) {
        error_set(error, ERROR_LIMIT, "a statement of %zu bytes; 1 to %u may be", length, MAX_SQL);
        return FALSE;
    }
    request = td_gateway_request(transport->gateway, TD_ACTION_QUERY, 0);
    append16(request, VERSION);
    append32(request, (guint32)length);
    g_byte_array_append(request, (const guint8 *)sql, (guint)length);
    if (!td_gateway_ask_binary(transport->gateway, request, &json, cancellable, error) ||
        !td_reply_answer(json, ret_answer, error))
        return FALSE;
    transport->is_open = ret_answer->columns != NULL;
    transport->result = json_get_uint(json, "id", 0);
    return TRUE;
}

static gboolean send_fetch(TdTransport *transport, GCancellable *cancellable, GError **error)
{
    g_autoptr(GByteArray) request =
        td_gateway_request(transport->gateway, TD_ACTION_FETCH_BLOCK, transport->result);

    append16(request, VERSION);
    return td_gateway_send(transport->gateway, request, &transport->fetch, cancellable, error);
}

/* Whether the answer to a fetch is of this result and can be used. */
static gboolean check_block(TdTransport *transport, const TdReply *reply, GError **error)
{
    const char *peer = td_gateway_peer(transport->gateway);

    if (reply->code != 0)
        return td_fault_set(error, TD_ASKED_STATEMENT, peer, reply->code, reply->message);
    if (reply->json != NULL || reply->result != transport->result) {
        error_set(error, ERROR_FORMAT, "%s answers with something else than the next block", peer);
        return FALSE;
    }
    return TRUE;
}

static gboolean fetch(TdTransport *transport, const guint8 **ret_block, gsize *ret_length,
                      GCancellable *cancellable, GError **error)
{
    g_auto(TdReply) reply = {0};
    guint64 request;

    g_return_val_if_fail(transport->is_open, FALSE);
    if (transport->fetch == 0 && !send_fetch(transport, cancellable, error))
        return FALSE;
    request = transport->fetch;
    if (!td_gateway_receive(transport->gateway, request, &reply, cancellable, error))
        return FALSE;
    transport->fetch = 0;
    if (!check_block(transport, &reply, error)) {
        transport->is_open = FALSE; /* the gateway has released it */
        return FALSE;
    }
    if (reply.finished) {
        transport->is_open = FALSE;
        *ret_block = NULL;
        *ret_length = 0;
        return TRUE;
    }
    if (!send_fetch(transport, cancellable, error))
        return FALSE;
    *ret_block = reply.data;
    *ret_length = reply.length;
    return TRUE;
}

static void release(TdTransport *transport)
{
    if (!transport->is_open)
        return;
    transport->is_open = FALSE;
    if (transport->fetch != 0) {
        td_gateway_abandon(transport->gateway, transport->fetch);
        transport->fetch = 0;
        return;
    }
    /* It is not answered. Where it cannot be sent the connection is gone, and the result too. */
    (void)!td_gateway_send_text(transport->gateway, "free_result",
                                json_pack("{s:I}", "id", (json_int_t)transport->result), NULL, NULL,
                                NULL);
}

/* --- stmt2 ------------------------------------------------------------------------------------ */

static void unprepare(TdTransport *transport, TdStatement *statement)
{
    if (statement == NULL)
        return;
    (void)!td_gateway_ask(transport->gateway, TD_ASKED_STATEMENT, "stmt2_close",
                          json_pack("{s:I}", "stmt_id", (json_int_t)statement->id), NULL, NULL,
                          NULL);
    g_free(statement);
}

static TdStatement *prepare(TdTransport *transport, const char *sql, GCancellable *cancellable,
                            GError **error)
{
    g_autofree TdStatement *statement = g_new0(TdStatement, 1);
    g_autoptr(json_t) json = NULL;
    json_t *args = json_pack("{s:b, s:b}", "single_stb_insert", 1, "single_table_bind_once", 0);

    if (!td_gateway_ask(transport->gateway, TD_ASKED_STATEMENT, "stmt2_init", args, &json,
                        cancellable, error) ||
        !json_need_uint(json, "stmt_id", "the answer to stmt2_init", &statement->id, error))
        return NULL;
    /* Without get_fields, which wants to know the table already. */
    args = json_pack("{s:I, s:o, s:b}", "stmt_id", (json_int_t)statement->id, "sql", json_text(sql),
                     "get_fields", 0);
    if (!td_gateway_ask(transport->gateway, TD_ASKED_STATEMENT, "stmt2_prepare", args, NULL,
                        cancellable, error)) {
        unprepare(transport, g_steal_pointer(&statement));
        return NULL;
    }
    return g_steal_pointer(&statement);
}

static gboolean bind(TdTransport *transport, const TdStatement *statement,
                     const TdInsertTable *tables, guint n_tables, guint n_tags, guint n_columns,
                     GCancellable *cancellable, GError **error)
{
    g_autoptr(GByteArray) request =
        td_gateway_request(transport->gateway, TD_ACTION_BIND, statement->id);

    append16(request, VERSION);
    append32(request, (guint32)ALL_COLUMNS);
    return td_bind_build(request, tables, n_tables, n_tags, n_columns, error) &&
           td_gateway_ask_binary(transport->gateway, request, NULL, cancellable, error);
}

static gboolean insert(TdTransport *transport, TdStatement *statement, const TdInsertTable *tables,
                       guint n_tables, guint n_tags, guint n_columns, gint64 *ret_affected,
                       GCancellable *cancellable, GError **error)
{
    g_autoptr(json_t) json = NULL;
    guint64 affected;

    if (!bind(transport, statement, tables, n_tables, n_tags, n_columns, cancellable, error) ||
        !td_gateway_ask(transport->gateway, TD_ASKED_STATEMENT, "stmt2_exec",
                        json_pack("{s:I}", "stmt_id", (json_int_t)statement->id), &json,
                        cancellable, error) ||
        !json_need_uint(json, "affected", "the answer to stmt2_exec", &affected, error))
        return FALSE;
    *ret_affected = (gint64)affected;
    return TRUE;
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* Action 4: the columns are those of the table, in order, as the caller has compared them; field
 * names (action 5) would add nothing but a way to go wrong. */
static gboolean write_block(TdTransport *transport, const char *table, const TdColumn *columns,
                            guint n_columns, guint32 n_rows, const guint8 *block, gsize length,
                            GCancellable *cancellable, GError **error)
{
    g_autoptr(GByteArray) request =
        td_gateway_request(transport->gateway, TD_ACTION_WRITE_BLOCK, 0);

    append32(request, n_rows);
    append16(request, (guint16)strlen(table));
    g_byte_array_append(request, (const guint8 *)table, (guint)strlen(table));
    g_byte_array_append(request, block, (guint)length);
    return td_gateway_ask_binary(transport->gateway, request, NULL, cancellable, error);
}

const TdDriver td_websocket_driver = {
    .name = "websocket",
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
