/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to a TDengine server: statements, results as raw column blocks, prepared writes to
 * many tables, raw-block writes, topics. Two transports hand up the same blocks: WebSocket
 * (transport-websocket.c), which works everywhere, and the vendor's library, loaded at run time
 * (transport-native.c), where the configuration's `library` names it.
 *
 * Threads: a client and all that it made belong to one thread at a time; parallel work uses a client
 * each. One result at a time is read from a client.
 *
 * Errors: a server's error is ERROR_SERVER with its code and text ("… (0x2603): Table does not
 * exist"), td_error_code() reads the code; a server that cannot be reached, or does not come back
 * within the timeout, is ERROR_UNREACHABLE (exit 5); refused credentials are ERROR_PERMISSION; bytes that
 * make no sense are ERROR_FORMAT; cancel is ERROR_CANCELLED. Messages never hold a password or token.
 */
#ifndef HOLDFAST_TDENGINE_CLIENT_H
#define HOLDFAST_TDENGINE_CLIENT_H

#include "tdengine/block.h"
#include <gio/gio.h>

typedef struct TdClient TdClient;
typedef struct TdResult TdResult;
typedef struct TdInsert TdInsert;

typedef struct {
    const char *url;      /* "ws://host:6041" or "wss://…" */
    const char *user;     /* NULL: root */
    const char *password; /* NULL: none is sent */
    const char *token;    /* TDengine Cloud; NULL: user and password count */
    const char *ca_file;  /* PEM, beside the system's certificates; NULL: only those */
    const char *library;  /* a path of libtaos.so, "auto" to look for it, NULL: WebSocket */
    guint timeout;        /* seconds that a server may be away, 0: 30 */
} TdOptions;

/* --- connection ------------------------------------------------------------------------------- */

/* Connects and asks for the server's version. The options are copied; secrets are wiped with the
 * client. */
TdClient *td_client_connect(const TdOptions *options, GCancellable *cancellable,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* One more connection to the same server, as the same user and over the same transport, for another
 * thread. What the first was told of the server is not asked again. */
TdClient *td_client_another(const TdClient *client, GCancellable *cancellable,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_client_free(TdClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdClient, td_client_free)

const char *td_client_server_version(const TdClient *client); /* "3.3.7.5" */
const char *td_client_transport(const TdClient *client);      /* "websocket" or "native" */
/* Seconds that a server may be away. */
guint td_client_timeout(const TdClient *client);
/* Why WebSocket is used though a library was asked for; NULL where it is not so. */
const char *td_client_transport_note(const TdClient *client);

/* The server's code of an ERROR_SERVER, 0 of any other error. Only the low 16 bits. */
guint td_error_code(const GError *error);

/* The database that unqualified names and the writes below stand in. */
gboolean td_client_use(TdClient *client, const char *database, GCancellable *cancellable,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- statements ------------------------------------------------------------------------------- */

/* Runs a statement for its effect. ret_affected may be NULL. Never repeated by itself: after a lost
 * connection nobody knows whether it was done. */
gboolean td_client_execute(TdClient *client, const char *sql, gint64 *ret_affected,
                           GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs a query. It changes nothing, so that it is repeated, with back-off and on a new connection
 * within the timeout, as long as no block was handed out. */
TdResult *td_client_query(TdClient *client, const char *sql, GCancellable *cancellable,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_result_free(TdResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdResult, td_result_free)

const TdColumn *td_result_columns(const TdResult *result, guint *ret_n);
TdPrecision td_result_precision(const TdResult *result);

/* The next block, borrowed until the next call; NULL without an error: the end. WebSocket: the next
 * block is asked for while the caller works on this one. A result that was cut off is an error,
 * never an end. */
const TdBlock *td_result_next(TdResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For the small answers of SHOW and information_schema: the rows of a whole result as text (NULL
 * pointers are NULL), numbers in decimal. More than limit rows are ERROR_LIMIT. Element type
 * char **, n columns each, freed with the array. ret_columns may be NULL. */
GPtrArray *td_client_query_rows(TdClient *client, const char *sql, guint limit,
                                GCancellable *cancellable,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- prepared writes to many tables (stmt2) --------------------------------------------------- */

/* One field of the rows or tags to bind: as many values as rows. Fixed widths: n x width bytes, NULL
 * cells of any content. Variable: the values without gaps, lengths beside them. NCHAR in UTF-8. */
typedef struct {
    TdType type;
    const guint8 *nulls;    /* n bytes, 1 is NULL; NULL pointer: none is */
    const guint8 *values;   /* NULL pointer: all are NULL, or without bytes */
    const guint32 *lengths; /* variable types; 0 of NULLs */
} TdBinding;

typedef struct {
    const char *name;      /* of the child or normal table, unquoted */
    guint n_rows;          /* at most 32,767 */
    const TdBinding *tags; /* n = 1 each; NULL where the statement has no TAGS */
    const TdBinding *columns;
} TdInsertTable;

/* "INSERT INTO ? USING `st` TAGS(?,…) VALUES(?,…)" or "INSERT INTO ? VALUES(?,…)", in the database of
 * td_client_use(). */
TdInsert *td_insert_prepare(TdClient *client, const char *sql, guint n_tags, guint n_columns,
                            GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_insert_free(TdInsert *insert);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdInsert, td_insert_free)

/* Binds rows of n_tables tables and executes. *ret_affected is the server's word: compare it. Not
 * repeated by itself; running it again writes the same rows. */
gboolean td_insert_execute(TdInsert *insert, const TdInsertTable *tables, guint n_tables,
                           gint64 *ret_affected, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- raw-block writes ------------------------------------------------------------------------- */

/* Writes one block of rows into one table whose columns are exactly these, in this order: fields
 * unknown to the table would shift the data of others (seen), so the caller has compared them.
 * A block with a BLOB column is ERROR_UNSUPPORTED: it ends the gateway. */
gboolean td_client_write_block(TdClient *client, const char *table, const TdColumn *columns,
                               guint n_columns, guint32 n_rows, const guint8 *block, gsize length,
                               GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
