/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Inside Holdfast a moment is a gint64: microseconds since 1970-01-01T00:00:00 UTC. At every
 * edge it is ISO 8601.
 *
 * Threads: any. time_set_source() is for tests, before threads start.
 */
#ifndef HOLDFAST_BASE_TIME_H
#define HOLDFAST_BASE_TIME_H

#include <glib.h>

#define TIME_SECOND G_GINT64_CONSTANT(1000000)
#define TIME_MINUTE (60 * TIME_SECOND)
#define TIME_HOUR   (60 * TIME_MINUTE)
#define TIME_DAY    (24 * TIME_HOUR)

typedef gint64 (*TimeSource)(gpointer data);

/* The wall clock, or what a test put in its place. */
gint64 time_now(void);

/* A clock that never goes back, for durations; in microseconds from an arbitrary start. Not
 * replaceable. */
gint64 time_monotonic(void);

/* Replaces the wall clock; NULL puts the real one back. */
void time_set_source(TimeSource source, gpointer data);

/* "2026-11-22T02:00:00Z", with a fraction of 3 or 6 digits only where it is not zero. A moment
 * outside the years 1 to 9999 has no such form: here and below it comes as "@" and its
 * microseconds. Free with g_free(). */
char *time_format(gint64 when);

/* "20261122T020000Z", as backup ids begin. Fractions are cut. Free with g_free(). */
char *time_format_compact(gint64 when);

/* The moment in a zone, for people: "2026-11-22 03:00:00 CET". Free with g_free(). */
char *time_format_local(gint64 when, GTimeZone *zone);

/* Reads ISO 8601: date and time, separated by "T" or a blank; seconds and a fraction may be left
 * out, and so may the whole time of day (midnight then); the zone is "Z", "+hh", "+hhmm", "+hh:mm"
 * or nothing, and nothing means `zone` (NULL: UTC). Also reads the compact form. Fractions have at
 * most 9 digits and are cut to microseconds. A local time that a change of clocks makes twice is
 * taken in standard time. Anything else is ERROR_USAGE, and so are dates and times that are none
 * (2026-02-30, a leap second, an hour that a change of clocks leaves out). */
gboolean time_parse(const char *text, GTimeZone *zone, gint64 *ret_when,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
