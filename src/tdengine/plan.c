/* SPDX-License-Identifier: Apache-2.0
 *
 * Cutting time into slices and scans.
 */
#include "tdengine/plan.h"

#include <string.h>

#include "base/error.h"
#include "codec/hash.h"

/* Steps of the newest file set, beside those that an older one of its size gets. */
#define NEWEST_FINER 8u
/* Held stretches of old rows that are asked in one question. The server works on each for some
 * milliseconds in any case, and on several questions side by side. */
#define STRETCHES_AT_ONCE 16u
/* Steps of a file set, at most: ten minutes of ten days. Beyond that child tables are cut apart. */
#define STEPS_MAX 1440u

gint64 td_ticks(TdPrecision precision)
{
    static const gint64 ticks[] = {1000, 1000000, 1000000000};

    return ticks[precision];
}

gint64 td_duration_ticks(const char *text, TdPrecision precision)
{
    static const struct {
        char unit;
        gint64 seconds;
    } units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}};
    char *end;
    guint64 number = g_ascii_strtoull(text, &end, 10);

    for (guint i = 0; i < G_N_ELEMENTS(units); i++) {
        if (end == text || number == 0 || number > 100000000 || end[0] != units[i].unit ||
            end[1] != '\0')
            continue;
        if ((gint64)number > G_MAXINT64 / td_ticks(precision) / units[i].seconds)
            return 0;
        return (gint64)number * units[i].seconds * td_ticks(precision);
    }
    return 0;
}

TdPlan *td_plan_new(gint64 unit)
{
    TdPlan *plan = g_new0(TdPlan, 1);

    plan->unit = MAX(unit, 1);
    plan->spans = g_array_new(FALSE, FALSE, sizeof(TdSpan));
    return plan;
}

TdPlan *td_plan_copy(const TdPlan *plan)
{
    TdPlan *copy = td_plan_new(plan->unit);

    g_array_append_vals(copy->spans, plan->spans->data, plan->spans->len);
    return copy;
}

void td_plan_free(TdPlan *plan)
{
    if (plan == NULL)
        return;
    g_array_unref(plan->spans);
    g_free(plan);
}

static gint64 floor_div(gint64 value, gint64 by)
{
    return value / by - (value % by < 0);
}

/* A file set's borders, where they can be told: the first and last of all time have none. */
static gint64 border(gint64 set, gint64 unit)
{
    gint64 result;

    if (__builtin_mul_overflow(set, unit, &result))
        return set < 0 ? G_MININT64 : G_MAXINT64;
    return result;
}

static int compare_counts(gconstpointer a, gconstpointer b)
{
    const TdCount *left = a, *right = b;

    return left->start < right->start ? -1 : left->start > right->start;
}

void td_plan_sort_counts(GArray *counts)
{
    g_array_sort(counts, compare_counts);
}

/* --- Making it -------------------------------------------------------------------------------- */

/* Rows of a file set. */
typedef struct {
    gint64 set;
    guint64 rows;
} SetRows;

/* Counts by file set; windows of the server that do not begin at a border count where they begin. */
static GArray *by_file_set(gint64 unit, const TdCount *counts, guint n_counts)
{
    GArray *sets = g_array_new(FALSE, FALSE, sizeof(SetRows));

    for (guint i = 0; i < n_counts; i++) {
        SetRows fresh = {floor_div(counts[i].start, unit), counts[i].rows};

        if (sets->len > 0 && g_array_index(sets, SetRows, sets->len - 1).set >= fresh.set)
            g_array_index(sets, SetRows, sets->len - 1).rows += fresh.rows;
        else
            g_array_append_val(sets, fresh);
    }
    return sets;
}

static void add_span(TdPlan *plan, gint64 from_set, gint64 to_set, guint64 parts)
{
    TdSpan span = {.from = border(from_set, plan->unit),
                   .to = border(to_set + 1, plan->unit),
                   .steps = (guint32)CLAMP(parts, 1, MIN(STEPS_MAX, (guint64)plan->unit)),
                   .shards = 1};

    if (parts > STEPS_MAX)
        span.shards = (guint32)MIN((parts + STEPS_MAX - 1) / STEPS_MAX, TD_SHARDS_MAX);
    g_array_append_val(plan->spans, span);
}

/* At least so many steps, of equal length where that can be. */
static guint64 even_steps(guint64 steps, guint64 unit)
{
    for (guint64 even = steps; even <= MIN(2 * steps, STEPS_MAX); even++)
        if (unit % even == 0)
            return even;
    return steps;
}

/* The steps of the newest file set, or 0 where it is as any other. It is expected to become as full as
 * the one before it. */
static guint64 newest_steps(const GArray *sets, gint64 unit, guint64 slice_rows)
{
    guint64 rows, parts;

    if (sets->len == 0)
        return 0;
    rows = g_array_index(sets, SetRows, sets->len - 1).rows;
    if (sets->len > 1)
        rows = MAX(rows, g_array_index(sets, SetRows, sets->len - 2).rows);
    parts = (rows + slice_rows - 1) / slice_rows;
    return parts > 1 && parts * NEWEST_FINER <= STEPS_MAX
               ? even_steps(parts * NEWEST_FINER, (guint64)unit)
               : 0;
}

TdPlan *td_plan_make(gint64 unit, const TdCount *counts, guint n_counts, guint64 row_bytes,
                     guint64 slice_bytes)
{
    TdPlan *plan = td_plan_new(unit);
    g_autoptr(GArray) sets = by_file_set(plan->unit, counts, n_counts);
    const guint64 slice_rows = MAX(slice_bytes / MAX(row_bytes, 1), 1);
    const guint64 finer = newest_steps(sets, plan->unit, slice_rows);
    const guint n_sets = sets->len - (finer > 0);
    guint i = 0;

    while (i < n_sets) {
        const SetRows *first = &g_array_index(sets, SetRows, i);
        guint64 rows = first->rows;
        gint64 last = first->set;

        for (i++; i < n_sets && rows <= slice_rows; i++) {
            const SetRows *next = &g_array_index(sets, SetRows, i);

            if (rows + next->rows > slice_rows)
                break;
            rows += next->rows;
            last = next->set;
        }
        add_span(plan, first->set, last, (rows + slice_rows - 1) / slice_rows);
    }
    if (finer > 0) {
        gint64 set = g_array_index(sets, SetRows, n_sets).set;

        add_span(plan, set, set, finer);
    }
    return plan;
}

void td_plan_extend(TdPlan *plan, const TdCount *counts, guint n_counts)
{
    g_autoptr(GArray) sets = by_file_set(plan->unit, counts, n_counts);
    TdSpan last;

    if (plan->spans->len == 0)
        return;
    last = g_array_index(plan->spans, TdSpan, plan->spans->len - 1);
    if (last.steps == 1)
        return;
    for (guint i = 0; i < sets->len; i++) {
        gint64 set = g_array_index(sets, SetRows, i).set;

        if (border(set, plan->unit) >= last.to)
            add_span(plan, set, set, last.steps);
    }
}

/* --- Finding a row's slice -------------------------------------------------------------------- */

guint64 td_table_hash(const char *name, gsize length)
{
    return xxh3_buffer(name, length, 0).low;
}

static const TdSpan *find_span(const TdPlan *plan, gint64 time)
{
    guint low = 0, high = plan->spans->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const TdSpan *span = &g_array_index(plan->spans, TdSpan, middle);

        if (time < span->from)
            high = middle;
        else if (time >= span->to)
            low = middle + 1;
        else
            return span;
    }
    return NULL;
}

static gint64 step_from(const TdSpan *span, guint32 step)
{
    /* Unsigned: a span may be longer than a signed number can say. */
    guint64 length = ((guint64)span->to - (guint64)span->from) / span->steps;

    return step >= span->steps ? span->to : (gint64)((guint64)span->from + step * length);
}

void td_plan_locate(const TdPlan *plan, gint64 time, guint64 table_hash, TdSlicePlace *ret_place)
{
    const TdSpan *span = find_span(plan, time);
    guint64 length, step;

    if (span == NULL) {
        gint64 set = floor_div(time, plan->unit);

        *ret_place = (TdSlicePlace){border(set, plan->unit), border(set + 1, plan->unit), 0, 1};
        return;
    }
    length = ((guint64)span->to - (guint64)span->from) / span->steps;
    step = MIN(((guint64)time - (guint64)span->from) / length, span->steps - 1);
    *ret_place = (TdSlicePlace){step_from(span, (guint32)step), step_from(span, (guint32)step + 1),
                                (guint32)(table_hash % span->shards), span->shards};
}

gint64 td_plan_file_set(const TdPlan *plan, gint64 time)
{
    return border(floor_div(time, plan->unit), plan->unit);
}

void td_plan_stretch(const TdPlan *plan, gint64 time, TdStretch *ret_stretch)
{
    const TdSpan *span = find_span(plan, time);
    gint64 set = floor_div(time, plan->unit);

    if (span == NULL)
        *ret_stretch = (TdStretch){border(set, plan->unit), border(set + 1, plan->unit), 1};
    else if (span == &g_array_index(plan->spans, TdSpan, plan->spans->len - 1))
        *ret_stretch = (TdStretch){span->from, span->to, span->steps};
    else
        *ret_stretch = (TdStretch){span->from, span->to, 1};
}

gint64 td_plan_step(const TdStretch *stretch, guint32 step)
{
    return step_from(&(TdSpan){stretch->from, stretch->to, stretch->steps, 1}, step);
}

/* A count's rows are in the file set in which it begins; in the next one, too, where the server's
 * windows do not begin at its borders. */
GArray *td_plan_stretches(const TdPlan *plan, const TdCount *counts, guint n_counts)
{
    GArray *stretches = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    gint64 done = G_MININT64;

    for (guint i = 0; i < n_counts; i++) {
        gint64 set = floor_div(counts[i].start, plan->unit);
        gint64 from = MAX(border(set, plan->unit), done);
        gint64 to = border(set + (counts[i].start == border(set, plan->unit) ? 1 : 2), plan->unit);

        while (from < to) {
            TdStretch stretch;

            td_plan_stretch(plan, from, &stretch);
            g_array_append_val(stretches, stretch);
            from = done = stretch.to;
        }
    }
    return stretches;
}

/* --- Questions -------------------------------------------------------------------------------- */

static void add_windows(GArray *windows, TdWindows fresh, gint64 from, gint64 to)
{
    fresh.from = from;
    fresh.to = to;
    if (from < to)
        g_array_append_val(windows, fresh);
}

/* Old rows: by file set, cut where stretches begin. */
static void add_old(GArray *windows, const TdPlan *plan, const GArray *held, gint64 from, gint64 to)
{
    const TdWindows old = {.length = plan->unit};
    guint stretches = 0;

    for (guint i = 0; i < held->len; i++) {
        const TdStretch *stretch = &g_array_index(held, TdStretch, i);

        if (stretch->from < from || stretch->from >= to || stretches++ < STRETCHES_AT_ONCE)
            continue;
        add_windows(windows, old, from, stretch->from);
        from = stretch->from;
        stretches = 1;
    }
    add_windows(windows, old, from, to);
}

GArray *td_plan_windows(const TdPlan *plan, const GArray *held, gint64 from)
{
    GArray *windows = g_array_new(FALSE, FALSE, sizeof(TdWindows));
    const TdSpan *last =
        plan->spans->len > 0 ? &g_array_index(plan->spans, TdSpan, plan->spans->len - 1) : NULL;
    TdWindows newest;

    if (last == NULL || last->steps == 1) {
        add_old(windows, plan, held, from, G_MAXINT64);
        return windows;
    }
    add_old(windows, plan, held, from, last->from);
    newest = (TdWindows){.length = step_from(last, 1) - last->from, .origin = last->from};
    if (((guint64)last->to - (guint64)last->from) % last->steps == 0) {
        add_windows(windows, newest, MAX(from, last->from), G_MAXINT64);
    } else {
        add_windows(windows, newest, MAX(from, last->from), last->to);
        add_old(windows, plan, held, MAX(from, last->to), G_MAXINT64);
    }
    return windows;
}

GArray *td_plan_narrower(const TdWindows *windows, const GArray *held)
{
    GArray *narrower = g_array_new(FALSE, FALSE, sizeof(TdWindows));
    TdWindows counts = *windows;
    gint64 from = windows->from;

    counts.counts = TRUE;
    for (guint i = 0; i < held->len; i++) {
        const TdStretch *stretch = &g_array_index(held, TdStretch, i);

        if (stretch->from < windows->from || stretch->to > windows->to)
            continue;
        if (stretch->from == windows->from && stretch->to == windows->to)
            break; /* it is this one that is refused */
        add_windows(narrower, counts, from, stretch->from);
        add_windows(narrower, *windows, stretch->from, stretch->to);
        from = stretch->to;
    }
    add_windows(narrower, counts, from, windows->to);
    return narrower;
}

/* --- Scans ------------------------------------------------------------------------------------ */

/* The least that is scanned on its own: a span, or so many of its steps as make a scan's slices. */
typedef struct {
    gint64 from;
    guint64 rows;
    guint64 slices;
} Cell;

static guint64 rows_between(const GArray *sets, gint64 unit, gint64 from, gint64 to)
{
    guint64 rows = 0;

    for (guint i = 0; i < sets->len; i++) {
        gint64 start = border(g_array_index(sets, SetRows, i).set, unit);

        if (start >= from && start < to)
            rows += g_array_index(sets, SetRows, i).rows;
    }
    return rows;
}

static GArray *cells_of(const TdPlan *plan, const GArray *sets)
{
    GArray *cells = g_array_new(FALSE, FALSE, sizeof(Cell));

    for (guint i = 0; i < plan->spans->len; i++) {
        const TdSpan *span = &g_array_index(plan->spans, TdSpan, i);
        guint64 rows = rows_between(sets, plan->unit, span->from, span->to);
        guint32 at_once = MAX(TD_PASS_SLICES / span->shards, 1);

        for (guint32 step = 0; step < span->steps; step += at_once) {
            guint32 steps = MIN(at_once, span->steps - step);
            Cell cell = {step_from(span, step), rows / span->steps * steps,
                         (guint64)steps * span->shards};

            g_array_append_val(cells, cell);
        }
    }
    return cells;
}

GArray *td_plan_passes(const TdPlan *plan, const TdCount *counts, guint n_counts, guint64 row_bytes,
                       guint64 pass_bytes, gint64 from, gint64 to)
{
    g_autoptr(GArray) sets = by_file_set(plan->unit, counts, n_counts);
    g_autoptr(GArray) cells = cells_of(plan, sets);
    GArray *passes = g_array_new(FALSE, FALSE, sizeof(TdPass));
    TdPass pass = {.from = from};
    guint64 slices = 0;

    for (guint i = 0; i < cells->len; i++) {
        const Cell *cell = &g_array_index(cells, Cell, i);

        if (cell->from >= to || (i + 1 < cells->len && cell[1].from <= from))
            continue; /* outside */
        if (slices > 0 && cell->from > pass.from && cell->from < to &&
            (slices + cell->slices > TD_PASS_SLICES ||
             (pass.rows + cell->rows) * row_bytes > pass_bytes)) {
            pass.to = cell->from;
            g_array_append_val(passes, pass);
            pass = (TdPass){.from = cell->from};
            slices = 0;
        }
        pass.rows += cell->rows;
        slices += cell->slices;
    }
    pass.to = to;
    g_array_append_val(passes, pass);
    return passes;
}

/* The end of the step that a time is in. */
static gint64 step_end(const TdPlan *plan, gint64 time)
{
    TdSlicePlace place;

    td_plan_locate(plan, time, 0, &place);
    return place.to;
}

GArray *td_plan_cut(const TdPlan *plan, gint64 from, gint64 to, guint parts)
{
    GArray *ends = g_array_new(FALSE, FALSE, sizeof(gint64));
    guint steps = 0, done = 0;

    if (parts > 1 && from != G_MININT64 && to != G_MAXINT64)
        for (gint64 at = from; at < to; at = step_end(plan, at))
            steps++;
    for (gint64 at = from; steps > 0 && at < to;) {
        at = step_end(plan, at);
        done++;
        if (at < to && done * parts / steps > (done - 1) * parts / steps)
            g_array_append_val(ends, at);
    }
    g_array_append_val(ends, to);
    return ends;
}

/* --- JSON ------------------------------------------------------------------------------------- */

json_t *td_plan_to_json(const TdPlan *plan)
{
    json_t *spans = json_array();

    for (guint i = 0; i < plan->spans->len; i++) {
        const TdSpan *span = &g_array_index(plan->spans, TdSpan, i);

        json_array_append_new(spans,
                              json_pack("[I, I, i, i]", (json_int_t)span->from,
                                        (json_int_t)span->to, (int)span->steps, (int)span->shards));
    }
    return json_pack("{s:I, s:o}", "unit", (json_int_t)plan->unit, "spans", spans);
}

static gboolean span_from_json(const json_t *json, gint64 before, TdSpan *ret_span)
{
    json_int_t number[4];

    if (!json_is_array(json) || json_array_size(json) != G_N_ELEMENTS(number))
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(number); i++) {
        if (!json_is_integer(json_array_get(json, i)))
            return FALSE;
        number[i] = json_integer_value(json_array_get(json, i));
    }
    if (number[0] < before || number[1] <= number[0] || number[2] < 1 || number[2] > STEPS_MAX ||
        number[3] < 1 || number[3] > TD_SHARDS_MAX ||
        (guint64)number[1] - (guint64)number[0] < (guint64)number[2])
        return FALSE;
    *ret_span = (TdSpan){number[0], number[1], (guint32)number[2], (guint32)number[3]};
    return TRUE;
}

TdPlan *td_plan_from_json(const json_t *json, const char *what, GError **error)
{
    g_autoptr(TdPlan) plan = NULL;
    gint64 before = G_MININT64;
    json_t *spans, *entry;
    guint64 unit;
    size_t index;

    if (!json_need_uint(json, "unit", what, &unit, error) ||
        !json_need_array(json, "spans", what, &spans, error))
        return NULL;
    plan = td_plan_new((gint64)MIN(unit, G_MAXINT64));
    json_array_foreach(spans, index, entry)
    {
        TdSpan span;

        if (unit == 0 || !span_from_json(entry, before, &span)) {
            error_set(error, ERROR_FORMAT, "%s: span %zu of the plan of slices makes no sense",
                      what, index);
            return NULL;
        }
        g_array_append_val(plan->spans, span);
        before = span.to;
    }
    return g_steal_pointer(&plan);
}
