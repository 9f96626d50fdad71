/* SPDX-License-Identifier: Apache-2.0
 *
 * Pool garbage: mark and sweep with tombstones, safe beside running backups of other hosts. Mark
 * reads only SHA256SUMS and leases, so that no key is needed. The argument for its safety stands at
 * the head of sweep.c, the format of a tombstone in docs/formats.md.
 */
#ifndef HOLDFAST_POOL_SWEEP_H
#define HOLDFAST_POOL_SWEEP_H

#include "repo/repository.h"

typedef struct {
    guint64 live;       /* pool objects that backups refer to */
    guint64 candidates; /* that nobody refers to and that wait in a tombstone now */
    guint64 deleted, deleted_bytes;
    guint64
        kept_young; /* unreferenced, but younger than the oldest live lease, or not to be judged */
} PoolSweepResult;

/* `grace` in microseconds by the store's clock. Candidates go into a tombstone; those of tombstones
 * older than `grace` are marked again and deleted; with grace 0 one run does both. With dry_run
 * nothing is written or deleted, and the result says what would be. A SHA256SUMS that cannot be
 * read fails the sweep before anything is deleted. */
gboolean pool_sweep(Repository *repository, gint64 grace, gboolean dry_run,
                    PoolSweepResult *ret_result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
