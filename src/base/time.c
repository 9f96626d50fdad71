/* SPDX-License-Identifier: Apache-2.0
 *
 * Moments in microseconds, and ISO 8601 at the edges. The calendar is GLib's; the reading is our
 * own, because GLib's reader takes forms (week dates, ordinal dates) that nobody means when he
 * names a moment to restore to.
 */
#include "base/time.h"

#include "base/error.h"

#include <string.h>

static TimeSource time_source;
static gpointer time_source_data;

/* A date and time of day as it was written, before it is known which zone it is in. */
typedef struct {
    int year, month, day;
    int hour, minute, second;
    gint64 fraction; /* microseconds */
    gboolean has_zone;
    gint64 zone_seconds; /* east of UTC */
} WrittenTime;

gint64 time_now(void)
{
    return time_source != NULL ? time_source(time_source_data) : g_get_real_time();
}

gint64 time_monotonic(void)
{
    return g_get_monotonic_time();
}

void time_set_source(TimeSource source, gpointer data)
{
    time_source = source;
    time_source_data = data;
}

/* Splits into whole seconds, rounded towards the past, and the microseconds after them. */
static gint64 split_moment(gint64 when, gint64 *ret_fraction)
{
    gint64 seconds = when / TIME_SECOND;
    gint64 fraction = when % TIME_SECOND;

    if (fraction < 0) {
        fraction += TIME_SECOND;
        seconds--;
    }
    *ret_fraction = fraction;
    return seconds;
}

/* Formats the whole second; a moment that no calendar date of four digits can name comes as its
 * number. */
static char *format_seconds(gint64 when, GTimeZone *zone, const char *format, gint64 *ret_fraction)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(split_moment(when, ret_fraction));
    g_autoptr(GDateTime) there = NULL;

    if (utc != NULL)
        there = zone != NULL ? g_date_time_to_timezone(utc, zone) : g_date_time_ref(utc);
    if (there == NULL) {
        *ret_fraction = 0;
        return g_strdup_printf("@%" G_GINT64_FORMAT, when);
    }
    return g_date_time_format(there, format);
}

char *time_format(gint64 when)
{
    gint64 fraction = 0;
    /* %Y is not padded by GLib, and years before 1000 need their zeros. */
    g_autofree char *text = format_seconds(when, NULL, "%C%y-%m-%dT%H:%M:%S", &fraction);

    if (text[0] == '@')
        return g_steal_pointer(&text);
    if (fraction == 0)
        return g_strconcat(text, "Z", NULL);
    if (fraction % 1000 == 0)
        return g_strdup_printf("%s.%03dZ", text, (int)(fraction / 1000));
    return g_strdup_printf("%s.%06dZ", text, (int)fraction);
}

char *time_format_compact(gint64 when)
{
    gint64 fraction = 0;

    return format_seconds(when, NULL, "%C%y%m%dT%H%M%SZ", &fraction);
}

char *time_format_local(gint64 when, GTimeZone *zone)
{
    gint64 fraction = 0;

    return format_seconds(when, zone, "%C%y-%m-%d %H:%M:%S %Z", &fraction);
}

/* Reads exactly `digits` digits and moves on. */
static gboolean take_number(const char **at, int digits, int *ret_number)
{
    int number = 0;

    for (int i = 0; i < digits; i++) {
        if (!g_ascii_isdigit((*at)[i]))
            return FALSE;
        number = number * 10 + ((*at)[i] - '0');
    }
    *at += digits;
    *ret_number = number;
    return TRUE;
}

static gboolean take_char(const char **at, char wanted)
{
    if (**at != wanted)
        return FALSE;
    (*at)++;
    return TRUE;
}

/* One to nine digits; what is finer than a microsecond is cut. */
static gboolean take_fraction(const char **at, gint64 *ret_fraction)
{
    gint64 fraction = 0;
    int digits = 0;

    for (; g_ascii_isdigit(**at); (*at)++, digits++) {
        if (digits < 6)
            fraction = fraction * 10 + (**at - '0');
    }
    if (digits == 0 || digits > 9)
        return FALSE;
    for (; digits < 6; digits++)
        fraction *= 10;
    *ret_fraction = fraction;
    return TRUE;
}

static gboolean take_zone(const char **at, WrittenTime *written)
{
    int hours = 0, minutes = 0;
    gint64 sign = 1;

    if (**at == '\0')
        return TRUE;
    written->has_zone = TRUE;
    if (take_char(at, 'Z'))
        return TRUE;
    if (take_char(at, '-'))
        sign = -1;
    else if (!take_char(at, '+'))
        return FALSE;
    if (!take_number(at, 2, &hours) || hours > 23)
        return FALSE;
    if (**at != '\0') {
        take_char(at, ':');
        if (!take_number(at, 2, &minutes) || minutes > 59)
            return FALSE;
    }
    written->zone_seconds = sign * (hours * 3600 + minutes * 60);
    return TRUE;
}

/* "T02:00[:00[.5]]", or nothing. */
static gboolean take_time_of_day(const char **at, WrittenTime *written)
{
    if (!take_char(at, 'T') && !take_char(at, ' '))
        return TRUE;
    if (!take_number(at, 2, &written->hour) || !take_char(at, ':') ||
        !take_number(at, 2, &written->minute))
        return FALSE;
    if (!take_char(at, ':'))
        return TRUE;
    if (!take_number(at, 2, &written->second))
        return FALSE;
    return !take_char(at, '.') || take_fraction(at, &written->fraction);
}

/* "20261122T020000", as in backup ids. */
static gboolean take_compact(const char **at, WrittenTime *written)
{
    return take_number(at, 4, &written->year) && take_number(at, 2, &written->month) &&
           take_number(at, 2, &written->day) && take_char(at, 'T') &&
           take_number(at, 2, &written->hour) && take_number(at, 2, &written->minute) &&
           take_number(at, 2, &written->second);
}

static gboolean take_extended(const char **at, WrittenTime *written)
{
    return take_number(at, 4, &written->year) && take_char(at, '-') &&
           take_number(at, 2, &written->month) && take_char(at, '-') &&
           take_number(at, 2, &written->day) && take_time_of_day(at, written);
}

static gboolean read_written(const char *text, WrittenTime *written)
{
    const char *at = text;
    gboolean compact = strspn(text, "0123456789") == 8;

    if (!(compact ? take_compact(&at, written) : take_extended(&at, written)))
        return FALSE;
    return take_zone(&at, written) && *at == '\0';
}

/* The moment that the written date and time mean in `zone`; NULL where the calendar or the zone has
 * no such one. GLib moves a time that a change of clocks leaves out to another one: that is noticed
 * by its hour and minute. */
static GDateTime *date_time_in(const WrittenTime *written, GTimeZone *zone)
{
    g_autoptr(GDateTime) moment = g_date_time_new(zone, written->year, written->month, written->day,
                                                  written->hour, written->minute, written->second);

    if (moment == NULL || g_date_time_get_hour(moment) != written->hour ||
        g_date_time_get_minute(moment) != written->minute)
        return NULL;
    return g_steal_pointer(&moment);
}

gboolean time_parse(const char *text, GTimeZone *zone, gint64 *ret_when, GError **error)
{
    WrittenTime written = {0};
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) moment = NULL;
    g_autoptr(GDateTime) in_range = NULL;
    gint64 seconds = 0;

    if (!read_written(text, &written)) {
        error_set(error, ERROR_USAGE, "cannot read the time \"%.64s\"", text);
        error_add_hint(error, "write it like 2026-11-22T02:00:00Z or \"2026-11-22 03:00\"");
        return FALSE;
    }
    moment = date_time_in(&written, written.has_zone || zone == NULL ? utc : zone);
    if (moment != NULL) {
        seconds = g_date_time_to_unix(moment) - written.zone_seconds;
        in_range = g_date_time_new_from_unix_utc(seconds);
    }
    if (in_range == NULL) {
        error_set(error, ERROR_USAGE, "there is no such date or time as \"%.64s\"", text);
        return FALSE;
    }
    *ret_when = seconds * TIME_SECOND + written.fraction;
    return TRUE;
}
