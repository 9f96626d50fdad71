/* SPDX-License-Identifier: Apache-2.0
 *
 * Reporting facts of a check: a formatted text, or an error with its hint.
 */
#ifndef HOLDFAST_POSTGRES_FACT_H
#define HOLDFAST_POSTGRES_FACT_H

#include "engine/engine.h"

/* Who hears of the facts. */
typedef struct {
    FactFunc func;
    gpointer data;
} PgFacts;

void pg_fact(const PgFacts *facts, FactState state, const char *subject, const char *hint,
             const char *format, ...) G_GNUC_PRINTF(5, 6);

/* A server or repository that cannot be reached is told apart from other failures. */
void pg_fact_error(const PgFacts *facts, const char *subject, const GError *error);

#endif
