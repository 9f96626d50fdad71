/* SPDX-License-Identifier: Apache-2.0
 *
 * Keeps the catalog up to the repository in a thread of its own, so that no request waits for a
 * listing. It works only while somebody asks: an idle service does not look.
 *
 * How fresh answers are: what this host does is in the catalog when it is done, since whoever does
 * it enters it there. What other hosts do is seen a little later than `interval` where questions
 * keep coming; no answer is older than `patience`.
 *
 * Threads: any.
 */
#ifndef HOLDFAST_SERVICE_REFRESHER_H
#define HOLDFAST_SERVICE_REFRESHER_H

#include "catalog/catalog.h"

typedef struct Refresher Refresher;

/* Has a connection of its own to the catalog. Both times in microseconds. */
Refresher *refresher_start(const Catalog *catalog, gint64 interval, gint64 patience,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Waits for a look that has begun. */
void refresher_free(Refresher *refresher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Refresher, refresher_free)

/* Asks for a look where the last one is long ago, and waits for it where that is too long ago to
 * answer from: then its error is ours. ERROR_TIMEOUT where a look does not come to an end. */
gboolean refresher_ask(Refresher *refresher, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
