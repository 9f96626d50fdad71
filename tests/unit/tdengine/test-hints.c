/* SPDX-License-Identifier: Apache-2.0
 *
 * What is kept of a log: stretches of time by table, joined where there are many, never too small;
 * and what topics of ours are called.
 */
#include "tdengine/hints.h"
#include "tdengine/own-topics.h"
#include "tdengine/scan.h"

#include <string.h>

static GArray *places_of(const TdHints *hints, const char *database, const char *table)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(TdPlace));

    td_hints_places(hints, database, table, places);
    return places;
}

static gboolean covers(const GArray *places, gint64 from, gint64 to)
{
    for (guint i = 0; i < places->len; i++) {
        const TdPlace *place = &g_array_index(places, TdPlace, i);

        if (place->from <= from && place->to > to)
            return TRUE;
    }
    return FALSE;
}

static void test_tables(void)
{
    g_autoptr(TdHints) hints = td_hints_new();
    g_autoptr(GArray) first = NULL;
    g_autoptr(GArray) second = NULL;
    g_autoptr(GArray) none = NULL;

    td_hints_add(hints, "a", "st", 10, 20);
    td_hints_add(hints, "a", "st", 15, 30);
    td_hints_add(hints, "a", "st", 100, 100);
    td_hints_add(hints, "b", "st", G_MAXINT64, G_MAXINT64);
    first = places_of(hints, "a", "st");
    second = places_of(hints, "b", "st");
    none = places_of(hints, "a", "other");
    g_assert_cmpuint(first->len, ==, 2);
    g_assert_true(covers(first, 10, 30));
    g_assert_false(covers(first, 10, 31));
    g_assert_true(covers(first, 100, 100));
    g_assert_cmpuint(second->len, ==, 1);
    g_assert_cmpuint(none->len, ==, 0);
}

/* However many there are, memory is bounded and nothing is forgotten. */
static void test_many(void)
{
    const guint count = 50000;
    g_autoptr(TdHints) hints = td_hints_new();
    g_autoptr(GArray) places = NULL;
    guint missed = 0;

    for (guint i = 0; i < count; i++) {
        const gint64 at = (gint64)(i * 7919u % count) * 1000;

        td_hints_add(hints, "a", "st", at, at + 1);
    }
    places = places_of(hints, "a", "st");
    g_assert_cmpuint(places->len, <=, 4096);
    for (guint i = 0; i < count; i += 97)
        missed += covers(places, (gint64)i * 1000, (gint64)i * 1000 + 1) ? 0 : 1;
    g_assert_cmpuint(missed, ==, 0);
}

static void test_names(void)
{
    g_autofree char *plain = td_own_topic_name("market", "ticks");
    g_autofree char *again = td_own_topic_name("market", "ticks");
    g_autofree char *upper = td_own_topic_name("market", "Ticks");
    g_autofree char *odd = td_own_topic_name("market", "\xe5\x8f\xb7 `x");
    g_autofree char *wide = g_strnfill(500, 'w');
    g_autofree char *cut = td_own_topic_name(wide, wide);

    g_assert_cmpstr(plain, ==, again);
    g_assert_true(g_str_has_prefix(plain, TD_TOPIC_PREFIX "market_ticks_"));
    g_assert_cmpstr(plain, !=, upper);
    g_assert_true(g_str_has_prefix(odd, TD_TOPIC_PREFIX "market_____"));
    g_assert_true(g_str_is_ascii(odd));
    g_assert_cmpuint(strlen(cut), <=, 192);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tdengine/hints/tables", test_tables);
    g_test_add_func("/tdengine/hints/many", test_many);
    g_test_add_func("/tdengine/hints/names", test_names);
    return g_test_run();
}
