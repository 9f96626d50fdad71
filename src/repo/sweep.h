/* SPDX-License-Identifier: Apache-2.0
 *
 * Removing what interrupted runs left: backup folders without SHA256SUMS that no live lease names
 * and that are older than the grace time, temporary files of interrupted writers, leases that are
 * dead.
 */
#ifndef HOLDFAST_REPO_SWEEP_H
#define HOLDFAST_REPO_SWEEP_H

#include "repo/repository.h"

#define SWEEP_GRACE_DEFAULT (60 * G_GINT64_CONSTANT(60000000))

typedef struct {
    guint64 backups; /* unfinished backup folders */
    guint64 objects; /* objects in them and temporary files */
    guint64 bytes;
    guint64 leases;
} SweepResult;

/* `grace` in microseconds, by the store's clock; what is younger is left alone. A folder whose
 * lease is known to be dead still waits for the grace time. With dry_run only counts. */
gboolean sweep_remains(Repository *repository, gint64 grace, gboolean dry_run,
                       SweepResult *ret_result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
