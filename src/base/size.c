/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading and writing sizes, counts, durations and percentages. Reading is done in integers, so
 * that what a user writes is exactly what he gets.
 */
#include "base/size.h"

#include "base/error.h"
#include "base/time.h"

#include <string.h>

/* A fraction of more digits would overflow beside the largest unit, and nobody writes one. */
#define FRACTION_DIGITS 6

static const struct {
    const char *name;
    gint64 us;
} duration_units[] = {{"w", 7 * TIME_DAY}, {"d", TIME_DAY},    {"h", TIME_HOUR},
                      {"m", TIME_MINUTE},  {"s", TIME_SECOND}, {"ms", 1000}};

/* Digits at *at, at least one, into *ret_number; FALSE on none or on overflow. */
static gboolean take_digits(const char **at, guint64 *ret_number)
{
    guint64 number = 0;

    if (!g_ascii_isdigit(**at))
        return FALSE;
    for (; g_ascii_isdigit(**at); (*at)++) {
        if (!g_uint64_checked_mul(&number, number, 10) ||
            !g_uint64_checked_add(&number, number, (guint64)(**at - '0')))
            return FALSE;
    }
    *ret_number = number;
    return TRUE;
}

/* What stands behind the number: "", "B", or a letter, alone or with "B" or "iB". The result is a
 * power of two's exponent; -1 for another word. */
static int size_unit_shift(const char *unit)
{
    static const char letters[] = "KMGT";
    const char *letter;

    if (unit[0] == '\0' || strcmp(unit, "B") == 0)
        return 0;
    letter = strchr(letters, g_ascii_toupper(unit[0]));
    if (letter == NULL)
        return -1;
    if (unit[1] != '\0' && strcmp(unit + 1, "B") != 0 && strcmp(unit + 1, "iB") != 0)
        return -1;
    return 10 * (int)(letter - letters + 1);
}

/* The digits after the point as a share of the unit, rounded down. */
static gboolean take_unit_fraction(const char **at, guint64 *ret_digits, guint64 *ret_scale)
{
    const char *begin = *at;
    guint64 scale = 1;

    if (!take_digits(at, ret_digits) || *at - begin > FRACTION_DIGITS)
        return FALSE;
    for (; begin < *at; begin++)
        scale *= 10;
    *ret_scale = scale;
    return TRUE;
}

static gboolean read_size(const char *text, guint64 *ret_bytes)
{
    const char *at = text;
    guint64 whole = 0, digits = 0, scale = 1, bytes = 0;
    int shift;

    if (!take_digits(&at, &whole))
        return FALSE;
    if (*at == '.') {
        at++;
        if (!take_unit_fraction(&at, &digits, &scale))
            return FALSE;
    }
    shift = size_unit_shift(at);
    /* Half a byte is no size. */
    if (shift < 0 || (shift == 0 && scale > 1))
        return FALSE;
    if (!g_uint64_checked_mul(&bytes, whole, G_GUINT64_CONSTANT(1) << shift) ||
        !g_uint64_checked_add(&bytes, bytes, (digits << shift) / scale) || bytes > G_MAXINT64)
        return FALSE;
    *ret_bytes = bytes;
    return TRUE;
}

gboolean size_parse(const char *text, guint64 *ret_bytes, GError **error)
{
    if (read_size(text, ret_bytes))
        return TRUE;
    error_set(error, ERROR_USAGE, "cannot read the size \"%.64s\"", text);
    error_add_hint(error, "write it like 512, 64k, 200M or 1.5G");
    return FALSE;
}

char *size_format(guint64 bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024;
    guint unit = 0;

    if (bytes < 1024)
        return g_strdup_printf("%" G_GUINT64_FORMAT " B", bytes);
    /* 1023.96 would be written as 1024.0: take the next unit already there. */
    for (; value >= 1023.95 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1024;
    return g_strdup_printf("%.1f %s", value, units[unit]);
}

char *count_format(guint64 count)
{
    g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, count);
    GString *text = g_string_new(NULL);
    gsize length = strlen(digits);

    for (gsize i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            g_string_append_c(text, ',');
        g_string_append_c(text, digits[i]);
    }
    return g_string_free(text, FALSE);
}

/* Reads "1h30m": units from large to small, each at most once. */
static gboolean read_duration(const char *text, gint64 *ret_us)
{
    const char *at = text;
    guint64 sum = 0;
    guint next_unit = 0;

    if (strcmp(text, "0") == 0) {
        *ret_us = 0;
        return TRUE;
    }
    do {
        guint64 number = 0;
        gsize length;
        guint unit = next_unit;

        if (!take_digits(&at, &number))
            return FALSE;
        for (length = 0; g_ascii_isalpha(at[length]);)
            length++;
        while (unit < G_N_ELEMENTS(duration_units) &&
               (strlen(duration_units[unit].name) != length ||
                strncmp(duration_units[unit].name, at, length) != 0))
            unit++;
        if (unit == G_N_ELEMENTS(duration_units) ||
            !g_uint64_checked_mul(&number, number, (guint64)duration_units[unit].us) ||
            !g_uint64_checked_add(&sum, sum, number) || sum > G_MAXINT64)
            return FALSE;
        at += length;
        next_unit = unit + 1;
    } while (*at != '\0');
    *ret_us = (gint64)sum;
    return TRUE;
}

gboolean duration_parse(const char *text, gint64 *ret_us, GError **error)
{
    if (read_duration(text, ret_us))
        return TRUE;
    error_set(error, ERROR_USAGE, "cannot read the duration \"%.64s\"", text);
    error_add_hint(error, "write it like 500ms, 10s, 5m, 1h30m, 30d or 2w");
    return FALSE;
}

/* Each step rounds to what it shows, and goes on to the next where rounding has filled its unit. */
static char *format_positive(guint64 us)
{
    guint64 ms = (us + 500) / 1000;
    guint64 tenths = (us + 50000) / 100000;
    guint64 seconds = (us + 500000) / 1000000;
    guint64 minutes = (us + 30000000) / 60000000;
    guint64 hours = (us + G_GUINT64_CONSTANT(1800000000)) / G_GUINT64_CONSTANT(3600000000);

    if (ms < 1000)
        return g_strdup_printf("%u ms", (guint)ms);
    if (tenths < 600)
        return g_strdup_printf("%u.%u s", (guint)(tenths / 10), (guint)(tenths % 10));
    if (seconds < 3600)
        return g_strdup_printf("%u m %02u s", (guint)(seconds / 60), (guint)(seconds % 60));
    if (minutes < 24 * 60)
        return g_strdup_printf("%u h %02u m", (guint)(minutes / 60), (guint)(minutes % 60));
    return g_strdup_printf("%u d %02u h", (guint)(hours / 24), (guint)(hours % 24));
}

char *duration_format(gint64 us)
{
    g_autofree char *positive = NULL;

    if (us >= 0)
        return format_positive((guint64)us);
    positive = format_positive(-(guint64)us);
    return g_strconcat("-", positive, NULL);
}

static gboolean read_percent(const char *text, double *ret_fraction)
{
    const char *at = text;
    guint64 whole = 0, digits = 0, scale = 1;
    double fraction;

    if (!take_digits(&at, &whole))
        return FALSE;
    if (*at == '.') {
        at++;
        if (!take_unit_fraction(&at, &digits, &scale))
            return FALSE;
    }
    if (strcmp(at, "%") != 0 && strcmp(text, "0") != 0)
        return FALSE;
    if (whole > 100)
        return FALSE;
    fraction = (double)(whole * scale + digits) / (100.0 * (double)scale);
    if (fraction > 1.0)
        return FALSE;
    *ret_fraction = fraction;
    return TRUE;
}

gboolean percent_parse(const char *text, double *ret_fraction, GError **error)
{
    if (read_percent(text, ret_fraction))
        return TRUE;
    error_set(error, ERROR_USAGE, "cannot read the percentage \"%.64s\"", text);
    error_add_hint(error, "write it like 5%% or 0.1%%, between 0 and 100%%");
    return FALSE;
}
