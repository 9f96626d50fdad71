/* SPDX-License-Identifier: Apache-2.0
 *
 * A private server on a restored directory: it listens on a unix socket in a directory of its own
 * only, archives nothing, and reads a configuration that is made for it. It recovers to the target,
 * and tells what came of it.
 */
#ifndef HOLDFAST_POSTGRES_SCRATCH_SERVER_H
#define HOLDFAST_POSTGRES_SCRATCH_SERVER_H

#include "postgres/physical-plan.h"

typedef struct PgScratch PgScratch;

typedef struct {
    const char *directory;     /* the data directory */
    const char *user;          /* to run as, when we are root; else NULL */
    const char *run_directory; /* where it is noted for the next run, should we be killed */
    const PgPhysical *physical;
    const char *conninfo; /* of the source: which role may connect is told by its user; or NULL */
    Progress *progress;
    GCancellable *cancellable;
} PgScratchRequest;

/* Starts the server; does not wait for it. ERROR_CLIENT_VERSION where no server program of the
 * backup's version is installed. */
PgScratch *pg_scratch_start(const PgScratchRequest *request,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Stops it at once, if it still runs, and removes what was made for it. */
void pg_scratch_free(PgScratch *scratch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgScratch, pg_scratch_free)

typedef enum { PG_SCRATCH_PROMOTED, PG_SCRATCH_PAUSED, PG_SCRATCH_ENDED } PgScratchState;

/* Waits until recovery has reached its target. ERROR_SUBPROCESS with the end of the server's log
 * when it ended in another way. *ret_lsn: how far it replayed, or NULL where the server has shut
 * down. */
gboolean pg_scratch_wait(PgScratch *scratch, PgScratchState *ret_state, char **ret_lsn,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Shuts down cleanly. */
gboolean pg_scratch_stop(PgScratch *scratch, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Leads to the server, as a superuser. Belongs to the scratch. */
const char *pg_scratch_conninfo(const PgScratch *scratch);

/* Every index against its table, by PostgreSQL's own program: "amcheck" in the summary says that it
 * passed, a warning that it is not installed. ERROR_DAMAGED where the program found damage, and only
 * there. */
gboolean pg_scratch_amcheck(const PgScratch *scratch, EngineResult *result,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A program of PostgreSQL's server side of this major version. ERROR_CLIENT_VERSION. Free with
 * g_free(). */
char *pg_server_program(const char *name, int major, GCancellable *cancellable,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Recovers the restored directory of a plan whose target's action is to promote. */
gboolean pg_scratch_promote(const PgPhysicalPlan *plan, PgScratch **ret_scratch,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --start: recovers the restored directory, has it checked, and shuts it down cleanly. */
gboolean pg_scratch_recover(const PgPhysicalPlan *plan, EngineResult *result,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
