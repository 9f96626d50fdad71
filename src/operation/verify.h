/* SPDX-License-Identifier: Apache-2.0
 *
 * The verify operation, at one of three levels, each of which holds the ones before it:
 *
 *   objects    presence, size and SHA-256 of every object that SHA256SUMS lists
 *   structure  what the engine can say without decoding: footers, indexes, checksums of pages
 *   deep       every value decompressed, decoded and hashed, fingerprints made anew
 *
 * The report says what was done, by counts, and never more than that.
 */
#ifndef HOLDFAST_OPERATION_VERIFY_H
#define HOLDFAST_OPERATION_VERIFY_H

#include "base/progress.h"
#include "engine/engine.h"
#include "operation/context.h"
#include "repo/lease.h"

typedef struct {
    char *object; /* path within the backup */
    char *problem;
    char *recorded; /* the same for the record, which may be kept in the clear */
    char *owner;    /* what it belongs to: "table public.trades", or NULL: not known */
    guint more;     /* further findings on the same object */
} VerifyDamage;

typedef struct {
    char *backup;                           /* or NULL: of an archive */
    char *archive;                          /* "wal/<source>", "repository": the rest; or NULL */
    char *source, *engine, *server_version; /* of the backup; NULL where it cannot be read */
    ProofLevel level;                       /* that was reached */
    gboolean written;                       /* only what the backup wrote itself */
    double sample;                          /* share of the objects that were read; 1: all */
    guint64 objects, bytes;                 /* read and hashed */
    guint64 present;                        /* objects that were only looked for */
    guint64 inside;                         /* objects whose inside was looked at */
    json_t *counts;                         /* what was looked at: {"parquet_pages": 12, …} */
    json_t *tables;                         /* [{"table", "rows", "result", …}] */
    GPtrArray *damage;                      /* VerifyDamage *; empty: nothing was found */
    GPtrArray *warnings;                    /* char * */
    GPtrArray *affected;     /* char *: ids of other backups that need a damaged object */
    GPtrArray *unaffected;   /* char *: ids of backups of the source that need none of them */
    gint64 started, elapsed; /* microseconds */
    char *record;            /* id of the record, or NULL: it could not be written */
} VerifyReport;
void verify_report_free(VerifyReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VerifyReport, verify_report_free)

/* The report as JSON (docs/formats.md). With `recorded` as it is kept in the repository, without
 * names where that is encrypted. New reference. */
json_t *verify_report_json(const VerifyReport *report, const Repository *recorded);

/* Pool objects that were found whole while other backups were verified: those that share them need
 * not read them once more. For one run of one level over many backups; what is damaged is told of
 * each backup that needs it. */
typedef struct VerifySeen VerifySeen;
VerifySeen *verify_seen_new(void);
void verify_seen_free(VerifySeen *seen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VerifySeen, verify_seen_free)

typedef struct {
    const char *backup_id;
    ProofLevel level;
    VerifySeen *seen; /* or NULL: everything is read */
    gboolean held;    /* the caller has what operation_verify_hold() gives */
    gboolean needed;  /* the level was asked for: ERROR_CONFIG where there is no key for it */
    gboolean written; /* only what the backup wrote; the rest by presence and size */
    double sample;    /* share of the objects to read, more than 0, at most 1 */
    guint jobs;       /* 0: all cores */
    Progress *progress;
    GCancellable *cancellable;
} VerifyRequest;

/* Keeps a backup from being deleted until it is verified. NULL where no lease could be had, which the
 * log says. */
Lease *operation_verify_hold(OperationContext *context, const char *backup_id);

/* Checks one backup and files a verify record. TRUE when all could be looked at, damaged or not:
 * see the report. FALSE when looking itself failed (unknown backup, repository gone, cancelled);
 * ERROR_VANISHED when the backup was deleted meanwhile. */
gboolean operation_verify(OperationContext *context, const VerifyRequest *request,
                          VerifyReport **ret_report, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Who is told of each archive when it was read. */
typedef struct {
    ProofLevel level;
    gboolean needed;    /* the level was asked for: ERROR_CONFIG where there is no key for it */
    guint jobs;         /* 0: all cores */
    const char *source; /* NULL: those of all */
    Progress *progress;
    void (*func)(const VerifyReport *report, gpointer data);
    gpointer data;
} VerifyFollow;

/* Reads what belongs to no single backup, whatever refers to it: the WAL archives. Files a verify
 * record for each. FALSE when looking itself failed. */
gboolean operation_verify_archives(OperationContext *context, const VerifyFollow *follow,
                                   GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads what is neither in a backup nor in an archive: records, key slots, leases, tombstones; and
 * finds backups that have lost their SHA256SUMS. One report, which is filed, of archive
 * "repository"; none where there is nothing of the kind. The source is not looked at. */
gboolean operation_verify_rest(OperationContext *context, const VerifyFollow *follow,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
