/* SPDX-License-Identifier: Apache-2.0
 *
 * Cron expressions: what is refused, known runs around changes of clocks, and every run of several
 * weeks against a second way of telling what is due.
 */
#include "base/cron.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

static gint64 moment(const char *text)
{
    gint64 when;

    g_assert_true(time_parse(text, NULL, &when, NULL));
    return when;
}

static void assert_next(const char *expression, const char *zone_name, const char *after,
                        const char *expected)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
    g_autoptr(Cron) cron = cron_parse(expression, NULL);
    g_autofree char *next = NULL;

    g_assert_nonnull(zone);
    g_assert_nonnull(cron);
    next = time_format(cron_next(cron, zone, moment(after)));
    if (strcmp(next, expected) != 0)
        g_error("%s in %s after %s: %s instead of %s", expression, zone_name, after, next,
                expected);
}

static void test_next(void)
{
    assert_next("0 3 * * *", "UTC", "2026-11-22T02:59:59Z", "2026-11-22T03:00:00Z");
    assert_next("0 3 * * *", "UTC", "2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z");
    assert_next("0 3 * * *", "Asia/Shanghai", "2026-11-22T00:00:00Z", "2026-11-22T19:00:00Z");
    assert_next("*/15 * * * *", "UTC", "2026-11-22T02:46:00Z", "2026-11-22T03:00:00Z");
    assert_next("5/20 * * * *", "UTC", "2026-11-22T02:46:00Z", "2026-11-22T03:05:00Z");
    assert_next("0 0 29 feb *", "UTC", "2026-11-22T00:00:00Z", "2028-02-29T00:00:00Z");
    assert_next("0 0 29 2 sun", "UTC", "2026-11-22T00:00:00Z", "2027-02-07T00:00:00Z");
    assert_next("0 0 * feb sun", "UTC", "2026-11-22T00:00:00Z", "2027-02-07T00:00:00Z");
    assert_next("0 0 13 * 5", "UTC", "2026-11-22T00:00:00Z", "2026-11-27T00:00:00Z");
    assert_next("0 0 1 * 7", "UTC", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z");
    assert_next("0 9-17/4 * * mon-fri", "UTC", "2026-11-20T13:30:00Z", "2026-11-20T17:00:00Z");
    assert_next("0 9-17/4 * * mon-fri", "UTC", "2026-11-20T17:30:00Z", "2026-11-23T09:00:00Z");
    assert_next("@weekly", "UTC", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z");
    assert_next("@yearly", "UTC", "2026-11-22T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_next("59 23 31 12 *", "Pacific/Auckland", "2026-12-31T10:59:00Z",
                "2027-12-31T10:59:00Z");
}

static void test_never(void)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    g_autoptr(Cron) cron = cron_parse("0 0 30 2 *", NULL);

    g_assert_cmpint(cron_next(cron, zone, moment("2026-11-22T00:00:00Z")), ==, G_MAXINT64);
}

/* Berlin 2026: 29 March 02:00 becomes 03:00 (01:00 UTC); 25 October 03:00 becomes 02:00 (01:00
 * UTC). */
static void test_changes_of_clocks(void)
{
    assert_next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z");
    assert_next("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
    assert_next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z");
    assert_next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z");
    /* The skipped hour and the one behind it begin together: one run. */
    assert_next("0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");
    assert_next("0 * * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z");
    assert_next("0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z");
    /* Half an hour, at two in the morning, in the south. */
    assert_next("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T20:00:00Z",
                "2026-10-03T15:30:00Z");
    /* Midnight does not exist. */
    assert_next("@daily", "America/Santiago", "2026-09-05T05:00:00Z", "2026-09-06T04:00:00Z");
}

static void test_refused(void)
{
    static const char *const wrong[] = {"",
                                        "* * * *",
                                        "60 * * * *",
                                        "* 24 * * *",
                                        "* * 0 * *",
                                        "* * * 13 *",
                                        "* * * * 8",
                                        "*/0 * * * *",
                                        "5-3 * * * *",
                                        "x * * * *",
                                        "* * * * * *",
                                        "@often",
                                        "1,,2 * * * *",
                                        "*/70 * * * *",
                                        "-1 * * * *",
                                        "1- * * * *"};

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Cron) cron = cron_parse(wrong[i], &error);

        g_assert_null(cron);
        g_assert_true(error_is(error, ERROR_CONFIG));
    }
}

/* --- A second way ----------------------------------------------------------------------------- */

/* Minutes of the wall clock that some simple expressions ask for. */
typedef gboolean (*DueFunc)(GDateTime *local);

static gboolean due_hourly(GDateTime *local)
{
    return g_date_time_get_minute(local) == 0;
}

static gboolean due_half_past_two(GDateTime *local)
{
    return g_date_time_get_hour(local) == 2 && g_date_time_get_minute(local) == 30;
}

static gboolean due_often(GDateTime *local)
{
    return g_date_time_get_minute(local) % 7 == 0 && g_date_time_get_hour(local) < 4;
}

static gboolean due_midnight(GDateTime *local)
{
    return g_date_time_get_hour(local) == 0 && g_date_time_get_minute(local) == 0;
}

static const struct {
    const char *expression;
    DueFunc due;
} ways[] = {
    {"0 * * * *", due_hourly},
    {"30 2 * * *", due_half_past_two},
    {"*/7 0-3 * * *", due_often},
    {"@midnight", due_midnight},
};

/* The wall clock a minute ago and now; where it jumped, what it left out is due as well, where it
 * went back, nothing is due until it is as late as it was. `latest`: the latest it was, in minutes. */
static gboolean is_due(DueFunc due, GTimeZone *zone, gint64 minute, gint64 *latest)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(minute * 60);
    g_autoptr(GDateTime) local = g_date_time_to_timezone(utc, zone);
    gint64 wall = minute + g_date_time_get_utc_offset(local) / G_TIME_SPAN_MINUTE;
    gboolean result = FALSE;

    for (gint64 m = MAX(*latest + 1, wall - 240); m <= wall && *latest != 0; m++) {
        g_autoptr(GDateTime) shown = g_date_time_new_from_unix_utc(m * 60);

        result |= due(shown);
    }
    *latest = MAX(*latest, wall);
    return result;
}

static void compare(const char *zone_name, const char *from, guint days, guint way)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
    g_autoptr(Cron) cron = cron_parse(ways[way].expression, NULL);
    gint64 minute = moment(from) / TIME_MINUTE, latest = 0;
    gint64 next = cron_next(cron, zone, minute * TIME_MINUTE);

    for (guint i = 0; i <= days * 24 * 60; i++, minute++) {
        gboolean due = is_due(ways[way].due, zone, minute, &latest);
        gint64 now = minute * TIME_MINUTE;

        if (i == 0)
            continue;
        if (due != (next == now))
            g_error("%s in %s: minute %" G_GINT64_FORMAT " is%s due", ways[way].expression,
                    zone_name, minute, due ? "" : " not");
        if (next == now)
            next = cron_next(cron, zone, now);
    }
}

static void test_every_minute(void)
{
    static const struct {
        const char *zone, *spring, *autumn;
    } zones[] = {
        {"Europe/Berlin", "2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z"},
        {"America/New_York", "2026-03-06T00:00:00Z", "2026-10-30T00:00:00Z"},
        {"Australia/Lord_Howe", "2026-04-03T00:00:00Z", "2026-10-02T00:00:00Z"},
        {"America/Santiago", "2026-04-03T00:00:00Z", "2026-09-04T00:00:00Z"},
        {"Europe/Dublin", "2026-03-27T00:00:00Z", "2026-10-23T00:00:00Z"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(zones); i++) {
        for (guint way = 0; way < G_N_ELEMENTS(ways); way++) {
            compare(zones[i].zone, zones[i].spring, 4, way);
            compare(zones[i].zone, zones[i].autumn, 4, way);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cron/next", test_next);
    g_test_add_func("/cron/never", test_never);
    g_test_add_func("/cron/changes-of-clocks", test_changes_of_clocks);
    g_test_add_func("/cron/refused", test_refused);
    g_test_add_func("/cron/every-minute", test_every_minute);
    return g_test_run();
}
