/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of the tables while they were read: the list of tables of each database once more, and
 * how many rows each table has now (recount.h). It is asked when the last row has come, while the last
 * slices are still being written, and again whenever more had to be read.
 */
#ifndef HOLDFAST_TDENGINE_MEANWHILE_H
#define HOLDFAST_TDENGINE_MEANWHILE_H

#include "tdengine/recount.h"

/* The tables of a database when the backup began, and when its rows had come. */
typedef struct {
    TdDatabase *database; /* of the details */
    TdChildren *before, *after;
} TdListed;

void td_listed_free(TdListed *listed);

/* All of it must outlive the questions. */
typedef struct {
    TdClient *client; /* nobody else's between td_meanwhile_ask() and td_meanwhile_wait() */
    TdScanner *scanner;
    GPtrArray *listed; /* TdListed */
    GPtrArray *scans;  /* TdScanTable */
    TdRecount limits;
    GCancellable *cancellable;
} TdMeanwhileOptions;

typedef struct TdMeanwhile TdMeanwhile;

TdMeanwhile *td_meanwhile_new(const TdMeanwhileOptions *options);
/* Gives up what is being asked. */
void td_meanwhile_free(TdMeanwhile *meanwhile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdMeanwhile, td_meanwhile_free)

/* Begins to ask, and forgets what was answered before. Threads: any; fits TdScanOptions.drained. */
void td_meanwhile_ask(gpointer meanwhile);

/* Waits for the answers: listed->after, and the counts. */
gboolean td_meanwhile_wait(TdMeanwhile *meanwhile, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* When all slices of the tables are known: enters those with another count in their databases. */
void td_meanwhile_compare_counts(const TdMeanwhile *meanwhile);

#endif
