/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cron.h"

#include <string.h>

#include "base/error.h"
#include "base/time.h"

#define FIELDS 5

/* 29 February on a given weekday comes back after 28 years, or 40 around a year like 2100. */
#define SEARCH_DAYS (366 * 41)

#define DAY_SECONDS (24 * 60 * 60)

typedef struct {
    const char *name;
    int minimum, maximum;
    const char *words; /* names of the values from `first_word` on, or NULL */
    int first_word;
} Field;

static const Field fields[FIELDS] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec", 1},
    {"day of the week", 0, 7, "sun mon tue wed thu fri sat", 0},
};

enum { MINUTE, HOUR, DAY, MONTH, WEEKDAY };

static const struct {
    const char *name, *fields;
} shorthands[] = {
    {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
};

struct Cron {
    guint64 due[FIELDS];           /* bit n: the value n */
    gboolean any_day, any_weekday; /* the field begins with "*" */
};

/* --- Reading ---------------------------------------------------------------------------------- */

static gboolean parse_value(const Field *field, const char *text, int *ret_value)
{
    g_auto(GStrv) words = NULL;
    gint64 number;

    if (g_ascii_string_to_signed(text, 10, field->minimum, field->maximum, &number, NULL)) {
        *ret_value = (int)number;
        return TRUE;
    }
    words = g_strsplit(field->words != NULL ? field->words : "", " ", -1);
    for (int i = 0; words[i] != NULL; i++) {
        if (g_ascii_strcasecmp(words[i], text) == 0) {
            *ret_value = field->first_word + i;
            return TRUE;
        }
    }
    return FALSE;
}

static gboolean parse_range(const Field *field, const char *text, gboolean stepped, int *ret_first,
                            int *ret_last)
{
    g_auto(GStrv) range = g_strsplit(text, "-", 2);

    if (strcmp(text, "*") == 0) {
        *ret_first = field->minimum;
        *ret_last = field->maximum;
        return TRUE;
    }
    if (range[0] == NULL || !parse_value(field, range[0], ret_first))
        return FALSE;
    /* "5/15" goes on to the end, as everywhere. */
    *ret_last = stepped ? field->maximum : *ret_first;
    return range[1] == NULL || (parse_value(field, range[1], ret_last) && *ret_first <= *ret_last);
}

/* One part between commas: "*", "5", "1-5", "mon-fri", each with "/step" or without. */
static gboolean parse_part(const Field *field, const char *part, guint64 *due)
{
    g_auto(GStrv) step = g_strsplit(part, "/", 2);
    gint64 every = 1;
    int first, last;

    if (step[0] == NULL)
        return FALSE;
    if (step[1] != NULL && !g_ascii_string_to_signed(step[1], 10, 1, field->maximum, &every, NULL))
        return FALSE;
    if (!parse_range(field, step[0], step[1] != NULL, &first, &last))
        return FALSE;
    for (int i = first; i <= last; i += (int)every)
        *due |= G_GUINT64_CONSTANT(1) << i;
    return TRUE;
}

static gboolean parse_field(const Field *field, const char *text, guint64 *due, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    for (guint i = 0; parts[i] != NULL; i++) {
        if (parse_part(field, parts[i], due))
            continue;
        error_set(error, ERROR_CONFIG, "\"%s\" is no %s (%d to %d)", parts[i], field->name,
                  field->minimum, field->maximum);
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_fields(Cron *cron, const char *text, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();
    g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);

    for (guint i = 0; words[i] != NULL; i++) {
        if (words[i][0] != '\0')
            g_ptr_array_add(found, words[i]);
    }
    if (found->len != FIELDS) {
        error_set(error, ERROR_CONFIG, "\"%s\" has %u fields instead of five", text, found->len);
        error_add_hint(error, "minute hour day month weekday, as in 0 3 * * *");
        return FALSE;
    }
    for (guint i = 0; i < FIELDS; i++) {
        if (!parse_field(&fields[i], found->pdata[i], &cron->due[i], error))
            return FALSE;
    }
    cron->any_day = ((const char *)found->pdata[DAY])[0] == '*';
    cron->any_weekday = ((const char *)found->pdata[WEEKDAY])[0] == '*';
    if (cron->due[WEEKDAY] & 1 << 7)
        cron->due[WEEKDAY] |= 1;
    return TRUE;
}

static const char *expand(const char *text, GError **error)
{
    g_autoptr(GString) names = NULL;

    if (text[0] != '@')
        return text;
    names = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(shorthands); i++) {
        if (strcmp(shorthands[i].name, text) == 0)
            return shorthands[i].fields;
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", shorthands[i].name);
    }
    error_set(error, ERROR_CONFIG, "\"%s\" is not one of %s", text, names->str);
    return NULL;
}

Cron *cron_parse(const char *text, GError **error)
{
    g_autoptr(Cron) cron = g_new0(Cron, 1);

    text = expand(text, error);
    if (text == NULL || !parse_fields(cron, text, error))
        return NULL;
    return g_steal_pointer(&cron);
}

void cron_free(Cron *cron)
{
    g_free(cron);
}

/* --- Local time ------------------------------------------------------------------------------- */

/* Seconds east of UTC at a moment in seconds. */
static gint64 offset_at(GTimeZone *zone, gint64 when)
{
    return g_time_zone_get_offset(zone,
                                  g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, when));
}

/* The moment of a change of clocks in (from, to]. */
static gint64 find_change(GTimeZone *zone, gint64 from, gint64 to)
{
    const gint64 before = offset_at(zone, from);

    while (to - from > 1) {
        gint64 middle = from + (to - from) / 2;

        if (offset_at(zone, middle) == before)
            from = middle;
        else
            to = middle;
    }
    return to;
}

/* The moment of a local time (seconds since 1970 as the clock on the wall counts): the first of two,
 * the change of clocks where there is none. A zone does not change its clocks twice in two days. */
static gint64 local_to_moment(GTimeZone *zone, gint64 local)
{
    gint64 before = offset_at(zone, local - DAY_SECONDS);
    gint64 after = offset_at(zone, local + DAY_SECONDS);
    gint64 first = local - MAX(before, after), second = local - MIN(before, after);

    if (offset_at(zone, first) == local - first)
        return first;
    if (offset_at(zone, second) == local - second)
        return second;
    return find_change(zone, local - DAY_SECONDS, local + DAY_SECONDS);
}

/* --- The next run ----------------------------------------------------------------------------- */

static gboolean is_due(const Cron *cron, int field, int value)
{
    return cron->due[field] >> value & 1;
}

static gboolean day_is_due(const Cron *cron, const GDate *date)
{
    gboolean day = is_due(cron, DAY, g_date_get_day(date));
    gboolean weekday = is_due(cron, WEEKDAY, (int)g_date_get_weekday(date) % 7);

    if (!is_due(cron, MONTH, (int)g_date_get_month(date)))
        return FALSE;
    return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

/* The first moment after `after` on the day that begins at `midnight` (local), in seconds. */
static gboolean find_in_day(const Cron *cron, GTimeZone *zone, gint64 midnight, gint64 after,
                            gint64 *ret_when)
{
    for (int minute = 0; minute < 24 * 60; minute++) {
        gint64 when;

        if (!is_due(cron, HOUR, minute / 60) || !is_due(cron, MINUTE, minute % 60))
            continue;
        when = local_to_moment(zone, midnight + (gint64)minute * 60);
        if (when > after) {
            *ret_when = when;
            return TRUE;
        }
    }
    return FALSE;
}

static gint64 floor_divide(gint64 a, gint64 b)
{
    return a / b - (a % b < 0);
}

gint64 cron_next(const Cron *cron, GTimeZone *zone, gint64 after)
{
    const gint64 seconds = floor_divide(after, TIME_SECOND);
    /* Local times map to moments in their order, so that the first that fits is the next; a day
     * earlier, since clocks can go back over midnight. */
    gint64 day = floor_divide(seconds + offset_at(zone, seconds), DAY_SECONDS) - 1;
    GDate date;

    g_date_clear(&date, 1);
    g_date_set_dmy(&date, 1, G_DATE_JANUARY, 1970);
    if (day >= 0)
        g_date_add_days(&date, (guint)day);
    else
        day = 0;
    for (int i = 0; i < SEARCH_DAYS; i++, day++, g_date_add_days(&date, 1)) {
        gint64 when;

        if (day_is_due(cron, &date) && find_in_day(cron, zone, day * DAY_SECONDS, seconds, &when))
            return when * TIME_SECOND;
    }
    return G_MAXINT64;
}
