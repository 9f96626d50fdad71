/* SPDX-License-Identifier: Apache-2.0
 *
 * How often an address may be wrong: FAILURES_A_MINUTE attempts with a bad token, then it has to
 * wait. IPv6 addresses are counted by their network of 64 bits.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_SERVICE_FAILURES_H
#define HOLDFAST_SERVICE_FAILURES_H

#include <glib.h>

#define FAILURES_A_MINUTE 30

typedef struct Failures Failures;

Failures *failures_new(void);
void failures_free(Failures *failures);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Failures, failures_free)

/* Counts a failure at `now` (monotonic, microseconds). FALSE where there were too many in the last
 * minute: *ret_wait is how many seconds it lasts. */
gboolean failures_count(Failures *failures, const char *address, gint64 now, guint *ret_wait);

#endif
