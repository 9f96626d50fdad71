/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a restore will take: by what earlier ones of the same kind took, else by a rate that is
 * assumed and said to be.
 */
#ifndef HOLDFAST_OPERATION_EXPECT_H
#define HOLDFAST_OPERATION_EXPECT_H

#include "operation/context.h"

/* What is asked. */
typedef struct {
    const char *engine;
    const char *method; /* the plan's ("physical", "logical"); NULL: the engine has one */
    const char *source; /* only restores of this source's backups are asked; NULL: of all */
    gboolean whole;     /* and none of chosen databases or tables */
    guint64 bytes;      /* plain bytes that are to be moved, logs to replay included */
} ExpectQuery;

typedef struct {
    double seconds;
    double rate;           /* plain bytes a second */
    guint measured;        /* so many earlier restores gave the rate; 0: it is assumed */
    const char *kind;      /* of the newest of them: "restore", "drill"; NULL: there is none */
    gint64 newest_at;      /* when it was */
    double newest_seconds; /* what it took */
} Expectation;

/* The one reckoning, of plans and of objectives. A drill or a restore counts where it succeeded, was
 * no dry run and not over an old directory (--delta), and its record has "engine", "method", "bytes"
 * and "seconds"; and where it was not much smaller than this one: starting takes its time too. Of
 * the newest that count the rate in the middle is taken. FALSE where nothing can be said (bytes is
 * 0). */
gboolean expect_restore(OperationContext *context, const ExpectQuery *query,
                        Expectation *ret_expectation);

/* A sentence for the plan. Free with g_free(). */
char *expectation_describe(const Expectation *expectation);
/* {"seconds", "rate", "basis": "measured" or "assumed", "restores"}; new reference. */
json_t *expectation_json(const Expectation *expectation);

#endif
