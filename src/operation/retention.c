/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention.
 */
#include "operation/retention.h"

#include <string.h>

#include "base/time.h"

typedef struct {
    const RetentionBackup *backups;
    guint count;
    const RetentionRules *rules;
    gint64 now;
    GTimeZone *zone;
    guint *order; /* indices, newest first */
    RetentionVerdict *verdicts;
} Decision;

/* --- the calendar ----------------------------------------------------------------------------- */

/* Counts of periods since the year 1, by the calendar of the zone. */
typedef struct {
    gint64 day, week, month, year;
} Periods;

/* Moments beyond the years that have a calendar are put at its ends. */
static GDateTime *local_time(gint64 when, GTimeZone *zone)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(when / TIME_SECOND);
    GDateTime *local = utc != NULL ? g_date_time_to_timezone(utc, zone) : NULL;

    if (local != NULL)
        return local;
    return when < 0 ? g_date_time_new_utc(1, 1, 2, 0, 0, 0)
                    : g_date_time_new_utc(9999, 12, 30, 0, 0, 0);
}

static Periods periods_of(gint64 when, GTimeZone *zone)
{
    g_autoptr(GDateTime) local = local_time(when, zone);
    Periods periods;
    GDate date;
    int year, month, day;

    g_date_time_get_ymd(local, &year, &month, &day);
    g_date_clear(&date, 1);
    g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)year);
    periods.day = g_date_get_julian(&date);
    /* Day 1 is a Monday, as ISO weeks begin. */
    periods.week = (periods.day - 1) / 7;
    periods.month = (gint64)year * 12 + month;
    periods.year = year;
    return periods;
}

gint64 retention_days_ago(gint64 now, guint days, GTimeZone *zone)
{
    g_autoptr(GDateTime) local = local_time(now, zone);
    g_autoptr(GDateTime) before = g_date_time_add_days(local, -(int)MIN(days, 4000000));

    if (before == NULL)
        return G_MININT64;
    return g_date_time_to_unix(before) * TIME_SECOND + now % TIME_SECOND;
}

gint64 retention_log_bound(const RetentionRules *rules, gint64 now, GTimeZone *zone)
{
    return rules->limit_logs ? retention_days_ago(now, rules->log_days, zone) : G_MAXINT64;
}

/* --- the rules -------------------------------------------------------------------------------- */

static int compare_newest_first(gconstpointer a, gconstpointer b, gpointer data)
{
    const RetentionBackup *backups = data;
    const RetentionBackup *left = &backups[*(const guint *)a];
    const RetentionBackup *right = &backups[*(const guint *)b];

    if (left->start != right->start)
        return left->start > right->start ? -1 : 1;
    return -strcmp(left->id, right->id);
}

static const RetentionBackup *nth(const Decision *decision, guint index, RetentionVerdict **ret)
{
    guint at = decision->order[index];

    *ret = &decision->verdicts[at];
    return &decision->backups[at];
}

static gboolean can_restore(const RetentionBackup *backup)
{
    return backup->good && !backup->partial;
}

/* The good one that ends last before a moment and leads to at least `reach`; NULL: none. */
static RetentionVerdict *find_base(const Decision *decision, gint64 before, gint64 reach)
{
    const RetentionBackup *found = NULL;
    RetentionVerdict *result = NULL;

    for (guint i = 0; i < decision->count; i++) {
        RetentionVerdict *verdict;
        const RetentionBackup *backup = nth(decision, i, &verdict);

        if (!can_restore(backup) || backup->stop >= before || backup->reach < reach ||
            (found != NULL && found->stop >= backup->stop))
            continue;
        found = backup;
        result = verdict;
    }
    return result;
}

static void keep_days(Decision *decision)
{
    gint64 oldest = retention_days_ago(decision->now, decision->rules->days, decision->zone);
    RetentionVerdict *bases[2];

    if (decision->rules->days == 0)
        return;
    for (guint i = 0; i < decision->count; i++) {
        if (decision->backups[i].stop >= oldest)
            decision->verdicts[i].keep |= RETAIN_DAYS;
    }
    bases[0] = find_base(decision, oldest, G_MININT64);
    bases[1] = find_base(decision, oldest, oldest);
    for (guint i = 0; i < G_N_ELEMENTS(bases); i++) {
        if (bases[i] != NULL)
            bases[i]->keep |= RETAIN_BASE;
    }
}

static void keep_fulls(Decision *decision)
{
    guint left = decision->rules->fulls;

    for (guint i = 0; i < decision->count && left > 0; i++) {
        RetentionVerdict *verdict;
        const RetentionBackup *backup = nth(decision, i, &verdict);

        if (!backup->full || !can_restore(backup))
            continue;
        verdict->keep |= RETAIN_FULLS;
        left--;
    }
}

/* Keeps the newest backup of each of the `limit` periods up to the running one. `offset` says which
 * count of Periods is meant. */
static void keep_periods(Decision *decision, const Periods *periods, gsize offset, guint limit,
                         RetentionKeep keep)
{
    g_autoptr(GHashTable) best = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    const Periods now = periods_of(decision->now, decision->zone);
    gint64 running = G_STRUCT_MEMBER(gint64, &now, offset);
    GHashTableIter iterator;
    gpointer chosen;

    for (guint i = 0; i < decision->count && limit > 0; i++) {
        guint at = decision->order[i];
        const RetentionBackup *backup = &decision->backups[at];
        gint64 period = G_STRUCT_MEMBER(gint64, &periods[at], offset);
        gpointer known;

        if (backup->partial || period > running || running - period >= limit)
            continue;
        if (g_hash_table_lookup_extended(best, &period, NULL, &known) &&
            (decision->backups[GPOINTER_TO_UINT(known)].good || !backup->good))
            continue;
        g_hash_table_insert(best, g_memdup2(&period, sizeof(period)), GUINT_TO_POINTER(at));
    }
    g_hash_table_iter_init(&iterator, best);
    while (g_hash_table_iter_next(&iterator, NULL, &chosen))
        decision->verdicts[GPOINTER_TO_UINT(chosen)].keep |= keep;
}

static void keep_calendar(Decision *decision)
{
    g_autofree Periods *periods = g_new(Periods, MAX(decision->count, 1));
    const RetentionRules *rules = decision->rules;

    for (guint i = 0; i < decision->count; i++)
        periods[i] = periods_of(decision->backups[i].start, decision->zone);
    keep_periods(decision, periods, G_STRUCT_OFFSET(Periods, day), rules->daily, RETAIN_DAILY);
    keep_periods(decision, periods, G_STRUCT_OFFSET(Periods, week), rules->weekly, RETAIN_WEEKLY);
    keep_periods(decision, periods, G_STRUCT_OFFSET(Periods, month), rules->monthly,
                 RETAIN_MONTHLY);
    keep_periods(decision, periods, G_STRUCT_OFFSET(Periods, year), rules->yearly, RETAIN_YEARLY);
}

static void keep_newest(Decision *decision)
{
    RetentionVerdict *full = NULL, *good = NULL, *any = NULL, *verdict;

    for (guint i = decision->count; i > 0; i--) {
        const RetentionBackup *backup = nth(decision, i - 1, &verdict);

        if (can_restore(backup) && backup->full)
            full = verdict;
        if (can_restore(backup))
            good = verdict;
        any = verdict;
    }
    verdict = full != NULL ? full : good != NULL ? good : any;
    if (verdict != NULL)
        verdict->keep |= RETAIN_NEWEST;
}

static void keep_held(Decision *decision)
{
    for (guint i = 0; i < decision->count; i++) {
        if (decision->backups[i].pinned)
            decision->verdicts[i].keep |= RETAIN_PINNED;
        if (decision->backups[i].in_use != NULL)
            decision->verdicts[i].keep |= RETAIN_IN_USE;
    }
}

/* --- logs ------------------------------------------------------------------------------------- */

/* Where logs are limited, those of the days that must stay recoverable and those behind the newest
 * backup are needed all the same. */
static void decide_logs(Decision *decision)
{
    const RetentionRules *rules = decision->rules;
    gint64 since =
        retention_days_ago(decision->now, MAX(rules->days, rules->limit_logs ? rules->log_days : 0),
                           decision->zone);
    RetentionVerdict *base = NULL, *newest = NULL;

    for (guint i = decision->count; i > 0; i--) {
        RetentionVerdict *verdict;
        const RetentionBackup *backup = nth(decision, i - 1, &verdict);

        if (verdict->keep == 0)
            continue;
        verdict->logs = !rules->limit_logs || backup->stop >= since;
        if (can_restore(backup)) {
            newest = verdict;
            if (backup->stop < since && backup->reach >= since)
                base = verdict;
        }
    }
    if (base != NULL)
        base->logs = TRUE;
    if (newest != NULL)
        newest->logs = TRUE;
}

/* --- all -------------------------------------------------------------------------------------- */

RetentionVerdict *retention_decide(const RetentionBackup *backups, guint count,
                                   const RetentionRules *rules, gint64 now, GTimeZone *zone)
{
    g_autofree guint *order = g_new(guint, MAX(count, 1));
    Decision decision = {.backups = backups,
                         .count = count,
                         .rules = rules,
                         .now = now,
                         .zone = zone,
                         .order = order,
                         .verdicts = g_new0(RetentionVerdict, MAX(count, 1))};

    for (guint i = 0; i < count; i++)
        order[i] = i;
    g_qsort_with_data(order, (gint)count, sizeof(guint), compare_newest_first, (gpointer)backups);
    keep_days(&decision);
    keep_fulls(&decision);
    keep_calendar(&decision);
    keep_newest(&decision);
    keep_held(&decision);
    decide_logs(&decision);
    return decision.verdicts;
}

/* --- words ------------------------------------------------------------------------------------ */

static void append(GString *text, const char *word)
{
    g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", word);
}

static void append_rule(GString *text, const char *key, guint value)
{
    g_string_append_printf(text, "%s%s %u", text->len > 0 ? ", " : "", key, value);
}

static char *reason_to_go(const RetentionRules *rules, const RetentionBackup *backup)
{
    const char *what = backup->partial ? "a partial backup" : backup->good ? NULL : "damaged";
    GString *text = g_string_new(what);

    if (rules->days > 0)
        append_rule(text, "older than keep_days", rules->days);
    append(text, rules->days > 0 ? "and no other rule keeps it" : "no rule keeps it");
    return g_string_free(text, FALSE);
}

char *retention_reason(const RetentionRules *rules, const RetentionBackup *backup,
                       const RetentionVerdict *verdict)
{
    const struct {
        RetentionKeep keep;
        const char *key;
        guint value;
    } named[] = {
        {RETAIN_DAYS, "keep_days", rules->days},
        {RETAIN_BASE, "base of the oldest moment of keep_days", rules->days},
        {RETAIN_FULLS, "keep_full", rules->fulls},
        {RETAIN_DAILY, "keep_daily", rules->daily},
        {RETAIN_WEEKLY, "keep_weekly", rules->weekly},
        {RETAIN_MONTHLY, "keep_monthly", rules->monthly},
        {RETAIN_YEARLY, "keep_yearly", rules->yearly},
    };
    GString *text;

    if (verdict->keep == 0)
        return reason_to_go(rules, backup);
    text = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(named); i++) {
        if ((verdict->keep & named[i].keep) != 0)
            append_rule(text, named[i].key, named[i].value);
    }
    if ((verdict->keep & RETAIN_NEWEST) != 0)
        append(text, backup->good ? "the newest good one" : "the newest");
    if ((verdict->keep & RETAIN_PINNED) != 0)
        append(text, "pinned");
    if ((verdict->keep & RETAIN_IN_USE) != 0) {
        g_autofree char *user = g_strdup_printf("in use by %s", backup->in_use);

        append(text, user);
    }
    return g_string_free(text, FALSE);
}
