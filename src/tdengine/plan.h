/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan of a table's slices. The axis of time is cut at the borders of the server's file sets
 * (multiples of the database's DURATION since 1970); small file sets beside each other become one
 * span, a large one is a span of several equal steps. A slice is the rows of one step, or, where
 * even a step is too much, of one shard of its child tables. The plan is made from counts at the
 * full and kept by its increments, so that a slice can be compared with its older self. The newest
 * file set, where rows are still to come, is cut finer: increments read its end again and again.
 *
 * No row is without a slice: where the plan has no span, each file set is a span of one step and
 * one shard.
 *
 * Times are ticks of the database's precision since 1970. Pure functions; threads: any.
 */
#ifndef HOLDFAST_TDENGINE_PLAN_H
#define HOLDFAST_TDENGINE_PLAN_H

#include "base/json.h"
#include "tdengine/type.h"

/* Bytes of raw rows that a slice shall have: some ten megabytes when it is compressed. */
#define TD_SLICE_BYTES (48u * 1024 * 1024)
/* Slices that one scan fills at the same time, at most. */
#define TD_PASS_SLICES 16u
#define TD_SHARDS_MAX  4096u

typedef struct {
    gint64 from, to; /* from <= time < to */
    guint32 steps;   /* of equal length (the last may be a tick longer) */
    guint32 shards;  /* of each step */
} TdSpan;

typedef struct {
    gint64 unit;   /* length of a file set, in ticks */
    GArray *spans; /* TdSpan, rising, not overlapping, ends at multiples of unit */
} TdPlan;

/* Rows that a count found from `start` on, up to the next count's start. */
typedef struct {
    gint64 start;
    guint64 rows;
} TdCount;

/* A stretch of time: from <= time < to. */
typedef struct {
    gint64 from, to;
} TdPlace;

/* Where a row belongs. */
typedef struct {
    gint64 from, to;
    guint32 shard, shards;
} TdSlicePlace;

TdPlan *td_plan_new(gint64 unit);
TdPlan *td_plan_copy(const TdPlan *plan);
void td_plan_free(TdPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdPlan, td_plan_free)

/* Ticks in a second; "10d", "240h" or "14400m" in ticks, 0 where it is none of them. */
gint64 td_ticks(TdPrecision precision);
gint64 td_duration_ticks(const char *text, TdPrecision precision);

/* Sorts an array of TdCount by start. */
void td_plan_sort_counts(GArray *counts);

/* Makes the plan for rows of about `row_bytes` each. Counts rise by start. */
TdPlan *td_plan_make(gint64 unit, const TdCount *counts, guint n_counts, guint64 row_bytes,
                     guint64 slice_bytes);

/* Adds the file sets behind a plan's last one that have rows, cut as that is: made by an increment whose
 * base did not know them. */
void td_plan_extend(TdPlan *plan, const TdCount *counts, guint n_counts);

/* The slice of a time and a table. Shards go by td_table_hash(). */
void td_plan_locate(const TdPlan *plan, gint64 time, guint64 table_hash, TdSlicePlace *ret_place);

/* A stretch of time of which a server is asked as a whole: a span, or a file set that no span has. Of
 * the newest span, where rows are expected, each step is asked for. */
typedef struct {
    gint64 from, to; /* from <= time < to */
    guint32 steps;   /* that are told apart: 1 but of the newest span */
} TdStretch;

/* Where the file set of a time begins. */
gint64 td_plan_file_set(const TdPlan *plan, gint64 time);

/* The stretch of a time, and the border of its step (td_plan_step(stretch, steps) is its end). */
void td_plan_stretch(const TdPlan *plan, gint64 time, TdStretch *ret_stretch);
gint64 td_plan_step(const TdStretch *stretch, guint32 step);

/* The stretches in which the counted rows can be, rising: an array of TdStretch. */
GArray *td_plan_stretches(const TdPlan *plan, const TdCount *counts, guint n_counts);

/* Windows of time of equal length of which a server is asked in one question: from <= time < to, and
 * G_MININT64 and G_MAXINT64 leave a side open. */
typedef struct {
    gint64 from, to;
    gint64 length;
    gint64 origin;   /* one of them begins here */
    gboolean counts; /* only how many rows they have */
} TdWindows;

/* The questions for all time from `from` on, which is a stretch's border or G_MININT64: rising, each
 * beginning where the one before it ends. In windows of a file set where rows are old, of a step in
 * the newest span, and behind it too where steps end at the borders of file sets. `held` (an array of
 * TdStretch) is where rows are expected: it is not all asked in one. An array of TdWindows. */
GArray *td_plan_windows(const TdPlan *plan, const GArray *held, gint64 from);

/* Questions for the time of one that the server refused: each held stretch in it for itself, and only
 * counts of what is beside them, or of a single stretch. An array of TdWindows. */
GArray *td_plan_narrower(const TdWindows *windows, const GArray *held);

/* What decides over a table's shard: shard = hash % shards. The low half of XXH3-128 of its name. */
guint64 td_table_hash(const char *name, gsize length);

/* A scan: the rows from <= time < to. G_MININT64 and G_MAXINT64 leave a side open. */
typedef struct {
    gint64 from, to;
    guint64 rows; /* about so many */
} TdPass;

/* Cuts the axis into scans that fill at most TD_PASS_SLICES slices each and that hold about
 * `pass_bytes` or a whole file set, whichever is more. Together they cover [from, to). An array of
 * TdPass. */
GArray *td_plan_passes(const TdPlan *plan, const TdCount *counts, guint n_counts, guint64 row_bytes,
                       guint64 pass_bytes, gint64 from, gint64 to);

/* Cuts a stretch of time at its steps' borders into `parts` of about as many steps, or fewer: the end of
 * each, an array of gint64. Without an end it is one part. */
GArray *td_plan_cut(const TdPlan *plan, gint64 from, gint64 to, guint parts);

/* {"unit": …, "spans": [[from, to, steps, shards], …]} */
json_t *td_plan_to_json(const TdPlan *plan);
TdPlan *td_plan_from_json(const json_t *json, const char *what,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
