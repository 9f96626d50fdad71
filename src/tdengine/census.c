/* SPDX-License-Identifier: Apache-2.0
 *
 * Rounds of questions: counts where a plan is to be made, windows of the plan, and once more where
 * rows lie behind the newest file set that the plan knows.
 */
#include "tdengine/census.h"

#include "base/error.h"
#include "tdengine/connect.h"
#include "tdengine/sums.h"

/* What was asked of one table. */
typedef struct {
    TdScanTable *scan;
    gint64 unit;     /* of its database's file sets, in ticks */
    gboolean kept;   /* the plan is its base's */
    GArray *held;    /* TdStretch, rising: where rows are known, or were */
    GArray *windows; /* TdWindow: the answers */
} Sheet;

typedef struct {
    Sheet *sheet;
    TdWindows windows;
    GArray *answers; /* TdWindow */
    gboolean refused;
} Question;

typedef struct {
    TdScanner *scanner;
    const TdCensusOptions *options;
    GCancellable *cancellable;
    GPtrArray *sheets;    /* Sheet */
    GPtrArray *questions; /* Question, of the next round */
} Census;

static void sheet_free(Sheet *sheet)
{
    g_array_unref(sheet->held);
    g_array_unref(sheet->windows);
    g_free(sheet);
}

static void question_free(Question *question)
{
    g_array_unref(question->answers);
    g_free(question);
}

static void census_clear(Census *census)
{
    g_clear_pointer(&census->questions, g_ptr_array_unref);
    g_clear_pointer(&census->sheets, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Census, census_clear)

/* --- Asking ----------------------------------------------------------------------------------- */

static GPtrArray *no_questions(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)question_free);
}

static void add_question(GPtrArray *questions, Sheet *sheet, const TdWindows *windows)
{
    Question *question = g_new0(Question, 1);

    question->sheet = sheet;
    question->windows = *windows;
    question->answers = g_array_new(FALSE, FALSE, sizeof(TdWindow));
    g_ptr_array_add(questions, question);
}

static void add_questions(GPtrArray *questions, Sheet *sheet, const GArray *windows)
{
    for (guint i = 0; i < windows->len; i++)
        add_question(questions, sheet, &g_array_index(windows, TdWindows, i));
}

static gboolean ask(TdClient *client, gpointer task, gpointer data, GCancellable *cancellable,
                    GError **error)
{
    Question *question = task;
    TdScanTable *scan = question->sheet->scan;
    const guint64 *key = data;
    g_autoptr(GError) problem = NULL;

    if (td_sums_ask(client, scan->table, scan->database->precision, *key, &question->windows,
                    question->answers, &question->refused, cancellable, &problem))
        return TRUE;
    if (td_error_is_gone(problem)) {
        td_scan_table_is_gone(scan);
        return TRUE;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Takes the answers of a round. What was refused is asked in another way in the next one. */
static void end_round(Census *census)
{
    g_autoptr(GPtrArray) asked = g_steal_pointer(&census->questions);

    census->questions = no_questions();
    for (guint i = 0; i < asked->len; i++) {
        const Question *question = g_ptr_array_index(asked, i);
        Sheet *sheet = question->sheet;

        g_array_append_vals(sheet->windows, question->answers->data, question->answers->len);
        if (question->refused) {
            g_autoptr(GArray) narrower = td_plan_narrower(&question->windows, sheet->held);

            add_questions(census->questions, sheet, narrower);
        }
    }
}

static gboolean ask_all(Census *census, GError **error)
{
    guint64 key = census->options->key;

    while (census->questions->len > 0) {
        if (!td_scan_each(census->scanner, census->questions, ask, &key, census->cancellable,
                          error))
            return FALSE;
        end_round(census);
    }
    return TRUE;
}

/* --- Counting and planning -------------------------------------------------------------------- */

/* Counts of the answers, in the place of those that were there. */
static void enter_counts(const Sheet *sheet)
{
    GArray *counts = sheet->scan->counts;

    g_array_set_size(counts, 0);
    for (guint i = 0; i < sheet->windows->len; i++) {
        const TdWindow *window = &g_array_index(sheet->windows, TdWindow, i);
        const TdCount count = {window->start, window->rows};

        g_array_append_val(counts, count);
    }
    td_plan_sort_counts(counts);
}

static gboolean find_unit(const TdScanTable *scan, gint64 *ret_unit, GError **error)
{
    const char *duration = json_get_string(scan->database->options, "duration", "10d");

    *ret_unit = td_duration_ticks(duration, scan->database->precision);
    if (*ret_unit > 0)
        return TRUE;
    error_set(error, ERROR_FORMAT, "database %s has a DURATION of \"%s\", which is not known",
              scan->database->name, duration);
    return FALSE;
}

static gboolean add_sheet(Census *census, TdScanTable *scan, GError **error)
{
    TdTable *table = scan->table;
    Sheet *sheet = g_new0(Sheet, 1);

    sheet->scan = scan;
    sheet->held = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    sheet->windows = g_array_new(FALSE, FALSE, sizeof(TdWindow));
    g_ptr_array_add(census->sheets, sheet);
    g_clear_pointer(&table->plan, td_plan_free);
    if (!find_unit(scan, &sheet->unit, error))
        return FALSE;
    sheet->kept = scan->base != NULL && scan->base->plan->unit == sheet->unit;
    if (sheet->kept)
        table->plan = td_plan_copy(scan->base->plan);
    return TRUE;
}

/* Of tables without a plan, and of all where nothing but counts is wanted. */
static void ask_for_counts(Census *census)
{
    for (guint i = 0; i < census->sheets->len; i++) {
        Sheet *sheet = g_ptr_array_index(census->sheets, i);
        const TdPrecision precision = sheet->scan->database->precision;
        const TdWindows windows = {.from = td_border_ticks(census->options->from, precision),
                                   .to = td_border_ticks(census->options->to, precision),
                                   .length = sheet->unit,
                                   .counts = TRUE};

        if (!sheet->kept || !census->options->sums)
            add_question(census->questions, sheet, &windows);
    }
}

static void make_plan(Sheet *sheet)
{
    TdTable *table = sheet->scan->table;
    const GArray *counts = sheet->scan->counts;

    table->plan = td_plan_make(sheet->unit, (const TdCount *)(gpointer)counts->data, counts->len,
                               td_table_row_bytes(table), TD_SLICE_BYTES);
    g_array_unref(sheet->held);
    sheet->held =
        td_plan_stretches(table->plan, (const TdCount *)(gpointer)counts->data, counts->len);
}

/* Adds to the plan what was counted behind it. */
static void extend_plan(const Sheet *sheet)
{
    const GArray *counts = sheet->scan->counts;

    td_plan_extend(sheet->scan->table->plan, (const TdCount *)(gpointer)counts->data, counts->len);
}

/* Plans for the tables that were counted; the others keep their base's. */
static void make_plans(Census *census)
{
    for (guint i = 0; i < census->sheets->len; i++) {
        Sheet *sheet = g_ptr_array_index(census->sheets, i);

        enter_counts(sheet);
        if (sheet->kept)
            extend_plan(sheet);
        else
            make_plan(sheet);
    }
}

/* --- Sums ------------------------------------------------------------------------------------- */

static void ask_from(Census *census, Sheet *sheet, gint64 from)
{
    g_autoptr(GArray) windows = td_plan_windows(sheet->scan->table->plan, sheet->held, from);

    add_questions(census->questions, sheet, windows);
}

static void ask_for_sums(Census *census)
{
    for (guint i = 0; i < census->sheets->len; i++) {
        Sheet *sheet = g_ptr_array_index(census->sheets, i);
        const TdScanTable *scan = sheet->scan;

        g_array_set_size(sheet->windows, 0);
        if (sheet->kept) {
            g_array_unref(sheet->held);
            sheet->held = td_base_stretches(scan->base, scan->table->plan);
        }
        ask_from(census, sheet, G_MININT64);
    }
}

/* Where rows lie behind the plan's newest file set, theirs becomes the newest, and that one is no more
 * told by its steps: both are asked anew. */
static void ask_behind(Census *census)
{
    for (guint i = 0; i < census->sheets->len; i++) {
        Sheet *sheet = g_ptr_array_index(census->sheets, i);
        const TdPlan *plan = sheet->scan->table->plan;
        const guint spans = plan->spans->len;
        gint64 from;

        enter_counts(sheet);
        extend_plan(sheet);
        if (plan->spans->len == spans)
            continue;
        from = g_array_index(plan->spans, TdSpan, spans - 1).from;
        for (guint j = sheet->windows->len; j-- > 0;)
            if (g_array_index(sheet->windows, TdWindow, j).start >= from)
                g_array_remove_index_fast(sheet->windows, j);
        ask_from(census, sheet, from);
    }
}

/* --- The result ------------------------------------------------------------------------------- */

static int compare_stretches(gconstpointer a, gconstpointer b)
{
    const TdStretch *left = a, *right = b;

    return left->from < right->from ? -1 : left->from > right->from;
}

static void add_stretch(GArray *stretches, const TdPlan *plan, gint64 time)
{
    TdStretch stretch;

    td_plan_stretch(plan, time, &stretch);
    if (stretches->len == 0 ||
        g_array_index(stretches, TdStretch, stretches->len - 1).from != stretch.from)
        g_array_append_val(stretches, stretch);
}

/* Where rows are, or were: an array of TdStretch. Windows that do not begin where file sets do, as only
 * counts may have, are of two of them. */
static GArray *all_stretches(const Sheet *sheet)
{
    const TdPlan *plan = sheet->scan->table->plan;
    GArray *stretches = g_array_new(FALSE, FALSE, sizeof(TdStretch));

    for (guint i = 0; i < sheet->held->len; i++)
        add_stretch(stretches, plan, g_array_index(sheet->held, TdStretch, i).from);
    for (guint i = 0; i < sheet->windows->len; i++) {
        const TdWindow *window = &g_array_index(sheet->windows, TdWindow, i);

        add_stretch(stretches, plan, window->start);
        add_stretch(stretches, plan, MAX(window->start, window->end - 1));
    }
    g_array_sort(stretches, compare_stretches);
    return stretches;
}

/* Nothing is known yet against their being empty. */
static void enter_places(const Sheet *sheet)
{
    g_autoptr(GArray) stretches = all_stretches(sheet);

    for (guint i = 0; i < stretches->len; i++) {
        const TdStretch *stretch = &g_array_index(stretches, TdStretch, i);

        if (i > 0 && stretch->from == stretch[-1].from)
            continue;
        for (guint32 step = 0; step < stretch->steps; step++) {
            const TdSums sums = {.from = td_plan_step(stretch, step),
                                 .to = td_plan_step(stretch, step + 1),
                                 .known = TRUE};

            g_array_append_val(sheet->scan->sums, sums);
        }
    }
}

static void enter_sums(const Sheet *sheet)
{
    TdScanTable *scan = sheet->scan;

    enter_counts(sheet);
    g_array_set_size(scan->sums, 0);
    enter_places(sheet);
    for (guint i = 0; i < sheet->windows->len; i++) {
        const TdWindow *window = &g_array_index(sheet->windows, TdWindow, i);
        TdSums *sums = td_scan_place(scan, window->start); /* each window has its place */

        sums->rows += window->rows;
        sums->known = sums->known && window->known;
        td_fingerprint_add(&sums->sums, window->sums);
        if (!window->known)
            td_scan_place(scan, MAX(window->start, window->end - 1))->known = FALSE;
    }
}

gboolean td_census_take(TdScanner *scanner, GPtrArray *scans, const TdCensusOptions *options,
                        GCancellable *cancellable, GError **error)
{
    g_auto(Census) census = {scanner, options, cancellable,
                             g_ptr_array_new_with_free_func((GDestroyNotify)sheet_free),
                             no_questions()};

    for (guint i = 0; i < scans->len; i++)
        if (!add_sheet(&census, g_ptr_array_index(scans, i), error))
            return FALSE;
    ask_for_counts(&census);
    if (!ask_all(&census, error))
        return FALSE;
    make_plans(&census);
    if (!options->sums)
        return TRUE;
    ask_for_sums(&census);
    if (!ask_all(&census, error))
        return FALSE;
    ask_behind(&census);
    if (!ask_all(&census, error))
        return FALSE;
    for (guint i = 0; i < census.sheets->len; i++)
        enter_sums(g_ptr_array_index(census.sheets, i));
    return TRUE;
}
