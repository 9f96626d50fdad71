/* SPDX-License-Identifier: Apache-2.0
 *
 * Cron expressions: five fields (minute, hour, day of the month, month, day of the week) with lists,
 * ranges, steps and English names, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly,
 * @annually. Where both days are restricted, either will do; Sunday is 0 and 7. As in crontab(5)
 * of Paul Vixie's cron, from which the form comes.
 *
 * Changes of clocks: a local time that does not exist counts at the moment of the change, so that a
 * skipped hour runs once; a local time that comes twice counts the first time, so that a doubled
 * hour runs once.
 *
 * Threads: any; an expression does not change.
 */
#ifndef HOLDFAST_BASE_CRON_H
#define HOLDFAST_BASE_CRON_H

#include <glib.h>

typedef struct Cron Cron;

/* ERROR_CONFIG names the field that is wrong. */
Cron *cron_parse(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void cron_free(Cron *cron);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cron, cron_free)

/* The first moment after `after` (microseconds) at which the expression is due in the zone;
 * G_MAXINT64 where there is none within forty years ("0 0 30 2 *"). */
gint64 cron_next(const Cron *cron, GTimeZone *zone, gint64 after);

#endif
