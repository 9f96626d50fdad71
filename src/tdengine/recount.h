/* SPDX-License-Identifier: Apache-2.0
 *
 * After the reading: the server counts once more, and a table with another number of rows than were
 * read was written to meanwhile. The backup holds what was read and says so.
 */
#ifndef HOLDFAST_TDENGINE_RECOUNT_H
#define HOLDFAST_TDENGINE_RECOUNT_H

#include "tdengine/scan.h"

/* From where to where: microseconds; G_MININT64 and G_MAXINT64: open. Of a quick increment rows are
 * counted from the file set of the first place that it read on. */
typedef struct {
    gint64 from, to;
} TdRecount;

/* Counts tables (an array of TdScanTable that were read). */
gboolean td_recount_ask(TdScanner *scanner, GPtrArray *scans, const TdRecount *recount,
                        GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Enters those that differ in their databases, when all their slices are known. */
void td_recount_compare(GPtrArray *scans, const TdRecount *recount);

#endif
