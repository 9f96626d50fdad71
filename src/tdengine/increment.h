/* SPDX-License-Identifier: Apache-2.0
 *
 * An incremental backup beside a full one: what its base holds, what the server says against its
 * being all that there is, and what the manifest says of that.
 */
#ifndef HOLDFAST_TDENGINE_INCREMENT_H
#define HOLDFAST_TDENGINE_INCREMENT_H

#include "engine/engine.h"
#include "tdengine/survey.h"

typedef struct TdIncrement TdIncrement;

/* Reads the request's base. *ret_increment is NULL without an error where it has none: a full. The
 * request must outlive it. */
gboolean td_increment_open(const EngineBackup *request, TdIncrement **ret_increment,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
void td_increment_free(TdIncrement *increment);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TdIncrement, td_increment_free)

const TdDetails *td_increment_base(const TdIncrement *increment);

/* Decides by the mode and from what the server said first (an array of TdDatabase). FALSE: nothing was
 * written since the base, nothing has to be read. */
gboolean td_increment_decide(TdIncrement *increment, const GPtrArray *looked);

/* Where places are to be taken at the base's word, and the source has a data_directory: has the server
 * flushed, and looks at its file sets. Before td_increment_choose(). */
gboolean td_increment_look_at_files(TdIncrement *increment, TdClient *client, GPtrArray *looked,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the source keeps topics and places are to be taken at the base's word: reads the server's log
 * of changes since the base. Where a log that the base relied upon has a gap or is lost, `auto` makes
 * a scan. `children`: TdChildren by the name of each database of the details. */
gboolean td_increment_hint(TdIncrement *increment, TdClient *client, TdDetails *details,
                           GHashTable *children, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Chooses what is read of a table that was planned and whose sums were asked. */
gboolean td_increment_choose(TdIncrement *increment, TdClient *client, TdScanTable *scan,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where nothing was written: the details become the base's, under the databases' options of now,
 * which are taken from `looked`. What belongs to the server is not the base's. */
void td_increment_take(TdIncrement *increment, GPtrArray *looked, TdDetails *details);

/* Enters `evidence` in the request's manifest. The manifest is clear: no names. */
void td_increment_describe(TdIncrement *increment, const TdDetails *details);

#endif
