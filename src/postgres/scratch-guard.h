/* SPDX-License-Identifier: Apache-2.0
 *
 * What must not outlive the program: a private server and the places that were made for it.
 *
 * A server ends with the program that started it, however that ends: a watcher waits on a pipe whose
 * other end only the program holds, and stops the server when the pipe closes without a word. What
 * lies about on the disk is written down in a run file that the program keeps locked; the next run
 * stops and removes what is written in a run file that nobody holds.
 */
#ifndef HOLDFAST_POSTGRES_SCRATCH_GUARD_H
#define HOLDFAST_POSTGRES_SCRATCH_GUARD_H

#include "base/process.h"

/* Runs a program as an account (NULL: ourselves) with a clean environment for PostgreSQL.
 * *ret_output may be NULL. */
gboolean pg_run_as(const char *user, const char *const *words, char **ret_output,
                   GCancellable *cancellable, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Starts it only: its ends are the caller's. */
Process *pg_start_as(const char *user, const char *const *words, ProcessFlags flags,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct PgGuard PgGuard;

typedef struct {
    const char *run_directory; /* for the run file; private to us */
    const char *remove;        /* the directory that goes when the run is dead */
    const char *pg_ctl;        /* of the server; NULL: there is none */
    const char *directory;     /* its data directory */
    const char *user;          /* its account, or NULL */
} PgGuardRequest;

/* Before anything of it is made. */
PgGuard *pg_guard_new(const PgGuardRequest *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* When all of it is gone. NULL is fine. */
void pg_guard_free(PgGuard *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgGuard, pg_guard_free)

/* Stops and removes what dead runs have left. Nothing is done in a directory that others may write
 * to: what stands there proves nothing. What fails is logged. */
void pg_guard_sweep(const char *run_directory);

#endif
