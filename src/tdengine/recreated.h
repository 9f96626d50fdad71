/* SPDX-License-Identifier: Apache-2.0
 *
 * Child tables that were dropped and made again, or made, since a backup: their rows may be others
 * though their counts are the same. The server gives each table a uid that is never used twice.
 */
#ifndef HOLDFAST_TDENGINE_RECREATED_H
#define HOLDFAST_TDENGINE_RECREATED_H

#include "repo/backup.h"
#include "tdengine/scan.h"

/* Adds the stretches of time in which such child tables of `scan` have rows now to `dirty`, an array
 * of TdPlace. `before` is the table in `base`. Rows that went with an old table are missed by the
 * counts, unless those of the new one stand in their place. */
gboolean td_recreated_places(TdClient *client, TdScanTable *scan, Backup *base,
                             const TdTable *before, GArray *dirty, GCancellable *cancellable,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
