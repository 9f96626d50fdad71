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
/* Another connection to a catalog that is open, which was found whole then: what is cheap enough to
 * be done for each request. */
Catalog *catalog_open_again(const Catalog *catalog, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void catalog_free(Catalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Catalog, catalog_free)

/* Takes in what is new in the repository and forgets what is gone. Cheap where nothing changed. A
 * backup whose manifest cannot be read is listed as damaged with the reason, never hidden. */
gboolean catalog_refresh(Catalog *catalog, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Forgets everything but jobs and takes it in again. */
gboolean catalog_rebuild(Catalog *catalog, guint64 *ret_backups,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether an error means that another process writes to the catalog: it will pass. */
gboolean catalog_error_is_busy(const GError *error);

/* --- Backups ---------------------------------------------------------------------------------- */

typedef struct {
    char *id;
    char *source, *engine, *type, *method,
        *base; /* NULL where not known; of an unreadable manifest only what the id tells */
    char *server_version;
    gint64 start, stop;
    guint64 plain_size, stored_size, tables, rows;
    gboolean partial, pinned;
    /* Unreadable; or verify found damage in it, or in another one's object that it needs, and has not
     * found either good since, looking as closely. */
    gboolean damaged;
    char *problem;   /* why it is damaged, or NULL */
    gint64 verified; /* when the newest verify ended, 0: never */
    guint warnings;
} CatalogBackup;
void catalog_backup_free(CatalogBackup *backup);

typedef struct {
    const char *source, *engine, *type; /* NULL: any */
    const char *status;                 /* "good", "damaged", "pinned" or NULL */
    gint64 since, until;                /* of the start; 0: no bound; since ≤ start < until */
    const char *id;                     /* this one alone; NULL: any */
    const char *before;                 /* only those behind this one in the list; NULL: all */
    guint limit;                        /* at most so many; 0: all */
} CatalogFilter;

/* The backups that fit, newest first by their end; an array of CatalogBackup. filter may be NULL.
 * `before` must be the id of a backup that is there. */
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
/* state: "succeeded", "failed", "cancelled", "lost". `result` (may be NULL) is JSON for programs,
 * `message` the error's text; NULL leaves what is there. */
gboolean catalog_job_end(Catalog *catalog, const char *id, const char *state, const char *result,
                         const char *message, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Notes what a running job's operation has to say: its runner enters the end. What the operation
 * says after that is not taken. */
gboolean catalog_job_note(Catalog *catalog, const char *id, const char *result, const char *message,
                          const char *code, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
    char *id, *operation, *source, *state, *message, *result;
    char *run_file;
    char *command; /* the words behind "holdfast" as a JSON array; NULL: run by hand */
    char *origin;  /* "schedule NAME" and the like, or NULL */
    char *code;    /* the error's name in the table of errors, or NULL */
    guint attempt; /* how often it was started */
    guint attempts;
    gint64 retry_after, time_limit;            /* microseconds; 0: no limit */
    gint64 queued, not_before, started, ended; /* 0: not yet */
} CatalogJob;
void catalog_job_free(CatalogJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CatalogJob, catalog_job_free)

typedef struct {
    const char *operation, *source, *state; /* NULL: any; state "active": queued or running */
    const char *before;                     /* only jobs older than this one, for the next page */
} CatalogJobFilter;

/* Newest first, at most `limit`; an array of CatalogJob. */
gboolean catalog_jobs(Catalog *catalog, guint limit, GPtrArray **ret_jobs,
                      GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean catalog_jobs_filtered(Catalog *catalog, const CatalogJobFilter *filter, guint limit,
                               GPtrArray **ret_jobs, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The job that an id, or a prefix or suffix that fits only one, names. ERROR_NOT_FOUND, or
 * ERROR_USAGE where several fit. */
CatalogJob *catalog_job_find(Catalog *catalog, const char *id,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Enters a job that waits. In the same transaction it is made sure that none of this operation and
 * source waits or runs (ERROR_BUSY names it). */
gboolean catalog_job_queue(Catalog *catalog, const CatalogJob *job,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A waiting job runs: *ret_started is FALSE where it does not wait (any more). */
gboolean catalog_job_start(Catalog *catalog, const char *id, const char *run_file,
                           gboolean *ret_started, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A running job has failed and waits for its next attempt. */
gboolean catalog_job_retry(Catalog *catalog, const char *id, gint64 not_before,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A waiting job could not even begin, which counts as an attempt: it waits for the next one. */
gboolean catalog_job_defer(Catalog *catalog, const char *id, gint64 not_before, const char *message,
                           const char *code, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends a job that is in state `from`; *ret_done is FALSE, and nothing happens, where it is in
 * another. */
gboolean catalog_job_settle(Catalog *catalog, const char *id, const char *from, const char *state,
                            const char *message, gboolean *ret_done,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The ended jobs that nobody has been told of, the oldest end first. */
gboolean catalog_jobs_untold(Catalog *catalog, guint limit, GPtrArray **ret_jobs,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean catalog_job_told(Catalog *catalog, const char *id,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Forgets jobs that ended before a moment, and the oldest ended ones beyond `keep`. *ret_ids are
 * their ids, an array of char *. */
gboolean catalog_jobs_prune(Catalog *catalog, gint64 before, guint keep, GPtrArray **ret_ids,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The newest ended job of each operation and source; an array of CatalogJob. */
gboolean catalog_jobs_last(Catalog *catalog, GPtrArray **ret_jobs,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How many jobs are in each state, by the catalog's word; an array of CatalogJobCount. */
typedef struct {
    char state[16];
    guint64 count;
} CatalogJobCount;
gboolean catalog_jobs_count(Catalog *catalog, GArray **ret_counts,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- What the service tells ------------------------------------------------------------------- */

typedef struct {
    guint64 id;
    char *type, *data; /* data is JSON */
} CatalogEvent;
void catalog_event_free(CatalogEvent *event);

gboolean catalog_event_add(Catalog *catalog, guint64 id, const char *type, const char *data,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The newest `limit` events, oldest first; an array of CatalogEvent. */
gboolean catalog_events(Catalog *catalog, guint limit, GPtrArray **ret_events,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Forgets the events up to this one. */
gboolean catalog_events_trim(Catalog *catalog, guint64 last,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Messages on their way to a [notify NAME]. */
typedef struct {
    gint64 id;
    char *target, *body;
    gint64 entered;
} CatalogMessage;
void catalog_message_free(CatalogMessage *message);

gboolean catalog_message_add(Catalog *catalog, const char *target, const char *body, gint64 *ret_id,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean catalog_message_remove(Catalog *catalog, gint64 id,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Oldest first; an array of CatalogMessage. */
gboolean catalog_messages(Catalog *catalog, GPtrArray **ret_messages,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- Schedules -------------------------------------------------------------------------------- */

typedef struct {
    gint64 last_due; /* the last moment that was dealt with, 0: none */
    char *last_job;  /* the job that was made then, or the last one before, or NULL */
} CatalogSchedule;
void catalog_schedule_clear(CatalogSchedule *schedule);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CatalogSchedule, catalog_schedule_clear)

/* source may be NULL. One that is not known gives zeros. */
gboolean catalog_schedule_get(Catalog *catalog, const char *name, const char *source,
                              CatalogSchedule *ret_schedule,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* last_job NULL leaves the one before. */
gboolean catalog_schedule_set(Catalog *catalog, const char *name, const char *source,
                              gint64 last_due, const char *last_job,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Settings that outlive the service ("paused"). *ret_value is NULL where there is none; free with
 * g_free(). value NULL removes. */
gboolean catalog_setting_get(Catalog *catalog, const char *name, char **ret_value,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean catalog_setting_set(Catalog *catalog, const char *name, const char *value,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- What came over the network --------------------------------------------------------------- */

typedef struct {
    const char *who, *address; /* name of the token; "192.0.2.1", "unix" */
    const char *method, *path;
    guint status;
    const char *job; /* that it made, or NULL */
} CatalogAudit;

/* Notes a change that somebody made or tried to. Only the newest CATALOG_AUDIT_LIMIT are kept. */
#define CATALOG_AUDIT_LIMIT 100000
gboolean catalog_audit(Catalog *catalog, const CatalogAudit *entry,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The answer that a request with this key got, to be given again. */
typedef struct {
    char *request; /* a hash of what was asked; "" while its answer is not known */
    guint status;
    char *location; /* or NULL */
    char *body;
} CatalogAnswer;
void catalog_answer_clear(CatalogAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CatalogAnswer, catalog_answer_clear)

/* Keeps the key for who asks, unless it is there: *ret_known is TRUE then, and *ret_answer is what
 * stands there (status 0: its request is being worked on). Keys older than `age` microseconds are
 * forgotten. */
gboolean catalog_answer_claim(Catalog *catalog, const char *who, const char *key,
                              const char *request, gint64 age, gboolean *ret_known,
                              CatalogAnswer *ret_answer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Fills in the answer. */
gboolean catalog_answer_keep(Catalog *catalog, const char *who, const char *key, guint status,
                             const char *location, const char *body,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Forgets the keys whose requests a service before did not come to answer. */
gboolean catalog_answers_settle(Catalog *catalog, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Gives the key back: nothing was done. */
gboolean catalog_answer_forget(Catalog *catalog, const char *who, const char *key,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

#endif
