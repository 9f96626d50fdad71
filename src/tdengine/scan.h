/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the rows of tables into slices, by the plan that was made of each: scans side by side on
 * connections of their own.
 *
 * What each way of reading costs was measured on a real server (docs/tdengine.md): a plain scan of
 * the super table, a file set at a time, with tbname among the columns, is up to 30 times faster
 * than one by table.
 */
#ifndef HOLDFAST_TDENGINE_SCAN_H
#define HOLDFAST_TDENGINE_SCAN_H

#include "base/progress.h"
#include "tdengine/children.h"
#include "tdengine/client.h"
#include "tdengine/incremental.h"
#include "tdengine/slice.h"

typedef enum {
    TD_SCAN_DONE,
    TD_SCAN_GONE,    /* the table was dropped meanwhile */
    TD_SCAN_ALTERED, /* its columns are others meanwhile: to be described and read again */
    TD_SCAN_BINARY,  /* columns turned out to be no text: to be read again */
} TdScanOutcome;

/* A stretch of time to read: from <= time < to. */
typedef struct {
    gint64 from, to;
    gboolean
        compare; /* the base is expected to hold it: only what differs is read again and written */
} TdRange;

/* What the server says of a place (census.h). */
typedef struct {
    gint64 from, to; /* ticks: a stretch, or a step of it */
    guint64 rows;
    gboolean known;     /* there are sums to compare */
    gboolean clean;     /* for td_survey_choose() */
    TdFingerprint sums; /* of the answers for all its windows, under the backup's key */
} TdSums;

/* One table to read. */
typedef struct {
    TdTable *table;
    const TdDatabase *database;
    const TdChildren *children; /* of a super table, a virtual one too: those that are known */
    const TdNames *only;        /* names of child tables to take; NULL: all */
    GArray *counts;             /* TdCount, from td_census_take() */
    TdBaseTable *base;          /* of an incremental, to be freed with it; NULL: none */
    GArray *sums;               /* TdSums of its places, rising, from td_census_take() */
    gboolean quick;             /* places that are clean are the base's and not read */
    GArray *ranges;             /* TdRange, rising; NULL: everything is read */
    gint64 recount;             /* rows at the end, from td_recount_ask() */
    TdScanOutcome outcome;
    GArray *binary;    /* guint: columns that turned out to be no text */
    GArray *slices;    /* TdSlice, `table` left 0 */
    guint64 nameless;  /* rows that were left out: see td_regroup_nameless() */
    TdNames *unknown;  /* child tables that had rows and were not known */
    GArray *differing; /* TdPlace: compared, and found to be others */
    GMutex mutex;      /* of the last six */
} TdScanTable;

TdScanTable *td_scan_table_new(TdTable *table, const TdDatabase *database,
                               const TdChildren *children, const TdNames *only);
/* The place of a time among scan->sums; NULL where there is none. */
TdSums *td_scan_place(const TdScanTable *scan, gint64 time);
/* The table was dropped meanwhile. Threads: any. */
void td_scan_table_is_gone(TdScanTable *scan);
/* Before it is read again: its columns are marked, what was read is forgotten. */
void td_scan_table_reset(TdScanTable *scan);
void td_scan_table_free(TdScanTable *scan);

typedef struct TdScanner TdScanner;

typedef struct {
    guint connections;
    gint64 from, to;        /* microseconds; G_MININT64 and G_MAXINT64: open */
    guint64 rate;           /* bytes a second, 0: no limit */
    TdSliceOptions options; /* `precision` is that of each table's database */
    Progress *progress;
    GCancellable *cancellable;
} TdScanOptions;

/* Its connections are made as they are needed, like `client`, which must outlive it and is not used
 * itself. */
TdScanner *td_scanner_new(const TdScanOptions *options, const TdClient *client);
void td_scanner_free(TdScanner *scanner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdScanner, td_scanner_free)

/* Something that is asked of one table, or of a stretch of one: from several threads, each task once.
 * What it writes is the task's own. */
typedef gboolean (*TdAskFunc)(TdClient *client, gpointer task, gpointer data,
                              GCancellable *cancellable, GError **error);

/* Has all tasks asked, on all connections. */
gboolean td_scan_each(TdScanner *scanner, GPtrArray *tasks, TdAskFunc func, gpointer data,
                      GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Called from any thread when all rows that were asked for have come, though the last of them are not
 * written yet; once more where others had to be asked for since. */
typedef void (*TdDrainedFunc)(gpointer data);

/* Reads tables (an array of TdScanTable that were planned); each says how it came out. What is to be
 * compared is only hashed first, and what then differs is read once more. */
gboolean td_scan_run(TdScanner *scanner, GPtrArray *scans, TdDrainedFunc drained, gpointer data,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Microseconds in ticks, rounded up: a range's border. Open borders stay open. */
gint64 td_border_ticks(gint64 microseconds, TdPrecision precision);

#endif
