/* SPDX-License-Identifier: Apache-2.0
 *
 * What tells whether a database changed since a backup, without reading its rows.
 *
 * The applied version of a vgroup moves with every write, tag, table and schema change; a flush or
 * a restart move it too, which is a false alarm only. A server reports it up to 1.25 s late: one
 * that was noted at a backup is at worst too old, which is safe, and one that is equal now speaks
 * for the state of TD_REPORT_DELAY ago.
 *
 * Pure functions; threads: any.
 */
#ifndef HOLDFAST_TDENGINE_EVIDENCE_H
#define HOLDFAST_TDENGINE_EVIDENCE_H

#include "base/time.h"
#include "tdengine/schema.h"

#define TD_REPORT_DELAY (2 * TIME_SECOND)

/* NULL where nothing was written to any database since the base (arrays of TdDatabase: the base's
 * and those of now); else what speaks against it, without names. Free with g_free(). */
char *td_evidence_of_versions(const GPtrArray *base, const GPtrArray *now);

#endif
