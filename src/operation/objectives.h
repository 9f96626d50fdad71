/* SPDX-License-Identifier: Apache-2.0
 *
 * Recovery objectives: what is wanted of each source beside what is true now. How long would a
 * recovery take (RTO), how much would be lost (RPO), and what speaks against believing it.
 */
#ifndef HOLDFAST_OPERATION_OBJECTIVES_H
#define HOLDFAST_OPERATION_OBJECTIVES_H

#include "base/json.h"
#include "operation/context.h"

/* In the order of badness. */
typedef enum { OBJECTIVE_OK, OBJECTIVE_AT_RISK, OBJECTIVE_MISSED } ObjectiveState;
const char *objective_state_name(ObjectiveState state); /* "ok", "at risk", "missed" */

typedef enum {
    OBJECTIVE_RPO,
    OBJECTIVE_RTO,
    OBJECTIVE_PROOF, /* what was verified, and what was found */
} ObjectiveKind;
const char *objective_kind_name(ObjectiveKind kind); /* "rpo", "rto", "proof" */

/* Something that is not as it should be. */
typedef struct {
    ObjectiveKind kind;
    ObjectiveState state; /* never OBJECTIVE_OK */
    char *reason;
    char *command; /* that mends it */
} ObjectiveFinding;

typedef struct {
    gint64 from, to; /* moments between which nothing can be recovered */
} ObjectiveGap;

/* A source. Moments are 0, durations -1 where there is none. Durations are microseconds. */
typedef struct {
    char *source, *engine;
    ObjectiveState state;              /* the worst of the findings */
    ObjectiveState states[3];          /* of each ObjectiveKind */
    GPtrArray *findings;               /* ObjectiveFinding, the worst first */
    gint64 rto, rpo;                   /* wanted */
    gint64 newest, oldest;             /* moments that can be recovered */
    gint64 age;                        /* of the newest, now */
    gboolean complete;                 /* the server has nothing beyond it */
    GArray *gaps;                      /* ObjectiveGap */
    gint64 expected;                   /* time of a recovery to the newest moment now */
    gint64 measured, measured_at;      /* the restore or drill that this is reckoned from */
    char *measured_by;                 /* "restore", "drill", or NULL */
    guint64 restore_bytes;             /* of the newest backup, before compression */
    guint64 replay_bytes;              /* of the logs behind it */
    char *last_backup;                 /* id of the newest good one, or NULL */
    gint64 last_backup_at;             /* its end */
    char *last_verify, *verify_result; /* backup and result of the newest verify, or NULL */
    gint64 last_verify_at;
    char *drill_result;  /* of the last drill, or NULL */
    char *drill_failure; /* of the last one that was carried out, or NULL */
    char *drill_refusal; /* why the last one was not carried out, or NULL */
    gint64 last_drill_at, drill_time;
} Objective;
void objective_free(Objective *objective);
/* For programs: docs/formats.md. New reference. */
json_t *objective_json(const Objective *objective);

/* Looks at the repository and asks the servers. `source` NULL: all of the configuration
 * (ERROR_CONFIG where there is none). A server that does not answer is a finding, not a failure. An
 * array of Objective. */
gboolean operation_objectives(OperationContext *context, const char *source,
                              GCancellable *cancellable, GPtrArray **ret_objectives,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
