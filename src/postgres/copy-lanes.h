/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing files that come one after the other into the pool by several workers: each file goes to
 * the lane that has least to do, and lanes have bounded queues, so that compressing keeps all
 * workers busy without holding a stream in memory.
 *
 * Threads: fed by one thread; a worker a lane inside.
 */
#ifndef HOLDFAST_POSTGRES_COPY_LANES_H
#define HOLDFAST_POSTGRES_COPY_LANES_H

#include "base/progress.h"
#include "postgres/page-check.h"
#include "postgres/physical.h"

typedef struct PgCopyLanes PgCopyLanes;

typedef struct {
    PoolWriter *pool;
    PoolReader *base_reader; /* or NULL */
    PgPageCheck *pages;      /* or NULL */
    guint jobs;
    gboolean nice;
    Progress *progress;
    GCancellable *cancellable;
} PgCopyLanesOptions;

PgCopyLanes *pg_copy_lanes_new(const PgCopyLanesOptions *options);
/* Gives up what is not done. NULL is fine. */
void pg_copy_lanes_free(PgCopyLanes *lanes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgCopyLanes, pg_copy_lanes_free)

/* A file of `size` bytes begins; exactly those have to follow. `file` receives content and checksum
 * and must live until the end; `base` (taken; may be NULL) is its counterpart in the base
 * backup. */
gboolean pg_copy_lanes_begin(PgCopyLanes *lanes, PgFile *file, guint64 size, PgFile *base,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean pg_copy_lanes_write(PgCopyLanes *lanes, const guint8 *bytes, gsize length,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits until everything is written and durable. */
gboolean pg_copy_lanes_finish(PgCopyLanes *lanes, GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
