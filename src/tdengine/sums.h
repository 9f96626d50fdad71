/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server says of the rows in windows of time without sending them: how many there are, how far
 * apart the first and the last are, and sums over the columns. Two such answers that are equal speak
 * for equal rows, but do not prove them: values that were exchanged, or texts that were updated, leave
 * every sum as it is.
 *
 *     COUNT(*)                        exact
 *     COUNT of each column below      exact: tells NULL from 0
 *     SPREAD(time)                    last time - first time; FIRST and LAST take the server four
 *                                     times as long as all the rest
 *     SUM of integers                 exact modulo 2^64: the server lets them wrap around
 *     SUM of BOOL and TIMESTAMP       as of integers, by a CAST
 *     SUM of decimals                 exact; where the server finds it too large: no answer
 *     SUM of FLOAT and DOUBLE         as the server added them up; another order gives another sum,
 *                                     and so a false alarm, never a false equality. A sum that is no
 *                                     number, or infinite, hides others: it says nothing
 *
 * VARCHAR, NCHAR, VARBINARY, GEOMETRY and BLOB are not looked at. NULLs are left out of sums. Sums
 * are asked for before rows are read, so that what is written in between is in the rows and not in
 * the sums: again a false alarm only.
 *
 * Threads: as the client's.
 */
#ifndef HOLDFAST_TDENGINE_SUMS_H
#define HOLDFAST_TDENGINE_SUMS_H

#include "tdengine/client.h"
#include "tdengine/schema.h"

/* A window that has rows. */
typedef struct {
    gint64 start, end; /* ticks */
    guint64 rows;
    gboolean known; /* the sums say something */
    TdFingerprint
        sums; /* of its row of the answer, under the backup's key; 0 where nothing is known */
} TdWindow;

/* The question as SQL: a row for each window that has rows, its beginning first. Free with g_free(). */
char *td_sums_question(const TdTable *table, TdPrecision precision, const TdWindows *windows);

/* Asks, and appends a TdWindow for each window that has rows (an array of TdWindow). *ret_refused: the
 * server does not answer such a question, or not in this form, and nothing is appended; what only
 * counts is then an error. An error too where the table is gone, or the server cannot be reached. */
gboolean td_sums_ask(TdClient *client, const TdTable *table, TdPrecision precision, guint64 key,
                     const TdWindows *windows, GArray *answers, gboolean *ret_refused,
                     GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
