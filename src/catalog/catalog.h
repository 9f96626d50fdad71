/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalog: an SQLite index over the manifests and records of one repository, and the list of
 * jobs. The repository is the truth: the catalog can be deleted at any time and is rebuilt from it
 * (jobs, which are local history, start anew then). A rollback journal (TRUNCATE, synchronous FULL)
 * is used, since Debian 12's WAL mode has an open corruption bug.
 *
 * Threads: one thread at a time. Several processes may use one catalog; SQLite's locks with a busy
 * timeout keep order.
 */
#ifndef HOLDFAST_CATALOG_CATALOG_H
#define HOLDFAST_CATALOG_CATALOG_H

#include "repo/backup.h"
#include "repo/repository.h"

typedef struct Catalog Catalog;

/* Opens or creates <state_directory>/catalog-<repository id>.sqlite. A file that is no usable
 * catalog is set aside (".damaged-<time>") with a warning in the log and made anew. state_directory
 * NULL: in memory, for a bare machine. */
Catalog *catalog_open(Repository *repository, const char *state_directory,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
void catalog_free(Catalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Catalog, catalog_free)

/* Takes in what is new in the repository and forgets what is gone. Cheap where nothing changed. A
 * backup whose manifest cannot be read is listed as damaged with the reason, never hidden. */
gboolean catalog_refresh(Catalog *catalog, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Forgets everything but jobs and takes it in again. */
gboolean catalog_rebuild(Catalog *catalog, guint64 *ret_backups,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- Backups ---------------------------------------------------------------------------------- */

typedef struct {
    char *id;
    char *source, *engine, *type, *method,
        *base; /* NULL where not known; of an unreadable manifest only what the id tells */
    char *server_version;
    gint64 start, stop;
    guint64 plain_size, stored_size, tables, rows;
    gboolean partial, pinned;
    gboolean damaged; /* unreadable, or the newest verify found damage */
    char *problem;    /* why it is damaged, or NULL */
    gint64 verified;  /* when the newest verify ended, 0: never */
    guint warnings;
} CatalogBackup;
void catalog_backup_free(CatalogBackup *backup);

typedef struct {
    const char *source, *engine, *type; /* NULL: any */
    const char *status;                 /* "good", "damaged", "pinned" or NULL */
    gint64 since, until;                /* of the start; 0: no bound; since ≤ start < until */
} CatalogFilter;

/* The backups that fit, newest first; an array of CatalogBackup. filter may be NULL. */
gboolean catalog_backups(Catalog *catalog, const CatalogFilter *filter, GPtrArray **ret_backups,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- Recoveries ------------------------------------------------------------------------------- */

/* The audit records of restores, newest first; an array of json_t (the records' bodies). */
gboolean catalog_recoveries(Catalog *catalog, GPtrArray **ret_records,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The records of a kind ("verify", "drill"), newest first; an array of json_t. */
gboolean catalog_records(Catalog *catalog, const char *kind, GPtrArray **ret_records,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- Jobs ------------------------------------------------------------------------------------- */

/* Enters a job that begins now; `id` is made like a backup's. `run_file` is what its process holds
 * locked: a running job whose file nobody holds is shown as lost. */
gboolean catalog_job_begin(Catalog *catalog, const char *id, const char *operation,
                           const char *source, const char *run_file,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* state: "succeeded", "failed", "cancelled". `result` (may be NULL) is JSON for programs, `message`
 * the error's text. */
gboolean catalog_job_end(Catalog *catalog, const char *id, const char *state, const char *result,
                         const char *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    char *id, *operation, *source, *state, *message, *result;
    gint64 started, ended; /* ended 0: not yet */
} CatalogJob;
void catalog_job_free(CatalogJob *job);

/* Newest first, at most `limit`; an array of CatalogJob. */
gboolean catalog_jobs(Catalog *catalog, guint limit, GPtrArray **ret_jobs,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
