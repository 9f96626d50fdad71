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
    g_assert_cmpuint(span_at(plan, 2)->steps, ==, 20);
    td_plan_extend(plan, more, G_N_ELEMENTS(more));
    g_assert_cmpuint(plan->spans->len, ==, 4);
    g_assert_cmpint(span_at(plan, 3)->from, ==, 40 * DAY);
    g_assert_cmpint(span_at(plan, 3)->to, ==, 50 * DAY);
    g_assert_cmpuint(span_at(plan, 3)->steps, ==, 20);
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
        g_assert_cmpuint(stretch->steps, ==, stretch == newest ? 8 : 1);
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

/* All of time is in a stretch or beside them, and nothing is in both. */
static void test_beside(void)
{
    const TdStretch stretches[] = {{0, 10, 1}, {10, 30, 4}, {50, 60, 1}};
    const TdPlace expected[] = {{G_MININT64, 0}, {30, 50}, {60, G_MAXINT64}};
    const TdStretch all = {G_MININT64, G_MAXINT64, 1};
    g_autoptr(GArray) some = g_array_new(FALSE, FALSE, sizeof(TdStretch));
    g_autoptr(GArray) places = td_plan_beside(some), none = NULL, three = NULL;

    g_assert_cmpuint(places->len, ==, 1);
    g_assert_cmpint(g_array_index(places, TdPlace, 0).from, ==, G_MININT64);
    g_assert_cmpint(g_array_index(places, TdPlace, 0).to, ==, G_MAXINT64);
    g_array_append_vals(some, stretches, G_N_ELEMENTS(stretches));
    three = td_plan_beside(some);
    g_assert_cmpmem(three->data, three->len * sizeof(TdPlace), expected, sizeof expected);
    g_array_set_size(some, 0);
    g_array_append_val(some, all);
    none = td_plan_beside(some);
    g_assert_cmpuint(none->len, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/plan/newest", test_newest);
    g_test_add_func("/tdengine/plan/stretches", test_stretches);
    g_test_add_func("/tdengine/plan/beside", test_beside);
    g_test_add_func("/plan/durations", test_durations);
    g_test_add_func("/plan/make", test_make);
    g_test_add_func("/plan/shards", test_shards);
    g_test_add_func("/plan/locate", test_locate);
    g_test_add_func("/plan/passes", test_passes);
    g_test_add_func("/plan/json", test_json);
    return g_test_run();
}
