/* SPDX-License-Identifier: Apache-2.0
 *
 * What a way to a TDengine server must be able to do: one connection, without any repeating.
 * client.c reconnects, repeats and keeps what a caller sees.
 *
 * Errors as in client.h; ERROR_UNREACHABLE and ERROR_CANCELLED leave a connection that can only be
 * closed, and so does ERROR_TIMEOUT: the server was away for the whole timeout, and is given up.
 */
#ifndef HOLDFAST_TDENGINE_TRANSPORT_H
#define HOLDFAST_TDENGINE_TRANSPORT_H

#include "tdengine/client.h"

typedef struct TdTransport TdTransport;
typedef struct TdStatement TdStatement; /* a prepared statement of a connection */

/* What a statement gave. */
typedef struct {
    TdColumn *columns; /* owned; NULL: the statement has no result */
    guint n_columns;
    TdPrecision precision;
    gint64 affected;
} TdAnswer;

typedef struct {
    const char *name;

    /* seconds: that it may take. database may be NULL. */
    TdTransport *(*open)(const TdOptions *options, guint seconds, const char *database,
                         GCancellable *cancellable, GError **error);
    void (*close)(TdTransport *transport);

    /* FALSE: an idle connection is known to be lost. Does not wait. */
    gboolean (*settle)(TdTransport *transport);

    /* Runs a statement. Where it has columns, its result is open until fetch() gave its end or
     * failed, or release(); until then nothing else may be asked. */
    gboolean (*query)(TdTransport *transport, const char *sql, TdAnswer *ret_answer,
                      GCancellable *cancellable, GError **error);
    /* The next block of the open result, borrowed until the next call; NULL: its end. */
    gboolean (*fetch)(TdTransport *transport, const guint8 **ret_block, gsize *ret_length,
                      GCancellable *cancellable, GError **error);
    void (*release)(TdTransport *transport);

    TdStatement *(*prepare)(TdTransport *transport, const char *sql, GCancellable *cancellable,
                            GError **error);
    void (*unprepare)(TdTransport *transport, TdStatement *statement);
    gboolean (*insert)(TdTransport *transport, TdStatement *statement, const TdInsertTable *tables,
                       guint n_tables, guint n_tags, guint n_columns, gint64 *ret_affected,
                       GCancellable *cancellable, GError **error);

    gboolean (*write_block)(TdTransport *transport, const char *table, const TdColumn *columns,
                            guint n_columns, guint32 n_rows, const guint8 *block, gsize length,
                            GCancellable *cancellable, GError **error);
} TdDriver;

extern const TdDriver td_websocket_driver;
extern const TdDriver td_native_driver; /* its URL: "taos://host:port" */

#endif
