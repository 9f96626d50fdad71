/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections to a configured source, and small questions to it.
 */
#ifndef HOLDFAST_TDENGINE_CONNECT_H
#define HOLDFAST_TDENGINE_CONNECT_H

#include "base/json.h"
#include "config/config.h"
#include "tdengine/client.h"

/* Connects as the source's section says. Secrets are read from their files, which must not be open
 * to others (ERROR_INSECURE_FILE). */
TdClient *td_connect(const ConfigSource *source, GCancellable *cancellable,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Has something else made of the same options, which are `func`'s until it returns. */
typedef gpointer (*TdConnectFunc)(const TdOptions *options, gconstpointer data,
                                  GCancellable *cancellable, GError **error);
gpointer td_connect_with(const ConfigSource *source, TdConnectFunc func, gconstpointer data,
                         GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The rows of a small answer as JSON objects, values by their columns' names as text or null. An
 * array of json_t; more than `limit` rows are ERROR_LIMIT. */
GPtrArray *td_ask(TdClient *client, const char *sql, guint limit, GCancellable *cancellable,
                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The first value of an answer as a number; no row is 0. */
gboolean td_ask_number(TdClient *client, const char *sql, gint64 *ret_number,
                       GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A value of a row that td_ask() gave: NULL where it is NULL or the server has no such column. */
const char *td_row_text(const json_t *row, const char *column);
gint64 td_row_number(const json_t *row, const char *column, gint64 fallback);

/* The server has answered, and says no: it does not know the question, or not this user. */
gboolean td_error_is_refusal(const GError *error);
/* The object that was asked for is not there (any more). */
gboolean td_error_is_gone(const GError *error);
/* A column that was asked for is not there (any more). */
gboolean td_error_is_column(const GError *error);

#endif
