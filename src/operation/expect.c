/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a restore will take.
 */
#include "operation/expect.h"

#include <string.h>

#include "base/log.h"
#include "base/size.h"
#include "base/time.h"

/* So many of the newest restores are asked, and as many drills. */
#define NEWEST 5
/* A restore of less than this part of the bytes says little about one of all of them. */
#define PART 20
/* And one of so many says enough about any. */
#define ENOUGH (G_GUINT64_CONSTANT(1) << 30)

/* What a modest disk does, and for archives a server that builds its indexes anew. */
#define ASSUMED_FILES    (50.0 * 1024 * 1024)
#define ASSUMED_ARCHIVES (10.0 * 1024 * 1024)
#define ASSUMED_START    3.0 /* seconds */

static double seconds_of(const json_t *record)
{
    return json_number_value(json_object_get(record, "seconds"));
}

static gint64 time_of(const json_t *record)
{
    gint64 when;

    return time_parse(json_get_string(record, "time", ""), NULL, &when, NULL) ? when : 0;
}

/* Lists are kept as their lengths where the repository is encrypted. */
static gboolean is_chosen(const json_t *options, const char *key)
{
    const json_t *value = json_object_get(options, key);

    return json_array_size(value) > 0 || json_integer_value(value) > 0;
}

static gboolean fits(const json_t *record, const ExpectQuery *query)
{
    const json_t *options = json_object_get(record, "options");
    guint64 least = MAX(MIN(query->bytes / PART, ENOUGH), 1);

    return g_strcmp0(json_get_string(record, "engine", NULL), query->engine) == 0 &&
           g_strcmp0(json_get_string(record, "method", NULL), query->method) == 0 &&
           g_strcmp0(json_get_string(record, "result", NULL), "succeeded") == 0 &&
           !json_get_bool(record, "dry_run", FALSE) && !json_get_bool(options, "delta", FALSE) &&
           (query->source == NULL ||
            g_strcmp0(json_get_string(record, "source", NULL), query->source) == 0) &&
           !(query->whole && (is_chosen(options, "tables") || is_chosen(options, "databases"))) &&
           json_get_uint(record, "bytes", 0) >= least && seconds_of(record) > 0;
}

static int compare_rates(gconstpointer a, gconstpointer b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void note_newest(const json_t *record, const char *kind, Expectation *expectation)
{
    if (expectation->kind != NULL && expectation->newest_at > time_of(record))
        return;
    expectation->kind = kind;
    expectation->newest_at = time_of(record);
    expectation->newest_seconds = seconds_of(record);
}

/* The bytes a second of the newest records of a kind that fit. */
static void collect_rates(OperationContext *context, const char *kind, const ExpectQuery *query,
                          GArray *rates, Expectation *expectation)
{
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) problem = NULL;
    guint found = 0;

    if (!catalog_records(context->catalog, kind, &records, &problem)) {
        log_write(LOG_INFO, "earlier restores are not known: %s", problem->message);
        return;
    }
    for (guint i = 0; i < records->len && found < NEWEST; i++) {
        const json_t *record = records->pdata[i];
        double rate;

        if (!fits(record, query))
            continue;
        rate = (double)json_get_uint(record, "bytes", 0) / seconds_of(record);
        g_array_append_val(rates, rate);
        if (found++ == 0)
            note_newest(record, kind, expectation);
    }
}

gboolean expect_restore(OperationContext *context, const ExpectQuery *query,
                        Expectation *ret_expectation)
{
    g_autoptr(GArray) rates = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GError) problem = NULL;
    Expectation expectation = {0};

    if (query->bytes == 0)
        return FALSE;
    if (!catalog_refresh(context->catalog, &problem))
        log_write(LOG_INFO, "the newest restores are not known: %s", problem->message);
    collect_rates(context, "restore", query, rates, &expectation);
    collect_rates(context, "drill", query, rates, &expectation);
    g_array_sort(rates, compare_rates);
    expectation.measured = rates->len;
    if (rates->len > 0) {
        /* Of an even number the slower one: a promise is better kept than broken. */
        expectation.rate = g_array_index(rates, double, (rates->len - 1) / 2);
        expectation.seconds = (double)query->bytes / expectation.rate;
    } else {
        expectation.rate =
            g_strcmp0(query->method, "physical") == 0 ? ASSUMED_FILES : ASSUMED_ARCHIVES;
        expectation.seconds = ASSUMED_START + (double)query->bytes / expectation.rate;
    }
    *ret_expectation = expectation;
    return TRUE;
}

char *expectation_describe(const Expectation *expectation)
{
    g_autofree char *time = duration_format((gint64)(expectation->seconds * TIME_SECOND));
    g_autofree char *rate = size_format((guint64)expectation->rate);

    if (expectation->measured == 0)
        return g_strdup_printf("about %s expected: no restore of this kind was measured here yet, "
                               "%s a second are assumed",
                               time, rate);
    return g_strdup_printf("about %s expected: %s a second were measured, by the last %u restore%s",
                           time, rate, expectation->measured,
                           expectation->measured == 1 ? "" : "s");
}

json_t *expectation_json(const Expectation *expectation)
{
    return json_pack("{s:f, s:f, s:s, s:i}", "seconds", expectation->seconds, "rate",
                     expectation->rate, "basis", expectation->measured > 0 ? "measured" : "assumed",
                     "restores", (int)expectation->measured);
}
