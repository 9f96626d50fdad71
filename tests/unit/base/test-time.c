/* SPDX-License-Identifier: Apache-2.0
 *
 * Moments: written, read, and refused.
 */
#include "base/time.h"

#include "base/error.h"

#include <string.h>

/* 2026-11-22T02:00:00Z */
#define MOMENT (G_GINT64_CONSTANT(1795312800) * TIME_SECOND)

static void assert_reads(const char *text, GTimeZone *zone, gint64 expected)
{
    g_autoptr(GError) error = NULL;
    gint64 when = 0;

    g_assert_true(time_parse(text, zone, &when, &error));
    g_assert_no_error(error);
    g_assert_cmpint(when, ==, expected);
}

static void test_format(void)
{
    static const struct {
        gint64 when;
        const char *text;
    } cases[] = {
        {MOMENT, "2026-11-22T02:00:00Z"},
        {MOMENT + 250000, "2026-11-22T02:00:00.250Z"},
        {MOMENT + 1, "2026-11-22T02:00:00.000001Z"},
        {0, "1970-01-01T00:00:00Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {-G_GINT64_CONSTANT(62135596800) * TIME_SECOND, "0001-01-01T00:00:00Z"},
        {G_GINT64_CONSTANT(253402300799) * TIME_SECOND, "9999-12-31T23:59:59Z"},
        {G_GINT64_CONSTANT(253402300800) * TIME_SECOND, "@253402300800000000"},
        {G_MININT64, "@-9223372036854775808"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = time_format(cases[i].when);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_other_formats(void)
{
    g_autoptr(GTimeZone) berlin = g_time_zone_new_identifier("Europe/Berlin");
    g_autofree char *compact = time_format_compact(MOMENT + 999999);
    g_autofree char *local = NULL;

    g_assert_cmpstr(compact, ==, "20261122T020000Z");
    g_assert_nonnull(berlin);
    local = time_format_local(MOMENT, berlin);
    g_assert_cmpstr(local, ==, "2026-11-22 03:00:00 CET");
}

static void test_parse(void)
{
    g_autoptr(GTimeZone) berlin = g_time_zone_new_identifier("Europe/Berlin");
    const gint64 midnight = MOMENT - 2 * TIME_HOUR;

    assert_reads("2026-11-22T02:00:00Z", berlin, MOMENT);
    assert_reads("2026-11-22 02:00", NULL, MOMENT);
    assert_reads("2026-11-22 03:00", berlin, MOMENT);
    assert_reads("2026-11-22T03:00:00+01", NULL, MOMENT);
    assert_reads("2026-11-22T03:00:00+0100", NULL, MOMENT);
    assert_reads("2026-11-21T20:30:00-05:30", berlin, MOMENT);
    assert_reads("2026-11-22", NULL, midnight);
    assert_reads("2026-11-22Z", berlin, midnight);
    assert_reads("2026-11-22", berlin, midnight - TIME_HOUR);
    assert_reads("2026-11-22T02:00:00.5Z", NULL, MOMENT + 500000);
    assert_reads("2026-11-22T02:00:00.123456789Z", NULL, MOMENT + 123456);
    assert_reads("20261122T020000Z", berlin, MOMENT);
    assert_reads("20261122T020000", NULL, MOMENT);
    assert_reads("1970-01-01T00:00:00-00:00", NULL, 0);
    assert_reads("2024-02-29", NULL, G_GINT64_CONSTANT(1709164800) * TIME_SECOND);
    /* Clocks went back at 3:00: half past two was there twice, and standard time is meant. */
    assert_reads("2026-10-25 02:30", berlin, G_GINT64_CONSTANT(1792891800) * TIME_SECOND);
}

static void test_refuse(void)
{
    static const char *const cases[] = {
        "",
        "now",
        "2026",
        "2026-11",
        "2026-02-30",
        "2026-13-01",
        "2026-00-10",
        "2026-11-00",
        "2025-02-29",
        "0000-01-01",
        "10000-01-01",
        "26-11-22",
        "2026-1-22",
        "2026-11-22T",
        "2026-11-22T02",
        "2026-11-22T2:00",
        "2026-11-22T24:00",
        "2026-11-22T23:60",
        "2026-11-22T23:59:60Z",
        "2026-11-22t02:00:00Z",
        "2026-11-22T02:00:00z",
        "2026-11-22T02:00:00.Z",
        "2026-11-22T02:00:00,5Z",
        "2026-11-22T02:00:00.1234567890Z",
        "2026-11-22T02:00:00 Z",
        "2026-11-22T02:00:00Z ",
        " 2026-11-22",
        "2026-11-22  02:00",
        "2026-11-22T02:00:00+1",
        "2026-11-22T02:00:00+24",
        "2026-11-22T02:00:00+01:60",
        "2026-11-22T02:00:00+01:",
        "2026-11-22T02:00:00+01:0",
        "2026-11-22T02:00:00Z+01",
        "20261122",
        "20261122T0200",
        "20261122 020000Z",
        "202611222T020000Z",
        "2026-W47-7",
        "2026-326",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "+2026-11-22",
        "-026-11-22",
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gint64 when = 4711;

        if (time_parse(cases[i], NULL, &when, &error))
            g_error("\"%s\" was read as a time", cases[i]);
        g_assert_true(error_is(error, ERROR_USAGE));
        g_assert_cmpint(when, ==, 4711);
    }
}

static void test_clock_change(void)
{
    g_autoptr(GTimeZone) berlin = g_time_zone_new_identifier("Europe/Berlin");
    g_autoptr(GError) error = NULL;
    gint64 when = 0;

    /* Clocks go from 2:00 to 3:00 that night. */
    g_assert_false(time_parse("2026-03-29 02:30", berlin, &when, &error));
    g_assert_true(error_is(error, ERROR_USAGE));
}

/* Whatever moment it is: GLib writes it as we do, and reading gives it back. */
static void test_round_trip(void)
{
    const gint64 first = -G_GINT64_CONSTANT(62135596800), last = G_GINT64_CONSTANT(253402300799);

    for (guint i = 0; i < 20000; i++) {
        gint64 seconds = first + (gint64)(g_test_rand_double() * (double)(last - first));
        gint64 when = seconds * TIME_SECOND + g_test_rand_int_range(0, TIME_SECOND);
        g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(seconds);
        g_autofree char *ours = time_format(when);
        g_autofree char *compact = time_format_compact(when);
        g_autofree char *theirs = NULL;
        g_autofree char *shifted = NULL;
        g_autoptr(GTimeZone) zone = NULL;
        g_autoptr(GDateTime) there = NULL;

        theirs = g_strdup_printf("%04d-%02d-%02dT%02d:%02d:%02d", g_date_time_get_year(date),
                                 g_date_time_get_month(date), g_date_time_get_day_of_month(date),
                                 g_date_time_get_hour(date), g_date_time_get_minute(date),
                                 g_date_time_get_second(date));
        g_assert_true(g_str_has_prefix(ours, theirs));
        assert_reads(ours, NULL, when);
        assert_reads(compact, NULL, seconds * TIME_SECOND);

        if (seconds < first + 86400 || seconds > last - 86400)
            continue;
        zone = g_time_zone_new_offset(g_test_rand_int_range(-14 * 60, 14 * 60 + 1) * 60);
        there = g_date_time_to_timezone(date, zone);
        shifted = g_date_time_format(there, "%C%y-%m-%dT%H:%M:%S%:z");
        assert_reads(shifted, NULL, seconds * TIME_SECOND);
    }
}

static gint64 stopped_clock(gpointer data)
{
    return *(gint64 *)data;
}

static void test_source(void)
{
    gint64 when = MOMENT;
    gint64 before = time_monotonic();

    time_set_source(stopped_clock, &when);
    g_assert_cmpint(time_now(), ==, MOMENT);
    time_set_source(NULL, NULL);
    g_assert_cmpint(ABS(time_now() - g_get_real_time()), <, TIME_MINUTE);
    g_assert_cmpint(time_monotonic(), >=, before);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/time/format", test_format);
    g_test_add_func("/base/time/other-formats", test_other_formats);
    g_test_add_func("/base/time/parse", test_parse);
    g_test_add_func("/base/time/refuse", test_refuse);
    g_test_add_func("/base/time/clock-change", test_clock_change);
    g_test_add_func("/base/time/round-trip", test_round_trip);
    g_test_add_func("/base/time/source", test_source);
    return g_test_run();
}
