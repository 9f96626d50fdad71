/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention: cases by hand where the calendar has its corners, and a model, written another way
 * than the module, that predicts for many random histories what must remain.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "operation/retention.h"

/* --- Cases by hand ---------------------------------------------------------------------------- */

typedef struct {
    GArray *backups;
    RetentionRules rules;
    GTimeZone *zone;
    gint64 now;
} Case;

static gint64 at(const Case *test, const char *text)
{
    g_autoptr(GError) error = NULL;
    gint64 when;

    g_assert_true(time_parse(text, test->zone, &when, &error));
    return when;
}

static void set_up(Case *test, gconstpointer zone)
{
    memset(test, 0, sizeof(*test));
    test->backups = g_array_new(FALSE, TRUE, sizeof(RetentionBackup));
    test->zone = g_time_zone_new_identifier(zone);
    g_assert_nonnull(test->zone);
}

static void tear_down(Case *test, gconstpointer zone)
{
    g_array_unref(test->backups);
    g_time_zone_unref(test->zone);
}

/* A good full that takes a minute; its id is its start. */
static RetentionBackup *add(Case *test, const char *start)
{
    RetentionBackup backup = {.id = start, .full = TRUE, .good = TRUE};

    backup.start = at(test, start);
    backup.stop = backup.reach = backup.start + TIME_MINUTE;
    g_array_append_val(test->backups, backup);
    return &g_array_index(test->backups, RetentionBackup, test->backups->len - 1);
}

static RetentionVerdict *decide(const Case *test)
{
    return retention_decide((const RetentionBackup *)test->backups->data, test->backups->len,
                            &test->rules, test->now, test->zone);
}

/* What remains is exactly this, in the order of adding. */
static void assert_kept(const Case *test, const char *const *ids)
{
    g_autofree RetentionVerdict *verdicts = decide(test);
    g_autoptr(GString) kept = g_string_new(NULL);
    g_autofree char *expected = g_strjoinv(" | ", (char **)ids);

    for (guint i = 0; i < test->backups->len; i++) {
        const RetentionBackup *backup = &g_array_index(test->backups, RetentionBackup, i);

        if (verdicts[i].keep != 0)
            g_string_append_printf(kept, "%s%s", kept->len > 0 ? " | " : "", backup->id);
    }
    g_assert_cmpstr(kept->str, ==, expected);
}
#define KEPT(test, ...) assert_kept((test), (const char *const[]){__VA_ARGS__, NULL})

/* In Berlin 2026-03-29 has 23 hours and 2026-10-25 has 25, of which 02:30 comes twice. */
static void test_clock_changes(Case *test, gconstpointer zone)
{
    test->rules.daily = 2;
    test->now = at(test, "2026-03-29T12:00");
    add(test, "2026-03-27T23:59");
    add(test, "2026-03-28T00:00");
    add(test, "2026-03-28T23:59:59");
    add(test, "2026-03-29T01:59:59");
    add(test, "2026-03-29T03:00");
    KEPT(test, "2026-03-28T23:59:59", "2026-03-29T03:00");
    g_array_set_size(test->backups, 0);
    test->now = at(test, "2026-10-26T00:30");
    add(test, "2026-10-24T23:59:59");
    add(test, "2026-10-25T00:00");
    add(test, "2026-10-25T00:30Z");
    add(test, "2026-10-25T01:30Z");
    add(test, "2026-10-25T22:59:59Z");
    add(test, "2026-10-25T23:00Z");
    KEPT(test, "2026-10-25T22:59:59Z", "2026-10-25T23:00Z");
    /* The same clock time three days ago is 73 hours ago. */
    g_assert_cmpint(test->now - retention_days_ago(test->now, 3, test->zone), ==, 73 * TIME_HOUR);
}

static void test_leap_days(Case *test, gconstpointer zone)
{
    test->rules.monthly = 2;
    test->rules.daily = 2;
    test->now = at(test, "2028-03-01T10:00");
    add(test, "2028-01-31T02:00");
    add(test, "2028-02-28T02:00");
    add(test, "2028-02-29T02:00");
    KEPT(test, "2028-02-29T02:00");
    add(test, "2028-03-01T02:00");
    KEPT(test, "2028-02-29T02:00", "2028-03-01T02:00");
    test->rules = (RetentionRules){.yearly = 2};
    test->now = at(test, "2028-02-29T10:00");
    KEPT(test, "2028-03-01T02:00"); /* before the clock: the newest, and no period of the past */
    test->rules = (RetentionRules){.days = 1};
    test->now = at(test, "2028-03-01T01:00");
    KEPT(test, "2028-02-28T02:00", "2028-02-29T02:00", "2028-03-01T02:00");
}

/* 2020 ends in ISO week 53, which reaches to Sunday, 2021-01-03. */
static void test_year_ends(Case *test, gconstpointer zone)
{
    test->rules.weekly = 2;
    test->now = at(test, "2021-01-05T12:00");
    add(test, "2020-12-27T23:00");
    add(test, "2020-12-28T00:00");
    add(test, "2020-12-31T23:59:59");
    add(test, "2021-01-01T00:00");
    add(test, "2021-01-03T23:59:59");
    add(test, "2021-01-04T00:00");
    KEPT(test, "2021-01-03T23:59:59", "2021-01-04T00:00");
    test->rules = (RetentionRules){.yearly = 2};
    KEPT(test, "2020-12-31T23:59:59", "2021-01-04T00:00");
    test->rules = (RetentionRules){.monthly = 2};
    KEPT(test, "2020-12-31T23:59:59", "2021-01-04T00:00");
    test->rules = (RetentionRules){.weekly = 3, .yearly = 1};
    KEPT(test, "2020-12-27T23:00", "2021-01-03T23:59:59", "2021-01-04T00:00");
}

/* The running period is the first even where it has no backup yet, and empty ones count. */
static void test_running_period(Case *test, gconstpointer zone)
{
    test->rules.daily = 3;
    test->now = at(test, "2026-05-10T00:10");
    add(test, "2026-05-07T02:00");
    add(test, "2026-05-08T02:00");
    add(test, "2026-05-09T02:00");
    KEPT(test, "2026-05-08T02:00", "2026-05-09T02:00");
    test->now = at(test, "2026-05-20T00:10");
    KEPT(test, "2026-05-09T02:00");
}

static void test_days_and_base(Case *test, gconstpointer zone)
{
    RetentionBackup *backup;

    test->rules.days = 3;
    test->now = at(test, "2026-05-10T12:00");
    add(test, "2026-05-01T02:00");
    backup = add(test, "2026-05-05T02:00");
    backup->full = FALSE;
    backup->reach = test->now;
    add(test, "2026-05-06T02:00"); /* ends later, but its logs lead nowhere */
    add(test, "2026-05-08T02:00");
    KEPT(test, "2026-05-05T02:00", "2026-05-06T02:00", "2026-05-08T02:00");
    backup = &g_array_index(test->backups, RetentionBackup, 2);
    backup->reach = test->now;
    KEPT(test, "2026-05-06T02:00", "2026-05-08T02:00");
    backup->good = FALSE;
    KEPT(test, "2026-05-05T02:00", "2026-05-08T02:00");
    backup->good = TRUE;
    backup->partial = TRUE;
    KEPT(test, "2026-05-05T02:00", "2026-05-08T02:00");
    backup->pinned = TRUE;
    KEPT(test, "2026-05-05T02:00", "2026-05-06T02:00", "2026-05-08T02:00");
    backup->pinned = FALSE;
    backup->in_use = "verify on db1";
    KEPT(test, "2026-05-05T02:00", "2026-05-06T02:00", "2026-05-08T02:00");
}

/* It began before the oldest moment and ended behind it: then it is not its base. */
static void test_base_ends_before(Case *test, gconstpointer zone)
{
    RetentionBackup *backup;

    test->rules.days = 3;
    test->now = at(test, "2026-05-10T12:00");
    add(test, "2026-05-06T02:00");
    backup = add(test, "2026-05-07T11:00");
    backup->stop = backup->reach = at(test, "2026-05-07T12:00");
    add(test, "2026-05-09T02:00");
    KEPT(test, "2026-05-06T02:00", "2026-05-07T11:00", "2026-05-09T02:00");
    backup = &g_array_index(test->backups, RetentionBackup, 1);
    backup->stop = backup->reach = at(test, "2026-05-07T11:59:59");
    KEPT(test, "2026-05-07T11:00", "2026-05-09T02:00");
}

static void test_newest_good_full(Case *test, gconstpointer zone)
{
    test->now = at(test, "2026-05-10T12:00");
    add(test, "2026-01-01T02:00");
    add(test, "2026-01-02T02:00");
    add(test, "2026-01-03T02:00")->good = FALSE;
    add(test, "2026-01-04T02:00")->partial = TRUE;
    add(test, "2026-01-05T02:00")->full = FALSE;
    KEPT(test, "2026-01-02T02:00");
    test->rules.fulls = 2;
    KEPT(test, "2026-01-01T02:00", "2026-01-02T02:00");
    test->rules.fulls = 0;
    for (guint i = 0; i < 2; i++)
        g_array_index(test->backups, RetentionBackup, i).good = FALSE;
    KEPT(test, "2026-01-05T02:00");
    g_array_index(test->backups, RetentionBackup, 4).good = FALSE;
    KEPT(test, "2026-01-05T02:00");
}

static void test_damaged_stands_in(Case *test, gconstpointer zone)
{
    test->rules.monthly = 3;
    test->now = at(test, "2026-05-10T12:00");
    add(test, "2026-03-01T02:00")->good = FALSE;
    add(test, "2026-03-02T02:00")->good = FALSE;
    add(test, "2026-04-01T02:00");
    add(test, "2026-04-02T02:00")->good = FALSE;
    add(test, "2026-04-03T02:00")->partial = TRUE;
    KEPT(test, "2026-03-02T02:00", "2026-04-01T02:00");
}

static void test_logs(Case *test, gconstpointer zone)
{
    g_autofree RetentionVerdict *unlimited = NULL;
    g_autofree RetentionVerdict *limited = NULL;
    static const char *const starts[] = {"2025-05-01T02:00", "2026-05-01T02:00", "2026-05-06T02:00",
                                         "2026-05-09T02:00"};

    test->now = at(test, "2026-05-10T12:00");
    test->rules.days = 3;
    test->rules.yearly = 5;
    for (guint i = 0; i < G_N_ELEMENTS(starts); i++)
        add(test, starts[i])->reach = test->now;
    unlimited = decide(test);
    g_assert_true(unlimited[0].logs);
    g_assert_cmpuint(unlimited[1].keep, ==, 0);
    g_assert_false(unlimited[1].logs);
    g_assert_cmpint(retention_log_bound(&test->rules, test->now, test->zone), ==, G_MAXINT64);
    /* keep_days needs more than one day of logs, so wal_days cannot take them away. */
    test->rules.limit_logs = TRUE;
    test->rules.log_days = 1;
    limited = decide(test);
    g_assert_false(limited[0].logs);
    g_assert_true(limited[2].logs);
    g_assert_true(limited[3].logs);
    g_assert_cmpint(retention_log_bound(&test->rules, test->now, test->zone), ==,
                    at(test, "2026-05-09T12:00"));
    /* Behind the newest one they stay, however old it is. */
    g_clear_pointer(&limited, g_free);
    test->rules = (RetentionRules){.fulls = 2, .limit_logs = TRUE};
    for (guint i = 0; i < G_N_ELEMENTS(starts); i++)
        g_array_index(test->backups, RetentionBackup, i).reach = 0;
    limited = decide(test);
    g_assert_false(limited[2].logs);
    g_assert_true(limited[3].logs);
}

static void test_reasons(Case *test, gconstpointer zone)
{
    g_autofree RetentionVerdict *verdicts = NULL;
    g_autofree char *goes = NULL, *stays = NULL;
    RetentionBackup *backups;

    test->rules = (RetentionRules){.days = 30, .monthly = 12};
    test->now = at(test, "2026-05-10T12:00");
    add(test, "2026-04-01T02:00")->partial = TRUE;
    add(test, "2026-05-09T02:00")->pinned = TRUE;
    backups = (RetentionBackup *)test->backups->data;
    backups[1].in_use = "verify on db1";
    verdicts = decide(test);
    goes = retention_reason(&test->rules, &backups[0], &verdicts[0]);
    stays = retention_reason(&test->rules, &backups[1], &verdicts[1]);
    g_assert_cmpstr(goes, ==,
                    "a partial backup, older than keep_days 30, and no other rule keeps it");
    g_assert_cmpstr(stays, ==,
                    "keep_days 30, keep_monthly 12, the newest good one, pinned, "
                    "in use by verify on db1");
}

/* --- The model -------------------------------------------------------------------------------- */

/* One backup of the model. Times are whole seconds; log positions are hours since the beginning,
 * one log file an hour. */
typedef struct {
    char id[32];
    time_t start, stop, reach;
    struct tm day; /* of the start, by the C library's calendar */
    gboolean full, partial, pinned, good, used;
} Entry;

typedef struct {
    GRand *rand;
    Entry *entries;
    guint count;
    gboolean *log_gone; /* of each hour: the log was never archived */
    guint hours;
    time_t begin, now;
    RetentionRules rules;
} Model;

static guint dice(Model *model, guint sides)
{
    return (guint)g_rand_int_range(model->rand, 0, (gint32)sides);
}

static guint hour_of(const Model *model, time_t when)
{
    return (guint)((when - model->begin) / 3600);
}

/* How far the logs lead on from a moment. */
static time_t follow(const Model *model, time_t from)
{
    guint hour = hour_of(model, from);

    while (hour < model->hours && !model->log_gone[hour])
        hour++;
    return MAX(from, MIN(model->begin + (time_t)hour * 3600, model->now));
}

static void make_entry(Model *model, guint i, time_t start)
{
    Entry *entry = &model->entries[i];
    guint first = hour_of(model, start), last;
    gboolean whole = TRUE;

    g_snprintf(entry->id, sizeof(entry->id), "%010lld-%06u", (long long)start, i);
    entry->start = start;
    entry->stop = start + 1 + (time_t)dice(model, 10000);
    entry->stop = MIN(entry->stop, model->now);
    localtime_r(&entry->start, &entry->day);
    entry->full = dice(model, 4) == 0;
    entry->partial = dice(model, 20) == 0;
    entry->pinned = dice(model, 50) == 0;
    entry->good = dice(model, 12) != 0;
    entry->used = dice(model, 200) == 0;
    last = hour_of(model, entry->stop);
    for (guint hour = first; hour <= last; hour++)
        whole = whole && !model->log_gone[hour];
    entry->reach = whole && dice(model, 8) != 0 ? follow(model, entry->stop) : entry->stop;
}

static Model *model_new(guint seed)
{
    Model *model = g_new0(Model, 1);
    guint days;
    time_t when;

    model->rand = g_rand_new_with_seed(seed);
    days = 30 + dice(model, 1500);
    model->begin = 1262304000 + (time_t)dice(model, 600000000);
    model->now = model->begin + (time_t)days * 86400 + (time_t)dice(model, 86400);
    model->hours = hour_of(model, model->now) + 1;
    model->log_gone = g_new0(gboolean, model->hours);
    for (guint i = 0; i < days / 20; i++)
        model->log_gone[dice(model, model->hours)] = TRUE;
    model->count = 1 + dice(model, 4000);
    model->entries = g_new0(Entry, model->count);
    for (guint i = 0; i < model->count; i++) {
        when = model->begin +
               (time_t)g_rand_double_range(model->rand, 0, (double)(model->now - model->begin));
        make_entry(model, i, when);
    }
    model->rules = (RetentionRules){.days = dice(model, 3) == 0 ? 0 : dice(model, 60),
                                    .fulls = dice(model, 2) == 0 ? 0 : dice(model, 8),
                                    .daily = dice(model, 2) == 0 ? 0 : dice(model, 40),
                                    .weekly = dice(model, 2) == 0 ? 0 : dice(model, 60),
                                    .monthly = dice(model, 2) == 0 ? 0 : dice(model, 30),
                                    .yearly = dice(model, 2) == 0 ? 0 : dice(model, 6),
                                    .limit_logs = dice(model, 2) == 0,
                                    .log_days = dice(model, 50)};
    return model;
}

static void model_free(Model *model)
{
    g_rand_free(model->rand);
    g_free(model->entries);
    g_free(model->log_gone);
    g_free(model);
}

static time_t days_before(time_t now, guint days)
{
    struct tm local;

    localtime_r(&now, &local);
    local.tm_mday -= (int)days;
    local.tm_isdst = -1;
    return mktime(&local);
}

/* A date as days since 1970, counted year by year. */
static long day_number(const struct tm *tm)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int year = tm->tm_year + 1900;
    long days = 0;

    for (int y = 1970; y < year; y++)
        days += (y % 4 == 0 && y % 100 != 0) || y % 400 == 0 ? 366 : 365;
    days += before[tm->tm_mon] + tm->tm_mday - 1;
    if (tm->tm_mon > 1 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
        days++;
    return days;
}

typedef enum { DAY, WEEK, MONTH, YEAR } Unit;

/* How many periods before the running one. */
static long periods_back(const Model *model, const struct tm *then, Unit unit)
{
    struct tm now;
    char text[16];

    localtime_r(&model->now, &now);
    switch (unit) {
    case DAY:
        return day_number(&now) - day_number(then);
    case WEEK:
        /* Both Mondays; the C library's weekday, counted from Sunday. */
        return ((day_number(&now) - (now.tm_wday + 6) % 7) -
                (day_number(then) - (then->tm_wday + 6) % 7)) /
               7;
    case MONTH:
        return (now.tm_year - then->tm_year) * 12 + now.tm_mon - then->tm_mon;
    case YEAR:
        strftime(text, sizeof(text), "%Y", then);
        return now.tm_year + 1900 - atol(text);
    }
    return 0;
}

static gboolean is_newer(const Entry *a, const Entry *b)
{
    return a->start > b->start || (a->start == b->start && strcmp(a->id, b->id) > 0);
}

/* Whether an entry is the one that stands for its period: asked of every other. */
static gboolean stands_for_period(const Model *model, const Entry *entry, Unit unit, guint limit,
                                  const long *back)
{
    long own = back[entry - model->entries];

    if (entry->partial || own < 0 || own >= (long)limit)
        return FALSE;
    for (guint i = 0; i < model->count; i++) {
        const Entry *other = &model->entries[i];

        if (other == entry || other->partial || back[i] != own)
            continue;
        if (other->good != entry->good ? other->good : is_newer(other, entry))
            return FALSE;
    }
    return TRUE;
}

static guint newer_good_fulls(const Model *model, const Entry *entry)
{
    guint count = 0;

    for (guint i = 0; i < model->count; i++) {
        const Entry *other = &model->entries[i];

        if (other->full && other->good && !other->partial && is_newer(other, entry))
            count++;
    }
    return count;
}

/* Whether another one could serve as the base of a moment better. */
static gboolean is_base(const Model *model, const Entry *entry, time_t oldest, gboolean leading)
{
    if (!entry->good || entry->partial || entry->stop >= oldest ||
        (leading && entry->reach < oldest))
        return FALSE;
    for (guint i = 0; i < model->count; i++) {
        const Entry *other = &model->entries[i];

        if (other == entry || !other->good || other->partial || other->stop >= oldest ||
            (leading && other->reach < oldest))
            continue;
        if (other->stop > entry->stop || (other->stop == entry->stop && is_newer(other, entry)))
            return FALSE;
    }
    return TRUE;
}

static gboolean is_last_resort(const Model *model, const Entry *entry)
{
    gboolean fulls = FALSE, goods = FALSE;

    for (guint i = 0; i < model->count; i++) {
        const Entry *other = &model->entries[i];

        fulls = fulls || (other->good && !other->partial && other->full);
        goods = goods || (other->good && !other->partial);
    }
    if ((fulls && !entry->full) || (goods && (!entry->good || entry->partial)))
        return FALSE;
    for (guint i = 0; i < model->count; i++) {
        const Entry *other = &model->entries[i];

        if ((fulls && !other->full) || (goods && (!other->good || other->partial)))
            continue;
        if (is_newer(other, entry))
            return FALSE;
    }
    return TRUE;
}

/* What must remain, entry by entry. */
static gboolean *predict(const Model *model)
{
    gboolean *kept = g_new0(gboolean, model->count);
    const RetentionRules *rules = &model->rules;
    const guint limits[] = {rules->daily, rules->weekly, rules->monthly, rules->yearly};
    time_t oldest = days_before(model->now, rules->days);
    g_autofree long *back = g_new(long, model->count);

    for (guint i = 0; i < model->count; i++) {
        const Entry *entry = &model->entries[i];

        kept[i] = entry->pinned || entry->used || is_last_resort(model, entry);
        if (rules->days > 0)
            kept[i] = kept[i] || entry->stop >= oldest || is_base(model, entry, oldest, FALSE) ||
                      is_base(model, entry, oldest, TRUE);
        if (!kept[i] && entry->full && entry->good && !entry->partial)
            kept[i] = newer_good_fulls(model, entry) < rules->fulls;
    }
    for (Unit unit = DAY; unit <= YEAR; unit++) {
        if (limits[unit] == 0)
            continue;
        for (guint i = 0; i < model->count; i++)
            back[i] = periods_back(model, &model->entries[i].day, unit);
        for (guint i = 0; i < model->count; i++)
            kept[i] =
                kept[i] || stands_for_period(model, &model->entries[i], unit, limits[unit], back);
    }
    return kept;
}

static RetentionBackup *to_backups(const Model *model)
{
    RetentionBackup *backups = g_new0(RetentionBackup, model->count);

    for (guint i = 0; i < model->count; i++) {
        const Entry *entry = &model->entries[i];

        backups[i] = (RetentionBackup){.id = entry->id,
                                       .start = entry->start * TIME_SECOND,
                                       .stop = entry->stop * TIME_SECOND,
                                       .reach = entry->reach * TIME_SECOND,
                                       .full = entry->full,
                                       .partial = entry->partial,
                                       .pinned = entry->pinned,
                                       .good = entry->good,
                                       .in_use = entry->used ? "restore" : NULL};
    }
    return backups;
}

/* The logs that are there after a cleanup that takes what nobody needs. */
static gboolean *remaining_logs(const Model *model, const RetentionVerdict *verdicts)
{
    gboolean *there = g_new0(gboolean, model->hours);

    for (guint i = 0; i < model->count; i++) {
        const Entry *entry = &model->entries[i];
        guint last = verdicts[i].logs ? model->hours - 1 : hour_of(model, entry->stop);

        for (guint h = hour_of(model, entry->start); verdicts[i].keep != 0 && h <= last; h++)
            there[h] = !model->log_gone[h];
    }
    return there;
}

/* Whether a moment can be recovered from the entries kept (NULL: all) and the logs there (NULL:
 * all): some good one ends before it and logs lead on from its stop. */
static gboolean can_recover(const Model *model, time_t moment, const RetentionVerdict *verdicts,
                            const gboolean *logs)
{
    for (guint i = 0; i < model->count; i++) {
        const Entry *entry = &model->entries[i];
        gboolean leads = TRUE;

        if ((verdicts != NULL && verdicts[i].keep == 0) || !entry->good || entry->partial ||
            entry->stop > moment || entry->reach < moment)
            continue;
        for (guint h = hour_of(model, entry->start);
             logs != NULL && moment > entry->stop && h <= hour_of(model, moment) && leads; h++)
            leads = logs[h] || (h == hour_of(model, moment) && model->log_gone[h]);
        if (leads)
            return TRUE;
    }
    return FALSE;
}

/* The state that is nearest before a moment. */
static time_t nearest_state(const Model *model, time_t moment, const RetentionVerdict *verdicts)
{
    time_t best = 0;

    for (guint i = 0; i < model->count; i++) {
        const Entry *entry = &model->entries[i];

        if ((verdicts == NULL || verdicts[i].keep != 0) && entry->good && !entry->partial &&
            entry->stop <= moment)
            best = MAX(best, entry->stop);
    }
    return best;
}

static void check_promises(Model *model, const RetentionVerdict *verdicts)
{
    g_autofree gboolean *logs = remaining_logs(model, verdicts);
    time_t oldest = days_before(model->now, model->rules.days);

    for (guint i = 0; i < model->count; i++) {
        const Entry *entry = &model->entries[i];

        for (guint h = hour_of(model, entry->start);
             verdicts[i].keep != 0 && h <= hour_of(model, entry->stop); h++)
            g_assert_true(logs[h] || model->log_gone[h]);
    }
    for (guint i = 0; i < 40 && model->rules.days > 0; i++) {
        time_t moment = i == 0 ? oldest : oldest + (time_t)dice(model, model->rules.days * 86400);

        moment = CLAMP(moment, model->begin, model->now);
        if (can_recover(model, moment, NULL, NULL))
            g_assert_true(can_recover(model, moment, verdicts, logs));
        g_assert_cmpint(nearest_state(model, moment, NULL), ==,
                        nearest_state(model, moment, verdicts));
    }
}

/* A cleanup that was killed has deleted some of what goes: the next one must see it as the first
 * did. `share` of six are still there. */
static void check_interrupted(Model *model, const RetentionBackup *backups,
                              const RetentionVerdict *verdicts, guint share, GTimeZone *zone)
{
    g_autoptr(GArray) left = g_array_new(FALSE, FALSE, sizeof(RetentionBackup));
    g_autoptr(GArray) kept = g_array_new(FALSE, FALSE, sizeof(gboolean));
    g_autofree RetentionVerdict *again = NULL;

    for (guint i = 0; i < model->count; i++) {
        gboolean keep = verdicts[i].keep != 0;

        if (!keep && dice(model, 6) >= share)
            continue;
        g_array_append_val(left, backups[i]);
        g_array_append_val(kept, keep);
    }
    again = retention_decide((const RetentionBackup *)left->data, left->len, &model->rules,
                             model->now * TIME_SECOND, zone);
    for (guint i = 0; i < left->len; i++)
        g_assert_cmpint(again[i].keep != 0, ==, g_array_index(kept, gboolean, i));
}

static void check_history(guint seed, GTimeZone *zone)
{
    Model *model = model_new(seed);
    g_autofree RetentionBackup *backups = to_backups(model);
    g_autofree gboolean *expected = predict(model);
    g_autofree RetentionVerdict *verdicts =
        retention_decide(backups, model->count, &model->rules, model->now * TIME_SECOND, zone);

    for (guint i = 0; i < model->count; i++) {
        if (expected[i] == (verdicts[i].keep != 0))
            continue;
        g_error("history %u: backup %s: expected %s, keep is 0x%x", seed, backups[i].id,
                expected[i] ? "kept" : "gone", verdicts[i].keep);
    }
    check_promises(model, verdicts);
    for (guint share = 0; share < 6; share += 3)
        check_interrupted(model, backups, verdicts, share, zone);
    model_free(model);
}

static void test_model(gconstpointer data)
{
    const char *name = data;
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(name);
    guint first = g_str_hash(name);

    g_assert_nonnull(zone);
    g_setenv("TZ", name, TRUE);
    tzset();
    for (guint i = 0; i < 20; i++)
        check_history(first + i, zone);
}

int main(int argc, char **argv)
{
    static const char *const zones[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                        "Pacific/Apia", "UTC"};
    static const struct {
        const char *name;
        void (*run)(Case *, gconstpointer);
    } cases[] = {
        {"clock-changes", test_clock_changes},
        {"leap-days", test_leap_days},
        {"year-ends", test_year_ends},
        {"running-period", test_running_period},
        {"days-and-base", test_days_and_base},
        {"base-ends-before", test_base_ends_before},
        {"newest-good-full", test_newest_good_full},
        {"damaged-stands-in", test_damaged_stands_in},
        {"logs", test_logs},
        {"reasons", test_reasons},
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/retention/", cases[i].name, NULL);

        g_test_add(path, Case, "Europe/Berlin", set_up, cases[i].run, tear_down);
    }
    for (guint i = 0; i < G_N_ELEMENTS(zones); i++) {
        g_autofree char *path = g_strconcat("/retention/model/", zones[i], NULL);

        g_test_add_data_func(path, zones[i], test_model);
    }
    return g_test_run();
}
