/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans of slices: borders, sizes, every time in exactly one slice and one scan.
 */
#include "tdengine/plan.h"

#define DAY (G_GINT64_CONSTANT(86400) * 1000)

static void test_durations(void)
{
    g_assert_cmpint(td_duration_ticks("10d", TD_MILLISECONDS), ==, 10 * DAY);
    g_assert_cmpint(td_duration_ticks("14400m", TD_MILLISECONDS), ==, 10 * DAY);
    g_assert_cmpint(td_duration_ticks("240h", TD_NANOSECONDS), ==, 10 * DAY * 1000000);
    g_assert_cmpint(td_duration_ticks("10", TD_MILLISECONDS), ==, 0);
    g_assert_cmpint(td_duration_ticks("d", TD_MILLISECONDS), ==, 0);
    g_assert_cmpint(td_duration_ticks("99999999d", TD_NANOSECONDS), ==, 0);
}

static const TdSpan *span_at(const TdPlan *plan, guint index)
{
    g_assert_cmpuint(index, <, plan->spans->len);
    return &g_array_index(plan->spans, TdSpan, index);
}

/* Small file sets come together, a large one is cut, borders are those of file sets. */
static void test_make(void)
{
    const TdCount counts[] = {
        {-10 * DAY, 10}, {0, 20}, {20 * DAY, 1000}, {30 * DAY, 5}, {50 * DAY, 6}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, G_N_ELEMENTS(counts), 10, 1000);

    g_assert_cmpuint(plan->spans->len, ==, 3);
    g_assert_cmpint(span_at(plan, 0)->from, ==, -10 * DAY);
    g_assert_cmpint(span_at(plan, 0)->to, ==, 10 * DAY);
    g_assert_cmpuint(span_at(plan, 0)->steps, ==, 1);
    g_assert_cmpint(span_at(plan, 1)->from, ==, 20 * DAY);
    g_assert_cmpint(span_at(plan, 1)->to, ==, 30 * DAY);
    g_assert_cmpuint(span_at(plan, 1)->steps, ==, 10);
    g_assert_cmpuint(span_at(plan, 1)->shards, ==, 1);
    g_assert_cmpint(span_at(plan, 2)->from, ==, 30 * DAY);
    g_assert_cmpint(span_at(plan, 2)->to, ==, 60 * DAY);
}

/* Where rows are still to come steps are shorter, and what comes behind it is cut alike. */
static void test_newest(void)
{
    const TdCount counts[] = {{0, 450}, {10 * DAY, 480}, {20 * DAY, 30}};
    const TdCount more[] = {{10 * DAY, 480}, {20 * DAY, 400}, {40 * DAY, 1}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, G_N_ELEMENTS(counts), 10, 1000);

    g_assert_cmpuint(plan->spans->len, ==, 3);
    g_assert_cmpuint(span_at(plan, 1)->steps, ==, 5);
    g_assert_cmpint(span_at(plan, 2)->from, ==, 20 * DAY);
    g_assert_cmpuint(span_at(plan, 2)->steps, ==, 40);
    td_plan_extend(plan, more, G_N_ELEMENTS(more));
    g_assert_cmpuint(plan->spans->len, ==, 4);
    g_assert_cmpint(span_at(plan, 3)->from, ==, 40 * DAY);
    g_assert_cmpint(span_at(plan, 3)->to, ==, 50 * DAY);
    g_assert_cmpuint(span_at(plan, 3)->steps, ==, 40);
}

/* Steps end where their file set does, where that takes no more than twice as many. */
static void test_even_steps(void)
{
    const TdCount counts[] = {{0, 110}};
    g_autoptr(TdPlan) even = td_plan_make(2160, counts, 1, 10, 1000);
    g_autoptr(TdPlan) prime = td_plan_make(2161, counts, 1, 10, 1000);

    g_assert_cmpuint(span_at(even, 0)->steps, ==, 16);
    g_assert_cmpuint(span_at(prime, 0)->steps, ==, 16);
    for (guint rows = 110; rows < 2000; rows += 90) {
        const TdCount more = {0, rows};
        g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, &more, 1, 10, 1000);

        g_assert_cmpint(10 * DAY % span_at(plan, 0)->steps, ==, 0);
        g_assert_cmpuint(span_at(plan, 0)->steps, >=, (rows + 99) / 100 * 8);
    }
}

/* Parts end at borders of steps, and with the stretch. */
static void test_cut(void)
{
    const TdCount counts[] = {{0, 100}, {10 * DAY, 200}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, G_N_ELEMENTS(counts), 10, 1000);
    g_autoptr(GArray) open = td_plan_cut(plan, 0, G_MAXINT64, 4);
    g_autoptr(GArray) three = NULL, many = NULL;
    TdStretch newest;

    td_plan_stretch(plan, 10 * DAY, &newest);
    g_assert_cmpuint(newest.steps, ==, 16);
    g_assert_cmpuint(open->len, ==, 1);
    three = td_plan_cut(plan, newest.from, td_plan_step(&newest, 9), 3);
    g_assert_cmpuint(three->len, ==, 3);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpint(g_array_index(three, gint64, i), ==, td_plan_step(&newest, 3 * (i + 1)));
    many = td_plan_cut(plan, 0, td_plan_step(&newest, 1), 8);
    g_assert_cmpuint(many->len, ==, 2);
    g_assert_cmpint(g_array_index(many, gint64, 0), ==, newest.from);
    g_assert_cmpint(g_array_index(many, gint64, 1), ==, td_plan_step(&newest, 1));
    g_assert_cmpint(td_plan_file_set(plan, td_plan_step(&newest, 5)), ==, newest.from);
    g_assert_cmpint(td_plan_file_set(plan, -1), ==, -10 * DAY);
}

static void test_stretches(void)
{
    const TdCount counts[] = {{-10 * DAY, 20}, {0, 200}, {10 * DAY, 200}, {31 * DAY, 7}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, 3, 10, 1000);
    g_autoptr(GArray) stretches = td_plan_stretches(plan, counts, G_N_ELEMENTS(counts));
    const TdStretch *newest = &g_array_index(stretches, TdStretch, 2);
    gint64 before = G_MININT64;

    /* Three spans, and two file sets that the plan does not know: a count that begins at no border may
     * be of either. */
    g_assert_cmpuint(stretches->len, ==, 5);
    for (guint i = 0; i < stretches->len; i++) {
        const TdStretch *stretch = &g_array_index(stretches, TdStretch, i);

        g_assert_cmpint(stretch->from, >=, before);
        g_assert_cmpuint(stretch->steps, ==, stretch == newest ? 16 : 1);
        before = stretch->to;
    }
    g_assert_cmpint(before, ==, 50 * DAY);
    for (guint32 step = 0; step < newest->steps; step++) {
        TdSlicePlace slice;

        td_plan_locate(plan, td_plan_step(newest, step), 0, &slice);
        g_assert_cmpint(td_plan_step(newest, step), ==, slice.from);
        g_assert_cmpint(td_plan_step(newest, step + 1), ==, slice.to);
    }
}

static void test_shards(void)
{
    const TdCount counts[] = {{0, 10000000}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, 1, 1, 1000);
    TdSlicePlace place;

    g_assert_cmpuint(span_at(plan, 0)->steps, ==, 1440);
    g_assert_cmpuint(span_at(plan, 0)->shards, ==, 7);
    td_plan_locate(plan, DAY, 10, &place);
    g_assert_cmpuint(place.shards, ==, 7);
    g_assert_cmpuint(place.shard, ==, 3);
}

/* The slice of a time holds it, and its neighbours begin where it ends. */
static void check_place(const TdPlan *plan, gint64 time)
{
    TdSlicePlace place, next;

    td_plan_locate(plan, time, 0, &place);
    g_assert_cmpint(place.from, <=, time);
    g_assert_cmpint(time, <, place.to);
    td_plan_locate(plan, place.to - 1, 0, &next);
    g_assert_cmpint(next.from, ==, place.from);
    if (place.to == G_MAXINT64)
        return;
    td_plan_locate(plan, place.to, 0, &next);
    g_assert_cmpint(next.from, ==, place.to);
}

static void test_locate(void)
{
    const TdCount counts[] = {{-10 * DAY, 333}, {10 * DAY, 100}, {40 * DAY, 777}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, G_N_ELEMENTS(counts), 10, 1000);

    for (gint64 time = -35 * DAY; time < 80 * DAY; time += DAY / 7)
        check_place(plan, time);
    check_place(plan, -1);
    check_place(plan, 0);
    check_place(plan, G_MININT64);
    check_place(plan, G_MAXINT64 - 1);
}

static void check_passes(const TdPlan *plan, const TdCount *counts, guint n_counts, gint64 from,
                         gint64 to, guint least)
{
    g_autoptr(GArray) passes = td_plan_passes(plan, counts, n_counts, 10, 1000, from, to);

    g_assert_cmpuint(passes->len, >=, least);
    g_assert_cmpint(g_array_index(passes, TdPass, 0).from, ==, from);
    for (guint i = 0; i < passes->len; i++) {
        const TdPass *pass = &g_array_index(passes, TdPass, i);
        TdSlicePlace place;

        g_assert_cmpint(pass->from, <, pass->to);
        if (i + 1 == passes->len) {
            g_assert_cmpint(pass->to, ==, to);
            continue;
        }
        g_assert_cmpint(pass->to, ==, g_array_index(passes, TdPass, i + 1).from);
        td_plan_locate(plan, pass->to, 0, &place);
        g_assert_cmpint(place.from, ==, pass->to); /* no slice lies in two scans */
    }
}

static void test_passes(void)
{
    const TdCount counts[] = {{-10 * DAY, 333}, {10 * DAY, 100}, {40 * DAY, 7770}};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, G_N_ELEMENTS(counts), 10, 1000);
    g_autoptr(TdPlan) nothing = td_plan_make(10 * DAY, NULL, 0, 10, 1000);

    check_passes(plan, counts, G_N_ELEMENTS(counts), G_MININT64, G_MAXINT64, 3);
    check_passes(plan, counts, G_N_ELEMENTS(counts), 12 * DAY, 13 * DAY, 1);
    check_passes(plan, counts, G_N_ELEMENTS(counts), 41 * DAY, 46 * DAY, 1);
    check_passes(nothing, NULL, 0, G_MININT64, G_MAXINT64, 1);
}

static void test_json(void)
{
    const TdCount counts[] = {{-10 * DAY, 333}, {10 * DAY, 100}, {40 * DAY, 777}};
    const char *const broken[] = {"{\"unit\": 5}",
                                  "{\"unit\": 5, \"spans\": [[0, 10, 0, 1]]}",
                                  "{\"unit\": 5, \"spans\": [[10, 0, 1, 1]]}",
                                  "{\"unit\": 5, \"spans\": [[0, 10, 11, 1]]}",
                                  "{\"unit\": 5, \"spans\": [[0, 10, 1, 1], [5, 15, 1, 1]]}",
                                  "{\"unit\": 5, \"spans\": [[0, 10, 1, \"1\"]]}"};
    g_autoptr(TdPlan) plan = td_plan_make(10 * DAY, counts, G_N_ELEMENTS(counts), 10, 1000);
    g_autoptr(json_t) json = td_plan_to_json(plan);
    g_autoptr(TdPlan) again = td_plan_from_json(json, "plan", NULL);

    g_assert_nonnull(again);
    g_assert_cmpint(again->unit, ==, plan->unit);
    g_assert_cmpmem(again->spans->data, again->spans->len * sizeof(TdSpan), plan->spans->data,
                    plan->spans->len * sizeof(TdSpan));
    for (guint i = 0; i < G_N_ELEMENTS(broken); i++) {
        g_autoptr(json_t) document = json_loads(broken[i], 0, NULL);
        g_autoptr(GError) error = NULL;

        g_assert_nonnull(document);
        g_assert_null(td_plan_from_json(document, "plan", &error));
        g_assert_nonnull(error);
    }
}

static void expect_windows(const GArray *windows, const TdWindows *expected, guint count)
{
    g_assert_cmpuint(windows->len, ==, count);
    for (guint i = 0; i < count; i++) {
        const TdWindows *window = &g_array_index(windows, TdWindows, i);

        g_assert_cmpint(window->from, ==, expected[i].from);
        g_assert_cmpint(window->to, ==, expected[i].to);
        g_assert_cmpint(window->length, ==, expected[i].length);
        g_assert_cmpint(window->origin, ==, expected[i].origin);
        g_assert_cmpint(window->counts, ==, expected[i].counts);
    }
}

static TdPlan *plan_of(gint64 unit, const TdSpan *spans, guint count)
{
    TdPlan *plan = td_plan_new(unit);

    g_array_append_vals(plan->spans, spans, count);
    return plan;
}

/* All time is asked for: old rows by file set, the newest and what is behind it by its steps. */
static void test_windows(void)
{
    const TdSpan spans[] = {{0, 200, 3, 1}, {200, 300, 4, 1}};
    const TdStretch stretches[] = {{0, 200, 1}, {200, 300, 4}};
    const TdWindows all[] = {{G_MININT64, 200, 100, 0}, {200, G_MAXINT64, 25, 200}};
    g_autoptr(TdPlan) plan = plan_of(100, spans, G_N_ELEMENTS(spans));
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    g_autoptr(GArray) none = td_plan_windows(plan, held, G_MININT64), windows = NULL, last = NULL;

    expect_windows(none, all, 2);
    g_array_append_vals(held, stretches, G_N_ELEMENTS(stretches));
    windows = td_plan_windows(plan, held, G_MININT64);
    expect_windows(windows, all, 2);
    last = td_plan_windows(plan, held, 200);
    expect_windows(last, all + 1, 1);
}

/* Where steps do not end with their file set, what is behind it is asked for itself. */
static void test_uneven_windows(void)
{
    const TdSpan spans[] = {{200, 300, 7, 1}}, even = {0, 100, 1, 1};
    const TdWindows expected[] = {{G_MININT64, 200, 100, 0},
                                  {200, 300, 14, 200},
                                  {300, G_MAXINT64, 100, 0}};
    const TdWindows by_set[] = {{G_MININT64, G_MAXINT64, 100, 0}};
    g_autoptr(TdPlan) plan = plan_of(100, spans, 1);
    g_autoptr(TdPlan) simple = plan_of(100, &even, 1);
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    g_autoptr(GArray) windows = td_plan_windows(plan, held, G_MININT64);
    g_autoptr(GArray) one = td_plan_windows(simple, held, G_MININT64);

    expect_windows(windows, expected, G_N_ELEMENTS(expected));
    expect_windows(one, by_set, 1);
}

/* Many file sets are several questions, without a gap between them. */
static void test_many_windows(void)
{
    g_autoptr(TdPlan) plan = td_plan_new(100);
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    g_autoptr(GArray) windows = NULL;
    gint64 from = G_MININT64;

    for (gint64 set = 0; set < 40; set++) {
        const TdStretch stretch = {set * 100, set * 100 + 100, 1};

        g_array_append_val(held, stretch);
    }
    windows = td_plan_windows(plan, held, G_MININT64);
    g_assert_cmpuint(windows->len, ==, 3);
    for (guint i = 0; i < windows->len; i++) {
        g_assert_cmpint(g_array_index(windows, TdWindows, i).from, ==, from);
        from = g_array_index(windows, TdWindows, i).to;
        g_assert_cmpint(from % 100, ==, i + 1 < windows->len ? 0 : G_MAXINT64 % 100);
    }
    g_assert_cmpint(from, ==, G_MAXINT64);
}

/* What was refused is asked stretch by stretch, and what lies beside them counted; of a single stretch
 * nothing is left but the count. */
static void test_narrower(void)
{
    const TdStretch stretches[] = {{0, 100, 1}, {100, 300, 1}, {500, 600, 1}, {700, 800, 4}};
    const TdWindows refused = {G_MININT64, 700, 100, 0}, one = {100, 300, 100, 0},
                    newest = {700, G_MAXINT64, 25, 700};
    const TdWindows apart[] = {
        {G_MININT64, 0, 100, 0, TRUE}, {0, 100, 100, 0},   {100, 300, 100, 0},
        {300, 500, 100, 0, TRUE},      {500, 600, 100, 0}, {600, 700, 100, 0, TRUE}};
    const TdWindows count = {100, 300, 100, 0, TRUE};
    const TdWindows open[] = {{700, 800, 25, 700}, {800, G_MAXINT64, 25, 700, TRUE}};
    g_autoptr(GArray) held = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    g_autoptr(GArray) several = NULL, single = NULL, steps = NULL;

    g_array_append_vals(held, stretches, G_N_ELEMENTS(stretches));
    several = td_plan_narrower(&refused, held);
    expect_windows(several, apart, G_N_ELEMENTS(apart));
    single = td_plan_narrower(&one, held);
    expect_windows(single, &count, 1);
    steps = td_plan_narrower(&newest, held);
    expect_windows(steps, open, G_N_ELEMENTS(open));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/plan/newest", test_newest);
    g_test_add_func("/tdengine/plan/stretches", test_stretches);
    g_test_add_func("/tdengine/plan/even-steps", test_even_steps);
    g_test_add_func("/tdengine/plan/cut", test_cut);
    g_test_add_func("/tdengine/plan/windows", test_windows);
    g_test_add_func("/tdengine/plan/uneven-windows", test_uneven_windows);
    g_test_add_func("/tdengine/plan/many-windows", test_many_windows);
    g_test_add_func("/tdengine/plan/narrower", test_narrower);
    g_test_add_func("/plan/durations", test_durations);
    g_test_add_func("/plan/make", test_make);
    g_test_add_func("/plan/shards", test_shards);
    g_test_add_func("/plan/locate", test_locate);
    g_test_add_func("/plan/passes", test_passes);
    g_test_add_func("/plan/json", test_json);
    return g_test_run();
}
