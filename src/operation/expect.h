/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a restore will take: by what earlier ones of the same kind took, else by a rate that is
 * assumed and said to be.
 */
#ifndef HOLDFAST_OPERATION_EXPECT_H
#define HOLDFAST_OPERATION_EXPECT_H

#include "operation/context.h"

typedef struct {
    double seconds;
    double rate;    /* plain bytes a second */
    guint measured; /* so many earlier restores gave the rate; 0: it is assumed */
} Expectation;

/* `method` is the plan's ("physical", "logical"; NULL: the engine has one), `bytes` the plain bytes
 * that it moves. A record of a restore counts where it has "engine", "method", "bytes" and
 * "seconds" and is not much smaller than this one: starting takes its time too. FALSE where nothing
 * can be said (bytes is 0). */
gboolean expect_restore(OperationContext *context, const char *engine, const char *method,
                        guint64 bytes, Expectation *ret_expectation);

/* A sentence for the plan. Free with g_free(). */
char *expectation_describe(const Expectation *expectation);
/* {"seconds", "rate", "basis": "measured" or "assumed", "restores"}; new reference. */
json_t *expectation_json(const Expectation *expectation);

#endif
