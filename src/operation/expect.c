/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a restore will take.
 */
#include "operation/expect.h"

#include <string.h>

#include "base/log.h"
#include "base/size.h"
#include "base/time.h"

/* So many of the newest restores are asked. */
#define NEWEST 5
/* A restore of less than this part of the bytes says little about one of all of them. */
#define PART 20
/* And one of so many says enough about any. */
#define ENOUGH (G_GUINT64_CONSTANT(1) << 30)

/* What a modest disk does, and for archives a server that builds its indexes anew. */
#define ASSUMED_FILES    (50.0 * 1024 * 1024)
#define ASSUMED_ARCHIVES (10.0 * 1024 * 1024)
#define ASSUMED_START    3.0 /* seconds */

static gboolean fits(const json_t *record, const char *engine, const char *method, guint64 least)
{
    return g_strcmp0(json_get_string(record, "engine", NULL), engine) == 0 &&
           g_strcmp0(json_get_string(record, "method", NULL), method) == 0 &&
           g_strcmp0(json_get_string(record, "result", NULL), "succeeded") == 0 &&
           json_get_uint(record, "bytes", 0) >= least &&
           json_number_value(json_object_get(record, "seconds")) > 0;
}

static int compare_rates(gconstpointer a, gconstpointer b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* Bytes a second of each of the newest restores that fit, sorted; an array of double. */
static GArray *collect_rates(OperationContext *context, const char *engine, const char *method,
                             guint64 least)
{
    GArray *rates = g_array_new(FALSE, FALSE, sizeof(double));
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(GError) problem = NULL;

    if (!catalog_refresh(context->catalog, &problem) ||
        !catalog_recoveries(context->catalog, &records, &problem)) {
        log_write(LOG_INFO, "earlier restores are not known: %s", problem->message);
        return rates;
    }
    for (guint i = 0; i < records->len && rates->len < NEWEST; i++) {
        const json_t *record = records->pdata[i];

        if (fits(record, engine, method, least)) {
            double rate = (double)json_get_uint(record, "bytes", 0) /
                          json_number_value(json_object_get(record, "seconds"));

            g_array_append_val(rates, rate);
        }
    }
    g_array_sort(rates, compare_rates);
    return rates;
}

gboolean expect_restore(OperationContext *context, const char *engine, const char *method,
                        guint64 bytes, Expectation *ret_expectation)
{
    g_autoptr(GArray) rates = NULL;
    Expectation expectation;

    if (bytes == 0)
        return FALSE;
    rates = collect_rates(context, engine, method, MAX(MIN(bytes / PART, ENOUGH), 1));
    expectation.measured = rates->len;
    if (rates->len > 0) {
        /* Of an even number the slower one: a promise is better kept than broken. */
        expectation.rate = g_array_index(rates, double, (rates->len - 1) / 2);
        expectation.seconds = (double)bytes / expectation.rate;
    } else {
        expectation.rate = g_strcmp0(method, "physical") == 0 ? ASSUMED_FILES : ASSUMED_ARCHIVES;
        expectation.seconds = ASSUMED_START + (double)bytes / expectation.rate;
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
