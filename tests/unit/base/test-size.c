/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes, counts, durations and percentages.
 */
#include "base/size.h"

#include "base/error.h"
#include "base/time.h"

static void test_size_parse(void)
{
    static const struct {
        const char *text;
        guint64 bytes;
    } cases[] = {
        {"0", 0},
        {"123", 123},
        {"12B", 12},
        {"64k", 64 << 10},
        {"64K", 64 << 10},
        {"64kB", 64 << 10},
        {"64KiB", 64 << 10},
        {"200M", 200 << 20},
        {"1.5G", G_GUINT64_CONSTANT(3) << 29},
        {"2T", G_GUINT64_CONSTANT(2) << 40},
        {"0.1k", 102},
        {"9223372036854775807", G_MAXINT64},
    };
    static const char *const refused[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1.5",
        "1.5B",
        "1.k",
        ".5k",
        "12i",
        "k",
        "1P",
        "1kib",
        "1iB",
        "1kBB",
        "0x10",
        "1e3",
        "1,5G",
        "1 G",
        "nan",
        "1T0",
        "8388608T",
        "9223372036854775808",
        "99999999999999999999",
        "1.1234567G",
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        guint64 bytes = 1;

        g_assert_true(size_parse(cases[i].text, &bytes, &error));
        g_assert_no_error(error);
        g_assert_cmpuint(bytes, ==, cases[i].bytes);
    }
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        guint64 bytes = 4711;

        if (size_parse(refused[i], &bytes, &error))
            g_error("\"%s\" was read as a size", refused[i]);
        g_assert_true(error_is(error, ERROR_USAGE));
        g_assert_cmpuint(bytes, ==, 4711);
    }
}

static void test_size_format(void)
{
    static const struct {
        guint64 bytes;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {(1 << 20) - 1, "1.0 MiB"},
        {G_GUINT64_CONSTANT(13207024435), "12.3 GiB"},
        {G_MAXUINT64, "16.0 EiB"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = size_format(cases[i].bytes);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_count_format(void)
{
    static const struct {
        guint64 count;
        const char *text;
    } cases[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {1234567, "1,234,567"},
        {G_MAXUINT64, "18,446,744,073,709,551,615"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = count_format(cases[i].count);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_duration_parse(void)
{
    static const struct {
        const char *text;
        gint64 us;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"500ms", 500000},
        {"10s", 10 * TIME_SECOND},
        {"5m", 5 * TIME_MINUTE},
        {"1h", TIME_HOUR},
        {"30d", 30 * TIME_DAY},
        {"2w", 14 * TIME_DAY},
        {"1h30m", 90 * TIME_MINUTE},
        {"1w2d3h4m5s6ms", 9 * TIME_DAY + 3 * TIME_HOUR + 4 * TIME_MINUTE + 5 * TIME_SECOND + 6000},
    };
    static const char *const refused[] = {
        "",
        "1",
        "-1s",
        "s",
        "1.5h",
        "1h30",
        "30m1h",
        "1h1h",
        "1 h",
        "1H",
        "1us",
        "1y",
        "00",
        "1min",
        "99999999999999d",
        "1h ",
        "1mss",
        "1hm",
        "18446744073709551616s",
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gint64 us = -1;

        g_assert_true(duration_parse(cases[i].text, &us, &error));
        g_assert_no_error(error);
        g_assert_cmpint(us, ==, cases[i].us);
    }
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        gint64 us = 4711;

        if (duration_parse(refused[i], &us, &error))
            g_error("\"%s\" was read as a duration", refused[i]);
        g_assert_true(error_is(error, ERROR_USAGE));
        g_assert_cmpint(us, ==, 4711);
    }
}

static void test_duration_format(void)
{
    static const struct {
        gint64 us;
        const char *text;
    } cases[] = {
        {0, "0 ms"},
        {850000, "850 ms"},
        {999600, "1.0 s"},
        {12300000, "12.3 s"},
        {59960000, "1 m 00 s"},
        {245 * TIME_SECOND, "4 m 05 s"},
        {133 * TIME_MINUTE, "2 h 13 m"},
        {76 * TIME_HOUR, "3 d 04 h"},
        {-2 * TIME_SECOND, "-2.0 s"},
        {G_MAXINT64, "106751991 d 04 h"},
        {G_MININT64, "-106751991 d 04 h"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = duration_format(cases[i].us);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

static void test_percent(void)
{
    static const struct {
        const char *text;
        double fraction;
    } cases[] = {{"5%", 0.05}, {"0.1%", 0.001}, {"0", 0.0}, {"0%", 0.0}, {"100%", 1.0}};
    static const char *const refused[] = {
        "", "5", "%", "-1%", "100.1%", "101%", "5 %", "5%%", "0.0", "nan%", "1e1%", ".5%",
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        double fraction = -1;

        g_assert_true(percent_parse(cases[i].text, &fraction, &error));
        g_assert_no_error(error);
        g_assert_cmpfloat_with_epsilon(fraction, cases[i].fraction, 1e-12);
    }
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        double fraction = -1;

        if (percent_parse(refused[i], &fraction, &error))
            g_error("\"%s\" was read as a percentage", refused[i]);
        g_assert_true(error_is(error, ERROR_USAGE));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/size/parse", test_size_parse);
    g_test_add_func("/base/size/format", test_size_format);
    g_test_add_func("/base/size/count", test_count_format);
    g_test_add_func("/base/size/duration-parse", test_duration_parse);
    g_test_add_func("/base/size/duration-format", test_duration_format);
    g_test_add_func("/base/size/percent", test_percent);
    return g_test_run();
}
