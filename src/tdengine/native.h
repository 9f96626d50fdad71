/* SPDX-License-Identifier: Apache-2.0
 *
 * TDengine's own client library, loaded at run time: the functions that are used, each found by
 * name, with declarations of our own after taos.h of TDengine 3.3.
 *
 * The library is loaded once and stays: it has threads of its own. Threads: all may be called from
 * any thread; a connection belongs to one at a time.
 */
#ifndef HOLDFAST_TDENGINE_NATIVE_H
#define HOLDFAST_TDENGINE_NATIVE_H

#include "base/error.h"

#include <stdbool.h>

/* taos.h: TAOS_FIELD_E. */
typedef struct {
    char name[65];
    gint8 type;
    guint8 precision;
    guint8 scale;
    gint32 bytes;
} TdNativeField;

/* taos.h: TAOS_STMT2_OPTION, TAOS_STMT2_BIND, TAOS_STMT2_BINDV. */
typedef void (*TdNativeDone)(void *data, void *result, int code);
typedef struct {
    gint64 request;
    bool single_super_table;
    bool single_table_once;
    TdNativeDone done;
    void *data;
} TdNativeStatementOption;
typedef struct {
    int type;
    const void *values;
    const gint32 *lengths;
    const char *nulls;
    int rows;
} TdNativeBind;
typedef struct {
    int count;
    const char **tables;
    TdNativeBind **tags;
    TdNativeBind **columns;
} TdNativeBinds;

typedef struct {
    int (*options)(int option, const void *value, ...);
    int (*init)(void);
    const char *(*client_info)(void);
    void *(*connect)(const char *host, const char *user, const char *password, const char *database,
                     guint16 port);
    void (*close)(void *connection);
    int (*error_code)(void *result); /* result NULL: of the last call without one */
    const char *(*error_text)(void *result);
    int (*server_status)(const char *host, int port, char *details, int size);
    void (*kill_query)(void *connection);
    void (*query)(void *connection, const char *sql, TdNativeDone done, void *data);
    int (*num_fields)(void *result);
    TdNativeField *(*fields)(void *result);
    int (*precision)(void *result);
    gint64 (*affected)(void *result);
    void (*fetch_block)(void *result, TdNativeDone done, void *data);
    const void *(*block)(void *result);
    void (*free_result)(void *result);
    int (*write_block)(void *connection, int rows, char *block, const char *table);
    void *(*statement_init)(void *connection, TdNativeStatementOption *option);
    int (*statement_prepare)(void *statement, const char *sql, unsigned long length);
    int (*statement_bind)(void *statement, TdNativeBinds *binds, gint32 column);
    int (*statement_execute)(void *statement, int *affected);
    char *(*statement_error)(void *statement);
    int (*statement_close)(void *statement);
} TdNative;

/* Loads the library at a path, or looks for one with "auto", and starts it. NULL: ERROR_UNSUPPORTED
 * says why it cannot be used. The result belongs to the process. */
const TdNative *td_native_load(const char *library, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether client and server agree in the first three numbers of their versions ("3.3.7.5"). */
gboolean td_native_fits(const TdNative *native, const char *server_version);

#endif
