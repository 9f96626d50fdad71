/* SPDX-License-Identifier: Apache-2.0
 *
 * The server's log of changes as evidence of an increment: whether all of it since the base was
 * read, why not, and what its manifest says of that.
 *
 *     "log": {"read": true, "since_scan": true}
 *     "log": {"read": false, "reason": "the server's log of changes no longer reaches …", …}
 *
 * "since_scan": the log was read without a gap since the last full or scan, by each increment that
 * took places at its base's word.
 */
#ifndef HOLDFAST_TDENGINE_LOG_EVIDENCE_H
#define HOLDFAST_TDENGINE_LOG_EVIDENCE_H

#include "engine/engine.h"
#include "tdengine/details.h"
#include "tdengine/hints.h"

typedef struct {
    TdHints *hints;  /* owned */
    gboolean read;   /* all that was written since the base is in `hints` */
    gboolean in_use; /* the base had topics, so that the log was relied upon */
    gboolean since_scan;
    const char *reason; /* why it was not read; NULL: it was, or there was no need */
} TdLogEvidence;

void td_log_evidence_clear(TdLogEvidence *evidence);

/* Reads the logs of the databases of `details` that changed since `base`. `children` has a TdChildren
 * by the name of each. `seconds`: what it may take. */
gboolean td_log_evidence_read(TdLogEvidence *evidence, const EngineBackup *request,
                              TdClient *client, const TdDetails *base, TdDetails *details,
                              GHashTable *children, gint64 seconds,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether a base (its `evidence`, and whether it read everything) stands upon an unbroken log. */
gboolean td_log_evidence_of_base(const json_t *evidence, gboolean scanned);

/* A new reference. */
json_t *td_log_evidence_to_json(const TdLogEvidence *evidence);

#endif
