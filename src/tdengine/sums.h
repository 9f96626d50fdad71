/* SPDX-License-Identifier: Apache-2.0
 *
 * What a server says of the rows in a stretch of time without sending them: how many there are, how
 * far apart the first and the last are, and sums over the columns. Two such answers that are equal
 * speak for equal rows, but do not prove them: values that were exchanged, or texts that were
 * updated, leave every sum as it is.
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
 *                                     number, or infinite, hides others: no answer
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

typedef struct {
    gint64 from, to; /* ticks: a stretch, or a step of it */
    guint64 rows;
    gboolean known;     /* there is an answer to compare */
    gboolean clean;     /* for td_survey_choose() */
    TdFingerprint sums; /* of the whole answer, under the backup's key */
} TdSums;

/* The question for a stretch, as SQL: one row, or where steps are told apart one for each of them that
 * has rows, its beginning first. Free with g_free(). */
char *td_sums_question(const TdTable *table, TdPrecision precision, const TdStretch *stretch);

/* Asks for a stretch, and appends a TdSums for each of its steps, rising. Where the server does not
 * answer such a question, nothing is `known`. An error where the table is gone, or the server cannot
 * be reached. */
gboolean td_sums_ask(TdClient *client, const TdTable *table, TdPrecision precision, guint64 key,
                     const TdStretch *stretch, GArray *sums, GCancellable *cancellable,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
