/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the rows of tables into slices: plans from counts, scans side by side on connections of
 * their own.
 *
 * What each way of reading costs was measured on a real server (docs/tdengine.md): a plain scan of
 * the super table, a file set at a time, with tbname among the columns, is up to 30 times faster
 * than one by table.
 */
#ifndef HOLDFAST_TDENGINE_SCAN_H
#define HOLDFAST_TDENGINE_SCAN_H

#include "base/progress.h"
#include "config/config.h"
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

/* One table to read. */
typedef struct {
    TdTable *table;
    const TdDatabase *database;
    const TdChildren *children; /* of a super table, a virtual one too: those that are known */
    const TdNames *only;        /* names of child tables to take; NULL: all */
    GArray *counts;             /* TdCount, from td_scan_plan() */
    gboolean beside;            /* the counts leave out the base's stretches */
    TdBaseTable *base;          /* of an incremental, to be freed with it; NULL: none */
    GArray *sums;               /* TdSums of its places, rising, from td_survey_ask() */
    gboolean quick;             /* places that are clean are the base's and not read */
    GArray *ranges;             /* TdRange, rising; NULL: everything is read */
    gboolean recounted;         /* the server counts other rows than were read */
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
/* Before it is read again: its columns are marked, what was read is forgotten. */
void td_scan_table_reset(TdScanTable *scan);
void td_scan_table_free(TdScanTable *scan);

typedef struct TdScanner TdScanner;

typedef struct {
    const ConfigSource *source;
    guint connections;
    gint64 from, to;        /* microseconds; G_MININT64 and G_MAXINT64: open */
    gboolean sums;          /* places will be asked for theirs, which count their rows, too */
    guint64 rate;           /* bytes a second, 0: no limit */
    TdSliceOptions options; /* `precision` is that of each table's database */
    Progress *progress;
    GCancellable *cancellable;
} TdScanOptions;

/* Takes a connection to begin with. */
TdScanner *td_scanner_new(const TdScanOptions *options, TdClient *client);
void td_scanner_free(TdScanner *scanner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdScanner, td_scanner_free)

/* Something that is asked of one table, or of a stretch of one: from several threads, each task once.
 * What it writes is the task's own. */
typedef gboolean (*TdAskFunc)(TdClient *client, gpointer task, gpointer data,
                              GCancellable *cancellable, GError **error);

/* Has all tasks asked, on all connections. */
gboolean td_scan_each(TdScanner *scanner, GPtrArray *tasks, TdAskFunc func, gpointer data,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Counts the tables' rows by file set and plans their slices (table->plan). Where a base's plan is kept
 * only what is beside its slices is counted: their sums will tell the rest. *ret_rows: how many rows
 * were counted. */
gboolean td_scan_plan(TdScanner *scanner, GPtrArray *scans, guint64 *ret_rows,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads tables (an array of TdScanTable that were planned); each says how it came out. What is to be
 * compared is only hashed first, and what then differs is read once more. */
gboolean td_scan_run(TdScanner *scanner, GPtrArray *scans,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Microseconds in ticks, rounded up: a range's border. Open borders stay open. */
gint64 td_border_ticks(gint64 microseconds, TdPrecision precision);

#endif
