/* SPDX-License-Identifier: Apache-2.0
 *
 * After the reading: the server counts once more, and a table with another number of rows than were
 * read was written to meanwhile. The backup holds what was read and says so.
 */
#ifndef HOLDFAST_TDENGINE_RECOUNT_H
#define HOLDFAST_TDENGINE_RECOUNT_H

#include "tdengine/scan.h"

/* Counts the tables (an array of TdScanTable that were read, with all their slices) from one time to
 * another (microseconds; G_MININT64 and G_MAXINT64: open), of a quick increment from the first to the
 * last place that it read, and enters those that differ in their databases. */
gboolean td_recount(TdScanner *scanner, GPtrArray *scans, gint64 from, gint64 to,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
