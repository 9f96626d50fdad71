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

typedef enum {
    TD_VERSIONS_EQUAL,  /* nothing was written to any database since the base */
    TD_VERSIONS_MOVED,  /* something was, or may have been */
    TD_VERSIONS_BROKEN, /* they cannot be compared: what the base noted no longer holds */
} TdVersions;

/* Compares the base's databases (arrays of TdDatabase) with those of now. *ret_reason says what
 * speaks against equality, without names; a constant. */
TdVersions td_evidence_of_versions(const GPtrArray *base, const GPtrArray *now,
                                   const char **ret_reason);

#endif
