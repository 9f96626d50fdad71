/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases: small write-once objects under leases/ that say "this is running" and "I am using these
 * backups". They are what keeps two hosts out of each other's way: correctness never depends on a
 * lock.
 *
 * A lease names host, boot and a locked run file. It is dead at once when its run file is there and
 * nobody holds it, or when the same machine has booted since; otherwise when it was not renewed for
 * ten minutes of the store's time. A thread renews it every two minutes by writing a new object and
 * deleting the one before the last.
 *
 * Threads: a Lease belongs to one thread but for its own renewing one.
 */
#ifndef HOLDFAST_REPO_LEASE_H
#define HOLDFAST_REPO_LEASE_H

#include "repo/repository.h"

#define LEASE_RENEWAL (2 * G_GINT64_CONSTANT(60000000))
#define LEASE_EXPIRY  (10 * G_GINT64_CONSTANT(60000000))

typedef struct Lease Lease;

typedef struct {
    const char *operation;      /* "backup", "restore", "verify", "delete", "cleanup" */
    const char *source;         /* or NULL */
    const char *type;           /* "full", "incremental"; or NULL */
    const char *exclusive;      /* for one live lease only: "backup/market/full"; or NULL */
    const char *backup;         /* the id of the backup that is being written, or NULL */
    const char *const *uses;    /* ids of backups that are being read, NULL-terminated, or NULL */
    const char *const *deletes; /* ids of backups that are about to be deleted (repo/deletion.h) */
    gint64 since; /* what was written from this time of the store on is in use too: an interrupted
                   * run's that is taken over; 0: from the lease's start */
    const char *runtime_directory; /* where the run file goes */
} LeaseRequest;

/* Takes a lease. ERROR_BUSY, naming holder, host and start, when the exclusive key is held by a
 * live one. Of two that come at the same moment at most one wins. */
Lease *lease_acquire(Repository *repository, const LeaseRequest *request,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How often leases are renewed, in microseconds; 0 puts LEASE_RENEWAL back. For tests, before
 * leases are taken. */
void lease_set_renewal_period(gint64 period);

/* Takes the lease off the store and the run file away. NULL is fine. */
void lease_release(Lease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lease, lease_release)

const char *lease_id(const Lease *lease);
const char *lease_source(const Lease *lease); /* or NULL */
const char *lease_type(const Lease *lease);   /* or NULL */
/* By the store's clock: no pool object that was written since is taken away while the lease
 * lives. */
gint64 lease_since(const Lease *lease);

/* FALSE when the lease could not be renewed in time: what was written under it must not be
 * committed. ERROR_TIMEOUT. */
gboolean lease_check(Lease *lease, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    char *id;
    char *operation;
    char *source;    /* or NULL */
    char *type;      /* or NULL */
    char *exclusive; /* or NULL */
    char *backup;    /* or NULL */
    char **uses;     /* NULL-terminated */
    char **deletes;  /* NULL-terminated */
    char *host;
    gint64 started; /* by the store's clock; 0 where it cannot be read */
    gint64 since;   /* not after `started` */
    gboolean live;
    gboolean readable; /* else only id and live mean something: it may protect anything */
} LeaseView;
void lease_view_free(LeaseView *view);

/* TRUE when the backup may not be deleted because of this lease: its holder reads it, or has
 * written it and is not done with it, or cannot be known. */
gboolean lease_view_protects(const LeaseView *view, const char *backup);

/* The id of the lease that an object below leases/ belongs to. Free with g_free(). */
char *lease_id_of_name(const char *name);

/* All leases, dead ones included; an array of LeaseView. Leases that cannot be read count as live,
 * unless expired: who does not know must not delete. */
gboolean lease_list(Repository *repository, GPtrArray **ret_views,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
