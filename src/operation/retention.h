/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention: which backups of one source stay, which go, and why. Nothing here reads, writes or
 * asks for the time: what is decided follows from the arguments alone.
 *
 * The rules are joined by union: what any of them keeps is kept.
 *
 *   days      every moment of so many days that can be recovered now can be recovered afterwards:
 *             all backups that end within them stay, and of the earlier ones the base of the oldest
 *             moment: the newest good one, and the newest good one whose logs lead into those days.
 *   fulls     so many newest good fulls.
 *   calendar  the newest backup of each of so many days, ISO weeks, months and years of the time
 *             zone, by the backup's start. The running period is the first, and periods without a
 *             backup count too. A damaged backup stands in where a period has no good one.
 *
 * Beyond the rules stay: the newest good full (where there is none the newest good backup, and
 * where there is none of these either the newest of all), pinned backups, and those in use.
 * A partial backup stays while it is younger than `days`, pinned or in use; it never stands for a
 * period, nor counts among the fulls, nor is it a base.
 */
#ifndef HOLDFAST_OPERATION_RETENTION_H
#define HOLDFAST_OPERATION_RETENTION_H

#include <glib.h>

typedef struct {
    guint days, fulls, daily, weekly, monthly, yearly; /* 0: the rule keeps nothing */
    gboolean limit_logs; /* logs are kept for log_days only, else as long as backups they follow */
    guint log_days;
} RetentionRules;

typedef struct {
    const char *id;
    gint64 start, stop; /* microseconds; the stop is the moment that it restores */
    gint64 reach;       /* the newest moment that its logs lead to; `stop` without logs */
    gboolean full, partial, pinned;
    gboolean good;      /* not known to be damaged */
    const char *in_use; /* by whom, for the reason; NULL: by nobody */
} RetentionBackup;

/* Why a backup is kept; several may hold. */
typedef enum {
    RETAIN_DAYS = 1 << 0,
    RETAIN_BASE = 1 << 1, /* of the oldest moment of those days */
    RETAIN_FULLS = 1 << 2,
    RETAIN_DAILY = 1 << 3,
    RETAIN_WEEKLY = 1 << 4,
    RETAIN_MONTHLY = 1 << 5,
    RETAIN_YEARLY = 1 << 6,
    RETAIN_NEWEST = 1 << 7,
    RETAIN_PINNED = 1 << 8,
    RETAIN_IN_USE = 1 << 9,
} RetentionKeep;

typedef struct {
    guint keep;    /* RetentionKeep, joined by |; 0: it goes */
    gboolean logs; /* a kept one: all logs from its start on are needed. Else only its own, from its
                      start to its stop */
} RetentionVerdict;

/* One verdict a backup, in the order given. Free with g_free(). */
RetentionVerdict *retention_decide(const RetentionBackup *backups, guint count,
                                   const RetentionRules *rules, gint64 now, GTimeZone *zone);

/* The same local time so many days ago. */
gint64 retention_days_ago(gint64 now, guint days, GTimeZone *zone);

/* Logs that were archived from this moment on are kept whatever backup they follow; G_MAXINT64
 * where no rule says so. */
gint64 retention_log_bound(const RetentionRules *rules, gint64 now, GTimeZone *zone);

/* "keep_days 30, keep_monthly 12", "in use by restore on db1"; of one that goes "older than
 * keep_days 30, and no other rule keeps it". Free with g_free(). */
char *retention_reason(const RetentionRules *rules, const RetentionBackup *backup,
                       const RetentionVerdict *verdict);

#endif
