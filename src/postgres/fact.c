/* SPDX-License-Identifier: Apache-2.0
 *
 * Facts of a check, for all that look at a PostgreSQL source.
 */
#include "postgres/fact.h"

#include "base/error.h"

void pg_fact(const PgFacts *facts, FactState state, const char *subject, const char *hint,
             const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    facts->func(state, subject, text, hint, facts->data);
}

void pg_fact_error(const PgFacts *facts, const char *subject, const GError *error)
{
    g_autofree char *text = error_text(error);
    FactState state = error_is(error, ERROR_UNREACHABLE) ? FACT_UNREACHABLE : FACT_FAILED;

    facts->func(state, subject, text, error_hint(error), facts->data);
}
